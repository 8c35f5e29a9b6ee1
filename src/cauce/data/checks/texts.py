"""Texts: nothing in them but punctuation or links, far too long, another alphabet, wrong encodings, and their languages."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

from cauce.data.checks.copies import label_codes
from cauce.data.findings import Examined, Finding
from cauce.data.language import LANGUAGES, Language, languages
from cauce.data.mojibake import ESCAPED_TWICE, LOST, broken

CARRIED = re.compile(r"(?:https?:\S*|\bhttps?\b|www\.\S+|@\w+)", re.IGNORECASE)
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
FOUR_LETTERS = re.compile(r"(?:[a-zA-Z][^a-zA-Z]*){4}")
LONG, TIMES_LONGER = 1000, 20  # characters, and times the median, over which a text is odd
FEW = 0.05  # share of the rows that are odd ones out
ALPHABET = 0.9  # share of the rows that makes an alphabet the usual one
MINORITY, LEAST_ROWS = 0.1, 20  # share and rows of a language that is told
BOUND, LEAST_BOUND = 0.3, 50  # Cramér's V of language and label, and rows of each language, from which it is told


def look(seen: Examined) -> Iterator[Finding]:
    """Odd rows, encodings, languages."""
    if not seen.data.has_text:
        return
    yield from _odd(seen)
    yield from _encodings(seen)
    yield from _languages(seen)


def _odd(seen: Examined) -> Iterator[Finding]:
    empty = [row for row, text in enumerate(seen.texts) if says_nothing(text)]
    if empty:
        yield Finding(
            "nothing_said",
            "warning",
            len(empty),
            f"{len(empty)} text(s) hold only punctuation, links or mentions",
            "there is nothing in them that a label could be learned from",
            "leave them out: --fix",
            seen.samples(empty),
        )
    sizes = np.array([len(text) for text in seen.texts])
    limit = max(LONG, TIMES_LONGER * float(np.median(sizes)))
    long = np.flatnonzero(sizes > limit)
    if 0 < len(long) <= max(1, FEW * len(sizes)):
        yield Finding(
            "very_long",
            "warning",
            len(long),
            f"{len(long)} text(s) are over {TIMES_LONGER} times as long as usual: up to {sizes.max()} characters",
            "often a quote that is not closed has swallowed the rows behind it; models read only the beginning of such a text",
            "look at the rows, close the quote or cut the text",
            seen.samples(long[np.argsort(-sizes[long], kind="stable")]),
        )
    alphabets = [_alphabet(text) for text in seen.texts]
    (usual, most), *_ = [*Counter(name for name in alphabets if name).most_common(1), ("", 0)]
    known = sum(name is not None for name in alphabets)
    strange = [row for row, name in enumerate(alphabets) if name and name != usual]
    if strange and most >= ALPHABET * known:
        names = ", ".join(sorted({str(alphabets[row]).lower() for row in strange}))
        yield Finding(
            "other_alphabet",
            "warning" if len(strange) > 1 or known >= LEAST_ROWS else "info",
            len(strange),
            f"{len(strange)} text(s) are in another alphabet ({names}) than the rest ({usual.lower()})",
            "a few rows teach nothing of another language",
            "leave them out in an editor, or add more rows of that language",
            seen.samples(strange),
        )
    controls = [row for row, text in enumerate(seen.texts) if CONTROLS.search(text)]
    if controls:
        yield Finding(
            "control_characters",
            "warning",
            len(controls),
            f"{len(controls)} text(s) hold control characters",
            "they come from a broken export, and break other tools",
            "take them out: --fix",
            seen.samples(controls),
        )


def _encodings(seen: Examined) -> Iterator[Finding]:
    tests: tuple[tuple[str, Callable[[str], bool], str, str, str], ...] = (
        (
            "wrong_encoding",
            broken,
            "were UTF-8 and were read as Windows-1252",
            "the words are not the ones that the model will be asked",
            "mend them, where no byte is missing: --fix",
        ),
        (
            "lost_characters",
            lambda text: LOST in text,
            "hold the mark of a lost character (U+FFFD)",
            "the letters are gone; the model learns broken words",
            "export the file again as UTF-8 from where it came",
        ),
        (
            "escaped_twice",
            lambda text: ESCAPED_TWICE.search(text) is not None,
            'hold HTML that was escaped twice ("&amp;amp;")',
            "the words are not the ones that the model will be asked",
            "mend them: --fix",
        ),
    )
    for code, wrong, what, why, fix in tests:
        rows = [row for row, text in enumerate(seen.texts) if wrong(text)]
        if rows:
            yield Finding(code, "warning", len(rows), f"{len(rows)} text(s) {what}", why, fix, seen.samples(rows))


def _languages(seen: Examined) -> Iterator[Finding]:
    spoken = languages(seen.data.texts())
    counts = Counter(spoken.values())
    known = sum(count for language, count in counts.items() if language != "unknown")
    if not known:
        return
    shares = {language: counts[language] / known for language in LANGUAGES if language != "unknown" and counts[language]}
    listed = ", ".join(f"{language} {share:.1%}" for language, share in sorted(shares.items(), key=lambda one: -one[1]))
    sampled = f", judged from {len(spoken)} rows" if len(spoken) < len(seen.data) else ""
    unsure = f"; {counts['unknown']} too short to tell" if counts["unknown"] else ""
    yield Finding(
        "languages",
        "info",
        known,
        f"languages: {listed}{unsure}{sampled}",
        "a model answers in the languages that it was trained on",
        "nothing, if these are the languages that it will be asked in",
    )
    few: list[Language] = [
        language
        for language in ("es", "en", "other")
        if shares.get(language, 0) < MINORITY and counts[language] >= max(LEAST_ROWS, known / 100)
    ]
    if few:
        rows = [row for row, language in spoken.items() if language in few]
        yield Finding(
            "minority_language",
            "warning",
            len(rows),
            "few rows are in " + " and ".join(f"{language} ({counts[language]})" for language in few),
            "the model learns little of that language, and its overall figures hide it",
            "add rows of that language, or leave them out and say so",
            seen.samples(rows),
        )
    strength = _bound(seen, spoken)
    if strength >= BOUND:
        yield Finding(
            "language_tells_label",
            "warning",
            known,
            f"the language of a text goes with its label (Cramér's V {strength:.2f}; 0 is not at all, 1 is entirely)",
            "the model may learn the language instead of what is said",
            "add rows, so that each label has texts of each language",
        )


def _bound(seen: Examined, spoken: dict[int, Language]) -> float:
    """Cramér's V between Spanish or English and the label; 0 where one of the two has few rows."""
    if seen.data.task != "classification":
        return 0.0
    rows = np.array([row for row, language in spoken.items() if language in ("es", "en")], np.int64)
    spanish = np.array([spoken[int(row)] == "es" for row in rows], np.int64)
    if min(spanish.sum(), len(rows) - spanish.sum()) < LEAST_BOUND:
        return 0.0
    _, labels = np.unique(label_codes(seen.data)[rows], return_inverse=True)
    table = np.zeros((2, int(labels.max()) + 1))
    np.add.at(table, (spanish, labels), 1)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    chance = table.shape[1] - 1  # what the statistic is on average where nothing is bound
    return float(np.sqrt(max(0.0, ((table - expected) ** 2 / expected).sum() - chance) / table.sum()))


def says_nothing(text: str) -> bool:
    """True where a text has no letter, digit or symbol (emoji) beside links and mentions."""
    return not any(unicodedata.category(char)[0] in "LNS" for char in CARRIED.sub(" ", text))


def _alphabet(text: str) -> str | None:
    """The script of most letters, or None where there are few."""
    if text.isascii():
        return "LATIN" if FOUR_LETTERS.search(text) else None
    found = Counter(_script(char) for char in text[:200] if char.isalpha())
    if found.total() < 4:
        return None
    (script, count), *_ = found.most_common(1)
    return script if count > found.total() / 2 else None


@lru_cache(maxsize=10_000)
def _script(char: str) -> str:
    """The first word of a letter's name: LATIN, CYRILLIC and so on."""
    return "LATIN" if char.isascii() else unicodedata.name(char, "UNKNOWN").split()[0]
