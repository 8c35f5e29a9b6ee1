"""LitServe over onnxruntime, a worker a core."""

import sys

import litserve
from engine import Engine


class Api(litserve.LitAPI):
    """Its four verbs."""

    def setup(self, device: str) -> None:
        """Open the model in the worker."""
        self.classify = Engine()

    def decode_request(self, request: dict[str, str]) -> str:
        """The text."""
        return request["text"]

    def predict(self, text: str) -> dict[str, object]:
        """Its label."""
        return self.classify(text)

    def encode_response(self, output: dict[str, object]) -> dict[str, object]:
        """As it is."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=2)
    server.run(port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False, log_level="warning")
