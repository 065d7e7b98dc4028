"""Every request in the log and in the metrics; errors of the server become answers."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from .metrics import OTHER, Metrics
from .problems import failure
from .responses import problem_response

LOGGER = logging.getLogger("rnnrs.serve")

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

#: The form of an address, which may come from a proxy, or from a client that says it is one.
_ADDRESS = re.compile(r"[A-Za-z0-9.:%_-]{1,64}")

_MESSAGE = "%(client)s %(method)s %(path)s %(status)d %(ms).1f ms %(bytes)d B"

#: The bytes of a text that the log shows, if it shows texts.
_SHOWN = 2000


#: Where a request's scope names the model that answers.
_MODEL = "rnnrs.model"


def note_model(scope: Scope, name: str) -> None:
    """Notes, for the log, which model answers a request."""
    scope[_MODEL] = name


class Watch:
    """Logs and counts requests, and answers with 500 where the server fails.

    The answer carries the request's ID in X-Request-ID: that of the request, or a new one.

    Args:
        app: the application.
        routes: its routes, whose paths are the labels of the metrics.
        metrics: counts the requests.
        log_texts: whether the log holds queries and bodies.
    """

    def __init__(
        self, app: ASGIApp, routes: Iterable[BaseRoute], metrics: Metrics, log_texts: bool = False
    ) -> None:
        self.app, self._metrics, self._log_texts = app, metrics, log_texts
        self._labels = paths_of(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        seen = _Seen(scope, send, self._metrics)
        try:
            await self.app(scope, self._reading(receive, seen), seen.send)
        except (ClientDisconnect, WebSocketDisconnect):
            pass  # the client has left
        except asyncio.CancelledError:
            LOGGER.warning("request %s: cut off, as the server ends", seen.id)
        except Exception:
            LOGGER.exception("request %s: the server failed", seen.id)
            await _answer_error(scope, receive, seen)
        finally:
            self._end(scope, seen)

    def _reading(self, receive: Receive, seen: _Seen) -> Receive:
        """Returns `receive`, which keeps the beginning of the body if texts are logged."""
        if not self._log_texts:
            return receive

        async def keeping() -> Message:
            message = await receive()
            seen.text += message.get("body", b"")[: _SHOWN - len(seen.text)]
            return message

        return keeping

    def _end(self, scope: Scope, seen: _Seen) -> None:
        """Logs and counts a request that has ended."""
        seconds = time.perf_counter() - seen.began
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        label = path
        if path not in self._labels:
            label = next((label for label, known in self._labels.items() if known.fullmatch(path)), OTHER)
        self._metrics.observe(label, seen.method, seen.status, seconds)
        if seen.is_open:
            self._metrics.opened(-1)
        if LOGGER.isEnabledFor(logging.INFO):
            self._log(scope, seen, seconds)

    def _log(self, scope: Scope, seen: _Seen, seconds: float) -> None:
        client, *_ = scope.get("client") or ("",)
        path = scope.get("raw_path") or quote(scope["path"]).encode()
        facts: dict[str, Any] = {
            "client": client if _ADDRESS.fullmatch(client) else "-",
            "method": seen.method,
            "path": path.partition(b"?")[0].decode("latin-1")[:_SHOWN],
            "status": seen.status,
            "ms": round(1000.0 * seconds, 1),
            "bytes": seen.bytes,
            "id": seen.id,
        }
        if _MODEL in scope:
            facts["model"] = scope[_MODEL]
        if self._log_texts:
            texts = scope["query_string"].decode("latin-1"), seen.text.decode("utf-8", "replace")
            facts["text"] = " ".join(filter(None, texts))
        # `LOGGER.info` would look for the line of code that called it, which takes as long as the rest.
        record = logging.LogRecord(LOGGER.name, logging.INFO, "", 0, _MESSAGE, (facts,), None)
        record.request = facts
        LOGGER.handle(record)


class _Seen:
    """What is seen of a request and of its answer.

    Attributes:
        id: identifies the request in the log.
        method: the method, or "WEBSOCKET".
        status: the status of the answer; 499 while there is none, as the client may leave before.
        bytes: the size of the answer's body, or of the messages.
        text: the beginning of the request's body, if texts are logged.
        is_open: whether this is an open WebSocket.
        is_complete: whether the answer has ended.
    """

    def __init__(self, scope: Scope, send: Send, metrics: Metrics) -> None:
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"").decode(
            "latin-1"
        )
        self.id = given if _ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
        self.method = "WEBSOCKET" if scope["type"] == "websocket" else str(scope["method"])
        self.status, self.bytes, self.text = 499, 0, b""
        self.is_open = self.is_complete = False
        self.began = time.perf_counter()
        self._send, self._metrics = send, metrics

    async def send(self, message: Message) -> None:
        """Sends a part of the answer."""
        kind = message["type"]
        if kind.endswith("http.response.start"):
            self.status = message["status"]
            message = self._named(message)
        elif kind.endswith("http.response.body"):
            self.bytes += 0 if self.method == "HEAD" else len(message.get("body", b""))
            self.is_complete = not message.get("more_body", False)
        elif kind == "websocket.accept":
            self.status, self.is_open = 101, True
            self._metrics.opened(1)
            message = self._named(message)
        elif kind == "websocket.send":
            self.bytes += len(message.get("bytes") or b"") or len(message.get("text") or "")
        elif kind == "websocket.close":
            self.is_complete, self.status = True, self.status if self.is_open else 403
        await self._send(message)

    def _named(self, message: Message) -> Message:
        return {**message, "headers": [*message.get("headers", ()), (b"x-request-id", self.id.encode())]}


async def _answer_error(scope: Scope, receive: Receive, seen: _Seen) -> None:
    """Answers with 500 if no answer has begun; otherwise the client sees the answer break off."""
    if seen.is_open and not seen.is_complete:
        await seen.send({"type": "websocket.close", "code": 1011})
    elif seen.status == 499:
        problem = failure()
        await problem_response(scope, problem)(scope, receive, seen.send)


def paths_of(routes: Iterable[BaseRoute]) -> dict[str, re.Pattern[str]]:
    """Returns the paths of routes, which are the metrics' labels, and the patterns of the paths they mean."""
    return {route.path: route.path_regex for route in routes if isinstance(route, (Route, WebSocketRoute))}
