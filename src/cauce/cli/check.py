"""`cauce check`: what is wrong with labeled data, and what to do about it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cauce.cli import options, show
from cauce.errors import CauceError

if TYPE_CHECKING:
    from cauce.data.clean import Changes
    from cauce.data.columns import Columns
    from cauce.data.findings import Finding, Findings

EXAMPLES = """\b
Examples:
  cauce check messages.csv
  cauce check train.csv --against test.csv --fix train_clean.csv
  cauce check messages.csv --strict --json      (exit code 1 where a finding is to be mended)"""

ROLES = ("text", "label", "category", "number", "boolean", "ignore")
COLORS = {"error": "red", "warning": "yellow", "info": "cyan"}


def check(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A labeled file, as for training.")],
    against: Annotated[str | None, typer.Option(help="A test file: which of its texts stand in DATA.")] = None,
    fix: Annotated[Path | None, typer.Option(help="Write a cleaned copy (CSV) here. DATA stays as it is.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over the copy that is there.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 where there is an error or a warning.")] = False,
    text: options.Text = None,
    label: options.Label = None,
    category: options.Category = None,
    number: options.Number = None,
    boolean: options.Boolean = None,
    ignore: options.Ignore = None,
    time: options.Time = None,
    id_: options.Id = None,
    label_delimiter: options.Delimiter = None,
    task: options.Kind = None,
    json: Annotated[bool, typer.Option("--json", help="Everything as one JSON document.")] = False,
) -> None:
    """Find what is wrong with labeled data before a model learns it. Without --strict the exit code is 0."""
    from cauce.data.check import check as examine
    from cauce.data.clean import clean
    from cauce.data.read import read
    from cauce.data.tables import read_table

    columns = options.columns(text, label, category, number, boolean, ignore, time, id_, label_delimiter, task)
    source = read_table(data)
    test = None if against is None else read(against, columns)
    findings = examine(source, columns, against=test)
    changes = None if fix is None else clean(source, fix, columns, against=test, replace=replace)
    if json:
        show.as_json({**findings.as_dict(), "fixed": changes.as_dict() if changes else None})
    else:
        _print(findings)
        if changes:
            _print_changes(changes)
        _next(findings, data, against, fix, _flags(columns))
    if strict and not findings.clean:
        raise typer.Exit(CauceError.exit_code)


def _print(findings: Findings) -> None:
    for note in findings.notes:
        show.note(note)
    counts = ", ".join(f"{count} {severity}" for severity, count in findings.counts().items() if count)
    show.say(f"\n{findings.source}  {findings.rows} rows  {counts or 'nothing found'}\n")
    show.table(("severity", "finding", "count", "what"), [_row(finding) for finding in findings.findings])
    for finding in findings.findings:
        if not finding.rows and finding.severity == "info":
            continue
        show.say(f"\n{typer.style(finding.code, fg=COLORS[finding.severity])}: {finding.why}")
        for sample in finding.rows:
            show.say(f"  {findings.unit} {sample.line}: {sample.text}")
        show.say(f"  fix: {finding.fix}")
    if findings.clean:
        show.say("\nclean: nothing to mend")


def _row(finding: Finding) -> tuple[str, str, str, str]:
    return finding.severity, finding.code, str(finding.count), finding.what


def _print_changes(changes: Changes) -> None:
    show.say(f"\n{changes.out}  {changes.rows} rows")
    for what, count in changes.mended.items():
        show.say(f"  {what}: {count}")
    for reason, count in changes.dropped.items():
        show.say(f"  left out, {reason}: {count}")
    if changes.left_out:
        show.say(f"  what was left out is in {changes.left_out}")


def _next(findings: Findings, data: str, against: str | None, fix: Path | None, flags: str) -> None:
    """The command to type next: to mend what can be, or to train where nothing stands in the way."""
    if fix is not None:
        show.next_command(f"cauce check {shlex.quote(str(fix))}{flags}")
    elif any("--fix" in finding.fix for finding in findings.findings if finding.severity != "info"):
        copy = Path(data).with_suffix("").name + "_clean.csv"
        test = f" --against {shlex.quote(against)}" if against else ""
        show.next_command(f"cauce check {shlex.quote(data)}{test}{flags} --fix {shlex.quote(copy)}")
    elif not findings.counts()["error"]:
        show.next_command(f"cauce train {shlex.quote(data)}{flags}")


def _flags(columns: Columns) -> str:
    """The columns as they were named on the command line."""
    named = [(flag, name) for flag in ROLES for name in getattr(columns, flag)]
    single = [("time", columns.time), ("id", columns.id), ("label-delimiter", columns.label_delimiter), ("task", columns.task)]
    return "".join(f" --{flag} {shlex.quote(name)}" for flag, name in (*named, *single) if name)
