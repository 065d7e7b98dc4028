"""Jordan's network as a model: output-to-hidden recurrence, a loss over time, and its exposure gap."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from numpy.typing import ArrayLike

from ... import modelfile
from ...checks import as_array, check_repeatable
from ...data import Batch, Data
from ...data.batches import ListData
from ...losses import Loss, SoftmaxCrossEntropy, SquaredError
from ...modelfile import ModelFile
from ...nn import Embedding, JordanRNN, join
from ...nn.embedding import EmbeddingCache
from ...nn.feedback import check_probability, check_word
from ...nn.guarded import adding, adding_with_gradients, reading
from ...nn.jordan import JordanCache
from ...shown import short_repr
from ...types import Array
from ..base.saved import SavedModel, constructed
from ..base.scoring import ScoredByLoss, counted, weight_of


class JordanNetworkCache(NamedTuple):
    """The caches of the layers, for `JordanNetwork.backward`."""

    embedding: EmbeddingCache | None
    jordan: JordanCache

    def __repr__(self) -> str:
        return short_repr(self)


@dataclass(frozen=True)
class ExposureGap:
    """The losses of a network with and without teacher forcing, on the same data.

    Attributes:
        teacher_forced: the mean loss if every step is fed the previous step's target.
        free_running: the mean loss if every step is fed the network's own previous output.
        positions: the number of scored positions.
    """

    teacher_forced: float
    free_running: float
    positions: int

    @property
    def gap(self) -> float:
        """free_running − teacher_forced."""
        return self.free_running - self.teacher_forced


class JordanNetwork(ScoredByLoss, SavedModel):
    """h_t = f(b + U x_t + W z_t), o_t = c + V h_t, L = Σ_t L_t(o_t, y_t), with the previous output as z_t.

    With teacher forcing, z_t is the target y_{t−1} instead.

    Goodfellow, Bengio and Courville, *Deep Learning*, section 10.2.1. For `rnnrs.Trainer`; the state carried
    from batch to batch is the next step's z. L is the same function of parameters and batch with and without
    gradients: `teacher_forcing`, `seed` and `step` determine z.

    Args:
        jordan: the recurrence with its output layer.
        loss: a class of `rnnrs.losses`, or any function (o, y) -> (L, do). By default squared error if o is
            fed back, else softmax cross-entropy.
        embedding: input ids → x (I); None if the inputs are x (T, B, I) themselves.
        teacher_forcing: ε, see `JordanRNN.forward`; `rnnrs.train.ScheduledSampling` sets it before each step.
        seed: seed of the sampling.

    Attributes:
        parameters, gradients: of all layers, one flat vector each, named "jordan.U", ….
        step: the step of training, on which the sampling depends.

    Raises:
        ValueError: if the layers' sizes or dtypes do not match; for a setting outside its range.

    Example:
        >>> import numpy as np
        >>> from rnnrs import Trainer, nn, optim
        >>> bits = np.random.default_rng(0).integers(0, 2, (8, 32))
        >>> parity = Batch(np.float32(bits)[..., None], np.cumsum(bits, axis=0) % 2)
        >>> network = JordanNetwork(nn.JordanRNN(1, 16, 2, feedback="argmax", seed=1))
        >>> history = Trainer(network, optim.Adam(0.02)).fit([parity], max_steps=300)
        >>> bool(network.exposure_gap([parity]).free_running < 0.1)
        True
    """

    KIND: ClassVar[str] = "jordan_network"

    def __init__(
        self,
        jordan: JordanRNN,
        loss: Loss | None = None,
        *,
        embedding: Embedding | None = None,
        teacher_forcing: float = 1.0,
        seed: int = 0,
    ) -> None:
        if embedding is not None and embedding.embedding_size != jordan.input_size:
            raise ValueError(
                f"JordanNetwork: embedding: expected a size of {jordan.input_size} (I), got {embedding.embedding_size}"
            )
        if loss is None:
            loss = SquaredError() if jordan.feedback == "output" else SoftmaxCrossEntropy()
        self.jordan, self.loss_function, self.embedding = jordan, loss, embedding
        self.teacher_forcing = check_probability("JordanNetwork", "teacher_forcing", teacher_forcing)
        self.seed, self.step = check_word("JordanNetwork", "seed", seed), 0
        first = {} if embedding is None else {"embedding": embedding}
        self.parameters, self.gradients = join(**first, jordan=jordan)

    @reading
    def forward(
        self,
        inputs: ArrayLike,
        targets: ArrayLike | None = None,
        state: ArrayLike | None = None,
        teacher_forcing: float | None = None,
        *,
        lengths: ArrayLike | None = None,
        keys: ArrayLike | None = None,
    ) -> tuple[Array, JordanNetworkCache]:
        """Returns o (T, B, O) and the cache.

        Args:
            inputs: x (T, B, I); with an embedding, ids (T, B).
            targets: ids (T, B) or values (T, B, O); without targets, the network runs free.
            state: z of the first step; zero by default.
            teacher_forcing: ε; by default the attribute of this name.
            lengths, keys: see `JordanRNN.forward`.

        Raises:
            ShapeError, DTypeError, IndexError, ValueError: for invalid arrays and settings.
        """
        if self.embedding is None:
            x, cache_e = as_array(type(self).__name__, "inputs", inputs), None
        else:
            x, cache_e = self.embedding.forward(inputs)
        o, cache = self.jordan.forward(
            x,
            targets,
            teacher_forcing=self.teacher_forcing if teacher_forcing is None else teacher_forcing,
            previous=state,
            lengths=lengths,
            seed=self.seed,
            step=self.step,
            keys=keys,
        )
        return o, JordanNetworkCache(cache_e, cache)

    @adding
    def backward(
        self, cache: JordanNetworkCache, do: ArrayLike, need_dx: bool = True
    ) -> tuple[Array | None, Array | None]:
        """Backpropagates do through time, and adds to the gradients of all layers.

        Args:
            cache: a cache of `forward`.
            do: ∂L/∂o (T, B, O).
            need_dx: whether to compute dx.

        Returns:
            (dx (T, B, I), or None with an embedding; dprevious, see `JordanRNN.backward`).

        Raises:
            ShapeError: if do does not have the shape of o.
        """
        embedded = self.embedding is not None and self.embedding.parameters.are_trained
        dx, dprevious = self.jordan.backward(cache.jordan, do, need_dx or embedded)
        if self.embedding is None or cache.embedding is None:
            return dx, dprevious
        if dx is not None:
            self.embedding.backward(cache.embedding, dx)
        return None, dprevious

    @adding_with_gradients
    def loss(self, batch: Batch, state: Array | None = None, *, gradient: bool = True) -> tuple[float, Array]:
        """Returns L of a batch and z of the step after it, and adds to the gradients.

        Args:
            batch: inputs, and targets as the loss expects them; the targets are also fed back. What counts is
                as in `RecurrentNetwork.loss`.
            state: z of the first step, carried over from the previous batch; zero by default.
            gradient: whether to compute gradients.

        Raises:
            ShapeError, DTypeError, IndexError: for an invalid batch.
            ValueError: for a batch with resets or warm-up steps, which this network does not have.
        """
        L, do, cache = self._evaluated(batch, state, None)
        if gradient and do is not None:
            self.backward(cache, do, need_dx=False)
        return L, cache.jordan.next

    def _evaluated(
        self, batch: Batch, state: Array | None, forcing: float | None
    ) -> tuple[float, Array | None, JordanNetworkCache]:
        """Returns L, do (None if nothing counts), and the cache."""
        batch = Batch(*batch).without_padding()
        if batch.resets is not None or batch.warm or batch.carry is not None:
            raise ValueError("JordanNetwork: batch: expected no resets, carry or warm-up steps, got some")
        lengths = {"lengths": batch.lengths, "keys": batch.keys}
        o, cache = self.forward(batch.inputs, batch.targets, state, forcing, **lengths)
        if not weight_of(self.loss_function, batch):
            return 0.0, None, cache
        loss: Any = self.loss_function  # may accept weights
        targets, weights = counted(self.loss_function, batch)
        L, do = loss(o, targets, **weights)
        return float(L), do, cache

    @reading
    def exposure_gap(self, data: Data | Sequence[Batch]) -> ExposureGap:
        """Measures the losses with and without teacher forcing on the same data.

        Args:
            data: data of `rnnrs.data`, or a list of batches.

        Raises:
            ValueError: if no position is scored.
        """
        check_repeatable(f"{type(self).__name__}.exposure_gap", "data", data)
        given: Data = data if hasattr(data, "epoch") else ListData(data)  # type: ignore[assignment]
        batches = given.epoch(0)
        total_weight = sum(self.batch_weight(batch) for batch in batches)
        if not total_weight:
            raise ValueError(
                f"{type(self).__name__}.exposure_gap: data: expected at least one scored position, got none"
            )
        means = []
        for forcing in (1.0, 0.0):
            total, state = 0.0, None
            for batch in batches:
                L, _, cache = self._evaluated(batch, state, forcing)
                total += L if self.loss_reduction == "sum" else L * self.batch_weight(batch)
                state = cache.jordan.next if given.carries_state else None
            means.append(total / total_weight)
        positions = sum(Batch(*batch).positions for batch in batches)
        return ExposureGap(means[0], means[1], positions)

    @classmethod
    def load(cls, path: str | os.PathLike[str], loss: Loss | None = None) -> JordanNetwork:
        """Loads a model that `save` wrote, or the model of a training checkpoint.

        Args:
            path: the file.
            loss: as in the constructor; files do not hold it.

        Raises:
            OSError: if the file cannot be read.
            FormatError: if it is damaged, of a newer version, or of another kind of model.
        """
        return cls.from_file(modelfile.load(path, cls.KIND), path, loss=loss)

    def _contents(self) -> dict[str, Any]:
        j, e = self.jordan, self.embedding
        return {
            "input_size": j.input_size,
            "hidden_size": j.hidden_size,
            "output_size": j.output_size,
            "feedback": j.feedback,
            "embedding_size": j.embedding_size,
            "activation": j.activation,
            "temperature": j.temperature,
            "dtype": str(j.dtype),
            "input_vocabulary_size": None if e is None else e.vocabulary_size,
            "teacher_forcing": self.teacher_forcing,
            "seed": self.seed,
        }

    @classmethod
    def _restored(
        cls, config: dict[str, Any], file: ModelFile, loss: Loss | None = None, **given: Any
    ) -> JordanNetwork:
        forcing, seed, V = (config.pop(n) for n in ("teacher_forcing", "seed", "input_vocabulary_size"))
        I, H, O = (config.pop(f"{name}_size") for name in ("input", "hidden", "output"))
        fed = O if config["embedding_size"] is None else config["embedding_size"]
        modelfile.check_size((V or 0) * I + H * (I + fed) + O * H, file)
        jordan = constructed(JordanRNN, config, I, H, O)
        embedding = None if V is None else Embedding(V, I, dtype=jordan.dtype)
        return cls(jordan, loss, embedding=embedding, teacher_forcing=forcing, seed=seed)
