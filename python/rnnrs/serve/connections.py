"""Connections that do not wait for their clients forever.

uvicorn bounds the time between two requests, but not that within a request's head, nor that of a client that
does not read its answer. The server therefore looks at all connections several times a second: one that stays
in a state in which only its client can go on, for longer than `Limits.header_seconds`, is closed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Hashable, Iterable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from .limits import Limits
from .problems import RETRY_AFTER, Problem
from .responses import problem_response

#: The parts of a message by WebSocket: a message of empty parts would take memory without reaching its size.
_PARTS = 1000

#: The answer to a handshake that cannot be read: the length of a problem, and the problem.
_REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%b"
)

#: The state of a connection that does not wait for its client.
NOTHING: Hashable = object()


class _Watched:
    """The state of a connection in which only its client can go on, and since when.

    Attributes:
        resumed: how often the client has read enough for further writing.
    """

    transport: asyncio.Transport
    limits: Limits
    resumed = 0
    _state: Hashable = NOTHING
    _since = 0.0

    def waits_for(self) -> Hashable:
        """Returns what the connection waits for, different for each time that it waits, or `NOTHING`."""
        raise NotImplementedError

    def unread(self) -> Hashable:
        """Returns what is to be read before the connection goes on: a client has to read 64 KiB at a time."""
        return self.resumed, self.transport.get_write_buffer_size() >> 16

    def close_if_overdue(self, now: float) -> None:
        """Closes the connection if it has waited for its client for too long."""
        state = self.waits_for()
        if state != self._state:
            self._state, self._since = state, now
        elif state is not NOTHING and now - self._since > self.limits.header_seconds:
            self.transport.abort()


class Connection(_Watched, H11Protocol):
    """A connection by HTTP/1.1."""

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limits = limits

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins, or refuses, a connection: beyond the limit with an answer, far beyond it without one."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > 2 * self.limits.connections:
            self.transport.abort()
        elif len(self.connections) > self.limits.connections:
            self.app = _refused

    def waits_for(self) -> Hashable:
        if self.transport.is_closing() or self.flow.write_paused:
            return self.unread()
        answered = self.cycle is None or self.cycle.response_complete
        if answered and self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            # The head of the next request is to come, or the rest of a body that nobody needs.
            return self.cycle
        return NOTHING

    def resume_writing(self) -> None:
        self.resumed += 1
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answers what is not HTTP."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()  # an answer that has begun cannot be replaced
            return
        problem = Problem(400, "expected a request of HTTP/1.1")
        if len(self.conn.trailing_data[0]) > self.limits.head:
            expected = f"at most {self.limits.head:,} bytes"
            problem = Problem(431, f"line and headers: expected {expected}, got more", expected=expected)
        body = json.dumps(problem.to_json())
        headers = [
            ("content-type", "application/problem+json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        events = (
            h11.Response(status_code=problem.status, headers=headers),
            h11.Data(data=body.encode()),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class Socket(_Watched, WebSocketsSansIOProtocol):
    """A connection by WebSocket."""

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limits = limits

    def waits_for(self) -> Hashable:
        return self.unread() if self.transport.is_closing() or not self.writable.is_set() else NOTHING

    def pause_writing(self) -> None:
        """Stops reading, too: answers to pings would fill the memory."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.resumed += 1
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    async def send(self, message: Any) -> None:
        """Sends a message, or the answer of a handshake that is refused."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # uvicorn forgets it, and would log an error for each refusal

    def data_received(self, data: bytes) -> None:
        """Receives data; refuses a handshake that cannot be read, at which uvicorn would wait forever."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            problem = Problem(400, "expected a handshake by GET, without a body, and with fewer headers")
            body = json.dumps(problem.to_json()).encode()
            self.transport.write(_REFUSAL % (len(body), body))
            self.handshake_initiated = self.handshake_complete = self.close_sent = True
            self.transport.close()

    def handle_cont(self, event: Any) -> None:
        if len(self.frames) >= _PARTS:
            self._fail(1009, "too many parts")
        else:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Takes a message; refuses one that is not UTF-8, which uvicorn would log as an error of its own."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self._fail(1007, "expected UTF-8")
                return
        super().send_receive_event_to_app()

    def _fail(self, code: int, reason: str) -> None:
        self.frames = []
        self.conn.fail(code, reason)
        self.handle_parser_exception()


def close_overdue(connections: Iterable[Any], now: float) -> None:
    """Closes the connections that have waited for their clients for too long.

    Args:
        connections: of uvicorn's server.
        now: the time of the event loop.
    """
    for connection in list(connections):
        connection.close_if_overdue(now)


async def _refused(scope: Any, receive: Any, send: Any) -> None:
    """Answers that there are too many connections."""
    headers = {"Connection": "close", "Retry-After": str(RETRY_AFTER)}
    problem = Problem(503, "too many connections are open", headers=headers)
    await problem_response(scope, problem)(scope, receive, send)
