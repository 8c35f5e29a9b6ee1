"""A setting comes from the flag, the environment, cauce.toml or its default, in this order; a wrong one says where."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cauce.errors import BadSetting
from cauce.settings import Serve, Settings, Stream, read, settings


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder, no CAUCE_ variables, and settings that are read anew."""
    for name in os.environ:
        if name.startswith("CAUCE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def toml(text: str | bytes) -> None:
    Path("cauce.toml").write_bytes(text.encode() if isinstance(text, str) else text)


def test_without_anything_the_defaults_hold() -> None:
    assert settings().threads is None
    assert settings().max_line_bytes == 10_000_000


def test_the_file_wins_over_the_default() -> None:
    toml("[cauce]\nthreads = 3\n")
    assert (settings().threads, settings().max_line_bytes) == (3, 10_000_000)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("[cauce]\nthreads = 3\nmax_line_bytes = 77\n")
    monkeypatch.setenv("CAUCE_THREADS", "2")
    assert (settings().threads, settings().max_line_bytes) == (2, 77)


def test_a_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("[cauce]\nthreads = 3\n")
    monkeypatch.setenv("CAUCE_THREADS", "2")
    assert Settings(threads=1).threads == 1


def test_other_tables_of_the_file_are_left_to_their_owners() -> None:
    toml('[serve]\nport = 1\n[data.label_map]\nneutro = "neutral"\n')
    assert settings() == Settings()


def test_a_home_with_a_tilde_is_the_users() -> None:
    toml('[cauce]\nhome = "~/models"\n')
    assert settings().home == Path.home() / "models"


def test_an_empty_variable_is_as_if_it_were_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUCE_KERNEL_CACHE", "")
    assert settings().kernel_cache is None


@pytest.mark.parametrize(
    ("content", "said", "hint"),
    [
        ("[cauce]\nthread = 3\n", "thread", ""),
        ("[cauce]\nthreads = 0\n", "greater than 0", "CAUCE_THREADS"),
        ('[cauce]\nthreads = "many"\n', "'many'", "CAUCE_THREADS"),
        ("[cauce]\nmax_line_bytes = -1\n", "-1", "CAUCE_MAX_LINE_BYTES"),
        ("[cauce\n", "line 1", "mend the line"),
        ("cauce = 3\n", "cauce", "[cauce]"),
        (b"# espa\xf1ol\n[cauce]\nthreads = 2\n", "UTF-8", "UTF-8"),
    ],
    ids=["unknown key", "too small", "not a number", "negative", "not TOML", "not a table", "not UTF-8"],
)
def test_a_wrong_file_is_refused_with_what_to_do(content: str | bytes, said: str, hint: str) -> None:
    toml(content)
    with pytest.raises(BadSetting) as caught:
        settings()
    assert "cauce.toml" in caught.value.message + caught.value.hint
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.hint


def test_a_misspelt_setting_suggests_the_right_one() -> None:
    toml("[cauce]\nthread = 3\n")
    with pytest.raises(BadSetting) as caught:
        settings()
    assert caught.value.hint == 'did you mean "threads"?'


@pytest.mark.parametrize(
    ("name", "value"), [("THREADS", "0"), ("THREADS", "two"), ("MAX_LINE_BYTES", "10 MB"), ("MAX_LINE_BYTES", "0")]
)
def test_a_wrong_variable_is_refused_with_its_name_and_value(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"CAUCE_{name}", value)
    with pytest.raises(BadSetting) as caught:
        settings()
    assert name.lower() in caught.value.message
    assert repr(value) in caught.value.message
    assert f"CAUCE_{name}" in caught.value.hint


def test_a_part_goes_before_its_table_and_behind_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    toml('[stream]\ngroup = "all"\nmax_batch = 7\n[stream.cafe]\nfrom = "redis://host/raw"\nmax_batch = 9\nworkers = 2\n')
    assert (read(Stream).group, read(Stream).max_batch, read(Stream).from_) == ("all", 7, "")
    monkeypatch.setenv("CAUCE_STREAM_WORKERS", "3")
    monkeypatch.setenv("CAUCE_STREAM_FROM", "redis://other/raw")
    cafe = read(Stream, "cafe", group="mine")
    assert (cafe.from_, cafe.max_batch, cafe.group, cafe.workers) == ("redis://other/raw", 9, "mine", 3)


@pytest.mark.parametrize(
    ("content", "said", "hint"),
    [
        ("[stream.cafe]\nform = 'x'\n", "[stream.cafe] has no setting form", 'did you mean "from"?'),
        ("[stream]\nform = 'x'\n[stream.cafe]\n", "[stream] has no setting form", 'did you mean "from"?'),
        ("[stream.caffe]\n", "no [stream.cafe]", 'did you mean "caffe"?'),
        ("[stream.cafe]\nfrom = 3\n", 'the setting "from" is 3', "CAUCE_STREAM_FROM or [stream.cafe] from"),
        ("[stream]\ncafe = 3\n", "[stream] has no setting cafe", "the settings are: model, from, to"),
        ("", "no [stream.cafe]", "below a line [stream.cafe]"),
        (None, "no cauce.toml", "[stream.cafe]"),
    ],
)
def test_a_wrong_part_is_refused_with_what_to_do(content: str | None, said: str, hint: str) -> None:
    if content is not None:
        toml(content)
    with pytest.raises(BadSetting) as caught:
        read(Stream, "cafe")
    assert said in caught.value.message
    assert hint in caught.value.hint


def test_a_table_without_parts_refuses_one() -> None:
    toml("[serve.cafe]\nport = 3\n")
    with pytest.raises(BadSetting, match=r"\[serve\] has no setting cafe"):
        read(Serve)
