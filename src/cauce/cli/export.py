"""`cauce export`: a model for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cauce.cli import show

EXAMPLES = """\b
Examples:
  cauce export sentiment/ --to onnx --out sentiment-onnx/
  cauce export sentiment/ --to openvino --out sentiment-openvino/
  cauce export sentiment/ --to hf --out sentiment-hf/"""


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, or a registered model (`name@…`).")],
    to: Annotated[str, typer.Option(help="onnx (one file), openvino (xml and bin) or hf (a folder of transformers).")],
    out: Annotated[Path, typer.Option(help="The folder to write; it must not exist.")],
    variant: Annotated[str | None, typer.Option(help="A variant of the model. [default: the one it was written with]")] = None,
    json: Annotated[bool, typer.Option("--json", help="What was written, as JSON.")] = False,
) -> None:
    """Write a transformer or an LSTM for other programs, with its tokenizer and labels."""
    from cauce.optimization.export import export as write
    from cauce.registry.named import find

    place = find(model)
    if place.note:
        show.note(place.note)
    done = write(place.folder, to=to, out=out, variant=variant)
    for line in done.notes:
        show.note(line)
    if json:
        show.as_json({"folder": str(done.folder), "files": done.files, "notes": done.notes})
        return
    show.say(f"\n{done.folder}/  {', '.join(done.files)}")
