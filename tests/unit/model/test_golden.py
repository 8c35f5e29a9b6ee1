"""The golden rows: what counts as the same answer on another machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import cauce
from cauce.errors import GoldenFailed
from cauce.model import golden


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
