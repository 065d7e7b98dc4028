"""Parsers, verbs, errors, input and output of all commands."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser that reports wrong usage on one line, and adds its arguments only when they are needed.

    A model's defaults are part of the help texts, so adding the arguments of a verb imports the models. The
    help of a group lists its verbs without that.

    Args:
        fill: adds the arguments to the parser; called once, before the parser is first used.
    """

    def __init__(self, *args: Any, fill: Callable[[Any], None] | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)
        self._fill = fill

    def filled(self) -> Parser:
        """Returns the parser itself, with its arguments."""
        fill, self._fill = self._fill, None
        if fill is not None:
            fill(self)
        return self

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Adds the arguments, then parses."""
        self.filled()
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Exits with 2 and one line on standard error."""
        self.exit(2, f"rnnrs: {message} (see {self.prog} --help)\n")


class VerbParser(Parser):
    """A parser whose last argument, where it is optional, may also follow options.

    argparse considers an optional argument settled as soon as an option follows: it would reject the text in
    `score MODEL --json TEXT`.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses, and gives remaining words to the argument that takes any number of them."""
        namespace, extras = super().parse_known_args(args, namespace)
        late = [action.dest for action in self._actions if action.nargs == "*" and not action.option_strings]
        if late and extras and (extras[0] == "--" or not any(word.startswith("-") for word in extras)):
            words = extras[1:] if extras[0] == "--" else extras
            setattr(namespace, late[0], [*getattr(namespace, late[0]), *words])
            extras = []
        return namespace, extras


def add_verbs(group: Parser) -> Any:
    """Returns the group's verbs, for `add_verb`."""
    return group.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=VerbParser)


def add_verb(
    verbs: Any,
    name: str,
    summary: str,
    epilog: str,
    fill: Callable[[Any], None],
    run: Callable[[argparse.Namespace], int],
    *,
    aliases: Sequence[str] = (),
) -> None:
    """Adds a verb to a group.

    Args:
        verbs: from `add_verbs`.
        name: the verb.
        summary: its line in the group's help.
        epilog: the end of its own help: file formats, examples.
        fill: adds its arguments.
        run: runs it and returns the exit code.
        aliases: further spellings.
    """
    description = f"{summary[0].upper()}{summary[1:]}."
    verb = verbs.add_parser(
        name, aliases=aliases, help=summary, description=description, epilog=epilog, fill=fill
    )
    verb.set_defaults(run=run)


def add_model(verb: Any) -> None:
    """Adds the first argument of every verb but `train`: the model's file."""
    verb.add_argument("model", metavar="MODEL", help="a model's file")


def add_json(verb: Any, what: str = "the result as JSON") -> None:
    """Adds `--json`."""
    verb.add_argument("--json", action="store_true", help=what)


class CommandError(Exception):
    """A request that cannot be fulfilled; the message says why."""


#: The errors that users can cause. Any other is a bug, and is shown with its class.
_EXPECTED = (CommandError, OSError, ValueError, ArithmeticError, MemoryError, ImportError)


def one_line(error: Exception) -> str:
    """Returns an error as one line for the user."""
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
    """Returns an argument type: a whole number from `least`."""

    def parse(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least}, got {text}")
        return value

    parse.__name__ = "whole number"
    return parse


def real(least: float, most: float = math.inf, *, above: bool = False) -> Any:
    """Returns an argument type: a finite number from `least` (or above it) to `most`."""

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
    """Prints one line of JSON on standard output; infinity and NaN, which JSON lacks, as null."""
    print(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False), flush=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def say(text: str, quiet: bool = False) -> None:
    """Prints a line for the person at the terminal on standard error; standard output is for results."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def input_lines(prompt: str = "> ") -> Iterator[str]:
    """Yields the lines of standard input without line ends; at a terminal, each after a prompt.

    Raises:
        CommandError: if they are not UTF-8.
    """
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):  # missing on Windows
            import readline  # noqa: F401  (enables line editing)
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
