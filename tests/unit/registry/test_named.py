"""A model by any of its names."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import cauce
from cauce.errors import FileMissing, NameInvalid, NewerFormat, UnknownName
from cauce.registry.registry import Registry


def test_every_name_opens_the_same_model(filled: Registry) -> None:
    version = filled.versions("m")[1]
    filled.promote(f"m@{version.version}", reason="x")
    names = ("m", "m@champion", f"m@{version.version[:6]}", f"m@{version.version}", version.folder, str(version.folder))
    assert {cauce.load(name).version for name in names} == {version.version}


def test_evaluate_takes_a_name(filled: Registry, messages: Path) -> None:
    filled.promote(f"m@{filled.versions('m')[0].version}", reason="x")
    assert cauce.evaluate("m", messages).rows > 100


def test_a_folder_goes_before_a_name_and_it_is_said(
    filled: Registry, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.promote(f"m@{filled.versions('m')[0].version}", reason="x")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model_folder, "m")
    with pytest.warns(UserWarning, match="write m@champion for the registered one"):
        assert cauce.load("m").name == "messages"
    assert cauce.load("m@champion").name == "a"
    shutil.copytree(model_folder, "other")
    assert cauce.load("other").name == "messages"


def test_a_folder_opens_whatever_is_wrong_with_the_registry(
    filled: Registry, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(filled.database.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model_folder, "m")
    assert cauce.load("m").name == "messages"
    with pytest.raises(NewerFormat):
        cauce.load("m@champion")


def test_without_a_registry_a_name_is_a_path(registry: Registry) -> None:
    with pytest.raises(FileMissing, match="no model folder nowhere"):
        cauce.load("nowhere")
    with pytest.raises(UnknownName, match='no model is registered as "nowhere"'):
        cauce.load("nowhere@champion")
    assert not registry.room.exists()


def test_what_is_neither_is_told_with_the_nearest(filled: Registry) -> None:
    filled.register("sentiment", filled.versions("m")[0].folder)
    with pytest.raises(UnknownName, match='neither a folder nor a registered model "sentimnt"') as caught:
        cauce.load("sentimnt")
    assert caught.value.hint == 'did you mean "sentiment"?'
    with pytest.raises(UnknownName, match='m has no "champion"') as caught:
        cauce.load("m")
    assert "cauce models promote m@VERSION" in caught.value.hint
    with pytest.raises(FileMissing):
        cauce.load("some/where")
    with pytest.raises(NameInvalid):
        cauce.load("m@😀")
