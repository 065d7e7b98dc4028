"""What the commands share: arguments, files, messages."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Iterator
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser that keeps the examples' lines as they are, and reports wrong usage on one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"rnnrs: {message} (see {self.prog} --help)\n")


class VerbParser(Parser):
    """A parser whose last argument, where it may be missing, may also come after options.

    argparse takes a missing argument for settled as soon as an option comes: in `score MODEL --json TEXT`
    the text would be one too many.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's own, but gives what is left over to an argument of any number."""
        namespace, extras = super().parse_known_args(args, namespace)
        late = [action.dest for action in self._actions if action.nargs == "*" and not action.option_strings]
        if late and extras and (extras[0] == "--" or not any(word.startswith("-") for word in extras)):
            words = extras[1:] if extras[0] == "--" else extras
            setattr(namespace, late[0], [*getattr(namespace, late[0]), *words])
            extras = []
        return namespace, extras


class CommandError(Exception):
    """What the user asked for cannot be done; the message says why."""


#: What an error that is no fault of the user's begins with.
_EXPECTED = (CommandError, OSError, ValueError, ArithmeticError, MemoryError, ImportError)


def one_line(error: Exception) -> str:
    """An error as one line for the user."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        message = f"{error.filename}: {error.strerror}"
    else:
        message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, MemoryError) and "memory" not in message.lower():
        message = f"out of memory: {message}"
    if not isinstance(error, _EXPECTED):
        message = f"{type(error).__name__}: {message} (RNNRS_DEBUG=1 shows where)"
    return message


def whole(least: int) -> Any:
    """An argument type: a whole number from `least`."""

    def parse(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least}, got {text}")
        return value

    parse.__name__ = "whole number"
    return parse


def real(least: float, most: float = math.inf, *, above: bool = False) -> Any:
    """An argument type: a finite number from `least` (or above it) to `most`."""

    def parse(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and least <= value <= most and not (above and value == least)):
            bounds = f"{'above' if above else 'from'} {least:g}"
            bounds += f", at most {most:g}" if math.isfinite(most) else ""
            raise argparse.ArgumentTypeError(f"expected a number {bounds}, got {text}")
        return value

    parse.__name__ = "number"
    return parse


def print_json(value: Any) -> None:
    """One line of JSON on standard output."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False))


def say(text: str, quiet: bool = False) -> None:
    """A line for the person at the terminal, on standard error: standard output is for results."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def input_lines(prompt: str = "> ") -> Iterator[str]:
    """The lines of standard input without their ends, with a prompt where a person types them.

    Raises:
        CommandError: if they are no UTF-8.
    """
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):  # missing on Windows
            import readline  # noqa: F401  (lets the line be edited)
        try:
            while True:
                yield input(prompt)
        except EOFError:
            print()
            return
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")
    try:
        for line in sys.stdin:
            yield line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise CommandError(f"standard input: expected UTF-8 text: {error.reason}") from None
