"""The golden rows: about 50 rows with the answers that the model gave when it was saved. Each load asks them again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cauce.errors import GoldenFailed

if TYPE_CHECKING:
    from cauce.model.model import Model

ROWS = 24  # of the data's own, beside the hard texts
TOLERANCE = {
    "linear": 1e-6,
    "fp32": 1e-4,
    "bf16": 0.02,
}  # of a score, or share of a value over 1, by variant

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
    answers = model.predict(rows)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row, answer, scores in zip(rows, answers, answers.scores, strict=True):
            expected = {"error": answer.error} if answer.error else {"scores": [float(np.float32(score)) for score in scores]}
            file.write(json.dumps({"row": row, **expected}, ensure_ascii=False, sort_keys=True) + "\n")


def test(model: Model, path: Path) -> None:
    """Ask the golden rows again.

    Raises:
        GoldenFailed: an answer differs by more than the variant's tolerance.

    """
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    answers = model.predict([line["row"] for line in lines])
    tolerance = TOLERANCE[model.variant]
    for number, (line, answer, scores) in enumerate(zip(lines, answers, answers.scores, strict=True), start=1):
        wanted = np.array(line.get("scores", scores), np.float32)
        size = np.maximum(np.abs(wanted), 1)  # a regression's values may be large
        worst = 0.0 if answer.error else float((np.abs(scores - wanted) / size).max())
        if answer.error != line.get("error") or not worst <= tolerance:
            raise GoldenFailed(
                f"golden row {number} differs: {answer.error or f'a score is off by {worst:.2g}, allowed {tolerance:g}'}",
                where=str(path.parent),
                hint="this machine computes something else than the one that made the model; run: cauce doctor",
            )
