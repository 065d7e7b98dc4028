"""Forecasts of a series of numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ... import modelfile
from ...checks import check_size
from ...data import Batch, Series, WindowBatches, frames
from ...errors import DTypeError, ShapeError
from ...losses import SquaredError
from ...modelfile import ModelFile
from ...nn import Bidirectional, Linear
from ...nn.build import build_recurrent
from ...nn.feedback import check_word
from ...nn.guarded import reading
from ...train import Callback, Communicator, History
from ...types import Array
from ..base.answers import answers
from ..base.options import option, whole
from ..base.recurrent_network import RecurrentNetwork, recurrent_options
from ..base.saved import constructed, sizes_of
from ..base.training import TrainedModel, TrainingOptions, TrainingSettings, train
from ..base.validation import held_out_count, held_out_share, spread
from .columns import column_names, numbered
from .forecast_evaluation import ForecastEvaluation
from .forecasting import Forecasting
from .scaling import Scaling, check_range, mean_magnitude, root_mean_square

if TYPE_CHECKING:
    from typing_extensions import Unpack


class ForecastTrainingOptions(TrainingOptions, total=False):
    """The options of `Forecaster.fit`, see `ForecastTraining`."""

    steps: int


@dataclass(frozen=True)
class ForecastTraining(TrainingSettings):
    """The options of `Forecaster.fit`."""

    epochs: int | None = 100
    steps: int = option(
        50, "T, the number of steps of the training windows; fewer if the series is too short", whole(1)
    )


class Forecaster(TrainedModel):
    """A forecaster of series of numbers: x̂_{t+1}, …, x̂_{t+K} = c + V h_t.

    h_t is the state of a recurrent network that has read x_1, …, x_t (Goodfellow, Bengio and Courville, *Deep
    Learning*, section 10.2, with K values per step as the output). All K steps are forecast at once, as in
    training; to forecast more steps, the network reads its own forecasts. The network sees the series
    transformed, differenced and standardized, see `Scaling`.

    Args:
        columns: the names of the I columns, or their number.
        horizon: K, the number of steps that are forecast at once.
        transform: "none"; "log", for exponential growth; "sqrt", for counts.
        difference: d; the network sees the differences x_t − x_{t−d}: d = 1 removes a trend, 12 the season of
            monthly data; 0 for none.
        hidden_size: H.
        cell: "rnn", "lstm" or "gru".
        layers: the number of recurrent layers.
        activation: activation of an "rnn", one of `rnnrs.nn.ACTIVATIONS`.
        dropout: dropout rate of the input of each recurrent layer and of the output layer.
        recurrent_dropout, zoneout, weight_drop, layer_norm: of the recurrent layers, see
            `rnnrs.nn.Recurrent`.
        seed: seed of the initial weights.
        dtype: float32 or float64.

    Attributes:
        columns: the columns' names; by default "0", "1", ….
        network: the `RecurrentNetwork`.
        parameters, gradients: of the network.

    Raises:
        ValueError, TypeError: for invalid settings.
        MemoryError: if the weights do not fit in memory.

    Example:
        >>> series = np.sin(np.arange(200) / 3)
        >>> model = Forecaster(horizon=4, hidden_size=16)
        >>> history = model.fit(series[:160], epochs=30, learning_rate=0.01, progress=False)
        >>> model.predict(series[:160], steps=6).shape
        (6, 1)
        >>> bool(model.evaluate(series, start=160).skill[0] > 0.7)
        True
    """

    KIND: ClassVar[str] = "forecaster"
    TRAINING: ClassVar[type[TrainingSettings]] = ForecastTraining
    LEARNED = ("scaling",)

    def __init__(
        self,
        columns: int | Sequence[str] = 1,
        *,
        horizon: int = 1,
        transform: str = "none",
        difference: int = 0,
        hidden_size: int = 32,
        cell: str = "gru",
        layers: int = 1,
        activation: str = "tanh",
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_drop: float = 0.0,
        layer_norm: bool = False,
        seed: int = 0,
        dtype: DTypeLike = "float32",
    ) -> None:
        self.sizes = sizes_of(locals(), "columns")
        op = type(self).__name__
        self.columns = column_names(op, columns)
        check_word(op, "seed", seed)
        I = len(self.columns)
        self.horizon = check_size(op, "horizon", horizon)
        self.scaling = Scaling(op, I, transform, difference)
        recurrent = recurrent_options(self.sizes)
        rnn = build_recurrent(op, cell, I, hidden_size, seed=seed, dtype=dtype, **recurrent)
        assert not isinstance(rnn, Bidirectional)  # the following steps are not known
        output = Linear(rnn.hidden_size, self.horizon * I, seed=seed + 1, dtype=dtype)
        self.network = RecurrentNetwork(rnn, output, SquaredError(), output_dropout=dropout)
        self.parameters, self.gradients = self.network.parameters, self.network.gradients

    @property
    def stochastic(self) -> bool:
        """Whether `loss` accepts noise, i.e. whether there is dropout of any kind."""
        return self.network.stochastic

    def loss(
        self, batch: Batch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, Any]:
        """Returns (the squared error on the network's scale, a state); see `RecurrentNetwork.loss`.

        The error is summed over K steps ahead and I columns, and averaged over time steps.
        """
        return self.network.loss(batch, state, gradient=gradient, noise=noise)

    def fit(
        self,
        series: ArrayLike | Series,
        validation: ArrayLike | Series | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | str | None = "5m",
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        communicator: Communicator | None = None,
        **training: Unpack[ForecastTrainingOptions],
    ) -> History:
        """Trains on a series; with validation, ends with the parameters of the lowest validation loss.

        Args:
            series: (N, I), or (N,) for one column; the result of `rnnrs.data.read_csv_series`; or a table or
                column of pandas or polars, whose columns are found by their names, in any order. A model
                whose columns were given by their number takes the names of the first table.
            validation: a held-out series, or the share of the series to hold out: its last part.
            callbacks, checkpoint, checkpoint_every, resume, progress, communicator: see
                `SequenceClassifier.fit`.
            training: see below.

        Returns:
            The history of the losses.

        Raises:
            ValueError: for a series that is too short, or with numbers that are not finite or outside the
                transform's domain; for other columns than the model's; for an index that goes backward,
                repeats or has gaps; for an option outside its range.
            ShapeError, DTypeError: for a series that is not (N, I) of real numbers.
            TypeError, FormatError, NonFiniteError, KeyboardInterrupt: see `SequenceClassifier.fit`.
        """
        op = f"{type(self).__name__}.fit"
        settings: ForecastTraining = self.settings_of(training)
        least, share = self.scaling.difference + self.horizon + 1, held_out_share(op, validation)
        columns = self._columns_of(op, "series", series)
        if share is not None:
            x = self._array(op, "series", series, least=1, columns=columns)
            cut = len(x) - held_out_count(op, len(x), share, "steps")
            # The first held-out forecast reads the steps that the differences need.
            validation = x[max(cut - least + 1, 0) :] if cut < len(x) else None
            series = x[:cut]
        x = self._array(op, "series", series, least=least + 1, columns=columns)
        u, v = self.scaling.transformed(op, "series", x), None
        if validation is not None:
            held_out = self._array(op, "validation", validation, least=least, columns=columns)
            v = self.scaling.transformed(op, "validation", held_out)
        self.columns = columns
        self.scaling.learn(u)
        return train(
            self,
            self._windows(op, u, settings),
            None if v is None else self._windows(op, v, settings, shuffle=False),
            settings,
            unit="steps",
            examples=lambda: self._examples(op, validation, settings.examples),
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
            communicator=communicator,
        )

    def _examples(self, op: str, held_out: Any, count: int) -> list[str]:
        """Returns lines with forecasts from some steps of the held-out series."""
        x = self._array(op, "validation", held_out, least=1)
        origins = np.arange(self.scaling.difference, len(x) - self.horizon)
        lines = []
        for origin in (origins[place] for place in spread(len(origins), count)):
            got = self._forecasting.within(op, x, np.array([origin]), self.horizon)[:, 0]
            wanted = x[origin + 1 : origin + 1 + self.horizon]
            lines += [
                f"  after step {origin}",
                f"    wanted  {_numbers(wanted)}",
                f"    got     {_numbers(got)}",
            ]
        return lines

    @answers
    def predict(self, series: ArrayLike | Series, steps: int | None = None) -> Array:
        """Forecasts the steps after a series: (S, I), float64.

        Args:
            series: (N, I), N > d; the network reads all of it.
            steps: S; by default the horizon.

        Raises:
            ValueError, ShapeError, DTypeError: for an invalid series, see `fit`; for `steps` below 1.
        """
        op = f"{type(self).__name__}.predict"
        S = self.horizon if steps is None else check_size(op, "steps", steps)
        x = self._array(op, "series", series, least=self.scaling.difference + 1)
        return self._forecasting.after(op, {"series": x}, S)[0]

    @answers
    def predict_all(self, series: Sequence[ArrayLike | Series], steps: int | None = None) -> list[Array]:
        """Forecasts the steps after each of several series, of any lengths: (S, I) each.

        A forecast does not depend on the other series.

        Args:
            series: (N, I) each, N > d.
            steps: see `predict`.

        Raises:
            ValueError, ShapeError, DTypeError, TypeError: see `predict`; names the series.
        """
        op = f"{type(self).__name__}.predict_all"
        S = self.horizon if steps is None else check_size(op, "steps", steps)
        each, least = frames.listed(op, "series", series), self.scaling.difference + 1
        names = [f"series[{i}]" for i in range(len(each))]
        x = {name: self._array(op, name, one, least=least) for name, one in zip(names, each, strict=True)}
        return self._forecasting.after(op, x, S)

    @property
    def _forecasting(self) -> Forecasting:
        return Forecasting(self.network, self.scaling, self.horizon)

    @reading
    def evaluate(
        self,
        series: ArrayLike | Series,
        *,
        steps: int | None = None,
        start: int | None = None,
        season: int = 1,
    ) -> ForecastEvaluation:
        """Measures the errors of forecasts from every step of a series; each reads all steps before it.

        Args:
            series: (N, I).
            steps: S, the number of steps ahead; by default the horizon.
            start: the first step to forecast, for example the first one after the training data; by default
                the first one possible.
            season: m of the naïve forecast x_{t+s−m⌈s/m⌉}: 1 repeats the last value, 12 the last year of
                monthly data.

        Raises:
            ValueError: for a series too short for one forecast.
            ValueError, ShapeError, DTypeError: for an invalid series, see `fit`.
        """
        op = f"{type(self).__name__}.evaluate"
        S = self.horizon if steps is None else check_size(op, "steps", steps)
        season = check_size(op, "season", season)
        least = max(self.scaling.difference + 1, season)
        begin = least if start is None else check_size(op, "start", start, least=least)
        x = self._array(op, "series", series, least=begin + S)
        origins = np.arange(begin - 1, len(x) - S)
        ahead = np.arange(1, S + 1)[:, None]
        right = x[origins + ahead]
        naive = x[origins + ahead - season * -(-ahead // season)]
        errors, naive_errors = self._forecasting.within(op, x, origins, S) - right, naive - right
        return ForecastEvaluation(
            self.columns,
            mean_magnitude(errors, 1),
            root_mean_square(errors, 1),
            mean_magnitude(naive_errors, 1),
            root_mean_square(naive_errors, 1),
            season,
            len(origins),
        )

    def _windows(self, op: str, u: Array, settings: ForecastTraining, shuffle: bool = True) -> WindowBatches:
        """Returns the windows of a transformed series (N, I)."""
        dtype = self.parameters.dtype
        z = check_range(f"{op}: series", self.scaling.seen(u), u[self.scaling.difference :], dtype)
        T = min(settings.steps, len(z) - self.horizon)
        return WindowBatches(z, T, self.horizon, settings.batch_size, seed=settings.seed, shuffle=shuffle)

    def _array(
        self, op: str, argument: str, series: Any, *, least: int, columns: tuple[str, ...] | None = None
    ) -> Array:
        """Returns a series as (N, I), float64, in the order of the model's columns, or of `columns`.

        Raises:
            ValueError, ShapeError, DTypeError: see `fit`.
        """
        I, place = len(self.columns), f"{op}: {argument}"
        array, given, index = frames.named(op, argument, series)
        if array.dtype.kind not in "fiub":
            raise DTypeError(f"{place}: expected real numbers, got {array.dtype}")
        if given:
            wanted = columns or self._columns_of(op, argument, series)
            array = array.reshape(len(array), -1)[:, frames.places(op, argument, given, wanted)]
        frames.check_steps(op, argument, index, gaps=True)
        if array.ndim == 1 and I == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != I:
            raise ShapeError(f"{place}: expected (N, I={I}), got {array.shape}")
        if len(array) < least:
            raise ValueError(f"{place}: expected at least {least} steps, got {len(array)}")
        finite = np.isfinite(array).all(axis=1)
        if not finite.all():
            t = int(np.flatnonzero(~finite)[0])
            raise ValueError(f"{place}: expected finite numbers, got {array[t].tolist()} at step {t}")
        return array.astype(np.float64)

    def _columns_of(self, op: str, argument: str, series: Any) -> tuple[str, ...]:
        """Returns the names of the columns: the model's, or those of this series if the model has none."""
        I, given = len(self.columns), frames.named(op, argument, series).columns
        if not given or self.columns != numbered(I) or set(given) == set(self.columns):
            return self.columns
        if len(given) != I:
            raise ShapeError(f"{op}: {argument}: expected I = {I} columns, got {', '.join(given)}")
        if I > 1 and self.scaling.mean is not None:
            raise ValueError(
                f"{op}: {argument}: expected an array: the model was trained on columns without names, "
                f"got columns {', '.join(given)} (to_numpy gives them by their places)"
            )
        return given

    def _contents(self) -> dict[str, Any]:
        mean, scale = self.scaling.mean, self.scaling.scale
        return {
            "columns": list(self.columns),
            "mean": None if mean is None else mean.tolist(),
            "scale": None if scale is None else scale.tolist(),
        }

    @classmethod
    def _restored(cls, config: dict[str, Any], file: ModelFile, **given: Any) -> Forecaster:
        columns, mean, scale = (config.pop(name) for name in ("columns", "mean", "scale"))
        H = config["hidden_size"]
        modelfile.check_size(H * (config["horizon"] + config["layers"] * H), file)
        model = constructed(cls, config, columns)
        if mean is not None:
            model.scaling.mean = modelfile.numbers("mean", mean, len(columns))
            model.scaling.scale = modelfile.numbers("scale", scale, len(columns))
        return model


def _numbers(x: Array) -> str:
    """Returns the first numbers of a forecast (S, I), for a line."""
    return " ".join(f"{number:.4g}" for number in x.ravel()[:12])
