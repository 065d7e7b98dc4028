"""`/score`: the probability of a text, token by token."""

from __future__ import annotations

import math
from typing import Any

from ..endpoint import BOOLEAN, NUMBER, TEXT, list_of, object_of, of_kinds, or_null
from ..fields import Field
from ..hosting import Loaded
from .verb import Verb

FIELDS = (
    Field("text", "text", "The text.", most="text"),
    Field("after", "text", "The text before it.", "", most="text"),
    Field("end", "boolean", "Whether the sentence ends with the text, and its end is scored.", True),
    Field("all_spellings", "boolean", "Whether to add up all ways to spell the text in subwords.", False),
)


def _answer_all(loaded: Loaded, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    first = requests[0]
    texts, before = ([request[name] for request in requests] for name in ("text", "after"))
    found = loaded.model.score_all(
        texts, after=before, end=first["end"], all_spellings=first["all_spellings"]
    )
    return [_facts(score) for score in found]


def _facts(score: Any) -> dict[str, Any]:
    pairs = zip(score.tokens, score.log_probs.tolist(), strict=True)
    return {
        "log_prob": score.total,
        "perplexity": None if math.isinf(score.perplexity) else score.perplexity,
        "is_bound": bool(score.is_bound),
        "tokens": [{"token": token, "log_prob": log_prob} for token, log_prob in pairs],
    }


SCORE = Verb(
    name="score",
    fits=of_kinds("language_model"),
    summary="The probability of a text, and ln P of each of its tokens.",
    fields=FIELDS,
    each=("text", "after"),
    answer_all=_answer_all,
    answer={
        "log_prob": NUMBER | {"description": "ln P of the text"},
        "perplexity": or_null(NUMBER) | {"description": "null if it is too large for a number"},
        "is_bound": BOOLEAN | {"description": "Whether other spellings of the text make it likelier still."},
        "tokens": list_of(object_of({"token": TEXT, "log_prob": NUMBER})),
    },
)
