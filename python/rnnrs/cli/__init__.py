"""The command `rnnrs`.

Exit codes: 0 done, 1 an error (one line on standard error; the traceback where RNNRS_DEBUG=1), 2 wrong usage,
130 interrupted by Ctrl-C, 141 the reader of the output went away.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from .common import Parser, one_line

_EXAMPLES = """\
examples:
  rnnrs demo                                          learn from Shakespeare for a minute
  rnnrs lm train letters.txt -o letters.rnn           learn from a text of your own
  rnnrs lm generate letters.rnn --prompt "Dear "      let it write
  rnnrs classify train series.ts -o kinds.rnn         learn classes of time series or texts
  rnnrs forecast train series.csv -o next.rnn         learn what comes next in a series of numbers
  rnnrs translate train pairs.tsv -o en-fr.rnn        learn to translate from sentences and their translations
  rnnrs summarize train texts.tsv -o lines.rnn        learn to say in a line what a text says
  rnnrs chat train dialogues.jsonl -o bot.rnn         learn to answer; then rnnrs chat talk bot.rnn
  rnnrs caption train descriptions.tsv -o album.rnn   learn to describe pictures
  rnnrs info letters.rnn                              what is in the file

exit codes: 0 done, 1 error, 2 wrong usage, 130 interrupted
environment: RNNRS_NUM_THREADS=N bounds the threads, RNNRS_DEBUG=1 shows the traceback of an error
"""


def parser() -> Parser:
    """All commands and their arguments."""
    from .. import __version__
    from . import caption, chat, classify, demo, forecast, info, lm, summarize, translate

    top = Parser(prog="rnnrs", description="Recurrent networks on a CPU.", epilog=_EXAMPLES)
    top.add_argument("--version", action="version", version=f"rnnrs {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    demo.add(commands)
    lm.add(commands)
    classify.add(commands)
    forecast.add(commands)
    translate.add(commands)
    summarize.add(commands)
    chat.add(commands)
    caption.add(commands)
    info.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: the arguments after the command's name; those of the process by default.

    Returns:
        The exit code, see above.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # whatever the terminal cannot show
    try:
        arguments = parser().parse_args(argv)
        arguments.argv = list(sys.argv[1:] if argv is None else argv)
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _failed("interrupted", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
        return 141
    except Exception as error:
        if os.environ.get("RNNRS_DEBUG") == "1":
            raise
        return _failed(one_line(error), 1)


def _failed(message: str, code: int) -> int:
    print(f"rnnrs: {message}", file=sys.stderr)
    return code
