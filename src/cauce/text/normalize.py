"""The normalizer: what happens to a text before a model sees it. Its configuration is part of the model.

`reference` is the definition, in plain Python, one character after the other. `Normalizer.apply` is the fast form over
Arrow buffers; the linear kernel calls the same compiled loop without writing the text down.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from cauce.text import kernels, markup
from cauce.text.buffers import utf8
from cauce.text.threads import run_sliced
from cauce.text.unicode import is_noise, is_word, markup_table, table

SMALLEST_SLICE = 256  # rows: below, handing work to a thread costs more than the work
URL, USER = "http", "@user"  # the placeholders of the public tweet corpora, so that masked and raw texts meet


class Normalizer(BaseModel):
    """Which steps are taken, in this order: HTML to plain text, NFC, lower case, noise dropped, links and mentions masked,
    repeats cut, white space to single spaces, spelling corrected.

    `repeats` is how often a character other than a digit may stand in a row (`holaaaaa` → `holaaa`); 0 keeps all.
    `spelling` says that the step is taken; it needs a dictionary, so `cauce.text.spelling` takes it after the others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    lowercase: bool = True
    urls: bool = True
    users: bool = True
    repeats: int = Field(3, ge=0)
    html: bool = False
    spelling: bool = False

    @model_serializer(mode="wrap")
    def _serialized(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Steps that are off by default are written only where they are on: models from before them keep their version."""
        return {name: value for name, value in fields(self).items() if value or name not in ("html", "spelling")}

    @property
    def options(self) -> int:
        """The steps as the kernels take them."""
        return self.lowercase * kernels.LOWERCASE | self.urls * kernels.URLS | self.users * kernels.USERS

    @property
    def table(self) -> npt.NDArray[np.uint32]:
        """What the kernels must know of each code point; see `cauce.text.unicode`."""
        return markup_table() if self.html else table()

    def prepare(self, text: str) -> str:
        """The steps that look at more than one code point: HTML, NFC and lower case. The kernels hand hard texts here."""
        if self.html and markup.may_have_markup(text):
            text = markup.plain(text)
        composed = unicodedata.normalize("NFC", text)
        return composed.lower() if self.lowercase else composed

    def reference(self, text: str) -> str:
        """The normalized text before its spelling is corrected, computed the plain way."""
        chars = [char for char in self.prepare(text) if not is_noise(char)]
        out: list[str] = []
        run = 0
        i = 0
        while i < len(chars):
            char = chars[i]
            if char.isspace():
                if out and out[-1] != " ":
                    out.append(" ")
                    run = 1
                i += 1
                continue
            word_starts = i == 0 or not is_word(chars[i - 1])
            if self.urls and word_starts and _starts_url(chars, i):
                out += URL
                run = 1
                while i < len(chars) and not chars[i].isspace():
                    i += 1
                continue
            if self.users and word_starts and char == "@" and i + 1 < len(chars) and is_word(chars[i + 1]):
                out += USER
                run = 1
                i += 1
                while i < len(chars) and is_word(chars[i]):
                    i += 1
                continue
            run = run + 1 if out and out[-1] == char else 1
            if not self.repeats or run <= self.repeats or char.isdigit():
                out.append(char)
            i += 1
        return "".join(out).rstrip(" ")

    def apply(self, texts: pa.Array) -> pa.Array:
        """The normalized texts before their spelling is corrected, nulls kept.

        Args:
            texts: (n,) of a string type, valid UTF-8.

        Returns:
            (n,) large_string.

        """
        out, hard = self._run(texts, self.options)
        if hard.any():
            prepared = pa.array(
                [self.prepare(text or "") for text in texts.filter(pa.array(hard)).to_pylist()], pa.large_string()
            )
            out = pc.replace_with_mask(out, pa.array(hard), self._run(prepared, self.options | kernels.PREPARED)[0])
        return out

    def _run(self, texts: pa.Array, options: int) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
        """One compiled pass to measure and one to write: the normalized rows, and which were too hard for it."""
        data, offsets = utf8(texts)
        ends = np.zeros(len(texts) + 1, np.int64)
        hard = np.zeros(len(texts), np.bool_)
        out = np.empty(0, np.uint8)

        def work(start: int, end: int) -> None:
            kernels.normalize_rows(data, offsets, start, end, self.table, options, self.repeats, ends, out, hard)

        run_sliced(work, len(texts), SMALLEST_SLICE)
        np.cumsum(ends, out=ends)
        out = np.empty(max(int(ends[-1]), 1), np.uint8)  # never empty: an empty one means "measure"
        run_sliced(work, len(texts), SMALLEST_SLICE)
        buffers = [texts.is_valid().buffers()[1] if texts.null_count else None, pa.py_buffer(ends), pa.py_buffer(out)]
        return pa.Array.from_buffers(pa.large_string(), len(texts), buffers), hard


def _starts_url(chars: list[str], i: int) -> bool:
    ahead = "".join(chars[i : i + 8])
    return ahead.startswith(("http://", "https://", "www."))
