"""`rnnrs forecast`: forecasts of series of numbers."""

from __future__ import annotations

import argparse
import csv
import shlex
import sys
from typing import TYPE_CHECKING, Any

from ..common import (
    CommandError,
    Parser,
    add_force,
    add_json,
    add_model,
    add_verb,
    add_verbs,
    print_json,
    say,
    whole,
    writes,
)
from ..options import RECURRENT, add_option, add_sizes, defaults_of, given
from ..training import (
    add_checkpoints,
    add_output,
    add_training,
    check_files,
    fit_or_stop,
    report,
    started,
)
from ..validation import Validation, add_validation, validation_of
from .files import add_file, add_series, read_series

if TYPE_CHECKING:
    from ...data import Series
    from ...models import Forecaster, ForecastEvaluation

_TRAIN = """\
A FILE is CSV (possibly compressed by gzip): a row for each step, a column for each quantity. Rows must be the
successive steps of one series: dates that go backward, repeat or have gaps are refused.

The model's file is also the checkpoint; the same command with --resume continues from it. With held-out steps, it
ends with the parameters of the lowest loss on them.

examples:
  rnnrs forecast train sunspots.csv -o sun.rnn --columns SUNACTIVITY --transform sqrt --season 11
  rnnrs forecast train shops.csv -o shop.rnn --columns sales --by shop --series Oslo
  rnnrs forecast train passengers.csv -o air.rnn --horizon 12 --transform log --difference 12 --season 12
"""
_EVALUATE = """\
Forecasts from every step of the series, or from --start on, and compares with the values that followed, and with the
forecast that repeats the last season.

examples:
  rnnrs forecast evaluate air.rnn passengers.csv --start 108 --season 12
"""
_PREDICT = """\
Prints CSV: a row for each step after the series.

examples:
  rnnrs forecast predict air.rnn passengers.csv --steps 24
  rnnrs forecast predict air.rnn passengers.csv --plot forecast.png
"""

#: The arguments of `Forecaster` that are options.
SIZES = (*RECURRENT, "horizon", "transform", "difference")

#: The share that is held out by default.
SHARE = 0.2


def add(group: Parser) -> None:
    """Adds the verbs."""
    verbs = add_verbs(group)
    add_verb(verbs, "train", "train a forecaster on a series", _TRAIN, _add_train, _train)
    add_verb(verbs, "evaluate", "measure the errors of forecasts", _EVALUATE, _add_evaluate, _evaluate)
    add_verb(verbs, "predict", "forecast the continuation of a series", _PREDICT, _add_predict, _predict)


def _add_train(verb: Any) -> None:
    from ...models import Forecaster

    add_file(verb, "a series")
    add_output(verb)
    reading = verb.add_argument_group("file")
    reading.add_argument("--columns", metavar="COLUMN", nargs="+", help="the quantities (the last column)")
    add_series(reading)
    add_sizes(verb.add_argument_group("model"), Forecaster, SIZES)
    training = add_training(verb, Forecaster, spellings={"steps": "--window"})
    add_validation(training, SHARE, "the share of the series to hold out: its end")
    _add_season(training)
    add_checkpoints(verb)


def _add_season(group: Any) -> None:
    from ...models import Forecaster

    doc = "steps in a season, for the comparison with a forecast that repeats the last one"
    default = defaults_of(Forecaster.evaluate)["season"]
    add_option(group, "season", doc, default, type=whole(1), metavar="M")


def _train(arguments: argparse.Namespace) -> int:
    """Trains and saves a model, and prints the errors of its forecasts of held-out steps."""
    from ...models import Forecaster

    checkpoint = check_files(arguments)
    model, settings = started(arguments, checkpoint, Forecaster)
    validation = validation_of(arguments, SHARE, "")
    columns = arguments.columns if model is None or arguments.columns else model.columns
    series = read_series(arguments, columns)
    if model is None:
        names = list(series.columns) or arguments.columns or ["-1"]
        model = Forecaster(names, **given(arguments, [*SIZES, "seed"]))
    held_out = _held_out(arguments, validation, len(series.x), model.horizon)
    cut = len(series.x) - held_out
    say(f"{model.parameters.size:,} parameters, {cut:,} of {len(series.x):,} steps", arguments.quiet)
    share = validation.share if held_out else None
    code = fit_or_stop(
        arguments, model, checkpoint, lambda **run: model.fit(series.x, share, **settings, **run)
    )
    if code:
        return code
    line, facts = None, None
    if held_out:
        result = model.evaluate(series.x, start=cut, **given(arguments, ["season"]))
        line, facts = _line(result), _facts(result)
    return report(
        arguments, model, line, facts, [f"rnnrs forecast predict {{model}} {shlex.quote(arguments.file)}"]
    )


def _held_out(arguments: argparse.Namespace, validation: Validation, steps: int, horizon: int) -> int:
    """Returns the number of steps at the end of the series to hold out.

    Raises:
        CommandError: for an explicit share with fewer steps than a forecast.
        ValueError: for an explicit share that leaves nothing to train on.
    """
    from ...models.base.validation import held_out_count

    try:
        count = held_out_count("forecast train", steps, validation.share, "steps")
        if validation.share and count < horizon:
            raise CommandError(
                f"--validation: expected a share of at least {horizon} steps, the horizon, got {count} of {steps}"
            )
    except (CommandError, ValueError) as error:
        if validation.explicit:
            raise
        say(f"rnnrs: no held-out data: {error}", arguments.quiet)
        return 0
    return count


def _line(result: ForecastEvaluation) -> str:
    """Returns one line about forecasts of held-out steps."""
    parts = []
    for i, name in enumerate(result.columns):
        column = f"{name}: " if len(result.columns) > 1 else ""
        error, naive = result.mae[:, i].mean(), result.naive_mae[:, i].mean()
        parts.append(f"{column}mean absolute error {error:.4g}, repeating the last season {naive:.4g}")
    return f"{'; '.join(parts)} ({result.origins:,} forecasts of held-out steps)"


def _facts(result: ForecastEvaluation) -> dict[str, Any]:
    """Returns an evaluation for JSON."""
    names = ("columns", "origins", "season", "skill", "mae", "rmse", "naive_mae", "naive_rmse")
    return {name: getattr(result, name) for name in names}


def _add_reading(verb: Any) -> None:
    add_model(verb)
    add_file(verb, "a series")
    add_series(verb)


def _add_steps(verb: Any, doc: str) -> None:
    add_option(verb, "steps", doc, None, default_doc="the model's horizon", type=whole(1), metavar="S")


def _add_evaluate(verb: Any) -> None:
    _add_reading(verb)
    _add_steps(verb, "steps ahead")
    doc = "the first step to forecast, from 0"
    add_option(verb, "start", doc, None, default_doc="the first possible", type=whole(1), metavar="N")
    _add_season(verb)
    add_json(verb)


def _load(arguments: argparse.Namespace) -> tuple[Forecaster, Series]:
    from ...models import Forecaster

    model = Forecaster.load(arguments.model)
    return model, read_series(arguments, model.columns)


def _evaluate(arguments: argparse.Namespace) -> int:
    """Prints the errors of forecasts for each step ahead."""
    model, series = _load(arguments)
    result = model.evaluate(series, **given(arguments, ["steps", "start", "season"]))
    if arguments.json:
        print_json({"file": arguments.file, **_facts(result)})
        return 0
    print(f"{result.origins:,} forecasts of {len(result.mae)} steps; naïve: repeats the last {result.season}")
    for i, name in enumerate(result.columns):
        print(f"\n{name}: skill {result.skill[i]:.3f} (1 − mean absolute error / naïve)")
        print("steps ahead       MAE  naïve MAE      RMSE  naïve RMSE")
        for s in range(len(result.mae)):
            row = (result.mae[s, i], result.naive_mae[s, i], result.rmse[s, i], result.naive_rmse[s, i])
            cells = (f"{value:{width}.4g}" for value, width in zip(row, (10, 11, 10, 12), strict=True))
            print(f"{s + 1:11}{''.join(cells)}")
    return 0


def _add_predict(verb: Any) -> None:
    _add_reading(verb)
    _add_steps(verb, "number of steps")
    plot = 'also a picture (needs pip install "rnnrs[plot]")'
    writes(verb.add_argument("--plot", metavar="PNG", help=plot))
    add_force(verb)
    add_json(verb, "JSON instead of CSV")


def _predict(arguments: argparse.Namespace) -> int:
    """Prints the forecast after the end of a series."""
    model, series = _load(arguments)
    ahead = model.predict(series, **given(arguments, ["steps"]))
    if arguments.plot:
        from ...plot import forecast

        forecast(series.x, ahead, model.columns, arguments.plot)
    if arguments.json:
        print_json({"file": arguments.file, "columns": model.columns, "forecast": ahead})
        return 0
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["step", *model.columns])
    for s, row in enumerate(ahead, start=1):
        out.writerow([s, *(f"{value:.6g}" for value in row)])
    return 0
