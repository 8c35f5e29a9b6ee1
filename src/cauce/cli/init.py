"""`cauce init`: a folder to start in, with every setting and a few texts to label."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from cauce.cli import show
from cauce.errors import OutputExists, writing

EXAMPLES = """\b
Examples:
  cauce init
  cauce init reviews/"""

MESSAGES = """\
text,label
"(example: replace it) The parcel came a day early and everything works.",positive
"(ejemplo: cámbialo) Llevo dos semanas esperando y nadie contesta.",negative
"(example: replace it) Where can I change my delivery address?",neutral
"(ejemplo: cámbialo) Me atendieron muy bien, volveré.",
"(example: replace it) The second one broke as well.",
"""


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to start in; made if it is not there.")] = Path(),
) -> None:
    """Write a `cauce.toml` with every setting, and a file of texts to label. Nothing is overwritten."""
    from cauce.settings import FILE

    if folder.exists() and not folder.is_dir():
        raise OutputExists(f"{folder} is a file", hint="name a folder: nothing was written")
    contents = {folder / FILE: _settings(), folder / "messages.csv": MESSAGES}
    for path in contents:
        if path.exists() or path.is_symlink():
            raise OutputExists(f"{path} exists already", hint="name another folder: nothing was written")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            with path.open("x", encoding="utf-8") as file:  # never over a file that came meanwhile
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
    settings_path, messages_path = contents
    show.say(f"{settings_path}  every setting, each switched off: take the # away to use it")
    show.say(f"{messages_path}  put your own texts in place of the five; a row may have its label already")
    inside = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    show.next_command(f"{inside}cauce label messages.csv --labels positive,negative,neutral")
    show.say("      cauce train messages.labeled.csv      (with ten texts or more of each label)")


def _settings() -> str:
    """`cauce.toml`, made from the settings themselves."""
    from cauce.settings import Settings

    lines = [
        "# The settings of Cauce in this folder. A flag or an environment variable goes first.",
        "",
        "[cauce]",
    ]
    for name, field in Settings.model_fields.items():
        lines += ["", f"# {field.description}", f"# {name} = {_value(field.default)}".rstrip()]
    return "\n".join([*lines, ""])


def _value(default: Any) -> str:
    """A default as TOML; nothing where there is none."""
    if default is None:
        return ""
    if isinstance(default, Path):
        default = str(default).replace(str(Path.home()), "~", 1)
    return json.dumps(default, ensure_ascii=False)
