"""The registry under kill -9, at every named step and at random moments; and its mirror in a real MLflow."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cauce
from cauce.model import variants
from cauce.model.sealed import render
from cauce.model.variant import Variant
from cauce.registry.names import Reference
from cauce.registry.registry import Registry

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "cauce" / "registry"
STEPS = sorted({part.split('")')[0] for path in SOURCE.glob("*.py") for part in path.read_text("utf-8").split('fault("')[1:]})
RANDOM_KILLS = 60

# Promotes one of two versions after the other, and says each move that was made.
PROMOTE = """
import sys
from pathlib import Path
from cauce.registry.registry import Registry
registry = Registry(Path(sys.argv[1]))
first, second = (version.version for version in registry.versions("m"))
for _ in range(10_000):
    now = registry.pointer("m")
    to = second if now is None or now.version == first else first
    print(registry.promote(f"m@{to}", reason="x").generation, flush=True)
"""
REGISTER = """
import sys
from pathlib import Path
from cauce.registry.registry import Registry
print("ready", flush=True)
Registry(Path(sys.argv[1])).register("m", Path(sys.argv[2]))
"""
MIRROR = """
import json, sys, mlflow, pandas
from mlflow.tracking import MlflowClient
url, text = sys.argv[1:]
client = MlflowClient(tracking_uri=url, registry_uri=url)
mlflow.set_tracking_uri(url)
mlflow.set_registry_uri(url)
found = {one.tags["cauce.version"]: one for one in client.search_model_versions("name = 'm'")}
aliases = {alias: client.get_model_version("m", number).tags["cauce.version"]
           for alias, number in client.get_registered_model("m").aliases.items()}
frame = pandas.DataFrame({"text": [text]})
answer = mlflow.pyfunc.load_model("models:/m@champion").predict(frame)
varied = mlflow.pyfunc.load_model("models:/m@champion", model_config={"variant": "copy"}).predict(frame)
quarantined = {version: one.tags["cauce.quarantine"] for version, one in found.items()}
print(json.dumps({"versions": quarantined, "aliases": aliases, "label": answer.label[0],
                  "variants": [answer.variant[0], varied.variant[0]]}))
"""

pytestmark = pytest.mark.prove


@pytest.fixture
def folders(model_folder: Path, tmp_path: Path) -> list[Path]:
    made = []
    for name in "abc":
        place = Path(shutil.copytree(model_folder, tmp_path / name))
        fields = json.loads((place / "cauce.json").read_text("utf-8"))
        (place / "cauce.json").write_bytes(render({**fields, "name": name}))
        made.append(place)
    return made


@pytest.fixture
def registry(folders: list[Path], tmp_path: Path) -> Registry:
    """Two versions; the second one serves."""
    made = Registry(tmp_path / "home")
    for place in folders[:2]:
        version, _ = made.register("m", place)
        made.promote(Reference("m", version.version), reason="x")
    return made


def whole(registry: Registry) -> None:
    """Every version that is listed loads, and every history has each generation once."""
    for version in registry.versions("m"):
        if not version.pruned:
            assert cauce.load(version.folder).version == version.version
    for path in registry.folders.iterdir():
        assert path.name.startswith(".") or cauce.load(path).version == path.name
    history = registry.history("m")
    assert [move.generation for move in history] == [*range(1, len(history) + 1)]
    assert registry.pointer("m") == history[-1]


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_every_step(step: str, registry: Registry, folders: list[Path]) -> None:
    first = registry.versions("m")[0].version
    commands = {
        "register": ["register", "m", str(folders[2])],
        "promote": ["promote", f"m@{first}", "--reason", "x"],
        "rollback": ["rollback", "m"],
        "quarantine": ["quarantine", "m", "--reason", "x", "--rollback"],
        "prune": ["prune", "--keep", "0", "--days", "0", "--yes"],
    }
    reached = 0
    for name, command in commands.items():
        home = registry.room.parent
        copy = Registry(home.with_name(f"home-{name}"))
        shutil.copytree(home, copy.room.parent)
        if name == "prune":
            copy.register("m", folders[2])
        before = copy.history("m")

        def run(home: Path = copy.room.parent, command: list[str] = command, **fault: str) -> int:
            environment = {**os.environ, "CAUCE_HOME": str(home), **fault}
            full = [sys.executable, "-m", "cauce", "models", *command]
            return subprocess.run(full, env=environment, capture_output=True, timeout=120, check=False).returncode

        code = run(CAUCE_FAULT=step)
        assert code in (0, -signal.SIGKILL), (name, code)
        reached += code != 0
        whole(copy)
        assert copy.history("m")[: len(before)] == before
        if code and name in ("register", "promote", "prune"):
            assert run() == 0
            whole(copy)
            assert not [path for path in copy.folders.iterdir() if path.name.startswith(".gone")]
            if name == "promote":
                assert copy.find("m").version == first
            if name == "register":
                assert len(copy.versions("m")) == 3
    assert reached, f"no command reaches {step}"


def test_kills_at_random_moments_of_promoting(registry: Registry) -> None:
    generation = 2
    dice = random.Random(7)
    for _ in range(RANDOM_KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", PROMOTE, registry.room.parent], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(dice.random() * 0.05)
        process.kill()
        said = process.communicate(timeout=30)[0].split()
        history = registry.history("m")
        assert [move.generation for move in history] == [*range(1, len(history) + 1)]
        assert len(history) >= (int(said[-1]) if said else generation + 1)  # what was said is not lost
        assert len(history) > generation
        generation = len(history)
    whole(registry)


def test_kills_at_random_moments_of_registering(registry: Registry, folders: list[Path]) -> None:
    dice = random.Random(8)
    for _ in range(RANDOM_KILLS // 3):
        process = subprocess.Popen([sys.executable, "-c", REGISTER, registry.room.parent, folders[2]], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(dice.random() * 0.3)
        process.kill()
        process.communicate(timeout=30)
        whole(registry)
    registry.register("m", folders[2])
    assert len(registry.versions("m")) == 3
    whole(registry)


def test_many_processes_promote_and_no_move_is_lost(registry: Registry) -> None:
    command = [sys.executable, "-m", "cauce", "models", "promote", "m@champion", "--reason", "x"]
    first, second = (version.version for version in registry.versions("m"))
    environment = {**os.environ, "CAUCE_HOME": str(registry.room.parent)}
    for turn in range(10):
        to = (first, second)[turn % 2]
        command[5:6] = [f"m@{to}"]
        expect = len(registry.history("m"))
        started = [
            subprocess.Popen([*command, "--expect", str(expect)], env=environment, stderr=subprocess.DEVNULL) for _ in range(6)
        ]
        codes = sorted(process.wait(timeout=60) for process in started)
        assert codes == [0, 4, 4, 4, 4, 4]
    assert len(registry.history("m")) == 12


def test_mlflow_gets_a_copy(registry: Registry, folders: list[Path], tmp_path: Path) -> None:
    bin_ = tmp_path / "venv" / "bin"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=120)
    pip = [bin_ / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", ROOT, "mlflow"], check=True, timeout=900)
    first, second = (version.version for version in registry.versions("m"))
    made = Variant(name="copy", version=first, runtime="linear", batching="free", precision="fp32")
    (tmp_path / "files").mkdir()
    variants.add(registry.folders / first, made, tmp_path / "files")
    url = f"sqlite:///{tmp_path / 'mlflow.db'}"
    environment = {**os.environ, "CAUCE_HOME": str(registry.room.parent)}
    environment.pop("PYTHONPATH", None)

    def mirror() -> list[dict[str, str]]:
        command = [bin_ / "cauce", "models", "mirror", "--mlflow", url, "--json"]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr.decode()
        copied: list[dict[str, str]] = json.loads(done.stdout.decode().strip().split("\n")[-1])
        return copied

    assert [one["version"] for one in mirror()] == [first, second]
    assert mirror() == []
    registry.promote(f"m@{first}", alias="old", reason="x")
    registry.quarantine("m", reason="bad", rollback=True)
    mirror()
    text = "me encanta"
    asked = subprocess.run(
        [bin_ / "python", "-c", MIRROR, url, text], env=environment, cwd=tmp_path, capture_output=True, timeout=300, check=False
    )
    assert asked.returncode == 0, asked.stderr.decode()
    found = json.loads(asked.stdout.decode().strip().split("\n")[-1])
    assert found["versions"] == {first: "", second: "bad"}
    assert found["aliases"] == {"champion": first, "old": first}
    assert found["variants"] == ["linear", "copy"]
    assert found["label"] == cauce.load(folders[0]).predict([text])[0].label
