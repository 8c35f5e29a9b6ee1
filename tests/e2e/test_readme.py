"""What the README and its Spanish twin tell people to type works; what they show is what comes out."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "README.es.md"]
LINKED = [*PAGES, "CONTRIBUTING.md", *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md")))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]*)(?:#([^)]*))?\)")


def blocks(page: str, kind: str) -> list[str]:
    return [body for found, body in BLOCK.findall((ROOT / page).read_text("utf-8")) if found == kind]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the commands of the pages need of a checkout."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


def test_the_commands_of_the_readme_work_in_their_order(checkout: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    commands = [line[2:] for body in blocks("README.md", "console") for line in body.splitlines() if line.startswith("$ ")]
    assert commands
    for command in commands:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=checkout,
            env=environment,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr.decode()}"


def test_the_python_of_the_readme_works(checkout: Path) -> None:
    for body in blocks("README.md", "python"):
        subprocess.run([sys.executable, "-W", "error", "-c", body], cwd=checkout, capture_output=True, timeout=60, check=True)


def test_the_two_commands_are_targets_of_make() -> None:
    typed = "".join(blocks("README.md", "sh")).splitlines()
    targets = [line.split()[1] for line in typed if line.startswith("make ")]
    assert targets == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in [*targets, "setup", "prove", "lint", "bench"])


def test_the_spanish_readme_is_in_step() -> None:
    english, spanish = ((ROOT / page).read_text("utf-8") for page in ("README.md", "README.es.md"))
    for kind in ("sh", "console", "python"):
        assert blocks("README.md", kind) == blocks("README.es.md", kind)
    assert len(re.findall(r"^## ", english, re.MULTILINE)) == len(re.findall(r"^## ", spanish, re.MULTILINE))


def test_the_figures_of_the_readmes_are_those_that_were_measured() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "figures.py"))
    values, result = made["figures"](), made["demo"]()
    for page in ("README.md", "README.es.md"):
        now = (ROOT / page).read_text("utf-8")
        assert made["VARIES"].sub("", now) == made["VARIES"].sub("", made["filled"](now, values, result)), "run: make docs"
        assert all(f"<!-- figure: {name} -->" in now for name in values)


@pytest.mark.parametrize("page", LINKED)
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    for target, heading in LINK.findall((ROOT / page).read_text("utf-8")):
        if "://" in target:
            continue
        place = (ROOT / page).parent / target if target else ROOT / page
        assert place.exists(), target
        assert not heading or heading in anchors(place), f"{target}#{heading}"


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    heads = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
