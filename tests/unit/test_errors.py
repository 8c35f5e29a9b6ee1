"""The tree of errors is as drawn, and the helpers say what to do."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path

import pytest

from cauce import errors
from cauce.errors import CannotWrite, CauceError, InputError, MissingExtra, StorageFull, nearest, need, writing

NODE = re.compile(r"^(?P<stem>[│├└─ ]*)(?P<name>[A-Z]\w+)(?:\s+exit (?P<exit>\d+))?(?:\s+http (?P<http>\d+))?(?:\s|$)")


def drawn() -> dict[str, tuple[str | None, int, int]]:
    """Each class of the docstring's tree: its parent, exit code and HTTP status; what is not written is the parent's."""
    tree: dict[str, tuple[str | None, int, int]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines()[2:]:
        if not (node := NODE.match(line)):
            continue
        depth = len(node["stem"]) // 4
        path[depth:] = [node["name"]]
        parent = path[depth - 1] if depth else None
        _, exit_code, status = tree[parent] if parent else (None, 1, 500)
        tree[node["name"]] = (parent, int(node["exit"] or exit_code), int(node["http"] or status))
    return tree


def classes(root: type[CauceError] = CauceError) -> list[type[CauceError]]:
    ours = [child for child in root.__subclasses__() if child.__module__ == errors.__name__]
    return [root, *(found for child in ours for found in classes(child))]


def test_the_tree_in_the_docstring_is_the_tree_that_exists() -> None:
    exist = {
        error.__name__: (error.__base__.__name__ if error is not CauceError else None, error.exit_code, error.http_status)
        for error in classes()
        if error.__module__ == errors.__name__
    }
    assert drawn() == exist


@pytest.mark.parametrize("error", classes()[1:], ids=lambda error: error.__name__)
def test_every_error_has_a_code_of_its_own(error: type[CauceError]) -> None:
    assert [other.__name__ for other in classes() if other.code == error.code] == [error.__name__]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)


def test_an_error_tells_a_program_only_what_it_knows() -> None:
    full = InputError("what happened", where="here.csv, line 3", hint="what to do")
    assert full.as_dict() == {"code": "input", "message": "what happened", "where": "here.csv, line 3", "hint": "what to do"}
    assert json.loads(json.dumps(CauceError("what happened").as_dict())) == {"code": "error", "message": "what happened"}
    assert str(full) == "what happened"


def test_need_imports_what_is_installed() -> None:
    assert need("json", extra="serve", what="the server") is json


def test_need_names_the_pip_line_of_what_is_not_installed() -> None:
    with pytest.raises(MissingExtra, match="the web page needs not_installed_here") as caught:
        need("not_installed_here.part", extra="ui", what="the web page")
    assert caught.value.hint == 'install it with: pip install "cauce[ui]"'
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("word", "expected"),
    [("labl", 'did you mean "label"?'), ("label", 'did you mean "label"?'), ("zzz", ""), ("", "")],
)
def test_nearest_suggests_what_is_near_and_nothing_else(word: str, expected: str) -> None:
    assert nearest(word, ["text", "label", "country"]) == expected


def test_nearest_of_nothing_is_nothing() -> None:
    assert nearest("label", []) == ""


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EFBIG, StorageFull),
        (errno.EROFS, CannotWrite),
        (errno.EACCES, CannotWrite),
        (errno.EPERM, CannotWrite),
        (errno.ENOTDIR, CannotWrite),
    ],
    ids=errno.errorcode.get,
)
def test_what_the_system_refuses_to_write_names_the_place_and_says_what_to_do(
    number: int, expected: type[CauceError], tmp_path: Path
) -> None:
    with pytest.raises(expected) as caught, writing(tmp_path / "model"):
        raise OSError(number, "the system's words")
    assert str(tmp_path / "model") in caught.value.message
    assert caught.value.hint


def test_other_errors_of_the_system_are_not_renamed(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="input/output"), writing(tmp_path):
        raise OSError(errno.EIO, "input/output error")
