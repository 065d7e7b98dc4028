"""What training data consist of, so that a resumed run can say in words what has changed."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..types import Array

#: The greatest number of groups of items that a checkpoint remembers.
_GROUPS = 1024


class Contents:
    """The items of data and the settings by which they become batches.

    Args:
        unit: the name of an item: "sentence", "pair", ….
        columns: the parts of the items, parallel: each a list of arrays, or an array with an item in each
            row.
        settings: the settings by name.
    """

    def __init__(
        self, unit: str, columns: Sequence[Sequence[Array] | Array], settings: Mapping[str, Any]
    ) -> None:
        self._unit, self._columns, self._settings = unit, columns, dict(settings)
        self._count = len(columns[0])

    def to_config(self) -> dict[str, Any]:
        """Returns counts, settings and a hash of each group of items, as JSON types."""
        group = 1
        while group * _GROUPS < self._count:
            group *= 2
        return {
            "unit": self._unit,
            "count": self._count,
            "settings": self._settings,
            "group": group,
            "hashes": self._hashes(group),
        }

    def difference(self, before: Mapping[str, Any]) -> str:
        """Returns how the data differ from those that `to_config` described."""
        there, here = before["count"], self._count
        if before["unit"] != self._unit:
            return f"{_number(there, before['unit'])}, got {_number(here, self._unit)}"
        group = before["group"]
        pairs = zip(before["hashes"], self._hashes(group), strict=False)
        place = next((i * group for i, (one, other) in enumerate(pairs) if one != other), None)
        if place is None and there == here:
            for name, value in self._settings.items():
                if before["settings"].get(name) != value:
                    return f"{name} {before['settings'].get(name)}, got {value}"
        text = f"{_number(there, self._unit)}, got {_number(here, self._unit) if there != here else 'others'}"
        if place is None:
            return f"{text}; all {_number(min(there, here), self._unit)} in both are the same"
        first, last = place + 1, min(place + group, max(there, here))
        where = f"{self._unit} {first:,}" if first == last else f"{_plural(self._unit)} {first:,} to {last:,}"
        return f"{text}; the first difference is in {where}"

    def _hashes(self, group: int) -> list[int]:
        return [self._hash(first, first + group) for first in range(0, self._count, group)]

    def _hash(self, first: int, last: int) -> int:
        found = 0
        for column in self._columns:
            for part in [column] if isinstance(column, np.ndarray) else column[first:last]:
                rows = np.ascontiguousarray(part[first:last] if part is column else part)
                found = zlib.crc32(str(rows.shape).encode(), found)
                found = zlib.crc32(rows.data if rows.size else b"", found)
        return found


def _plural(unit: str) -> str:
    return f"{unit}es" if unit.endswith("ch") else f"{unit}s"


def _number(count: int, unit: str) -> str:
    return f"{count:,} {unit if count == 1 else _plural(unit)}"
