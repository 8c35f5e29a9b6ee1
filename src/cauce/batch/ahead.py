"""Work that runs ahead of whoever needs it, a few steps and no more."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 0.05  # seconds after which a thread looks whether it is still needed


def ahead(source: Generator[T], depth: int) -> Generator[T]:
    """The items of a generator that runs in a thread of its own, up to `depth` items ahead. It ends when this is closed."""
    box: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(depth)
    over = threading.Event()

    def put(item: tuple[T] | BaseException | None) -> None:
        while not over.is_set():
            try:
                box.put(item, timeout=PATIENCE)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for item in source:
                put((item,))
                if over.is_set():
                    break
            put(None)
        except BaseException as error:  # noqa: BLE001  (it is raised where the items are used)
            put(error)
        finally:
            source.close()

    thread = threading.Thread(target=work, name="cauce-batch", daemon=True)
    thread.start()
    try:
        while (item := box.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        over.set()
        thread.join()
