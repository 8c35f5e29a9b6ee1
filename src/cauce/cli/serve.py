"""`cauce serve`: a model that answers over HTTP."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cauce.cli import options
from cauce.errors import CauceError, InputError, need

if TYPE_CHECKING:
    from cauce.online.served import Beside
    from cauce.settings import Serve

log = logging.getLogger("cauce.online")
NEEDED = ("fastapi_offline", "httptools", "orjson", "prometheus_client", "structlog", "uvicorn")

EXAMPLES = """\b
Examples:
  cauce serve model/
  cauce serve sentiment                        (a registered model: each promotion is taken over)
  cauce serve sentiment --canary sentiment@3f2a91=5%
  cauce serve mood=model/ topic=other/ --port 9000"""


def serve(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL", help="Model folders, registered models, or `echo`; `NAME=MODEL` gives a name."),
    ],
    host: Annotated[str | None, typer.Option(help="The address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0 for any. [default: 8000]")] = None,
    variant: options.Variant = "auto",
    canary: Annotated[
        str | None, typer.Option(metavar="MODEL=SHARE", help="Another version for a share of the first model's requests.")
    ] = None,
    shadow: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Another version that is asked the same, and answers nobody.")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(metavar="text|json", help="How the log on stderr is written. [default: text]")
    ] = None,
    access_log: Annotated[
        bool | None, typer.Option("--access-log", help="Log a line for each request, without its text.")
    ] = None,
) -> None:
    """Answer over HTTP: POST a text, get its label. The addresses are described at /docs."""
    for module in NEEDED:
        need(module, extra="serve", what="the server")
    from cauce.online import logs
    from cauce.settings import Serve, read

    settings = read(Serve, host=host, port=port, log_format=log_format, access_log=access_log)
    logs.configure(settings.log_format)
    try:
        _serve(models, settings, variant, canary, shadow)
    except CauceError as error:
        if settings.log_format == "text":
            raise
        log.critical(error.message, extra={"code": error.code, "hint": error.hint})
        raise typer.Exit(error.exit_code) from None


def _serve(models: list[str], settings: Serve, variant: str, canary: str | None, shadow: str | None) -> None:
    from cauce.online import server
    from cauce.online.metrics import Metrics
    from cauce.online.served import Beside, Served

    sockets, metrics = server.bind(settings), Metrics()
    served = []
    for number, text in enumerate(models):
        name, place = _named(text)
        first = number == 0
        served.append(
            Served(
                place,
                name=name,
                variant=variant,
                canary=_canary(canary) if canary and first else None,
                shadow=Beside(shadow) if shadow and first else None,
                seen=metrics.seen,
                max_wait=settings.max_wait_ms / 1e3,
            )
        )
    for one in served:
        one.load()
        log.info("%s is loaded", one.name)
    server.run(served, settings, metrics, sockets, lambda at: log.info("listening on %s", at, extra={"docs": f"{at}/docs"}))


def _named(text: str) -> tuple[str, str]:
    """Name and place of `NAME=MODEL`; a folder may have a `=` in its name."""
    if Path(text).is_dir():
        return "", text
    name, _, place = text.partition("=") if "=" in text else ("", "", text)
    return name, place


def _canary(text: str) -> Beside:
    from cauce.online.served import Beside

    model, _, share = text.rpartition("=")
    try:
        number = float(share.removesuffix("%")) / (100 if share.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if not model or not 0 <= number <= 1:
        raise InputError(f'the canary "{text}" has no share', hint="write it as MODEL=5%")
    return Beside(model, number)
