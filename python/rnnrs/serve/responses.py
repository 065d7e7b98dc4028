"""Answers and problems as HTTP responses."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from .batching import ClientLeft
from .problems import Problem, failure, not_finite, shortened

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encoded(answer: dict[str, Any]) -> str:
    """Returns an answer as JSON.

    Raises:
        Problem: 500 for a number that JSON does not have.
    """
    try:
        return _ENCODER.encode(answer)
    except ValueError:
        raise not_finite() from None


def json_response(answer: dict[str, Any]) -> Response:
    """Returns the response of an answer; see `encoded`."""
    return Response(encoded(answer), media_type="application/json")


def problem_response(scope: Scope, problem: Problem) -> Response:
    """Returns the response of a problem.

    Args:
        scope: of the request; below `/v1/` the problem has OpenAI's form, too.
        problem: the problem.
    """
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return JSONResponse(
        problem.to_json(openai=path.startswith("/v1/")),
        problem.status,
        headers=problem.headers,
        media_type="application/problem+json",
    )


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(request.scope, error)


async def _http_problem(request: Request, error: Exception) -> Response:
    """Returns the response of an error of the framework: an unknown path, or another method."""
    assert isinstance(error, HTTPException)
    headers: Mapping[str, str] = error.headers or {}
    detail, expected, got = str(error.detail), None, None
    if error.status_code == 404:
        expected, got = "a path in /openapi.json", shortened(request.scope["path"])
        detail = f"path: expected one of those in /openapi.json, got {got}"
    elif error.status_code == 405:
        expected, got = headers.get("Allow"), request.method
        detail = f"method: expected {expected}, got {got}"
    return problem_response(
        request.scope, Problem(error.status_code, detail, expected=expected, got=got, headers=headers)
    )


async def _error(request: Request, error: Exception) -> Response:
    return problem_response(request.scope, failure())


async def _left(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it; logs and metrics show it


#: The responses of errors; the server logs those that have none of their own.
HANDLERS: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    Problem: _problem,
    HTTPException: _http_problem,
    ClientLeft: _left,
    Exception: _error,
}
