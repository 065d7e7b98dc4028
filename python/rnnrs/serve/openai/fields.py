"""The fields of OpenAI's requests that are more than one number or text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..fields import Field
from ..limits import Limits
from ..problems import Plain, invalid


@dataclass(frozen=True)
class Only(Field):
    """A field of OpenAI's that has no effect here: only the values that mean just that are accepted.

    Attributes:
        values: these values.
    """

    values: tuple[Any, ...] = ()

    def checked(self, value: Any, limits: Limits) -> Any:
        if not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in self.values):
            shown = " or ".join(json.dumps(one) for one in self.values)
            raise invalid(self.name, f"{shown}; other values are not supported", value)
        return value

    def schema(self, limits: Limits) -> dict[str, Any]:
        return {"enum": list(self.values), "default": self.default, "description": self.doc}


@dataclass(frozen=True)
class Strings(Field):
    """A text, or a list of texts; the value is a list.

    Attributes:
        most: the largest number of characters of all texts together, as a limit's name or a number.
        count: the largest number of texts.
        least: the smallest number of texts, and of the characters of each.
    """

    count: int = 1
    least: float | None = 0

    def checked(self, value: Any, limits: Limits) -> list[str]:
        if value is None and self.default is not None:
            return super().checked(value, limits)  # type: ignore[no-any-return]
        texts = [] if value is None else [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise invalid(self.name, f"a string, or a list of at most {self.count}", value)
        if len(texts) > self.count or (value is not None and not texts):
            raise invalid(self.name, f"1 to {self.count} strings", Plain(f"{len(texts)}"))
        for text in texts:
            self._text(text, None)
            if len(text) < (self.least or 0):
                raise invalid(self.name, f"strings of at least {self.least:g} character", text)
        most, length = self.bound(limits), sum(map(len, texts))
        if most is not None and length > most:
            raise invalid(self.name, f"at most {most:,} characters", Plain(f"{length:,}"))
        return texts

    def schema(self, limits: Limits) -> dict[str, Any]:
        text = {"type": "string", "minLength": int(self.least or 0), "maxLength": self.bound(limits)}
        several = {"type": "array", "items": text, "minItems": 1, "maxItems": self.count}
        kinds = [text, several] + ([{"type": "null"}] if self.default is None else [])
        return {"anyOf": kinds, "description": self.doc}


@dataclass(frozen=True)
class StreamOptions(Field):
    """Whether a stream ends with the numbers of tokens: {"include_usage": true}; the value is that."""

    def checked(self, value: Any, limits: Limits) -> bool:
        if value is None:
            return False
        if not isinstance(value, dict) or set(value) - {"include_usage", "include_obfuscation"}:
            raise invalid(self.name, 'an object with the member "include_usage"', value)
        usage = value.get("include_usage", False)
        if not isinstance(usage, bool):
            raise invalid(f"{self.name}.include_usage", "true or false", usage)
        return usage

    def schema(self, limits: Limits) -> dict[str, Any]:
        options = {
            "type": "object",
            "properties": {
                "include_usage": {"type": "boolean", "default": False},
                "include_obfuscation": {"description": "Accepted, and not used."},
            },
            "additionalProperties": False,
        }
        return {"anyOf": [options, {"type": "null"}], "description": self.doc}


@dataclass(frozen=True)
class Unused(Field):
    """A field of OpenAI's that changes no answer there either; any value is accepted, and none is used."""

    def checked(self, value: Any, limits: Limits) -> None:
        return None

    def schema(self, limits: Limits) -> dict[str, Any]:
        return {"description": self.doc}


#: Fields of both endpoints.
STREAM = Field("stream", "boolean", "Whether to answer by server-sent events, piece by piece.", False)
STREAM_OPTIONS = StreamOptions(
    "stream_options",
    "object",
    "Whether a stream ends with a chunk that has the numbers of tokens: `include_usage`.",
    None,
)
STOP = Strings(
    "stop", "text", "Texts before which the answer ends, at most 4.", None, least=1, most=4_000, count=4
)
USER = Field("user", "text", "Accepted, and not used.", None, most=1_000)
METADATA = Unused("metadata", "object", "Accepted, and not used.", None)
PENALTIES = (
    Only("presence_penalty", "number", "Only 0.", 0, values=(0, None)),
    Only("frequency_penalty", "number", "Only 0.", 0, values=(0, None)),
    Only("logit_bias", "object", "Only empty.", None, values=(None, {})),
)
