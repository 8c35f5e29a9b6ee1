"""`cauce predict`: answers for texts on the command line, or line by line from a pipe."""

from __future__ import annotations

import json as codec
import queue
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from cauce.cli import show
from cauce.errors import InputError

if TYPE_CHECKING:
    from cauce.model.model import Explanation, Model
    from cauce.model.predictions import Prediction

EXAMPLES = """\b
Examples:
  cauce predict model/ "me encanta, llegó antes de tiempo"
  cauce predict model/ "it broke after a day" --explain
  cauce predict model/ - < texts.txt > answers.jsonl      (a text or a JSON object a line)"""

AT_ONCE = 1024  # lines scored together when they come faster than they are answered
WAITING = 8 * AT_ONCE  # lines read ahead


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model folder, or `echo`.")],
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="Texts, or `-` to read them from a pipe, one a line.")],
    top_k: Annotated[int | None, typer.Option(min=1, help="Show only the K best labels.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show what each word added to the label's logit.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Label texts. From a pipe (`-`) it streams: one JSON line for each line that comes."""
    from cauce.model.model import load

    opened = load(model)
    if texts == ["-"]:
        if explain:
            raise InputError("--explain reads texts from the command line", hint="give the text instead of -")
        _stream(opened, top_k)
        return
    answers = opened.predict([_valid(text) for text in texts], top_k=top_k)
    for text, answer in zip(texts, answers, strict=True):
        reasons = opened.explain(text) if explain and answer.error is None else None
        if json:
            extra = {"explain": _as_dict(reasons)} if reasons else {}
            show.as_json({"text": text, **_answer(opened, answer), **extra})
        else:
            _print(text, answer, reasons, several=len(texts) > 1)
    if any(answer.error for answer in answers):
        raise typer.Exit(InputError.exit_code)


def _valid(text: str) -> str:
    """An argument that was not UTF-8 has lone surrogates; the model gives such a row its error."""
    return text


def _print(text: str, answer: Prediction, reasons: Explanation | None, *, several: bool) -> None:
    if several:
        show.say(f"\n{text}")
    if answer.error:
        show.say(f"{typer.style('error:', fg='red')} {answer.error}")
        return
    show.table(("label", "score"), [(label, f"{score:.3f}") for label, score in answer.scores.items()])
    if answer.truncated:
        show.note("the text is longer than the model reads: only its beginning counted")
    if reasons is None:
        return
    show.say(f"\nwhy {reasons.label}: bias {reasons.bias:+.3f} and the words below add up to the logit {reasons.logit:+.3f}\n")
    show.table(("word", "adds"), [(word, f"{share:+.3f}") for word, share in reasons.contributions])


def _answer(model: Model, answer: Prediction) -> dict[str, Any]:
    """An answer under the names that the Arrow columns have."""
    return {
        "label": answer.label,
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


def _stream(model: Model, top_k: int | None) -> None:
    """Score lines as they come: alone when they come slowly, many at once when they come fast."""
    from cauce.model.model import kept_names
    from cauce.settings import settings

    coming: queue.Queue[bytes | None] = queue.Queue(WAITING)
    limit = settings().max_line_bytes
    threading.Thread(target=_read, args=(sys.stdin.buffer, limit, coming), daemon=True).start()
    text_column = model.manifest.inputs[0].name
    for lines in _gathered(coming):
        rows, codes = [], []
        for line in lines:
            row, code = _row(line, text_column, limit)
            rows.append(row)
            codes.append(code)
        for row, code, answer in zip(rows, codes, model.predict(rows, top_k=top_k), strict=True):
            fields = _answer(model, answer)
            if code:
                fields["error"] = code
            sys.stdout.write(codec.dumps({**dict(zip(kept_names(list(row)), row.values(), strict=True)), **fields}, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def _read(source: BinaryIO, limit: int, coming: queue.Queue[bytes | None]) -> None:
    """Lines into the queue, None at the end. Of a line over the limit the rest is passed over."""
    while line := source.readline(limit + 1):
        coming.put(line)
        rest = line
        while len(rest) > limit and not rest.endswith(b"\n") and rest:
            rest = source.readline(limit + 1)
            if len(rest) <= limit:
                break
    coming.put(None)


def _gathered(coming: queue.Queue[bytes | None]) -> Iterator[list[bytes]]:
    """What has come since the last time, at least one line, at most `AT_ONCE`."""
    while (line := coming.get()) is not None:
        lines = [line]
        while len(lines) < AT_ONCE:
            try:
                line = coming.get_nowait()
            except queue.Empty:
                break
            if line is None:
                yield lines
                return
            lines.append(line)
        yield lines


def _row(line: bytes, text_column: str, limit: int) -> tuple[dict[str, Any], str | None]:
    """A line as a row: a JSON object as it is, anything else as the text. And the code of a line that cannot be a row."""
    if len(line) > limit:
        return {text_column: None}, "line_too_long"
    try:
        text = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return {text_column: None}, "invalid_utf8"
    if text.startswith("{"):
        try:
            row = codec.loads(text)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            return row, None
    return {text_column: text}, None
