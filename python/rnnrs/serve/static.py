"""The page's files: they are read once, so no path of a request ever reaches the file system."""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

#: The folder of the page, which is part of the package.
FOLDER = Path(__file__).with_name("page")

#: Media types by a file's suffix; the system's own table may differ, or be wrong.
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


def page_routes(folder: Path = FOLDER) -> list[Route]:
    """Returns the routes of the page: `/` for `index.html`, `/page/NAME` for the others.

    Args:
        folder: its files with a suffix of `MEDIA_TYPES` are served.
    """
    files = {}
    for file in folder.rglob("*"):
        if file.suffix in MEDIA_TYPES:
            files[file.relative_to(folder).as_posix()] = _File(file.read_bytes(), MEDIA_TYPES[file.suffix])

    async def endpoint(request: Request) -> Response:
        name = request.path_params.get("file", "index.html")
        if name not in files:
            raise HTTPException(404)
        return files[name].response(request.headers.get("if-none-match", ""))

    return [Route("/", endpoint), Route("/page/{file:path}", endpoint)]


class _File:
    """A file in memory."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self._content, self._media_type = content, media_type
        self._tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'

    def response(self, known: str) -> Response:
        """Returns the answer to a client that knows the file by these tags."""
        # A browser asks each time, and gets 304: after an update, no old file meets a new one.
        headers = {"ETag": self._tag, "Cache-Control": "no-cache"}
        if self._tag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(self._content, headers=headers, media_type=self._media_type)
