"""The words of report and card, in each language: one file a language, the same keys in each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib import resources

from cauce.errors import UnknownName, nearest
from cauce.evaluation.metrics import Figure

LANGUAGES = ("en", "es")


class Words:
    """Sentences and numbers of one language.

    Raises:
        UnknownName: a language that is not there.

    """

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            hint = nearest(language, LANGUAGES) or f"languages: {', '.join(LANGUAGES)}"
            raise UnknownName(f'there is no report in the language "{language}"', hint=hint)
        raw = resources.files(__package__).joinpath(f"{language}.toml").read_text("utf-8")
        self._words: dict[str, str] = tomllib.loads(raw)
        self.language, self._point, self._thousands = language, self._words["POINT"], self._words["THOUSANDS"]

    def __call__(self, key: str, **values: object) -> str:
        """The words of a key; whole numbers among the values are written as the language writes them."""
        shown = {name: self.count(value) if type(value) is int else value for name, value in values.items()}
        return self._words[key].format(**shown)

    def named(self, kind: str, name: str, **values: object) -> str:
        """The words of one of a kind (a metric, a finding); its name where there are none yet."""
        key = f"{kind}.{name}"
        return self(key, **values) if key in self else name

    def __contains__(self, key: str) -> bool:
        return key in self._words

    def count(self, number: int) -> str:
        """A whole number."""
        return f"{number:,}".replace(",", self._thousands)

    def number(self, value: float, digits: int = 3) -> str:
        """A number with so many decimals; of a large one fewer, of a small one its first two digits."""
        if 0 < abs(value) < 10**-digits:
            return f"{value:.2g}".replace(".", self._point).replace("-", "−")
        digits = digits if abs(value) < 100 else min(digits, 1 if abs(value) < 10_000 else 0)
        whole, point, rest = f"{value:,.{digits}f}".partition(".")
        return whole.replace(",", self._thousands).replace("-", "−") + (self._point + rest if point else "")

    def percent(self, share: float, digits: int = 0) -> str:
        """A share in hundredths."""
        return f"{self.number(100 * share, digits)}\u00a0%" if self.language == "es" else f"{self.number(100 * share, digits)}%"

    def interval(self, figure: Figure, digits: int = 3) -> str:
        """A figure's interval."""
        return f"{self.number(figure.low, digits)} – {self.number(figure.high, digits)}"

    def listed(self, names: Iterable[str]) -> str:
        """Names with commas."""
        return ", ".join(names)
