"""The server's log: a line, or a JSON object, for each request and each event, on standard error.

It holds texts of requests only if the server is told to log them.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

from ..terminal import Screen, escaped

#: The forms of the log.
FORMATS = ("line", "json")


def start(form: str = "line") -> None:
    """Begins to write the log of the server, and of what is below it, on standard error.

    Args:
        form: one of `FORMATS`.
    """
    handler = logging.StreamHandler(Screen(sys.stderr))
    handler.setFormatter(_Json() if form == "json" else _Line())
    for name, level in (
        ("rnnrs.serve", logging.INFO),
        ("uvicorn", logging.WARNING),
        ("asyncio", logging.WARNING),
    ):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    # Its messages about WebSockets, and about requests, hold the queries, which are texts.
    for name in ("uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _moment(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03}Z"


class _Line(logging.Formatter):
    """A line for people: time, then what happened; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, Any] = getattr(record, "request", {})
        text = record.getMessage()
        text += "".join(f" {name}={facts[name]}" for name in ("model", "id", "text") if name in facts)
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        line = f"{_moment(record)} {level}{_flat(text)}"
        if record.exc_info:
            line += "\n" + escaped(self.formatException(record.exc_info))
        return line


class _Json(logging.Formatter):
    """One JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, Any] = {"time": _moment(record), "level": record.levelname.lower()}
        request: dict[str, Any] | None = getattr(record, "request", None)
        facts |= {"message": record.getMessage()} if request is None else request
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return json.dumps(facts)


def _flat(text: str) -> str:
    """Returns a text on one line, with a terminal's control characters escaped."""
    return escaped(text.replace("\n", "\\n").replace("\t", "\\t").replace("\u2028", "\\u2028"))
