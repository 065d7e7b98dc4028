"""Dialogues, and dialogue acts with their sentences, from files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..common import CommandError, add_encoding, reads

if TYPE_CHECKING:
    from ...data import DialogueAct

FORMS = """\
FILE holds dialogues; the first turn of each is the person's, the second the bot's, and so on. It may be compressed
by gzip (.gz), or be standard input (-):
  .jsonl, .json: on each line a list of turns, or an object with one as "turns"
  .tsv: on each line a dialogue, its turns separated by tabs
  others: a turn on each line, an empty line between dialogues
or, with --acts, on each line a dialogue act, a tab, and a sentence that expresses it
"""

Dialogues = list[list[str]]


def add_dialogues(verb: Any, *, optional: bool = False) -> None:
    """Adds the file of dialogues and its encoding."""
    number: dict[str, str] = {"nargs": "?"} if optional else {}
    reads(verb.add_argument("file", metavar="FILE", help="dialogues; -: standard input", **number))
    add_encoding(verb)


def add_acts(verb: Any) -> None:
    """Adds `--acts`."""
    verb.add_argument("--acts", action="store_true", help="the file holds dialogue acts and sentences")


def read(path: str, acts: bool, encoding: str) -> tuple[Dialogues, list[tuple[DialogueAct, str]]]:
    """Returns the dialogues of a file, and with `acts` the acts and sentences that they were made of.

    Raises:
        CommandError: for a file without dialogue acts.
        OSError, FormatError: see `rnnrs.data`.
    """
    from ...data import act_dialogues, read_dialogue_acts, read_dialogues

    if not acts:
        return read_dialogues(path, encoding=encoding), []
    examples = read_dialogue_acts(path, encoding=encoding)
    if not examples:
        raise CommandError(f"{path}: expected dialogue acts, got an empty file")
    return act_dialogues(examples), examples
