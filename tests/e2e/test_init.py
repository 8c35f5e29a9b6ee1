"""`cauce init`: a folder to start in, from which every next command runs."""

from __future__ import annotations

import shlex
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from cauce.cli.init import _settings
from cauce.data.read import read
from cauce.settings import Settings

Command = Callable[..., subprocess.CompletedProcess[bytes]]


def test_what_it_writes_is_read_by_what_it_names(tmp_path: Path, cauce_command: Command) -> None:
    made = cauce_command("init", "my reviews", cwd=tmp_path)
    assert made.returncode == 0, made.stderr.decode()
    folder = tmp_path / "my reviews"
    assert sorted(path.name for path in folder.iterdir()) == ["cauce.toml", "messages.csv"]
    assert len(read(folder / "messages.csv")) == 3
    (_, named) = made.stderr.decode().split("next: ")
    _, command = named.splitlines()[0].split(" && ")
    labeled = cauce_command(*shlex.split(command)[1:], cwd=folder, input=b"1\n2\n")
    assert labeled.returncode == 0, labeled.stderr.decode()
    assert len(read(folder / "messages.labeled.csv")) == 5


def test_every_setting_is_there_and_its_default_loads(tmp_path: Path, cauce_command: Command) -> None:
    text = _settings()
    assert tomllib.loads(text) == {"cauce": {}}
    used = [line.removeprefix("# ") for line in text.splitlines() if " = " in line]
    assert len(used) == sum(field.default is not None for field in Settings.model_fields.values())
    (tmp_path / "cauce.toml").write_text("[cauce]\n" + "\n".join(used), encoding="utf-8")
    done = cauce_command("doctor", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    values = tomllib.loads("\n".join(used))
    for name, field in Settings.model_fields.items():
        assert f"# {field.description}\n# {name} =" in text
        assert name in values or field.default is None
    assert str(Path.home()) not in text


@pytest.mark.parametrize("name", ["cauce.toml", "messages.csv"])
def test_nothing_is_overwritten(tmp_path: Path, cauce_command: Command, name: str) -> None:
    (tmp_path / name).write_text("mine")
    done = cauce_command("init", cwd=tmp_path)
    assert done.returncode == 2
    assert f"{name} exists already" in done.stderr.decode()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path, cauce_command: Command) -> None:
    (tmp_path / "here").write_text("mine")
    done = cauce_command("init", "here", cwd=tmp_path)
    assert done.returncode == 2
    assert b"here is a file" in done.stderr
