"""A verb: the fields of its requests, how models answer them, and the form of the answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from ..endpoint import Fits, Schema
from ..fields import Field
from ..hosting import Loaded
from ..problems import Problem

#: What a picture counts, in characters: its decoding takes about as long.
_PICTURE = 4_000


@dataclass(frozen=True)
class Verb:
    """Something that models do on request.

    Attributes:
        name: the verb; its path is `/name`.
        fits: which models do it in this way.
        summary: one line for the documentation.
        fields: the fields of a request, besides `model`.
        each: the names of the fields in which requests that are computed together may differ.
        answer_all: from a model and the values of such requests to their answers as JSON types; a `Problem`
            in place of an answer is that of one request.
        answer: the JSON schemas of the answer's properties, besides `model`.
        optional: the names of those that an answer may lack.
        methods: the HTTP methods.
        check: further checks of a request's values, for this model; raises `Problem`.
    """

    name: str
    fits: Fits
    summary: str
    fields: tuple[Field, ...]
    each: tuple[str, ...]
    answer_all: Callable[[Loaded, list[dict[str, Any]]], Sequence[dict[str, Any] | Problem]]
    answer: dict[str, Schema]
    optional: tuple[str, ...] = ()
    methods: tuple[str, ...] = ("POST",)
    check: Callable[[Loaded, dict[str, Any]], None] | None = None

    def key(self, loaded: Loaded, values: dict[str, Any]) -> Hashable:
        """Returns what requests must agree in to be computed together, the loaded model included."""
        return (
            loaded,
            self.name,
            *(values[field.name] for field in self.fields if field.name not in self.each),
        )

    def size(self, values: dict[str, Any]) -> int:
        """Returns the number of characters or numbers of a request that are read."""
        read = (values[name] for name in self.each)
        return sum(
            _PICTURE if isinstance(one, bytes) else getattr(one, "size", None) or len(one) for one in read
        )
