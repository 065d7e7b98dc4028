"""The command `rnnrs`.

Exit codes: 0 success, 1 an error (one line on standard error; with RNNRS_DEBUG=1 the traceback), 2 wrong
usage, 130 interrupted by Ctrl-C, 143 ended by SIGTERM, 129 by SIGHUP, 141 the reader of the output closed it.
`serve` ends in order at the first of these signals, with 0.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module

from ..signals import TERMINATIONS, Terminator
from ..terminal import standard_streams
from .common import Done, Parser, ending, one_line, say

#: The command groups: name → (module, line in the help). The module's `add` adds the arguments or verbs.
GROUPS = {
    "demo": ("demo", "train on bundled data for a minute or two and see the result"),
    "lm": ("lm", "language models: prepare, train, evaluate, score, suggest, generate, inspect"),
    "classify": ("sequences.classify", "classes of time series or texts: train, evaluate, predict"),
    "forecast": ("sequences.forecast", "forecasts of series of numbers: train, evaluate, predict"),
    "translate": ("pairs.translate", "translation: train, evaluate, run"),
    "summarize": ("pairs.summarize", "summaries, written or of kept sentences: train, evaluate, run"),
    "chat": ("chat", "chatbots: train, evaluate, talk, rank, speak, tune"),
    "caption": ("caption", "descriptions of pictures: train, evaluate, describe, rank"),
    "serve": ("serve", "models in a browser and over HTTP"),
    "info": ("info", "show the contents of a model's file"),
}

_EXAMPLES = """\
examples:
  rnnrs demo                                          learn from Shakespeare for a minute
  rnnrs lm train letters.txt -o letters.rnn           learn from a text of your own
  rnnrs lm generate letters.rnn --prompt "Dear "      generate text
  rnnrs classify train series.ts -o kinds.rnn         learn classes of time series or texts
  rnnrs forecast train series.csv -o next.rnn         learn to forecast a series of numbers
  rnnrs translate train pairs.tsv -o en-fr.rnn        learn to translate from pairs of sentences
  rnnrs summarize train texts.tsv -o lines.rnn        learn to summarize a text in one line
  rnnrs chat train dialogues.jsonl -o bot.rnn         learn to answer; then rnnrs chat talk bot.rnn
  rnnrs caption train descriptions.tsv -o album.rnn   learn to describe pictures
  rnnrs serve letters.rnn                             use it in a browser, or over HTTP
  rnnrs info letters.rnn                              show the contents of a file

exit codes: 0 success, 1 error, 2 wrong usage, 130 interrupted, 143 terminated, 129 hung up
environment: RNNRS_NUM_THREADS=N limits the threads, RNNRS_DEBUG=1 shows the traceback of an error
"""


def parser() -> Parser:
    """Returns the parser of all commands; a group's module is imported when the group is parsed."""
    from .._rnnrs import __version__

    top = Parser(prog="rnnrs", description="Recurrent networks on a CPU.", epilog=_EXAMPLES)
    top.add_argument("--version", action="version", version=f"rnnrs {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for name, (module, summary) in GROUPS.items():
        commands.add_parser(name, help=summary, fill=partial(_fill, module))
    return top


def _fill(module: str, group: Parser) -> None:
    import_module(f".{module}", __name__).add(group)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: the arguments after the command's name; those of the process by default.

    Returns:
        The exit code, see above.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    with standard_streams(), _terminations():
        try:
            code = _run(words)
            sys.stdout.flush()
            return code
        except KeyboardInterrupt as interrupt:
            return _failed(*ending(interrupt))
        except BrokenPipeError:
            return 141
        except Done as done:
            say(f"rnnrs: {done}")
            return 0
        except Exception as error:
            if os.environ.get("RNNRS_DEBUG") == "1":
                raise
            return _failed(one_line(error), 1)


def _run(words: list[str]) -> int:
    arguments = parser().parse_args(words)
    arguments.argv = words
    if getattr(arguments, "check", None) is not None:
        arguments.check(arguments)
    if getattr(arguments, "trains", False):
        from .ranks import run_together

        return run_together(arguments, partial(_work, arguments))
    return _work(arguments)


def _work(arguments: argparse.Namespace) -> int:
    from .files import Files

    with Files(arguments) as arguments.guard:
        code: int = arguments.run(arguments)
    return code


@contextlib.contextmanager
def _terminations() -> Iterator[None]:
    """Returns a context in which SIGTERM and SIGHUP raise `Terminated` where they would end the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in TERMINATIONS if signal.getsignal(number) is signal.SIG_DFL]
    terminator = Terminator()
    for number in ours:
        signal.signal(number, terminator)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _failed(message: str, code: int) -> int:
    say(f"rnnrs: {message}")
    return code
