"""`/translate`: a text in another language."""

from __future__ import annotations

from typing import Any

from ..endpoint import list_of, of_kinds
from ..hosting import Loaded
from .verb import Verb
from .writing import REWRITTEN, SEARCH, SOURCE, check_n_best, rewrite_all


def _answer_all(loaded: Loaded, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"translations": own} for own in rewrite_all(loaded, requests)]


TRANSLATE = Verb(
    name="translate",
    fits=of_kinds("translator"),
    summary="A text in another language.",
    fields=(SOURCE, *SEARCH),
    each=("text",),
    answer_all=_answer_all,
    answer={"translations": list_of(REWRITTEN)},
    check=check_n_best,
)
