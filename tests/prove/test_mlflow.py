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
texts = json.loads(sys.stdin.read())
frame = model.predict(pandas.DataFrame({"text": texts}))
rows = [(row.label, row.error, None if row.error else [float(score) for score in row.scores]) for row in frame.itertuples()]
print(json.dumps([dict(zip(("label", "error", "scores"), row)) for row in rows]))
"""


@pytest.mark.prove
def test_mlflow_answers_the_same(model_folder: Path, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=120)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", ROOT / "constraints.txt"]
    subprocess.run([*pip, ROOT, "mlflow"], check=True, timeout=900)
    golden = [
        json.loads(line)["row"]["text"] for line in (model_folder / "golden.jsonl").read_text("utf-8").split("\n") if line
    ]
    texts = [*golden, "", "me encanta", "it never arrived"]
    asked = subprocess.run(
        [python, "-c", ASK, model_folder], input=json.dumps(texts).encode(), capture_output=True, check=True, timeout=300
    )
    answers = json.loads(asked.stdout.decode().strip().split("\n")[-1])
    expected = cauce.load(model_folder).predict(texts)
    for answer, wanted, scores in zip(answers, expected, expected.scores, strict=True):
        assert (answer["label"], answer["error"]) == (wanted.label, wanted.error)
        assert wanted.error or np.abs(np.array(answer["scores"]) - scores).max() <= 1e-6
