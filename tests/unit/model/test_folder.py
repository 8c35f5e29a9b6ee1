"""The model folder: whole or not there, and refused when anything in it is not as it was written."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import cauce
from cauce import errors
from cauce.model import files, folder
from cauce.model.manifest import Manifest
from cauce.model.sealed import render, seal

FILES = [
    "cauce.json",
    "weights.safetensors",
    "golden.jsonl",
    "MLmodel",
    "evidence/metrics.json",
    "evidence/hashes.json",
    "evidence/train.jsonl",
]


@pytest.fixture
def copy(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "copy"))


def rewrite(place: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change cauce.json and seal it again, as an attacker could."""
    fields = json.loads((place / "cauce.json").read_text("utf-8"))
    change(fields)
    (place / "cauce.json").write_bytes(render(fields))


def describe_again(place: Path, name: str) -> None:
    rewrite(place, lambda fields: fields["files"].update({name: files.describe(place, [name])[name].model_dump()}))


def test_a_folder_from_before_the_html_and_spelling_steps_is_read_and_keeps_its_version(copy: Path) -> None:
    fields = json.loads((copy / "cauce.json").read_text("utf-8"))
    assert set(fields["normalizer"]) == {"lowercase", "urls", "users", "repeats"}  # as it was written before them
    assert cauce.load(copy).version == fields["version"] == seal(fields)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_one_changed_byte_anywhere_is_refused(copy: Path, data: st.DataObject) -> None:
    path = copy / data.draw(st.sampled_from(FILES))
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(changed))
    try:
        with pytest.raises(errors.ModelFolderError) as caught:
            cauce.load(copy)
        assert caught.value.exit_code == 3
        assert caught.value.hint or isinstance(caught.value, errors.NotAModel)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused_as_truncated(copy: Path, name: str) -> None:
    path = copy / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(errors.Tampered if name == "evidence/hashes.json" else errors.Truncated):
        cauce.load(copy)


@pytest.mark.parametrize("name", [name for name in FILES if name != "cauce.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(errors.FileGone, match=name):
        cauce.load(copy)


def test_a_newer_format_says_to_update(copy: Path) -> None:
    rewrite(copy, lambda fields: fields.update(format=2))
    with pytest.raises(errors.NewerFormat) as caught:
        cauce.load(copy)
    assert "pip install --upgrade cauce" in caught.value.hint


@pytest.mark.parametrize(("kind", "value"), [("task", "translation"), ("runtime", "quantum"), ("task", None), ("task", ["x"])])
def test_an_unknown_task_or_runtime_is_refused(copy: Path, kind: str, value: object) -> None:
    rewrite(copy, lambda fields: fields.update({kind: value}))
    with pytest.raises(errors.UnknownTask, match=kind):
        cauce.load(copy)


@pytest.mark.parametrize("path", ["../weights.safetensors", "/etc/passwd", "a/../../b", "..", "c:\\x", "a//b", "./a", ""])
def test_a_path_that_leaves_the_folder_is_refused(copy: Path, path: str) -> None:
    rewrite(copy, lambda fields: fields["files"].update({path: fields["files"]["golden.jsonl"]}))
    with pytest.raises(errors.PathEscapes):
        cauce.load(copy)


def test_a_link_that_leaves_the_folder_is_refused(copy: Path, tmp_path: Path) -> None:
    (copy / "golden.jsonl").rename(tmp_path / "elsewhere")
    (copy / "golden.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.PathEscapes):
        cauce.load(copy)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("exploded",))


@pytest.mark.parametrize("name", ["weights.pkl", "model.pt", "evidence/extra.joblib"])
def test_a_pickle_in_the_folder_is_refused(copy: Path, name: str) -> None:
    (copy / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(errors.PickleRefused):
        cauce.load(copy)


def test_a_pickle_under_the_name_of_the_weights_is_refused_and_never_run(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (copy / "weights.safetensors").write_bytes(pickle.dumps(Bomb()))
    describe_again(copy, "weights.safetensors")
    with pytest.raises(errors.PickleRefused):
        cauce.load(copy)
    assert not Path("exploded").exists()


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"format": "one"}', b"\xff\xfe", b'{"format": 1, "task": "classification"']
)
def test_what_is_not_a_manifest_is_refused(copy: Path, raw: bytes) -> None:
    (copy / "cauce.json").write_bytes(raw)
    with pytest.raises(errors.ModelFolderError):
        cauce.load(copy)


def test_other_folders_and_missing_ones_have_errors_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(errors.NotAModel):
        cauce.load(tmp_path)
    with pytest.raises(errors.FileMissing):
        cauce.load(tmp_path / "nothing")


def test_other_weights_than_the_golden_rows_are_refused(copy: Path) -> None:
    tensors = load_file(copy / "weights.safetensors")
    tensors["bias"] = tensors["bias"] + np.array([1e-3, 0, 0], np.float32)
    save_file(tensors, copy / "weights.safetensors")
    describe_again(copy, "weights.safetensors")
    with pytest.raises(errors.GoldenFailed) as caught:
        cauce.load(copy)
    assert "cauce doctor" in caught.value.hint


def test_evidence_is_outside_the_identity(copy: Path) -> None:
    version = cauce.load(copy).version
    (copy / "evidence" / "notes.txt").write_text("measured again")
    folder.write_evidence_hashes(copy)
    assert cauce.load(copy).version == version


def test_the_version_is_the_hash_of_the_canonical_json(model_folder: Path) -> None:
    fields = json.loads((model_folder / "cauce.json").read_text("utf-8"))
    manifest = folder.read(model_folder)
    assert fields["version"] == seal(fields) == manifest.version == cauce.load(model_folder).version
    assert Manifest.model_validate({k: v for k, v in fields.items() if k != "version"}).version == manifest.version


def test_a_folder_that_could_not_be_filled_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), folder.create(tmp_path / "model") as room:
        (room / "half").write_text("written")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_name_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(errors.OutputExists), folder.create(tmp_path / "model") as late:
        (late / "who").write_text("late")
        with folder.create(tmp_path / "model") as early:
            (early / "who").write_text("early")
    assert (tmp_path / "model" / "who").read_text() == "early"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_replace_swaps_a_model_and_nothing_else(copy: Path, tmp_path: Path) -> None:
    with folder.create(copy, replace=True) as room:
        (room / "cauce.json").write_text("new")
    assert [path.name for path in copy.iterdir()] == ["cauce.json"]
    (copy / "notes.txt").write_text("precious")
    with pytest.raises(errors.OutputExists, match="copy"), folder.create(copy, replace=True):
        pass
    assert (copy / "notes.txt").read_text() == "precious"
    other = tmp_path / "holiday"
    other.mkdir()
    (other / "photo.jpg").write_text("precious")
    with pytest.raises(errors.OutputExists), folder.create(other, replace=True):
        pass
    assert (other / "photo.jpg").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "holiday"]


@pytest.mark.parametrize("factor", [0, 2])
def test_a_wrong_size_in_the_list_of_the_evidence_is_refused(copy: Path, factor: int) -> None:
    path = copy / "evidence" / "hashes.json"
    files = json.loads(path.read_text())
    files["MLmodel"]["bytes"] *= factor
    path.write_text(json.dumps(files, indent=2, sort_keys=True) + "\n")
    with pytest.raises(errors.ModelFolderError):
        cauce.load(copy)
