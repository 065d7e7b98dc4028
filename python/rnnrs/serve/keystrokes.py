"""`/suggest` by WebSocket: suggestions while typing; the state of the text before the cursor is kept.

A message is JSON: an edit of the text. Its answer has suggestions for the text before the cursor.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..models.language.suggestion import Suggestion
from ..models.language.typing_session import TypingSession
from .batching import ClientLeft
from .fields import MODEL, Field, values_of
from .hosting import Host, Loaded, Served
from .limits import Limits
from .problems import Plain, Problem, failure, invalid, problem_of
from .requests import parsed
from .responses import encoded, problem_response
from .verbs.suggest import FIELDS, facts
from .watch import note_model

#: Codes of closed WebSockets (RFC 6455, and IANA's registry): a binary message, and a server that is full.
BINARY, LATER = 1003, 1013

#: The edits of a message, of which it has one at most; a cursor beside it is set after it.
EDITS = ("text", "insert", "erase", "replace")

_log = logging.getLogger("rnnrs.serve")


@dataclass(frozen=True)
class Replacement(Field):
    """The part of a text that is replaced, and the new text: [begin, end, text]."""

    def checked(self, value: Any, limits: Limits) -> tuple[int, int, str] | None:
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != 3:
            raise invalid(self.name, "a list [begin, end, text]", value)
        begin, end = (self._whole(place, None) for place in value[:2])
        return begin, end, self._text(value[2], self.bound(limits))


@dataclass(frozen=True)
class Identifier(Field):
    """The client's name for a message: a text or a whole number, which the answer repeats."""

    def checked(self, value: Any, limits: Limits) -> str | int | None:
        if value is None:
            return None
        return self._text(value, 100) if isinstance(value, str) else self._whole(value, None)


def _wanted(field: Field) -> Field:
    return Field(field.name, field.kind, field.doc, None, field.least, field.most)


ID = Identifier("id", "id", "", None)

MESSAGE: tuple[Field, ...] = (
    Field("text", "text", "", None, most="text"),
    Field("insert", "text", "", None, most="text"),
    Field("erase", "whole", "", None, least=0),
    Replacement("replace", "replacement", "", None, least=0, most="text"),
    Field("cursor", "whole", "", None, least=0),
    *(_wanted(field) for field in FIELDS if field.name in ("k", "words")),
    ID,
)


class Typing:
    """The text of one WebSocket.

    Args:
        one: the model.
        limits: the server's limits.
    """

    def __init__(self, one: Served, limits: Limits) -> None:
        self._one, self._limits = one, limits
        self._wanted = {field.name: field.default for field in FIELDS if field.name in ("k", "words")}
        self._loaded: Loaded | None = None
        self._session: TypingSession | None = None
        self._before = "", 0, self._wanted

    def edit(self, values: dict[str, Any]) -> tuple[Hashable, Loaded, TypingSession]:
        """Applies a message; `answer` or `undo` follows.

        Returns:
            What messages must agree in to be answered together, the model, and the session.

        Raises:
            Problem: 400 for an edit outside the text, which changes nothing.
        """
        session = self._current()
        self._check(values, len(session.text), session.cursor)
        self._before = session.text, session.cursor, self._wanted
        self._session = self._edited(session, values)
        self._wanted = {name: values[name] or old for name, old in self._wanted.items()}
        assert self._loaded is not None
        return (id(self._loaded), *self._wanted.values()), self._loaded, self._session

    def answer(self, found: list[Suggestion]) -> dict[str, Any]:
        """Returns the answer to the message."""
        assert self._session is not None
        length = len(self._session.text)
        return {"suggestions": facts(found), "cursor": self._session.cursor, "length": length}

    def undo(self) -> None:
        """Takes the message back."""
        text, cursor, self._wanted = self._before
        self._session = self._new(text, cursor)

    @property
    def wanted(self) -> dict[str, int]:
        """The number of suggestions, k, and of the words of each."""
        return self._wanted

    def _current(self) -> TypingSession:
        """Returns the session; a new one if the model's file was loaded again."""
        loaded, before = self._one.loaded, self._session
        if before is None or self._loaded is not loaded:
            self._loaded = loaded
            self._session = self._new("", 0) if before is None else self._new(before.text, before.cursor)
        assert self._session is not None
        return self._session

    def _new(self, text: str, cursor: int) -> TypingSession:
        assert self._loaded is not None
        model = self._loaded.model
        session: TypingSession = model.session(text, stepper=self._loaded.kept("stepper", model.stepper))
        session.move(cursor)
        return session

    def _edited(self, session: TypingSession, values: dict[str, Any]) -> TypingSession:
        if values["text"] is not None:
            session = self._new(values["text"], len(values["text"]))
        elif values["insert"] is not None:
            session.insert(values["insert"])
        elif values["erase"] is not None:
            session.erase(values["erase"])
        elif values["replace"] is not None:
            session.replace(*values["replace"])
        if values["cursor"] is not None:
            session.move(values["cursor"])
        return session

    def _check(self, values: dict[str, Any], length: int, cursor: int) -> None:
        """Checks an edit of a text of this length."""
        if values["text"] is not None:
            length = len(values["text"])
        elif values["insert"] is not None:
            length += len(values["insert"])
        elif values["erase"] is not None:
            length -= min(values["erase"], cursor)
        elif values["replace"] is not None:
            begin, end, text = values["replace"]
            if not 0 <= begin <= end <= length:
                raise invalid("replace", f"0 ≤ begin ≤ end ≤ {length:,}", [begin, end])
            length += begin - end + len(text)
        if length > self._limits.text:
            raise invalid("text", f"at most {self._limits.text:,} characters", Plain(f"{length:,}"))
        if (values["cursor"] or 0) > length:
            raise invalid("cursor", f"at most the length, {length:,}", values["cursor"])


def keystroke_route(host: Host) -> WebSocketRoute:
    """Returns the route."""
    is_open: set[WebSocket] = set()

    async def endpoint(websocket: WebSocket) -> None:
        try:
            query = values_of((MODEL,), dict(websocket.query_params), host.limits)
            one = host.find(query["model"], "suggest")
            note_model(websocket.scope, one.name)
            if len(is_open) >= host.limits.sessions:
                raise Problem(
                    503, f"{len(is_open)} WebSockets are open already", headers={"Retry-After": "5"}
                )
            typing = Typing(one, host.limits)
        except Problem as problem:
            await _denied(websocket, problem)
            return
        is_open.add(websocket)
        try:
            await websocket.accept()
            await _converse(websocket, one, typing, host.limits)
        except (WebSocketDisconnect, ClientLeft):
            pass
        finally:
            is_open.discard(websocket)

    return WebSocketRoute("/suggest", endpoint)


async def _denied(websocket: WebSocket, problem: Problem) -> None:
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(problem_response(websocket.scope, problem))
    else:
        await websocket.close(LATER, problem.detail[:100])


class Inbox:
    """The messages of a WebSocket, the next of which can be awaited before it is taken.

    Args:
        websocket: the WebSocket.
    """

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._next: MutableMapping[str, Any] | None = None

    async def take(self) -> MutableMapping[str, Any]:
        """Returns the next message."""
        message, self._next = self._next, None
        return await self._websocket.receive() if message is None else message

    async def gone(self) -> None:
        """Returns when the client leaves; not if it sends a message before, behind which nothing is seen."""
        if self._next is None:
            self._next = await self._websocket.receive()
        if self._next["type"] != "websocket.disconnect":
            await asyncio.Event().wait()


async def _converse(websocket: WebSocket, one: Served, typing: Typing, limits: Limits) -> None:
    """Answers messages in their order, until the client leaves."""
    inbox = Inbox(websocket)
    while True:
        message = await inbox.take()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") is None:
            await websocket.close(BINARY, "expected text, got bytes")
            return
        answer = await _answered(message["text"], one, typing, limits, inbox)
        await websocket.send_text(encoded(answer))


async def _answered(text: str, one: Served, typing: Typing, limits: Limits, inbox: Inbox) -> dict[str, Any]:
    """Returns the answer to a message, or its problem; it has the message's `id`.

    Raises:
        ClientLeft: when the client leaves.
    """
    known: dict[str, Any] = {}
    try:
        given = parsed(text)
        if (id := ID.checked(given.get("id"), limits)) is not None:
            known["id"] = id
        values = values_of(MESSAGE, given, limits)
        edits = [name for name in EDITS if values[name] is not None]
        if len(edits) > 1:
            raise invalid(edits[1], f"one edit in a message, which has {edits[0]}", Plain("another one"))
        size = sum(len(values[name] or "") for name in ("text", "insert"))
        answer = await one.worker.submit(
            "keystroke", _answered_all, (typing, values), size=size + 1, gone=inbox.gone
        )
        return {**known, **answer}
    except ClientLeft:
        raise
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            _log.exception("%s: a message by WebSocket failed", one.name)
            problem = failure()
        return known | {"problem": problem.to_json()}


def _answered_all(messages: Sequence[tuple[Typing, dict[str, Any]]]) -> list[Any]:
    """Returns the answers to messages of different WebSockets, or the errors in their places."""
    answers: list[Any] = [None] * len(messages)
    groups: dict[Hashable, list[tuple[int, Typing, Loaded, TypingSession]]] = {}
    for i, (typing, values) in enumerate(messages):
        try:
            key, loaded, session = typing.edit(values)
        except Exception as error:
            answers[i] = error
        else:
            groups.setdefault(key, []).append((i, typing, loaded, session))
    for group in groups.values():
        _, first, loaded, _ = group[0]
        try:
            found = loaded.model.suggest_all([session for *_, session in group], **first.wanted)
            for (i, typing, _, _), own in zip(group, found, strict=True):
                answers[i] = typing.answer(own)
        except Exception as error:
            for i, typing, _, _ in group:
                typing.undo()
                answers[i] = error
    return answers
