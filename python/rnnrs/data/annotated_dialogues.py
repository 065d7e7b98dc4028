"""Dialogues with annotations: what the person wants after each turn, and asks for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import FormatError
from ..reading import name_of, read_text
from ..shown import short_repr
from .json_lines import json_of
from .records import as_cell

#: The value of a slot for which anything will do.
DONTCARE = "dontcare"


@dataclass(frozen=True)
class AnnotatedTurn:
    """A person's turn and the answer to it.

    Attributes:
        user: what the person says.
        system: the answer.
        state: the value of each slot that is known after the person's turn; `DONTCARE` for any value.
        requests: the columns that the person asks for in this turn.
        asks: the slots that the answer asks for; None if that is not annotated.
    """

    user: str
    system: str
    state: Mapping[str, str] = field(default_factory=dict)
    requests: tuple[str, ...] = ()
    asks: tuple[str, ...] | None = None

    __repr__ = short_repr


#: The turns of a dialogue, in order.
AnnotatedDialogue = Sequence[AnnotatedTurn]


def check_annotated(op: str, dialogues: Any) -> list[list[AnnotatedTurn]]:
    """Returns dialogues as lists of `AnnotatedTurn`.

    Args:
        op: the caller's name, for error messages.
        dialogues: lists of `AnnotatedTurn`, or objects as in the files that `read_annotated_dialogues` reads.

    Raises:
        ValueError: without dialogues, or for one without turns.
        TypeError: for one that is not annotated.
    """
    if isinstance(dialogues, (str, bytes)) or not isinstance(dialogues, Sequence):
        raise TypeError(f"{op}: dialogues: expected annotated dialogues, got {type(dialogues).__name__}")
    found = []
    for i, one in enumerate(dialogues):
        place = f"{op}: dialogues[{i}]"
        turns = (
            one if _is_list(one) else one.get("turns", one.get("dial")) if isinstance(one, Mapping) else None
        )
        if not _is_list(turns):
            raise TypeError(f"{place}: expected turns, got {one!r:.80}")
        if not turns:
            raise ValueError(f"{place}: expected at least one turn, got none")
        found.append([_turn(f"{place}[{t}]", turn) for t, turn in enumerate(turns)])
    if not found:
        raise ValueError(f"{op}: dialogues: expected at least one, got none")
    return found


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _turn(place: str, turn: Any) -> AnnotatedTurn:
    if isinstance(turn, AnnotatedTurn):
        return turn
    if not isinstance(turn, Mapping):
        raise TypeError(f"{place}: expected an annotated turn, got {turn!r:.80}")
    if "usr" in turn:
        return _camrest_turn(place, turn)
    user, system, state = turn.get("user"), turn.get("system", ""), turn.get("state", {})
    requests, asks = turn.get("requests", ()), turn.get("asks")
    right = isinstance(system, str) and isinstance(state, Mapping)
    right = right and all(isinstance(value, (str, int, float, type(None))) for value in state.values())
    right = right and all(isinstance(slot, str) for slot in state)
    right = right and all(
        _is_list(names) and all(isinstance(name, str) for name in names) for names in (requests, asks or ())
    )
    if not right or not isinstance(user, str):
        expected = 'an object with "user", "system", "state" and "requests"'
        raise TypeError(f"{place}: expected {expected}, got {turn!r:.120}")
    cells = {slot: as_cell(f"{place}: state[{slot!r}]", value) for slot, value in state.items()}
    kept = {slot: text for slot, text in cells.items() if text}
    return AnnotatedTurn(user, system, kept, tuple(requests), None if asks is None else tuple(asks))


def _camrest_turn(place: str, turn: Mapping[str, Any]) -> AnnotatedTurn:
    """Returns a turn in the notation of CamRest676 (Wen et al. 2017)."""
    try:
        acts = [(act["act"], slot, value) for act in turn["usr"]["slu"] for slot, value in act["slots"]]
        state = {slot: value for act, slot, value in acts if act == "inform" and slot != "slot"}
        requests = tuple(dict.fromkeys(value for act, _, value in acts if act == "request"))
        asks = tuple(ask for ask in turn["sys"].get("DA", ()) if isinstance(ask, str))
        user, system = turn["usr"]["transcript"], turn["sys"]["sent"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TypeError(f"{place}: expected a turn as in CamRest676, got one without {error}") from None
    return AnnotatedTurn(user, system, state, requests, asks)


def read_annotated_dialogues(
    path: str | os.PathLike[str], *, encoding: str = "utf-8"
) -> list[list[AnnotatedTurn]]:
    """Reads annotated dialogues from a file, gzip-compressed or not.

    The file is a JSON list of dialogues, or has a dialogue on each line. A dialogue is a list of turns, or an
    object with such a list as "turns". A turn is an object:

        {"user": "Cheap food?", "system": "Which area?", "state": {"price": "cheap"},
         "requests": [], "asks": ["area"]}

    "state" is what is known after the person's turn, in texts or numbers as in the table; its value for
    "anything will do" is "dontcare". "asks",
    the slots that the answer asks for, may be left out. Files in the notation of CamRest676 ("dial", "usr",
    "slu", "sys") are read as they are.

    Args:
        path: the file; "-": standard input.
        encoding: the encoding of the text.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it does not hold annotated dialogues.
        ValueError: for an unknown encoding.
    """
    expected = f"{name_of(path)}: expected annotated dialogues"
    found = json_of(expected, read_text(path, encoding))
    try:
        return check_annotated("read_annotated_dialogues", found)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{expected}: {error}") from None
