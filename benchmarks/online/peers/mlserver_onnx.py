"""MLServer over onnxruntime, a worker a core.

A handler of its own costs it less than the Open Inference Protocol's tensors, and two workers less than one process.
"""

import asyncio
import sys
from typing import Annotated

import mlserver
from engine import Engine
from fastapi import Body
from mlserver.handlers import custom_handler


class Classifier(mlserver.MLModel):
    """A runtime with one address."""

    async def load(self) -> bool:
        """Open the model in the worker."""
        self.classify = Engine()
        return True

    @custom_handler(rest_path="/predict")
    async def answer(self, text: Annotated[str, Body(embed=True)]) -> dict[str, object]:
        """Its label."""
        return self.classify(text)


async def serve(port: int) -> None:
    """Until it is told to end."""
    settings = mlserver.Settings(
        host="127.0.0.1",
        http_port=port,
        grpc_port=port + 1,
        metrics_endpoint=None,
        parallel_workers=2,
        debug=False,
        gzip_enabled=False,
    )
    model = mlserver.ModelSettings(name="classifier", implementation="mlserver_onnx.Classifier")
    await mlserver.MLServer(settings).start([model])


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
