"""What comes next in a series of numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ... import modelfile
from ...checks import check_size
from ...data import Batch, Series, WindowBatches
from ...errors import DTypeError, ShapeError
from ...losses import SquaredError
from ...modelfile import ModelFile
from ...nn import Bidirectional, Linear
from ...nn.build import build_recurrent
from ...train import Callback, History
from ...types import Array
from ..base.options import option, whole
from ..base.recurrent_network import RecurrentNetwork
from ..base.saved import constructed, sizes_of
from ..base.training import TrainedModel, TrainingOptions, TrainingSettings, train
from ..base.validation import held_out_count, held_out_share, spread
from .forecast_evaluation import ForecastEvaluation
from .scaling import Scaling

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: The options of the recurrent layers.
RECURRENT = ("layers", "dropout", "activation", "recurrent_dropout", "zoneout", "weight_drop", "layer_norm")


class ForecastTrainingOptions(TrainingOptions, total=False):
    """The options of `Forecaster.fit`, see `ForecastTraining`."""

    steps: int


@dataclass(frozen=True)
class ForecastTraining(TrainingSettings):
    """The options of `Forecaster.fit`."""

    epochs: int | None = 100
    steps: int = option(
        50, "T, of the windows that are learned from; fewer where the series is too short", whole(1)
    )


class Forecaster(TrainedModel):
    """x̂_{t+1}, …, x̂_{t+K} = c + V h_t, h_t the state of a recurrent network that has read the series up to x_t.

    All K steps are told at once, so training and use are the same thing; for more of them, the network reads its own
    forecasts. (Goodfellow, Bengio and Courville, *Deep Learning*, section 10.2, with K values a step as the output.)
    The network sees the series transformed, differenced and brought to mean 0 and standard deviation 1, see `Scaling`.

    Args:
        columns: I quantities: their names, or how many.
        horizon: K.
        transform: "none"; "log", for what grows in proportion to itself; "sqrt", for counts.
        difference: d: not x_t is seen but its difference from x_{t−d}: 1 against a trend, 12 for months; 0 for none.
        hidden_size: H.
        cell: "rnn", "lstm" or "gru".
        layers: recurrent layers on top of each other.
        activation: of an "rnn", one of `rnnrs.nn.ACTIVATIONS`.
        dropout: of what goes into each recurrent layer and the output layer.
        recurrent_dropout, zoneout, weight_drop, layer_norm: of the recurrent layers, see `rnnrs.nn.Recurrent`.
        seed: of the first weights.
        dtype: float32 or float64.

    Attributes:
        columns: the names; "0", "1", … where none were given.
        network: the `RecurrentNetwork`.
        parameters, gradients: of the network.

    Raises:
        ValueError, TypeError: for settings that make no sense.
        MemoryError: if the weights do not fit.
    """

    KIND: ClassVar[str] = "forecaster"
    TRAINING: ClassVar[type[TrainingSettings]] = ForecastTraining

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
        self.columns = _names(op, columns)
        I = len(self.columns)
        self.horizon = check_size(op, "horizon", horizon)
        self.scaling = Scaling(op, I, transform, difference)
        recurrent = {name: self.sizes[name] for name in RECURRENT}
        rnn = build_recurrent(op, cell, I, hidden_size, seed=seed, dtype=dtype, **recurrent)
        assert not isinstance(rnn, Bidirectional)  # the future is not known
        self._rnn = rnn
        output = Linear(rnn.hidden_size, self.horizon * I, seed=seed + 1, dtype=dtype)
        self.network = RecurrentNetwork(rnn, output, SquaredError(), output_dropout=dropout)
        self.parameters, self.gradients = self.network.parameters, self.network.gradients

    @property
    def stochastic(self) -> bool:
        """Whether `loss` takes noise: whether there is dropout of any kind."""
        return self.network.stochastic

    def loss(
        self, batch: Batch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, Any]:
        """The mean over steps of the squared error, in the network's scale, summed over K steps ahead and I columns."""
        return self.network.loss(batch, state, gradient=gradient, noise=noise)

    def fit(
        self,
        series: ArrayLike | Series,
        validation: ArrayLike | Series | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        **training: Unpack[ForecastTrainingOptions],
    ) -> History:
        """Trains on a series; with validation, ends with the parameters of the lowest loss on it.

        Args:
            series: (N, I), or (N,) of one column, or what `rnnrs.data.read_csv_series` returns.
            validation: a held-out series, or the share of the series to hold out: its last part.
            callbacks, checkpoint, checkpoint_every, resume, progress: see `SequenceClassifier.fit`.
            training: see below.

        Returns:
            The history of the losses.

        Raises:
            ValueError: for a series that is too short or has numbers that are not finite, or outside the transform's
                range; for an option out of its range.
            ShapeError, DTypeError: for one that is not (N, I) of real numbers.
            TypeError, FormatError, NonFiniteError, KeyboardInterrupt: see `SequenceClassifier.fit`.
        """
        op = f"{type(self).__name__}.fit"
        settings: ForecastTraining = self.settings_of(training)
        least, share = self.scaling.difference + self.horizon + 1, held_out_share(op, validation)
        if share is not None:
            x = self._array(series, "series", least=1)
            cut = len(x) - held_out_count(op, len(x), share, "steps")
            # The held-out part's first forecast has read what the differences need.
            validation = x[max(cut - least + 1, 0) :] if cut < len(x) else None
            series = x[:cut]
        u = self.scaling.transformed(self._array(series, "series", least=least + 1))
        v = None
        if validation is not None:
            v = self.scaling.transformed(self._array(validation, "validation", least=least))
        self.scaling.learn(u)
        return train(
            self,
            self._windows(u, settings),
            None if v is None else self._windows(v, settings, shuffle=False),
            settings,
            unit="steps",
            examples=lambda: self._examples(validation, settings.examples),
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
        )

    def _examples(self, held_out: Any, count: int) -> list[str]:
        """Forecasts from some places of the held-out series."""
        x = self._array(held_out, "validation", least=1)
        origins = np.arange(self.scaling.difference, len(x) - self.horizon)
        lines = []
        for origin in (origins[place] for place in spread(len(origins), count)):
            got = self._from(x, np.array([origin]), self.horizon)[:, 0]
            wanted = x[origin + 1 : origin + 1 + self.horizon]
            lines += [
                f"  after step {origin}",
                f"    wanted  {_numbers(wanted)}",
                f"    got     {_numbers(got)}",
            ]
        return lines

    def predict(self, series: ArrayLike | Series, steps: int | None = None) -> Array:
        """What follows a series: (S, I), float64.

        Args:
            series: (N, I), N > d; all of it is read.
            steps: S; by default the horizon.

        Raises:
            ValueError, ShapeError, DTypeError: as `fit`; for `steps` below 1.
        """
        S = self.horizon if steps is None else check_size("Forecaster", "steps", steps)
        x = self._array(series, "series", least=self.scaling.difference + 1)
        return self._from(x, np.array([len(x) - 1]), S)[:, 0]

    def evaluate(
        self,
        series: ArrayLike | Series,
        *,
        steps: int | None = None,
        start: int | None = None,
        season: int = 1,
    ) -> ForecastEvaluation:
        """How far forecasts from every place of a series are off: each has read all that stands before it.

        Args:
            series: (N, I).
            steps: S steps ahead; by default the horizon.
            start: the first step that is foretold, after what the model was trained on, for instance; by default the
                first one possible.
            season: m of the naïve forecast, which says x_{t+s−m⌈s/m⌉}: 1 repeats the last number, 12 the last year.

        Raises:
            ValueError: for a series too short for one forecast; as `fit`.
        """
        S = self.horizon if steps is None else check_size("Forecaster", "steps", steps)
        season = check_size("Forecaster", "season", season)
        least = max(self.scaling.difference + 1, season)
        begin = least if start is None else check_size("Forecaster", "start", start, least=least)
        x = self._array(series, "series", least=begin + S)
        origins = np.arange(begin - 1, len(x) - S)
        ahead = np.arange(1, S + 1)[:, None]
        right = x[origins + ahead]
        naive = x[origins + ahead - season * -(-ahead // season)]
        errors, naive_errors = self._from(x, origins, S) - right, naive - right
        return ForecastEvaluation(
            self.columns,
            np.abs(errors).mean(axis=1),
            np.sqrt(np.square(errors).mean(axis=1)),
            np.abs(naive_errors).mean(axis=1),
            np.sqrt(np.square(naive_errors).mean(axis=1)),
            season,
            len(origins),
        )

    def _from(self, x: Array, origins: Array, S: int) -> Array:
        """(S, M, I): what follows each of M steps of x (N, I), which is read once, up to the last of them."""
        u = self.scaling.transformed(x)
        d, I, dtype = self.scaling.difference, len(self.columns), self.parameters.dtype
        z = self.scaling.seen(u[: origins[-1] + 1])[:, None].astype(dtype)
        cache: Any
        h, cache = self._rnn.forward(z, gradient=False)
        read = origins - d
        o, _ = self.network.output.forward(h[read, 0])
        state = np.concatenate([self._rnn.state_after(cache, int(t) + 1) for t in read])
        blocks = [_by_step(o, self.horizon, I)]
        while len(blocks) * self.horizon < S:
            h, cache = self._rnn.forward(blocks[-1], state, gradient=False)
            o, _ = self.network.output.forward(h[-1])
            state = cache.state
            blocks.append(_by_step(o, self.horizon, I))
        return self.scaling.restored(np.concatenate(blocks)[:S].astype(np.float64), u, origins)

    def _windows(self, u: Array, settings: ForecastTraining, shuffle: bool = True) -> WindowBatches:
        z = self.scaling.seen(u).astype(self.parameters.dtype)
        T = min(settings.steps, len(z) - self.horizon)
        return WindowBatches(z, T, self.horizon, settings.batch_size, seed=settings.seed, shuffle=shuffle)

    def _array(self, series: ArrayLike | Series, argument: str, *, least: int) -> Array:
        """A series as (N, I) of float64.

        Raises:
            ValueError, ShapeError, DTypeError: see `fit`.
        """
        I, place = len(self.columns), f"Forecaster: {argument}"
        array = np.asarray(series.x if isinstance(series, Series) else series)
        if array.dtype.kind not in "fiub":
            raise DTypeError(f"{place}: expected real numbers, got {array.dtype}")
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
    """Some numbers of a forecast (S, I), for a line."""
    return " ".join(f"{number:.4g}" for number in x.ravel()[:12])


def _by_step(o: Array, horizon: int, size: int) -> Array:
    """(K, M, I) of the outputs (M, K·I)."""
    return np.ascontiguousarray(o.reshape(len(o), horizon, size).transpose(1, 0, 2))


def _names(op: str, columns: int | Sequence[str]) -> tuple[str, ...]:
    """The columns' names.

    Raises:
        ValueError, TypeError: for what is neither a positive number nor names.
    """
    if isinstance(columns, str) or (not isinstance(columns, Sequence) and not hasattr(columns, "__index__")):
        raise TypeError(f"{op}: columns: expected names, or how many, got {columns!r}")
    if not isinstance(columns, Sequence):
        return tuple(map(str, range(check_size(op, "columns", columns))))
    if not columns or not all(isinstance(name, str) for name in columns):
        raise ValueError(f"{op}: columns: expected at least one name, got {columns!r}")
    return tuple(columns)
