"""`cauce models`: versions under names, the pointer to the one that serves, and its history."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cauce.cli import show
from cauce.errors import InputError
from cauce.text.visible import visible

if TYPE_CHECKING:
    from cauce.model.model import Model
    from cauce.registry.records import Move, Version

EXAMPLES = """\b
Examples:
  cauce models register sentiment model/
  cauce models promote sentiment@3f2a91 --reason "better by 1.2 to 3.4 points"
  cauce predict sentiment "me encanta"
  cauce models rollback sentiment --reason "complaints since noon" --expect 4"""

SHORT = 12  # characters of a version on a terminal

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name that the model has in the registry.")]
NameAtVersion = Annotated[
    str, typer.Argument(metavar="NAME@VERSION", help="The beginning of a version (4 characters or more), or an alias.")
]
Reason = Annotated[str, typer.Option(help="Why. It stays in the history.", show_default=False)]
Actor = Annotated[str | None, typer.Option(help="Who. [default: your login name]", show_default=False)]
Alias = Annotated[str, typer.Option(help="The pointer.")]
Expect = Annotated[
    int | None,
    typer.Option(min=0, help="Only where the pointer stands at this generation (0: never set); else exit code 4."),
]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]

app = typer.Typer(
    help="Versions of models: register, promote, roll back, and who did it why.",
    rich_markup_mode=None,
    no_args_is_help=True,
    epilog=EXAMPLES,
)


def open_model(name: str, variant: str = "auto") -> Model:
    """Open a model by any of its names. Says where a folder hides a registered one, and why a variant does not serve.

    Raises:
        CauceError: as `cauce.load`.

    """
    from cauce.registry import named

    if name == "echo":
        return named.load(name, variant)
    place = named.find(name)
    opened = named.open_place(place, variant)
    for note in filter(None, (place.note, *opened.notes)):
        show.note(note)
    return opened


@app.command()
def register(
    name: Name,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A model folder; it is copied.")],
    actor: Actor = None,
    json: Json = False,
) -> None:
    """Copy a model folder into the registry, once it has proven that it answers as it was saved."""
    from cauce.model import choice
    from cauce.registry.registry import Registry

    version, new = Registry().register(name, folder, actor=actor)
    for one in choice.survey(folder, version.version)[0]:
        if one.variant is None:
            show.note(f"the variant {one.name} was left behind; it is {visible(one.state)}")
    if json:
        show.as_json({**version.as_dict(), "new": new})
        return
    show.say(f"{name}@{version.version}" if new else f"{name} has {version} already")
    if version.quarantine:
        show.note(f"it is in quarantine since {version.quarantine.time}: {visible(version.quarantine.reason)}")
    elif not version.aliases:
        show.next_command(f"cauce models promote {version} --reason WHY")


@app.command("list")
def list_(name: Annotated[str | None, typer.Argument(metavar="NAME", help="Its versions.")] = None, json: Json = False) -> None:
    """List the models, or the versions of one, the newest last."""
    from cauce.registry.registry import Registry

    registry = Registry()
    if name is None:
        rows = [_summary(registry.versions(each)) for each in registry.names()]
        if json:
            show.as_json(rows)
        else:
            cells = [(row["name"], (row["champion"] or "")[:SHORT], str(row["versions"]), row["newest"]) for row in rows]
            show.table(("name", "champion", "versions", "newest"), cells)
        if not rows and not json:
            show.next_command("cauce models register NAME FOLDER")
        return
    versions = registry.versions(name)
    if json:
        show.as_json([version.as_dict() for version in versions])
        return
    show.table(
        ("version", "pointers", "registered", "by", "state"),
        [(v.version[:SHORT], ", ".join(v.aliases), v.time, visible(v.actor), _state(v)) for v in versions],
    )


@app.command("show")
def show_(
    model: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="Without a version: the champion.")],
    json: Json = False,
) -> None:
    """Show a version: what it is, what was measured, who registered it."""
    from cauce.model import choice, folder
    from cauce.registry.diff import metrics
    from cauce.registry.registry import Registry

    registry = Registry()
    version = registry.find(model)
    registry.check_folder(version)
    manifest = folder.read(version.folder)
    measured = metrics(version.folder)
    candidates, notes = choice.survey(version.folder, version.version)
    if json:
        known = {"manifest": manifest.model_dump(mode="json"), "metrics": measured}
        show.as_json({**version.as_dict(), **known, "variants": [one.as_dict() for one in candidates]})
        return
    for note in notes:
        show.note(note)
    figures = {name: value for name, value in measured.items() if isinstance(value, dict) and "value" in value}
    shown = [
        ("version", version.version),
        ("pointers", ", ".join(version.aliases)),
        ("registered", f"{version.time} by {visible(version.actor)}"),
        ("state", _state(version)),
        ("task", manifest.task),
        ("labels", visible(", ".join(manifest.labels))),
        ("recipe", f"{manifest.recipe.name}, {manifest.data.rows} rows"),
        ("folder", str(version.folder)),
        *((f"variant {one.name}", visible(one.state)) for one in candidates),
        *((name, f"{value['value']:.4g} [{value['low']:.4g}, {value['high']:.4g}]") for name, value in figures.items()),
    ]
    show.table(("what", "value"), shown)


@app.command()
def promote(model: NameAtVersion, reason: Reason, actor: Actor = None, expect: Expect = None, json: Json = False) -> None:
    """Make a version the champion: the one that serves. Of two who promote at once, one is told (exit code 4)."""
    from cauce.registry import names
    from cauce.registry.registry import Registry

    _said(reason)
    registry, name = Registry(), names.parse(model).name
    before = registry.pointer(name)
    move = registry.promote(model, reason=reason, actor=actor, expect=expect)
    _moved(name, names.CHAMPION, move, json=json)
    if not json and before == move:
        show.note("it was the champion already: nothing was moved")


@app.command()
def rollback(
    name: Name,
    reason: Reason = "",
    alias: Alias = "champion",
    actor: Actor = None,
    expect: Expect = None,
    json: Json = False,
) -> None:
    """Go back to the version before, past those in quarantine. Again: one further back."""
    from cauce.registry.registry import Registry

    _moved(name, alias, Registry().rollback(name, reason=reason, alias=alias, actor=actor, expect=expect), json=json)


@app.command()
def history(name: Name, alias: Alias = "champion", json: Json = False) -> None:
    """Every move of a pointer: generation, version, who, why, when; the latest last."""
    from cauce.registry.registry import Registry

    moves = Registry().history(name, alias)
    if json:
        show.as_json([move.as_dict() for move in moves])
        return
    show.table(
        ("generation", "version", "action", "by", "time", "reason"),
        [(str(m.generation), (m.version or "")[:SHORT], m.action, visible(m.actor), m.time, visible(m.reason)) for m in moves],
    )


@app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A model: a folder, NAME or NAME@VERSION.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    json: Json = False,
) -> None:
    """Say what differs between two models: how they were made, their files, their figures."""
    from cauce.registry import named
    from cauce.registry.diff import diff as differences

    found = differences(named.find(a).folder, named.find(b).folder)
    if json:
        show.as_json([{"field": one.field, "a": one.a, "b": one.b} for one in found])
        return
    show.table(("field", a, b), [(one.field, _cell(one.a), _cell(one.b)) for one in found])
    if not found:
        show.say("no difference")


@app.command()
def quarantine(
    model: NameAtVersion,
    reason: Reason,
    release: Annotated[bool, typer.Option("--release", help="Let it out again.")] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Move pointers that name it back, in the same step.")] = False,
    actor: Actor = None,
    json: Json = False,
) -> None:
    """Keep a version from serving, under every name that it has."""
    from cauce.registry.registry import Registry

    _said(reason)
    if release and rollback:
        raise InputError("--release and --rollback are both given", hint="give one of them")
    registry, moved = Registry(), []
    if release:
        registry.release(model, reason=reason, actor=actor)
    else:
        version = registry.find(model)
        moved = registry.quarantine(model, reason=reason, actor=actor, rollback=rollback)
        model = str(version)
    if json:
        pointers = [{"name": name, "alias": alias, **move.as_dict()} for name, alias, move in moved]
        show.as_json({"model": model, "quarantined": not release, "moved": pointers})
        return
    show.say(f"{model} is {'free again' if release else 'in quarantine'}")
    for name, alias, move in moved:
        _moved(name, alias, move, json=False)


@app.command()
def prune(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only its versions. [default: all]")] = None,
    keep: Annotated[int, typer.Option(min=0, help="Keep this many of the newest of each name.")] = 5,
    days: Annotated[int, typer.Option(min=0, help="Keep what a pointer named within so many days.")] = 30,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them. Without it: say what would go.")] = False,
    json: Json = False,
) -> None:
    """Remove the folders of old versions. What a pointer names is never removed, nor is any history."""
    from cauce.registry.prune import prune as remove
    from cauce.registry.registry import Registry

    going = remove(Registry(), name=name, keep=keep, days=days, dry_run=not yes)
    if json:
        show.as_json({"removed": yes, "versions": [version.as_dict() for version in going]})
        return
    show.table(("model", "registered"), [(str(version), version.time) for version in going])
    if not going:
        show.say("nothing to remove")
    elif not yes:
        limits = f"--keep {keep} --days {days} --yes"
        show.next_command(f"cauce models prune {f'{shlex.quote(name)} ' if name else ''}{limits}")


@app.command()
def alias(
    model: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="With --remove: the name alone.")],
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="For example `challenger`.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take the alias away.")] = False,
    reason: Reason = "",
    actor: Actor = None,
    expect: Expect = None,
    json: Json = False,
) -> None:
    """Point another alias at a version; it has a history as the champion has."""
    from cauce.registry import names
    from cauce.registry.registry import Registry

    if alias == names.CHAMPION and not remove:
        raise InputError(f"the {alias} is moved by another command", hint=f"cauce models promote {model} --reason …")
    registry, name = Registry(), names.parse(model).name
    if remove:
        move = registry.remove_alias(name, alias, reason=reason, actor=actor)
    else:
        move = registry.promote(model, alias=alias, reason=reason, actor=actor, expect=expect)
    _moved(name, alias, move, json=json)


@app.command()
def mirror(
    mlflow: Annotated[str, typer.Option(metavar="URL", help="The tracking server, or a database as `sqlite:///mlflow.db`.")],
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this model. [default: all]")] = None,
    json: Json = False,
) -> None:
    """Copy versions and aliases to MLflow's registry, one way. Needs the extra mlflow."""
    from cauce.registry.mirror import mirror as copy
    from cauce.registry.registry import Registry

    copied = copy(Registry(), mlflow, name=name)
    if json:
        show.as_json([{"name": one.name, "version": one.version, "mlflow_version": number} for one, number in copied])
        return
    for one, number in copied:
        show.say(f"{one} is version {number} of {one.name} in MLflow")
    if not copied:
        show.say("MLflow has every version already")


def _said(reason: str) -> None:
    if not reason.strip():
        raise InputError("the reason is empty", hint="say why with --reason: it stays in the history")


def _moved(name: str, alias: str, move: Move, *, json: bool) -> None:
    if json:
        show.as_json({"name": name, "alias": alias, **move.as_dict()})
    elif move.version is None:
        show.say(f"{name} has no {alias} any more (generation {move.generation})")
    else:
        show.say(f"the {alias} of {name} is {move.version[:SHORT]} (generation {move.generation})")


def _summary(versions: list[Version]) -> dict[str, Any]:
    """A name in the list of all."""
    champion = next((version.version for version in versions if "champion" in version.aliases), None)
    newest = versions[-1]
    return {"name": newest.name, "champion": champion, "versions": len(versions), "newest": newest.time}


def _state(version: Version) -> str:
    if version.quarantine:
        return f"in quarantine: {visible(version.quarantine.reason)}"
    if version.pruned:
        return f"pruned at {version.pruned}"
    return "" if version.folder.is_dir() else "its folder is gone"


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = visible(f"{value:.4g}" if isinstance(value, float) else str(value))
    return text if len(text) <= 2 * SHORT else f"{text[: 2 * SHORT]}…"
