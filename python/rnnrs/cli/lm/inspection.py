"""`rnnrs lm inspect`: the properties of a text that single units of a language model follow."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common import (
    CommandError,
    add_encoding,
    add_force,
    add_json,
    add_model,
    print_json,
    reads,
    whole,
    writes,
)
from ..options import add_option, defaults_of, given
from .verbs import load

if TYPE_CHECKING:
    from ...inspection import TextStates

EPILOG = """\
Without --unit: for each signal, the units whose values correlate with it best. They are chosen on the first half of
the text; the second correlation is measured on the other half. With --unit: the beginning of the text, colored by
that unit's value after each token (blue below 0, orange above).

examples:
  rnnrs lm inspect letters.rnn --text held-out.txt
  rnnrs lm inspect letters.rnn --text held-out.txt --output units.png     the best units as a heat map
  rnnrs lm inspect letters.rnn --text held-out.txt --unit 17
  rnnrs lm inspect letters.rnn --text held-out.txt --unit 17 --output unit.html
"""

#: The number of tokens that are shown by default.
TOKENS = 400

#: The names of files that become pages instead of pictures.
_PAGES = (".html", ".htm")

#: (signal, unit, correlation on the first half of the text, on the second half).
Row = tuple[str, int, float, "float | None"]


def add(verb: Any) -> None:
    """Adds the arguments."""
    from ...inspection import SIGNALS, TextStates, text_states

    add_model(verb)
    doc = "the text that the model reads; -: standard input"
    reads(verb.add_argument("--text", metavar="FILE", required=True, help=doc))
    add_encoding(verb)
    verb.add_argument("--unit", type=whole(0), metavar="N", help="show this unit, counted from 0")
    verb.add_argument("--signal", metavar="NAME", help=f"only this one of {', '.join(SIGNALS)}")
    k = defaults_of(TextStates.following)["k"]
    add_option(verb, "n_best", "number of units per signal", k, "-k", type=whole(1), metavar="N")
    reading = defaults_of(text_states)
    add_option(
        verb,
        "layer",
        "layer of a stack, from 0",
        reading["layer"],
        default_doc=f"{reading['layer']}, the last",
        type=int,
        metavar="N",
    )
    add_option(
        verb,
        "of",
        "h, or of a gated cell tanh_c, c, i, f, g, o, r, z, n",
        reading["of"],
        default_doc="tanh_c of an lstm, else h",
        metavar="NAME",
    )
    verb.add_argument(
        "--tokens", type=whole(1), metavar="N", default=TOKENS, help="number of tokens to show (%(default)s)"
    )
    doc = "a picture (.png, .svg, …), or a page (.html) of a unit"
    writes(verb.add_argument("--output", metavar="FILE", help=doc))
    add_force(verb)
    add_json(verb, "the table as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Reads the text, and shows a unit or the table."""
    from ...inspection import text_states
    from ...text import read_text

    model = load(arguments.model)
    try:
        text = read_text(arguments.text, encoding=arguments.encoding)
        states = text_states(model, text, **given(arguments, ["layer", "of"]))
        return _table(states, arguments) if arguments.unit is None else _show(states, arguments)
    except IndexError as error:  # a layer or unit that does not exist
        raise CommandError(str(error)) from None


def _show(states: TextStates, arguments: argparse.Namespace) -> int:
    """Shows the beginning of the text, colored by the values of a unit."""
    from ...files import write_atomically
    from ...inspection import to_ansi, to_html

    if arguments.json:
        raise CommandError("--json: has no meaning with --unit")
    part, path = states[: arguments.tokens], arguments.output
    if path is None:
        # Colors command the terminal; `to_ansi` takes care of the text between them.
        write = getattr(sys.stdout, "command", sys.stdout.write)
        write(to_ansi(part, arguments.unit) + "\n")
    elif Path(path).suffix.lower() in _PAGES:
        write_atomically(path, to_html(part, arguments.unit).encode())
    else:
        from ...plot import colored_text

        colored_text(part, arguments.unit, path, title=f"{Path(arguments.model).name}, unit {arguments.unit}")
    return 0


def _table(states: TextStates, arguments: argparse.Namespace) -> int:
    """Shows the units that follow each signal."""
    rows = _rows(states, arguments.signal, given(arguments, ["n_best"]).get("n_best"))
    if arguments.output:
        if Path(arguments.output).suffix.lower() in _PAGES:
            raise CommandError("--output: a page shows one unit: add --unit N, or name a picture (.png)")
        _draw(states, rows, arguments)
    if arguments.json:
        names = ("signal", "unit", "correlation", "again")
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return 0
    print("signal    unit  correlation  on the other half")
    for signal, unit, correlation, again in rows:
        second = "   –" if again is None else f"{again:+.2f}"
        print(f"{signal:8}  {unit:4}  {correlation:+11.2f}  {second:>17}")
    return 0


def _rows(states: TextStates, only: str | None, count: int | None) -> list[Row]:
    """Returns the rows of the table, for the signals that occur in the text.

    Raises:
        CommandError: for an unknown signal, or one that the text does not have.
    """
    from ...inspection import SIGNALS

    if only is not None and only not in SIGNALS:
        raise CommandError(f"--signal: expected one of {', '.join(SIGNALS)}, got {only}")
    middle = len(states.tokens) // 2
    first, second = states[:middle], states[middle:]
    rows: list[Row] = []
    for name in SIGNALS if only is None else (only,):
        values = SIGNALS[name](states.tokens)
        if (values[:middle] == values[:1]).all():
            if only is not None:
                raise CommandError(
                    f"--signal: expected one that occurs in the first half of the text, got {name}"
                )
            continue
        varies = len(set(values[middle:].tolist())) > 1
        again = second.correlations(values[middle:]) if varies else None
        found = first.following(values[:middle], **({} if count is None else {"k": count}))
        rows += [(name, unit, r, None if again is None else float(again[unit])) for unit, r in found]
    if not rows:
        raise CommandError(f"--text: expected a text with one of {', '.join(SIGNALS)}, got none of them")
    return rows


def _draw(states: TextStates, rows: list[Row], arguments: argparse.Namespace) -> None:
    """Draws the best unit of each signal over the beginning of the text."""
    from ...plot import states as draw_states

    best: dict[str, tuple[int, float]] = {}
    for signal, unit, r, _ in rows:
        best.setdefault(signal, (unit, r))
    labels = [f"{signal}: unit {unit}, r = {r:+.2f}" for signal, (unit, r) in best.items()]
    units = [unit for unit, _ in best.values()]
    title = f"{Path(arguments.model).name}: units and the properties that they follow"
    draw_states(states[: arguments.tokens], units, arguments.output, labels=labels, title=title)
