"""Spelling: unknown words become the nearest that training knew; what is no word is left alone; the fast path agrees."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.errors import MissingExtra
from cauce.runtimes.linear import Linear
from cauce.text.ngrams import Ngrams
from cauce.text.normalize import Normalizer
from cauce.text.spelling import Spelling

TEXTS = [
    "la entrega fue rápida y la atención excelente",
    "pésima atención, la entrega tardó una semana",
    "excelente entrega, muy rápida la atención que recibí: rápida y excelente",
    "the delivery was terrible, never again",
    "terrible delivery, terrible service, never",
    "the delivery was great, terrible parking",
]


@pytest.fixture(scope="module")
def spelling() -> Spelling:
    return Spelling.learn(Normalizer().reference(text) for text in TEXTS)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("la entrga fue rapida, exelente atencion!", "la entrega fue rápida, excelente atención!"),
        ("teh delivrey was terible", "teh delivery was terrible"),
        ("entreag", "entrega"),
    ],
)
def test_unknown_words_are_corrected(before: str, after: str, spelling: Spelling) -> None:
    assert spelling.correct(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "#entrga @user @terible http www.entrga.com https://x.com/entrga entrga@terible.com",
        "entrga1 2entrga entrga_x",
        "entrga.terible",
        "semna",  # "semana" came once only: it may be a fault itself
        "pésima tardó recibí",  # known, however rare
        "una muy fue que",
        "atenciónes" + "\u0948",  # a mark sits on its last letter: no word that `re` would see whole
        "",
    ],
)
def test_what_is_left_alone(text: str, spelling: Spelling) -> None:
    assert spelling.correct(text) == text


def test_the_dictionary_is_json_and_comes_back(spelling: Spelling, tmp_path: Path) -> None:
    assert spelling.save(tmp_path) == "spelling.json"
    first = (tmp_path / "spelling.json").read_bytes()
    again = Spelling.open(tmp_path)
    assert again.counts == spelling.counts
    again.save(tmp_path)
    assert (tmp_path / "spelling.json").read_bytes() == first
    assert again.correct("terible atencion") == "terrible atención"


ANY = st.text(st.characters(exclude_categories=["Cs"]))
TRICKY = st.text("entrgaió @#.1wTEñ\u0301\u200b<b>&;")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(ANY, TRICKY), max_size=8))
def test_the_runtime_scores_what_the_reference_says(texts: list[str]) -> None:
    spelling = Spelling.learn(TEXTS)
    normalizer, ngrams = Normalizer(html=True, spelling=True), Ngrams(bits=8)
    weights = np.random.default_rng(0).integers(0, 32767, (256, 3)).astype(np.int16)
    model = Linear(
        normalizer=normalizer,
        ngrams=ngrams,
        inputs=(("text", "text"),),
        tensors={
            "buckets": np.arange(256, dtype=np.int32),
            "weights": weights,
            "scale": np.ones(3, np.float32),
            "bias": np.zeros(2, np.float32),
        },
        spelling=spelling,
    )
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.string())})
    for row, logits in enumerate(model.forward(model.encode(batch))):
        text = spelling.correct(normalizer.reference(texts[row]))
        sums = weights[[ngram.bucket for ngram in ngrams.reference(text)]].astype(np.int64).sum(axis=0)
        assert np.allclose(logits, sums[:2] / (np.sqrt(sums[2]) or 1), rtol=1e-5)
        pieces, _ = model.explain(batch.slice(row, 1))
        assert np.allclose(sum(share for _, share in pieces), logits, rtol=1e-4)


def test_without_symspellpy_the_pip_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "symspellpy", None)
    with pytest.raises(MissingExtra) as caught:
        Spelling({"hola": 1})
    assert 'pip install "cauce[spelling]"' in caught.value.hint
