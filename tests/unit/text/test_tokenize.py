"""Tokens: ragged and padded are the same texts, a batch changes none, the limit holds, and the threads are ours."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Engine
from tokenizers import models, pre_tokenizers

from cauce.errors import MissingExtra, NotAModel
from cauce.text.tokenize import Tokenizer, Tokens

LIMIT = 12
TEXTS = ["hola", "no está nada mal, la verdad es que no " * 2, "", "\u200b", "😍😍", "qwx ☃ 今日", "a" * 500, "hola " * 100_000]


@pytest.fixture(scope="module")
def path(tiny_tokenizer: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    place.write_bytes(tiny_tokenizer)
    return place


@pytest.fixture(scope="module")
def tokenizer(path: Path) -> Tokenizer:
    return Tokenizer.open(path, LIMIT)


def rows(tokens: Tokens) -> list[list[int]]:
    return [tokens.ids[start:end].tolist() for start, end in zip(tokens.offsets, tokens.offsets[1:], strict=False)]


def test_a_text_has_the_same_tokens_alone_and_in_any_batch(tokenizer: Tokenizer) -> None:
    many = TEXTS[:7] * 60
    whole = tokenizer.encode(pa.array(many))
    assert rows(whole) == [rows(tokenizer.encode(pa.array([text])))[0] for text in many]
    assert rows(tokenizer.encode(pa.array(many, pa.large_string()).slice(5, 20))) == rows(whole)[5:25]


def test_a_text_over_the_limit_is_cut_closed_and_marked(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode(pa.array(TEXTS))
    assert tokens.truncated.tolist() == [False, True, False, False, False, False, False, True]
    assert tokens.cost.max() == LIMIT
    ids = rows(tokens)
    opening, closing = ids[2]  # of the empty text
    assert {row[0] for row in ids} == {opening}
    assert {row[-1] for row in ids} == {closing}


def test_what_the_vocabulary_does_not_have_is_one_token_each(tokenizer: Tokenizer) -> None:
    unknown = tokenizer.encode(pa.array(["☃ ☃", "今日"]))
    assert unknown.cost.tolist() == [4, 4]
    assert len(set(unknown.ids[1:3]) | set(unknown.ids[5:7])) == 1


def test_no_texts_have_no_tokens(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode(pa.array([], pa.string()))
    assert len(tokens) == 0
    assert tokens.padded()[0].shape == (0, 0)


def test_a_text_of_which_nothing_is_left_has_one_token_even_without_special_ones(tmp_path: Path) -> None:
    engine = Engine(models.WordLevel({"<unk>": 0, "<pad>": 1, "hola": 2}, unk_token="<unk>"))
    engine.pre_tokenizer = pre_tokenizers.Whitespace()
    engine.save(str(tmp_path / "tokenizer.json"))
    tokens = Tokenizer.open(tmp_path / "tokenizer.json", LIMIT).encode(pa.array(["hola", " ", "hola hola"]))
    assert rows(tokens) == [[2], [1], [2, 2]]
    assert tokens.pad_id == 1


@given(st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=9), min_size=1, max_size=20), st.data())
def test_taking_and_padding_keep_every_text(texts: list[list[int]], data: st.DataObject) -> None:
    offsets = np.cumsum([0, *map(len, texts)])
    tokens = Tokens(np.array(list(chain.from_iterable(texts)), np.int32), offsets, np.arange(len(texts)) % 2 == 0, 7)
    index = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=20))
    taken = tokens.take(np.array(index, np.int64))
    assert rows(taken) == [texts[i] for i in index]
    assert taken.truncated.tolist() == [i % 2 == 0 for i in index]
    ids, mask = taken.padded()
    assert ids.dtype == mask.dtype == np.int64
    assert ids.shape == mask.shape == (len(index), max((len(texts[i]) for i in index), default=0))
    for row, one, i in zip(ids, mask, index, strict=True):
        length = len(texts[i])
        assert row.tolist() == texts[i] + [7] * (len(row) - length)
        assert one.tolist() == [1] * length + [0] * (len(row) - length)


def test_the_library_starts_no_threads_of_its_own(path: Path) -> None:
    count = "len(os.listdir('/proc/self/task'))"
    code = f"""
import os, sys, pyarrow as pa
from pathlib import Path
from cauce.text.tokenize import Tokenizer
tokenizer = Tokenizer.open(Path(sys.argv[1]), 12)
before = {count}
tokenizer.encode(pa.array(["no está nada mal"] * 5000))
print({count} - before)
"""
    environment = {name: value for name, value in os.environ.items() if name != "TOKENIZERS_PARALLELISM"}
    for threads in (1, 3):
        out = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            env={**environment, "CAUCE_THREADS": str(threads)},
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert int(out.stdout) == (threads if threads > 1 else 0)  # those of our pool


def test_what_is_no_tokenizer_is_refused(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    for content in (b"", b"{}", whole[: len(whole) // 2], b"\xff\xfe"):
        (tmp_path / "tokenizer.json").write_bytes(content)
        with pytest.raises(NotAModel, match=r"tokenizer.json cannot be read"):
            Tokenizer.open(tmp_path / "tokenizer.json", LIMIT)
    with pytest.raises(NotAModel, match="cannot be read"):
        Tokenizer.open(tmp_path / "absent.json", LIMIT)
    with pytest.raises(NotAModel, match="2 of them special: none is left"):
        Tokenizer.open(path, 2)


def test_a_tokenizer_that_fills_and_cuts_by_itself_does_so_no_more(path: Path, tmp_path: Path) -> None:
    engine = Engine.from_file(str(path))
    engine.enable_padding(length=40, pad_id=3)
    engine.enable_truncation(4)
    engine.save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer.open(tmp_path / "tokenizer.json", LIMIT)
    texts = pa.array(["hola", "uno dos tres cuatro cinco"])
    tokens = tokenizer.encode(texts)
    assert tokens.cost.tolist() == Tokenizer.open(path, LIMIT).encode(texts).cost.tolist()
    assert tokens.pad_id == 3


def test_without_the_library_the_pip_line_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtra) as caught:
        Tokenizer.open(path, LIMIT)
    assert 'pip install "cauce[onnx]"' in caught.value.hint
