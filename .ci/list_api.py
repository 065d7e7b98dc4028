"""Lists every public name with its signature: `python .ci/list_api.py > docs/api.txt`.

A test compares that file with the script's output.

A name is public if it is in the `__all__` of a module below, or is a method or property of such a class and
does not begin with an underscore.
"""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from typing import Any

MODULES = (
    "rnnrs",
    "rnnrs.nn",
    "rnnrs.losses",
    "rnnrs.optim",
    "rnnrs.text",
    "rnnrs.data",
    "rnnrs.decoding",
    "rnnrs.metrics",
    "rnnrs.train",
    "rnnrs.models",
    "rnnrs.inspection",
    "rnnrs.plot",
    "rnnrs.interop.torch",
    "rnnrs.interop.onnx",
    "rnnrs.modelfile",
)


def lines() -> list[str]:
    """Returns the list, one line per name."""
    found = []
    for name in MODULES:
        module = import_module(name)
        found += [f"{name}"]
        for public in sorted(names(module), key=str.lower):
            found += described(public, getattr(module, public))
        found.append("")
    return found


def names(module: Any) -> list[str]:
    """Returns a module's public names."""
    if hasattr(module, "__all__"):
        return [name for name in module.__all__ if not name.startswith("_")]
    own = [n for n, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return [name for name in own if not name.startswith("_")]


def described(name: str, value: Any) -> list[str]:
    """Returns the lines for a public name; for a class, also those for its public members."""
    if inspect.ismodule(value):
        return [f"  module {name}"]
    if inspect.isclass(value):
        return [f"  class {name}{signature(value)}", *members(value)]
    if callable(value):
        return [f"  {name}{signature(value)}"]
    return [f"  {name}: {type(value).__name__}"]


def members(cls: type) -> list[str]:
    """Returns the public members of a class: its own and those inherited from this package's classes."""
    found = []
    for name in sorted(dir(cls)):
        owner = next((base for base in cls.__mro__ if name in vars(base)), object)
        if name.startswith("_") or not owner.__module__.startswith("rnnrs"):
            continue
        value = inspect.getattr_static(cls, name)
        if isinstance(value, property) or type(value).__name__ == "cached_property":
            found.append(f"    {name}  (property)")
        elif isinstance(value, (classmethod, staticmethod)):
            found.append(f"    {name}{signature(getattr(cls, name))}  ({type(value).__name__})")
        elif callable(value):
            found.append(f"    {name}{signature(value)}")
    return found


def signature(value: Any) -> str:
    """Returns the names and defaults of the parameters."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return "(…)"
    bare = [p.replace(annotation=p.empty, default=shown(p.default)) for p in parameters if p.name != "self"]
    return str(inspect.Signature(bare))


class Shown:
    """Represents a default by a text that is the same on every machine."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def shown(default: Any) -> Any:
    """Returns a default for the list: functions and classes by name, long values as an ellipsis."""
    if default is inspect.Parameter.empty:
        return default
    text = getattr(default, "__name__", None) or repr(default)
    return Shown(text if len(text) <= 60 and " at 0x" not in text else "…")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    print("\n".join(lines()).rstrip())
