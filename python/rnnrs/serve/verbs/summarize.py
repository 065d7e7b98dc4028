"""`/summarize`: a text in short, written anew or by its most important sentences."""

from __future__ import annotations

from typing import Any

from ..endpoint import NUMBER, PROBABILITY, TEXT, WHOLE, list_of, object_of, of_kinds
from ..fields import Field
from ..hosting import Loaded
from ..problems import Plain, invalid
from .verb import Verb
from .writing import REWRITTEN, SEARCH, SOURCE, check_n_best, rewrite_all


def _write_all(loaded: Loaded, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"summaries": own} for own in rewrite_all(loaded, requests)]


WRITTEN_SUMMARY = Verb(
    name="summarize",
    fits=of_kinds("summarizer"),
    summary="A text in one line, in new words.",
    fields=(SOURCE, *SEARCH),
    each=("text",),
    answer_all=_write_all,
    answer={"summaries": list_of(REWRITTEN)},
    check=check_n_best,
)

_LENGTHS = (
    Field("sentences", "whole", "The number of sentences to keep; 3 by default.", None, least=1, most=10_000),
    Field("words", "whole", "Instead, the most words to keep.", None, least=1, most=1_000_000),
    Field("share", "number", "Instead, the share of the sentences to keep.", None, least=0.001, most=1),
)


def _check_length(loaded: Loaded, values: dict[str, Any]) -> None:
    given = [length.name for length in _LENGTHS if values[length.name] is not None]
    if len(given) > 1:
        raise invalid(given[1], "one of sentences, words and share", Plain(" and ".join(given)))


def _extract_all(loaded: Loaded, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    texts, first = [request["text"] for request in requests], requests[0]
    lengths = {length.name: first[length.name] for length in _LENGTHS}
    found = loaded.model.summarize_all(texts, why=first["why"], **lengths)
    return [
        {"summary": str(extract), "sentences": [_facts(sentence) for sentence in extract]}
        for extract in found
    ]


def _facts(sentence: Any) -> dict[str, Any]:
    names = ("text", "begin", "end", "number", "score")
    facts = {name: getattr(sentence, name) for name in names}
    return facts if sentence.parts is None else facts | {"parts": dict(sentence.parts)}


EXTRACT = Verb(
    name="summarize",
    fits=of_kinds("extractive_summarizer"),
    summary="The most important sentences of a text.",
    fields=(SOURCE, *_LENGTHS, Field("why", "boolean", "Whether to return the parts of scores.", False)),
    each=("text",),
    answer_all=_extract_all,
    answer={
        "summary": TEXT,
        "sentences": list_of(
            object_of(
                {
                    "text": TEXT,
                    "begin": WHOLE | {"description": "Its place in the text, in code points."},
                    "end": WHOLE,
                    "number": WHOLE | {"description": "Its number among the text's sentences, from 0."},
                    "score": PROBABILITY,
                    "parts": {"type": "object", "additionalProperties": NUMBER},
                },
                "parts",
            )
        ),
    },
    check=_check_length,
)
