from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

import cauce
from cauce.batch.commit import put
from cauce.batch.remote import Remote
from cauce.batch.run import run
from cauce.errors import FileChanged, FileMissing, InputError, OutputExists, Unavailable
from cauce.settings import settings

Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty store, and small fragments."""
    monkeypatch.setenv("CAUCE_FRAGMENT_BYTES", "600")
    settings.cache_clear()
    store = fsspec.filesystem("memory")
    yield store
    store.rm("/", recursive=True)
    settings.cache_clear()


@pytest.fixture
def source(memory: Any) -> str:
    memory.pipe("/in/a.csv", b"text\n" + b"".join(b"me encanta %d\n" % n for n in range(100)))
    return "memory://in/*.csv"


def parts(memory: Any) -> dict[str, bytes]:
    return {name: memory.cat(name) for name in memory.find("/out") if "part-" in name}


def test_urls_in_and_out_give_what_files_give(
    source: str, memory: Any, tmp_path: Path, model: cauce.Model, read: Callable[[Path], Rows]
) -> None:
    summary = run(model, [source], "memory://out")
    assert summary.manifest is not None
    assert summary.manifest["rows"]["out"] == 100
    memory.get("/out", str(tmp_path / "out"), recursive=True)
    (tmp_path / "a.csv").write_bytes(memory.cat("/in/a.csv"))
    run(model, [str(tmp_path / "a.csv")], str(tmp_path / "local"))
    assert read(tmp_path / "out") == read(tmp_path / "local")


def test_a_job_that_a_store_interrupts_goes_on(
    source: str, memory: Any, model: cauce.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(model, [source], "memory://out")
    whole = parts(memory)
    memory.rm("/out", recursive=True)
    real, left = memory.put_file, [7]

    def fails(*arguments: object, **options: object) -> object:
        left[0] -= 1
        if not left[0]:
            raise ConnectionError("gone away")
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "put_file", lambda _, *arguments, **options: fails(*arguments, **options))
        with pytest.raises(Unavailable, match="gone away"):
            run(model, [source], "memory://out")
    assert 0 < len(parts(memory)) < len(whole)
    run(model, [source], "memory://out")
    assert parts(memory) == whole


def test_a_url_that_changes_is_told(source: str, memory: Any, model: cauce.Model) -> None:
    run(model, [source], "memory://out")
    memory.pipe("/in/a.csv", b"text\nother\n")
    with pytest.raises(FileChanged):
        run(model, [source], "memory://out")


def test_wrong_urls_are_told(memory: Any, model: cauce.Model, tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        run(model, ["memory://nothing.csv"], str(tmp_path / "out"))
    with pytest.raises(InputError, match="cannot be used"):
        run(model, ["nothing://x/a.csv"], str(tmp_path / "out"))
    memory.pipe("/out/notes.txt", b"mine")
    memory.pipe("/a.csv", b"text\nx\n")
    with pytest.raises(OutputExists):
        run(model, ["memory://a.csv"], "memory://out")


def test_a_file_is_put_whole_and_read_again(memory: Any) -> None:
    store = Remote("memory://place")
    put(store, "a/b.json", b"{}", "part")
    assert (store.read("a/b.json"), store.size("a/b.json"), store.names("a"), store.names("")) == (b"{}", 2, ["b.json"], ["a"])
    store.remove("a/b.json")
    store.remove("a/b.json")
    assert store.read("a/b.json") is None
