"""FastAPI over transformers.pipeline, as most tutorials have it."""

import os

import torch
import transformers
from fastapi import FastAPI
from pydantic import BaseModel

torch.set_num_threads(int(os.environ.get("PEER_THREADS", "2")))
app = FastAPI()
asked_model = transformers.pipeline("text-classification", model=os.environ["PEER_PIPELINE"], device="cpu")


class Asked(BaseModel):
    """A request."""

    text: str


@app.post("/predict")
def predict(asked: Asked) -> dict[str, object]:
    """Its label."""
    found: dict[str, object] = asked_model(asked.text, truncation=True)[0]
    return found
