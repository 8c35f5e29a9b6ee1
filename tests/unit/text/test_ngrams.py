"""The n-gram hashes: the linear kernel equals the plain reference on any Unicode, with any orders."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from cauce.runtimes.linear import Linear
from cauce.text.ngrams import Ngrams
from cauce.text.normalize import Normalizer

TEXTS = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.sampled_from("abñ ,.!😀Σ\u0301日@_ ")))


@st.composite
def orders(draw: st.DrawFn) -> Ngrams:
    low = draw(st.integers(1, 4))
    return Ngrams(
        char_low=low, char_high=draw(st.integers(low, 6)), word_high=draw(st.integers(0, 3)), bits=draw(st.integers(8, 12))
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=8), orders(), st.integers(1, 14))
def test_the_kernel_adds_up_what_the_reference_says(texts: list[str], ngrams: Ngrams, labels: int) -> None:
    random = np.random.default_rng(labels)
    buckets = np.flatnonzero(random.random(2**ngrams.bits) < 0.7).astype(np.int32)
    weights = random.integers(-32767, 32768, (len(buckets), labels + 1)).astype(np.int16)
    weights[:, labels] = np.abs(weights[:, labels])  # squared idf
    scale = random.uniform(1e-5, 1e-4, labels + 1).astype(np.float32)
    bias = random.normal(size=labels).astype(np.float32)
    tensors = {"buckets": buckets, "weights": weights, "scale": scale, "bias": bias}
    model = Linear(normalizer=Normalizer(), ngrams=ngrams, inputs=(("text", "text"),), tensors=tensors)
    place = {int(bucket): i for i, bucket in enumerate(buckets)}
    for text, logits in zip(texts, model.forward(model.encode(pa.RecordBatch.from_pydict({"text": texts}))), strict=True):
        found = [place[n.bucket] for n in ngrams.reference(Normalizer().reference(text)) if n.bucket in place]
        sums = weights[found].astype(np.int64).sum(axis=0) * scale.astype(np.float64)
        wanted = bias + sums[:labels] / (np.sqrt(sums[labels]) or 1)
        assert np.abs(logits - wanted).max() < 1e-5


def test_sums_of_a_very_long_text_do_not_overflow() -> None:
    """The same n-gram with the largest weight, more often than 32 bits could add up."""
    ngrams = Ngrams(char_low=1, char_high=1, word_high=0, bits=8)
    for labels in (1, 5, 13):
        wide = np.full((256, labels + 1), 32767, np.int16)
        tensors = {
            "buckets": np.arange(256, dtype=np.int32),
            "weights": wide,
            "scale": np.ones(labels + 1, np.float32),
            "bias": np.zeros(labels, np.float32),
        }
        model = Linear(normalizer=Normalizer(repeats=0), ngrams=ngrams, inputs=(("text", "text"),), tensors=tensors)
        logits = model.forward(model.encode(pa.RecordBatch.from_pydict({"text": ["a" * 200_000]})))
        assert np.allclose(logits, np.sqrt(32767 * 200_002.0), rtol=1e-6)


def test_what_is_hashed() -> None:
    text = "no, no está"
    spans = [(n.start, n.end) for n in Ngrams(char_low=3, char_high=3, word_high=2).reference(text)]
    pieces = [f" {text} "[start + 1 : end + 1] for start, end in spans]
    assert pieces[:9] == [" no", "no,", "o, ", " no", "no ", " es", "est", "stá", "tá "]  # no space inside
    assert pieces[9:] == ["no", ",", "no,", "no", ", no", "está", "no está"]


def test_the_same_word_gets_the_same_bucket_wherever_it_stands() -> None:
    only_words = Ngrams(char_low=8, char_high=8, word_high=1)
    first, second = (ngram.bucket for ngram in only_words.reference("hola hola") if ngram.end - ngram.start == 4)
    assert first == second
