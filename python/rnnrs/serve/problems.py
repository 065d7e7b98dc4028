"""Errors of requests, as problem details (RFC 9457)."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from ..decoding import Stopped

#: The seconds after which a client may try again when a queue is full.
RETRY_AFTER = 1

#: OpenAI's types of errors, by status; others are "invalid_request_error" below 500 and "server_error" above.
_OPENAI_TYPES = {401: "authentication_error", 429: "rate_limit_error"}


class Problem(Exception):
    """A request that is not answered as asked.

    Args:
        status: the HTTP status.
        detail: one sentence for people.
        expected, got: what the server expects, and what came.
        field: the field of the request.
        headers: further headers of the answer.
        facts: further members of the problem.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        expected: str | None = None,
        got: str | None = None,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.expected, self.got, self.field = expected, got, field
        self.headers = dict(headers or {})
        self.facts = facts

    def to_json(self, *, openai: bool = False) -> dict[str, Any]:
        """Returns the problem as JSON types.

        Args:
            openai: whether to add the object `error`, as clients of OpenAI's API expect it.
        """
        own = {"expected": self.expected, "got": self.got, "field": self.field}
        problem = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **{name: value for name, value in own.items() if value is not None},
            **self.facts,
        }
        if openai:
            kind = "server_error" if self.status >= 500 else "invalid_request_error"
            problem["error"] = {
                "message": self.detail,
                "type": _OPENAI_TYPES.get(self.status, kind),
                "param": self.field,
                "code": None,
            }
        return problem


def failure() -> Problem:
    """Returns the problem of an error of the server itself."""
    return Problem(500, "the server failed; its log says why")


def not_finite() -> Problem:
    """Returns the problem of an answer with a number that JSON does not have."""
    return Problem(500, "the model's answer is not finite: its training diverged")


def invalid(field: str, expected: str, got: Any) -> Problem:
    """Returns the problem of a field with an invalid value."""
    shown = got if isinstance(got, Plain) else shortened(got)
    return Problem(
        400, f"{field}: expected {expected}, got {shown}", expected=expected, got=str(shown), field=field
    )


class Plain(str):
    """What was received, in words, which are shown as they are."""


def shortened(value: Any) -> str:
    """Returns a value of a request, for a message: short, and in ASCII where it is not text."""
    shortener = reprlib.Repr()
    shortener.maxstring = shortener.maxother = 60
    return shortener.repr(value).encode("utf-8", "backslashreplace").decode()


#: An error of a model: `operation: argument: expected …, got …`, of one of several arguments or not.
_REFUSAL = re.compile(r"[\w.]+: (?P<field>\w+)(?P<place>\[0\])?: (?P<rest>expected .*)", re.DOTALL)


def problem_of(error: BaseException, fields: Iterable[str] | None = None) -> Problem | None:
    """Returns the problem of an error that a model raised; None for an error of the server itself.

    Models raise ValueError, TypeError and IndexError for arguments out of range, with what they expected. If
    no field of the request is the reason, the model is: it is untrained, say, or its training diverged.

    Args:
        error: the error.
        fields: the names of the request's fields; None for any.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, Stopped):
        return Problem(504, "the answer was not ready in time")
    if isinstance(error, MemoryError):
        return Problem(413, f"the request needs more memory than there is: {error}")
    if not isinstance(error, (ValueError, TypeError, IndexError)):
        return None
    found = _REFUSAL.fullmatch(str(error))
    if found is None:
        return Problem(500, f"the model cannot answer: {error}") if ": expected a " in str(error) else None
    field = _field_of(found["field"], fields)
    if field is None:
        return None
    expected, _, got = found["rest"].removeprefix("expected ").partition(", got ")
    return Problem(400, f"{field}: {found['rest']}", expected=expected, got=got or None, field=field)


def _field_of(argument: str, fields: Iterable[str] | None) -> str | None:
    """Returns the field whose value is an argument, or one of an argument's: "text" for "texts"."""
    if fields is None:
        return argument
    return next((name for name in fields if argument in (name, f"{name}s")), None)
