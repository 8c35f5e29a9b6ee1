"""The description of the server's addresses (OpenAPI 3.1), made from what the models read."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from cauce.model.manifest import Manifest
from cauce.online.plane import Plane
from cauce.online.protocols.native import PROBLEM
from cauce.online.request import JSON

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


class Vectors(BaseModel):
    """The vector of a row, or those of several."""

    vector: list[float] | None = None
    vectors: list[list[float] | None] | None = None
    model: Named


class Input(BaseModel):
    """What OpenAI's clients and vLLM's send."""

    model: str | None = Field(None, description="The name of a model that is served.")
    input: str | list[str] = Field(description="One text, or several.")


class Embed(Input):
    """What OpenAI's clients send for vectors."""

    encoding_format: Literal["float", "base64"] | None = Field(None, description="base64: of little-endian float32.")
    dimensions: int | None = Field(None, ge=1, description="Only so many, of length 1 again.")


class Usage(BaseModel):
    """What the model read."""

    prompt_tokens: int
    total_tokens: int


class Embedding(BaseModel):
    """The vector of a text."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Embeddings(BaseModel):
    """The vectors of all texts, in their order."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: Usage


class Class(BaseModel):
    """The label of a text."""

    index: int
    label: str | None
    probs: list[float]
    num_classes: int


class Classes(BaseModel):
    """The labels of all texts, in their order."""

    id: str
    object: Literal["list"]
    created: int
    data: list[Class]
    model: str
    usage: Usage


class Wrong(BaseModel):
    """What is wrong, as OpenAI's clients read it."""

    message: str
    type: str
    param: str | None = Field(description="The field that is wrong.")
    code: str = Field(description="Stable: programs may rely on it.")


class Refusal(BaseModel):
    """An error, as OpenAI's clients read it."""

    error: Wrong


def document(plane: Plane) -> dict[str, Any]:
    """The whole description: of our own protocol, and of OpenAI's where a model is served that can be asked by it.

    The other protocols are their makers', who describe them.
    """
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    default = next(iter(plane.served))
    for name, one in plane.served.items():
        manifest = one.current.model.manifest
        asked, answered = ("embed", Vectors) if manifest.task == "embedding" else ("predict", Answer | Answers)
        body, example = _body(name, manifest), _example(manifest)
        operation = _operation(f"{asked} with {name}", body, answered, example, schemas)
        paths[f"/v1/models/{name}/{asked}"] = {"post": operation | {"operationId": f"{asked}_{name}"}}
        if f"/v1/{asked}" not in paths:
            named = example if name == default else {"model": name, **example}
            operation = _operation(f"{asked} with {name}", body, answered, named, schemas)
            paths[f"/v1/{asked}"] = {"post": operation | {"operationId": asked}}
        if _reads_text(manifest) and manifest.task in OPENAI:
            summary, body, answered, addresses = OPENAI[manifest.task]
            example = {"model": name, "input": EXAMPLES["text"]}
            operation = _operation(summary, body, answered, example, schemas, refusal=Refusal, media_type=JSON)
            for path in addresses:
                paths.setdefault(path, {"post": operation | {"operationId": path.strip("/").replace("/", "_")}})
    return {
        "openapi": "3.1.0",
        "info": {"title": "Cauce", "version": "1", "description": "Text models that answer."},
        "paths": paths,
        "components": {"schemas": schemas},
    }


EMBEDDINGS = ("Vectors, as OpenAI has it", Embed, Embeddings, ("/v1/embeddings",))
CLASSES = ("Labels, as vLLM and SGLang have it", Input, Classes, ("/classify", "/v1/classify"))
OPENAI: dict[str, tuple[str, Any, Any, tuple[str, ...]]] = {  # by task
    "embedding": EMBEDDINGS,
    "classification": CLASSES,
    "multilabel": CLASSES,
}


def _reads_text(manifest: Manifest) -> bool:
    return [one.type for one in manifest.inputs] == ["text"]


def _body(name: str, manifest: Manifest) -> Any:
    """One row beside its options, or several rows."""
    fields: dict[str, Any] = {one.name: (TYPES[one.type] | None, None) for one in manifest.inputs}
    row = create_model(f"{name}_row", **fields)
    rows: Any = list[row | None]
    if _reads_text(manifest):
        fields = {"text": (str, Field(pattern=r"\S", description="Not only white space."))}
        rows = list[str | row | None]
    return create_model(f"{name}_one", __base__=One, **fields) | create_model(
        f"{name}_many", __base__=Options, rows=(rows, Field(min_length=1, description="A wrong one gets its own error."))
    )


def _example(manifest: Manifest) -> dict[str, Any]:
    if _reads_text(manifest):
        return {"text": EXAMPLES["text"]}
    return {one.name: EXAMPLES[one.type] for one in manifest.inputs}


def _operation(
    summary: str,
    body: Any,
    answer: Any,
    example: dict[str, Any],
    schemas: dict[str, Any],
    *,
    refusal: Any = Problem,
    media_type: str = PROBLEM,
) -> dict[str, Any]:
    problem = {"description": "What is wrong, and what to do", "content": {media_type: _schema(refusal, schemas)}}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {JSON: {**_schema(body, schemas), "example": example}}},
        "responses": {
            "200": {"description": "The answer", "content": {JSON: _schema(answer, schemas)}},
            **{str(status): problem for status in (400, 404, 413, 415, 422, 429, 503, 504)},
        },
    }


def _schema(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    made = TypeAdapter(kind).json_schema(ref_template=REF)
    schemas.update(made.pop("$defs", {}))
    if isinstance(kind, type):
        schemas[kind.__name__] = made
        return {"schema": {"$ref": REF.format(model=kind.__name__)}}
    return {"schema": made}
