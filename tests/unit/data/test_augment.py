"""Augmentation of a data set: which rows are added, that the seed decides, and how it is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from cauce.data.augment import KINDS, Augment, augment
from cauce.data.dataset import Dataset
from cauce.errors import CauceError, FileMissing, InputError, UnknownName
from cauce.model.manifest import Input

TEXTS = ["La atención fue pésima", "todo bien", "@ana https://x.es", "¡Qué día tan bonito!"]
ALL_SIMPLE = Augment.parse("swap,delete:2,insert,typos,accents")


def data(texts: list[str] = TEXTS) -> Dataset:
    rows = pa.RecordBatch.from_pydict({"title": texts, "topic": [f"topic {i}" for i in range(len(texts))]})
    inputs = (Input(name="title", type="text"), Input(name="topic", type="category"))
    labels = pa.array([f"label {i}" for i in range(len(texts))])
    return Dataset(rows, inputs, labels, "here", ids=pa.array([str(i) for i in range(len(texts))]), notes=("read",))


def run(kinds: Augment, seed: int = 0) -> Dataset:
    return augment(data(), kinds, seed, lambda share, what: None)


def test_copies_stand_behind_the_rows_with_all_that_belongs_to_them() -> None:
    out = run(Augment.parse("accents"))
    assert out.rows.column("title").to_pylist() == [*TEXTS, "La atencion fue pesima", "¡Que dia tan bonito!"]
    assert out.rows.column("topic").to_pylist()[4:] == ["topic 0", "topic 3"]  # only texts are altered
    assert out.labels.to_pylist()[4:] == ["label 0", "label 3"]
    assert out.ids is not None
    assert out.ids.to_pylist()[4:] == ["0", "3"]
    assert out.rows.schema == data().rows.schema
    assert out.notes == ("read", "augmented: 2 altered copies beside 4 rows (accents 2)")


def test_the_seed_decides_and_a_row_does_not_depend_on_the_others() -> None:
    first = run(ALL_SIMPLE)
    assert first.rows == run(ALL_SIMPLE).rows
    assert first.rows != run(ALL_SIMPLE, seed=1).rows
    shorter = augment(data(TEXTS[:2]), Augment.parse("typos"), 0, lambda share, what: None).rows.column("title").to_pylist()
    assert shorter[2:] == run(Augment.parse("typos")).rows.column("title").to_pylist()[4:6]


def test_every_copy_differs_from_its_row() -> None:
    out = run(ALL_SIMPLE)
    source = dict(zip(data().labels.to_pylist(), TEXTS, strict=True))
    added = list(zip(out.labels.to_pylist(), out.rows.column("title").to_pylist(), strict=True))[4:]
    assert added
    assert all(source[label] != text for label, text in added)


def test_data_without_a_text_cannot_be_augmented() -> None:
    table = data()
    numbers = Dataset(table.rows.select(["topic"]), table.inputs[1:], table.labels, "here")
    with pytest.raises(InputError, match="no text to augment"):
        augment(numbers, ALL_SIMPLE, 0, lambda share, what: None)


def test_the_form_of_the_command_line(tmp_path: Path) -> None:
    assert Augment.parse("accents,typos:2") == Augment(copies={"accents": 1, "typos": 2})
    path = tmp_path / "words:1.tsv"
    assert Augment.parse(f" swap , synonyms={path}:3,share=0.25") == Augment(
        copies={"swap": 1, "synonyms": 3}, share=0.25, synonyms=path
    )
    assert Augment.parse("mlm=bert/").encoder == Path("bert")


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("tipos", UnknownName, 'no kind of augmentation "tipos"'),
        ("", UnknownName, 'no kind of augmentation ""'),
        ("typos:x", UnknownName, 'no kind of augmentation "typos:x"'),
        ("nothing=1", UnknownName, 'no kind of augmentation "nothing"'),
        ("typos:0", InputError, "0 copies"),
        ("typos,typos", InputError, "named twice"),
        ("typos=3", InputError, "takes no value"),
        ("synonyms", InputError, "synonyms needs a file of synonyms"),
        ("mlm:2", InputError, "mlm needs the folder"),
        ("typos,share=2", InputError, "the share is 2"),
        ("typos,share=nan", InputError, "the share is nan"),
        ("typos,share=", InputError, 'the share is ""'),
        ("share=0.1", InputError, "no kind of augmentation is named"),
    ],
)
def test_what_is_asked_for_wrongly_is_said(text: str, kind: type[CauceError], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        Augment.parse(text)
    assert caught.value.hint


def test_a_near_name_is_offered() -> None:
    with pytest.raises(UnknownName) as caught:
        Augment.parse("acents")
    assert caught.value.hint == 'did you mean "accents"?'
    assert "share" not in KINDS


def test_what_decides_the_copies_is_json_and_files_count_by_what_they_hold(tmp_path: Path) -> None:
    for name, content in (("a.tsv", "uno\tdos"), ("b.tsv", "uno\tdos"), ("c.tsv", "uno\ttres")):
        (tmp_path / name).write_text(content)
    kinds = {name: Augment.parse(f"synonyms={tmp_path / name},typos:2").as_dict() for name in ("a.tsv", "b.tsv", "c.tsv")}
    assert kinds["a.tsv"] == kinds["b.tsv"] != kinds["c.tsv"]
    assert json.loads(json.dumps(kinds["a.tsv"])) == kinds["a.tsv"]
    assert kinds["a.tsv"]["copies"] == {"synonyms": 1, "typos": 2}


def test_a_missing_file_of_synonyms_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        run(Augment.parse(f"synonyms={tmp_path / 'none.tsv'}"))
