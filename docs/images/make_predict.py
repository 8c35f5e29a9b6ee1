"""Makes predict.svg: a real terminal session, drawn from what the commands print now.

Run it from anywhere, with the virtual environment's Python:  .venv/bin/python docs/images/make_predict.py
"""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[2]
PICTURE = Path(__file__).with_name("predict.svg")
WIDTH = 92
TRAIN = "cauce train examples/data/messages.csv --out model"
PREDICT = 'cauce predict model "No está nada mal, me encanta" --explain'
CONTROL = re.compile(r"(\r?\n|\r|\x1b\[\d*A|\x1b\[2K|\x1b\[\?25[lh])")


def main() -> None:
    """Run the commands in a scratch folder and write the picture."""
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        (room / "examples").symlink_to(ROOT / "examples")
        typed(f"{TRAIN}-warm", room)  # the first training on a machine compiles: shown is what every later one takes
        session = [(command, typed(command, room)) for command in (TRAIN, PREDICT)]
    console = Console(width=WIDTH, record=True, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    for number, (command, shown) in enumerate(session):
        console.print(Text.assemble("\n" if number else "", ("$ ", "dim"), (command, "bold")))
        console.print(Text.from_ansi(shown))
    picture = console.export_svg(title="cauce", unique_id="cauce")
    picture = re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)  # the picture asks the network for nothing
    PICTURE.write_text(picture.rstrip() + "\n", encoding="utf-8")


def typed(command: str, folder: Path) -> str:
    """What a terminal shows when the command has ended, colors included.

    Raises:
        SystemExit: the command failed.

    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, WIDTH))
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    environment |= {"TERM": "xterm-256color", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    running = subprocess.Popen(shlex.split(command), cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    raw = b""
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # Linux says so when the last writer has gone
            break
        if not block:
            break
        raw += block
    os.close(ours)
    shown = settled(raw.decode())
    if running.wait():
        raise SystemExit(f"{command} ended with {running.returncode}:\n{shown}")
    return shown


def settled(raw: str) -> str:
    """What is left on the screen: the lines of a progress bar that were written over or erased are gone."""
    lines, row = [""], 0
    for piece in CONTROL.split(raw):
        if piece.endswith("\n"):
            row += 1
            lines += [""] * (row == len(lines))
        elif piece == "\x1b[2K":
            lines[row] = ""
        elif CONTROL.fullmatch(piece):
            row -= int(piece[2:-1] or 1) if piece.endswith("A") else 0
        else:
            lines[row] += piece
    return "\n".join(lines).strip("\n")


if __name__ == "__main__":
    main()
