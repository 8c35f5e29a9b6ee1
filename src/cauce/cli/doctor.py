"""`cauce doctor`: what this machine has, whether a model is sound, and what to do about what is not."""

from __future__ import annotations

import platform
import shlex
import time
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Annotated

import typer

from cauce.cli import options, show
from cauce.cli.models import open_model

if TYPE_CHECKING:
    from cauce.model.choice import Candidate

EXAMPLES = """\b
Examples:
  cauce doctor
  cauce doctor model/"""


def doctor(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="A model to examine too: a folder or a name.")] = None,
    variant: options.Variant = "auto",
    json: Annotated[bool, typer.Option("--json", help="The findings as JSON.")] = False,
) -> None:
    """Examine this machine and, if named, a model."""
    findings = _machine()
    if not json:
        show.table(("what", "state", "hint"), findings)
    examined = _model(model, variant) if model is not None else []
    if json:
        show.as_json([{"what": what, "state": state, "hint": hint} for what, state, hint in findings + examined])
    elif examined:
        show.say("")
        show.table(("what", "state", "hint"), examined)


def _machine() -> list[tuple[str, str, str]]:
    from cauce.model import processor
    from cauce.settings import settings
    from cauce.text import compiled, threads

    findings = [
        ("cauce", version("cauce"), ""),
        ("python", f"{platform.python_version()} on {platform.machine()}", ""),
        (
            "threads",
            f"{threads.threads()} (available: {threads.available()})",
            "" if settings().threads is None else "set by CAUCE_THREADS",
        ),
        ("processor", processor.name(), ""),
        ("home", str(settings().home), ""),
    ]
    folder = compiled.cache_folder()
    hint = "" if folder else "each start compiles again; set CAUCE_KERNEL_CACHE to a folder of your own"
    findings.append(("kernel cache", str(folder) if folder else "none: compiled in memory", hint))
    from cauce.model.model import load

    start = time.perf_counter()
    load("echo").predict(["warm"])
    findings.append(("kernels", f"ready after {time.perf_counter() - start:.2f} s", ""))
    return findings + [_extra(extra, packages) for extra, packages in sorted(_extras().items())]


def _model(name: str, variant: str) -> list[tuple[str, str, str]]:
    from cauce.model import choice
    from cauce.registry import named

    start = time.perf_counter()
    opened = open_model(name, variant)
    seconds = time.perf_counter() - start
    candidates, notes = ([], []) if name == "echo" else choice.survey(named.find(name).folder, opened.version)
    return [
        ("model", f"{opened.name}@{opened.version}", ""),
        ("labels", ", ".join(opened.labels), ""),
        ("variant", opened.variant, "" if variant == "auto" else "as asked for"),
        ("hashes and golden rows", f"right, loaded in {seconds:.2f} s", ""),
        *((f"variant {one.name}", one.state, _mend(one, name)) for one in candidates),
        *(("measurement", note, "") for note in notes),
    ]


def _mend(one: Candidate, name: str) -> str:
    """What to do about a variant that `auto` does not serve."""
    if one.gate is not None:
        return ""
    return f"cauce optimize {shlex.quote(name)}"


def _extras() -> dict[str, list[str]]:
    """The packages of each extra, from the installed metadata."""
    extras: dict[str, list[str]] = {}
    for line in requires("cauce") or []:
        if "extra ==" in line:
            extra = line.split("extra ==")[1].strip().strip("\"'")
            name = line.split(";")[0].split("[")[0]
            extras.setdefault(extra, []).append(
                "".join(char for char in name.split("=")[0].split("<")[0].split(">")[0].split("!")[0] if char.strip())
            )
    return extras


def _extra(extra: str, packages: list[str]) -> tuple[str, str, str]:
    missing = []
    for package in packages:
        try:
            version(package)
        except PackageNotFoundError:
            missing.append(package)
    if not missing:
        return f"extra {extra}", "installed", ""
    return f"extra {extra}", f"not installed ({', '.join(missing)})", f'pip install "cauce[{extra}]"'
