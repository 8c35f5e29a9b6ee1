"""MLflow takes the folder as it is: `mlflow.pyfunc.load_model` answers what Cauce answers. In an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cauce

ROOT = Path(__file__).parents[2]
ASK = """
import json, sys, mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
frame = pandas.DataFrame(json.loads(sys.stdin.read()))
for name, kind in json.loads(sys.argv[2]).items():
    frame[name] = frame[name].astype("float64" if kind == "number" else "object")
rows = model.predict(frame).to_dict("records")
for row in rows:
    row["scores"] = None if row["error"] else [float(score) for score in row["scores"]]
    row["labels"] = list(row["labels"]) if row.get("labels") is not None else None
print(json.dumps([{name: row[name] for name in ("label", "labels", "error", "scores")} for row in rows]))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has MLflow, in an environment of its own."""
    place = tmp_path_factory.mktemp("mlflow") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, timeout=120)
    pip = [place / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", ROOT, "mlflow"], check=True, timeout=900)
    return place / "bin" / "python"


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["one text", "multilabel", "regression", "mixed", "table"])
def test_mlflow_answers_the_same(kind: str, task_folders: dict[str, Path], python: Path) -> None:
    folder = task_folders[kind]
    model = cauce.load(folder)
    golden = [json.loads(line)["row"] for line in (folder / "golden.jsonl").read_text("utf-8").split("\n") if line]
    types = {one.name: one.type for one in model.manifest.inputs}
    rows = [*golden, *({**golden[-1], name: ""} for name, of in types.items() if of in ("text", "category"))]
    asked = subprocess.run(
        [python, "-c", ASK, folder, json.dumps(types)],
        input=json.dumps(rows).encode(),
        capture_output=True,
        check=True,
        timeout=300,
    )
    answers = json.loads(asked.stdout.decode().strip().split("\n")[-1])
    expected = model.predict(rows)
    for answer, wanted, scores in zip(answers, expected, expected.scores, strict=True):
        assert (answer["label"], answer["error"]) == (wanted.label, wanted.error)
        assert answer["labels"] == (None if wanted.labels is None else list(wanted.labels))
        assert wanted.error or np.abs(np.array(answer["scores"]) - scores).max() <= 1e-6 * max(1, np.abs(scores).max())
