"""Where files of examples come from: archives, URLs, and files that somebody still writes to."""

from __future__ import annotations

import gzip
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import fsspec
import numpy as np
import pytest

from cauce.data.read import read
from cauce.errors import CauceError, DataTooLarge, FileMissing, InputError, UnreadableData
from cauce.settings import settings

TABLE = b"text,label\nhola,x\nquiz\xc3\xa1,y\n"


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def zip_bytes(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def texts(source: str | Path) -> list[str]:
    return read(source).rows.column("text").to_pylist()  # type: ignore[no-any-return]


def refusal(source: str | Path) -> CauceError:
    with pytest.raises(CauceError) as caught:
        read(source)
    assert caught.value.hint
    return caught.value


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CAUCE_MAX_DATA_BYTES", "1000")
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_a_zip_of_one_file_is_read_and_said(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", **{"README.md": b"hello", "folder/data.csv": TABLE, "__MACOSX/data.csv": b"\0"})
    assert texts(path) == ["hola", "quizá"]
    assert "read from the archive: folder/data.csv" in read(path).notes


def test_a_zip_of_several_names_them_and_a_member_can_be_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", **{"in/one.csv": TABLE, "in/two.csv": b"text,label\nb,y\n"})
    error = refusal(path)
    assert type(error) is FileMissing
    assert f"{path}/in/one.csv" in error.hint
    assert texts(f"{path}/in/two.csv") == ["b"]
    assert texts(path / "in" / "two.csv") == ["b"]
    missing = refusal(path / "in" / "too.csv")
    assert (type(missing), missing.hint) == (FileMissing, 'did you mean "in/two.csv"?')


def test_an_archive_in_an_archive_is_read(tmp_path: Path) -> None:
    inner = zip_bytes({"data.csv": TABLE, "other.csv": b"text,label\nb,y\n"})
    path = zipped(tmp_path / "outer.zip", **{"inner.zip": inner})
    assert texts(path / "inner.zip" / "data.csv") == ["hola", "quizá"]
    assert f"{path}/inner.zip/data.csv" in refusal(path).hint


def test_a_bomb_of_archives_is_refused(tmp_path: Path) -> None:
    raw = TABLE
    for depth in range(8):
        raw = zip_bytes({("data.csv" if depth == 0 else "inner.zip"): raw})
    path = tmp_path / "outer.zip"
    path.write_bytes(raw)
    assert type(refusal(path)) is UnreadableData


def test_a_pair_in_a_zip_is_read(tmp_path: Path) -> None:
    members = {"t/train_text.txt": b"a\nb\n", "t/train_labels.txt": b"0\n1\n", "t/mapping.txt": b"0\tno\n1\tyes\n"}
    assert read(zipped(tmp_path / "a.zip", **members)).labels.to_pylist() == ["no", "yes"]


@pytest.mark.parametrize("name", ["data.csv.gz", "DATA.CSV.GZ"])
def test_a_gz_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(gzip.compress(TABLE))
    assert texts(tmp_path / name) == ["hola", "quizá"]


@pytest.mark.parametrize("name", ["data.csv.gz", "data.zip"])
@pytest.mark.parametrize("damage", ["cut", "changed", "another"])
def test_a_broken_archive_is_refused(name: str, damage: str, tmp_path: Path) -> None:
    whole = gzip.compress(TABLE * 50) if name.endswith("gz") else zip_bytes({"data.csv": TABLE * 50})
    raw = {"cut": whole[: len(whole) // 2], "changed": whole[:45] + b"\xff\0\xff" + whole[48:], "another": TABLE}[damage]
    (tmp_path / name).write_bytes(raw)
    assert type(refusal(tmp_path / name)) is UnreadableData


@pytest.mark.parametrize("name", ["data.csv", "data.csv.gz", "data.zip"])
def test_a_file_over_the_limit_is_refused_packed_or_not(name: str, small_limit: None, tmp_path: Path) -> None:
    rows = b"text,label\n" + b"a,x\n" * 1000
    raw = {"data.csv": rows, "data.csv.gz": gzip.compress(rows)}.get(name) or zip_bytes({"data.csv": rows})
    (tmp_path / name).write_bytes(raw)
    error = refusal(tmp_path / name)
    assert type(error) is DataTooLarge
    assert "CAUCE_MAX_DATA_BYTES" in error.hint


def test_a_url_is_read(tmp_path: Path) -> None:
    with fsspec.open("memory://bucket/data.csv", "wb") as file:
        file.write(TABLE)
    with fsspec.open("memory://bucket/packed.zip", "wb") as file:
        file.write(zip_bytes({"one.csv": TABLE, "two.csv": TABLE}))
    assert texts("memory://bucket/data.csv") == ["hola", "quizá"]
    assert texts("memory://bucket/packed.zip/one.csv") == ["hola", "quizá"]
    (tmp_path / "x_text.txt").write_bytes(b"a\n")
    (tmp_path / "x_labels.txt").write_bytes(b"0\n")
    assert texts(f"file://{tmp_path}/x_text.txt") == ["a"]


@pytest.mark.parametrize("url", ["memory://bucket/none.csv", "nowhere://bucket/data.csv", "memory://bucket/packed.zap"])
def test_a_url_that_cannot_be_read_is_refused(url: str) -> None:
    assert isinstance(refusal(url), InputError)


def test_a_url_over_the_limit_is_refused(small_limit: None) -> None:
    with fsspec.open("memory://bucket/large.csv", "wb") as file:
        file.write(b"text,label\n" + b"a,x\n" * 1000)
    assert type(refusal("memory://bucket/large.csv")) is DataTooLarge


def test_a_file_that_grows_while_it_is_read_is_refused_and_gives_no_half_row(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"text,label\n" + b"a row that is long enough to be seen,whole\n" * 1_000_000)
    stop = threading.Event()

    def append() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"a row that is long en")
                file.write(b"ough to be seen,whole\n")
                stop.wait(0.001)

    writer = threading.Thread(target=append)
    writer.start()
    try:
        error = refusal(path)
    finally:
        stop.set()
        writer.join()
    assert type(error) is UnreadableData
    assert "changed while it was read" in error.message
    assert set(read(path).labels.to_pylist()) == {"whole"}


def test_a_last_line_without_an_end_in_a_file_of_this_moment_is_said(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"text,label\na,x\nb,y")
    assert "the last line has no end and was written a moment ago: is the file whole?" in read(tmp_path / "data.csv").notes


def test_the_bank_campaign_is_read_from_its_archive(real_data: Callable[[str], Path]) -> None:
    data = read(real_data("bank_marketing/bank-additional.zip") / "bank-additional" / "bank-full.csv")
    assert data.counts() == {"no": 39922, "yes": 5289}
    types = {one.name: one.type for one in data.inputs}
    assert (types["age"], types["job"], types["housing"], types["pdays"]) == ("number", "category", "boolean", "number")
    assert "read with semicolons between the cells" in data.notes


def test_a_damaged_zip_is_refused_or_read_and_fails_in_no_other_way(tmp_path: Path) -> None:
    whole, random = zip_bytes({"data.csv": TABLE}), np.random.default_rng(0)
    for size in range(1, len(whole)):
        raw = bytearray(whole)
        raw[int(random.integers(0, len(raw)))] = int(random.integers(0, 256))
        (tmp_path / "data.zip").write_bytes(raw[:size] if size % 2 else raw)
        with suppress(InputError):
            read(tmp_path / "data.zip")
