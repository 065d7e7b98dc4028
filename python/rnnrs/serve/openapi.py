"""`/openapi.json`: the server's documentation, made from the tables by which requests are checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .endpoint import NUMBER, TEXT, WHOLE, Endpoint, Schema, object_of, or_null
from .fields import MODEL, REQUIRED, Field
from .hosting import Host
from .limits import Limits

#: The problems of every path, and those of paths that models answer.
_ALWAYS, _ANSWERED = (400, 401, 421, 431, 500, 503), (404, 429, 504)

#: Those of requests with a body.
_WITH_BODY = (408, 413, 415)

_PROBLEMS = {
    400: "An invalid value: `field` names it, `expected` and `got` say why.",
    401: "A token is missing or wrong.",
    404: "No model has this name, or nothing is there.",
    408: "The request did not arrive in time.",
    413: "The request is too large.",
    415: "The body is of another media type.",
    421: "The request is for another host.",
    431: "The request's line and headers are too large.",
    429: "Too many requests wait for this model.",
    500: "The server or the model failed.",
    503: "The model is not ready, or the server is ending.",
    504: "The answer was not ready in time.",
}

#: The statuses whose problems say when to try again.
_LATER = (429, 503)

_INTRODUCTION = (
    "Recurrent neural networks over HTTP. Requests of one model that arrive together are computed together; no "
    "answer depends on the others. `/suggest` is a WebSocket, too: see the documentation of the package."
)

ENDPOINTS = (
    Endpoint(
        "/openapi.json",
        ("GET",),
        "This document.",
        {"application/json": {"type": "object"}},
        tags=("server",),
    ),
)


def openapi_route(endpoints: Iterable[Endpoint], host: Host) -> Route:
    """Returns the route of the document, which names the models of the moment."""
    described = (*endpoints, *ENDPOINTS)

    async def openapi(request: Request) -> Response:
        models = {one.name: one.loaded.model for one in host if one.kind is not None}
        made, root = document(described, host.limits, models), request.scope.get("root_path", "")
        return JSONResponse({**made, "servers": [{"url": root}]} if root else made)

    return Route("/openapi.json", openapi, methods=["GET"])


def document(
    endpoints: Iterable[Endpoint], limits: Limits, models: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Returns the OpenAPI document (version 3.1) of some endpoints.

    Args:
        endpoints: the endpoints.
        limits: the server's limits, which bound the values of fields.
        models: the served models by name, which are the values of the field `model`.
    """
    paths: dict[str, Any] = {}
    for endpoint in endpoints:
        operations = paths.setdefault(endpoint.path, {})
        for method in endpoint.methods:
            operations[method.lower()] = _operation(endpoint, method, limits, models or {})
    return {
        "openapi": "3.1.0",
        "info": {"title": "rnnrs", "version": version("rnnrs"), "description": _INTRODUCTION},
        "paths": paths,
        "security": [{}, {"bearer": []}],
        "components": {
            "schemas": {"Problem": _problem_schema()},
            "responses": {str(status): _problem_response(status) for status in _PROBLEMS},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint, method: str, limits: Limits, models: Mapping[str, Any]) -> dict[str, Any]:
    name = endpoint.path.strip("/").replace("/", "_").replace("{", "").replace("}", "")
    operation: dict[str, Any] = {
        "operationId": f"{name}_{method.lower()}",
        "summary": endpoint.summary,
        "responses": _responses(endpoint, method),
    }
    if endpoint.tags:
        operation["tags"] = list(endpoint.tags)
    if endpoint.is_open:
        operation["security"] = []
    parameters = _path_parameters(endpoint.path, models)
    if method == "GET":
        names = _names(endpoint, models)[0]
        parameters += [_query_parameter(field, limits.in_query(), names) for field in endpoint.fields[0]]
    else:
        operation["requestBody"] = {"required": True, "content": _bodies(endpoint, limits, models)}
    return operation | ({"parameters": parameters} if parameters else {})


def _names(endpoint: Endpoint, models: Mapping[str, Any]) -> list[list[str]]:
    """Returns the names of the models for each form of an endpoint's requests."""
    fits = endpoint.fits or (lambda model: True,) * len(endpoint.fields)
    return [[name for name, model in models.items() if fit(model)] for fit in fits]


def _responses(endpoint: Endpoint, method: str) -> dict[str, Any]:
    content = {media: {"schema": schema} for media, schema in endpoint.answers.items()}
    problems = {*_ALWAYS, *endpoint.problems}
    if method != "GET":
        problems |= {*_WITH_BODY, *_ANSWERED}
    elif endpoint.fields != ((),):
        problems |= set(_ANSWERED)
    if endpoint.is_open:
        problems.discard(401)
    return {"200": {"description": "The answer.", "content": content}} | {
        str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(problems)
    }


def _path_parameters(path: str, models: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    schema = {"enum": list(models)} if models else TEXT
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _query_parameter(field: Field, limits: Limits, names: list[str]) -> dict[str, Any]:
    schema, is_required = _schema(field, limits, names), field.default is REQUIRED
    if not is_required:  # a query has no null
        schema = schema["anyOf"][0] | ({} if field.default is None else {"default": field.default})
    return {
        "name": field.name,
        "in": "query",
        "required": is_required,
        "description": field.doc,
        "schema": schema,
    }


def _bodies(endpoint: Endpoint, limits: Limits, models: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the schemas of a request's body by media type."""
    forms = list(zip(endpoint.fields, _names(endpoint, models), strict=True))
    served = [form for form in forms if form[1]] or forms  # those that a model is for
    bodies = {"application/json": _any_of([_body(form, limits, names) for form, names in served])}
    if any(field.kind == "file" for form in endpoint.fields for field in form):
        parts = [_body(form, limits, names, in_form=True) for form, names in served]
        bodies["multipart/form-data"] = _any_of(parts)
    return {media: {"schema": schema} for media, schema in bodies.items()}


def _body(fields: tuple[Field, ...], limits: Limits, names: list[str], *, in_form: bool = False) -> Schema:
    properties = {}
    for field in fields:
        schema = _schema(field, limits, names)
        if in_form:
            schema = {"type": "string", "format": "binary"} if field.kind == "file" else schema
            schema = schema.get("anyOf", [schema])[0]  # a form has no null
        properties[field.name] = schema
    return object_of(properties, *(field.name for field in fields if field.default is not REQUIRED))


def _schema(field: Field, limits: Limits, names: list[str]) -> Schema:
    schema = field.schema(limits)
    if field.name == MODEL.name and names:
        schema = schema | {"anyOf": [{"enum": names}, {"type": "null"}]}
    return schema


def _any_of(schemas: list[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _problem_schema() -> Schema:
    error = object_of({"message": TEXT, "type": TEXT, "param": or_null(TEXT), "code": or_null(TEXT)})
    model = object_of({"status": TEXT, "progress": NUMBER, "message": TEXT}, "progress", "message")
    properties: dict[str, Schema] = {
        "type": TEXT,
        "title": TEXT,
        "status": WHOLE,
        "detail": TEXT | {"description": "One sentence for people."},
        "expected": TEXT,
        "got": TEXT,
        "field": TEXT | {"description": "The field of the request."},
        "models": {"type": "object", "additionalProperties": model},
        "error": error | {"description": "Below /v1/: the problem in OpenAI's form."},
    }
    return object_of(properties, "expected", "got", "field", "models", "error") | {
        "description": "A problem (RFC 9457)."
    }


def _problem_response(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": _PROBLEMS[status],
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in _LATER:
        response["headers"] = {"Retry-After": {"description": "Seconds.", "schema": WHOLE}}
    if status == 401:
        response["headers"] = {"WWW-Authenticate": {"schema": TEXT}}
    return response
