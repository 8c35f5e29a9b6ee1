"""Ways to alter a text that keep its label: words swapped, left out or repeated, typing faults, dropped accents."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from itertools import product
from random import Random

from cauce.data.words import Words, is_negation

LEAST_LETTERS = 4  # of a word that gets a typing fault: a shorter one may become another word
SPANISH = frozenset("ñáéíóúü¿¡")
_ROWS = (("qwertyuiop", 0.0), ("asdfghjklñ", 0.25), ("zxcvbnm", 0.75))  # keys, and how far a row stands to the right
_REACH = 1.3  # in keys: those beside, above and below


def how_many(share: float, words: int) -> int:
    """How many of so many words are altered: their share, at least one."""
    return max(1, round(share * words))


def swap(text: str, random: Random, share: float) -> str:
    """Change places of neighboring words. A negation and the word behind it stay where they are."""
    words = Words.of(text)
    held = {place for place, word in enumerate(words.words) if is_negation(word)}
    held |= {place + 1 for place in held}
    pairs = [
        place
        for place in range(len(words.words) - 1)
        if held.isdisjoint((place, place + 1)) and words.gaps[place + 1].isspace()
    ]
    changed: dict[int, str] = {}
    for place in random.sample(pairs, min(how_many(share, len(words.words)), len(pairs))):
        if place not in changed and place + 1 not in changed:
            changed[place], changed[place + 1] = words.words[place + 1], words.words[place]
    return words.joined(changed)


def delete(text: str, random: Random, share: float) -> str:
    """Leave words out, but no negation, and not the last word."""
    words = Words.of(text)
    free = words.free()
    most = min(how_many(share, len(words.words)), len(free), len(words.words) - 1)
    gone = set(random.sample(free, max(most, 0)))
    out = words.gaps[0]
    for place, (word, gap) in enumerate(zip(words.words, words.gaps[1:], strict=True)):
        if place not in gone:
            out += word + gap
        elif not out or out[-1:].isspace():
            out += gap.lstrip()  # not two spaces, nor one at the start
        else:
            out += gap
    return out


def insert(text: str, random: Random, share: float) -> str:
    """Repeat words of the text at other places, but no negation."""
    words = Words.of(text)
    free = words.free()
    changed: dict[int, str] = {}
    for place in random.sample(range(len(words.words)), how_many(share, len(words.words)) if free else 0):
        changed[place] = f"{words.words[place]} {words.words[random.choice(free)]}"
    return words.joined(changed)


def typos(text: str, random: Random, share: float) -> str:
    """Typing faults, one a word: a key beside the right one, two letters in the wrong order, or one left out."""
    words = Words.of(text)
    keyboard = _SPANISH_KEYS if not SPANISH.isdisjoint(text.lower()) else _ENGLISH_KEYS
    long = [place for place in words.free() if len(words.words[place]) >= LEAST_LETTERS]
    chosen = random.sample(long, min(how_many(share, len(words.words)), len(long)))
    return words.joined({place: _mistyped(words.words[place], random, keyboard) for place in chosen})


def accents(text: str, random: Random, share: float) -> str:
    """No accents, and n for ñ, in the whole text: who writes without them writes so throughout. `share` has no say."""
    words = Words.of(text)
    return words.joined({place: without_accents(word) for place, word in enumerate(words.words)})


def without_accents(word: str) -> str:
    """Plain a to z for letters with marks; those of other scripts stay."""
    kept: list[str] = []
    base = ""
    for char in unicodedata.normalize("NFD", word):
        if not unicodedata.combining(char):
            base = char
        elif base.isascii():
            continue
        kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


ALTERATIONS: dict[str, Callable[[str, Random, float], str]] = {
    "swap": swap,
    "delete": delete,
    "insert": insert,
    "typos": typos,
    "accents": accents,
}


def _mistyped(word: str, random: Random, keyboard: dict[str, str]) -> str:
    """The word with one fault behind its first letter, where the keyboard has the letter."""
    places = [place for place in range(1, len(word)) if word[place].lower() in keyboard]
    if not places:
        return word
    place = random.choice(places)
    letter, rest = word[place], word[place + 1 :]
    fault = random.choice(("beside", "order", "left out"))
    if fault == "left out":
        return word[:place] + rest
    if fault == "order" and rest and rest[0].lower() in keyboard and rest[0] != letter:
        return word[:place] + rest[0] + letter + rest[1:]
    near = random.choice(keyboard[letter.lower()])
    return word[:place] + (near.upper() if letter.isupper() else near) + rest


def _keyboard(without: str = "") -> dict[str, str]:
    """The keys near each key."""
    keys = {
        key: (column + shift, row)
        for row, (line, shift) in enumerate(_ROWS)
        for column, key in enumerate(line)
        if key not in without
    }
    near = dict.fromkeys(keys, "")
    for (key, (x, y)), (other, (x2, y2)) in product(keys.items(), repeat=2):
        if key != other and (x - x2) ** 2 + (y - y2) ** 2 < _REACH**2:
            near[key] += other
    return near


_SPANISH_KEYS, _ENGLISH_KEYS = _keyboard(), _keyboard(without="ñ")
