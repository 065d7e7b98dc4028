"""Dialogues as lists of turns of two alternating speakers, and their files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import FormatError
from ..reading import STANDARD_INPUT, name_of, read_lines
from .json_lines import json_on_line
from .sequences import shorten

#: Turns in order: the first is the person's, the second the assistant's, and so on.
Dialogue = Sequence[str]


def check_dialogues(op: str, dialogues: Any) -> list[list[str]]:
    """Returns dialogues as lists of turns.

    Raises:
        ValueError: if there are none, or one has no answer.
        TypeError: if one is not a list of strings.
    """
    if isinstance(dialogues, (str, bytes)) or not isinstance(dialogues, Sequence):
        raise TypeError(f"{op}: dialogues: expected lists of turns, got {type(dialogues).__name__}")
    checked = []
    for i, turns in enumerate(dialogues):
        if isinstance(turns, (str, bytes)) or not isinstance(turns, Sequence):
            raise TypeError(f"{op}: dialogues[{i}]: expected a list of turns, got {turns!r}")
        if wrong := [turn for turn in turns if not isinstance(turn, str)]:
            raise TypeError(f"{op}: dialogues[{i}]: expected strings, got {wrong[0]!r}")
        if len(turns) < 2:
            raise ValueError(f"{op}: dialogues[{i}]: expected at least 2 turns, got {len(turns)}")
        checked.append(list(turns))
    if not checked:
        raise ValueError(f"{op}: dialogues: expected at least one, got none")
    return checked


def read_dialogues(path: str | os.PathLike[str], *, encoding: str = "utf-8") -> list[list[str]]:
    """Reads dialogues from a file, gzip-compressed or not.

    The format follows from the file name, that of standard input ("-") from its first line:

    - `.jsonl`, `.json`: each line is a list of turns, or an object with such a list as "turns";
    - `.tsv`: each line is a dialogue, its turns separated by tabs;
    - any other: each line is a turn, with an empty line between dialogues.

    Args:
        path: the file.
        encoding: the encoding of the text.

    Raises:
        OSError: if the file cannot be read.
        FormatError: for a dialogue of fewer than two turns, or a line that is invalid or not in the encoding
            (names the line); for a file without dialogues.
        ValueError: for an unknown encoding.
    """
    lines = read_lines(path, encoding)
    name = os.fspath(path).removesuffix(".gz")
    if name == STANDARD_INPUT:
        first = next((line for line in lines if line.strip()), "")
        name = ".json" if first.lstrip().startswith(("{", "[")) else ".tsv" if "\t" in first else ""
    found: Iterator[tuple[int, list[str]]]
    if name.endswith((".jsonl", ".json")):
        found = ((n, _parse(path, n, line)) for n, line in enumerate(lines, 1) if line.strip())
    elif name.endswith(".tsv"):
        found = ((n, line.split("\t")) for n, line in enumerate(lines, 1) if line.strip())
    else:
        found = _paragraphs(lines)
    dialogues = []
    for number, turns in found:
        if len(turns) < 2:
            raise FormatError(f"{name_of(path)}: line {number}: expected at least 2 turns, got {len(turns)}")
        dialogues.append(turns)
    if not dialogues:
        raise FormatError(f"{name_of(path)}: expected dialogues, got an empty file")
    return dialogues


def _parse(path: str | os.PathLike[str], number: int, line: str) -> list[str]:
    given = json_on_line(name_of(path), number, line)
    turns = given.get("turns") if isinstance(given, dict) else given
    if not isinstance(turns, list) or not all(isinstance(turn, str) for turn in turns):
        raise FormatError(
            f"{name_of(path)}: line {number}: "
            f'expected a list of turns, or an object with one as "turns", got {shorten(line)}'
        )
    return turns


def _paragraphs(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yields runs of non-empty lines, each with the number of its first line."""
    turns: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        if line.strip():
            turns.append(line)
        elif turns:
            yield number - len(turns), turns
            turns = []
