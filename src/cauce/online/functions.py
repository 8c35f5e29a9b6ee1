"""Scores under another function than the task's own: what Hugging Face calls `function_to_apply`, and TEI `raw_scores`.

Logits are found again from the scores, so they are those divided by the model's temperature:

- a regression: the value is the logit.
- several labels a row (`sigmoid`): the logit is log(p / (1 - p)).
- one label of several (`softmax`): log p is the logit up to a number that is the same for all labels of a row. So softmax and
  differences are right; the logistic function would need that number, and is refused.

A probability next to 0 or 1 does not hold its logit in 32 bits: it is refused rather than guessed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cauce.errors import InputError
from cauce.model.predictions import Predictions

FUNCTIONS = ("softmax", "sigmoid", "none")
OWN = {"classification": "softmax", "multilabel": "sigmoid", "regression": "none"}
NEAR = 0.01  # a logit that is not known to this is refused

Floats = npt.NDArray[np.float64]


def apply(answers: Predictions, function: Any) -> Predictions:
    """The answers with the scores that this function of the logits gives; None for the task's own.

    Args:
        answers: without rows that have an error.

    Raises:
        InputError: no such function, or the scores do not tell what it would give.

    """
    if function is None:
        return answers
    name = function.lower() if isinstance(function, str) else function
    if name not in FUNCTIONS:
        raise InputError(f"function_to_apply is {function!r}", hint=f"it may be {', '.join(FUNCTIONS)}")
    if name == OWN[answers.task]:
        return answers
    if name == "sigmoid" and answers.task == "classification":
        raise InputError(
            "a model of one label of several gives no sigmoid: its scores add up to 1",
            hint='leave function_to_apply out for probabilities, or ask for "none" for logits',
        )
    logits = _logits(answers)
    if name == "softmax":
        logits = np.exp(logits - logits.max(axis=1, keepdims=True))
        logits /= logits.sum(axis=1, keepdims=True)
    elif name == "sigmoid":
        logits = 0.5 * (1 + np.tanh(0.5 * logits))  # never overflows
    return replace(answers, scores=logits.astype(np.float32))


def _logits(answers: Predictions) -> Floats:
    scores = answers.scores.astype(np.float64)
    if answers.task == "regression":
        return scores
    others = 1 - scores if answers.task == "multilabel" else np.ones_like(scores)
    with np.errstate(divide="ignore"):
        unsure = 2 * np.spacing(answers.scores) / (scores * others)
        logits: Floats = np.log(scores) - np.log(others)
    if (unsure > NEAR).any():
        row, label = np.argwhere(unsure > NEAR)[0]
        raise InputError(
            f"row {row + 1}: the probability of {answers.labels[label]} is too near to 0 or 1 to give its logit",
            hint="ask for probabilities",
        )
    return logits
