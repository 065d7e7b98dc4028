"""`/v1/completions`: texts that go on, in OpenAI's form."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ...models.language.pieces import GeneratedPiece
from ...seeds import derive_seed
from ..endpoint import NUMBER, TEXT, WHOLE, Endpoint, Schema, list_of, object_of, of_kinds, or_null
from ..fields import MODEL, Field, values_of
from ..hosting import Host
from ..problems import Plain, invalid
from ..requests import disconnected, given_of
from ..responses import json_response
from ..watch import note_model
from .events import DONE, EVENTS, EventStream, event
from .fields import METADATA, PENALTIES, STOP, STREAM, STREAM_OPTIONS, USER, Only, Strings
from .generating import Generating, Texts

#: The smallest ln P in answers, as in OpenAI's: JSON does not have −∞.
LEAST = -9999.0

#: The most texts of one request.
CHOICES = 128

FIELDS = (
    MODEL,
    Strings("prompt", "text", "The text that goes on, or several.", [""], most="text", count=CHOICES),
    Field("max_tokens", "whole", "The maximum number of tokens to write.", 16, least=0, most="tokens"),
    Field("temperature", "number", "Below 1 sharper, above 1 flatter; 0: the likeliest.", 1.0, 0, 2),
    Field("top_p", "number", "Sample among the likeliest tokens that together reach this P.", 1.0, 0, 1),
    Field(
        "top_k", "whole", "Sample among the k likeliest tokens; 0 for all. OpenAI lacks it.", 0, 0, 1 << 20
    ),
    Field("n", "whole", "The number of texts for each prompt.", 1, 1, CHOICES),
    Field("best_of", "whole", "Only as `n`.", None, 1, CHOICES),
    Field("logprobs", "whole", "Whether to return ln P of each token, and of how many others.", None, 0, 5),
    Field("echo", "boolean", "Whether the text begins with the prompt.", False),
    STOP,
    Field(
        "seed",
        "whole",
        "The same seed gives the same texts. The first text of a prompt is that of `model.generate` with this "
        "seed; text i has the seed `rnnrs.seeds.derive_seed(seed, i)`.",
        None,
        0,
        (1 << 63) - 1,
    ),
    STREAM,
    STREAM_OPTIONS,
    Only("suffix", "text", "Only null.", None, values=(None,)),
    *PENALTIES,
    USER,
    METADATA,
)

_LOGPROBS: Schema = object_of(
    {
        "tokens": list_of(TEXT),
        "token_logprobs": list_of(NUMBER),
        "top_logprobs": or_null(list_of({"type": "object", "additionalProperties": NUMBER})),
        "text_offset": list_of(WHOLE),
    }
)

USAGE: Schema = object_of({"prompt_tokens": WHOLE, "completion_tokens": WHOLE, "total_tokens": WHOLE})

ENDPOINT = Endpoint(
    path="/v1/completions",
    methods=("POST",),
    summary="Texts that go on after prompts, in OpenAI's form.",
    fields=(FIELDS,),
    fits=(of_kinds("language_model"),),
    answers={
        "application/json": object_of(
            {
                "id": TEXT,
                "object": {"const": "text_completion"},
                "created": WHOLE,
                "model": TEXT,
                "system_fingerprint": TEXT,
                "choices": list_of(
                    object_of(
                        {
                            "text": TEXT,
                            "index": WHOLE,
                            "logprobs": or_null(_LOGPROBS),
                            "finish_reason": {"enum": ["stop", "length"]},
                        }
                    )
                ),
                "usage": USAGE,
            }
        ),
        "text/event-stream": EVENTS,
    },
)


@dataclass
class Completion:
    """The answer to a request, as it comes into being.

    Attributes:
        head: what all its objects have.
        prompts: the prompts.
        n: the number of texts for each.
        logprobs: the number of likeliest tokens that are shown; None: no ln P at all.
        echo: whether each text begins with its prompt.
        shows_usage: whether a stream tells the numbers of tokens.
        texts: the texts.
        written: the number of tokens so far.
    """

    head: dict[str, Any]
    prompts: Sequence[str]
    n: int
    logprobs: int | None
    echo: bool
    shows_usage: bool
    texts: Texts
    written: int = 0

    async def whole(self) -> dict[str, Any]:
        """Returns the answer in one piece."""
        found: list[list[dict[str, Any]]] = [[] for _ in self.texts.choices]
        async with aclosing(self._choices()) as arriving:
            async for choices in arriving:
                for choice in choices:
                    found[choice["index"]].append(choice)
        return {**self._head(), "choices": [_joined(own) for own in found], "usage": self._usage()}

    async def events(self) -> AsyncGenerator[str]:
        """Yields the answer as server-sent events."""
        rest = {"usage": None} if self.shows_usage else {}
        async with aclosing(self._choices()) as arriving:
            async for choices in arriving:
                head = self._head()
                yield "".join(event({**head, "choices": [choice], **rest}) for choice in choices)
        if self.shows_usage:
            yield event({**self._head(), "choices": [], "usage": self._usage()})
        yield DONE

    async def _choices(self) -> AsyncGenerator[list[dict[str, Any]]]:
        """Yields pieces of the texts as they arrive, in OpenAI's form."""
        offsets = [0 if self.echo else len(self.prompts[i // self.n]) for i in range(len(self.texts.choices))]
        async with aclosing(self.texts.pieces()) as arriving:
            async for pieces in arriving:
                choices = []
                for index, piece in pieces:
                    choices.append(self._choice(index, piece, offsets[index]))
                    offsets[index] += len(piece.text)
                yield choices

    def _choice(self, index: int, piece: GeneratedPiece, offset: int) -> dict[str, Any]:
        shown = None if self.logprobs is None else log_probs(piece, offset, self.logprobs)
        return {"text": piece.text, "index": index, "logprobs": shown, "finish_reason": piece.finished}

    def _head(self) -> dict[str, Any]:
        return {**self.head, "system_fingerprint": self.texts.generating.fingerprint}

    def _usage(self) -> dict[str, int]:
        read = sum(choice.read for choice in self.texts.choices[:: self.n])
        return usage_of(read, sum(choice.written for choice in self.texts.choices))


def _joined(pieces: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns the pieces of a text as one."""
    joined = {**pieces[-1], "text": "".join(piece["text"] for piece in pieces)}
    if joined["logprobs"] is not None:
        joined["logprobs"] = {
            name: None if value is None else [one for piece in pieces for one in piece["logprobs"][name]]
            for name, value in joined["logprobs"].items()
        }
    return joined


def usage_of(read: int, written: int) -> dict[str, int]:
    """Returns the numbers of tokens of a prompt and of what follows it."""
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def log_probs(piece: GeneratedPiece, offset: int, likeliest: int) -> dict[str, Any]:
    """Returns ln P of a piece's tokens in OpenAI's form.

    Args:
        piece: the piece.
        offset: its place in the text, in code points from the beginning of the prompt.
        likeliest: how many of the likeliest tokens are shown, besides the token itself; 0 for none.
    """
    best = [
        {text: max(p, LEAST) for text, p in [*reversed(token.likeliest), (token.text, token.log_prob)]}
        for token in piece.tokens  # tokens that look the same: the likeliest of them, or the one of the text
    ]
    return {
        "tokens": [token.text for token in piece.tokens],
        "token_logprobs": [max(token.log_prob, LEAST) for token in piece.tokens],
        "top_logprobs": best if likeliest else None,
        "text_offset": [offset + place for place in places_of(piece)],
    }


def places_of(piece: GeneratedPiece) -> list[int]:
    """Returns where the tokens of a piece begin in its text.

    The space before a word is not part of its token. A token that the text spells otherwise, as an unknown
    one, or that is cut off, begins where the one before it ends.
    """
    text = piece.text.lower() if len(piece.text.lower()) == len(piece.text) else piece.text
    places, at, missed = [], 0, 0
    for token in piece.tokens:
        word = (token.text.strip() or token.text).lower()
        found = text.find(word, at, at + missed + len(token.text) + 2)
        places.append(at if found < 0 else found)
        missed = missed + len(token.text) + 2 if found < 0 else 0
        at = at if found < 0 else found + len(word)
    return places


def endpoint(host: Host) -> Callable[[Request], Awaitable[Response]]:
    """Returns the endpoint."""

    async def completions(request: Request) -> Response:
        given = await given_of(request, FIELDS, host.limits)
        completion = begun(host, values_of(FIELDS, given, host.limits), request)
        if completion.texts.streams:
            events = completion.events()
            return EventStream(await anext(events), events)
        return json_response(await completion.whole())

    return completions


def begun(host: Host, values: dict[str, Any], request: Request) -> Completion:
    """Returns the answer to checked values, of which nothing is generated yet.

    Raises:
        Problem: for an unknown model; for values that do not go together.
    """
    one = host.find(values["model"], "completions")
    note_model(request.scope, one.name)
    prompts, n = values["prompt"], values["n"]
    if values["best_of"] not in (None, n):
        raise invalid("best_of", f"null, or n, {n}", Plain(str(values["best_of"])))
    if n * len(prompts) > CHOICES:
        expected = f"at most {CHOICES} texts in all, for all prompts"
        raise invalid("n", expected, Plain(f"{n} for each of {len(prompts)} prompts"))
    loaded = one.loaded
    generating = loaded.kept("generating", lambda: Generating(loaded.model, one.worker, host.limits))
    head = {
        "id": f"cmpl-{secrets.token_hex(12)}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": one.name,
    }
    texts = Texts(
        generating,
        [settings_of(values, prompt, i) for prompt in prompts for i in range(n)],
        echo=values["echo"],
        seconds=host.limits.seconds,
        streams=values["stream"],
        gone=lambda: disconnected(request.receive),
    )
    usage = not values["stream"] or values["stream_options"]
    return Completion(head, prompts, n, values["logprobs"], values["echo"], usage, texts)


def settings_of(values: Mapping[str, Any], prompt: str, i: int) -> dict[str, Any]:
    """Returns the arguments of `Generation.add` for text i of a prompt."""
    seed = values["seed"]
    return {
        "prompt": prompt,
        "length": values["max_tokens"],
        "temperature": values["temperature"],
        "top_k": values["top_k"],
        "top_p": max(values["top_p"], 1e-6),  # of 0, OpenAI's clients expect the likeliest token
        "seed": seed if i == 0 or seed is None else derive_seed(seed, i),
        "stop": values["stop"],
        "logprobs": values["logprobs"],
    }
