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
from ...nn import Bidirectional, Linear, Parameters
from ...nn.build import build_recurrent
from ...types import Array
from ..base.recurrent_network import RecurrentNetwork
from ..base.saved import SavedModel
from ..base.training import TrainingSettings, make_trainer
from .scaling import Scaling

if TYPE_CHECKING:
    from ...train import Callback, History


@dataclass(frozen=True)
class ForecastEvaluation:
    """How far forecasts were off, beside those that repeat the last season.

    Attributes:
        columns: the quantities' names.
        mae, rmse: (S, I), the mean absolute error and the root of the mean squared one, for each step ahead.
        naive_mae, naive_rmse: (S, I), those of the seasonal naïve forecast.
        season: after how many steps that one repeats itself.
        origins: from how many places it was foretold.
    """

    columns: tuple[str, ...]
    mae: Array
    rmse: Array
    naive_mae: Array
    naive_rmse: Array
    season: int
    origins: int

    @property
    def skill(self) -> Array:
        """1 − MAE / MAE of the naïve forecast (I,), over all steps ahead: 1 is perfect, 0 no better than repeating."""
        naive = self.naive_mae.mean(axis=0)
        skill: Array = 1.0 - self.mae.mean(axis=0) / np.where(naive > 0, naive, np.nan)
        return skill


class Forecaster(SavedModel):
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
        settings: what `fit` was last told, kept in the model's file; None before.

    Raises:
        ValueError, TypeError: for settings that make no sense.
        MemoryError: if the weights do not fit.
    """

    KIND: ClassVar[str] = "forecaster"

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
        op = "Forecaster"
        self.columns = _names(columns)
        I = len(self.columns)
        self.horizon = check_size(op, "horizon", horizon)
        self.scaling = Scaling(op, I, transform, difference)
        rnn = build_recurrent(
            op,
            cell,
            I,
            hidden_size,
            layers=layers,
            dropout=dropout,
            activation=activation,
            recurrent_dropout=recurrent_dropout,
            zoneout=zoneout,
            weight_drop=weight_drop,
            layer_norm=layer_norm,
            seed=seed,
            dtype=dtype,
        )
        assert not isinstance(rnn, Bidirectional)  # the future is not known
        self._rnn = rnn
        output = Linear(rnn.hidden_size, self.horizon * I, seed=seed + 1, dtype=dtype)
        self.network = RecurrentNetwork(rnn, output, SquaredError(), output_dropout=dropout)
        self.settings: ForecastSettings | None = None
        #: What the model was made with, besides the columns.
        self.sizes: dict[str, Any] = {
            "horizon": self.horizon,
            "transform": transform,
            "difference": self.scaling.difference,
            "hidden_size": hidden_size,
            "cell": cell,
            "layers": layers,
            "activation": activation,
            "dropout": dropout,
            "recurrent_dropout": recurrent_dropout,
            "zoneout": zoneout,
            "weight_drop": weight_drop,
            "layer_norm": bool(layer_norm),
            "seed": seed,
            "dtype": str(self.parameters.dtype),
        }

    @property
    def parameters(self) -> Parameters:
        return self.network.parameters

    @property
    def gradients(self) -> Parameters:
        return self.network.gradients

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
        *,
        validation: ArrayLike | Series | None = None,
        steps: int = 50,
        epochs: int | None = None,
        time_limit: float | None = None,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        clip_norm: float | None = 1.0,
        schedule: str = "cosine",
        optimizer: str = "adam",
        seed: int = 0,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> History:
        """Trains on a series.

        Args:
            series: (N, I), or (N,) of one column, or what `rnnrs.data.read_csv_series` gives.
            validation: a held-out series, to measure the loss on after every epoch.
            steps: T, of the windows that are learned from; fewer where the series is too short for as many.
            epochs: how often to go through the series; a short one needs a hundred.
            time_limit, batch_size, …, progress: see `SequenceClassifier.fit`.

        Returns:
            The history of the losses.

        Raises:
            ValueError: for a series that is too short or has numbers that are not finite, or outside the transform's
                range; for settings that make no sense.
            ShapeError, DTypeError: for one that is not (N, I) of real numbers.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after a checkpoint was written; the model can be used.
        """
        from ...train import ProgressBar

        settings = ForecastSettings(
            epochs=epochs,
            time_limit=time_limit,
            batch_size=batch_size,
            learning_rate=learning_rate,
            clip_norm=clip_norm,
            schedule=schedule,
            optimizer=optimizer,
            seed=seed,
            steps=steps,
        )
        u = self.scaling.transformed(
            self._array(series, "series", least=self.scaling.difference + self.horizon + 2)
        )
        self.scaling.learn(u)
        data = self._windows(u, settings)
        held_out = None
        if validation is not None:
            least = self.scaling.difference + self.horizon + 1
            held_out = self._windows(
                self.scaling.transformed(self._array(validation, "validation", least=least)),
                settings,
                shuffle=False,
            )
        self.settings = settings
        trainer = make_trainer(
            self,
            settings,
            callbacks=[*([ProgressBar(unit="steps")] if progress else []), *callbacks],
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
        )
        return trainer.fit(data, validation=held_out, **settings.bounds)

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

    def _windows(self, u: Array, settings: ForecastSettings, shuffle: bool = True) -> WindowBatches:
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

    def checkpoint_contents(self) -> ModelFile:
        """The model as a file holds it: kind, configuration, and parameters."""
        mean, scale = self.scaling.mean, self.scaling.scale
        config = {
            **self.sizes,
            "columns": list(self.columns),
            "mean": None if mean is None else mean.tolist(),
            "scale": None if scale is None else scale.tolist(),
            "settings": None if self.settings is None else self.settings.to_config(),
        }
        return ModelFile(self.KIND, config, dict(self.parameters))

    @classmethod
    def _build(cls, file: ModelFile, path: str | os.PathLike[str], **given: Any) -> Forecaster:
        sizes = dict(file.config)
        columns, settings = sizes.pop("columns"), sizes.pop("settings")
        mean, scale = sizes.pop("mean"), sizes.pop("scale")
        modelfile.check_size(
            sizes["hidden_size"] * (sizes["horizon"] + sizes["layers"] * sizes["hidden_size"]), file
        )
        model = cls(columns, **sizes)
        shapes = {name: array.shape for name, array in model.parameters.items()}
        modelfile.check_tensors(path, file.tensors, shapes, sizes["dtype"])
        if mean is not None:
            model.scaling.mean = modelfile.numbers("mean", mean, len(columns))
            model.scaling.scale = modelfile.numbers("scale", scale, len(columns))
        model.settings = None if settings is None else ForecastSettings.from_config(settings)
        model.parameters.copy_from(file.tensors)
        return model


@dataclass(frozen=True)
class ForecastSettings(TrainingSettings):
    """What decides the course of a forecaster's training, see `Forecaster.fit`."""

    steps: int = 50

    _POSITIVE = (*TrainingSettings._POSITIVE, "steps")


def _by_step(o: Array, horizon: int, size: int) -> Array:
    """(K, M, I) of the outputs (M, K·I)."""
    return np.ascontiguousarray(o.reshape(len(o), horizon, size).transpose(1, 0, 2))


def _names(columns: int | Sequence[str]) -> tuple[str, ...]:
    """The columns' names.

    Raises:
        ValueError, TypeError: for what is neither a positive number nor names.
    """
    if isinstance(columns, str) or (not isinstance(columns, Sequence) and not hasattr(columns, "__index__")):
        raise TypeError(f"Forecaster: columns: expected names, or how many, got {columns!r}")
    if not isinstance(columns, Sequence):
        return tuple(map(str, range(check_size("Forecaster", "columns", columns))))
    if not columns or not all(isinstance(name, str) for name in columns):
        raise ValueError(f"Forecaster: columns: expected at least one name, got {columns!r}")
    return tuple(columns)
