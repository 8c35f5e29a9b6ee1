"""The reference pages say what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


@pytest.mark.parametrize("name", ["settings.md", "errors.md", "commands.md"])
def test_a_page_is_what_the_code_makes_now(name: str) -> None:
    made = runpy.run_path(str(REFERENCE / "generate.py"))
    assert (REFERENCE / name).read_text("utf-8") == made["HEAD"] + made["PAGES"][name](), "run: make docs"
