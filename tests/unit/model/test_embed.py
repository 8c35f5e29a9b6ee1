"""Vectors of rows: as Arrow, null where a row cannot be read, whatever the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import cauce
from cauce.errors import ColumnMissing, InputError

ROWS = ["me encanta", "", None, "\ud800", 7, "😍", "hola " * 90, "me encanta"]
NULLS = [False, True, True, True, True, False, False, False]


@pytest.fixture(params=["onnx", "openvino", "vectors"])
def model(request: pytest.FixtureRequest, encoder_folders: dict[str, Path]) -> cauce.Model:
    return cauce.load(encoder_folders[request.param])


def test_a_text_has_a_vector_and_a_wrong_row_none(model: cauce.Model) -> None:
    vectors = model.embed(ROWS)
    assert vectors.type == pa.list_(pa.float32(), 32)
    assert vectors.is_null().to_pylist() == NULLS
    assert vectors[0].as_py() == vectors[7].as_py() != vectors[5].as_py()
    assert np.allclose(vectors[0].as_py(), model.embed("me encanta")[0].as_py(), atol=1e-6)


def test_each_token_has_a_vector_and_their_mean_is_the_texts(model: cauce.Model) -> None:
    tokens, pooled = model.embed(ROWS, tokens=True), model.embed(ROWS)
    assert tokens.type == pa.list_(pa.list_(pa.float32(), 32))
    assert tokens.is_null().to_pylist() == NULLS
    for one, mean in zip(tokens.to_pylist(), pooled.to_pylist(), strict=True):
        assert one is None or np.allclose(np.mean(one, axis=0), mean, atol=1e-5)
    assert len(tokens[6].as_py()) == model.manifest.limits.max_tokens


@pytest.mark.parametrize("tokens", [False, True])
def test_no_rows_and_only_wrong_ones_have_the_same_type(model: cauce.Model, tokens: bool) -> None:
    kind = model.embed(ROWS, tokens=tokens).type
    assert model.embed([], tokens=tokens).type == kind
    assert model.embed(["", None], tokens=tokens).type == kind
    assert model.embed(["", None], tokens=tokens).null_count == 2


def test_a_table_is_read_and_one_without_the_column_refused(model: cauce.Model) -> None:
    table = pa.table({"n": [1, 2], "text": pa.chunked_array([["hola"], ["no"]])})
    assert model.embed(table).to_pylist() == model.embed(["hola", "no"]).to_pylist()
    with pytest.raises(ColumnMissing):
        model.embed(table.drop_columns("text"))


def test_a_model_without_vectors_says_so(model_folder: Path) -> None:
    with pytest.raises(InputError, match="linear has no vectors"):
        cauce.load(model_folder).embed("hola")
