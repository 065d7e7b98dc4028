"""`rnnrs lm inspect`: what the units of a language model follow in a text."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import CommandError, print_json, whole

if TYPE_CHECKING:
    from ..inspection import TextStates

_INSPECT = """\
Without --unit: for each signal, the units whose value goes along with it best. They are chosen on the first half of
the text; the second correlation is that on the other half, which they were not chosen for. With --unit: the beginning
of the text, colored by that unit's value after each token (blue below 0, orange above).

examples:
  rnnrs lm inspect letters.rnn --text held-out.txt
  rnnrs lm inspect letters.rnn --text held-out.txt --output units.png     the best units as a heat map
  rnnrs lm inspect letters.rnn --text held-out.txt --unit 17
  rnnrs lm inspect letters.rnn --text held-out.txt --unit 17 --output unit.html
"""


def add(verbs: Any) -> None:
    """Adds the verb to the parser."""
    verb = verbs.add_parser(
        "inspect",
        help="which units follow quotes, brackets, lines, words, capitals",
        description="Which units follow a property of a text.",
        epilog=_INSPECT,
    )
    verb.set_defaults(run=run)
    verb.add_argument("model", metavar="MODEL", help="a model's file")
    verb.add_argument("--text", metavar="FILE", required=True, help="what the model reads, UTF-8")
    verb.add_argument("--unit", type=whole(0), metavar="N", help="show this unit, from 0")
    verb.add_argument(
        "--signal", metavar="NAME", help="only this one: quotes, brackets, line, word, capitals"
    )
    verb.add_argument("-k", type=whole(1), default=3, help="units for each signal (%(default)s)")
    verb.add_argument("--layer", type=int, default=-1, help="from 0, in a stack; the highest by default")
    verb.add_argument("--of", metavar="NAME", help="h, or a gated cell's tanh_c, c, i, f, g, o, r, z, n")
    verb.add_argument("--tokens", type=whole(1), default=400, help="how many to show (%(default)s)")
    verb.add_argument(
        "--output", metavar="FILE", help="a picture (.png, .svg, …), or a page (.html) of a unit"
    )
    verb.add_argument("--json", action="store_true", help="the table as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Reads the text, and shows a unit or the table."""
    from ..inspection import text_states
    from ..models import LanguageModel
    from ..text import read_text

    model = LanguageModel.load(arguments.model)
    try:
        seen = text_states(model, read_text(arguments.text), layer=arguments.layer, of=arguments.of)
        return _table(seen, arguments) if arguments.unit is None else _show(seen, arguments)
    except IndexError as error:  # a layer or unit that is not there
        raise CommandError(str(error)) from None


def _show(seen: TextStates, arguments: argparse.Namespace) -> int:
    from ..files import write_atomically
    from ..inspection import to_ansi, to_html

    part, path = seen[: arguments.tokens], arguments.output
    if path is None:
        sys.stdout.write(to_ansi(part, arguments.unit) + "\n")
    elif Path(path).suffix.lower() in (".html", ".htm"):
        write_atomically(path, to_html(part, arguments.unit).encode())
    else:
        from ..plot import colored_text

        colored_text(part, arguments.unit, path, title=f"{Path(arguments.model).name}, unit {arguments.unit}")
    return 0


def _table(seen: TextStates, arguments: argparse.Namespace) -> int:
    found = _found(seen, arguments.signal, arguments.k)
    if arguments.output:
        if Path(arguments.output).suffix.lower() in (".html", ".htm"):
            raise CommandError("--output: a page shows one unit: add --unit N, or take a picture (.png)")
        _draw(seen, found, arguments)
    if arguments.json:
        names = ("signal", "unit", "correlation", "again")
        print_json([dict(zip(names, row, strict=True)) for row in found])
        return 0
    print("signal    unit  correlation  on the other half")
    for signal, unit, correlation, again in found:
        shown = "   –" if again is None else f"{again:+.2f}"
        print(f"{signal:8}  {unit:4}  {correlation:+11.2f}  {shown:>17}")
    return 0


def _found(seen: TextStates, only: str | None, k: int) -> list[tuple[str, int, float, float | None]]:
    """(signal, unit, correlation on the first half, on the second), for the signals that the text has."""
    from ..inspection import SIGNALS

    if only is not None and only not in SIGNALS:
        raise CommandError(f"--signal: expected one of {', '.join(SIGNALS)}, got {only}")
    middle = len(seen.tokens) // 2
    rows: list[tuple[str, int, float, float | None]] = []
    for name in SIGNALS if only is None else (only,):
        values = SIGNALS[name](seen.tokens)
        if (values[:middle] == values[:1]).all():
            if only is not None:
                raise CommandError(f"{name}: the first half of the text has none")
            continue
        again = (
            seen[middle:].correlations(values[middle:]) if len(set(values[middle:].tolist())) > 1 else None
        )
        rows += [
            (name, unit, r, None if again is None else float(again[unit]))
            for unit, r in seen[:middle].following(values[:middle], k)
        ]
    if not rows:
        raise CommandError(f"the text has none of {', '.join(SIGNALS)}")
    return rows


def _draw(
    seen: TextStates, found: list[tuple[str, int, float, float | None]], arguments: argparse.Namespace
) -> None:
    """The best unit of each signal over the beginning of the text."""
    from ..plot import states

    best = {signal: (unit, r) for signal, unit, r, _ in reversed(found)}
    best = dict(reversed(best.items()))
    labels = [f"{signal}: unit {unit}, r = {r:+.2f}" for signal, (unit, r) in best.items()]
    units = [unit for unit, _ in best.values()]
    title = f"{Path(arguments.model).name}: units, and what they follow"
    states(seen[: arguments.tokens], units, arguments.output, labels=labels, title=title)
