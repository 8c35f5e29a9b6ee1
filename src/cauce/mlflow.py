"""MLflow's way in: `mlflow.pyfunc.load_model(folder)` answers as every other mode does.

The folder's `MLmodel` names this module as its loader; nothing of MLflow is imported here.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa

from cauce.errors import need
from cauce.model.model import Model, load


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> _Face:
    """Called by MLflow with the model folder, and with its `model_config`: a caller may give `{"variant": "int8"}`."""
    model = load(Path(path), (model_config or {}).get("variant", "auto"))
    for note in model.notes:
        warnings.warn(note, stacklevel=2)
    return _Face(model)


class _Face:
    def __init__(self, model: Model) -> None:
        self._model = model

    def predict(self, rows: Any, params: dict[str, Any] | None = None) -> Any:
        """A pandas frame of the answers, for a frame, a list of texts or a list of dicts."""
        names = [column.name for column in self._model.manifest.inputs]
        if hasattr(rows, "columns"):
            rows = pa.Table.from_pandas(rows[[name for name in names if name in rows.columns]], preserve_index=False)
        elif hasattr(rows, "tolist"):
            rows = rows.tolist()
        answers = self._model.predict(rows).to_arrow().to_pydict()
        return need("pandas", extra="mlflow", what="the MLflow face").DataFrame(answers, dtype=object)  # keeps None, lists
