"""Rules of alerts as people write them: `share(negative, "café") > 40 % over 10 min, n >= 50`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cauce.errors import InputError, nearest
from cauce.settings import UNITS
from cauce.stream.windows.tally import ALL

EXAMPLES = 'share(negative) > 40 % over 10 min, n >= 50; count(negative, "café") > 100 over 5 min'
NAME = r'"(?P<quoted>[^"]+)"|(?P<bare>[^\s",()]+)'


@dataclass(frozen=True)
class Rule:
    """When people want to be told.

    Attributes:
        written: as they wrote it.
        term: that texts hold; `ALL`: whatever they hold.
        above: told when it is over the threshold; else when it is under it.
        threshold: a share from 0 to 1, or a count.
        over: seconds that are looked at together.
        least: results below which nothing is judged.

    """

    written: str
    measure: Literal["share", "count"]
    label: str
    term: str
    above: bool
    threshold: float
    over: float
    least: int

    def check(self, labels: Sequence[str], width: float) -> None:
        """See whether it can be judged.

        Args:
            labels: of the model.
            width: seconds of a window.

        Raises:
            InputError: it has another label, or looks at no whole number of windows.

        """
        if self.label not in labels:
            hint = nearest(self.label, labels) or f"the labels are: {', '.join(labels) or 'none'}"
            raise InputError(f'the model has no label "{self.label}"', where=self.written, hint=hint)
        if self.over < width or self.over % width:
            raise InputError(
                f"{self.over:g} s are no whole number of windows of {width:g} s",
                where=self.written,
                hint=f"write a multiple of {width:g} s behind over, or set another window",
            )


def read(written: str) -> Rule:
    """Read a rule: `share(LABEL[, TERM]) >|< N % over TIME[, n >= N]`, or `count(…) >|< N over TIME[, n >= N]`.

    Raises:
        InputError: it is none; says where, and what is expected there.

    """
    words = _Words(written)
    share = words.take("share|count", "share or count")[0] == "share"
    words.take(r"\(", "(")
    label = words.name("a label")
    term = words.name("a term") if words.take(r"[,)]", "a comma or )")[0] == "," else ALL
    if term != ALL:
        words.take(r"\)", ")")
    above = words.take("[<>](?!=)", "> or <")[0] == ">"
    number = words.take(r"\d+(\.\d+)?" if share else r"\d+(?![.\d])", "a share such as 40 %" if share else "a whole number")
    threshold = float(number[0])
    if share:
        words.take("%", "%")
        threshold /= 100
    if not 0 < threshold < (1 if share else float("inf")):
        raise words.wrong(number.start(), "a share over 0 % and under 100 %" if share else "a number over 0")
    words.take("over", "over")
    span = words.take(rf"(\d+(?:\.\d+)?)\s*({'|'.join(sorted(UNITS, key=len, reverse=True))})\b", "a time such as 10 min")
    least = 0
    if words.left:
        words.take(r",\s*n\s*>=", ", n >= 50, or nothing")
        least = int(words.take(r"\d+", "a whole number")[0])
    if words.left:
        raise words.wrong(words.at, "nothing more")
    over = float(span[1]) * UNITS[span[2]]
    return Rule(written, "share" if share else "count", label, term, above, threshold, over, least)


class _Words:
    """A rule that is read from left to right.

    Attributes:
        at: the place of the next character that is no space.

    """

    def __init__(self, written: str) -> None:
        self._written, self.at = written, 0
        self._skip()

    @property
    def left(self) -> bool:
        return self.at < len(self._written)

    def take(self, pattern: str, expected: str) -> re.Match[str]:
        found = re.compile(pattern).match(self._written, self.at)
        if found is None:
            raise self.wrong(self.at, expected)
        self.at = found.end()
        self._skip()
        return found

    def name(self, expected: str) -> str:
        found = self.take(NAME, f"{expected}, between quotes where it is more than a word")
        return found["quoted"] or found["bare"]

    def wrong(self, at: int, expected: str) -> InputError:
        there = f'"{self._written[at:][:20]}"' if self._written[at:] else "its end"
        return InputError(
            f"an alert cannot be read at character {at + 1}, {there}: expected is {expected}",
            where=self._written,
            hint=f"for example: {EXAMPLES}",
        )

    def _skip(self) -> None:
        while self.at < len(self._written) and self._written[self.at].isspace():
            self.at += 1
