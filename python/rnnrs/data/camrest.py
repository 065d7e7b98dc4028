"""The bundled dialogues of CamRest676, with their table of restaurants."""

from __future__ import annotations

import json
from importlib import resources
from typing import NamedTuple

from ..shown import short_repr
from .annotated_dialogues import AnnotatedTurn
from .records import Records


class CamRest(NamedTuple):
    """Dialogues about restaurants.

    Attributes:
        dialogues: 676 annotated dialogues with 2,744 turns, in the data's order.
        table: 110 restaurants of Cambridge.
        values: for each slot, values that people may name but no restaurant has.
    """

    dialogues: list[list[AnnotatedTurn]]
    table: Records
    values: dict[str, list[str]]

    def __repr__(self) -> str:
        return short_repr(self)


def camrest() -> CamRest:
    """Returns CamRest676, bundled (see NOTICE): people look for a restaurant, others answer in writing.

    Wen et al. 2017, *A Network-based End-to-End Trainable Task-oriented Dialogue System*. The annotations are
    those of the data, with their errors.
    """
    import lzma  # some builds of Python lack it

    packed = resources.files(__package__).joinpath("bundled", "camrest.xz").read_bytes()
    content = json.loads(lzma.decompress(packed))
    columns, *rows = content["table"]
    dialogues = []
    for turns in content["dialogues"]:
        state: dict[str, str] = {}
        dialogue = []
        for user, system, changes, requests, asks in turns:
            state = state | changes
            dialogue.append(AnnotatedTurn(user, system, state, tuple(requests), tuple(asks)))
        dialogues.append(dialogue)
    return CamRest(
        dialogues, Records([dict(zip(columns, row, strict=True)) for row in rows]), content["values"]
    )
