"""Cauce: one text model, every current. From a labeled file to a model that answers online, in batches and on streams.

>>> import cauce
>>> cauce.load("echo").predict(["banana"])[0].label
'many_a'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cauce.api import compare, evaluate
    from cauce.client import AsyncClient, Client
    from cauce.errors import CauceError
    from cauce.evaluation.compare import Comparison
    from cauce.evaluation.metrics import Report
    from cauce.model.model import Model
    from cauce.model.predictions import Prediction, Predictions
    from cauce.recipes.train import Run, train
    from cauce.registry.named import load

__all__ = [
    "AsyncClient",
    "CauceError",
    "Client",
    "Comparison",
    "Model",
    "Prediction",
    "Predictions",
    "Report",
    "Run",
    "compare",
    "evaluate",
    "load",
    "train",
]

_WHERE = {
    "AsyncClient": "cauce.client",
    "CauceError": "cauce.errors",
    "Client": "cauce.client",
    "Comparison": "cauce.evaluation.compare",
    "Model": "cauce.model.model",
    "Prediction": "cauce.model.predictions",
    "Predictions": "cauce.model.predictions",
    "Report": "cauce.evaluation.metrics",
    "Run": "cauce.recipes.train",
    "compare": "cauce.api",
    "evaluate": "cauce.api",
    "load": "cauce.registry.named",
    "train": "cauce.recipes.train",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import cauce` alone stays instant."""
    if name not in _WHERE:
        raise AttributeError(f"module 'cauce' has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
