"""What variants proved: on which processor, kept where, and that a damaged record is said and costs nothing but itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cauce
from cauce import errors
from cauce.model import choice, folder, gates, processor, variants
from cauce.model.gates import Gates

Measured = Callable[..., Gates]

PUBLISH = """
import sys
from pathlib import Path
from cauce.model import gates
model, measurement = sys.argv[1:]
gates.publish(Path(model), gates.Gates.model_validate_json(measurement))
"""

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def model(varied_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(varied_folder, tmp_path / "model"))


@pytest.fixture
def two(model: Path, tmp_path: Path) -> Path:
    """The model with a second variant, `other`."""
    (tmp_path / "empty").mkdir()
    variants.add(model, variants.read(model, "copy").model_copy(update={"name": "other"}), tmp_path / "empty")
    return model


def served(model: Path) -> str:
    """The variant that `auto` serves, silently."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return cauce.load(model).variant


def notes(model: Path) -> tuple[str, ...]:
    """What is said where `auto` serves the model as it was saved."""
    with pytest.warns(UserWarning, match="does not serve|is left out"):
        loaded = cauce.load(model)
    assert loaded.variant == "linear"
    return loaded.notes


def test_only_what_was_measured_here_and_passed_is_served(model: Path, measured: Measured) -> None:
    assert notes(model) == ("the variant copy does not serve: not measured on this processor",)
    gates.record(measured(model, copy={"passed": False, "why": "it loses 2.1 points"}))
    assert served(model) == "linear"  # measured and kept out: that was said when it was measured
    gates.record(measured(model, copy={}))
    assert served(model) == "copy"
    assert cauce.load(model, "linear").variant == "linear"


def test_the_best_that_passed_serves_and_the_next_one_where_it_cannot(two: Path, measured: Measured) -> None:
    gates.record(measured(two, copy={"gain": 1.4}, other={"gain": 1.9}))
    assert served(two) == "other"
    gates.record(measured(two, copy={"gain": 2.4}, other={"gain": 1.9}))
    assert served(two) == "copy"
    (two / "variants" / "copy" / "table.bin").unlink()
    with pytest.warns(UserWarning, match="the variant copy does not serve: damaged: variants/copy/table.bin is missing"):
        assert cauce.load(two).variant == "other"


def test_what_passed_on_another_processor_is_said_and_not_served(model: Path, measured: Measured) -> None:
    gates.publish(model, measured(model, copy={}, processor="arm-x"))
    assert notes(model) == ("the variant copy does not serve: not measured on this processor; it passed on arm-x",)


def test_the_makers_measurement_counts_on_the_same_processor_until_there_is_an_own_one(model: Path, measured: Measured) -> None:
    gates.publish(model, measured(model, copy={}))
    assert served(model) == "copy"
    gates.record(measured(model, copy={"passed": False}))
    assert served(model) == "linear"


def test_another_variant_of_the_name_has_proven_nothing(model: Path, measured: Measured, tmp_path: Path) -> None:
    gates.record(measured(model, copy={}))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "table.bin").write_bytes(b"other numbers")
    variants.add(model, variants.read(model, "copy"), tmp_path / "files", replace=True)
    assert "not measured" in notes(model)[0]


def test_a_missing_extra_is_told_with_its_pip_line_and_the_saved_model_serves(
    model: Path, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)  # not installed
    path = model / "variants" / "copy" / "variant.json"
    made = variants.read(model, "copy").model_copy(update={"runtime": "openvino"})
    path.write_bytes(made.render())
    gates.record(measured(model, copy={}))
    assert 'pip install "cauce[openvino]"' in notes(model)[0]
    with pytest.raises(errors.MissingExtra):
        cauce.load(model, "copy")


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[:-20],
        lambda raw: b"[]",
        lambda raw: b"\xff" + raw,
        lambda raw: raw + b" " * gates.LARGEST,
        lambda raw: b"[" * 60_000,
        lambda raw: json.dumps({**json.loads(raw), "version": "0" * 64}).encode(),
        lambda raw: json.dumps({**json.loads(raw), "code": "x"}).encode(),
        lambda raw: raw.replace(b"0.1", b"NaN"),
    ],
)
def test_a_damaged_record_is_said_and_left_out(
    model: Path, measured: Measured, home: Path, damage: Callable[[bytes], bytes]
) -> None:
    gates.record(measured(model, copy={}))
    [path] = home.glob("gates/*/*.json")
    path.write_bytes(damage(path.read_bytes()))
    said = notes(model)
    assert str(path) in said[0]
    assert "cauce optimize" in said[0]
    assert "not measured" in said[1]
    gates.record(measured(model, copy={}))
    assert served(model) == "copy"


def test_a_record_that_cannot_be_read_is_said(model: Path, measured: Measured, home: Path) -> None:
    gates.record(measured(model, copy={}))
    [path] = home.glob("gates/*/*.json")
    path.unlink()
    path.mkdir()
    assert str(path) in notes(model)[0]


def test_a_state_that_cannot_be_written_says_where_to(model: Path, measured: Measured, home: Path) -> None:
    home.mkdir()
    (home / "gates").write_text("a file")
    with pytest.raises(errors.CannotWrite) as caught:
        gates.record(measured(model, copy={}))
    assert "CAUCE_HOME" in caught.value.hint


def test_a_machine_keeps_so_many_versions(model: Path, measured: Measured, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "KEPT", 3)
    found = measured(model, copy={})
    for number in range(5):
        gates.record(found.model_copy(update={"version": f"{number:064x}"}))
        os.utime(home / "gates" / f"{number:064x}", (number, number))
    gates.record(found)
    assert len(list((home / "gates").iterdir())) == 3
    assert served(model) == "copy"


def test_published_it_is_evidence_and_changes_no_version(model: Path, measured: Measured, home: Path) -> None:
    version = folder.read(model).version
    found = measured(model, copy={"figures": {"p50_ms": 0.8}})
    gates.publish(model, found)
    gates.publish(model, measured(model, copy={}, processor="arm-x"))
    assert folder.read(model).version == version
    path = f"evidence/gates/{processor.slug()}.json"
    assert {path, "evidence/gates/arm-x.json", "evidence/metrics.json"} <= set(folder.contents(model))
    assert (
        gates.known(model, version) == ([gates.published(model, version, [])[0], found], [])
        or found in gates.known(model, version)[0]
    )
    (model / path).write_text((model / path).read_text().replace("latency", "quality"))
    with pytest.raises(errors.ModelFolderError, match="evidence/gates"):
        cauce.load(model)


def test_published_where_there_was_no_evidence(model: Path, measured: Measured) -> None:
    shutil.rmtree(model / "evidence")
    gates.publish(model, measured(model, copy={}))
    assert served(model) == "copy"


@pytest.mark.parametrize("step", ["gates.unlisted", "gates.written"])
@pytest.mark.parametrize("without", [False, True])
def test_a_kill_while_publishing_leaves_a_whole_folder(step: str, without: bool, model: Path, measured: Measured) -> None:
    if without:
        shutil.rmtree(model / "evidence")
    else:
        gates.publish(model, measured(model, copy={"gain": 1.3}))
    found = measured(model, copy={})
    done = subprocess.run(
        [sys.executable, "-c", PUBLISH, str(model), found.model_dump_json()],
        env={**os.environ, "CAUCE_FAULT": step},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert "not measured" in notes(model)[0]
    gates.publish(model, found)
    assert served(model) == "copy"


def test_candidates_say_what_is_known_of_them(two: Path, measured: Measured) -> None:
    gates.publish(two, measured(two, copy={}, processor="arm-x"))
    gates.record(measured(two, other={"gain": 2.0, "loss": 0.25}))
    version = folder.read(two).version
    first, second = choice.survey(two, version)[0]
    assert (first.name, first.state) == ("other", "passed: 2.00 times better in latency, loses 0.25 points")
    assert (second.name, second.state) == ("copy", "not measured on this processor; it passed on arm-x")
    gates.record(measured(two, other={"passed": False, "why": "it gains 1.1 times, 1.2 are needed"}))
    assert {one.name: one.state for one in choice.survey(two, version)[0]}["other"].startswith("kept out: it gains 1.1")
    assert json.dumps([one.as_dict() for one in choice.survey(two, version)[0]])


def test_a_processor_without_a_name_is_no_file() -> None:
    with pytest.raises(ValueError, match="processor"):
        Gates(version="0" * 64, processor="../x", target="latency", max_loss=0.5, gates=())


def test_values_a_measurement_cannot_have() -> None:
    wrong: list[dict[str, Any]] = [{"gain": float("nan")}, {"loss": float("inf")}, {"why": "x" * 501}]
    for one in wrong:
        with pytest.raises(ValueError, match="validation error"):
            gates.Gate(**{"variant": "copy", "seal": "", "passed": True, "loss": 0.0, "gain": 1.0} | one)
