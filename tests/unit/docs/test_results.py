"""The pages and tables of measured figures say what benchmarks/results say, and do without what was not measured."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "results.py"))


@pytest.fixture
def elsewhere(made: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Other results than those of the repository."""
    monkeypatch.setitem(made["result"].__globals__, "RESULTS", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["quality.md", "speed.md", "variants.md", "networks.md", "served.md", "streamed.md"])
def test_a_page_is_what_the_results_make_now(made: dict[str, Any], name: str) -> None:
    assert (ROOT / "docs" / name).read_text("utf-8") == made["HEAD"] + made["WHOLE"][name](), "run: make docs"


def test_the_tables_within_pages_are_what_the_results_make_now(made: dict[str, Any]) -> None:
    names = set()
    for page in made["PAGES_WITH_TABLES"]:
        text = (ROOT / page).read_text("utf-8")
        assert text == made["filled"](text), f"{page}: run: make docs"
        names |= {found[1] for found in made["BLOCK"].findall(text)}
    assert names == set(made["TABLES"])


def test_what_was_not_measured_is_said(made: dict[str, Any], elsewhere: Path) -> None:
    for make in (*made["WHOLE"].values(), *made["TABLES"].values()):
        assert "Not measured yet: run `make bench`." in make()


def test_test_figures_stand_beside_the_published_ones_as_soon_as_they_are_there(made: dict[str, Any], elsewhere: Path) -> None:
    now = json.loads((ROOT / "benchmarks" / "results" / "quality.json").read_text("utf-8"))
    row = next(iter(now["dev"].values())) | {"cauce": [70.04, 69.0, 71.0]}
    now |= {"test": {"tweeteval/emotion": row, "another": row}, "times_test_was_read": 1}
    (elsewhere / "quality.json").write_text(json.dumps(now), encoding="utf-8")
    page = made["WHOLE"]["quality.md"]()
    line = next(line for line in page.splitlines() if line.startswith("| tweeteval/emotion"))
    assert "70.0 [69.0, 71.0]" in line
    assert "FastText 65.2" in line
    assert "read the test parts is counted: 1 so far" in page
    short = made["TABLES"]["quality"]()
    assert "on test" in short
    assert "Choices were made" not in short
    assert "another" in short  # a data set that has no other name yet


def test_every_finding_of_the_data_doctor_is_in_the_guide() -> None:
    checks = "".join(path.read_text("utf-8") for path in (ROOT / "src" / "cauce" / "data" / "checks").glob("*.py"))
    codes = set(re.findall(r'^ +\(?"([a-z]+(?:_[a-z]+)*)",', checks, re.MULTILINE)) - {"warning", "info", "error"}
    guide = (ROOT / "docs" / "guides" / "data.md").read_text("utf-8")
    told = set(re.findall(r"^\| `([a-z_]+)`(?: \||: )", guide, re.MULTILINE)) - {"warning", "info", "error"}
    assert codes | {"test_overlap", "near_test_overlap"} == told
