"""`cauce label`, run as a person runs it: through a pipe, in a terminal, killed, twice at once, on a full disk."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import random
import re
import resource
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[bytes]]

LABEL = [sys.executable, "-m", "cauce", "label"]
ROWS = 300


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Texts without a label, and a folder for them alone."""
    path = tmp_path / "texts.csv"
    path.write_text("id,text\n" + "".join(f"{n},mensaje número {n}\n" for n in range(ROWS)), encoding="utf-8")
    return path


def labels_of(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row["label"] for row in csv.DictReader(file)]


def answers_of(journal: Path) -> list[dict[str, object]]:
    return [entry for entry in map(json.loads, journal.read_text("utf-8").splitlines()) if "row" in entry]


def run(file: Path, keys: str, *options: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [*LABEL, str(file), "--labels", "yes,no", "--order", "file", *options]
    return subprocess.run(command, input=keys, capture_output=True, text=True, timeout=60, check=False, **more)  # type: ignore[call-overload,no-any-return]


def key(row: int) -> str:
    return "1" if row % 3 else "2"


def test_a_pipe_labels_and_the_next_run_goes_on(texts: Path) -> None:
    before = texts.read_bytes()
    first = run(texts, "1\nno\ns\nn\nmaybe, who knows\n?\nxx\nq\n")
    assert first.returncode == 0, first.stderr
    out = texts.with_name("texts.labeled.csv")
    assert labels_of(out)[:5] == ["yes", "no", "", "maybe, who knows", ""]
    assert "no label has the key xx" in first.stderr
    assert first.stdout == ""
    second = run(texts, "3\nu\nu\nu\n2\n")
    assert "going on after 4 answer(s)" in second.stderr
    assert "mensaje número 4" in second.stderr  # where the first stopped
    assert labels_of(out)[:5] == ["yes", "no", "no", "", ""]  # the skipped one was taken back too
    assert texts.read_bytes() == before
    assert "next: cauce train" in second.stderr


def test_json_lines_keep_every_column_and_its_kind(tmp_path: Path) -> None:
    rows = [{"text": "línea\u2028rara\nde dos", "stars": 5, "label": "yes"}, {"text": "otra", "stars": 0.5, "label": None}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(tmp_path / "a.jsonl", "no\n").returncode == 0
    written = [json.loads(line) for line in (tmp_path / "a.labeled.jsonl").read_text("utf-8").split("\n")[:-1]]
    assert [row["label"] for row in written] == ["yes", "no"]
    assert [row["text"] for row in written] == [row["text"] for row in rows]


def test_killed_at_any_moment_it_loses_no_answer(texts: Path) -> None:
    """Every answer that was confirmed is there, in its place, after any number of kills."""
    journal, done = texts.with_name("texts.labeled.csv.journal"), 0
    command = [*LABEL, str(texts), "--labels", "yes,no", "--order", "file"]
    for attempt in range(5):
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write("".join(f"{key(row)}\n" for row in range(done, ROWS)).encode())
            said = b""
            wanted = random.Random(attempt).randint(1, 50)
            while said.count(b"\n= ") < wanted and (block := os.read(process.stderr.fileno(), 1 << 12)):
                said += block
            process.kill()
            said += process.stderr.read()
        kept = answers_of(journal)
        assert [answer["row"] for answer in kept] == list(range(len(kept)))
        assert len(kept) >= done + said.count(b"\n= ")
        done = len(kept)
    assert 0 < done < ROWS
    assert not texts.with_name("texts.labeled.csv").exists()
    last = run(texts, "".join(f"{key(row)}\n" for row in range(done, ROWS)))
    assert last.returncode == 0, last.stderr
    assert labels_of(texts.with_name("texts.labeled.csv")) == ["yes" if row % 3 else "no" for row in range(ROWS)]
    assert sorted(path.name for path in texts.parent.iterdir()) == [
        "texts.csv",
        "texts.labeled.csv",
        "texts.labeled.csv.journal",
    ]


def test_the_useful_order_goes_on_where_it_stopped(messages: Path, tmp_path: Path) -> None:
    """The texts that come are the same in one session and in many, also after the model has begun to rank."""
    with messages.open(newline="", encoding="utf-8") as file:
        gold = {row["text"]: row["label"] for row in csv.DictReader(file)}
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in gold))
    shown: dict[str, list[int]] = {}
    for name, pieces in (("one", [24]), ("many", [7, 6, 11])):
        out = tmp_path / f"{name}.jsonl"
        start = 0
        for piece in pieces:
            keys = "".join(f"{1 + n % 3}\n" for n in range(start, start + piece)) + "q\n"
            start += piece
            done = run(tmp_path / "a.jsonl", keys, "--order", "useful", "--labels", "a,b,c", "--out", str(out))
            assert done.returncode == 0, done.stderr
        shown[name] = [int(str(answer["row"])) for answer in answers_of(tmp_path / f"{name}.jsonl.journal")]
    assert shown["one"] == shown["many"]
    assert len(set(shown["many"])) == 24


def test_a_model_suggests_and_its_doubts_come_first(model_folder: Path, tmp_path: Path) -> None:
    texts = [
        "me encanta, llegó antes de tiempo",
        "two weeks late and nobody answers the phone",
        "qwzx",
        "¡excelente, lo recomiendo!",
    ]
    (tmp_path / "a.csv").write_text("text\n" + "".join(f'"{text}"\n' for text in texts), encoding="utf-8")
    done = subprocess.run(
        [*LABEL, "a.csv", "--model", str(model_folder)],
        cwd=tmp_path,
        input="q\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first = done.stderr.split("left]")[1]
    assert "qwzx" in first
    assert re.search(r"model: (negative|neutral|positive) 0\.\d\d", first)
    quiet = subprocess.run(
        [*LABEL, "a.csv", "--model", str(model_folder), "--no-suggest"],
        cwd=tmp_path,
        input="q\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "model:" not in quiet.stderr


def test_a_second_session_on_the_same_file_is_refused(texts: Path) -> None:
    with subprocess.Popen([*LABEL, str(texts), "--labels", "yes,no"], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        assert first.stdin is not None
        assert first.stderr is not None
        while b"left]" not in first.stderr.readline():
            pass
        second = run(texts, "1\n")
        assert second.returncode == 4
        assert "is held by another session" in second.stderr
        elsewhere = run(texts, "1\n", "--out", str(texts.with_name("mine.csv")))
        assert elsewhere.returncode == 0, elsewhere.stderr
        first.stdin.write(b"1\nq\n")
        first.stdin.close()
        first.stderr.read()
    assert first.returncode == 0


def test_a_changed_file_is_refused_with_its_reason(texts: Path) -> None:
    run(texts, "1\nq\n")
    texts.write_text(texts.read_text("utf-8").replace("número 7\n", "número siete\n"), encoding="utf-8")
    done = run(texts, "1\nq\n")
    assert done.returncode == 2
    assert "has changed since" in done.stderr
    assert len(answers_of(texts.with_name("texts.labeled.csv.journal"))) == 1


def test_a_disk_that_fills_up_keeps_every_answer_before(texts: Path) -> None:
    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))

    done = run(texts, "1\n" * 200, preexec_fn=small)
    assert done.returncode == 4
    assert "no space left" in done.stderr
    journal = texts.with_name("texts.labeled.csv.journal")
    kept = answers_of(journal)
    assert len(kept) == done.stderr.count("\n= ") > 10
    assert journal.read_bytes().endswith(b"\n")
    assert not texts.with_name("texts.labeled.csv").exists()
    assert run(texts, "q\n").returncode == 0  # with room again
    assert labels_of(texts.with_name("texts.labeled.csv")).count("yes") == len(kept)


def test_a_folder_that_is_read_only_is_told_before_the_first_text(texts: Path) -> None:
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
    texts.parent.chmod(0o555)
    try:
        command = [*(drop if os.geteuid() == 0 else []), *LABEL, str(texts), "--labels", "yes,no"]
        done = subprocess.run(command, input="1\n", capture_output=True, text=True, timeout=60, check=False)
    finally:
        texts.parent.chmod(0o755)
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "mensaje" not in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--out", "texts.csv"], "is the file itself"),
        (["--out", "a.csv", "--in-place"], "--out and --in-place"),
        (["--out", "a.xlsx"], "is of a kind that is not written"),
        (["--text", "nada"], 'no column "nada"'),
    ],
)
def test_wrong_options_are_told(texts: Path, options: list[str], said: str) -> None:
    done = run(texts, "1\n", *options, cwd=texts.parent)
    assert done.returncode == 2
    assert said in done.stderr
    assert [path.name for path in texts.parent.iterdir()] == ["texts.csv"]


class Person:
    """Somebody at a terminal."""

    def __init__(self, *options: str | Path) -> None:
        self.ours, theirs = pty.openpty()
        self.before = termios.tcgetattr(theirs)
        self.terminal = theirs
        self.process = subprocess.Popen(
            [*LABEL, *map(str, options)], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        self.said = ""

    def sees(self, words: str) -> str:
        """Wait for words; what was said up to them."""
        end = time.monotonic() + 40
        while words not in self.said:
            assert time.monotonic() < end, f"{words!r} did not come; {self.said!r}"
            if select.select([self.ours], [], [], 1)[0]:
                try:
                    self.said += os.read(self.ours, 4096).decode(errors="replace")
                except OSError:
                    raise AssertionError(f"it ended: {self.said!r}") from None
        before, self.said = self.said.split(words, 1)
        return before

    def hits(self, keys: str) -> None:
        time.sleep(0.15)  # a key before the text is on the screen does not count
        os.write(self.ours, keys.encode())

    def ends(self) -> int:
        """Wait for the end; the terminal is as it was."""
        code = self.process.wait(30)
        assert termios.tcgetattr(self.terminal)[:6] == self.before[:6]
        return code


@pytest.fixture
def person() -> Iterator[Callable[..., Person]]:
    people: list[Person] = []

    def sit_down(*options: str | Path) -> Person:
        people.append(Person(*options))
        return people[-1]

    yield sit_down
    for one in people:
        with contextlib.suppress(ProcessLookupError):
            one.process.kill()
        one.process.wait()
        os.close(one.ours)
        os.close(one.terminal)


def test_single_keys_in_a_terminal(texts: Path, person: Callable[..., Person]) -> None:
    somebody = person(texts, "--labels", "yes,no", "--order", "file")
    somebody.sees("número 0\r\n")
    somebody.hits("\x1b[A")  # an arrow is no answer
    somebody.hits("\x1b1")  # nor is Alt and a key
    somebody.hits("2")
    somebody.sees("= no")
    somebody.sees("número 1\r\n")
    somebody.hits("n")
    somebody.sees("then Enter")
    somebody.hits("quizáz\x7fs\n")
    somebody.sees("its key is 3")
    somebody.sees("número 2\r\n")
    somebody.hits("x")
    somebody.sees("no label has the key x")
    somebody.hits("3")
    somebody.sees("número 3\r\n")
    somebody.hits("u")
    somebody.sees("taken back: quizás")
    somebody.sees("número 2\r\n")
    somebody.hits("q")
    assert somebody.ends() == 0
    assert labels_of(texts.with_name("texts.labeled.csv"))[:4] == ["no", "quizás", "", ""]


def test_keys_that_were_hit_before_a_text_was_shown_do_not_label_it(texts: Path, person: Callable[..., Person]) -> None:
    somebody = person(texts, "--labels", "yes,no", "--order", "file")
    somebody.hits("1")  # while it starts
    somebody.sees("número 0\r\n")
    somebody.hits("2222")  # a key that was held down
    somebody.sees("número 1\r\n")
    somebody.hits("q")
    assert somebody.ends() == 0
    assert labels_of(texts.with_name("texts.labeled.csv"))[:3] == ["no", "", ""]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_in_a_terminal_it_saves_and_gives_the_terminal_back(
    texts: Path, person: Callable[..., Person], stop: signal.Signals
) -> None:
    somebody = person(texts, "--labels", "yes,no", "--order", "file")
    somebody.sees("número 0\r\n")
    somebody.hits("1")
    somebody.sees("número 1\r\n")
    somebody.process.send_signal(stop)
    assert somebody.ends() == 130
    assert labels_of(texts.with_name("texts.labeled.csv"))[:2] == ["yes", ""]


def test_a_text_cannot_command_the_terminal(tmp_path: Path, person: Callable[..., Person]) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202eabc\x9b31m 👩‍💻 fin\tde\r"
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": evil, "label": None}) + "\n")
    somebody = person(tmp_path / "a.jsonl", "--labels", "x\x1b[31m,y")
    said = somebody.sees("fin")
    assert "␛]0;owned␇␛[2J‹U+202E›abc‹U+009B›31m 👩‍💻 " in said
    for char in "\x07\u202e\x9b":
        assert char not in said
    assert "owned" not in said.replace("␛]0;owned", "")
    somebody.hits("q")
    somebody.ends()
