"""`rnnrs forecast`: what comes next in a series of numbers, from CSV and into CSV."""

from __future__ import annotations

import argparse
import csv
import shlex
import sys
from typing import TYPE_CHECKING, Any

from .common import CommandError, VerbParser, print_json, say, whole
from .training import (
    NETWORK,
    TRAINING,
    add_checkpoints,
    add_network,
    add_output,
    add_training,
    check_files,
    fit_or_stop,
    given,
    resumed,
)

if TYPE_CHECKING:
    from ..data import Series
    from ..models import Forecaster

_TRAIN = """\
A FILE is CSV (also packed by gzip): a row for each step, a column for each quantity.

examples:
  rnnrs forecast train sunspots.csv -o sun.rnn --columns SUNACTIVITY --transform sqrt --season 11
  rnnrs forecast train passengers.csv -o air.rnn --horizon 12 --transform log --difference 12 --season 12
"""
_EVALUATE = """\
Foretells from every place of the series, or from --start on, and compares with what came, and with the
forecast that repeats the last season.

examples:
  rnnrs forecast evaluate air.rnn passengers.csv --start 108 --season 12
"""
_PREDICT = """\
prints CSV: a row for each step that follows the series

examples:
  rnnrs forecast predict air.rnn passengers.csv --steps 24
  rnnrs forecast predict air.rnn passengers.csv --plot forecast.png
"""

_SIZES = NETWORK | {"horizon": "horizon", "transform": "transform", "difference": "difference"}
_SETTINGS = TRAINING | {"steps": "window"}

#: Where none are given: short series are the rule.
EPOCHS = 100


def add(commands: Any) -> None:
    """Adds the group to the parser."""
    group = commands.add_parser("forecast", help="what comes next in a series: train, evaluate, predict")
    verbs = group.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=VerbParser)
    _add_train(verbs)
    verb = _verb(verbs, "evaluate", "how far forecasts are off", _EVALUATE, _evaluate)
    verb.add_argument("--steps", type=whole(1), metavar="S", help="steps ahead (the model's horizon)")
    verb.add_argument("--start", type=whole(1), metavar="N", help="the first step to foretell, from 0")
    verb.add_argument(
        "--season", type=whole(1), default=1, metavar="M", help="steps to a season (%(default)s)"
    )
    verb.add_argument("--json", action="store_true", help="as JSON")
    verb = _verb(verbs, "predict", "what follows a series", _PREDICT, _predict)
    verb.add_argument("--steps", type=whole(1), metavar="S", help="how many steps (the model's horizon)")
    verb.add_argument("--plot", metavar="PNG", help='and a picture (needs pip install "rnnrs[plot]")')


def _verb(verbs: Any, name: str, summary: str, epilog: str, run: Any) -> Any:
    verb = verbs.add_parser(name, help=summary, description=summary.capitalize() + ".", epilog=epilog)
    verb.add_argument("model", metavar="MODEL", help="a model's file")
    verb.add_argument("file", metavar="FILE", help="a series")
    _add_reading(verb)
    verb.set_defaults(run=run)
    return verb


def _add_reading(verb: Any) -> None:
    verb.add_argument("--no-header", action="store_true", help="the first row is data; columns are 0, 1, …")
    verb.add_argument("--delimiter", default=",", help="what stands between cells (a comma); \\t: a tab")


def _add_train(verbs: Any) -> None:
    verb = verbs.add_parser(
        "train", help="learn from a series", description="Trains a forecaster on a series.", epilog=_TRAIN
    )
    verb.set_defaults(run=_train)
    verb.add_argument("file", metavar="FILE", help="a series")
    add_output(verb)
    verb.add_argument("--columns", metavar="COLUMN", nargs="+", help="the quantities (the last column)")
    _add_reading(verb)
    model = add_network(verb, hidden=32)
    model.add_argument("--horizon", type=whole(1), metavar="K", help="steps to foretell at once (1)")
    model.add_argument(
        "--transform", choices=("none", "log", "sqrt"), help="log: of what grows, sqrt: of counts (none)"
    )
    model.add_argument(
        "--difference",
        type=whole(0),
        metavar="D",
        help="learn differences from D steps before: 1 against a trend, 12 for months (0)",
    )
    training = add_training(verb, epochs=EPOCHS)
    training.add_argument("--window", type=whole(1), metavar="T", help="steps to learn from at once (50)")
    training.add_argument(
        "--validation",
        metavar="SHARE",
        default="0.2",
        help="share of the series, at its end, to hold out; 0: none (%(default)s)",
    )
    training.add_argument(
        "--season", type=whole(1), default=1, metavar="M", help="to compare with repeating it (%(default)s)"
    )
    add_checkpoints(verb)


def _read(arguments: argparse.Namespace, columns: list[Any] | None) -> Series:
    from ..data import read_csv_series

    delimiter = arguments.delimiter.replace("\\t", "\t")
    return read_csv_series(
        arguments.file, columns or [-1], header=not arguments.no_header, delimiter=delimiter, dtype="float64"
    )


def _places(arguments: argparse.Namespace, names: list[str]) -> list[Any]:
    """Columns as the reader takes them.

    Raises:
        CommandError: for a name in a file without a header.
    """
    if not arguments.no_header:
        return list(names)
    if wrong := [name for name in names if not name.lstrip("-").isdigit()]:
        raise CommandError(f"--no-header: expected a column's place, got {wrong[0]!r}")
    return [int(name) for name in names]


def _train(arguments: argparse.Namespace) -> int:
    from ..models import Forecaster

    checkpoint = arguments.checkpoint or arguments.output
    check_files(arguments, checkpoint)
    given_columns = None if arguments.columns is None else _places(arguments, arguments.columns)
    series = _read(arguments, given_columns)
    x, cut = series.x, _cut(arguments, len(series.x))
    if arguments.resume:
        model = Forecaster.load(checkpoint)
        settings = resumed(arguments, checkpoint, model, (_SIZES, _SETTINGS))
    else:
        names = list(series.columns) or [str(place) for place in given_columns or [-1]]
        model = Forecaster(names, **given(arguments, _SIZES | {"seed": "seed"}))
        settings = given(arguments, _SETTINGS)
        if not {"epochs", "time_limit"} & set(settings):
            settings["epochs"] = EPOCHS
    say(f"{model.parameters.flat.size:,} parameters, {cut:,} of {len(x):,} steps", arguments.quiet)
    code = fit_or_stop(arguments, model, checkpoint, lambda **more: model.fit(x[:cut], **settings, **more))
    if code:
        return code
    if cut < len(x):
        result = model.evaluate(x, start=cut, season=arguments.season)
        print(f"{arguments.output}: {_judgment(result)}")
    else:
        print(f"{arguments.output}: trained")
    name, file = shlex.quote(arguments.output), shlex.quote(arguments.file)
    say(f"next: rnnrs forecast predict {name} {file}", arguments.quiet)
    return 0


def _cut(arguments: argparse.Namespace, steps: int) -> int:
    """How many steps to train on.

    Raises:
        CommandError: for a share outside 0..1.
    """
    try:
        share = float(arguments.validation)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise CommandError(f"--validation: expected a share from 0, below 1, got {arguments.validation}")
    held_out = int(steps * share)
    least = arguments.horizon or 1
    return steps - held_out if held_out >= least else steps


def _judgment(result: Any) -> str:
    """One line about forecasts of held-out steps."""
    parts = []
    for i, name in enumerate(result.columns):
        column = f"{name}: " if len(result.columns) > 1 else ""
        error, naive = result.mae[:, i].mean(), result.naive_mae[:, i].mean()
        parts.append(f"{column}mean absolute error {error:.4g}, repeating the last season {naive:.4g}")
    return f"{'; '.join(parts)} ({result.origins:,} forecasts of held-out steps)"


def _load(arguments: argparse.Namespace) -> tuple[Forecaster, Series]:
    from ..models import Forecaster

    model = Forecaster.load(arguments.model)
    return model, _read(arguments, _places(arguments, list(model.columns)))


def _evaluate(arguments: argparse.Namespace) -> int:
    model, series = _load(arguments)
    result = model.evaluate(series, steps=arguments.steps, start=arguments.start, season=arguments.season)
    if arguments.json:
        facts: dict[str, Any] = {
            "file": arguments.file,
            "columns": list(result.columns),
            "origins": result.origins,
            "season": result.season,
            "skill": [None if value != value else value for value in result.skill.tolist()],
        }
        for name in ("mae", "rmse", "naive_mae", "naive_rmse"):
            facts[name] = getattr(result, name).tolist()
        print_json(facts)
        return 0
    print(f"{result.origins:,} forecasts of {len(result.mae)} steps; naïve: repeats the last {result.season}")
    for i, name in enumerate(result.columns):
        print(f"\n{name}: skill {result.skill[i]:.3f} (1 − mean absolute error / naïve)")
        print("steps ahead       MAE  naïve MAE      RMSE  naïve RMSE")
        for s in range(len(result.mae)):
            row = (result.mae[s, i], result.naive_mae[s, i], result.rmse[s, i], result.naive_rmse[s, i])
            print(
                f"{s + 1:11}"
                + "".join(f"{value:{width}.4g}" for value, width in zip(row, (10, 11, 10, 12), strict=True))
            )
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    model, series = _load(arguments)
    ahead = model.predict(series, arguments.steps)
    if arguments.plot:
        from ..plot import forecast

        forecast(series.x, ahead, model.columns, arguments.plot)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["step", *model.columns])
    for s, row in enumerate(ahead, start=1):
        out.writerow([s, *(f"{value:.6g}" for value in row)])
    return 0
