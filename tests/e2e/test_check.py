"""`cauce check`, run as a person and as a program run it."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    lines = [f"me gusta mucho el número {n} de la lista de {n * n} cosas,{'sí' if n % 2 else 'no'}\n" for n in range(30)]
    path = tmp_path / "mis datos.csv"
    path.write_text("texto,etiqueta\n" + "".join([*lines, lines[0], "aÃ±o nuevo y vida nueva,no\n"]), encoding="utf-8")
    return path


def test_it_tells_the_findings_their_lines_and_a_next_command_that_runs(faulty: Path, cauce_command: Command) -> None:
    result = cauce_command("check", faulty)
    assert result.returncode == 0
    assert b"exact_duplicates" in result.stdout
    said = result.stderr.decode()
    assert "line 32: me gusta mucho" in said
    command = said.rsplit("next: ", 1)[1].strip()
    assert command == f"cauce check '{faulty}' --fix 'mis datos_clean.csv'"
    fixed = cauce_command(*shlex.split(command)[1:], cwd=faulty.parent)
    assert fixed.returncode == 0
    assert "left out, exact duplicate: 1" in fixed.stderr.decode()
    assert (faulty.parent / "mis datos_clean.left_out.csv").is_file()
    again = cauce_command("check", faulty, "--fix", "mis datos_clean.csv", cwd=faulty.parent)
    assert again.returncode == 2
    assert b"--replace" in again.stderr
    assert cauce_command("check", faulty.parent / "mis datos_clean.csv", "--strict").returncode == 0


def test_json_is_one_document_with_everything(faulty: Path, tmp_path: Path, cauce_command: Command) -> None:
    result = cauce_command("check", faulty, "--json", "--fix", tmp_path / "out.csv")
    document = json.loads(result.stdout)
    assert document["clean"] is False
    assert document["counts"] == {"error": 0, "warning": 2, "info": 1}
    duplicate = next(one for one in document["findings"] if one["code"] == "exact_duplicates")
    assert (duplicate["count"], duplicate["rows"][1]["line"]) == (1, 32)
    assert document["fixed"]["dropped"] == {"exact duplicate": 1}
    assert document["fixed"]["mended"] == {"encoding or HTML mended": 1}


def test_the_next_command_keeps_the_columns_that_were_named(tmp_path: Path, cauce_command: Command) -> None:
    rows = [f"lo que dice la fila {n * n} de la lista,x|y,no\n" for n in (*range(20), 3)]
    (tmp_path / "sets.csv").write_text("what,tags,other\n" + "".join(rows), encoding="utf-8")
    named = ("--text", "what", "--label", "tags", "--label-delimiter", "|")
    result = cauce_command("check", "sets.csv", *named, cwd=tmp_path)
    command = result.stderr.decode().rsplit("next: ", 1)[1].strip()
    assert cauce_command(*shlex.split(command)[1:], cwd=tmp_path).returncode == 0
    assert len((tmp_path / "sets_clean.csv").read_text(encoding="utf-8").splitlines()) == 21
    clean = cauce_command("check", "sets_clean.csv", *named, cwd=tmp_path).stderr.decode()
    assert clean.endswith("next: cauce train sets_clean.csv --text what --label tags --label-delimiter '|'\n")
    assert cauce_command("check", "sets.csv", *named, "--task", "guessing", cwd=tmp_path).returncode == 2


def test_strict_says_by_its_exit_code_whether_there_is_something_to_mend(
    faulty: Path, messages: Path, cauce_command: Command
) -> None:
    assert cauce_command("check", faulty, "--strict").returncode == 1
    assert cauce_command("check", messages, "--strict").returncode == 0
    assert cauce_command("check", faulty.with_name("none.csv")).returncode == 2
