"""`/classify` and `/tag`: the classes of texts or sequences of numbers, and of their steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..endpoint import PROBABILITY, TEXT, Fits, Schema, list_of, object_of
from ..fields import Field
from ..hosting import Loaded
from .verb import Verb

_TEXT = Field("text", "text", "The text.", most="text")
_SEQUENCE = Field("sequence", "numbers", "The steps: numbers, or rows of them.", most="numbers")

#: Names of classes are texts, whole numbers or Booleans.
_NAME: Schema = {"type": ["string", "integer", "boolean"]}


def reads_text(model: Any) -> bool:
    """Returns whether a classifier or tagger reads texts; otherwise it reads numbers."""
    return model.vocabulary is not None


def _of(kind: str, text: bool) -> Fits:
    return lambda model: kind == model.KIND and reads_text(model) == text


def _classes(field: str) -> Callable[[Loaded, list[dict[str, Any]]], list[dict[str, Any]]]:
    def answer_all(loaded: Loaded, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        model, found = loaded.model, []
        for p in model.predict_proba([request[field] for request in requests]):
            order = (-p).argsort(kind="stable").tolist()
            found.append(
                {"classes": [{"class": model.classes[i], "probability": float(p[i])} for i in order]}
            )
        return found

    return answer_all


def _tags(field: str) -> Callable[[Loaded, list[dict[str, Any]]], list[dict[str, Any]]]:
    def answer_all(loaded: Loaded, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        model = loaded.model
        sequences = [request[field] for request in requests]
        found = []
        for sequence, p in zip(sequences, model.predict_proba(sequences), strict=True):
            best = p.argmax(axis=1).tolist()
            tokens = [{"tag": model.tags[i], "probability": float(p[t, i])} for t, i in enumerate(best)]
            if reads_text(model):
                words = map(model.vocabulary.surface, model.vocabulary.pieces(sequence))
                tokens = [{"token": word} | one for word, one in zip(words, tokens, strict=True)]
            found.append({"tokens": tokens})
        return found

    return answer_all


def _verbs(name: str, kind: str, answer_all: Any, **facts: Any) -> tuple[Verb, Verb]:
    """Returns the forms of a verb for models of texts and for models of numbers."""
    of_texts, of_numbers = (
        Verb(
            name=name,
            fits=_of(kind, field is _TEXT),
            fields=(field,),
            each=(field.name,),
            answer_all=answer_all(field.name),
            **facts,
        )
        for field in (_TEXT, _SEQUENCE)
    )
    return of_texts, of_numbers


CLASSIFY = _verbs(
    "classify",
    "sequence_classifier",
    _classes,
    summary="The classes of a text or a sequence, the likeliest first.",
    answer={"classes": list_of(object_of({"class": _NAME, "probability": PROBABILITY}))},
)

TAG = _verbs(
    "tag",
    "sequence_tagger",
    _tags,
    summary="The tag of each token of a text, or of each step of a sequence.",
    answer={"tokens": list_of(object_of({"token": TEXT, "tag": _NAME, "probability": PROBABILITY}, "token"))},
)
