"""`/v1/chat/completions`: chatbots and assistants, in OpenAI's form."""

from __future__ import annotations

import re
import secrets
import time
from bisect import bisect_right
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..endpoint import BOOLEAN, NUMBER, TEXT, WHOLE, Endpoint, list_of, object_of, of_kinds, or_null
from ..fields import MODEL, Field, values_of
from ..hosting import Host, Loaded
from ..limits import Limits
from ..problems import Plain, invalid, problem_of
from ..requests import disconnected, given_of
from ..responses import json_response
from ..watch import note_model
from .completions import USAGE, usage_of
from .events import DONE, EVENTS, EventStream, event
from .fields import METADATA, PENALTIES, STOP, STREAM, STREAM_OPTIONS, USER, Only, Unused

#: The most messages of a conversation.
MESSAGES = 1_000

#: The fields that bound the tokens of an answer: the older name and the newer one.
_BOUNDS = ("max_tokens", "max_completion_tokens")

#: The roles of messages that are not turns of the conversation; they are not read.
UNREAD = ("system", "developer")


@dataclass(frozen=True)
class Messages(Field):
    """The messages of a conversation; the value is its turns, (whether the person's, the text) each."""

    def checked(self, value: Any, limits: Limits) -> list[tuple[bool, str]]:
        if not isinstance(value, list) or not 0 < len(value) <= MESSAGES:
            got = Plain(f"{len(value):,}") if isinstance(value, list) else value
            raise invalid(self.name, f"a list of 1 to {MESSAGES:,} messages", got)
        turns: list[tuple[bool, str]] = []
        for i, message in enumerate(value):
            role, text = self._message(f"{self.name}[{i}]", message)
            if role in UNREAD:
                continue
            if turns and turns[-1][0] == (role == "user"):  # one turn in two messages
                text = f"{turns.pop()[1]} {text}"
            turns.append((role == "user", text))
        if not turns or not turns[-1][0]:
            raise invalid(self.name, "a last message of the user", Plain("another role" if turns else "none"))
        most, length = self.bound(limits), sum(len(text) for _, text in turns)
        if most is not None and length > most:
            raise invalid(self.name, f"at most {most:,} characters", Plain(f"{length:,}"))
        return turns

    def _message(self, place: str, message: Any) -> tuple[str, str]:
        if not isinstance(message, dict):
            raise invalid(place, "an object with role and content", message)
        # Clients send answers back as they hold them, with members that are empty: "refusal", "tool_calls".
        given = {name for name, value in message.items() if value not in (None, [])}
        if unknown := sorted(given - {"role", "content", "name"}):
            raise invalid(f"{place}.{unknown[0]}", "role, content or name", Plain("an unknown field"))
        role, content = message.get("role"), message.get("content")
        roles = ("user", "assistant", *UNREAD)
        if role not in roles:
            raise invalid(f"{place}.role", f"one of {', '.join(roles)}", role)
        if not isinstance(message.get("name"), (str, type(None))):
            raise invalid(f"{place}.name", "a string", message["name"])
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(parts, list) or not parts:
            raise invalid(f"{place}.content", "a string, or a list of parts of text", content)
        return role, " ".join(self._part(f"{place}.content", part) for part in parts)

    def _part(self, place: str, part: Any) -> str:
        if not isinstance(part, dict) or set(part) != {"type", "text"} or part["type"] != "text":
            raise invalid(place, 'parts {"type": "text", "text": …}', part)
        return Field(place, "text", "")._text(part["text"], None)

    def schema(self, limits: Limits) -> dict[str, Any]:
        text = {"type": "string", "maxLength": self.bound(limits)}
        part = object_of({"type": {"const": "text"}, "text": text})
        content = {"anyOf": [text, {"type": "array", "items": part, "minItems": 1}]}
        role = {"enum": ["user", "assistant", *UNREAD]}
        message = object_of({"role": role, "content": content, "name": or_null(TEXT)}, "name")
        message["additionalProperties"] = {"enum": [None, []]}
        return {
            "type": "array",
            "items": message,
            "minItems": 1,
            "maxItems": MESSAGES,
            "description": self.doc,
        }


FIELDS = (
    MODEL,
    Messages(
        "messages",
        "messages",
        "The conversation; its last message is the user's. Messages of the roles system and developer are not "
        "read. Two messages of the same role are one turn.",
        most="text",
    ),
    STOP,
    STREAM,
    STREAM_OPTIONS,
    Only("n", "whole", "Only 1.", 1, values=(1, None)),
    Only("logprobs", "boolean", "Only false.", False, values=(False, None)),
    Only("top_logprobs", "whole", "Only null.", None, values=(None, 0)),
    *(
        Field(name, kind, "Accepted, without effect: the answer is the likeliest one.", None, *bounds)
        for name, kind, bounds in (
            ("temperature", "number", (0, 2)),
            ("top_p", "number", (0, 1)),
            ("seed", "whole", (0, (1 << 63) - 1)),
        )
    ),
    *(
        Field(name, "whole", "The most tokens of the answer, which then ends after a whole word.", None, 1)
        for name in _BOUNDS
    ),
    *PENALTIES,
    USER,
    METADATA,
    *(
        Unused(name, "text", "Accepted, and not used.", None)
        for name in (
            "parallel_tool_calls",
            "prompt_cache_key",
            "reasoning_effort",
            "safety_identifier",
            "service_tier",
            "verbosity",
        )
    ),
    Only("store", "boolean", "Only false: nothing is stored.", False, values=(False, None)),
    Only("response_format", "object", "Only text.", None, values=(None, {"type": "text"})),
    Only("modalities", "list", "Only text.", None, values=(None, ["text"])),
    Only("tools", "list", "Only none.", None, values=(None, [])),
    Only("tool_choice", "text", "Only none, or auto.", None, values=(None, "none", "auto")),
)

_CHOICE = object_of(
    {
        "index": WHOLE,
        "message": object_of({"role": {"const": "assistant"}, "content": TEXT}),
        "logprobs": {"type": "null"},
        "finish_reason": {"enum": ["stop", "length"]},
        "confidence": or_null(NUMBER),
        "unknown": BOOLEAN,
        "act": TEXT,
        "row": or_null({"type": "object", "additionalProperties": TEXT}),
    },
    "act",
    "row",
)

ENDPOINT = Endpoint(
    path="/v1/chat/completions",
    methods=("POST",),
    summary="The next message of a conversation, in OpenAI's form.",
    fields=(FIELDS,),
    fits=(of_kinds("chatbot", "assistant"),),
    answers={
        "application/json": object_of(
            {
                "id": TEXT,
                "object": {"const": "chat.completion"},
                "created": WHOLE,
                "model": TEXT,
                "choices": list_of(_CHOICE),
                "usage": USAGE,
            }
        ),
        "text/event-stream": EVENTS,
    },
)


@dataclass(frozen=True)
class Message:
    """The answer to a conversation.

    Attributes:
        text: the answer.
        facts: further members of its choice, which OpenAI lacks.
        read, written: the numbers of tokens of the conversation, and of the answer.
        finish: why it ends: "stop" or "length".
    """

    text: str
    facts: Mapping[str, Any]
    read: int
    written: int
    finish: str = "stop"


def endpoint(host: Host) -> Callable[[Request], Awaitable[Response]]:
    """Returns the endpoint."""

    async def chat(request: Request) -> Response:
        values = values_of(FIELDS, await given_of(request, FIELDS, host.limits), host.limits)
        one = host.find(values["model"], "chat")
        note_model(request.scope, one.name)
        loaded = one.loaded
        try:
            message = await one.worker.submit(
                ("chat", loaded),
                lambda some: answers(loaded, some),
                values["messages"],
                size=sum(len(text) for _, text in values["messages"]),
                gone=lambda: disconnected(request.receive),
            )
        except Exception as error:
            problem = problem_of(error, [field.name for field in FIELDS])
            if problem is None or problem is error:
                raise
            raise problem from error
        head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": one.name}
        message = _shown(message, loaded.model.target_vocabulary, values)
        if values["stream"]:
            events = _events(head, message, values["stream_options"])
            return EventStream(await anext(events), events)
        content = {"role": "assistant", "content": message.text}
        choice = _choice(message, "message", content, message.finish)
        usage = usage_of(message.read, message.written)
        return json_response({**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    return chat


def answers(loaded: Loaded, conversations: Sequence[Sequence[tuple[bool, str]]]) -> list[Message]:
    """Returns the answers to several conversations."""
    model = loaded.model
    if model.KIND == "assistant":
        # An assistant is the second to speak: a greeting before is not read.
        texts = [[text for _, text in turns[0 if turns[0][0] else 1 :]] for turns in conversations]
        found = model.reply_all(texts)
        each = [
            {"confidence": None, "unknown": False, "act": one.act, "row": _cells(one.row)} for one in found
        ]
    else:
        texts = [[text for _, text in turns] for turns in conversations]
        found = model.reply_all(texts, decoder=loaded.kept("decoder", model.decoder))
        each = [{"confidence": float(one.confidence), "unknown": one.canned} for one in found]
    return [
        Message(reply.text, facts, *_tokens(model, turns, reply.text))
        for turns, reply, facts in zip(texts, found, each, strict=True)
    ]


def _cells(row: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Returns the cells of a table's row as JSON types."""
    return None if row is None else {name: str(cell) for name, cell in row.items()}


def _tokens(model: Any, turns: Sequence[str], answer: str) -> tuple[int, int]:
    """Returns the numbers of tokens of the turns, and of the answer, in the vocabularies of a model."""
    read = sum(len(model.source_vocabulary.encode(turn)) for turn in turns)
    return read, len(model.target_vocabulary.encode(answer))


def until(stops: Sequence[str], text: str) -> str:
    """Returns a text up to the first of some texts.

    Example:
        >>> until(["!", "day"], "Good day!")
        'Good '
    """
    return text[: min((place for stop in stops if (place := text.find(stop)) >= 0), default=len(text))]


def _shown(message: Message, vocabulary: Any, values: Mapping[str, Any]) -> Message:
    """Returns an answer up to what ends it: a stop text, or the most tokens."""
    text = until(values["stop"], message.text)
    message = replace(message, text=text)
    bounds = [most for name in _BOUNDS if (most := values[name]) is not None]
    if not bounds or len(vocabulary.encode(text)) <= min(bounds):
        return message
    words = words_of(text)
    places = range(1, len(words))
    count = bisect_right(places, min(bounds), key=lambda n: len(vocabulary.encode("".join(words[:n]))))
    text = "".join(words[:count])
    return replace(message, text=text, written=len(vocabulary.encode(text)), finish="length")


def words_of(text: str) -> list[str]:
    """Returns the words of a text, each with the white space before it; together they are the text.

    Example:
        >>> words_of("Nice to  meet you. ")
        ['Nice', ' to', '  meet', ' you.', ' ']
    """
    return re.findall(r"\s*\S+|\s+$", text)


def _choice(message: Message, name: str, content: Any, finish: str | None) -> dict[str, Any]:
    """Returns a choice; what OpenAI lacks comes with its end."""
    choice = {"index": 0, name: content, "logprobs": None, "finish_reason": finish}
    return choice if finish is None else {**choice, **message.facts}


async def _events(head: Mapping[str, Any], message: Message, shows_usage: bool) -> AsyncGenerator[str]:
    """Yields an answer as server-sent events: its role, its words, its end."""
    rest = {"usage": None} if shows_usage else {}
    head = {**head, "object": "chat.completion.chunk"}
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in words_of(message.text)]
    chunks = [_choice(message, "delta", delta, None) for delta in deltas]
    chunks.append(_choice(message, "delta", {}, message.finish))
    yield "".join(event({**head, "choices": [chunk], **rest}) for chunk in chunks)
    if shows_usage:
        yield event({**head, "choices": [], "usage": usage_of(message.read, message.written)})
    yield DONE
