"""Variants in a model folder: whole or not there, and refused, alone, when anything in one is not as it was written."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cauce
from cauce import errors
from cauce.model import files, folder, gates, variants
from cauce.model.gates import Gates
from cauce.model.sealed import render
from cauce.model.variant import Variant

FILES = ["variant.json", "golden.jsonl", "table.bin"]
ADD = """
import sys
from pathlib import Path
from cauce.model import variants
model, source, replace = sys.argv[1:]
made = variants.read(Path(model), "copy").model_copy(update={"name": "copy" if replace else "other"})
variants.add(Path(model), made, Path(source), replace=bool(replace))
"""
REMOVE = "import sys; from pathlib import Path; from cauce.model import variants; variants.remove(Path(sys.argv[1]), 'copy')"

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def model(varied_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(varied_folder, tmp_path / "model"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    place = tmp_path / "source" / "below"
    place.mkdir(parents=True)
    (place / "table.bin").write_bytes(b"other numbers")
    return place.parent


def like_copy(model: Path, **fields: Any) -> Variant:
    return variants.read(model, "copy").model_copy(update=fields)


def rewrite(model: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change variant.json and seal it again, as an attacker could."""
    path = model / "variants" / "copy" / "variant.json"
    fields = json.loads(path.read_text("utf-8"))
    del fields["seal"]
    change(fields)
    path.write_bytes(render(fields, "seal"))


def describe_again(model: Path, name: str) -> None:
    described = files.describe(model / "variants" / "copy", [name])[name].model_dump()
    rewrite(model, lambda fields: fields["files"].update({name: described}))


def refused(model: Path, kind: type[errors.ModelFolderError], says: str = "") -> None:
    """By name it is refused; left to Cauce, the model as it was saved answers, and says why."""
    with pytest.raises(kind, match=says or None) as caught:
        cauce.load(model, "copy")
    assert caught.value.exit_code == 3
    with pytest.warns(UserWarning, match="the variant copy does not serve"):
        loaded = cauce.load(model)
    assert loaded.variant == "linear"
    assert any(caught.value.message in note for note in loaded.notes)


def test_a_variant_answers_under_its_name_and_changes_no_version(model: Path, model_folder: Path) -> None:
    saved, loaded = cauce.load(model_folder), cauce.load(model, "copy")
    assert loaded.version == saved.version
    answers = loaded.predict(["me encanta", ""])
    assert np.array_equal(answers.scores, saved.predict(["me encanta", ""]).scores, equal_nan=True)
    assert set(answers.to_arrow().column("variant").to_pylist()) == {"copy"}
    assert cauce.load(model, "linear").variant == "linear"


def test_no_such_variant_says_which_there_are(model: Path) -> None:
    with pytest.raises(errors.UnknownName) as caught:
        cauce.load(model, "quick")
    assert caught.value.hint == "it has: linear, copy"
    with pytest.raises(errors.UnknownName) as caught:
        cauce.load(model, "copi")
    assert caught.value.hint == 'did you mean "copy"?'
    with pytest.raises(errors.UnknownName):
        cauce.load("echo", "copy")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_one_changed_byte_anywhere_in_it_is_refused(model: Path, data: st.DataObject) -> None:
    path = model / "variants" / "copy" / data.draw(st.sampled_from(FILES))
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(changed))
    try:
        refused(model, errors.ModelFolderError)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused_as_truncated(model: Path, name: str) -> None:
    path = model / "variants" / "copy" / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(model, errors.Truncated, name)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(model: Path, name: str) -> None:
    (model / "variants" / "copy" / name).unlink()
    refused(model, errors.FileGone, f"variants/copy/{name}")


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"format": 2}, errors.NewerFormat, "variants/copy/variant.json has format 2"),
        ({"format": "one"}, errors.NotAModel, "which format"),
        ({"runtime": "quantum"}, errors.UnknownTask, "the runtime is 'quantum'"),
        ({"batching": "many"}, errors.NotAModel, "batching"),
        ({"batching": "single"}, errors.NotAModel, "its runtime runs free"),
        ({"precision": "fp8"}, errors.NotAModel, "precision"),
        ({"code": "import os"}, errors.NotAModel, "code"),
        ({"version": "0" * 64}, errors.Tampered, "belongs to the version 000000000000"),
        ({"name": "other"}, errors.Tampered, "is called other"),
        ({"files": {}}, errors.FileGone, "has no golden.jsonl"),
    ],
)
def test_a_sealed_variant_json_that_does_not_fit_is_refused(
    model: Path, measured: Callable[..., Gates], change: dict[str, Any], kind: type[errors.ModelFolderError], says: str
) -> None:
    rewrite(model, lambda fields: fields.update(change))
    if change == {"batching": "single"}:  # told when it is opened, so it has to be one that `auto` would open
        gates.record(measured(model, copy={}))
    refused(model, kind, says)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"\xff\xfe", b'{"format": 1, "name": "copy"', b"[" * 100_000])
def test_what_is_not_a_variant_json_is_refused(model: Path, raw: bytes) -> None:
    (model / "variants" / "copy" / "variant.json").write_bytes(raw)
    refused(model, errors.ModelFolderError)


@pytest.mark.parametrize("path", ["../../golden.jsonl", "/etc/passwd", "a/../../b", "..", "c:\\x", "a//b", "./a", ""])
def test_a_path_that_leaves_it_is_refused(model: Path, path: str) -> None:
    rewrite(model, lambda fields: fields["files"].update({path: fields["files"]["golden.jsonl"]}))
    refused(model, errors.PathEscapes)


@pytest.mark.parametrize("name", [*(f"variants/copy/{name}" for name in FILES), "variants/copy", "variants"])
def test_a_link_that_leaves_the_folder_is_refused(model: Path, tmp_path: Path, name: str) -> None:
    (model / name).rename(tmp_path / "elsewhere")
    (model / name).symlink_to(tmp_path / "elsewhere")
    refused(model, errors.PathEscapes)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("exploded",))


def test_a_pickle_in_it_is_refused_by_its_name_and_by_its_first_bytes(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (model / "variants" / "copy" / "table.bin").write_bytes(pickle.dumps(Bomb()))
    describe_again(model, "table.bin")
    refused(model, errors.PickleRefused, "table.bin")
    (model / "variants" / "copy" / "extra.pt").write_bytes(pickle.dumps(Bomb()))
    refused(model, errors.PickleRefused, "extra.pt")
    assert not Path("exploded").exists()


def test_a_pickle_beside_the_variants_is_the_models_matter(model: Path) -> None:
    (model / "variants" / "extra.pkl").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(errors.PickleRefused):
        cauce.load(model)


def test_a_variant_under_the_name_of_the_saved_model_is_refused(model: Path) -> None:
    """A runtime would take its files for the model's own, and no hash holds them."""
    (model / "variants" / "copy").rename(model / "variants" / "linear")
    for variant in ("auto", "linear"):
        with pytest.raises(errors.Tampered, match="there is a variant linear"):
            cauce.load(model, variant)


def test_other_answers_than_its_golden_rows_are_refused(model: Path, measured: Callable[..., Gates]) -> None:
    path = model / "variants" / "copy" / "golden.jsonl"
    first, *others = path.read_text("utf-8").split("\n")
    line = json.loads(first)
    line["scores"][0] += 0.01
    path.write_text("\n".join([json.dumps(line), *others]), "utf-8")
    describe_again(model, "golden.jsonl")
    gates.record(measured(model, copy={}))
    refused(model, errors.GoldenFailed, "golden row 1 differs")


def test_a_failing_saved_model_is_refused_though_a_variant_is_there(model: Path) -> None:
    path = model / "golden.jsonl"
    lines = path.read_text("utf-8").split("\n")
    path.write_text("\n".join([json.dumps({**json.loads(lines[0]), "scores": [1.0, 0.0, 0.0]}), *lines[1:]]), "utf-8")
    fields = json.loads((model / "cauce.json").read_text("utf-8"))
    fields["files"]["golden.jsonl"] = files.describe(model, ["golden.jsonl"])["golden.jsonl"].model_dump()
    (model / "cauce.json").write_bytes(render(fields))
    with pytest.raises(errors.GoldenFailed):
        cauce.load(model)


def test_adding_tells_what_is_wrong_and_leaves_nothing(model: Path, source: Path) -> None:
    for name in ("auto", "linear", "INT8", "../x", "", ".hidden", "a" * 65):
        with pytest.raises(errors.NameInvalid):
            variants.add(model, like_copy(model, name=name), source)
    with pytest.raises(errors.OutputExists, match='"copy"'):
        variants.add(model, like_copy(model), source)
    with pytest.raises(errors.Tampered, match="belongs to the version"):
        variants.add(model, like_copy(model, name="other", version="0" * 64), source)
    with pytest.raises(errors.NotAModel, match="batching: single"):
        variants.add(model, like_copy(model, name="other", batching="single"), source)
    (source / "weights.pt").write_bytes(b"x")
    with pytest.raises(errors.PickleRefused):
        variants.add(model, like_copy(model, name="other"), source)
    assert [path.name for path in (model / "variants").iterdir()] == ["copy"]


def test_what_is_added_is_what_the_source_holds(model: Path, source: Path) -> None:
    before = folder.read(model).version
    (source / "golden.jsonl").write_text("of another")
    added = variants.add(model, like_copy(model, name="other"), source)
    assert set(added.files) == {"below/table.bin", "golden.jsonl"}
    assert variants.names(model) == ["copy", "other"]
    assert variants.read(model, "other") == added
    assert folder.read(model).version == before == cauce.load(model, "other").version
    assert {"variants/other/variant.json", "variants/other/below/table.bin"} <= set(folder.contents(model))
    assert all((model / path).stat().st_mode & 0o444 == 0o444 for path in folder.contents(model))


def test_replaced_and_removed(model: Path, source: Path) -> None:
    first = variants.read(model, "copy").seal
    assert variants.add(model, like_copy(model), source, replace=True).seal != first
    assert cauce.load(model, "copy").variant == "copy"
    variants.remove(model, "copy")
    assert variants.names(model) == []
    with pytest.raises(errors.UnknownName, match='"copy"'):
        variants.remove(model, "copy")
    assert list((model / "variants").iterdir()) == []


def test_a_damaged_variant_can_be_replaced_and_removed_and_is_not_copied(model: Path, source: Path) -> None:
    made = like_copy(model)
    (model / "variants" / "copy" / "variant.json").write_text("{")
    assert not any(path.startswith("variants/") for path in folder.contents(model))
    variants.add(model, made, source, replace=True)
    assert cauce.load(model, "copy").variant == "copy"
    (model / "variants" / "copy" / "variant.json").write_text("{")
    variants.remove(model, "copy")
    assert variants.names(model) == []


def test_of_several_who_add_one_name_at_once_one_does(model: Path, source: Path) -> None:
    made = like_copy(model, name="other")

    def add(_: int) -> bool:
        try:
            variants.add(model, made, source)
        except errors.OutputExists:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(add, range(6))) == 1
    assert sorted(path.name for path in (model / "variants").iterdir()) == ["copy", "other"]
    assert cauce.load(model, "other").variant == "other"


def killed(step: str, code: str, *arguments: object) -> bool:
    environment = {**os.environ, "CAUCE_FAULT": step}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode != 0


@pytest.mark.parametrize("step", ["variants.sealed", "variants.aside"])
def test_a_kill_leaves_a_whole_folder(step: str, model: Path, source: Path) -> None:
    replace = "yes" if step == "variants.aside" else ""
    assert killed(step, ADD, model, source, replace)
    assert variants.names(model) == ([] if replace else ["copy"])
    assert cauce.load(model, "linear").variant == "linear"
    again = Variant(name="other", version=folder.read(model).version, runtime="linear", batching="free", precision="fp32")
    variants.add(model, again, source)
    assert cauce.load(model, "other").variant == "other"


def test_what_a_kill_left_is_swept_a_day_later(model: Path, source: Path) -> None:
    left = model / "variants" / ".other.tmp-123"
    left.mkdir()
    made = like_copy(model, name="other")
    variants.add(model, made, source)
    assert left.exists()
    os.utime(left, (0, 0))
    variants.add(model, made, source, replace=True)
    assert not left.exists()


def test_a_read_only_folder_says_to_copy_it(model: Path, source: Path, unprivileged: list[str]) -> None:
    for place in (model, model / "variants"):
        place.chmod(0o555)
    code = f"{ADD.strip()}\n".replace("variants.add(", "import cauce\ncauce.load(Path(model), 'copy')\nvariants.add(")
    done = subprocess.run(
        [*unprivileged, sys.executable, "-c", code, str(model), str(source), ""], capture_output=True, timeout=60, check=False
    )
    for place in (model, model / "variants"):
        place.chmod(0o755)
    assert "CannotWrite" in done.stderr.decode().strip().split("\n")[-1]
    assert variants.names(model) == ["copy"]
