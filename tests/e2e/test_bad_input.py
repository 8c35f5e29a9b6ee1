"""What goes wrong at the command: one message, what to do, the exit code, and nothing left behind."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

CAUCE = [sys.executable, "-m", "cauce"]
Command = Callable[..., subprocess.CompletedProcess[bytes]]

GOOD = "text,label\n" + "".join(f"{word} {n},{label}\n" for word, label in (("bien", "yes"), ("mal", "no")) for n in range(8))


def refused(result: subprocess.CompletedProcess[bytes], exit_code: int) -> str:
    """The one message on stderr; nothing was answered."""
    said = result.stderr.decode()
    assert result.returncode == exit_code, said
    assert "Traceback" not in said
    assert said.count("error:") == 1, said
    assert said.count("hint:") == 1, said
    assert "fault of Cauce" not in said, said
    assert result.stdout == b""
    return said


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def content(folder: Path) -> dict[str, str]:
    """Every path below a folder, hidden ones too, and the hash of each file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


BAD_DATA = {
    "a column that is missing": ("a.csv", "tweet,label\na,x\n", ["--text", "twet"], ['"twet"', 'did you mean "tweet"?']),
    "one class only": ("a.csv", "text,label\na,x\nb,x\nc,x\n", [], ['"x"', "two labels"]),
    "a class too small to split": ("a.csv", GOOD + "raro,rare\n", [], ['"rare"', "--test"]),
    "an empty file": ("a.csv", "", [], ["a.csv has no rows"]),
    "NUL bytes": ("a.csv", "text,label\na,x\n\0\0\0,y\n", [], ["NUL byte", "a.csv, line 3"]),
    "not UTF-8": ("a.csv", b"text,label\na,x\n\xff\xfe,y\n", [], ["0xff", "a.csv, line 3", "UTF-8"]),
    "a ragged row": ("a.csv", "text,label\na,x\nb,y,z\n", [], ["3 cells", "a.csv, line 3"]),
    "an unknown recipe": ("a.csv", GOOD, ["--recipe", "liner"], ['"liner"', 'did you mean "linear"?']),
}


@pytest.mark.parametrize(("name", "data", "options", "expected"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_data_is_refused_and_nothing_is_left(
    name: str, data: str | bytes, options: list[str], expected: list[str], tmp_path: Path, cauce_command: Command
) -> None:
    (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    before = content(tmp_path)
    said = refused(cauce_command("train", name, *options, cwd=tmp_path), 2)
    assert [part for part in expected if part not in said] == [], said
    assert content(tmp_path) == before


def test_a_missing_file_suggests_the_nearest_name(tmp_path: Path, cauce_command: Command) -> None:
    (tmp_path / "messages.csv").write_text(GOOD)
    said = refused(cauce_command("train", "mesages.csv", cwd=tmp_path), 2)
    assert "mesages.csv" in said
    assert 'did you mean "messages.csv"?' in said
    assert names(tmp_path) == ["messages.csv"]


def test_a_label_of_test_that_train_lacks_is_told_before_the_training(tmp_path: Path, cauce_command: Command) -> None:
    (tmp_path / "train.csv").write_text(GOOD)
    (tmp_path / "test.csv").write_text("text,label\na,yes\nb,yess\n")
    said = refused(cauce_command("train", "train.csv", "--test", "test.csv", cwd=tmp_path), 2)
    assert '"yess"' in said
    assert "test.csv, first at line 3" in said
    assert 'did you mean "yes"?' in said
    assert "counting" not in said
    assert names(tmp_path) == ["test.csv", "train.csv"]


def test_a_line_of_200_megabytes_is_refused_with_its_line(tmp_path: Path, cauce_command: Command) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\na,x\n")
    os.truncate(path, 200_000_000)  # a hole: nothing is written
    said = refused(cauce_command("train", "a.csv", cwd=tmp_path), 2)
    assert "a.csv, line 3" in said
    assert "CAUCE_MAX_LINE_BYTES" in said
    assert names(tmp_path) == ["a.csv"]


def most_memory(process: int) -> int:
    """The most memory that a process has held so far, in kB; 0 where the system does not tell."""
    status = Path(f"/proc/{process}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def test_a_line_of_200_megabytes_in_a_pipe_is_not_held_and_fails_no_neighbor(cauce_command: Command) -> None:
    cauce_command("predict", "echo", "banana")  # the kernels are compiled now: compiling takes memory too
    with subprocess.Popen([*CAUCE, "predict", "echo", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        guard = threading.Timer(60, process.kill)
        guard.start()
        process.stdin.write(b"banana\n")
        process.stdin.flush()
        first = json.loads(process.stdout.readline())
        before = most_memory(process.pid)
        for _ in range(200):
            process.stdin.write(b"x" * 1_000_000)
        process.stdin.write(b"\nbanana\n")
        process.stdin.flush()
        long, last = (json.loads(process.stdout.readline()) for _ in range(2))
        grown = most_memory(process.pid) - before
        process.stdin.close()
        guard.cancel()
    assert first == last
    assert first["label"] == "many_a"
    assert (long["label"], long["error"]) == (None, "line_too_long")
    assert process.returncode == 0
    assert grown < 100_000, "kB"


def test_bad_lines_in_a_pipe_get_their_own_errors_and_fail_no_neighbor(cauce_command: Command) -> None:
    bad = {
        b"": "empty_text",
        b" \t ": "empty_text",
        b"\xff\xfe": "invalid_utf8",
        b'{"text": "\\ud83d"}': "invalid_utf8",
        b'{"text": 5}': "wrong_type",
        b'{"text": null}': "missing_input",
        b'{"tex": "a"}': "missing_input",
    }
    result = cauce_command("predict", "echo", "-", input=b"banana\n" + b"\nbanana\n".join(bad) + b"\nbanana")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["error"] for answer in answers[1::2]] == list(bad.values())
    assert {answer["label"] for answer in answers[1::2]} == {None}
    assert [answer["label"] for answer in answers[::2]] == ["many_a"] * (len(bad) + 1)
    said = result.stderr.decode()
    assert (result.returncode, "error:" in said, "Traceback" in said) == (0, False, False), said


def test_an_output_that_is_a_model_is_not_overwritten_and_the_hint_names_replace(
    tmp_path: Path, model_folder: Path, cauce_command: Command
) -> None:
    shutil.copytree(model_folder, tmp_path / "model")
    (tmp_path / "a.csv").write_text(GOOD)
    before = content(tmp_path)
    said = refused(cauce_command("train", "a.csv", cwd=tmp_path), 2)
    assert "model exists already" in said
    assert "--replace" in said
    assert content(tmp_path) == before


@pytest.mark.parametrize("kind", ["a folder", "a file", "a link to nowhere"])
def test_an_output_that_is_something_else_is_not_touched_even_with_replace(
    kind: str, tmp_path: Path, cauce_command: Command
) -> None:
    out = tmp_path / "thesis"
    if kind == "a folder":
        out.mkdir()
        (out / "chapter1.txt").write_text("years of work")
    elif kind == "a file":
        out.write_text("years of work")
    else:
        out.symlink_to(tmp_path / "nowhere")
    (tmp_path / "a.csv").write_text(GOOD)
    before = content(tmp_path)
    said = refused(cauce_command("train", "a.csv", "--out", "thesis", "--replace", cwd=tmp_path), 2)
    assert "thesis exists already" in said
    assert "not a model" in said
    assert content(tmp_path) == before
    assert out.is_symlink() == (kind == "a link to nowhere")


def test_a_read_only_place_is_told_before_the_training(tmp_path: Path, unprivileged: list[str]) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    place = tmp_path / "locked"
    place.mkdir()
    place.chmod(0o555)
    command = [*unprivileged, *CAUCE, "train", str(tmp_path / "a.csv"), "--out", str(place / "new" / "model")]
    said = refused(subprocess.run(command, capture_output=True, timeout=60, check=False), 2)
    assert f"{place} is read-only" in said
    assert "counting" not in said
    assert names(place) == []


def test_an_output_below_a_file_is_refused(tmp_path: Path, cauce_command: Command) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    said = refused(cauce_command("train", "a.csv", "--out", "a.csv/model", cwd=tmp_path), 2)
    assert "a.csv is not a folder" in said
    assert names(tmp_path) == ["a.csv"]


def test_an_output_with_a_name_that_no_folder_can_have_is_refused(tmp_path: Path, cauce_command: Command) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    said = refused(cauce_command("train", "a.csv", "--out", "x" * 300, cwd=tmp_path), 2)
    assert "x" * 300 in said
    assert names(tmp_path) == ["a.csv"]


def run_on_a_full_disk(arguments: list[str], *, room: int, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run where no file may grow over `room` bytes (Python ignores the signal, so that writing fails)."""
    return subprocess.run(
        [*CAUCE, *arguments],
        cwd=cwd,
        capture_output=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )


@pytest.mark.parametrize("room", [0, 20_000])
def test_a_full_disk_is_told_and_the_earlier_model_stays(room: int, tmp_path: Path, messages: Path, model_folder: Path) -> None:
    shutil.copytree(model_folder, tmp_path / "model")  # training it has compiled the kernels too
    before = content(tmp_path)
    said = refused(run_on_a_full_disk(["train", str(messages), "--replace"], room=room, cwd=tmp_path), 4)
    assert "no space left to write model" in said
    assert content(tmp_path) == before


def test_a_model_answers_on_a_full_disk(tmp_path: Path, model_folder: Path) -> None:
    result = run_on_a_full_disk(["predict", str(model_folder), "me encanta"], room=0, cwd=tmp_path)
    assert (result.returncode, b"positive" in result.stdout) == (0, True), result.stderr.decode()


@pytest.fixture(scope="module")
def many_messages(tmp_path_factory: pytest.TempPathFactory, messages: Path) -> Path:
    """60,000 rows: a training of many seconds."""
    path = tmp_path_factory.mktemp("large") / "many.csv"
    with messages.open(newline="", encoding="utf-8") as source, path.open("w", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(source)
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([f"{text} {n}", *rest] for n in range(60_000 // len(rows) + 1) for text, *rest in rows)
    return path


@pytest.mark.parametrize("moment", ["reading", "counting n-grams", "C = "])
def test_ctrl_c_stops_a_training_and_leaves_nothing(
    moment: str, tmp_path: Path, many_messages: Path, model_folder: Path
) -> None:
    data = many_messages
    if moment == "C = ":  # the first of six fits must end: fewer rows
        data = tmp_path / "some.csv"
        data.write_text("".join(many_messages.read_text(encoding="utf-8").splitlines(keepends=True)[:24_000]), encoding="utf-8")
    place = tmp_path / "place"
    place.mkdir()
    with subprocess.Popen([*CAUCE, "train", str(data)], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        guard = threading.Timer(60, process.kill)
        guard.start()
        assert any(moment.encode() in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        answer, said = process.communicate()
        seconds = time.monotonic() - start
        guard.cancel()
    assert process.returncode == 130, said.decode()
    assert seconds < 10
    assert b"Traceback" not in said
    assert said.decode().splitlines()[-1].startswith("error: stopped by Ctrl-C")  # nothing is said after the farewell
    assert answer == b""
    assert names(place) == []


def test_ctrl_c_stops_a_stream() -> None:
    with subprocess.Popen(
        [*CAUCE, "predict", "echo", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        guard = threading.Timer(60, process.kill)
        guard.start()
        process.stdin.write(b"banana\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
        guard.cancel()
    assert process.returncode == 130
    assert b"Traceback" not in said


def test_a_reader_that_leaves_early_gets_no_traceback() -> None:
    with subprocess.Popen(
        [*CAUCE, "predict", "echo", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        guard = threading.Timer(60, process.kill)
        guard.start()
        process.stdout.close()
        try:
            process.stdin.write(b"banana\n" * 50_000)
            process.stdin.close()
        except BrokenPipeError:
            pass
        assert process.stderr.read() == b""
        guard.cancel()


def test_an_unknown_command_suggests_the_nearest(tmp_path: Path, cauce_command: Command) -> None:
    result = cauce_command("predct", "echo", "hola", cwd=tmp_path)
    assert result.returncode == 2
    assert b"'predict'" in result.stderr
    assert b"Traceback" not in result.stderr
    assert result.stdout == b""


@pytest.mark.parametrize(
    ("arguments", "exit_code", "expected"),
    [
        (["predict", "nowhere", "hola"], 2, ["no model folder nowhere", "cauce train"]),
        (["predict", "x" * 300, "hola"], 2, ["no model folder"]),
        (["predict", ".", "hola"], 3, ["has no cauce.json"]),
        (["predict", "echo", "hola", "--explain"], 2, ["cannot explain"]),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else None,
)
def test_a_wrong_model_is_refused(
    arguments: list[str], exit_code: int, expected: list[str], tmp_path: Path, cauce_command: Command
) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    said = refused(cauce_command(*arguments, cwd=tmp_path), exit_code)
    assert [part for part in expected if part not in said] == [], said


def test_labels_that_the_model_does_not_know_are_refused_by_evaluate(
    tmp_path: Path, model_folder: Path, cauce_command: Command
) -> None:
    (tmp_path / "a.csv").write_text("text,label\nsí,positive\nno,negativ\n")
    said = refused(cauce_command("evaluate", model_folder, "a.csv", cwd=tmp_path), 2)
    assert "a.csv, first at line 3" in said
    assert 'did you mean "negative"?' in said


def test_a_wrong_setting_is_refused_with_where_to_mend_it(tmp_path: Path, cauce_command: Command) -> None:
    (tmp_path / "cauce.toml").write_text('[cauce]\nthreads = "many"\n')
    said = refused(cauce_command("predict", "echo", "hola", cwd=tmp_path), 2)
    assert "'many'" in said
    assert "CAUCE_THREADS" in said
    assert "cauce.toml" in said
