"""The client of MLflow's scoring server, unmodified."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from serving import serving

ASK = """
import json, sys
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

host, _, port = sys.argv[1].removeprefix("http://").partition(":")
client = ScoringServerClient(host, port)
client.wait_server_ready(timeout=5)
texts = ["banana", "xyz"]
asked = {"frame": pd.DataFrame({"text": texts}), "list": texts, "array": pd.Series(texts).to_numpy()}
found = {name: client.invoke(one).get_predictions()["label"].tolist() for name, one in asked.items()}
try:
    client.invoke([])
except Exception as error:
    found["refused"] = str(error)
print(json.dumps({**found, "version": client.get_version()}))
"""


@pytest.mark.prove
def test_frames_lists_and_arrays(client: Callable[[str], Callable[..., Any]]) -> None:
    with serving("echo") as server:
        found = client("prove/mlflow")(ASK, server.url)
    assert [found[kind] for kind in ("frame", "list", "array")] == [["many_a", "few_a"]] * 3
    assert '"error_code":"INVALID_PARAMETER_VALUE"' in found["refused"]
    assert found["version"] == version("cauce")
