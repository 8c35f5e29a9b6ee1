"""Addresses: which handler answers a request, and in which shape its errors go out."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from cauce.errors import CauceError, Overloaded, UnknownRoute, WrongBody, WrongMethod
from cauce.online.plane import Reply
from cauce.online.request import Request, Response

Handler = Callable[..., Awaitable[Response]]
Envelope = Callable[[CauceError, str], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """An address.

    Attributes:
        path: with parameters as `{name}`, which a part of the path stands for.
        handler: called with the request and the parameters.
        envelope: an error, and the request's id, as this address's clients read it.

    """

    method: str
    path: str
    handler: Handler
    envelope: Envelope


class Table:
    """All addresses. Those without parameters are found by one look.

    Raises:
        ValueError: two routes have one address.

    """

    def __init__(self, routes: Iterable[Route]) -> None:
        taken: set[tuple[str, str]] = set()
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], Route]] = []
        self._envelopes: dict[str, Envelope | None] = {}
        for one in routes:
            if (one.method, one.path) in taken:
                raise ValueError(f"{one.method} {one.path} has two routes")
            taken.add((one.method, one.path))
            first = _first(one.path)
            same = self._envelopes.get(first, one.envelope) is one.envelope
            self._envelopes[first] = one.envelope if same else None
            if "{" in one.path:
                parts = re.split(r"\{(\w+)\}", one.path)
                named = "".join(f"(?P<{part}>[^/]+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
                self._patterns.append((re.compile(named), one))
            else:
                self._exact.setdefault(one.path, {})[one.method] = one

    def envelope(self, path: str) -> Envelope | None:
        """How an error goes out at a path that is of no route: as at all others below its first part, if they agree."""
        return self._envelopes.get(_first(path))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route and its parameters; None where the path is of no route.

        Where the path takes another method only, the route refuses as that one's clients read it.
        """
        if known := self._exact.get(path):
            return known.get(method) or _refusing(method, list(known.values())), {}
        others = []
        for pattern, route in self._patterns:
            if found := pattern.fullmatch(path):
                if route.method == method:
                    return route, found.groupdict()
                others.append(route)
        return (_refusing(method, others), {}) if others else None


def _first(path: str) -> str:
    return path.lstrip("/").partition("/")[0]


def _refusing(method: str, known: Sequence[Route]) -> Route:
    """The route of a path that takes other methods."""

    async def refuse(request: Request) -> Response:
        raise wrong_method(method, request.path, {one.method for one in known})

    return Route(method, known[0].path, refuse, known[0].envelope)


def wrong_method(method: str, path: str, known: Iterable[str]) -> WrongMethod:
    """The error of an address that takes other methods."""
    return WrongMethod(f"{path} does not take {method}", hint=f"send it with {', '.join(sorted(known))}")


def unknown(path: str) -> UnknownRoute:
    """The error of an address that is none."""
    return UnknownRoute(f"there is no {path} here", hint="see /docs for the addresses")


def read_json(request: Request, example: str = '{"text": "…"}') -> Any:
    """The body as JSON.

    Args:
        example: of a body that this address reads.

    Raises:
        WrongBody: it is none.

    """
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise WrongBody(f"the body is not JSON: {error}", hint=f"send UTF-8 JSON, as {example}") from None


def model_headers(reply: Reply) -> tuple[tuple[str, str], ...]:
    """Who answered, and where the time went, in milliseconds."""
    return (
        ("x-model-name", reply.name),
        ("x-model-version", reply.model.version),
        ("x-model-variant", reply.model.variant),
        (
            "server-timing",
            f"queue;dur={1e3 * reply.queue:.2f}, tokenize;dur={1e3 * reply.tokenize:.2f}, "
            f"infer;dur={1e3 * reply.infer:.2f}, total;dur={1e3 * reply.total:.2f}",
        ),
    )


def sentence(error: CauceError) -> str:
    """What happened and what to do, for protocols that have one text for both."""
    return "; ".join(filter(None, (error.message, error.hint)))


def retry_headers(error: CauceError) -> tuple[tuple[str, str], ...]:
    """When to try again, where that is known; RateLimit too, which the client of the Hugging Face Hub shows.

    As in draft-ietf-httpapi-ratelimit-headers-11, without RateLimit-Policy: that states a quota, and here time decides.
    """
    if not isinstance(error, Overloaded):
        return ()
    seconds = str(int(error.retry_after))
    return ("retry-after", seconds), ("ratelimit", f'"rows";r=0;t={seconds}')
