"""BentoML over onnxruntime. `bentoml serve bento_onnx:Classifier`."""

import bentoml
from engine import Engine


@bentoml.service(workers=2, traffic={"timeout": 30})
class Classifier:
    """A service with one address."""

    def __init__(self) -> None:
        self.classify = Engine()

    @bentoml.api
    def predict(self, text: str) -> dict[str, object]:
        """Its label."""
        return self.classify(text)
