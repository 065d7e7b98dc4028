"""A client of an ASGI application that reads when it wants to, and leaves when it wants to."""

import asyncio
import json


class Exchange:
    """One request, and its answer as far as it was read.

    Args:
        app: the application.
        path: the path; posted to.
        body: the JSON of the request.
        reads: whether the client reads the answer from the beginning.
    """

    def __init__(self, app, path, body, *, reads=True):
        self.status, self.body, self.headers = None, b"", {}
        self.reading, self.left, self.has_part = asyncio.Event(), asyncio.Event(), asyncio.Event()
        if reads:
            self.reading.set()
        self._sent = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        self.task = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def _receive(self):
        if self._sent:
            return self._sent.pop()
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        await self.reading.wait()
        self.body += message.get("body", b"")
        self.has_part.set()

    async def begins(self):
        """Waits for the head of the answer."""
        await eventually(lambda: self.status is not None)

    async def json(self):
        """Returns the whole answer."""
        await self.task
        return json.loads(self.body)

    async def events(self):
        """Returns the events of the whole answer, without the last one, which says that it is the last."""
        await self.task
        found = events_of(self.body.decode())
        assert found.pop() == "[DONE]"
        return [json.loads(data) for data in found]

    async def leave(self):
        """Leaves, and waits until the application has noticed."""
        self.left.set()
        await self.task


def events_of(body):
    """Returns the data of server-sent events."""
    assert body.endswith("\n\n")
    blocks = body[:-2].split("\n\n")
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [block.removeprefix("data: ") for block in blocks]


async def eventually(condition):
    """Waits until a condition holds."""
    while not condition():
        await asyncio.sleep(0.002)
