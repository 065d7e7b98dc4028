"""Options of a call in one table: the fields of a dataclass, each with default, description and check."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Collection, Mapping
from dataclasses import field, fields
from typing import Any, TypeVar

from ...checks import check_number, check_size
from ...checks import positive as is_positive

#: (operation, argument, value) → the value, normalized.
Check = Callable[[str, str, Any], Any]

T = TypeVar("T")


def option(default: Any, doc: str, check: Check) -> Any:
    """Returns a field of a table of options.

    Args:
        default: the default value. A subclass overrides it by `name: type = default` and keeps the rest.
        doc: the description, for docstrings and help texts.
        check: checks and normalizes a value.
    """
    return field(default=default, metadata={"doc": doc, "check": check})


def whole(least: int, *, none: bool = False) -> Check:
    """Returns the check of a whole number from `least`; with `none`, None is valid, too."""

    def check(op: str, name: str, value: Any) -> Any:
        return None if none and value is None else check_size(op, name, value, least)

    return check


def positive(*, none: bool = False) -> Check:
    """Returns the check of a finite number above 0; with `none`, None is valid, too."""

    def check(op: str, name: str, value: Any) -> Any:
        if none and value is None:
            return None
        return check_number(op, name, value, "a finite number above 0", is_positive)

    return check


def share(op: str, name: str, value: Any) -> float:
    """Checks a number from 0, below 1."""
    return check_number(op, name, value, "a share from 0, below 1", lambda x: 0 <= x < 1)


def choice(names: Collection[str]) -> Check:
    """Returns the check of one of several names."""

    def check(op: str, name: str, value: Any) -> Any:
        if not isinstance(value, str) or value not in names:
            raise ValueError(f"{op}: {name}: expected one of {', '.join(names)}, got {value!r}")
        return str(value)

    return check


def defaults(table: type[Any]) -> dict[str, Any]:
    """Returns the options of a table and their defaults."""
    return {f.name: f.default for f in fields(table)}


def metadata(table: type[Any], name: str, key: str) -> Any:
    """Returns the "doc" or the "check" of an option, from the table or the table that it extends."""
    for base in table.__mro__:
        found = base.__dict__.get("__dataclass_fields__", {}).get(name)
        if found is not None and key in found.metadata:
            return found.metadata[key]
    raise KeyError(f"{table.__name__}: {name}: no {key}")


def checked(op: str, table: type[T], options: Mapping[str, Any]) -> T:
    """Returns a table of checked and normalized options.

    Args:
        op: the caller's name, for error messages.
        table: the dataclass.
        options: the values that differ from the defaults.

    Raises:
        TypeError: for an option that the table does not have, or a value of the wrong type.
        ValueError: for a value outside its range.
    """
    known = defaults(table)
    for name in options:
        if name not in known:
            raise TypeError(f"{op}: unexpected option {name!r}; expected {', '.join(known)}")
    values = known | dict(options)
    return table(**{name: metadata(table, name, "check")(op, name, value) for name, value in values.items()})


def documented(call: Callable[..., Any], table: type[Any]) -> None:
    """Replaces the `**options` of a call by the table's options, in its signature and its docstring."""
    signature = inspect.signature(call)
    kept = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    shown = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type)
        for f in fields(table)
    ]
    call.__signature__ = signature.replace(parameters=[*kept, *shown])  # type: ignore[attr-defined]
    lines = []
    for name, default in defaults(table).items():
        entry = f"{name}: {metadata(table, name, 'doc')}; {default!r} by default."
        lines.append(textwrap.fill(entry, 108, initial_indent="    ", subsequent_indent="        "))
    call.__doc__ = "\n".join([inspect.cleandoc(call.__doc__ or ""), "", "Training options:", *lines, ""])


def with_defaults(call: Callable[..., Any], changed: Mapping[str, Any]) -> inspect.Signature:
    """Returns the signature of a call with other defaults."""
    signature = inspect.signature(call)
    parameters = [
        p.replace(default=changed[p.name]) if p.name in changed else p for p in signature.parameters.values()
    ]
    return signature.replace(parameters=parameters)


def with_sizes(cls: type[Any], inner: type[Any], changed: Mapping[str, Any]) -> inspect.Signature:
    """Returns the signature of a class with `inner`'s keyword arguments, and other defaults, as `**sizes`."""
    signature = inspect.signature(cls)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    sizes = [
        p for p in with_defaults(inner, changed).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name not in signature.parameters
    ]  # fmt: skip
    return signature.replace(parameters=[*own, *sizes])


def argument_defaults(cls: type[Any]) -> dict[str, Any]:
    """Returns the keyword arguments of a constructor that have defaults, with the defaults."""
    parameters = inspect.signature(cls).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}
