"""What differs between two models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from cauce.model import folder
from cauce.registry.diff import Difference, diff, metrics


def test_a_model_does_not_differ_from_itself(model_folder: Path) -> None:
    assert diff(model_folder, model_folder) == []


def test_fields_and_figures_are_named(make: Callable[[str], Path]) -> None:
    first, second = make("a"), make("b")
    measured = json.loads((second / "evidence/metrics.json").read_text("utf-8"))
    measured["metrics"]["macro_f1"]["value"] = 0.25
    del measured["metrics"]["ece"]
    (second / "evidence/metrics.json").write_text(json.dumps(measured))
    folder.write_evidence_hashes(second)
    found = {one.field: one for one in diff(first, second)}
    assert found["name"] == Difference("name", "a", "b")
    assert found["metrics.macro_f1.value"].b == 0.25
    assert found["metrics.ece.value"].b is None
    assert set(found) == {
        "version",
        "name",
        "metrics.macro_f1.value",
        *(f"metrics.ece.{part}" for part in ("value", "low", "high")),
    }


def test_a_model_without_evidence_has_no_figures(tmp_path: Path) -> None:
    assert metrics(tmp_path) == {}
