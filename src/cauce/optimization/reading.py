"""Our normalizer as the normalizer of a `tokenizer.json`, so that an exported model reads texts as it did here."""

from __future__ import annotations

from typing import Any

from cauce.errors import need
from cauce.model.golden import HARD_TEXTS
from cauce.text.normalize import URL, USER, Normalizer

WORD = r"[\p{L}\p{M}\p{N}_]"
NOISE = r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ufe0e\ufe0f]"
SPACE = r"[\t-\r\x1c-\x20\x85\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
DIGIT = r"\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089"


def with_normalizer(tokenizer: bytes, normalizer: Normalizer | None) -> tuple[bytes, tuple[str, ...]]:
    """A `tokenizer.json` that takes the normalizer's steps too, and what it cannot do, in words."""
    library = need("tokenizers", extra="onnx", what="an export")
    engine = library.Tokenizer.from_buffer(tokenizer)
    if normalizer is None:
        return tokenizer, ()
    own = engine.normalizer
    engine.normalizer = library.normalizers.Sequence([*_steps(library, normalizer), *([own] if own else [])])
    notes = []
    if normalizer.html:
        notes.append("whoever asks the exported model has to strip HTML from the texts first")
    if normalizer.spelling:
        notes.append("whoever asks the exported model has to correct the spelling first")
    plain = library.Tokenizer.from_buffer(tokenizer)
    texts = [text for text in HARD_TEXTS if not normalizer.html or "<" not in text]
    other = [text for text in texts if engine.encode(text).ids != plain.encode(normalizer.reference(text)).ids]
    if other:
        notes.append(f"the exported tokenizer reads {len(other)} of {len(texts)} hard texts otherwise: {other[0]!r}")
    raw: str = engine.to_str()
    return raw.encode(), tuple(notes)


def _steps(library: Any, normalizer: Normalizer) -> list[Any]:
    """See `Normalizer.reference`. Mentions go before links here: one inside of a link vanishes with it."""

    def replace(pattern: str, by: str) -> Any:
        return library.normalizers.Replace(library.Regex(pattern), by)

    steps = [library.normalizers.NFC()]
    if normalizer.lowercase:
        steps.append(library.normalizers.Lowercase())
    steps += [replace(NOISE, ""), replace(SPACE, " ")]
    if normalizer.users:
        steps.append(replace(rf"(?<!{WORD})@{WORD}+", USER))
    if normalizer.urls:
        steps.append(replace(rf"(?<!{WORD})(?:https?://|www\.)[^ ]*", URL))
    if normalizer.repeats:
        steps.append(replace(rf"([^{DIGIT}])(?=\1{{{normalizer.repeats}}})", ""))
    return [*steps, library.normalizers.Strip()]
