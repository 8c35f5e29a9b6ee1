"""The golden rows: about 50 rows with the answers that the model gave when it was saved. Each load asks them again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cauce.errors import GoldenFailed

if TYPE_CHECKING:
    from cauce.model.model import Model

Scores = npt.NDArray[np.float32]

ROWS = 24  # of the data's own, beside the hard texts
TOLERANCE = {"linear": 1e-6, "fp32": 1e-4, "bf16": 0.02}  # of a score, or share of a value over 1, by precision
SURE = 0.2  # int8: rounded otherwise by each kind of processor; where it was sure by more than this, it must decide the same

# What breaks text code: kept in every model, beside rows of its own data.
HARD_TEXTS = (
    "Hola, buenos días", "HELLO!!! :-)", "¡Qué maravilla! 😍😍😍", "no está nada mal", "meh", ".", "a",
    "👍🏽", "❤️ vs ❤", "Mira https://example.com/a?b=c&d=e ya", "@alguien te escribió", "holaaaaaaaaa", "mañana",
    "man\u0303ana",     "ΣΟΦΟΣ", "İstanbul", "Привет, как дела?", "今日はいい天気ですね", "مرحبا بالعالم",
    "नमस्ते दुनिया", "line one\nline two\ttab",
    "zero\u200bwidth", "palabra " * 200, "1234567890 99,99 €", "<b>html</b> &amp; more", "jajajaja",
    "NULL", '"quoted", with commas',
)  # fmt: skip


def write(model: Model, path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the model's answers to `rows`, one JSON object a line."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row, (error, scores) in zip(rows, _ask(model, rows), strict=True):
            expected = {"error": error} if error else {"scores": [float(np.float32(score)) for score in scores]}
            file.write(json.dumps({"row": row, **expected}, ensure_ascii=False, sort_keys=True) + "\n")


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows that are asked, without their answers."""
    return [line["row"] for line in _lines(path)]


def test(model: Model, path: Path) -> None:
    """Ask the golden rows again.

    Raises:
        GoldenFailed: an answer differs by more than the precision of the model's numbers allows.

    """
    lines = _lines(path)
    answers = _ask(model, [line["row"] for line in lines])
    for number, (line, (error, scores)) in enumerate(zip(lines, answers, strict=True), start=1):
        if error or line.get("error"):
            found = "" if error == line.get("error") else error or f"it is answered; its error was {line['error']}"
        else:
            differs = _decides_otherwise if model.precision == "int8" else _is_off
            found = differs(model, np.array(line["scores"], np.float32), scores)
        if found:
            raise GoldenFailed(
                f"golden row {number} differs: {found}",
                where=str(path.parent),
                hint="this machine computes something else than the one that made the model; run: cauce doctor",
            )


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def _ask(model: Model, rows: list[dict[str, Any]]) -> list[tuple[str | None, Scores]]:
    """The error of each row, or its scores; of a model of vectors its vector."""
    if model.task == "embedding":
        vectors = model.embed(rows).to_pylist()
        return [("no_vector" if one is None else None, np.array(one or [], np.float32)) for one in vectors]
    answers = model.predict(rows)
    return [(answer.error, scores) for answer, scores in zip(answers, answers.scores, strict=True)]


def _is_off(model: Model, wanted: Scores, scores: Scores) -> str:
    """What is wrong with these scores; empty where none is off by more than its precision allows."""
    return _farther(wanted, scores, TOLERANCE[model.precision])


def _decides_otherwise(model: Model, wanted: Scores, scores: Scores) -> str:
    """What is wrong with these scores; empty where every decision that was sure is made again."""
    if model.task == "regression":
        return _farther(wanted, scores, SURE)
    if model.task == "embedding":
        apart = float(np.linalg.norm(_unit(wanted) - _unit(scores)))
        return "" if apart <= SURE else f"its vector has turned by {apart:.2g}, allowed {SURE:g}"
    if not np.isfinite(scores).all():
        return "a score is not a number"
    if model.task == "multilabel":
        limits = np.array(model.manifest.calibration.thresholds, np.float32)
        other = ((wanted >= limits) != (scores >= limits)) & (np.abs(wanted - limits) > SURE)
        return f"the label {model.labels[int(np.argmax(other))]} is decided otherwise" if other.any() else ""
    was, now = int(np.argmax(wanted)), int(np.argmax(scores))
    sure = float(np.diff(np.sort(wanted)[-2:]).sum()) > SURE
    return f"its label is {model.labels[now]}, was {model.labels[was]}" if was != now and sure else ""


def _farther(wanted: Scores, scores: Scores, allowed: float) -> str:
    worst = float((np.abs(scores - wanted) / np.maximum(np.abs(wanted), 1)).max())  # a regression's values may be large
    return "" if worst <= allowed else f"a score is off by {worst:.2g}, allowed {allowed:g}"


def _unit(vector: Scores) -> Scores:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)
