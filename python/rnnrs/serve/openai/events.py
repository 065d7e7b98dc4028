"""Server-sent events, as OpenAI's clients read them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..endpoint import Schema
from ..problems import failure, problem_of
from ..requests import disconnected
from ..responses import encoded

#: Proxies are to pass each event on at once.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

#: The last event of a stream.
DONE = "data: [DONE]\n\n"


#: What OpenAPI says about them: a document has no words for events.
EVENTS: Schema = {
    "description": "With `stream`: server-sent events. The data of each is a JSON object with a piece of the "
    "answer, or with `error`; the data of the last one is [DONE]."
}

_log = logging.getLogger("rnnrs.serve")


def event(facts: dict[str, Any]) -> str:
    """Returns an event with some JSON.

    Raises:
        Problem: 500 for a number that JSON does not have.
    """
    return f"data: {encoded(facts)}\n\n"


class EventStream(Response):
    """An answer that is sent as it is made.

    Its source is closed when all is sent, and as soon as the client leaves. An error of the source becomes
    the last event.

    Args:
        first: the first events. They exist before the answer begins, so that an error before them has a
            status of its own.
        more: the others.
    """

    media_type = "text/event-stream"

    def __init__(self, first: str, more: AsyncGenerator[str]) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self.first, self.more = first, more

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(disconnected(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()  # without effect if all is sent
        try:
            await sending
        except asyncio.CancelledError:
            if not leaving.done() or leaving.cancelled():
                raise

    async def _send(self, send: Send) -> None:
        async with aclosing(self.more):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send(_part(self.first))
            async for events in _with_error(self.more):
                await send(_part(events))
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _part(events: str) -> dict[str, Any]:
    return {"type": "http.response.body", "body": events.encode(), "more_body": True}


async def _with_error(source: AsyncIterator[str]) -> AsyncIterator[str]:
    try:
        async for events in source:
            yield events
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            _log.exception("a stream of events failed")
            problem = failure()
        yield event(problem.to_json(openai=True))
