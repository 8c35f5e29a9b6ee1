"""The golden rows: what counts as the same answer on another machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cauce
from cauce.errors import GoldenFailed
from cauce.model import folder, golden
from cauce.model.model import open_variant
from cauce.model.variant import Variant


@pytest.mark.parametrize(("share", "fails"), [(1e-7, False), (1e-4, True)])
def test_a_large_number_may_differ_by_its_last_digit_only(
    share: float, fails: bool, task_folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(task_folders["regression"], tmp_path / "model"))
    model = cauce.load(folder)
    lines = [json.loads(line) for line in (folder / "golden.jsonl").read_text("utf-8").split("\n") if line]
    assert max(abs(score) for line in lines for score in line.get("scores", [0])) > 10
    moved = [{**line, "scores": [score * (1 + share) for score in line["scores"]]} for line in lines if "scores" in line]
    path = tmp_path / "golden.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in moved))
    if fails:
        with pytest.raises(GoldenFailed, match="golden row 1 differs"):
            golden.test(model, path)
    else:
        golden.test(model, path)


def lines_of(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / "golden.jsonl").read_text("utf-8").split("\n") if line]


def of_precision(place: Path, precision: str) -> cauce.Model:
    """The model as if its numbers were of this precision: what its golden rows may differ by is another."""
    manifest = folder.read(place)
    made = {"name": "other", "version": manifest.version, "runtime": "linear", "batching": "free", "precision": precision}
    return open_variant(place, manifest, Variant.model_validate(made))


def differs(model: cauce.Model, line: dict[str, Any], scores: list[float], tmp_path: Path) -> bool:
    """True where golden rows that want these scores are refused."""
    path = tmp_path / "golden.jsonl"
    path.write_text(json.dumps({**line, "scores": scores}) + "\n")
    try:
        golden.test(model, path)
    except GoldenFailed:
        return True
    return False


@pytest.mark.parametrize(
    ("precision", "off", "fails"), [("fp32", 5e-5, False), ("fp32", 2e-4, True), ("bf16", 0.015, False), ("bf16", 0.03, True)]
)
def test_the_precision_says_how_far_a_score_may_be_off(
    precision: str, off: float, fails: bool, model_folder: Path, tmp_path: Path
) -> None:
    line = lines_of(model_folder)[0]
    assert (
        differs(of_precision(model_folder, precision), line, [line["scores"][0] + off, *line["scores"][1:]], tmp_path) == fails
    )


def test_int8_may_give_another_label_only_where_it_was_not_sure(model_folder: Path, tmp_path: Path) -> None:
    model = of_precision(model_folder, "int8")
    line = next(line for line in lines_of(model_folder) if "scores" in line)
    best = int(np.argmax(line["scores"]))
    for margin, fails in ((0.15, False), (0.25, True)):
        was = [(1 - margin) / 3] * 3
        was[(best + 1) % 3] += margin
        assert differs(model, line, was, tmp_path) == fails
    sure_of_the_same = [0.0] * 3
    sure_of_the_same[best] = 1.0
    assert not differs(model, line, sure_of_the_same, tmp_path)


def test_int8_of_several_labels_may_decide_otherwise_only_near_the_threshold(
    task_folders: dict[str, Path], tmp_path: Path
) -> None:
    model = of_precision(task_folders["multilabel"], "int8")
    line = next(line for line in lines_of(task_folders["multilabel"]) if "scores" in line)
    limits = model.manifest.calibration.thresholds
    given = np.array(line["scores"]) >= limits
    near = [limit + (-0.1 if yes else 0.1) for limit, yes in zip(limits, given, strict=True)]
    assert not differs(model, line, near, tmp_path)
    assert differs(model, line, [limits[0] + (-0.3 if given[0] else 0.3), *near[1:]], tmp_path)


def test_int8_of_a_number_may_be_off_by_a_fifth(task_folders: dict[str, Path], tmp_path: Path) -> None:
    model = of_precision(task_folders["regression"], "int8")
    line = next(line for line in lines_of(task_folders["regression"]) if "scores" in line)
    assert not differs(model, line, [line["scores"][0] * 1.1], tmp_path)
    assert differs(model, line, [line["scores"][0] * 1.5], tmp_path)


def test_an_error_is_an_answer_too(model_folder: Path, tmp_path: Path) -> None:
    for precision in ("fp32", "int8"):
        model = of_precision(model_folder, precision)
        path = tmp_path / "golden.jsonl"
        for line, fails in (
            ({"row": {"text": ""}, "error": "empty_text"}, False),
            ({"row": {"text": ""}, "scores": [1.0, 0.0, 0.0]}, True),
            ({"row": {"text": "hola"}, "error": "empty_text"}, True),
        ):
            path.write_text(json.dumps(line) + "\n")
            if fails:
                with pytest.raises(GoldenFailed, match="empty_text"):
                    golden.test(model, path)
            else:
                golden.test(model, path)
