"""`/suggest`: the likeliest next words, or completions of the word that is being typed."""

from __future__ import annotations

from typing import Any

from ..endpoint import PROBABILITY, TEXT, list_of, object_of, of_kinds
from ..fields import Field
from ..hosting import Loaded
from .verb import Verb

FIELDS = (
    Field("text", "text", "The text so far.", "", most="text"),
    Field("k", "whole", "The maximum number of suggestions.", 3, least=1, most=50),
    Field("words", "whole", "The number of words of each suggestion.", 1, least=1, most=20),
)


def facts(suggestions: list[Any]) -> list[dict[str, Any]]:
    """Returns suggestions as JSON types."""
    return [{"word": one.word, "probability": one.probability} for one in suggestions]


def _answer_all(loaded: Loaded, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    model, first = loaded.model, requests[0]
    texts, stepper = [request["text"] for request in requests], loaded.kept("stepper", model.stepper)
    found = model.suggest_all(texts, first["k"], words=first["words"], stepper=stepper)
    return [{"suggestions": facts(suggestions)} for suggestions in found]


SUGGEST = Verb(
    name="suggest",
    fits=of_kinds("language_model"),
    summary="The likeliest next words, or completions of the word that is being typed.",
    fields=FIELDS,
    each=("text",),
    answer_all=_answer_all,
    answer={"suggestions": list_of(object_of({"word": TEXT, "probability": PROBABILITY}))},
    methods=("GET", "POST"),
)
