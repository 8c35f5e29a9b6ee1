"""`cauce serve`: a model that answers over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cauce.cli import options, show
from cauce.errors import InputError, need

if TYPE_CHECKING:
    from cauce.online.served import Beside

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
) -> None:
    """Answer over HTTP: POST a text, get its label. The addresses are described at /docs."""
    need("fastapi_offline", extra="serve", what="the server")
    need("uvicorn", extra="serve", what="the server")
    need("prometheus_client", extra="serve", what="the server")
    need("orjson", extra="serve", what="the server")
    from cauce.online import server
    from cauce.online.metrics import Metrics
    from cauce.online.served import Beside, Served
    from cauce.settings import Serve, read

    settings, metrics = read(Serve, host=host, port=port), Metrics()
    served = []
    for number, text in enumerate(models):
        name, _, place = text.rpartition("=")
        first = number == 0
        served.append(
            Served(
                place,
                name=name,
                variant=variant,
                canary=_canary(canary) if canary and first else None,
                shadow=Beside(shadow) if shadow and first else None,
                seen=metrics.seen,
            )
        )
    for one in served:
        one.load()
        show.say(f"{one.name} is loaded")
    server.run(served, settings, metrics, lambda address: show.say(f"listening on {address}  (docs: {address}/docs)"))


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
