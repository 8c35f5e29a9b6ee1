"""Where the compiled kernels are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cauce.settings import settings
from cauce.text import compiled


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    settings.cache_clear()
    monkeypatch.setattr(compiled, "cache_folder", compiled.cache_folder.__wrapped__)


def test_the_setting_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_KERNEL_CACHE", str(tmp_path / "mine"))
    folder = compiled.cache_folder()
    assert folder is not None
    assert folder.parent == tmp_path / "mine"
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o700


def test_without_a_setting_it_is_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAUCE_KERNEL_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = compiled.cache_folder()
    assert folder is not None
    assert folder.parent == tmp_path / "cauce" / "kernels"


def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("CAUCE_KERNEL_CACHE", str(shared))
    assert compiled.cache_folder() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 65534, 65534)
    monkeypatch.setenv("CAUCE_KERNEL_CACHE", str(theirs))
    assert compiled.cache_folder() is None


def test_a_place_that_cannot_be_made_is_said_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_KERNEL_CACHE", "/dev/null/kernels")
    assert compiled.cache_folder() is None
    assert "CAUCE_KERNEL_CACHE" in caplog.text
