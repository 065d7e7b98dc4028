"""The fields of requests: each is checked, has a default and documents itself in OpenAPI."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .limits import Limits
from .problems import Plain, invalid

#: The default of a field that a request must have.
REQUIRED: Any = object()


@dataclass(frozen=True)
class Field:
    """A field of a request.

    Attributes:
        name: its name.
        kind: "text", "whole", "number", "boolean", "numbers" (a list of numbers, or of equally long lists of
            numbers) or "file" (bytes; base64 in JSON).
        doc: one sentence for the documentation.
        default: its value where it is left out or null; `REQUIRED` for none.
        least: the smallest number.
        most: the largest number, or the longest text; the name of a limit, or a number.
    """

    name: str
    kind: str
    doc: str
    default: Any = REQUIRED
    least: float | None = None
    most: float | str | None = None

    def checked(self, value: Any, limits: Limits) -> Any:
        """Returns a value of JSON as the server uses it.

        Raises:
            Problem: 400 for a value of another type, or out of range.
        """
        if value is None and self.default is not REQUIRED:
            return self.default
        return getattr(self, f"_{self.kind}")(value, self.bound(limits))

    def parsed(self, value: str) -> Any:
        """Returns a value of a query or of a form as in JSON; a value that cannot be read as it is."""
        if self.kind not in ("boolean", "whole", "number"):
            return value
        try:
            read = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return value if read is None else read

    def bound(self, limits: Limits) -> float | None:
        """Returns the largest number, or the longest text."""
        return getattr(limits, self.most) if isinstance(self.most, str) else self.most

    def schema(self, limits: Limits) -> dict[str, Any]:
        """Returns the field's JSON schema."""
        most = self.bound(limits)
        if self.kind == "text":
            schema: dict[str, Any] = {"type": "string"} | ({} if most is None else {"maxLength": most})
        elif self.kind in ("whole", "number"):
            schema = {"type": "integer" if self.kind == "whole" else "number"}
            schema |= {} if self.least is None else {"minimum": self.least}
            schema |= {} if most is None else {"maximum": most}
        elif self.kind == "numbers":
            row = {"type": "array", "items": {"type": "number"}, "minItems": 1}
            schema = {"anyOf": [row, {"type": "array", "items": row, "minItems": 1}]}
        elif self.kind == "file":
            schema = {"type": "string", "contentEncoding": "base64"}
        else:
            schema = {"type": "boolean"}
        if self.default is not REQUIRED:
            schema = {"anyOf": [schema, {"type": "null"}], "default": self.default}
        return schema | {"description": self.doc}

    def _text(self, value: Any, most: float | None) -> str:
        if not isinstance(value, str):
            raise invalid(self.name, "a string", value)
        if most is not None and len(value) > most:
            raise invalid(self.name, f"at most {most:,} characters", Plain(f"{len(value):,}"))
        try:
            value.encode()
        except UnicodeEncodeError:
            raise invalid(self.name, "text in Unicode", Plain("half of a surrogate pair")) from None
        return value

    def _whole(self, value: Any, most: float | None) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid(self.name, "a whole number", value)
        self._in_range(value, most)
        return value

    def _number(self, value: Any, most: float | None) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise invalid(self.name, "a number", value)
        if isinstance(value, float) and not math.isfinite(value):
            raise invalid(self.name, "a finite number", value)
        self._in_range(value, most)
        try:
            return float(value)
        except OverflowError:
            raise invalid(self.name, "a finite number", value) from None

    def _in_range(self, value: float, most: float | None) -> None:
        if (self.least is not None and value < self.least) or (most is not None and value > most):
            between = f"from {_shown(self.least)}" + ("" if most is None else f" to {_shown(most)}")
            raise invalid(self.name, f"a number {between}", value)

    def _boolean(self, value: Any, most: float | None) -> bool:
        if not isinstance(value, bool):
            raise invalid(self.name, "true or false", value)
        return value

    def _numbers(self, value: Any, most: float | None) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Returns numbers as an array (T,), rows of numbers as (T, columns)."""
        if not isinstance(value, list) or not value:
            raise invalid(self.name, "a list of numbers, or of rows of numbers", value)
        rows = value if isinstance(value[0], list) else [value]
        if not rows[0] or any(not isinstance(row, list) or len(row) != len(rows[0]) for row in rows):
            raise invalid(self.name, "rows of the same number of numbers", value)
        if most is not None and len(rows) * len(rows[0]) > most:
            raise invalid(self.name, f"at most {most:,} numbers", Plain(f"{len(rows) * len(rows[0]):,}"))
        for row in rows:
            if not set(map(type, row)) <= {int, float}:  # a bool is an int, but not a number
                wrong = next(number for number in row if type(number) not in (int, float))
                raise invalid(self.name, "numbers", wrong)
        try:
            array = np.array(value, np.float64)
        except OverflowError:
            raise invalid(self.name, "numbers of up to 64 bits", value) from None
        if not np.isfinite(array).all():
            raise invalid(self.name, "finite numbers", Plain("one that is too large"))
        return array

    def _file(self, value: Any, most: float | None) -> bytes:
        if isinstance(value, bytes):
            return value
        if not isinstance(value, str):
            raise invalid(self.name, "a file, or its bytes in base64", value)
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise invalid(self.name, "bytes in base64", value) from None


def _shown(bound: float | None) -> str:
    """Returns a bound of a number, to all its digits if it is whole."""
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


#: The field of every request that names a served model.
MODEL = Field("model", "text", "The name of a served model; may be left out if only one fits.", None)


def values_of(fields: Iterable[Field], given: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Returns the checked values of all fields.

    Args:
        fields: the fields of the request.
        given: the values of the request, as of JSON.
        limits: the server's limits.

    Raises:
        Problem: 400 for an unknown field, a missing one, or an invalid value.
    """
    known = {field.name: field for field in fields}
    for name in given:
        if name not in known:
            raise invalid(name, f"one of the fields {', '.join(known)}", Plain("an unknown field"))
    values = {}
    for name, field in known.items():
        if name not in given and field.default is REQUIRED:
            raise invalid(name, "a value", Plain("none"))
        values[name] = field.checked(given.get(name), limits)
    return values
