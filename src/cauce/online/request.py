"""What protocols and servers hand to each other: requests and responses, without a server's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that came in whole.

    Attributes:
        path: decoded, without the query.
        headers: names in lower case.
        body: unpacked.
        arrived: seconds of the monotonic clock.
        deadline: when its sender stops waiting, of the same clock.
        id: the sender's, or ours.

    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    arrived: float
    deadline: float
    id: str
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def sticky(self) -> str | None:
        """Whose requests all go to the same version, where there is a canary."""
        return self.headers.get("x-sticky")


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent back."""

    body: bytes
    status: int = 200
    media_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
