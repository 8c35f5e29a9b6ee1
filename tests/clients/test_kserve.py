"""KServe's client, unmodified, in both of its protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from serving import serving

import cauce

FIRST = """
import asyncio, json, sys
from kserve.inference_client import InferenceRESTClient, RESTConfig

async def main(url):
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    try:
        await client.infer(url, {"instances": []}, model_name="echo")
    except Exception as error:
        refused = str(error)
    told = [await client.is_server_live(url), await client.is_model_ready(url, "echo"),
            await client.infer(url, {"instances": ["banana", "xyz"]}, model_name="echo"), refused]
    await client.close()
    print(json.dumps(told))

asyncio.run(main(sys.argv[1]))
"""

SECOND = """
import asyncio, json, sys
import numpy as np
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceRESTClient, RESTConfig

async def main(url, binary):
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    asked = InferInput("text", [2], "BYTES")
    asked.set_data_from_numpy(np.array(["banana", "xyz"], dtype=object), binary_data=binary)
    request = InferRequest("echo", [asked], parameters={"binary_data_output": binary})
    found = await client.infer(url, request, model_name="echo")
    label, score = (found.outputs[place].as_numpy().tolist() for place in (0, 1))
    told = [await client.is_server_live(url), await client.is_server_ready(url), await client.is_model_ready(url, "echo"),
            [one.decode() if isinstance(one, bytes) else one for one in label], score]
    await client.close()
    print(json.dumps(told))

asyncio.run(main(sys.argv[1], sys.argv[2] == "binary"))
"""

Client = Callable[[str], Callable[..., Any]]


@pytest.mark.prove
def test_the_first_protocol(client: Client) -> None:
    with serving("echo") as server:
        live, ready, found, refused = client("prove/kserve")(FIRST, server.url)
    assert (live, ready) == (True, True)
    assert [one["label"] for one in found["predictions"]] == ["many_a", "few_a"]
    assert refused.startswith("input: there are no rows")


@pytest.mark.prove
@pytest.mark.parametrize("kind", ["json", "binary"])
def test_the_second_protocol(client: Client, kind: str) -> None:
    expected = cauce.load("echo").predict(["banana", "xyz"])
    with serving("echo") as server:
        *states, label, score = client("prove/kserve")(SECOND, server.url, kind)
    assert states == [True, True, True]
    assert label == ["many_a", "few_a"]
    assert score == pytest.approx([one.score for one in expected], abs=1e-6)
