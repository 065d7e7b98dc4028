"""`/forecast`: the next steps of a series of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..endpoint import NUMBER, list_of, of_kinds
from ..fields import Field
from ..hosting import Loaded
from ..problems import Plain, Problem, invalid
from .verb import Verb

_FIELDS = (
    Field("series", "numbers", "The steps so far: numbers, or rows of them.", most="numbers"),
    Field(
        "steps", "whole", "The number of steps; the model's horizon by default.", None, least=1, most="tokens"
    ),
)


def _answer_all(loaded: Loaded, requests: list[dict[str, Any]]) -> list[dict[str, Any] | Problem]:
    found = loaded.model.predict_all([request["series"] for request in requests], requests[0]["steps"])
    return [_answer(ahead) for ahead in found]


def _answer(ahead: Any) -> dict[str, Any] | Problem:
    if not np.isfinite(ahead).all():
        return invalid("series", "numbers whose forecast is finite", Plain("one that is too large"))
    return {"forecast": ahead.tolist()}


FORECAST = Verb(
    name="forecast",
    fits=of_kinds("forecaster"),
    summary="The next steps of a series of numbers.",
    fields=_FIELDS,
    each=("series",),
    answer_all=_answer_all,
    answer={"forecast": list_of(list_of(NUMBER)) | {"description": "One row of columns for each step."}},
)
