"""What verbs share that write texts by beam search: their fields and the form of their results."""

from __future__ import annotations

from typing import Any

from ..endpoint import BOOLEAN, NUMBER, TEXT, Schema, list_of, object_of
from ..fields import Field
from ..hosting import Loaded
from ..problems import Plain, invalid

SOURCE = Field("text", "text", "The text to read.", most="text")

#: The settings of a beam search, and what to show.
SEARCH = (
    Field("beam", "whole", "The width of the beam; 1 is greedy decoding.", 5, least=1, most="beam"),
    Field("n_best", "whole", "The number of results, at most `beam`.", 1, least=1, most="beam"),
    Field("length_penalty", "number", "α of Wu et al. 2016, equation 14.", 0.6, least=0, most=10),
    Field("max_length", "whole", "The maximum number of tokens to write.", None, least=1, most="tokens"),
    Field("attention", "boolean", "Whether to return the attention of each word.", False),
)

#: The JSON schemas of the properties of a written text.
WRITTEN: dict[str, Schema] = {
    "text": TEXT,
    "score": NUMBER,
    "log_prob": NUMBER,
    "words": list_of(TEXT),
    "attention": list_of(list_of(NUMBER)) | {"description": "One row for each word, if the model attends."},
}

#: Those of a text that was written for another one.
REWRITTEN: Schema = object_of(
    WRITTEN
    | {
        "source": list_of(TEXT) | {"description": "The tokens that were read."},
        "cut": BOOLEAN | {"description": "Whether only the beginning of the text was read."},
    },
    "attention",
)


def check_n_best(loaded: Loaded, values: dict[str, Any]) -> None:
    """Checks that there are at most as many results as hypotheses.

    Raises:
        Problem: 400.
    """
    if values["n_best"] > values["beam"]:
        raise invalid("n_best", f"at most beam, {values['beam']}", Plain(str(values["n_best"])))


def search_of(model: Any, values: dict[str, Any]) -> Any:
    """Returns the search that a request asks for."""
    names = ("beam", "n_best", "length_penalty", "max_length")
    return model.search(**{name: values[name] for name in names})


def rewrite_all(loaded: Loaded, requests: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Returns the texts that a model writes for those of requests, which share the other values."""
    model, first = loaded.model, requests[0]
    texts = [request["text"] for request in requests]
    found = model.write(texts, search_of(model, first), decoder=loaded.kept("decoder", model.decoder))
    return [
        [
            written_facts(one, first["attention"]) | {"source": list(one.source), "cut": bool(one.cut)}
            for one in own
        ]
        for own in found
    ]


def written_facts(one: Any, attention: bool) -> dict[str, Any]:
    """Returns a written text as JSON types; numbers of attention with four decimals."""
    facts: dict[str, Any] = {
        "text": one.text,
        "score": float(one.score),
        "log_prob": float(one.log_prob),
        "words": list(one.words),
    }
    if attention and one.attention is not None:
        facts["attention"] = one.attention.astype(float).round(4).tolist()
    return facts
