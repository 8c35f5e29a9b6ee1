"""Which keys were written lately."""

from __future__ import annotations

from collections.abc import Iterable


class Recent:
    """The last keys, the oldest forgotten first.

    Args:
        most: how many are remembered; about 130 bytes each.

    """

    def __init__(self, most: int = 200_000) -> None:
        self._most, self._keys = most, dict[str, None]()

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def add(self, keys: Iterable[str]) -> None:
        """Remember these."""
        self._keys.update(dict.fromkeys(keys))
        for key in list(self._keys)[: max(0, len(self._keys) - self._most)]:
            del self._keys[key]
