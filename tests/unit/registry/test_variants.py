"""Versions that have variants: registered, gained later, followed and pruned."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import cauce
from cauce import errors
from cauce.model import folder, gates, variants
from cauce.model.gates import Gates
from cauce.model.sealed import render
from cauce.registry.follow import Follower
from cauce.registry.prune import prune
from cauce.registry.registry import Registry


@pytest.fixture
def model(varied_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(varied_folder, tmp_path / "model"))


def test_a_version_is_registered_with_its_variants_and_what_was_measured(
    registry: Registry, model: Path, measured: Callable[..., Gates]
) -> None:
    gates.publish(model, measured(model, copy={}))
    (model / "variants" / "note.txt").write_text("mine")
    version, _ = registry.register("m", model)
    assert cauce.load(f"m@{version.version[:12]}").variant == "copy"
    assert cauce.load(f"m@{version.version[:12]}", "linear").variant == "linear"
    assert not (version.folder / "variants" / "note.txt").exists()
    assert [one.version for one in prune(registry, keep=0, days=0, dry_run=False)] == [version.version]
    assert list(registry.folders.iterdir()) == []


def test_a_damaged_variant_is_left_behind(registry: Registry, model: Path) -> None:
    (model / "variants" / "copy" / "table.bin").write_bytes(b"damage")
    version, _ = registry.register("m", model)
    assert variants.names(version.folder) == []
    assert cauce.load(f"m@{version.version}").notes == ()


def test_registered_again_it_gains_the_variants_that_are_new(
    registry: Registry, model_folder: Path, model: Path, measured: Callable[..., Gates]
) -> None:
    version, new = registry.register("m", model_folder)
    assert new
    assert variants.names(version.folder) == []
    gates.publish(model, measured(model, copy={}))
    assert registry.register("m", model) == (version, False)
    assert cauce.load(f"m@{version.version}").variant == "copy"
    (version.folder / "variants" / "copy" / "table.bin").unlink()
    registry.register("m", model)  # a whole one heals it
    assert variants.read(version.folder, "copy") == variants.read(model, "copy")
    registry.register("m", model_folder)  # one that is not there is not taken away
    assert variants.names(version.folder) == ["copy"]
    assert folder.read(version.folder).version == version.version
    assert not [path for path in (version.folder / "variants").iterdir() if path.name.startswith(".")]


def test_a_follower_serves_the_variant_that_was_asked_for_and_refuses_versions_without_it(
    registry: Registry, model: Path, tmp_path: Path
) -> None:
    first, _ = registry.register("m", model)
    registry.promote(f"m@{first.version}", reason="x")
    other = Path(shutil.copytree(model, tmp_path / "other"))
    shutil.rmtree(other / "variants")
    fields = json.loads((other / "cauce.json").read_text("utf-8"))
    (other / "cauce.json").write_bytes(render({**fields, "name": "other"}))
    second, _ = registry.register("m", other)
    with Follower("m", variant="copy", poll=60) as follower:
        assert (follower.model.version, follower.model.variant) == (first.version, "copy")
        registry.promote(f"m@{second.version}", reason="x")
        follower._look()
        assert follower.model.version == first.version
        assert follower.status.last_error == 'the model has no variant "copy"'


def test_a_follower_says_why_a_variant_does_not_serve(
    registry: Registry, model: Path, measured: Callable[..., Gates], caplog: pytest.LogCaptureFixture
) -> None:
    gates.publish(model, measured(model, copy={}))
    version, _ = registry.register("m", model)
    registry.promote(f"m@{version.version}", reason="x")
    with Follower("m", poll=60) as follower:
        assert follower.model.variant == "copy"
    os.truncate(version.folder / "variants" / "copy" / "table.bin", 3)
    with Follower("m", poll=60) as follower:
        assert follower.model.variant == "linear"
    assert "the variant copy does not serve" in caplog.text


def test_a_variant_asked_of_a_registered_model_that_is_not_there(registry: Registry, model: Path) -> None:
    registry.register("m", model)
    with pytest.raises(errors.UnknownName, match='no variant "int8"'):
        cauce.load(f"m@{folder.read(model).version}", "int8")
