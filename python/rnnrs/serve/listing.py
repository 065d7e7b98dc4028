"""`/health`, `/ready` and `/v1/models`: whether the server runs, and what it serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .endpoint import BOOLEAN, NUMBER, TEXT, WHOLE, Endpoint, Schema, list_of, object_of, or_null
from .hosting import Host, Served
from .problems import Problem
from .verbs.sequences import reads_text

#: The attributes that hold the vocabulary of texts that a model reads.
_VOCABULARIES = ("vocabulary", "source_vocabulary")


_STATE: Schema = object_of({"status": TEXT, "progress": NUMBER, "message": TEXT}, "progress", "message")

_MODEL: Schema = object_of(
    {
        "id": TEXT,
        "object": {"const": "model"},
        "created": WHOLE,
        "owned_by": {"const": "rnnrs"},
        "kind": or_null(TEXT),
        "verbs": list_of(TEXT),
        "status": TEXT,
        "progress": NUMBER | {"description": "Of one that is being trained: the share that is done."},
        "message": TEXT,
        "level": TEXT | {"description": "Of texts: what their tokens are."},
        "regions": BOOLEAN | {"description": "Of captioners: whether they describe regions."},
        "horizon": WHOLE | {"description": "Of forecasters: the steps that are forecast at once."},
        "columns": list_of(TEXT) | {"description": "Of forecasters."},
        "classes": list_of({"type": ["string", "integer", "boolean"]}),
        "input": {"enum": ["text", "numbers"], "description": "Of classifiers and taggers."},
        "input_size": WHOLE | {"description": "Of those of numbers: how many a time step has."},
    },
    *("progress", "message", "level", "regions", "horizon", "columns", "classes", "input", "input_size"),
)


def _documented(path: str, summary: str, answer: Schema, **more: Any) -> Endpoint:
    return Endpoint(path, ("GET",), summary, {"application/json": answer}, tags=("server",), **more)


ENDPOINTS = (
    _documented("/health", "Whether the server runs.", object_of({"status": {"const": "ok"}}), is_open=True),
    _documented(
        "/ready",
        "Whether all models are ready.",
        object_of(
            {"status": {"const": "ready"}, "models": {"type": "object", "additionalProperties": _STATE}}
        ),
        is_open=True,
    ),
    _documented(
        "/v1/models", "The models.", object_of({"object": {"const": "list"}, "data": list_of(_MODEL)})
    ),
    _documented("/v1/models/{name}", "One of the models.", _MODEL, problems=(404,)),
)


def listing_routes(host: Host) -> list[Route]:
    """Returns the routes."""

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        states = {one.name: one.facts() for one in host}
        if all(state["status"] == "ready" for state in states.values()):
            return JSONResponse({"status": "ready", "models": states})
        raise Problem(503, "not all models are ready", headers={"Retry-After": "5"}, models=states)

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [facts(one) for one in host]})

    async def model(request: Request) -> Response:
        return JSONResponse(facts(host.named(request.path_params["name"])))

    made: dict[str, Callable[[Request], Awaitable[Response]]] = {
        "/health": health,
        "/ready": ready,
        "/v1/models": models,
        "/v1/models/{name}": model,
    }
    return [Route(path, endpoint, methods=["GET"]) for path, endpoint in made.items()]


def facts(one: Served) -> dict[str, Any]:
    """Returns what `/v1/models` says about a model."""
    found: dict[str, Any] = {"id": one.name, "object": "model", "created": one.created, "owned_by": "rnnrs"}
    found |= {"kind": one.kind, "verbs": list(one.verbs), **one.facts()}
    return found if one.kind is None else found | _own_facts(one.kind, one.loaded.model)


def _own_facts(kind: str, model: Any) -> dict[str, Any]:
    """Returns what is to be said about a kind of model alone."""
    own: dict[str, Any] = {}
    for vocabulary in (getattr(model, name, None) for name in _VOCABULARIES):
        if vocabulary is not None:
            own["level"] = vocabulary.level
    if kind == "captioner":
        own["regions"] = bool(model.regions)
    if kind == "forecaster":
        own |= {"horizon": model.horizon, "columns": list(model.columns)}
    if kind in ("sequence_classifier", "sequence_tagger"):
        own["classes"] = list(model.labels)
        own |= {"input": "text"} if reads_text(model) else _of_numbers(model)
    return own


def _of_numbers(model: Any) -> dict[str, Any]:
    return {"input": "numbers", "input_size": model.sizes["input_size"]}
