"""JSON in text files: a value on each line, or one document."""

from __future__ import annotations

import json
from typing import Any

from ..errors import FormatError
from ..reading import split_lines
from .sequences import shorten


def json_on_line(name: str, number: int, line: str) -> Any:
    """Returns the JSON value on a line.

    Args:
        name: the name of the file, for messages.
        number: the number of the line, from 1.
        line: the line.

    Raises:
        FormatError: for anything else; names the line.
    """
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name}: line {number}: expected JSON, got {shorten(line)}: {error}") from None


def json_of(name: str, text: str) -> Any:
    """Returns a JSON document, or the list of the values on its lines; empty lines are skipped.

    Args:
        name: the name of the file, for messages.
        text: its content.

    Raises:
        FormatError: for anything else; names the line.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        lines = enumerate(split_lines(text), 1)
        return [json_on_line(name, number, line) for number, line in lines if line.strip()]
