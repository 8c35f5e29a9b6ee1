"""Answers as plain values, for any protocol that speaks JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cauce.model.predictions import Predictions
from cauce.model.rows import CODES, MEANINGS

Ranked = list[tuple[list[str], list[float]]]


def ranked(answers: Predictions, top_k: int | None = None) -> Ranked:
    """Labels and scores of each row, the best first; both empty where a row has an error."""
    if len(answers) == 1 and not answers.codes[0]:  # as below, without NumPy, of which a call costs more than a row
        best = sorted(zip(answers.scores[0].tolist(), answers.labels, strict=True), key=_score, reverse=True)[:top_k]
        return [([label for _, label in best], [score for score, _ in best])]
    order: npt.NDArray[np.intp] = np.argsort(-answers.scores, axis=1, kind="stable")[:, :top_k]
    scores = np.take_along_axis(answers.scores, order, axis=1).tolist()
    labels = answers.labels
    found = [([labels[k] for k in places], row) for places, row in zip(order.tolist(), scores, strict=True)]
    if answers.codes.any():
        found = [([], []) if code else one for one, code in zip(found, answers.codes, strict=True)]
    return found


def _score(pair: tuple[float, str]) -> float:
    return pair[0]


def rows(answers: Predictions, top_k: int | None = None) -> list[dict[str, Any]]:
    """Each row's answer, as the native protocol writes it."""
    out: list[dict[str, Any]] = []
    regression, several = answers.task == "regression", answers.task == "multilabel"
    for row, (labels, scores) in enumerate(ranked(answers, top_k)):
        if not scores:
            code = CODES[answers.codes[row]]
            out.append({"error": code, "detail": MEANINGS[code]})
            continue
        label = None if regression else labels[0]
        one: dict[str, Any] = {"label": label, "score": scores[0], "scores": dict(zip(labels, scores, strict=True))}
        if several:
            one["labels"] = [answers.labels[k] for k in np.flatnonzero(answers.given[row])]
        if answers.truncated[row]:
            one["truncated"] = True
        out.append(one)
    if answers.min_score:
        for place in np.flatnonzero(answers.abstained):
            out[place]["label"] = None
    return out


def pairs(answers: Predictions, top_k: int | None = None) -> list[list[dict[str, Any]]]:
    """Each row's labels with their scores, the best first."""
    return [[{"label": label, "score": score} for label, score in zip(*one, strict=True)] for one in ranked(answers, top_k)]
