"""A Redis server: reached with patience, its errors turned into ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any
from urllib.parse import SplitResult

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from cauce.errors import AccessDenied, BrokerGone, InputError
from cauce.stream.patience import Patience
from cauce.stream.schemes import Opening, Place

GONE = (
    exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ReadOnlyError, exceptions.OutOfMemoryError,
    exceptions.ClusterDownError, exceptions.TryAgainError,
)  # fmt: skip
DENIED = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError)
SCRIPTED = 500  # rows that a script does at once: some 6 ms, for which the server answers nobody else


class Server:
    """A Redis server, which may be gone for a while.

    Args:
        url: `redis://[user:password@]host[:port]/…?db=0`, or `rediss://`.

    Raises:
        AccessDenied: a wrong password, or no right to what a worker does.
        BrokerGone: it cannot be reached, for longer than `patience` waits.
        InputError: the URL cannot be read.

    """

    def __init__(self, url: SplitResult, db: str, patience: Patience) -> None:
        self._patience = patience
        try:
            self.name = f"{url.hostname or 'localhost'}:{url.port or 6379}/{int(db)}"
            self.client: Any = redis.Redis.from_url(
                f"{url.scheme}://{url.netloc}/{int(db)}",
                protocol=2,
                socket_connect_timeout=5,
                socket_timeout=30,
                retry=Retry(NoBackoff(), 0),  # Patience tries again, and says so
            )
        except ValueError as error:
            raise InputError(f"cannot read the address: {error}", hint="write it as redis://host:6379/stream") from None
        for command in ("XREADGROUP", "XCLAIM"):  # as they come: a dictionary an entry would take as long as the model
            self.client.set_response_callback(command, lambda answer, **_: answer)
        self(self.client.ping)

    def __call__(self, command: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Run a command; wait where the server is gone. A command may run twice: its answer may have been lost."""
        return self._patience(lambda: self._translated(lambda: command(*args, **options)))

    def scripted(self, script: Any, keys: list[str], head: list[Any], rows: Sequence[tuple[Any, ...]]) -> None:
        """Run a script over rows, a few at a time: others are answered between. What ran twice did nothing the second time."""

        def run() -> None:
            with self.client.pipeline(transaction=False) as together:
                for start in range(0, len(rows), SCRIPTED):
                    script(keys, [*head, *chain.from_iterable(rows[start : start + SCRIPTED])], client=together)
                together.execute()

        self(run)

    def _translated(self, command: Callable[[], Any]) -> Any:
        try:
            return command()
        except DENIED as error:
            raise AccessDenied(
                f"the Redis at {self.name} refuses: {error}", hint="write user and password: redis://user:password@host/stream"
            ) from None
        except GONE as error:
            raise BrokerGone(
                f"the Redis at {self.name} cannot be used: {error}", hint="start it, or wait longer with --wait"
            ) from error
        except exceptions.ResponseError as error:
            if "WRONGTYPE" in str(error):  # alone, or of a script in a pipeline
                raise InputError(
                    f"a key of {self.name} is there already and is no stream", hint="name another stream"
                ) from None
            raise


def server_of(place: Place, opening: Opening) -> Server:
    """The server of a place; those opened together share its connections."""
    db = place.options.get("db", "0")
    name = f"{place.scheme}://{place.url.netloc}/{db}"
    if name not in opening.shared:
        opening.shared[name] = Server(place.url, db, opening.patience)
    server: Server = opening.shared[name]
    return server
