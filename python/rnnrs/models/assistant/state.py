"""What is known in a dialogue, and the rows that fit."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...data.annotated_dialogues import DONTCARE
from ...data.records import Records
from ...shown import short_repr
from .domain import Domain
from .mentions import bare


@dataclass(frozen=True)
class DialogueState:
    """What is known after a turn of the person.

    Attributes:
        values: the value of each slot that is known; "dontcare" where anything will do.
        requests: the columns that this turn asks for.
        another: whether this turn asks for another row.
        changed: whether this turn changed `values`.
        row: the row that is talked about, by index; None if there is none.
        offered: the rows that were offered, by index, in order.
        asked: the slots that the assistant has asked for.
        act: the assistant's last act; "" at the beginning.
        refused: (column, value) that the row must not have, of slots without a value, or of the key.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    requests: tuple[str, ...] = ()
    another: bool = False
    changed: bool = False
    row: int | None = None
    offered: tuple[int, ...] = ()
    asked: tuple[str, ...] = ()
    act: str = ""
    refused: tuple[tuple[str, str], ...] = ()

    __repr__ = short_repr

    def answered(self, act: str, row: int | None) -> DialogueState:
        """Returns the state after an answer: its act, and the row that it is about, if there is one."""
        slot = act.removeprefix("ask_") if act.startswith("ask_") else None
        offered = self.offered if row is None or row in self.offered else (*self.offered, row)
        return replace(
            self,
            act=act,
            row=self.row if row is None else row,
            offered=offered,
            asked=self.asked if slot is None or slot in self.asked else (*self.asked, slot),
        )


def matching(
    table: Records, domain: Domain, values: Mapping[str, str], refused: Sequence[tuple[str, str]] = ()
) -> list[int]:
    """Returns the rows, by index, that have the values of a state and none of the refused ones."""
    found = _having(table, domain, values)
    without = {i for column, value in refused for i in table.places(column, bare).get(bare(value), ())}
    return [i for i in found if i not in without] if without else found


def _having(table: Records, domain: Domain, values: Mapping[str, str]) -> list[int]:
    wanted = [
        (slot, bare(value)) for slot, value in values.items() if value != DONTCARE and slot in domain.slots
    ]
    if not wanted:
        return list(range(len(table)))
    first, *others = sorted((table.places(slot, bare).get(value, ()) for slot, value in wanted), key=len)
    return [i for i in first if all(_holds(rows, i) for rows in others)]


def _holds(rows: Sequence[int], row: int) -> bool:
    """Returns whether a row is among sorted ones."""
    place = bisect_left(rows, row)
    return place < len(rows) and rows[place] == row


def next_row(state: DialogueState, matches: Sequence[int]) -> int | None:
    """Returns the row to talk about: another one if it is wanted, else the present one while it fits."""
    if not matches:
        return None
    if state.row in matches and not state.another:
        return state.row
    return next((i for i in matches if i not in state.offered), matches[0])
