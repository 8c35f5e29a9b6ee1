"""`cauce optimize`, as it is typed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[bytes]]
QUICK = "from cauce.optimization import measure; measure.REPEATS, measure.BATCHED_SECONDS = 1, 0.01; "
QUICK += "from cauce.cli.main import main; main()"


def env(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "CAUCE_HOME": str(tmp_path / "home"), "CAUCE_THREADS": "1"}


@pytest.fixture
def network(tiny_network: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_network, tmp_path / "model"))


def test_the_table_says_what_passed_and_why_others_did_not(network: Path, tiny_rows: dict[str, Path], tmp_path: Path) -> None:
    arguments = ["optimize", str(network), "--data", str(tiny_rows["dev"]), "--target", "size", "--max-loss", "5"]
    done = subprocess.run(
        [sys.executable, "-c", QUICK, *arguments], env=env(tmp_path), capture_output=True, timeout=100, check=False
    )
    said = done.stderr.decode()
    assert done.returncode == 0, said
    rows = {line.split("\t")[0]: line.split("\t") for line in done.stdout.decode().splitlines()}
    assert list(rows) == ["variant", "fp32", "int8", "bf16", "layers2"]
    assert len({len(row) for row in rows.values()}) == 1
    assert rows["int8"][-1] == "passed"
    assert rows["bf16"][-1] in ("kept out: 1.0 times smaller, asked 1.2", "this processor does not compute in bf16")
    assert "--train" in rows["layers2"][-1]
    assert "serves here: int8" in said
    assert "next: cauce" in said


def test_one_json_document(network: Path, tiny_rows: dict[str, Path], tmp_path: Path) -> None:
    arguments = ["optimize", str(network), "--data", str(tiny_rows["dev"]), "--only", "int8", "--json", "--target", "size"]
    done = subprocess.run(
        [sys.executable, "-c", QUICK, *arguments], env=env(tmp_path), capture_output=True, timeout=100, check=False
    )
    found = json.loads(done.stdout)
    assert set(found["variants"]) == {"fp32", "int8"}
    assert found["serves"] in found["variants"]
    assert found["variants"]["int8"]["figures"]["gain_size"] > 1.2


def test_ctrl_c_ends_with_130_and_leaves_nothing_half_made(network: Path, tiny_rows: dict[str, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cauce", "optimize", str(network), "--data", str(tiny_rows["dev"]), "--only", "int8"]
    options = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env=env(tmp_path), **options) as running:  # type: ignore[call-overload]
        while "int8: making it" not in (line := running.stderr.readline()):
            assert line, "it ended by itself"
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        said = running.stderr.read()
        assert running.wait(60) == 130, said
    assert "what was measured until then is kept" in said
    assert not (network / "variants").exists() or list((network / "variants").iterdir()) == []


def test_a_read_only_folder_is_refused(
    network: Path, tiny_rows: dict[str, Path], tmp_path: Path, unprivileged: list[str]
) -> None:
    network.chmod(0o555)
    command = [*unprivileged, sys.executable, "-m", "cauce", "optimize", str(network), "--data", str(tiny_rows["dev"])]
    done = subprocess.run(command, env=env(tmp_path), capture_output=True, timeout=60, check=False)
    network.chmod(0o755)
    assert done.returncode == 2
    assert b"read-only" in done.stderr
    assert b"cp -r" in done.stderr


def test_a_linear_model_has_nothing_to_optimize(model_folder: Path, messages: Path, cauce_command: Command) -> None:
    done = cauce_command("optimize", model_folder, "--data", messages)
    assert done.returncode == 2
    assert b"has no other variants" in done.stderr
    assert b"--recipe transformer" in done.stderr


def test_no_rows_names_the_line_to_type(network: Path, cauce_command: Command) -> None:
    done = cauce_command("optimize", network)
    assert done.returncode == 2
    assert f"cauce optimize {network} --data dev.csv".encode() in done.stderr
