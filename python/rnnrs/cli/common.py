"""Parsers, verbs, errors, input and output of all commands."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from .. import reading
from ..launcher import rank_in_environment
from ..signals import Terminated
from ..terminal import Screen, is_terminal

V = TypeVar("V")
W = TypeVar("W")


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
        """Adds the arguments, then parses; unknown words are an error of this parser, not of those above."""
        self.filled()
        namespace, extras = super().parse_known_args(args, namespace)
        if extras := self.take_late(namespace, extras):
            self.error(f"unrecognized arguments: {' '.join(extras)}")
        return namespace, extras

    def take_late(self, namespace: argparse.Namespace, words: list[str]) -> list[str]:
        """Returns the remaining words that no argument takes."""
        return words

    def error(self, message: str) -> NoReturn:
        """Exits with 2 and one line on standard error, by the first of the processes that MPI started."""
        self.exit(2, None if rank_in_environment() else f"rnnrs: {message} (see {self.prog} --help)\n")


class VerbParser(Parser):
    """A parser whose last argument, where it is optional, may also follow options.

    argparse considers an optional argument settled as soon as an option follows: it would reject the text in
    `score MODEL --json TEXT`.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses; an option with `only_joined` does not take the word after it."""
        self.filled()
        joined = {
            word: action.const
            for action in self._actions
            if hasattr(action, "only_joined")
            for word in action.option_strings
        }
        if joined and args is not None:
            end = args.index("--") if "--" in args else len(args)
            args = [f"{w}={joined[w]}" if w in joined and i < end else w for i, w in enumerate(args)]
        return super().parse_known_args(args, namespace)

    def take_late(self, namespace: argparse.Namespace, words: list[str]) -> list[str]:
        """Gives remaining words to the argument that takes any number of them."""
        late = [action.dest for action in self._actions if action.nargs == "*" and not action.option_strings]
        if not late or not words or (words[0] != "--" and any(word.startswith("-") for word in words)):
            return words
        words = words[1:] if words[0] == "--" else words
        setattr(namespace, late[0], [*getattr(namespace, late[0]), *words])
        return []


def only_joined(action: argparse.Action) -> argparse.Action:
    """Marks an option whose value follows "=" only: `--resume` or `--resume=auto`."""
    action.only_joined = True  # type: ignore[attr-defined]
    return action


def reads(action: argparse.Action) -> argparse.Action:
    """Marks an argument that names files to read; see `cli/files.py`. Returns it."""
    action.reads = True  # type: ignore[attr-defined]
    return action


def writes(action: argparse.Action, *, updates: bool = False) -> argparse.Action:
    """Marks an argument that names a file to write; see `cli/files.py`. Returns it.

    Args:
        action: the argument.
        updates: whether the file is also read, and so may exist.
    """
    action.writes = "updates" if updates else "writes"  # type: ignore[attr-defined]
    return action


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
    check: Callable[[argparse.Namespace], None] | None = None,
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
        check: checks that the options fit together, before any file is looked at.
    """
    description = f"{summary[0].upper()}{summary[1:]}."
    verb = verbs.add_parser(
        name, aliases=aliases, help=summary, description=description, epilog=epilog, fill=fill
    )
    verb.set_defaults(run=run, check=check, parser=verb)


def add_model(verb: Any, *, updates: bool = False) -> None:
    """Adds the first argument of every verb but `train`: the model's file.

    Args:
        verb: the parser.
        updates: whether the verb also writes the file.
    """
    model = verb.add_argument("model", metavar="MODEL", help="a model's file")
    writes(model, updates=True) if updates else reads(model)


def add_encoding(group: Any) -> None:
    """Adds `--encoding`."""
    group.add_argument(
        "--encoding",
        metavar="NAME",
        type=checked("encoding", _encoding),
        default="utf-8",
        help="encoding of texts: utf-16, cp1252, … (%(default)s)",
    )


def _encoding(name: str) -> str:
    reading.check_encoding("", name)
    return name


def checked(name: str, check: Callable[[V], W]) -> Callable[[V], W]:
    """Returns an argument type that checks a value as the API does; errors leave out operation and name."""

    def parse(value: V) -> W:
        try:
            return check(value)
        except (TypeError, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error).partition(f"{name}: ")[2]) from None

    return parse


def unescaped(text: str) -> str:
    """Returns a word of the command line with \\n, \\r, \\t and \\\\ as the characters that they mean."""
    meant = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
    return re.sub(r"\\([nrt\\])", lambda found: meant[found[1]], text)


def add_force(group: Any) -> None:
    """Adds `--force`."""
    group.add_argument("--force", action="store_true", help="replace an existing file")


def add_json(verb: Any, what: str = "the result as JSON") -> None:
    """Adds `--json`."""
    verb.add_argument("--json", action="store_true", help=what)


class CommandError(Exception):
    """A request that cannot be fulfilled; the message says why."""


class Done(Exception):
    """There is nothing left to do, which is a success; the message says why."""


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


def ending(interrupt: KeyboardInterrupt) -> tuple[str, int]:
    """Returns the word for a signal that ended a command, and the exit code."""
    if isinstance(interrupt, Terminated):
        word = "terminated" if interrupt.number == signal.SIGTERM else "hung up"
        return word, 128 + interrupt.number
    return "interrupted", 128 + signal.SIGINT


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


def communicator_of(arguments: argparse.Namespace) -> Any:
    """Returns the communicator of the processes that train together; None for one process."""
    return getattr(arguments, "communicator", None)


def rank_of(arguments: argparse.Namespace) -> int:
    """Returns the number of this process among those that train together; only 0, the first, writes files."""
    communicator = communicator_of(arguments)
    return 0 if communicator is None else int(communicator.Get_rank())


def joined_text(words: Sequence[str]) -> str:
    """Returns a text that was given as arguments, and says so if it is the name of a file."""
    text = " ".join(words)
    with contextlib.suppress(OSError, ValueError):  # too long for a name, or no name at all
        if os.path.isfile(text):
            say(f"rnnrs: {text} was taken as a text; --file reads the file of that name")
    return text


def say(text: str, quiet: bool = False) -> None:
    """Prints a line for the person at the terminal on standard error; standard output is for results.

    A line that cannot be written is left out.
    """
    if not quiet:
        print(text, file=Screen(sys.stderr), flush=True)


def input_lines(prompt: str = "> ", encoding: str = "utf-8") -> Iterator[str]:
    """Yields the lines of standard input without line ends; at a terminal, each after a prompt.

    Raises:
        OSError: if standard input is closed.
        FormatError: if they are not in the encoding.
        ValueError: for an unknown encoding.
    """
    if not is_terminal(sys.stdin):
        yield from reading.input_lines(encoding)
        return
    with contextlib.suppress(ImportError):  # missing on Windows
        import readline  # noqa: F401  (enables line editing)
    try:
        while True:
            yield input(prompt)
    except EOFError:
        print()
