"""What OpenAPI says about a path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .fields import Field

#: A JSON schema.
Schema = dict[str, Any]

#: Whether a model answers a form of requests.
Fits = Callable[[Any], bool]


@dataclass(frozen=True)
class Endpoint:
    """A path of the server, for its documentation; `openapi.document` puts them together.

    Attributes:
        path: the path, with its parameters in braces.
        methods: the HTTP methods: "GET", "POST".
        summary: one line.
        answers: the schemas of an answer of status 200, by media type.
        fields: the fields of a request, of a GET's query or a POST's JSON; several forms where they depend on
            the model.
        fits: for each form, which models it is for; the document names them.
        problems: the statuses of problems, besides those that every path has.
        is_open: whether no token is needed.
        tags: the groups that it belongs to.
    """

    path: str
    methods: tuple[str, ...]
    summary: str
    answers: Mapping[str, Schema]
    fields: tuple[tuple[Field, ...], ...] = ((),)
    fits: tuple[Fits, ...] = ()
    problems: tuple[int, ...] = ()
    is_open: bool = False
    tags: tuple[str, ...] = ()


def of_kinds(*kinds: str) -> Fits:
    """Returns whether a model is of one of these kinds."""
    return lambda model: model.KIND in kinds


def object_of(properties: Mapping[str, Schema], *optional: str) -> Schema:
    """Returns the schema of an object that has these properties and no others.

    Args:
        properties: the schemas of the properties.
        optional: the names of those that it may lack.

    Example:
        >>> object_of({"a": {"type": "string"}})["required"]
        ['a']
    """
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def list_of(items: Schema) -> Schema:
    """Returns the schema of a list."""
    return {"type": "array", "items": items}


TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1.000001}  # sums are rounded


def or_null(schema: Schema) -> Schema:
    """Returns the schema of values that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}
