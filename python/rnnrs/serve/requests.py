"""From an HTTP request to the values of its fields."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Receive

from .fields import Field, values_of
from .limits import Limits
from .problems import Plain, Problem, invalid


async def read(request: Request, fields: Iterable[Field], limits: Limits) -> dict[str, Any]:
    """Returns the checked values of a request: of its query for GET, else of its JSON or form.

    Raises:
        Problem: 400 for invalid values, 413 for too large a body, 415 for a body of another type.
    """
    fields = tuple(fields)
    return values_of(fields, await given_of(request, fields, limits), limits_of(request, limits))


def limits_of(request: Request, limits: Limits) -> Limits:
    """Returns the limits of a request's values: those of a query are shorter."""
    return limits.in_query() if request.method in ("GET", "HEAD") else limits


async def given_of(request: Request, fields: tuple[Field, ...], limits: Limits) -> dict[str, Any]:
    """Returns the values of a request as JSON has them, not checked yet.

    Args:
        request: the request.
        fields: the fields that it may have, for the types of values that come as texts.
        limits: the server's limits.

    Raises:
        Problem: see `read`.
    """
    if request.method in ("GET", "HEAD"):
        return _texts(fields, _query(request))
    return await _body(request, fields, limits)


async def disconnected(receive: Receive) -> None:
    """Returns when the client has closed the connection; the body has been read before."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _query(request: Request) -> list[tuple[str, str]]:
    query = request.scope["query_string"].decode("latin-1")
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=50)
    except UnicodeDecodeError:
        raise invalid("query", "UTF-8", Plain("other bytes")) from None
    except ValueError:
        raise invalid("query", "at most 50 fields", Plain("more")) from None


async def _body(request: Request, fields: tuple[Field, ...], limits: Limits) -> dict[str, Any]:
    kind = request.headers.get("content-type", "none").partition(";")[0].strip().lower()
    has_file = any(field.kind == "file" for field in fields)
    if kind == "multipart/form-data" and has_file:
        try:
            async with request.form(max_files=4, max_fields=50, max_part_size=limits.body) as form:
                return await _form(fields, form)
        except (MultiPartException, HTTPException, ValueError) as error:  # which one depends on the version
            reason = getattr(error, "message", None) or getattr(error, "detail", None) or str(error)
            raise invalid("body", "a form (multipart/form-data)", Plain(reason)) from None
    if kind != "application/json" and not kind.endswith("+json"):
        expected = "application/json" + (" or multipart/form-data" if has_file else "")
        raise Problem(
            415, f"Content-Type: expected {expected}, got {kind:.80}", expected=expected, got=kind[:80]
        )
    return parsed(await request.body())


def parsed(body: bytes | str) -> dict[str, Any]:
    """Returns the object of a JSON text.

    Raises:
        Problem: 400 for anything else, and for numbers that are not finite.
    """
    try:
        text = body if isinstance(body, str) else body.decode("utf-8")
        given = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise invalid(
            "body", "UTF-8", Plain(f"byte 0x{error.object[error.start]:02x} at {error.start}")
        ) from None
    except (ValueError, RecursionError) as error:
        raise invalid("body", "JSON", Plain(str(error) or "nesting that is too deep")) from None
    if not isinstance(given, dict):
        raise invalid("body", "a JSON object", given)
    return given


def _no_number(name: str) -> Any:
    raise ValueError(f"{name}, which JSON does not have")


_DECODER = json.JSONDecoder(parse_constant=_no_number)


async def _form(fields: tuple[Field, ...], form: FormData) -> dict[str, Any]:
    given = _texts(fields, [(name, value) for name, value in form.multi_items() if isinstance(value, str)])
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name in given:
                raise invalid(name, "one value", Plain("several"))
            given[name] = await value.read()
    return given


def _texts(fields: tuple[Field, ...], items: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Returns values that came as texts as JSON would have them."""
    kinds, given = {field.name: field for field in fields}, {}
    for name, value in items:
        if name in given:
            raise invalid(name, "one value", Plain("several"))
        given[name] = kinds[name].parsed(value) if name in kinds else value
    return given
