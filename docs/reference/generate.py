"""Make the reference pages from the code: settings, errors, commands, recipes. `make docs` runs it, a test holds it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cauce import errors
from cauce.model.rows import MEANINGS
from cauce.recipes.build import RECIPES, find
from cauce.settings import Serve, Settings, Stream, written
from cauce.stream.message import OF_MESSAGES

HERE = Path(__file__).parent
HEAD = "<!-- Made by `make docs` from the code. Change the code, not this page. -->\n\n"
MODELS = ("register", "list", "show", "promote", "rollback", "history", "diff", "quarantine", "prune", "alias", "mirror")
COMMANDS = (
    *("init", "label", "check", "train", "evaluate", "compare", "report", "optimize", "predict", "batch"),
    *("serve", "stream", "stream run", "stream autoscale", "stream status", "stream tail", "stream redrive", "bench", "embed"),
    *("models", *(f"models {name}" for name in MODELS)),
    *("vectors", "vectors train", "vectors near"),
    *("import", "export", "doctor"),
)
PIPE = {"line_too_long": "a line of a pipe is over `max_line_bytes`"}


def settings_page() -> str:
    """Every setting: name, environment variable, default, what it does."""
    lines = ["# Settings", "", "A flag goes before the environment, the environment before `cauce.toml`.", ""]
    for table in (Settings, Serve, Stream):
        lines += [f"## [{table.TABLE}]", ""]
        if table.PARTS:
            lines += [
                f"A table `[{table.TABLE}.NAME]` holds those of one {table.TABLE}, which go before `[{table.TABLE}]`.",
                "",
            ]
        for name, field in ((name, table.model_fields[field]) for name, field in written(table).items()):
            default = "none" if field.default in (None, "") else str(field.default).replace(str(Path.home()), "~")
            facts = f"Environment: `{table.model_config['env_prefix']}{name.upper()}`. Default: `{default}`."
            lines += [f"### {name}", "", f"{field.description}", "", facts, ""]
    return "\n".join(lines)


def errors_page() -> str:
    """Every error: code, exit code, HTTP status, what it means; and the codes of single rows."""
    lines = ["# Errors", "", "| code | exit | HTTP | what happened |", "|---|---|---|---|"]

    def walk(kind: type[errors.CauceError]) -> None:
        lines.append(f"| `{kind.code}` | {kind.exit_code} | {kind.http_status} | {(kind.__doc__ or '').splitlines()[0]} |")
        for child in kind.__subclasses__():
            if child.__module__ == errors.__name__:  # those of a row, which a server has loaded, are below
                walk(child)

    walk(errors.CauceError)
    lines += ["", "## Rows", ""]
    lines += ["A row that cannot be answered carries one of these in `error`; its neighbors are answered.", ""]
    lines += ["| code | what happened |", "|---|---|"]
    lines += [f"| `{code}` | {meaning} |" for code, meaning in {**MEANINGS, **PIPE}.items()]
    lines += ["", "## Messages", ""]
    lines += ["A message of a stream that cannot be answered becomes a dead letter with one of these, or of those above.", ""]
    lines += ["| code | what happened |", "|---|---|"]
    lines += [f"| `{code}` | {meaning} |" for code, meaning in OF_MESSAGES.items()]
    return "\n".join([*lines, ""])


def commands_page() -> str:
    """The help page of every command."""
    lines = ["# Commands", ""]
    for command in ((), *(name.split() for name in COMMANDS)):
        shown = subprocess.run(
            [sys.executable, "-m", "cauce", *command, "--help"],
            env={**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"},
            capture_output=True,
            check=True,
            text=True,
            encoding="utf-8",
        ).stdout.replace("python -m cauce", "cauce")
        page = "\n".join(line.rstrip() for line in shown.strip().splitlines())
        lines += [f"## {' '.join(('cauce', *command))}", "", "```", page, "```", ""]
    return "\n".join(lines)


def recipes_page() -> str:
    """The options of every recipe, and what its presets change."""
    lines = [
        "# Recipes",
        "",
        "`cauce train DATA --recipe NAME --preset PRESET --set OPTION=VALUE`. An option goes before the preset.",
        "",
    ]
    for name in RECIPES:
        kind = find(name).Options
        lines += [f"## {name}", ""]
        if not kind.model_fields:
            lines += ["No options: what there is to choose is chosen on dev.", ""]
            continue
        lines += ["| option | default | what it is |", "|---|---|---|"]
        for option, field in kind.model_fields.items():
            default = "none" if field.default is None else f"`{field.default}`"
            lines.append(f"| `{option}` | {default} | {field.description} |")
        changes = {
            preset: ", ".join(f"`{key}={value}`" for key, value in given.items()) for preset, given in kind.PRESETS.items()
        }
        lines += ["", *(f"- `--preset {preset}`: {given or 'the defaults'}." for preset, given in changes.items()), ""]
    return "\n".join(lines)


PAGES = {"settings.md": settings_page, "recipes.md": recipes_page, "errors.md": errors_page, "commands.md": commands_page}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(HEAD + page(), encoding="utf-8")
