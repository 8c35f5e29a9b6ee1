"""`cauce models` from the shell: what people type, what goes wrong, and what a kill leaves behind."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cauce.model.sealed import render

CAUCE = [sys.executable, "-m", "cauce"]
FOLLOW = """
import sys
from cauce.registry.follow import Follower
with Follower("m", poll=0.02, on_swap=lambda model: print(model.version, flush=True)) as follower:
    print(follower.model.version, flush=True)
    sys.stdin.read()
"""

Done = subprocess.CompletedProcess[bytes]
Command = Callable[..., Done]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def models(home: Path, cauce_command: Command) -> Command:
    """`cauce models …` on a home of its own."""
    return lambda *arguments, **more: cauce_command(
        "models", *arguments, env={**os.environ, "CAUCE_HOME": str(home), **more.pop("env", {})}, **more
    )


@pytest.fixture
def folders(model_folder: Path, tmp_path: Path) -> list[Path]:
    """Two model folders of different versions."""
    other = Path(shutil.copytree(model_folder, tmp_path / "other"))
    fields = json.loads((other / "cauce.json").read_text("utf-8"))
    (other / "cauce.json").write_bytes(render({**fields, "name": "other"}))
    return [model_folder, other]


def answer(done: Done) -> Any:
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def refused(done: Done, exit_code: int) -> str:
    said = done.stderr.decode()
    assert done.returncode == exit_code, said
    assert said.count("error:") == said.count("hint:") == 1, said
    assert "Traceback" not in said
    assert "fault of Cauce" not in said
    return said


def test_the_whole_way(models: Command, folders: list[Path], home: Path, cauce_command: Command) -> None:
    env = {**os.environ, "CAUCE_HOME": str(home)}
    assert answer(models("list", "--json")) == []
    first, second = (answer(models("register", "sentiment", place, "--json"))["version"] for place in folders)
    assert [one["version"] for one in answer(models("list", "sentiment", "--json"))] == [first, second]
    answer(models("promote", f"sentiment@{first[:8]}", "--reason", "the first", "--json"))
    moved = answer(models("promote", f"sentiment@{second[:8]}", "--reason", "más rápido", "--actor", "ana", "--json"))
    assert (moved["generation"], moved["version"]) == (2, second)
    for name in ("sentiment", "sentiment@champion", f"sentiment@{second[:6]}"):
        said = answer(cauce_command("predict", name, "me encanta", "--json", env=env))
        assert said["model_version"] == second
    assert answer(models("show", "sentiment", "--json"))["manifest"]["name"] == "other"
    assert {"name", "version"} == {one["field"] for one in answer(models("diff", f"sentiment@{first}", "sentiment", "--json"))}
    assert answer(models("alias", f"sentiment@{first[:8]}", "old", "--json"))["alias"] == "old"
    assert answer(models("rollback", "sentiment", "--reason", "quejas", "--json"))["version"] == first
    history = answer(models("history", "sentiment", "--json"))
    assert [(one["generation"], one["version"], one["reason"]) for one in history] == [
        (1, first, "the first"),
        (2, second, "más rápido"),
        (3, first, "quejas"),
    ]
    assert all(one["actor"] and one["time"].endswith("Z") for one in history)
    assert history[1]["actor"] == "ana"
    assert answer(models("quarantine", f"sentiment@{second}", "--reason", "bad", "--json"))["quarantined"] is True
    assert "bad" in refused(models("promote", f"sentiment@{second}", "--reason", "x"), 2)
    assert answer(models("prune", "--keep", "0", "--days", "0", "--yes", "--json"))["removed"] is True
    assert [one["champion"] for one in answer(models("list", "--json"))] == [first]
    assert answer(models("alias", "sentiment", "old", "--remove", "--json"))["version"] is None


@pytest.mark.parametrize("name", ["a/b", "..", "😀", "", "x" * 300, "/etc", "a b"])
def test_a_name_that_is_none_is_refused(name: str, models: Command, folders: list[Path], home: Path) -> None:
    refused(models("register", name, folders[0]), 2)
    refused(models("promote", f"{name}@abcd", "--reason", "x"), 2)
    assert not home.exists()


def test_talk_is_for_people(models: Command, folders: list[Path]) -> None:
    assert models("register", "m", folders[0]).stdout == b""
    version = answer(models("list", "m", "--json"))[0]["version"]
    said = models("promote", f"m@{version[:6]}", "--reason", "a\x1b[31mb").stderr.decode()
    assert f"the champion of m is {version[:12]} (generation 1)" in said
    shown = models("history", "m").stdout.decode()
    assert "\x1b" not in shown
    assert "␛[31mb" in shown
    assert "reason is empty" in refused(models("promote", f"m@{version[:6]}", "--reason", " "), 2)


def test_two_who_promote_at_once(models: Command, folders: list[Path], home: Path) -> None:
    first, second = (answer(models("register", "m", place, "--json"))["version"] for place in folders)
    env = {**os.environ, "CAUCE_HOME": str(home)}
    started = [
        subprocess.Popen(
            [*CAUCE, "models", "promote", f"m@{version}", "--reason", "me", "--expect", "0"], env=env, stderr=subprocess.PIPE
        )
        for version in (first, second)
    ]
    said = [process.communicate(timeout=60)[1].decode() for process in started]
    assert sorted(process.returncode for process in started) == [0, 4], said
    loser = next(text for text, process in zip(said, started, strict=True) if process.returncode == 4)
    assert "generation 0 was expected" in loser
    assert "models history m" in loser
    assert len(answer(models("history", "m", "--json"))) == 1


def test_a_follower_in_another_process_sees_a_promotion(models: Command, folders: list[Path], home: Path) -> None:
    first, second = (answer(models("register", "m", place, "--json"))["version"] for place in folders)
    answer(models("promote", f"m@{first}", "--reason", "x", "--json"))
    following = subprocess.Popen(
        [sys.executable, "-c", FOLLOW],
        env={**os.environ, "CAUCE_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    try:
        assert following.stdout.readline().strip() == first
        answer(models("promote", f"m@{second}", "--reason", "x", "--json"))
        assert following.stdout.readline().strip() == second
        answer(models("rollback", "m", "--json"))
        assert following.stdout.readline().strip() == first
    finally:
        following.communicate("", timeout=30)
    assert following.returncode == 0


@pytest.mark.parametrize("step", ["registry.copied", "registry.placed", "registry.moving"])
def test_a_kill_leaves_no_half(step: str, models: Command, folders: list[Path], home: Path) -> None:
    """The short form: every step is in tests/prove/test_registry.py."""
    first = answer(models("register", "m", folders[0], "--json"))["version"]
    answer(models("promote", f"m@{first}", "--reason", "x", "--json"))
    fault = {"env": {"CAUCE_FAULT": step}}
    if step == "registry.moving":
        second = answer(models("register", "m", folders[1], "--json"))["version"]
        killed = models("promote", f"m@{second}", "--reason", "y", **fault)
    else:
        killed = models("register", "m", folders[1], **fault)
    assert killed.returncode == -signal.SIGKILL
    assert [one["version"] for one in answer(models("history", "m", "--json"))] == [first]
    second = answer(models("register", "m", folders[1], "--json"))["version"]
    assert [one["version"] for one in answer(models("list", "m", "--json"))] == [first, second]
    assert answer(models("promote", f"m@{second}", "--reason", "y", "--json"))["generation"] == 2


def test_a_home_that_is_read_only_can_be_read(
    models: Command, folders: list[Path], home: Path, unprivileged: list[str]
) -> None:
    version = answer(models("register", "m", folders[0], "--json"))["version"]
    answer(models("promote", f"m@{version}", "--reason", "x", "--json"))
    for path in [home, *home.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    environment = {**os.environ, "CAUCE_HOME": str(home)}

    def run(*arguments: str | Path) -> Done:
        command = [*unprivileged, *CAUCE, *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)

    try:
        assert answer(run("predict", "m", "hola", "--json"))["model_version"] == version
        assert len(answer(run("models", "history", "m", "--json"))) == 1
        for writes in (
            ("register", "n", folders[1]),
            ("alias", f"m@{version}", "next"),
        ):
            assert "CAUCE_HOME" in refused(run("models", *writes), 2)
    finally:
        for path in [home, *home.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_full_disk_while_registering_leaves_nothing(models: Command, folders: list[Path], home: Path) -> None:
    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    said = refused(models("register", "m", folders[0], preexec_fn=full), 4)
    assert "no space left" in said
    assert list((home / "registry" / "versions").iterdir()) == []
    assert answer(models("list", "--json")) == []


def test_a_registry_that_cannot_be_used_is_refused(models: Command, folders: list[Path], home: Path) -> None:
    version = answer(models("register", "m", folders[0], "--json"))["version"]
    base = home / "registry" / "registry.db"
    with closing(sqlite3.connect(base)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "pip install --upgrade" in refused(models("promote", f"m@{version}", "--reason", "x"), 3)
    base.write_bytes(b"\0" * 20_000)
    assert "registry.db" in refused(models("list", "m"), 3)
    shutil.rmtree(home)
    home.write_text("a file")
    refused(models("register", "m", folders[0]), 2)


def test_a_model_whose_folder_is_gone(models: Command, folders: list[Path], home: Path, cauce_command: Command) -> None:
    version = answer(models("register", "m", folders[0], "--json"))["version"]
    answer(models("promote", f"m@{version}", "--reason", "x", "--json"))
    shutil.rmtree(home / "registry" / "versions" / version)
    gone = cauce_command("predict", "m", "x", env={**os.environ, "CAUCE_HOME": str(home)})
    assert "models register m" in refused(gone, 3)
    assert "its folder is gone" in models("list", "m").stdout.decode()
    refused(models("show", "m"), 3)


def test_without_mlflow_the_pip_line_is_named(models: Command, folders: list[Path]) -> None:
    if shutil.which("mlflow"):
        pytest.skip("mlflow is installed here")
    assert 'pip install "cauce[mlflow]"' in refused(models("mirror", "--mlflow", "sqlite:///x.db"), 2)
