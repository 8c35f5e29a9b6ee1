"""`Client` and `AsyncClient`: the models of a server, asked as a loaded one is.

A long list goes in several requests. One that the server has no room for, or that found no server, is sent again until it
is answered or its time is over; the last error is then raised, as the class that the server raised.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from cauce import errors
from cauce.errors import CauceError, Expired, InputError, NotReady, Overloaded, Unavailable, WrongRows, need
from cauce.model.predictions import Prediction

if TYPE_CHECKING:
    import httpx2

Row = str | Mapping[str, Any] | None

ROWS, BYTES = 256, 1_000_000  # of one request; a row that is larger goes alone
AGAIN = (Overloaded, NotReady, Unavailable)  # these themselves: of what is below them nothing passes by waiting
FIRST, LONGEST = 0.1, 5.0  # seconds between two tries, where the server does not say: twice as many each time
CODES = {kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CauceError)}


class Client:
    """A server. Safe to share between threads.

    >>> with cauce.Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
    ...     client.predict(["me encanta", "no funciona"])[0].label

    Args:
        url: its address.
        token: where it asks for one.
        timeout: seconds in which a request has to be answered, all tries included; the server is told too.

    Raises:
        InputError: the address is none.
        MissingExtra: httpx2 is not installed.

    """

    def __init__(self, url: str, *, token: str | None = None, timeout: float = 30.0) -> None:
        self._timeout = timeout
        self._http: httpx2.Client = _library().Client(**_settings(url, token, timeout))

    def predict(
        self,
        rows: Row | Iterable[Row],
        *,
        model: str | None = None,
        version: str | None = None,
        top_k: int | None = None,
        min_score: float = 0.0,
    ) -> list[Prediction]:
        """Answer rows, texts or dicts, in their order. A row that cannot be answered carries its `error`.

        Args:
            model: without it the server's first.
            version: the beginning of one that is served.
            top_k, min_score: as of `Model.predict`.

        Raises:
            WrongRows: a row cannot be sent.
            UnknownModel, InputError, Unavailable: what the server says, or that there is none.

        """
        bodies = _bodies(rows, model=model, version=version, top_k=top_k, min_score=min_score)
        return [_prediction(one) for body in bodies for one in self._ask("POST", "/v1/predict", "predictions", body)]

    def embed(self, rows: Row | Iterable[Row], *, model: str | None = None, version: str | None = None) -> pa.Array:
        """Vectors of rows, as `Model.embed` gives them: null where a row cannot be read.

        Raises:
            WrongRows, UnknownModel, InputError, Unavailable: as of `predict`.

        """
        bodies = _bodies(rows, model=model, version=version)
        return _vectors([one for body in bodies for one in self._ask("POST", "/v1/embed", "vectors", body)])

    def models(self) -> list[dict[str, Any]]:
        """What is served: the name of each (`id`), its version, task, labels and inputs."""
        found: list[dict[str, Any]] = self._ask("GET", "/v1/models", "data")
        return found

    def health(self) -> bool:
        """Whether the server takes requests. It is asked once."""
        with suppress(CauceError), _lost(self._http):
            return self._http.get("/health/ready").is_success
        return False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, method: str, path: str, key: str, body: bytes | None = None) -> Any:
        tries = _Tries(self._timeout)
        while True:
            try:
                with _lost(self._http):
                    return _read(self._http.request(method, path, content=body, **tries.left()), key)
            except CauceError as error:
                time.sleep(tries.pause(error))


class AsyncClient:
    """A server, asked from an event loop. Otherwise as `Client`, whose methods say more."""

    def __init__(self, url: str, *, token: str | None = None, timeout: float = 30.0) -> None:
        self._timeout = timeout
        self._http: httpx2.AsyncClient = _library().AsyncClient(**_settings(url, token, timeout))

    async def predict(
        self,
        rows: Row | Iterable[Row],
        *,
        model: str | None = None,
        version: str | None = None,
        top_k: int | None = None,
        min_score: float = 0.0,
    ) -> list[Prediction]:
        """Answer rows, texts or dicts, in their order. A row that cannot be answered carries its `error`."""
        bodies = _bodies(rows, model=model, version=version, top_k=top_k, min_score=min_score)
        return [_prediction(one) for body in bodies for one in await self._ask("POST", "/v1/predict", "predictions", body)]

    async def embed(self, rows: Row | Iterable[Row], *, model: str | None = None, version: str | None = None) -> pa.Array:
        """Vectors of rows, as `Model.embed` gives them: null where a row cannot be read."""
        bodies = _bodies(rows, model=model, version=version)
        return _vectors([one for body in bodies for one in await self._ask("POST", "/v1/embed", "vectors", body)])

    async def models(self) -> list[dict[str, Any]]:
        """What is served: the name of each (`id`), its version, task, labels and inputs."""
        found: list[dict[str, Any]] = await self._ask("GET", "/v1/models", "data")
        return found

    async def health(self) -> bool:
        """Whether the server takes requests. It is asked once."""
        with suppress(CauceError), _lost(self._http):
            return (await self._http.get("/health/ready")).is_success
        return False

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(self, method: str, path: str, key: str, body: bytes | None = None) -> Any:
        tries = _Tries(self._timeout)
        while True:
            try:
                with _lost(self._http):
                    return _read(await self._http.request(method, path, content=body, **tries.left()), key)
            except CauceError as error:
                await asyncio.sleep(tries.pause(error))


class _Tries:
    """The time that a request has, and when it is sent again."""

    def __init__(self, timeout: float) -> None:
        self._end = time.monotonic() + timeout
        self._next = FIRST

    def left(self) -> dict[str, Any]:
        """What tells both sides how long this try may take."""
        left = max(0.001, self._end - time.monotonic())
        return {"timeout": left, "headers": {"x-request-timeout": f"{left:.3f}"}}

    def pause(self, error: CauceError) -> float:
        """Seconds until the next try.

        Raises:
            CauceError: this one: waiting does not help, or there is no time left.

        """
        backoff, self._next = self._next * random.uniform(0.5, 1.0), min(LONGEST, 2 * self._next)  # noqa: S311  (no secret)
        seconds = error.retry_after if isinstance(error, Overloaded) else backoff
        if type(error) not in AGAIN or time.monotonic() + seconds >= self._end:
            raise error
        return seconds


def _library() -> Any:
    return need("httpx2", extra="client", what="the client")


def _settings(url: str, token: str | None, timeout: float) -> dict[str, Any]:
    """What both clients of the library are made with."""
    if not url.startswith(("http://", "https://")):
        raise InputError(f'"{url}" is no address of a server', hint="write it as http://127.0.0.1:8000")
    headers = {"content-type": "application/json"}
    return {"base_url": url, "timeout": timeout, "headers": headers | ({"authorization": f"Bearer {token}"} if token else {})}


@contextmanager
def _lost(http: Any) -> Iterator[None]:
    """Turn what the library says of a connection into our errors."""
    library = _library()
    try:
        yield
    except library.ConnectTimeout:
        raise Unavailable(f"{http.base_url} does not take the connection", hint="check the address") from None
    except library.TimeoutException:
        raise Expired("the answer did not come in time", hint="send fewer rows, or give a longer timeout") from None
    except library.TransportError as error:
        raise Unavailable(
            f"no server answers at {http.base_url}: {error}", hint="check the address, and whether the server runs"
        ) from None


def _bodies(rows: Row | Iterable[Row], **options: Any) -> list[bytes]:
    """The requests that rows are sent in, in their order.

    Raises:
        WrongRows: a row cannot be sent.

    """
    rest = "".join(f', "{name}": {json.dumps(value)}' for name, value in options.items() if value is not None).encode()
    parts: list[list[bytes]] = []
    size = 0
    for number, row in enumerate([rows] if rows is None or isinstance(rows, str | Mapping) else rows):
        try:
            written = json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise WrongRows(
                f"row {number + 1} cannot be sent: {error}", hint="send texts, or dicts of texts and numbers"
            ) from None
        size += len(written)
        if not parts or len(parts[-1]) == ROWS or size > BYTES:
            parts.append([])
            size = len(written)
        parts[-1].append(written)
    return [b'{"rows": [%b]%b}' % (b",".join(part), rest) for part in parts]


def _read(response: httpx2.Response, key: str) -> Any:
    """What the answer has under a key.

    Raises:
        CauceError: what the server says is wrong, or that it is none of ours.

    """
    try:
        told = response.json()
    except ValueError:
        told = None
    if not response.is_success:
        raise _error(response, told if isinstance(told, dict) else {})
    if not isinstance(told, dict) or key not in told:
        raise CauceError(f"{response.url} does not answer as Cauce does", hint="check the address")
    return told[key]


def _error(response: httpx2.Response, told: dict[str, Any]) -> CauceError:
    """The error that the server raised; of another server one of the same meaning."""
    status, given = response.status_code, response.headers.get("retry-after", "")
    message, hint = told.get("detail") or f"the server answers {status}: {response.text[:200]}", told.get("hint", "")
    kind = CODES.get(told.get("code", ""))
    if kind is Overloaded or (kind is None and (status == 429 or (status == 503 and given))):
        return Overloaded(message, retry_after=float(given) if given.isdecimal() else 1.0, hint=hint)
    if kind is None:
        kind = Unavailable if status in (502, 503) else InputError if 400 <= status < 500 else CauceError
    return kind(message, hint=hint)


def _prediction(told: dict[str, Any]) -> Prediction:
    if error := told.get("error"):
        return Prediction(None, None, {}, error, truncated=False)
    labels = told.get("labels")
    return Prediction(
        label=told["label"],
        score=told["score"],
        scores=told["scores"],
        error=None,
        truncated=told.get("truncated", False),
        labels=None if labels is None else tuple(labels),
    )


def _vectors(found: list[list[float] | None]) -> pa.Array:
    width = next((len(one) for one in found if one is not None), 0)
    return pa.array(found, pa.list_(pa.float32(), width or -1))
