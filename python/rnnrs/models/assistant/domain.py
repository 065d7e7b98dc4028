"""What an assistant talks about: the table's columns, their values, and how people say them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ...data.annotated_dialogues import DONTCARE, AnnotatedTurn, check_annotated
from ...data.records import Records
from ...shown import short_repr
from .mentions import bare

#: A column is a slot by default if it has at most this share of different values, of at most so many words.
_DISTINCT, _WORDS = 0.6, 4

#: Other notations of `DONTCARE` in dialogues, and of a slot of which nothing is known.
_ANY = frozenset(
    ("dont care", "don't care", "dont_care", "do not care", "do n't care", "doesn't matter", "any", "*")
)
_NOTHING = frozenset(("", "none", "not mentioned", "?"))


@dataclass(frozen=True)
class Domain:
    """The columns of a table, by their use.

    Attributes:
        key: the column that names a row, such as "name".
        slots: the columns that a person restricts: "area", "food".
        requests: the columns that a person asks for: "phone", "address".
        noun: the word for a row: "restaurant".
        said: how columns are called, by column: {"pricerange": ["price range", "price"]}; the first name is
            used in sentences. By default, the column's own name.
        synonyms: other words for values, by slot and value: {"area": {"centre": ["center", "downtown"]}}.
        phrases: how people say a slot's value: {"food": ["{value} food", "that serves {value} food"]}. They
            are used in generated dialogues.
        values: values that people may name but the table lacks, by slot.
    """

    key: str
    slots: tuple[str, ...]
    requests: tuple[str, ...]
    noun: str = "place"
    said: Mapping[str, Sequence[str]] = field(default_factory=dict)
    synonyms: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    phrases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)

    __repr__ = short_repr

    @classmethod
    def of(
        cls,
        op: str,
        table: Records,
        given: Mapping[str, Any] | None = None,
        dialogues: Sequence[Sequence[AnnotatedTurn]] = (),
    ) -> Domain:
        """Returns the domain of a table; what is not given follows from table and dialogues.

        Args:
            op: the caller's name, for error messages.
            table: the rows.
            given: attributes by name.
            dialogues: annotated dialogues: their states and requests name slots and requests, and values.

        Raises:
            TypeError, ValueError: for an unknown attribute, one of a wrong type, or a column that the table
                lacks.
        """
        if not isinstance(given or {}, Mapping):
            raise TypeError(f"{op}: domain: expected a mapping, got {given!r:.80}")
        config = dict(given or {})
        _check(op, config, table)
        turns = [turn for dialogue in dialogues for turn in dialogue]
        key = config.get("key") or _key(table)
        named = dict.fromkeys(slot for turn in turns for slot in turn.state if slot in table.columns)
        wanted = list(dict.fromkeys(config.get("slots") or ()))
        slots = wanted or [slot for slot in named if slot != key] or _slots(table, key)
        asked = dict.fromkeys(name for turn in turns for name in turn.requests if name in table.columns)
        others = [name for name in (asked or table.columns) if name != key]
        requests = config.get("requests") or list(dict.fromkeys([*slots, *others]))
        if not slots:
            raise ValueError(f"{op}: domain: slots: expected at least one column, got none")
        values: dict[str, list[str]] = {
            slot: [*map(str, config.get("values", {}).get(slot, ()))] for slot in slots
        }
        known = {slot: set(table.values(slot)) | set(values[slot]) for slot in slots}
        for turn in turns:
            for slot in slots:
                value = turn.state.get(slot, DONTCARE)
                if value != DONTCARE and value not in known[slot]:
                    known[slot].add(value)
                    values[slot].append(value)
        rest = {name: config[name] for name in ("noun", "said", "synonyms", "phrases") if name in config}
        return cls(key, tuple(slots), tuple(requests), values=values, **rest)

    def to_config(self) -> dict[str, Any]:
        """Returns the attributes as JSON types."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Domain:
        """Returns the domain that `to_config` described."""
        own = dict(config)
        return cls(**(own | {"slots": tuple(own["slots"]), "requests": tuple(own["requests"])}))

    @property
    def columns(self) -> list[str]:
        """Key, slots and requests, each once."""
        return list(dict.fromkeys([self.key, *self.slots, *self.requests]))

    def names(self, column: str) -> list[str]:
        """Returns how a column is called, the first name first."""
        return [*self.said.get(column, ())] or [column.replace("_", " ").lower()]

    def known_values(self, table: Records, slot: str) -> list[str]:
        """Returns the values of a slot that the table holds or that people are known to name."""
        return list(dict.fromkeys([*table.values(slot), *self.values.get(slot, ())]))


def _check(op: str, config: Mapping[str, Any], table: Records) -> None:
    """Checks the attributes that were given."""
    known = [f.name for f in fields(Domain)]
    for name in config:
        if name not in known:
            raise TypeError(f"{op}: domain: unexpected {name!r}; expected {', '.join(known)}")
    for name in ("key", "noun"):
        if not isinstance(config.get(name, ""), str):
            raise TypeError(f"{op}: domain: {name}: expected a string, got {config[name]!r}")
    for name in ("slots", "requests"):
        columns = config.get(name, ())
        if isinstance(columns, str) or not all(isinstance(column, str) for column in columns):
            raise TypeError(f"{op}: domain: {name}: expected names of columns, got {columns!r}")
    for name in ("said", "synonyms", "phrases", "values"):
        if not isinstance(config.get(name, {}), Mapping):
            raise TypeError(f"{op}: domain: {name}: expected a mapping by column, got {config[name]!r}")
        for column, texts in config.get(name, {}).items():
            _check_texts(f"{op}: domain: {name}: {column}", name, texts)
    columns = [*config.get("slots", ()), *config.get("requests", ())]
    columns += [name for part in ("said", "synonyms", "phrases", "values") for name in config.get(part, ())]
    for column in [*columns, *([config["key"]] if "key" in config else [])]:
        if column not in table.columns:
            raise ValueError(
                f"{op}: domain: expected columns of the table, {', '.join(table.columns)}, got {column!r}"
            )


def _check_texts(place: str, name: str, texts: Any) -> None:
    """Checks what is given for a column: texts, or for synonyms texts by value."""
    if name == "synonyms" and not isinstance(texts, Mapping):
        raise TypeError(f"{place}: expected a mapping from values to texts, got {texts!r:.80}")
    for own in texts.values() if name == "synonyms" else (texts,):
        kinds = (str, int, float) if name == "values" else str
        if isinstance(own, str) or not isinstance(own, Sequence):
            raise TypeError(f"{place}: expected a list of texts, got {own!r:.80}")
        if wrong := [text for text in own if not isinstance(text, kinds) or not str(text).strip()]:
            raise TypeError(f"{place}: expected texts that are not empty, got {wrong[0]!r:.80}")
        if name == "phrases":
            check_fields(place, own, ("slot", "value", "noun"))


def check_fields(place: str, texts: Sequence[str], known: Sequence[str]) -> None:
    """Checks that texts have known fields only.

    Raises:
        ValueError: if they do not.
    """
    for text in texts:
        try:
            text.format(**dict.fromkeys(known, ""))
        except (KeyError, ValueError, IndexError, AttributeError):
            raise ValueError(f"{place}: expected the fields {', '.join(known)}, got {text!r:.80}") from None


def _key(table: Records) -> str:
    """Returns the column that names a row: "name", or the first with a different text in every row."""
    for column in table.columns:
        if column.lower() in ("name", "title"):
            return column
    unique = [c for c in table.columns if len(table.values(c)) == len(table) and c.lower() != "id"]
    texts = [c for c in unique if all(any(map(str.isalpha, value)) for value in table.values(c))]
    return (texts or unique or list(table.columns))[0]


def _slots(table: Records, key: str) -> list[str]:
    """Returns the columns whose values occur in several rows."""
    found = []
    for column in table.columns:
        values = table.values(column)
        few = 2 <= len(values) <= max(2, _DISTINCT * len(table))
        if column != key and few and max(len(value.split()) for value in values) <= _WORDS:
            found.append(column)
    return found


def aligned(op: str, dialogues: Any, table: Records) -> list[list[AnnotatedTurn]]:
    """Returns annotated dialogues with columns and values in the table's spelling.

    Case and accents do not matter: "Italian" in a state is the table's "italian". Usual notations of
    "anything will do" become `DONTCARE`.

    Raises:
        ValueError, TypeError: for dialogues that are not annotated.
    """
    columns = {bare(column): column for column in table.columns}

    def value_of(column: str, value: str) -> str:
        rows = table.places(column, bare).get(bare(value), ()) if column in table.columns else ()
        if rows:
            return table.rows[rows[0]][column]
        form = " ".join(value.split())
        return DONTCARE if bare(form) in _ANY else "" if bare(form) in _NOTHING else form

    def turn_of(turn: AnnotatedTurn) -> AnnotatedTurn:
        named = [(columns.get(bare(slot), slot), value) for slot, value in turn.state.items()]
        state = {slot: value_of(slot, value) for slot, value in named}
        requests = tuple(dict.fromkeys(columns.get(bare(column), column) for column in turn.requests))
        asks = None if turn.asks is None else tuple(columns.get(bare(slot), slot) for slot in turn.asks)
        known = {slot: value for slot, value in state.items() if value}
        return replace(turn, state=known, requests=requests, asks=asks)

    return [[turn_of(turn) for turn in turns] for turns in check_annotated(op, dialogues)]
