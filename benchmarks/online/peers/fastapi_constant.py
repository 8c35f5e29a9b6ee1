"""FastAPI and pydantic that answer a constant: what a web framework alone can do."""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Asked(BaseModel):
    """A request."""

    text: str


@app.post("/predict")
async def predict(asked: Asked) -> dict[str, object]:
    """Always the same."""
    return {"label": "joy", "score": 0.5}
