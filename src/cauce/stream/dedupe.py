"""Which keys were written lately."""

from __future__ import annotations

from collections.abc import Iterable, Set


class Recent:
    """The last keys, in two generations: when the newer is full, the older is forgotten as a whole.

    Args:
        most: how many are remembered, and at least half as many; about 130 bytes each.

    """

    def __init__(self, most: int = 400_000) -> None:
        self._half = most // 2
        self._newer, self._older = set[str](), set[str]()

    def __contains__(self, key: str) -> bool:
        return key in self._newer or key in self._older

    def isdisjoint(self, keys: Set[str]) -> bool:
        """Whether none of these is among them."""
        return self._newer.isdisjoint(keys) and self._older.isdisjoint(keys)

    def add(self, keys: Iterable[str]) -> None:
        """Remember these."""
        self._newer.update(keys)
        if len(self._newer) >= self._half:
            self._newer, self._older = set(), self._newer
