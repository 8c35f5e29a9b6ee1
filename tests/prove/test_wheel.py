"""The wheel that ships: installed bare, it trains and predicts, and its optional parts name their pip line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", str(ROOT / "constraints.txt")]

pytestmark = pytest.mark.prove


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but the wheel."""
    room = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(room)]
    subprocess.run(build, cwd=ROOT, check=True, timeout=120)
    subprocess.run([sys.executable, "-m", "venv", str(room / "venv")], check=True, timeout=120)
    subprocess.run([str(room / "venv/bin/python"), *PIP, str(next(room.glob("*.whl")))], check=True, timeout=600)
    return room / "venv" / "bin"


def test_the_bare_install_has_no_training_framework(bare: Path) -> None:
    listed = subprocess.run([bare / "pip", "list", "--format=json"], capture_output=True, check=True, timeout=60).stdout
    names = {package["name"].lower() for package in json.loads(listed)}
    assert not names & {"torch", "scikit-learn", "scipy", "pandas", "transformers", "onnxruntime"}


def test_the_bare_install_runs_the_main_job(bare: Path, messages: Path, tmp_path: Path) -> None:
    train = [bare / "cauce", "train", messages, "--out", tmp_path / "model", "--json"]
    trained = json.loads(subprocess.run(train, capture_output=True, check=True, timeout=120).stdout)
    assert trained["metrics"]["macro_f1"]["value"] > 0.5
    predict = [bare / "cauce", "predict", tmp_path / "model", "me encanta", "--json", "--explain"]
    answer = json.loads(subprocess.run(predict, capture_output=True, check=True, timeout=60).stdout)
    assert (answer["label"], answer["model_version"]) == ("positive", trained["version"])
    doctor = json.loads(
        subprocess.run([bare / "cauce", "doctor", "--json"], capture_output=True, check=True, timeout=60).stdout
    )
    hints = {finding["what"]: finding["hint"] for finding in doctor}
    assert hints["extra serve"] == 'pip install "cauce[serve]"'
