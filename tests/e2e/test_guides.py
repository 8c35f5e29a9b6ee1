"""The guides: what a `$` line tells people to type is typed here, page by page; every other command is one that there is."""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from typer.main import get_command

from cauce.cli.main import app

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "README.es.md", *GUIDES, *sorted((ROOT / "docs" / "concepts").glob("*.md"))]
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(cauce [^`\n]+)`")
COMPLAINTS = ("llegó tarde", "nadie contesta", "es muy caro", "it came broken", "the price went up")
TAGS = ("delivery", "service", "price", "quality", "price")
SCRIPT = "set -eEuo pipefail\ntrap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n"


def write(path: Path, *rows: tuple[object, ...]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The examples, and the files that the guides speak of as the reader's own."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    random = Random(0)
    opinions = [(f"{random.choice(COMPLAINTS)}, {n * n} veces", random.choice(("bad", "good"))) for n in range(80)]
    write(tmp_path / "opinions.csv", ("text", "label"), *opinions, opinions[3])
    write(tmp_path / "opinions-test.csv", ("text", "label"), *opinions[70:], ("esto es otra cosa", "good"))
    customers = [(18 + n % 60, random.choice(("services", "admin")), n % 37, ("no", "yes")[n % 3 == 0]) for n in range(90)]
    write(tmp_path / "customers.csv", ("age", "job", "duration", "bought"), *customers)
    tickets = []
    for n in range(90):
        said = random.sample(range(len(COMPLAINTS)), 1 + n % 2)
        body, tags = " y ".join(COMPLAINTS[i] for i in said), ";".join(sorted({TAGS[i] for i in said}))
        tickets.append((f"caso {n}", f"{body} {n * n}", tags, n % 7 + 0.5, f"2026-0{1 + n % 9}-{1 + n % 28:02d}"))
    write(tmp_path / "tickets.csv", ("subject", "body", "tags", "hours", "date"), *tickets)
    return tmp_path


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_the_commands_of_a_guide_work_in_their_order(guide: Path, checkout: Path) -> None:
    found = CONSOLE.findall(guide.read_text("utf-8"))
    commands = [line[2:] for body in found for line in body.splitlines() if line.startswith("$ ")]
    assert commands
    done = subprocess.run(
        ["bash", "-c", SCRIPT + "\n".join(commands)],
        cwd=checkout,
        env={
            **os.environ,
            "CAUCE_HOME": str(checkout / "home"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def typed(page: Path) -> list[str]:
    """The commands of Cauce in the code blocks of a page, and those in its sentences."""
    text = page.read_text("utf-8")
    lines = [line.removeprefix("$ ") for body in FENCED.findall(text) for line in body.splitlines()]
    parts = [part.strip() for line in lines for part in re.split(r"\s\|\s|\s&&\s", line)]
    return [part for part in parts if part.startswith("cauce ")] + INLINE.findall(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_and_option_of_a_page_exists(page: Path) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for line in typed(page):
        arguments = [word for word in shlex.split(line.replace("…", ""))[1:] if word not in ("--debug", "--help")]
        if not arguments:
            continue
        command = commands[arguments[0]]
        if len(arguments) > 1:  # `cauce train` alone names the command
            command.make_context(arguments[0], arguments[1:], resilient_parsing="…" in line)


def test_an_option_that_is_gone_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ printf 'x' | cauce predict model - --best 3\n```\n", encoding="utf-8")
    (line,) = typed(page)
    with pytest.raises(Exception, match="No such option: --best"):
        get_command(app).commands["predict"].make_context("predict", shlex.split(line)[2:])  # type: ignore[attr-defined]
