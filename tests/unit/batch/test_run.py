from __future__ import annotations

import gzip
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import cauce
from cauce.batch import text_files
from cauce.batch.commit import Folder
from cauce.batch.options import Options
from cauce.batch.run import finish, run
from cauce.errors import (
    BadCondition,
    ColumnMissing,
    EmptyData,
    FileChanged,
    FileMissing,
    Incomplete,
    InputError,
    InUse,
    OutputExists,
    Stopped,
    TooManyDeadLetters,
    UnknownName,
    UnreadableData,
    WrongRows,
)
from cauce.model.model import echo_model
from cauce.runtimes.echo import Echo
from cauce.settings import settings

Rows = list[dict[str, Any]]
Write = Callable[[Path, Rows], Path]
Read = Callable[[Path], Rows]
KINDS = (".csv", ".jsonl", ".parquet", ".arrow", ".arrows")
FORMATS = ("csv", "jsonl", "parquet", "arrow")


@pytest.fixture(autouse=True)
def _small_fragments(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CAUCE_FRAGMENT_BYTES", "600")
    settings.cache_clear()
    yield
    settings.cache_clear()


def messages(count: int, start: int = 0) -> Rows:
    words = ("me encanta", "it broke", 'so "good", really\nyes', "ni fu ni fa; ñandú 😡")
    return [{"id": n, "text": f"{words[n % 4]} {n}", "likes": n / 4} for n in range(start, start + count)]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_in_every_format_has_the_rows_in_order_with_the_models_answers(
    kind: str, form: str, tmp_path: Path, model: cauce.Model, write: Write, read: Read
) -> None:
    rows = messages(50)
    summary = run(model, [str(write(tmp_path / f"in{kind}", rows))], str(tmp_path / "out"), Options(format=form))
    found = read(tmp_path / "out")
    answers = model.predict([row["text"] for row in rows])
    for row, answer, was in zip(found, answers, rows, strict=True):
        assert (row["text"], str(row["id"])) == (was["text"], str(was["id"]))
        assert float(row["likes"]) == was["likes"]
        assert (row["label"], row["model_version"], row["variant"]) == (answer.label, model.version, model.variant)
        assert float(row["score"]) == pytest.approx(answer.score, abs=1e-6)
        scores = json.loads(row["scores"]) if form == "csv" else row["scores"]
        assert scores == pytest.approx([answer.scores[label] for label in model.labels], abs=1e-6)
    assert summary.manifest is not None
    assert summary.manifest["rows"] == {"read": 50, "in": 50, "out": 50, "unselected": 0, "dead_letters": 0}
    assert sum(summary.manifest["labels"].values()) == 50
    assert len(summary.manifest["parts"]) > 1
    assert json.loads((tmp_path / "out" / "manifest.json").read_bytes()) == json.loads(json.dumps(summary.manifest))


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_in_pieces_writes_what_a_job_at_once_writes(
    kind: str, tmp_path: Path, model: cauce.Model, write: Write, read: Read
) -> None:
    source = str(write(tmp_path / f"in{kind}", messages(60)))
    run(model, [source], str(tmp_path / "whole"))
    stop = threading.Event()
    with pytest.raises(Stopped) as stopped:
        run(model, [source], str(tmp_path / "pieces"), progress=lambda _: stop.set(), stop=stop)
    assert "run the same command again" in stopped.value.hint
    assert 0 < len(read(tmp_path / "pieces")) < 60
    run(model, [source], str(tmp_path / "pieces"))
    assert read(tmp_path / "pieces") == read(tmp_path / "whole")


def test_what_is_done_is_never_scored_again(tmp_path: Path, model: cauce.Model, write: Write) -> None:
    source = str(write(tmp_path / "in.csv", messages(60)))
    run(model, [source], str(tmp_path / "out"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    seen = []
    run(model, [source], str(tmp_path / "out"), progress=seen.append)
    assert not seen
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_dead_letters_say_file_row_line_reason_and_the_row(tmp_path: Path, model: cauce.Model, read: Read, dead: Read) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(b'id,text\n1,fine\n2,"two\nlines"\n3\n4,"not closed\n5,\n6,\xff\n7,too,many\n\n8,last\n')
    with pytest.raises(TooManyDeadLetters, match=r"5 of the first 8 rows .*(ragged_row \(2\)).* row 7"):
        run(model, [str(source)], str(tmp_path / "out"))
    summary = run(model, [str(source)], str(tmp_path / "out"), max_error_rate=0.7)
    assert [row["id"] for row in read(tmp_path / "out")] == ["1", "2", "8"]
    assert [(one["row"], one["line"], one["code"], one["raw"]) for one in dead(tmp_path / "out")] == [
        (3, 5, "ragged_row", "3"),
        (4, 6, "wrong_quote", '4,"not closed'),
        (5, 7, "empty_text", "5,"),
        (6, 8, "invalid_utf8", "6,\\xff"),
        (7, 9, "ragged_row", "7,too,many"),
    ]
    assert {one["file"] for one in dead(tmp_path / "out")} == {str(source)}
    assert all(one["reason"] for one in dead(tmp_path / "out"))
    assert summary.manifest is not None
    assert summary.manifest["rows"]["read"] == summary.manifest["rows"]["out"] + summary.manifest["rows"]["dead_letters"] == 8


def test_lines_that_are_not_json_are_dead_letters(
    tmp_path: Path, model: cauce.Model, read: Read, dead: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "HEAD", 3000)  # bytes that tell the types: fewer than the file has
    lines = [
        '{"id": 1, "text": "fine", "tags": ["a", "b"]}', "", "{broken", "[1, 2]", '{"id": "x", "text": "other type"}',
        '{"id": 3, "text": "\\ud800 half"}', '{"text": null, "id": 4}', '{"text": "no id"}', '{"id": 9, "text": 7, "new": 1}',
    ]  # fmt: skip
    head = "".join(json.dumps({"id": n, "text": f"row {n}", "tags": []}) + "\n" for n in range(100))
    (tmp_path / "in.jsonl").write_text(head + "\n".join(lines), "utf-8")
    run(model, [str(tmp_path / "in.jsonl")], str(tmp_path / "out"), max_error_rate=1)
    codes = [(one["row"], one["line"], one["code"]) for one in dead(tmp_path / "out")]
    assert codes == [
        (102, 103, "not_json"), (103, 104, "not_json"), (104, 105, "wrong_type"), (105, 106, "invalid_utf8"),
        (106, 107, "missing_input"),
    ]  # fmt: skip
    last = [(row["id"], row["text"], row["tags"]) for row in read(tmp_path / "out")][-3:]
    assert last == [(1, "fine", ["a", "b"]), (None, "no id", None), (9, "7", None)]


def test_bytes_that_are_not_utf8_in_parquet_are_dead_letters(
    tmp_path: Path, model: cauce.Model, read: Read, dead: Read
) -> None:
    text = pa.array([b"fine", b"\xff\xfe", b"fine too"]).view(pa.string())
    pa.parquet.write_table(pa.table({"text": text, "n": [1, 2, 3]}), tmp_path / "in.parquet")
    run(model, [str(tmp_path / "in.parquet")], str(tmp_path / "out"), max_error_rate=1)
    assert [row["n"] for row in read(tmp_path / "out")] == [1, 3]
    assert [(one["row"], one["code"], json.loads(one["raw"])["n"]) for one in dead(tmp_path / "out")] == [
        (2, "invalid_utf8", 2)
    ]


def test_a_run_with_too_many_dead_letters_stops_early(tmp_path: Path, model: cauce.Model, write: Write) -> None:
    rows = [{"text": ""}] * 500 + [{"text": "fine"}] * 30_000
    with pytest.raises(TooManyDeadLetters, match=r"of the first \d{3} rows .* empty_text") as wrong:
        run(model, [str(write(tmp_path / "in.csv", rows))], str(tmp_path / "out"))
    assert "--max-error-rate" in wrong.value.hint
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_where_columns_and_select_say_what_is_read_and_written(
    tmp_path: Path, model: cauce.Model, write: Write, read: Read
) -> None:
    for kind in KINDS:
        out = tmp_path / f"out{kind}"
        options = Options(columns=("id",), where="likes >= 5 and id != 30", select="score > 0.4 and label = 'positive'")
        summary = run(model, [str(write(tmp_path / f"in{kind}", messages(60)))], str(out), options)
        rows = [row for row in messages(60) if row["likes"] >= 5 and row["id"] != 30]
        answers = model.predict([row["text"] for row in rows])
        wanted = [row["id"] for row, one in zip(rows, answers, strict=True) if one.label == "positive" and one.score > 0.4]
        found = read(out)
        assert [int(row["id"]) for row in found] == wanted
        assert list(found[0]) == ["id", "label", "score", "scores", "truncated", "model_version", "variant"]
        assert summary.manifest is not None
        counts = summary.manifest["rows"]
        assert (counts["read"], counts["in"], counts["out"]) == (60, len(rows), len(wanted))
        assert counts["in"] == counts["out"] + counts["unselected"] + counts["dead_letters"]


def test_shards_together_make_the_whole(tmp_path: Path, model: cauce.Model, write: Write, read: Read) -> None:
    source, out = str(write(tmp_path / "in.csv", messages(80))), str(tmp_path / "out")
    run(model, [source], str(tmp_path / "whole"))
    assert run(model, [source], out, shard=(3, 3)).manifest is None
    with pytest.raises(Incomplete, match="fragments are not done") as wrong:
        finish(out)
    assert "--shard 1/3, --shard 2/3" in wrong.value.hint
    with pytest.raises(OutputExists, match="3 shards, not 2"):
        run(model, [source], out, shard=(1, 2))
    assert run(model, [source], out, shard=(1, 3)).manifest is None
    assert run(model, [source], out, shard=(2, 3)).manifest is not None
    assert finish(out).manifest is not None
    assert read(tmp_path / "out") == read(tmp_path / "whole")
    with pytest.raises(InputError, match="no shard 4 of 3"):
        run(model, [source], out, shard=(4, 3))


def test_append_adds_new_files_alone(tmp_path: Path, model: cauce.Model, write: Write, read: Read) -> None:
    out = str(tmp_path / "out")
    write(tmp_path / "in" / "monday.csv", messages(20))
    run(model, [str(tmp_path / "in")], out)
    parts = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}
    write(tmp_path / "in" / "tuesday.csv", messages(20, 20))
    with pytest.raises(OutputExists, match=r"1 file\(s\) are new .*tuesday") as wrong:
        run(model, [str(tmp_path / "in")], out)
    assert "--append" in wrong.value.hint
    (tmp_path / "in" / "monday.csv").unlink()
    summary = run(model, [str(tmp_path / "in")], out, append=True)
    assert [int(row["id"]) for row in read(tmp_path / "out")] == list(range(40))
    assert parts.items() <= {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}.items()
    assert summary.manifest is not None
    assert [one["rows"] for one in summary.manifest["inputs"]] == [20, 20]


def test_a_folder_holds_one_version_unless_told_otherwise(tmp_path: Path, model: cauce.Model, write: Write, read: Read) -> None:
    out = str(tmp_path / "out")
    write(tmp_path / "in" / "a.csv", messages(20))
    run(model, [str(tmp_path / "in")], out)
    with pytest.raises(OutputExists, match=r"answers of .* not of echo"):
        run(echo_model(), [str(tmp_path / "in")], out)
    write(tmp_path / "in" / "b.csv", messages(20, 20))
    with pytest.raises(OutputExists):
        run(echo_model(), [str(tmp_path / "in")], out, append=True)
    summary = run(echo_model(), [str(tmp_path / "in")], out, append=True, mixed_versions=True)
    assert summary.manifest is not None
    assert [one["name"] for one in summary.manifest["models"]] == [model.name, "echo"]
    assert {row["model_version"] for row in read(tmp_path / "out")} == {model.version, echo_model().version}


def test_an_input_that_changes_between_two_runs_is_refused(tmp_path: Path, model: cauce.Model, write: Write) -> None:
    source, out = write(tmp_path / "in.csv", messages(60)), str(tmp_path / "out")
    stop = threading.Event()
    with pytest.raises(Stopped):
        run(model, [str(source)], out, progress=lambda _: stop.set(), stop=stop)
    content = source.read_bytes()
    source.write_bytes(content.replace(b"encanta", b"ENCANTA"))
    with pytest.raises(FileChanged, match=r"in\.csv is not as it was"):
        run(model, [str(source)], out)
    source.write_bytes(content)  # the same content at another time is the same file
    assert run(model, [str(source)], out).manifest is not None
    source.unlink()
    with pytest.raises(FileMissing):
        run(model, [str(source)], out)


def test_another_option_in_the_same_folder_is_refused(tmp_path: Path, model: cauce.Model, write: Write) -> None:
    source, out = str(write(tmp_path / "in.csv", messages(20))), str(tmp_path / "out")
    run(model, [source], out)
    with pytest.raises(OutputExists, match="another --select: none"):
        run(model, [source], out, Options(select="score > 0.5"))
    with pytest.raises(OutputExists, match="another --to: csv"):
        run(model, [source], out, Options(format="jsonl"))


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, model: cauce.Model, write: Write) -> None:
    source = str(write(tmp_path / "in.csv", messages(20)))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(OutputExists, match=r"something else: notes\.txt"):
        run(model, [source], str(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name != ".cauce"] == ["notes.txt"]
    with pytest.raises(InputError, match="holds no job"):
        finish(str(tmp_path / "empty"))


def test_a_parquet_file_cut_in_half_is_told_before_anything_is_scored(tmp_path: Path, model: cauce.Model, write: Write) -> None:
    write(tmp_path / "in" / "a.parquet", messages(20))
    cut = write(tmp_path / "in" / "b.parquet", messages(20))
    cut.write_bytes(cut.read_bytes()[:300])
    with pytest.raises(UnreadableData, match="not parquet") as wrong:
        run(model, [str(tmp_path / "in")], str(tmp_path / "out"))
    assert wrong.value.where.endswith("b.parquet")
    assert not list((tmp_path / "out").glob("part-*"))


@pytest.mark.parametrize("kind", [".parquet", ".arrow", ".arrows"])
def test_a_damaged_file_is_an_error_with_its_name(kind: str, tmp_path: Path, model: cauce.Model, write: Write) -> None:
    path = write(tmp_path / f"in{kind}", messages(200))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3 : len(raw) // 3 + 200] = b"\xff" * 200
    path.write_bytes(bytes(raw))
    with pytest.raises((UnreadableData, TooManyDeadLetters)):
        run(model, [str(path)], str(tmp_path / "out"))


def test_a_column_renamed_between_files_is_told(tmp_path: Path, model: cauce.Model, write: Write) -> None:
    write(tmp_path / "in" / "a.csv", messages(5))
    write(tmp_path / "in" / "b.csv", [{"id": 1, "texto": "x", "likes": 1}])
    with pytest.raises(ColumnMissing, match='no column "text"') as wrong:
        run(model, [str(tmp_path / "in")], str(tmp_path / "out"))
    assert (wrong.value.where.endswith("b.csv"), wrong.value.hint) == (True, 'did you mean "texto"?')
    write(tmp_path / "in" / "b.csv", [{"id": 1, "text": "x", "Likes": 1}])
    with pytest.raises(ColumnMissing, match='"likes"') as wrong:
        run(model, [str(tmp_path / "in")], str(tmp_path / "out"))
    assert wrong.value.hint == 'did you mean "Likes"?'
    assert run(model, [str(tmp_path / "in")], str(tmp_path / "out"), Options(columns=("id",))).manifest is not None


def test_a_schema_that_differs_is_told_or_joined(tmp_path: Path, model: cauce.Model, write: Write, read: Read) -> None:
    write(tmp_path / "in" / "a.parquet", [{"text": "x", "n": 1}])
    write(tmp_path / "in" / "b.parquet", [{"text": "y", "n": 2.5}])
    run(model, [str(tmp_path / "in")], str(tmp_path / "out"))
    assert [row["n"] for row in read(tmp_path / "out")] == [1.0, 2.5]
    write(tmp_path / "in" / "c.parquet", [{"text": "y", "n": "many"}])
    with pytest.raises(UnreadableData, match=r'"n" holds string, in .*a\.parquet it holds double'):
        run(model, [str(tmp_path / "in")], str(tmp_path / "other"))
    write(tmp_path / "d.parquet", [{"text": 3}])
    with pytest.raises(WrongRows, match="int64"):
        run(model, [str(tmp_path / "d.parquet")], str(tmp_path / "other"))


def test_two_runs_into_one_folder_at_once_one_is_told(tmp_path: Path, model: cauce.Model, write: Write) -> None:
    source, out = str(write(tmp_path / "in.csv", messages(40))), tmp_path / "out"
    with Folder(out).lock(None), pytest.raises(InUse):
        run(model, [source], str(out))
    with Folder(out).lock((1, 2)):
        with pytest.raises(InUse):
            run(model, [source], str(out), shard=(1, 2))
        run(model, [source], str(out), shard=(2, 2))
        with pytest.raises(InUse):
            run(model, [source], str(out))


def test_a_row_of_100_mb_is_a_dead_letter(tmp_path: Path, model: cauce.Model, read: Read, dead: Read) -> None:
    with (tmp_path / "in.csv").open("wb") as file:
        file.write(b"text\nfine\n")
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b"\nfine too\n")
    run(model, [str(tmp_path / "in.csv")], str(tmp_path / "out"), max_error_rate=1)
    assert [row["text"] for row in read(tmp_path / "out")] == ["fine", "fine too"]
    (letter,) = dead(tmp_path / "out")
    assert (letter["row"], letter["code"], len(letter["raw"])) == (2, "line_too_long", 100_000)


def test_nothing_to_read_is_told(tmp_path: Path, model: cauce.Model, write: Write) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmptyData, match="no file to read"):
        run(model, [str(tmp_path / "empty")], str(tmp_path / "out"))
    with pytest.raises(EmptyData):
        run(model, [str(tmp_path / "*.csv")], str(tmp_path / "out"))
    with pytest.raises(FileMissing, match="there is no file"):
        run(model, [str(tmp_path / "in.csv")], str(tmp_path / "out"))
    (tmp_path / "header.csv").write_text("text\n")
    with pytest.raises(EmptyData, match="no rows"):
        run(model, [str(tmp_path / "header.csv")], str(tmp_path / "out"))
    (tmp_path / "a.docx").write_text("x")
    with pytest.raises(UnknownName, match="of a kind that is not read"):
        run(model, [str(tmp_path / "a.docx")], str(tmp_path / "out"))


def test_a_glob_that_matches_the_output_reads_only_the_input(
    tmp_path: Path, model: cauce.Model, write: Write, read: Read
) -> None:
    write(tmp_path / "in.csv", messages(20))
    sources = [str(tmp_path / "**" / "*.csv"), str(tmp_path)]
    for _ in range(2):
        run(model, sources, str(tmp_path / "out"))
        assert [int(row["id"]) for row in read(tmp_path / "out")] == list(range(20))


def test_other_encodings_and_archives_are_read_as_for_training(
    tmp_path: Path, model: cauce.Model, write: Write, read: Read
) -> None:
    content = "id;text\n" + "".join(f"{n};opinión número {n}, ¿qué tal?\n" for n in range(40))
    (tmp_path / "western.csv").write_bytes(content.encode("cp1252"))
    (tmp_path / "wide.csv").write_bytes(content.encode("utf-16"))
    (tmp_path / "mark.csv").write_bytes(content.encode("utf-8-sig"))
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(content.encode()))
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("inside.csv", content)
    wanted = [line.split(";")[1] for line in content.splitlines()[1:]]
    for name in ("western.csv", "wide.csv", "mark.csv", "packed.csv.gz", "packed.zip"):
        summary = run(model, [str(tmp_path / name)], str(tmp_path / f"out-{name}"))
        assert [row["text"] for row in read(tmp_path / f"out-{name}")] == wanted, name
        assert not list((tmp_path / f"out-{name}" / ".cauce").glob("room*"))
    assert "read with semicolons between the cells" in summary.notes


def test_the_text_may_have_another_name(tmp_path: Path, model: cauce.Model, write: Write, read: Read) -> None:
    rows = [{"id": n, "mensaje": f"me encanta {n}"} for n in range(5)]
    source = str(write(tmp_path / "in.parquet", rows))
    assert 'text is the column "mensaje"' in run(model, [source], str(tmp_path / "guessed")).notes
    source = str(write(tmp_path / "in.csv", rows))
    with pytest.raises(ColumnMissing, match='no column "text"') as wrong:
        run(model, [source], str(tmp_path / "out"))
    assert "--text" in wrong.value.hint
    run(model, [source], str(tmp_path / "out"), Options(text="mensaje"))
    assert [row["label"] for row in read(tmp_path / "out")] == [row["label"] for row in read(tmp_path / "guessed")]


def test_a_condition_that_cannot_be_read_is_told_before_anything_is_scored(
    tmp_path: Path, model: cauce.Model, write: Write
) -> None:
    source = str(write(tmp_path / "in.csv", messages(20)))
    for options in (Options(where="__import__('os')"), Options(select="score >"), Options(select="labell = 'x'")):
        with pytest.raises((BadCondition, ColumnMissing)):
            run(model, [source], str(tmp_path / "out"), options)
    assert not list((tmp_path / "out").glob("part-*"))


def test_a_row_that_a_runtime_fails_on_is_a_dead_letter(tmp_path: Path, write: Write, read: Read, dead: Read) -> None:
    rows = [{"text": f"message {n}" + (" boom" if n == 17 else "")} for n in range(40)]
    run(echo_model(Echo(fails_on="boom")), [str(write(tmp_path / "in.csv", rows))], str(tmp_path / "out"), max_error_rate=0.5)
    assert len(read(tmp_path / "out")) == 39
    assert [(one["row"], one["code"]) for one in dead(tmp_path / "out")] == [(18, "runtime_failed")]
