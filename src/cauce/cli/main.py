"""The command `cauce`: its commands, and how an error reaches the person who typed."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cauce.cli import (
    batch,
    bench,
    check,
    compare,
    doctor,
    embed,
    evaluate,
    export,
    import_,
    init,
    label,
    models,
    optimize,
    predict,
    report,
    serve,
    show,
    stream,
    train,
    vectors,
)
from cauce.errors import CauceError, Interrupted


class _Group(TyperGroup):
    """Turns our errors into one message, a hint and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed."""
        try:
            return super().invoke(ctx)
        except CauceError as wrong:
            caught = wrong
        except KeyboardInterrupt:
            caught = Interrupted("stopped by Ctrl-C; nothing half-written is left")
        except (OSError, RuntimeError, TypeError, ValueError, LookupError, ArithmeticError, MemoryError) as unexpected:
            if isinstance(unexpected, BrokenPipeError) or type(unexpected).__module__.startswith("typer."):
                raise  # typer's own: a usage error or an exit
            caught = CauceError(
                f"{type(unexpected).__name__}: {unexpected}",
                hint="this is a fault of Cauce; run again with `cauce --debug …` and report it",
            )
        if ctx.params.get("debug"):
            traceback.print_exc()
        show.error(caught)
        raise typer.Exit(caught.exit_code)


app = typer.Typer(
    cls=_Group,
    name="cauce",
    rich_markup_mode=None,  # plain help: importing rich would double the time to show it
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: cauce train messages.csv --out model/ — then: cauce predict model/ 'I love it'",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"cauce {version('cauce')}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """One text model, every current: from a labeled file to a model in production."""


app.command("init", epilog=init.EXAMPLES)(init.init)
app.command("label", epilog=label.EXAMPLES)(label.label)
app.command("check", epilog=check.EXAMPLES)(check.check)
app.command("train", epilog=train.EXAMPLES)(train.train)
app.command("evaluate", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command("compare", epilog=compare.EXAMPLES)(compare.compare)
app.command("report", epilog=report.EXAMPLES)(report.report)
app.command("optimize", epilog=optimize.EXAMPLES)(optimize.optimize)
app.command("predict", epilog=predict.EXAMPLES)(predict.predict)
app.command("batch", epilog=batch.EXAMPLES)(batch.batch)
app.command("serve", epilog=serve.EXAMPLES)(serve.serve)
app.add_typer(stream.app, name="stream")
app.command("bench", epilog=bench.EXAMPLES)(bench.bench)
app.command("embed", epilog=embed.EXAMPLES)(embed.embed)
app.add_typer(models.app, name="models")
app.command("import", epilog=import_.EXAMPLES)(import_.import_)
app.command("export", epilog=export.EXAMPLES)(export.export)
app.add_typer(vectors.app, name="vectors")
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)


def main() -> None:
    """The entry point. A lone surrogate leaves as its JSON escape."""
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    app()
