"""Variants from the shell: asked for by name, left to Cauce, resumed, examined."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cauce.model import gates
from cauce.model.gates import Gates

Done = subprocess.CompletedProcess[bytes]
Command = Callable[..., Done]

NOT_MEASURED = "note: the variant copy does not serve: not measured on this processor"

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def model(varied_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(varied_folder, tmp_path / "model"))


@pytest.fixture
def proven(model: Path, measured: Callable[..., Gates]) -> Path:
    gates.record(measured(model, copy={}))
    return model


def said(done: Done) -> str:
    assert done.returncode == 0, done.stderr.decode()
    return done.stderr.decode()


def variant_of(done: Done) -> str:
    said(done)
    answer: dict[str, Any] = json.loads(done.stdout)
    return str(answer["variant"])


def test_predict(model: Path, measured: Callable[..., Gates], cauce_command: Command) -> None:
    done = cauce_command("predict", model, "me encanta", "--json")
    assert NOT_MEASURED in said(done)
    assert variant_of(done) == "linear"
    assert variant_of(cauce_command("predict", model, "me encanta", "--json", "--variant", "copy")) == "copy"
    gates.record(measured(model, copy={}))
    done = cauce_command("predict", model, "me encanta", "--json")
    assert (variant_of(done), said(done)) == ("copy", "")


def test_a_damaged_variant_is_refused_by_name_and_told_otherwise(proven: Path, cauce_command: Command) -> None:
    (proven / "variants" / "copy" / "table.bin").write_bytes(bytes(256))
    done = cauce_command("predict", proven, "me encanta", "--variant", "copy")
    assert done.returncode == 3
    assert "variants/copy/table.bin does not match its size and hash" in done.stderr.decode()
    done = cauce_command("predict", proven, "me encanta", "--json")
    assert "note: the variant copy does not serve: damaged: variants/copy/table.bin" in said(done)
    assert variant_of(done) == "linear"


def test_no_such_variant(model: Path, cauce_command: Command) -> None:
    done = cauce_command("predict", model, "me encanta", "--variant", "int8")
    assert done.returncode == 2
    assert done.stderr.decode().strip().endswith("hint: it has: linear, copy")


def test_evaluate_and_compare(proven: Path, messages: Path, cauce_command: Command) -> None:
    done = cauce_command("evaluate", proven, messages, "--json", "--variant", "copy")
    said(done)
    assert json.loads(done.stdout)["model"]["variant"] == "copy"
    done = cauce_command("compare", proven, proven, messages, "--variant", "linear", "--variant", "copy")
    line = next(line for line in said(done).split("\n") if line.startswith("A "))
    assert line.split("  ")[:2] == [f"A {line.split()[1]} linear", f"B {line.split()[1]} copy"]
    done = cauce_command("compare", proven, proven, messages, *["--variant", "copy"] * 3)
    assert done.returncode == 2
    assert "--variant is given 3 times" in done.stderr.decode()


def test_a_batch_job_goes_on_with_its_variant_alone(
    proven: Path, messages: Path, tmp_path: Path, cauce_command: Command
) -> None:
    environment = {**os.environ, "CAUCE_FRAGMENT_BYTES": "9000", "CAUCE_FAULT": "record.renamed:2"}
    asked = ["batch", proven, messages, tmp_path / "out", "--to", "jsonl"]
    assert cauce_command(*asked, "--variant", "linear", env=environment).returncode < 0  # killed on the way
    del environment["CAUCE_FAULT"]
    done = cauce_command(*asked, env=environment)  # auto takes the other one
    assert done.returncode == 2
    assert "go on with --variant linear" in done.stderr.decode()
    said(cauce_command(*asked, "--variant", "linear", env=environment))
    lines = [line for part in (tmp_path / "out").glob("part-*") for line in part.read_text("utf-8").split("\n") if line]
    assert {json.loads(line)["variant"] for line in lines} == {"linear"}


def test_doctor_and_show_say_what_each_variant_proved(
    proven: Path, measured: Callable[..., Gates], home: Path, cauce_command: Command
) -> None:
    done = cauce_command("doctor", proven)
    said(done)
    rows = dict(line.split("\t")[:2] for line in done.stdout.decode().split("\n") if "\t" in line)
    assert rows["variant"] == "copy"
    assert rows["variant copy"] == "passed: 1.50 times better in latency, loses 0.10 points"
    assert rows["processor"]
    done = cauce_command("doctor", proven, "--variant", "linear", "--json")
    assert {"what": "variant", "state": "linear", "hint": "as asked for"} in json.loads(done.stdout)
    gates.publish(proven, measured(proven, copy={}, processor="arm-x"))
    said(cauce_command("models", "register", "m", proven))
    said(
        cauce_command("models", "promote", f"m@{json.loads((proven / 'cauce.json').read_bytes())['version']}", "--reason", "x")
    )
    shutil.rmtree(home / "gates")
    done = cauce_command("models", "show", "m")
    said(done)
    rows = dict(line.split("\t") for line in done.stdout.decode().split("\n") if "\t" in line)
    assert rows["variant copy"] == "not measured on this processor; it passed on arm-x"
    shown = json.loads(cauce_command("models", "show", "m", "--json").stdout)["variants"]
    assert [(one["name"], one["gate"], one["elsewhere"]) for one in shown] == [("copy", None, ["arm-x"])]


def test_registering_says_which_variant_is_left_behind(model: Path, cauce_command: Command) -> None:
    (model / "variants" / "copy" / "golden.jsonl").unlink()
    done = cauce_command("models", "register", "m", model)
    assert "note: the variant copy was left behind; it is damaged: variants/copy/golden.jsonl is missing" in said(done)
