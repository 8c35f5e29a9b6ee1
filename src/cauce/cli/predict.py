"""`cauce predict`: answers for texts on the command line, or line by line from a pipe."""

from __future__ import annotations

import json as codec
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from cauce.cli import options, show
from cauce.cli.models import open_model
from cauce.errors import InputError

if TYPE_CHECKING:
    from cauce.model.model import Explanation, Model
    from cauce.model.predictions import Prediction

EXAMPLES = """\b
Examples:
  cauce predict model/ "me encanta, llegó antes de tiempo"
  cauce predict model/ "it broke after a day" --explain
  cauce predict model/ '{"age": 41, "job": "services"}'     (a row, for a model that reads columns)
  cauce predict model/ - < texts.txt > answers.jsonl      (a text or a JSON object a line)"""

BLOCK = 1 << 18  # bytes read at once, where that many have come


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a registered model (`name@…`), or `echo`.")],
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT",
            help="Texts (or JSON objects, for a model of several columns), or `-` to read them from a pipe, one a line.",
        ),
    ],
    top_k: Annotated[int | None, typer.Option(min=1, help="Show only the K best labels.")] = None,
    min_score: Annotated[
        float, typer.Option(help="Give no label where the best score is lower; `cauce evaluate --precision` finds one.")
    ] = 0.0,
    variant: options.Variant = "auto",
    explain: Annotated[bool, typer.Option("--explain", help="Show what each word added to the label's logit.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Label texts. From a pipe (`-`) it streams: one JSON line for each line that comes."""
    opened = open_model(model, variant)
    if "-" in texts and len(texts) > 1:
        raise InputError("`-` stands alone: it reads the texts from a pipe", hint="give either - or texts")
    if texts == ["-"]:
        if explain:
            raise InputError("--explain reads texts from the command line", hint="give the text instead of -")
        _stream(opened, top_k, min_score)
        return
    rows: list[Any] = list(texts) if _reads_one_text(opened) else [_object(text, opened) for text in texts]
    answers = opened.predict(rows, top_k=top_k, min_score=min_score)
    for text, row, answer in zip(texts, rows, answers, strict=True):
        reasons = opened.explain(row) if explain and answer.error is None else None
        if json:
            extra = {"explain": _as_dict(reasons)} if reasons else {}
            asked = row if isinstance(row, dict) else {"text": text}
            show.as_json({**_beside(asked, opened), **_answer(opened, answer), **extra})
        else:
            _print(opened, text, answer, reasons, several=len(texts) > 1)
    if any(answer.error for answer in answers):
        raise typer.Exit(InputError.exit_code)


def _print(model: Model, text: str, answer: Prediction, reasons: Explanation | None, *, several: bool) -> None:
    if several:
        show.say(f"\n{text}")
    if answer.error:
        from cauce.model.rows import MEANINGS

        show.say(f"{typer.style('error:', fg='red')} {MEANINGS[answer.error]} ({answer.error})")
        return
    rows = [[label, f"{score:.3f}"] for label, score in answer.scores.items()]
    if answer.labels is not None:
        rows = [[*row, "yes" if row[0] in answer.labels else "no"] for row in rows]
    heads = {"classification": ("label", "score"), "multilabel": ("label", "score", "given"), "regression": ("of", "value")}
    show.table(heads[model.task], rows)
    if model.task == "classification" and answer.label is None:
        show.note("no label: the best score is under --min-score")
    if answer.truncated:
        show.note("the text is longer than the model reads: only its beginning counted")
    if reasons is None:
        return
    piece = "word" if _reads_one_text(model) else "piece"
    what = "value" if model.task == "regression" else "logit"
    sums = f"bias {reasons.bias:+.3f} and the {piece}s below add up to the {what} {reasons.logit:+.3f}"
    show.say(f"\nwhy {reasons.label}: {sums}\n")
    show.table((piece, "adds"), [(word, f"{share:+.3f}") for word, share in reasons.contributions])


def _answer(model: Model, answer: Prediction) -> dict[str, Any]:
    """An answer under the names that the Arrow columns have."""
    return {
        "label": answer.label,
        **({"labels": answer.labels} if model.task == "multilabel" else {}),
        "score": answer.score,
        "scores": answer.scores,
        "error": answer.error,
        "truncated": answer.truncated,
        "model_version": model.version,
        "variant": model.variant,
    }


def _as_dict(reasons: Explanation) -> dict[str, Any]:
    return {
        "label": reasons.label,
        "logit": reasons.logit,
        "bias": reasons.bias,
        "contributions": [{"word": word, "adds": share} for word, share in reasons.contributions],
    }


def _stream(model: Model, top_k: int | None, min_score: float) -> None:
    """Score lines as they come: alone when they come slowly, many at once when they come fast."""
    from cauce.settings import settings

    text_column = model.manifest.inputs[0].name if _reads_one_text(model) else None
    unanswered = 0
    for lines in _arriving(cast("BufferedReader", sys.stdin.buffer), settings().max_line_bytes):
        rows, codes = zip(*(_row(line, text_column) for line in lines), strict=True)
        for row, code, answer in zip(rows, codes, model.predict(rows, top_k=top_k, min_score=min_score), strict=True):
            fields = {**_answer(model, answer), "error": code or answer.error}
            unanswered += fields["error"] is not None
            sys.stdout.write(codec.dumps({**_beside(row, model), **fields}, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    if unanswered:
        show.note(f"{unanswered} line(s) have no answer; each says why in `error`")


def _arriving(source: BufferedReader, limit: int) -> Iterator[list[bytes | None]]:
    """The whole lines of each block that arrives. A line over `limit` bytes is None, and never held whole."""
    rest, over = b"", False
    while block := source.read1(BLOCK):
        first, *others = block.split(b"\n")
        rest = b"" if over else rest + first
        over = over or len(rest) > limit
        if others:
            lines = [None if over else rest, *others[:-1]]
            yield [None if line is None or len(line) > limit else line for line in lines]
            rest, over = others[-1], False
    if rest or over:
        yield [None if over else rest]


def _row(line: bytes | None, text_column: str | None) -> tuple[dict[str, Any], str | None]:
    """A line as a row, and the code of one that cannot be read. A JSON object is the row, anything else its text.

    Without a `text_column` every line must be an object.
    """
    nothing: dict[str, Any] = {} if text_column is None else {text_column: None}
    if line is None:
        return nothing, "line_too_long"
    try:
        text = line.decode().removesuffix("\r")
    except UnicodeDecodeError:
        return nothing, "invalid_utf8"
    if text.startswith("{"):
        with suppress(ValueError, RecursionError):
            row = codec.loads(text, parse_constant=lambda name: None)  # NaN, as some write what is missing, is no JSON
            if isinstance(row, dict):
                return row, None
    return (nothing, "wrong_type") if text_column is None else ({text_column: text}, None)


def _object(text: str, model: Model) -> dict[str, Any]:
    """A row that was typed as JSON.

    Raises:
        InputError: it is none.

    """
    row, code = _row(text.encode(errors="replace"), None)
    if code:
        names = ", ".join(f'"{one.name}": …' for one in model.manifest.inputs)
        raise InputError(f"not a JSON object: {text[:40]}", hint=f"this model reads columns, so give a row: '{{{names}}}'")
    return row


def _reads_one_text(model: Model) -> bool:
    return [one.type for one in model.manifest.inputs] == ["text"]


def _beside(row: dict[str, Any], model: Model) -> dict[str, Any]:
    """The row under the names that stay beside the answers."""
    from cauce.model.predictions import kept_names

    return dict(zip(kept_names(list(row), model.task), row.values(), strict=True))
