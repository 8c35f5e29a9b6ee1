"""The description of the server's addresses (OpenAPI 3.1), made from what the models read."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from cauce.model.manifest import Manifest
from cauce.online.plane import Plane

TYPES: dict[str, Any] = {"text": str, "category": str, "number": float, "boolean": bool}
EXAMPLES = {"text": "me encanta, llegó antes de tiempo", "category": "services", "number": 41, "boolean": True}
REF = "#/components/schemas/{model}"


class Options(BaseModel):
    """What can be asked beside the row."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="Another model that is served, where the address names none.")
    version: str | None = Field(None, description="The beginning of a version that is served.")
    top_k: int | None = Field(None, ge=1, description="Show only the K best labels.")
    min_score: float = Field(0.0, ge=0, le=1, description="Give no label where the best score is lower.")
    truncate: bool = Field(True, description="Cut a text over the model's limit; else refuse it.")


class One(Options):
    """One row."""

    explain: bool = Field(False, description="What each word added to the label's logit (linear models).")


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    code: str = Field(description="Stable: programs may rely on it.")
    detail: str
    hint: str | None = Field(None, description="What to do.")
    request_id: str


class Named(BaseModel):
    """Who answered."""

    name: str
    version: str
    variant: str


class Answer(BaseModel):
    """The answer to a row."""

    label: str | None = Field(None, description="Null for a regression, and under min_score.")
    score: float | None = None
    scores: dict[str, float] | None = Field(None, description="Probability by label, the best first.")
    labels: list[str] | None = Field(None, description="Of a model of several labels: those that the row has.")
    truncated: bool = Field(False, description="Only the beginning of a text was read.")
    error: str | None = Field(None, description="Why the row has no answer; its neighbors have theirs.")
    model: Named | None = None


class Answers(BaseModel):
    """The answers to several rows, in their order."""

    predictions: list[Answer]
    model: Named


def document(plane: Plane) -> dict[str, Any]:
    """The whole description."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    default = next(iter(plane.served))
    for name, one in plane.served.items():
        manifest = one.current.model.manifest
        asked, answered = ("embed", Vectors) if manifest.task == "embedding" else ("predict", Answer | Answers)
        body, example = _body(name, manifest), _example(manifest)
        operation = _operation(f"{asked} with {name}", body, answered, example, schemas)
        paths[f"/v1/models/{name}/{asked}"] = {"post": operation | {"operationId": f"{asked}_{name}"}}
        if name == default:
            paths[f"/v1/{asked}"] = {"post": operation | {"operationId": asked}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Cauce", "version": "1", "description": "Text models that answer."},
        "paths": paths,
        "components": {"schemas": schemas},
    }


class Vectors(BaseModel):
    """The vector of a row, or those of several."""

    vector: list[float] | None = None
    vectors: list[list[float] | None] | None = None
    model: Named


def _body(name: str, manifest: Manifest) -> Any:
    """One row beside its options, or several rows."""
    fields: dict[str, Any] = {one.name: (TYPES[one.type] | None, None) for one in manifest.inputs}
    row = create_model(f"{name}_row", **fields)
    rows: Any = list[row | None]
    if [one.type for one in manifest.inputs] == ["text"]:
        fields = {"text": (str, Field(pattern=r"\S", description="Not only white space."))}
        rows = list[str | row | None]
    return create_model(f"{name}_one", __base__=One, **fields) | create_model(
        f"{name}_many", __base__=Options, rows=(rows, Field(min_length=1, description="A wrong one gets its own error."))
    )


def _example(manifest: Manifest) -> dict[str, Any]:
    if [one.type for one in manifest.inputs] == ["text"]:
        return {"text": EXAMPLES["text"]}
    return {one.name: EXAMPLES[one.type] for one in manifest.inputs}


def _operation(summary: str, body: Any, answer: Any, example: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    problem = {
        "description": "What is wrong, and what to do",
        "content": {"application/problem+json": _schema(Problem, schemas)},
    }
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {**_schema(body, schemas), "example": example}}},
        "responses": {
            "200": {"description": "The answer", "content": {"application/json": _schema(answer, schemas)}},
            **{str(status): problem for status in (400, 404, 413, 415, 422, 429, 503, 504)},
        },
    }


def _schema(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    from pydantic import TypeAdapter

    made = TypeAdapter(kind).json_schema(ref_template=REF)
    schemas.update(made.pop("$defs", {}))
    if isinstance(kind, type):
        schemas[kind.__name__] = made
        return {"schema": {"$ref": REF.format(model=kind.__name__)}}
    return {"schema": made}
