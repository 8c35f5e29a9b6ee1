"""Results are written, in a thread of their own, while the next messages are answered."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cauce.stream.contract import Output

POLL = 0.25  # seconds after which what was written is looked at again: it may be time to settle it
PATIENCE = 5.0  # seconds that `close` waits for a job: its broker may be gone

Job = Callable[[], None]


class Behind:
    """Does one job after the other, one behind at most, and settles the output between them."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._job: Job | None = None  # the one that waits
        self._busy = self._closed = self._over = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="cauce-stream-write", daemon=True)
        self._thread.start()

    def do(self, job: Job) -> None:
        """Have this done after the others; waits while one is waiting already.

        Raises:
            whatever an earlier job raised: nothing is done after it.

        """
        with self._changed:
            self._changed.wait_for(lambda: self._job is None or self._over)
            self.check()
            self._job = job
            self._changed.notify_all()

    def settle(self) -> None:
        """Wait until all jobs are done, and settle what they wrote.

        Raises:
            whatever a job raised.

        """
        self.do(lambda: self._output.settle(now=True))
        with self._changed:
            self._changed.wait_for(lambda: not (self._job or self._busy) or self._over)
            self.check()

    def check(self) -> None:
        """Raise whatever a job raised."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Do nothing any more: what was not settled by now never is, as its sink may be closed next."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(PATIENCE)

    def _work(self) -> None:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._job or self._closed, POLL)
                    if self._closed:
                        return
                    job, self._job = self._job, None
                    self._busy = True
                    self._changed.notify_all()
                if job is not None:
                    job()
                if not self._closed:
                    self._output.settle(now=False)
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001  (it is raised where the jobs come from)
            self._error = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()
