"""A dozen lines of FastAPI over onnxruntime. `uvicorn fastapi_onnx:app --workers 2`."""

from engine import Engine
from fastapi import FastAPI
from pydantic import BaseModel

app, classify = FastAPI(), Engine()


class Asked(BaseModel):
    """A request."""

    text: str


@app.post("/predict")
def predict(asked: Asked) -> dict[str, object]:
    """Its label."""
    return classify(asked.text)
