"""Whether labels of rows (dates, times, numbers) show successive steps."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..types import Array

#: Formats of dates, besides those of ISO 8601. Whether a day or a month comes first may be ambiguous.
FORMATS = ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%b %Y", "%B %Y", "%b-%y", "%Y%m%d")

_APART = "(several series are several calls; rows in another order must be sorted)"
_ISO = re.compile(
    r"\d{4}[-/]\d{1,2}([-/]\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?)?"
)


def check_order(op: str, argument: str, labels: Array, *, gaps: bool) -> None:
    """Checks that the labels of rows rise, by equal distances if `gaps`.

    Dates may be those of months, quarters, years, or of business days.

    Args:
        op, argument: for error messages.
        labels: (N,), dates, times, numbers, or texts.
        gaps: whether distances must be equal; otherwise only dates and times are checked.

    Raises:
        ValueError: if a label is below the one before, repeats it, or follows at another distance.
    """
    moments = _moments(labels)
    if moments is None:
        fault = _first_repeated(labels) if gaps else None
    elif gaps or moments.dtype.kind in "mM":
        fault = first_fault(moments, gaps)
    else:
        fault = None
    if fault is None:
        return
    row, what = fault
    before = f" after {label(labels[row - 1])}" if row else ""
    raise ValueError(
        f"{op}: {argument}: expected an index whose labels are successive steps, "
        f"got {label(labels[row])}{before}: {what}"
    )


def first_fault(moments: Array, gaps: bool) -> tuple[int, str] | None:
    """Returns the first row of dates or numbers that is not the next step, and the reason; or None."""
    missing = np.isnat(moments) if moments.dtype.kind in "mM" else np.isnan(moments.astype(np.float64))
    if missing.any():
        return int(np.flatnonzero(missing)[0]), "a missing date"
    apart = np.diff(_units(moments))
    if not len(apart):
        return None
    unit = np.sort(apart)[(len(apart) - 1) // 2]
    faults = [
        (apart < 0, f"it goes backward {_APART}"),
        (apart == 0, f"it repeats {_APART}"),
    ]
    if gaps and unit > 0:
        faults += [
            (apart > 1.5 * unit, "a gap (give the missing steps a value, or the values without their index)"),
            (apart < unit / 1.5, "irregular distances"),
        ]
    found = [(int(np.flatnonzero(at)[0]) + 1, what) for at, what in faults if at.any()]
    return min(found, key=lambda fault: fault[0], default=None)


def label(value: Any) -> str:
    """Returns a date or number for a message; midnight is not shown."""
    if isinstance(value, np.datetime64):
        if np.isnat(value):
            return "no date"
        day = value.astype("datetime64[D]")
        return str(day if day == value else value.astype("datetime64[s]"))
    return str(value)


def parsed(cells: Sequence[str]) -> list[Array]:
    """Returns the dates (N,) that texts are, once for each format that all of them have."""
    texts = [cell.strip() for cell in cells]
    if all(_ISO.fullmatch(text) for text in texts):
        try:
            return [np.array([_iso(text) for text in texts], "datetime64[us]")]
        except ValueError:
            return []
    found = []
    for form in FORMATS:
        try:
            moments = [datetime.datetime.strptime(text, form) for text in texts]
        except ValueError:
            continue
        found.append(np.array(moments, "datetime64[us]"))
    return found


def _iso(text: str) -> datetime.datetime:
    date, _, time = text.replace("/", "-").replace("T", " ").partition(" ")
    parts = [int(part) for part in date.split("-")]
    clock = re.match(r"(\d+):(\d+)(?::(\d+)(?:[.,](\d+))?)?(Z|[+-]\d{2}:?\d{2})?", time)
    day = datetime.datetime(parts[0], parts[1], parts[2] if len(parts) > 2 else 1)
    if clock is None:
        return day
    hour, minute, second, part, zone = clock.groups()
    ahead = 0
    if zone and zone != "Z":
        ahead = (1 if zone[0] == "+" else -1) * (int(zone[1:3]) * 60 + int(zone[-2:]))
    return day + datetime.timedelta(
        hours=int(hour),
        minutes=int(minute) - ahead,
        seconds=int(second or 0),
        microseconds=int(((part or "") + "000000")[:6]),
    )


def _moments(labels: Array) -> Array | None:
    """Returns labels as numbers or dates (N,); None if they have no order that is known."""
    if labels.dtype.kind in "iuf":
        return labels
    if labels.dtype.kind in "mM":
        return labels.astype("datetime64[ns]" if labels.dtype.kind == "M" else "timedelta64[ns]")
    texts = labels.tolist()
    if texts and all(isinstance(text, str) for text in texts):
        found = parsed(texts)
        right = [moments for moments in found if first_fault(moments, True) is None]
        return next(iter(right or found), None)
    if texts and all(isinstance(number, (int, float)) for number in texts):
        return np.array(texts)
    if texts and all(isinstance(moment, datetime.date) for moment in texts):
        return np.array([_utc(moment) for moment in texts], "datetime64[us]")
    return None


def _utc(moment: datetime.date) -> datetime.date:
    if isinstance(moment, datetime.datetime) and moment.tzinfo is not None:
        return moment.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return moment


def _first_repeated(labels: Array) -> tuple[int, str] | None:
    """Returns the first row whose label an earlier row has, and the reason; None without any."""
    seen: set[Any] = set()
    for row, name in enumerate(labels.tolist()):
        if name in seen:
            return row, f"it repeats {_APART}"
        seen.add(name)
    return None


def _units(moments: Array) -> Array:
    """Returns dates as whole numbers: business days where there are no others; numbers as they are."""
    if moments.dtype.kind not in "mM":
        return moments if moments.dtype.kind == "f" else moments.astype(np.int64)
    if moments.dtype.kind == "M" and len(moments) > 1:
        days = moments.astype("datetime64[D]")
        if (days == moments).all() and np.is_busday(days).all() and np.diff(days).min() == np.timedelta64(1):
            return np.asarray(np.busday_count(days[0], days))
    return moments.astype(np.int64)
