"""Variants under kill -9, at every named step and at random moments: a folder that exists is whole."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import cauce
from cauce.model import folder, variants
from cauce.model.gates import Gates

SOURCE = Path(__file__).parents[2] / "src" / "cauce" / "model"
STEPS = sorted({part.split('")')[0] for path in SOURCE.glob("*.py") for part in path.read_text("utf-8").split('fault("')[1:]})
RANDOM_KILLS = 40

# Adds, replaces, publishes and removes a variant, again and again.
WORK = """
import sys
from pathlib import Path
from cauce.model import gates, variants
from cauce.model.variant import Variant
model, source, measurement, turns = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
found = gates.Gates.model_validate_json(measurement)
made = Variant(name="copy", version=found.version, runtime="linear", batching="free", precision="fp32")
print("ready", flush=True)
for turn in range(turns):
    variants.add(model, made, source, replace=True)
    (source / "table.bin").write_bytes(bytes([turn % 250]) * 10_000)
    variants.add(model, made, source, replace=True)
    gates.publish(model, found.model_copy(update={"max_loss": float(turn)}))
    gates.record(found.model_copy(update={"max_loss": float(turn)}))
    variants.remove(model, "copy")
"""

pytestmark = [pytest.mark.prove, pytest.mark.usefixtures("home")]


@pytest.fixture
def model(varied_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(varied_folder, tmp_path / "model"))


@pytest.fixture
def command(model: Path, measured: Callable[..., Gates], tmp_path: Path) -> list[str]:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "table.bin").write_bytes(b"numbers")
    return [sys.executable, "-c", WORK, str(model), str(tmp_path / "source"), measured(model, copy={}).model_dump_json()]


def whole(model: Path, version: str) -> None:
    """The model answers, and so does its variant where it is there."""
    assert folder.read(model).version == version
    for name in variants.names(model):
        assert cauce.load(model, name).variant == name
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        cauce.load(model)
    assert not [one for one in said if "damaged" in str(one.message) or "left out" in str(one.message)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_every_step(step: str, model: Path, command: list[str]) -> None:
    version = folder.read(model).version
    done = subprocess.run(
        [*command, "2"], env={**os.environ, "CAUCE_FAULT": f"{step}:2"}, capture_output=True, timeout=110, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    whole(model, version)
    assert subprocess.run([*command, "2"], capture_output=True, timeout=110, check=False).returncode == 0
    whole(model, version)


@pytest.mark.timeout(900)
def test_kills_at_random_moments(model: Path, command: list[str]) -> None:
    version, dice = folder.read(model).version, random.Random(9)
    for _ in range(RANDOM_KILLS):
        process = subprocess.Popen([*command, "10000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(dice.random() * 0.5)
        process.kill()
        assert process.communicate(timeout=30)[1] == b""
        whole(model, version)
