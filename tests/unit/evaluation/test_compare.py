"""Two models on the same rows: what is refused, what is said, and that the figures are those of each model alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

import cauce
from cauce.errors import InputError, NotComparable, UnknownLabel, UnknownName

Rows = list[dict[str, str]]
Command = Callable[..., "CompletedProcess[bytes]"]


@pytest.fixture(scope="module")
def rows(messages: Path) -> Rows:
    with messages.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written(path: Path, rows: Rows, names: tuple[str, ...] = ("text", "label")) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, rows: Rows) -> Path:
    """Models of many rows, of few, of two labels, of other labels, of numbers, of several labels, of another column name."""
    room = tmp_path_factory.mktemp("compare")
    two = [row for row in rows if row["label"] != "neutral"]
    cauce.train(written(room / "much.csv", rows[:500]), out=room / "much")
    cauce.train(written(room / "little.csv", rows[:40]), out=room / "little")
    cauce.train(written(room / "two.csv", two[:300]), out=room / "two")
    other = [{**row, "label": row["topic"]} for row in rows[:300]]
    cauce.train(written(room / "other.csv", other), out=room / "other")
    numbers = [{**row, "label": str(len(row["text"]) + i / 7)} for i, row in enumerate(rows[:300])]
    cauce.train(written(room / "numbers.csv", numbers), out=room / "numbers")
    cauce.train(written(room / "more_numbers.csv", numbers[:60]), out=room / "few_numbers")
    several = [{**row, "label": f"{row['label']};{row['topic']}"} for row in rows]
    cauce.train(written(room / "several.csv", several[:500]), out=room / "several", columns=sets())
    cauce.train(written(room / "sets.csv", several[:80]), out=room / "few_several", columns=sets())
    written(room / "test_sets.csv", several[500:])
    written(room / "test_numbers.csv", numbers[200:])
    renamed = [{**row, "mensaje": row["text"]} for row in rows[:300]]
    cauce.train(written(room / "renamed.csv", renamed, ("mensaje", "label")), out=room / "renamed")
    written(room / "test.csv", rows[500:])
    return room


def sets() -> cauce.data.columns.Columns:  # type: ignore[name-defined]
    from cauce.data.columns import Columns

    return Columns(label_delimiter=";")


def test_both_figures_are_those_of_each_model_alone(room: Path) -> None:
    found = cauce.compare(room / "little", room / "much", room / "test.csv")
    for name, side in (("little", found.a), ("much", found.b)):
        alone = cauce.evaluate(room / name, room / "test.csv")
        assert side.metrics == alone.metrics
    for name, one in found.differences.items():
        assert one.difference.value == pytest.approx(found.b.metrics[name].value - found.a.metrics[name].value)
    assert found.better == "b"
    assert found.verdict.startswith("B is better by ")
    table = found.mcnemar
    assert table is not None
    assert table.both + table.only_a + table.only_b + table.neither == found.a.rows
    assert (table.both + table.only_b) / found.a.rows == pytest.approx(found.b.metrics["accuracy"].value)
    back = cauce.compare(room / "much", room / "little", room / "test.csv")
    assert back.verdict == found.verdict.replace("B is", "A is")


def test_rows_where_the_two_disagree_are_shown_the_most_confident_first(room: Path, rows: Rows) -> None:
    found = cauce.compare(room / "little", room / "much", room / "test.csv")
    assert 0 < len(found.disagreements) <= 20
    apart = [row.apart for row in found.disagreements]
    assert apart == sorted(apart, reverse=True)
    a, b = (cauce.load(room / name) for name in ("little", "much"))
    for row in found.disagreements:
        source = rows[500 + row.line - 2]
        assert (row.text, row.truth) == (source["text"], source["label"])
        assert (row.a, row.b) == (a.predict([row.text])[0].label, b.predict([row.text])[0].label)
        assert row.a != row.b


def test_a_model_and_itself_answer_alike(room: Path) -> None:
    found = cauce.compare(room / "much", room / "much", room / "test.csv", margin=0.5)
    assert found.disagreements == []
    assert "answer every row alike" in found.verdict
    assert "B is not worse than A by more than 0.5 points" in found.verdict


@pytest.mark.parametrize(("metric", "unit"), [("accuracy", "points (accuracy)"), ("log_loss", "(log loss)")])
def test_the_verdict_is_about_the_metric_that_was_asked_for(metric: str, unit: str, room: Path) -> None:
    found = cauce.compare(room / "little", room / "much", room / "test.csv", metric=metric)
    assert found.verdict.startswith("B is better by")
    assert found.verdict.endswith(unit)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [("much", "other", "different labels"), ("much", "numbers", "regression"), ("several", "much", "multilabel")],
)
def test_models_of_other_labels_or_tasks_are_refused(a: str, b: str, message: str, room: Path) -> None:
    with pytest.raises(NotComparable, match=message):
        cauce.compare(room / a, room / b, room / "test.csv")


def test_a_model_that_knows_fewer_labels_is_wrong_on_the_others_and_it_is_said(room: Path) -> None:
    for a, b, side in (("two", "much", "A"), ("much", "two", "B")):
        found = cauce.compare(room / a, room / b, room / "test.csv")
        assert f'{side} does not know "neutral"' in " ".join(found.notes)
        poor = found.a if side == "A" else found.b
        assert poor.per_class["neutral"]["recall"].value == 0
        assert np.isfinite(poor.metrics["log_loss"].value)
        assert found.better == ("b" if side == "A" else "a")


def test_a_label_that_neither_knows_is_told_with_its_line(room: Path, rows: Rows, tmp_path: Path) -> None:
    strange = written(tmp_path / "strange.csv", [*rows[500:510], {**rows[510], "label": "ironic"}])
    with pytest.raises(UnknownLabel, match='"ironic"'):
        cauce.compare(room / "much", room / "little", strange)


def test_a_test_set_without_a_label_says_so(room: Path, rows: Rows, tmp_path: Path) -> None:
    some = written(tmp_path / "some.csv", [row for row in rows[500:] if row["label"] != "neutral"])
    found = cauce.compare(room / "much", room / "little", some)
    assert 'no row has the label "neutral": nothing is said about it' in found.notes


def test_five_rows_say_how_little_they_show(room: Path, rows: Rows, tmp_path: Path) -> None:
    found = cauce.compare(room / "little", room / "much", written(tmp_path / "five.csv", rows[500:505]))
    assert found.better is None
    assert "5 row(s) show little" in " ".join(found.notes)
    assert "no difference could be shown" in found.verdict


def test_rows_that_a_model_cannot_answer_count_as_wrong(room: Path, rows: Rows, tmp_path: Path) -> None:
    blank = written(tmp_path / "blank.csv", [*rows[500:600], {"text": "   ", "label": "positive"}])
    found = cauce.compare(room / "little", room / "much", blank)
    kept = found.a.rows == 101  # the reader may leave the row out, and then says so
    assert kept == any("could not answer 1 row(s)" in note for note in found.notes)


def test_two_models_of_one_text_by_different_names_read_the_same_column(room: Path) -> None:
    found = cauce.compare(room / "much", room / "renamed", room / "test.csv")
    assert found.a.rows == found.b.rows == 260
    assert found.b.metrics["accuracy"].value > 0.5


def test_numbers_are_compared_too(room: Path) -> None:
    found = cauce.compare(room / "few_numbers", room / "numbers", room / "test_numbers.csv", metric="rmse")
    assert found.mcnemar is None
    assert found.better == "b"
    assert found.verdict.endswith("(RMSE)")
    assert isinstance(found.disagreements[0].truth, float)
    json.dumps(found.as_dict())


def test_sets_of_labels_are_compared_too(room: Path) -> None:
    from cauce.api import compare

    found = compare(room / "few_several", room / "several", room / "test_sets.csv", label_delimiter=";")
    assert found.better == "b"
    assert found.mcnemar is not None
    assert isinstance(found.disagreements[0].a, list)


def test_an_unknown_metric_and_a_margin_of_nothing_are_refused(room: Path) -> None:
    with pytest.raises(UnknownName, match="macro_f2") as wrong:
        cauce.compare(room / "much", room / "little", room / "test.csv", metric="macro_f2")
    assert "macro_f1" in wrong.value.hint
    with pytest.raises(InputError, match="margin"):
        cauce.compare(room / "much", room / "little", room / "test.csv", margin=0)


def test_the_command_says_what_the_function_says(room: Path, cauce_command: Command) -> None:
    done = cauce_command("compare", room / "little", room / "much", room / "test.csv", "--json", "--margin", "0.5")
    said = json.loads(done.stdout)
    found = cauce.compare(room / "little", room / "much", room / "test.csv", margin=0.5)
    assert done.returncode == 0
    assert said == json.loads(json.dumps(found.as_dict()))
    shown = cauce_command("compare", room / "little", room / "much", room / "test.csv")
    assert found.verdict in shown.stderr.decode()
    assert "McNemar" in shown.stderr.decode()
    assert len(shown.stdout.decode().splitlines()) == 1 + 8 + 1 + 20
    refused = cauce_command("compare", room / "other", room / "much", room / "test.csv")
    assert refused.returncode == 2
    assert "different labels" in refused.stderr.decode()
