"""`cauce vectors`, as it is typed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[bytes]]


def test_vectors_are_trained_and_looked_at(cauce_command: Command, messages: Path, tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    out = tmp_path / "words.vec"
    done = cauce_command("vectors", "train", messages, out, "--size", "10", "--epochs", "1", "--skip-gram")
    assert done.returncode == 0, done.stderr
    assert b"next:" in done.stderr
    again = cauce_command("vectors", "train", messages, out)
    assert again.returncode == 2
    assert b"exists already" in again.stderr
    near = cauce_command("vectors", "near", out, "the", "-n", "3", "--json")
    assert len(json.loads(near.stdout)) == 3
    unknown = cauce_command("vectors", "near", out, "thee")
    assert unknown.returncode == 2
    assert b"did you mean" in unknown.stderr
