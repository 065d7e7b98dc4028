"""Short representations: what an object is, without its numbers."""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

#: The most characters of one attribute, and of all.
ONE, ALL = 160, 1200


@reprlib.recursive_repr("…")
def short_repr(self: Any) -> str:
    """Returns the class and the public attributes of an object, for `__repr__ = short_repr` in its class.

    Arrays are shown by dtype and shape, collections by their first items and their number.

    Example:
        >>> from rnnrs.losses import Evaluation
        >>> Evaluation(0.25, np.zeros((5, 2)), None)
        Evaluation(total=0.25, positions=float64 (5, 2), gradient=None)
    """
    return shown(type(self).__name__, _attributes(self))


def batches_repr(data: Any) -> str:
    """Returns the class of batches, their number and their settings."""
    return shown(type(data).__name__, [("batches", len(data)), *_attributes(data)])


def shown(name: str, attributes: Iterable[tuple[str, Any]]) -> str:
    """Returns `name(attribute=value, …)` with short values."""
    parts: list[str] = []
    for attribute, value in attributes:
        parts.append(f"{attribute}={short(value)}")
        if sum(map(len, parts)) > ALL:
            parts[-1] = "…"
            break
    return f"{name}({', '.join(parts)})"


def short(value: Any, most: int = ONE) -> str:
    """Returns a value in at most so many characters."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else f"{value[:60]!r} … ({len(value)} characters)"
    if isinstance(value, (list, set, frozenset, Mapping)) or type(value) is tuple:
        return _collection(value, most)
    if value is None or isinstance(value, (bool, int, np.generic)):
        return str(value)
    if callable(value) and hasattr(value, "__qualname__"):
        return str(value.__qualname__)
    text = repr(value)  # of an object with a short one
    return text if len(text) <= most else f"{text[: most - 2]} …"


def _collection(value: Any, most: int) -> str:
    pairs = isinstance(value, Mapping)
    begin, end = ("(", ")") if type(value) is tuple else ("[", "]") if isinstance(value, list) else ("{", "}")
    items: list[str] = []
    length = 0
    for item in value.items() if pairs else value:
        text = f"{short(item[0], 40)}: {short(item[1], 40)}" if pairs else short(item, 60)
        length += len(text) + 2
        if items and length > most - 16:
            items.append(f"… {len(value) - len(items)} more")
            break
        items.append(text)
    return f"{begin}{', '.join(items)}{end}"


def _attributes(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, tuple):
        return zip(value._fields, value, strict=True)  # type: ignore[attr-defined]
    if dataclasses.is_dataclass(value):
        return ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value) if f.repr)
    return ((name, own) for name, own in vars(value).items() if not name.startswith("_"))
