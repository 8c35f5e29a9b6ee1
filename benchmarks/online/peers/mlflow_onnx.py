"""`mlflow models serve` over onnxruntime, a worker a core. Run with a port, it saves the model and serves it.

Texts come as `inputs`: data frames cost it a quarter more.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import mlflow


class Classifier(mlflow.pyfunc.PythonModel):
    """A pyfunc."""

    def load_context(self, context: object) -> None:
        """Open the model in the worker."""
        from engine import Engine  # saved beside the model

        self.classify = Engine()

    def predict(self, context: object, model_input, params: object = None) -> list[dict[str, object]]:
        """Their labels. What has types is checked against them, which takes time."""
        return [self.classify(text) for text in model_input]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        model = str(Path(name) / "model")
        mlflow.pyfunc.save_model(model, python_model=__file__, code_paths=["engine.py"], pip_requirements=[])
        scripts = Path(sys.executable).parent  # it looks for uvicorn on the path
        serve = [scripts / "mlflow", "models", "serve", "-m", model, "--env-manager", "local", "-w", "2", "-p", sys.argv[1]]
        subprocess.run(serve, check=True, env={**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"})
else:
    mlflow.models.set_model(Classifier())
