"""What a model reads and gives, as named tensors: the Open Inference Protocol's view of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cauce.errors import InputError, UnknownName, nearest
from cauce.model.model import Model
from cauce.model.predictions import Predictions
from cauce.model.rows import CODES
from cauce.online.protocols.tensors import Tensor
from cauce.online.work import Result

DATATYPES = {"text": "BYTES", "category": "BYTES", "number": "FP64", "boolean": "BOOL"}
CONFIG = {"BYTES": "TYPE_STRING", "BOOL": "TYPE_BOOL", "FP32": "TYPE_FP32", "FP64": "TYPE_FP64"}


@dataclass(frozen=True, slots=True)
class Declared:
    """A tensor before it has values; -1 in the shape stands for any number of rows."""

    name: str
    datatype: str
    shape: tuple[int, ...] = (-1,)

    def as_dict(self) -> dict[str, Any]:
        """As a model's metadata have it."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}

    def as_config(self) -> dict[str, Any]:
        """As Triton's model configuration has it."""
        return {"name": self.name, "data_type": CONFIG[self.datatype], "dims": list(self.shape)}


def inputs(model: Model) -> list[Declared]:
    """What the model reads: one tensor a column."""
    return [Declared(one.name, DATATYPES[one.type]) for one in model.manifest.inputs]


def outputs(model: Model) -> list[Declared]:
    """What the model gives: vectors; or label, score and probabilities, of several labels those that a row has, of a
    regression the value alone, and of each row the code of what is wrong with it.
    """
    if model.task == "embedding":
        return [Declared("embedding", "FP32", (-1, model.runtime.width))]  # type: ignore[attr-defined]
    score, error = Declared("score", "FP32"), Declared("error", "BYTES")
    if model.task == "regression":
        return [score, error]
    width = (-1, len(model.labels))
    several = [Declared("labels", "BOOL", width)] if model.task == "multilabel" else []
    return [Declared("label", "BYTES"), score, Declared("probabilities", "FP32", width), *several, error]


def find(model: Model, name: Any) -> Declared:
    """The output of this name.

    Raises:
        UnknownName

    """
    known = {one.name: one for one in outputs(model)}
    if not isinstance(name, str) or name not in known:
        hint = nearest(str(name), known) or f"the outputs are: {', '.join(known)}"
        raise UnknownName(f"the model {model.name} has no output {name!r}", hint=hint)
    return known[name]


def filled(declared: Declared, result: Result) -> Tensor:
    """The output with the values of these answers; of a row without an answer an empty text, or not a number."""
    values: npt.NDArray[Any]
    if not isinstance(result, Predictions):
        flat = result.flatten().to_numpy(zero_copy_only=False)
        values = np.full((len(result), declared.shape[1]), np.nan, np.float32)
        values[result.is_valid().to_numpy(zero_copy_only=False)] = flat.reshape(-1, declared.shape[1])
    elif declared.name == "label":
        values = np.where(result.codes == 0, np.array(result.labels, object)[result.best], "")
    elif declared.name == "score":
        values = result.scores[np.arange(len(result)), result.best]
    elif declared.name == "labels":
        values = result.given
    elif declared.name == "error":
        values = np.array(CODES, object)[result.codes]
    else:
        values = result.scores
    return Tensor(declared.name, declared.datatype, np.ascontiguousarray(values))


def classified(tensor: Tensor, labels: tuple[str, ...], count: Any) -> Tensor:
    """The best of each row as `value:place:label`, for those who ask for classes (Triton's extension).

    Raises:
        InputError: the output has no classes, or a count below 1 is asked for.

    """
    if type(count) is not int or count < 1:
        raise InputError(f"classification is {count!r}", hint="ask for 1 class or more")
    if tensor.name != "probabilities":
        raise InputError(f'the output "{tensor.name}" has no classes', hint="ask for classes of probabilities")
    places = np.argsort(-tensor.values, axis=1, kind="stable")[:, :count]
    best = np.take_along_axis(tensor.values, places, axis=1)
    found = np.full(places.shape, "", object)
    for row, k in np.ndindex(*places.shape):
        if not np.isnan(best[row, k]):
            found[row, k] = f"{best[row, k]:f}:{places[row, k]}:{labels[places[row, k]]}"
    return Tensor(tensor.name, "BYTES", found)
