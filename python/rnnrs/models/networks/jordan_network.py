"""Jordan's network as a model: the output-to-hidden recurrence, a loss over time, and how it is judged."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ... import modelfile
from ...data import Batch, Data
from ...data.batches import ListData
from ...losses import Loss, SoftmaxCrossEntropy, SquaredError
from ...modelfile import ModelFile
from ...nn import Embedding, JordanRNN, join
from ...nn.embedding import EmbeddingCache
from ...nn.feedback import check_probability, check_word
from ...nn.jordan import JordanCache
from ...types import Array
from ..base.saved import SavedModel, constructed


class JordanNetworkCache(NamedTuple):
    """What `JordanNetwork.backward` needs of the forward pass: its layers' caches."""

    embedding: EmbeddingCache | None
    jordan: JordanCache


@dataclass(frozen=True)
class ExposureGap:
    """How much worse a network is on its own than with right predecessors, on the same data.

    Attributes:
        teacher_forced: the mean loss where every step is fed the target of the step before.
        free_running: the mean loss where every step is fed the network's own output.
        positions: how many positions are scored.
    """

    teacher_forced: float
    free_running: float
    positions: int

    @property
    def gap(self) -> float:
        """free_running − teacher_forced."""
        return self.free_running - self.teacher_forced


class JordanNetwork(SavedModel):
    """h_t = f(b + U x_t + W z_t), o_t = c + V h_t, L = Σ_t L_t(o_t, y_t), z_t = y_{t−1} or the network's own output.

    Goodfellow, Bengio and Courville, *Deep Learning*, section 10.2.1. For `rnnrs.Trainer`; the state carried from
    batch to batch is what the next step would be fed. L is the same function of parameters and batch whether
    gradients are wanted or not: `teacher_forcing`, `seed` and `step` decide what is fed.

    Args:
        jordan: the recurrence with its output.
        loss: a class of `rnnrs.losses`, or any function (o, y) -> (L, do). By default squared error where o is fed
            back, else softmax cross-entropy.
        embedding: input ids → x, of I numbers each; None where the inputs are x (T, B, I) themselves.
        teacher_forcing: ε, see `JordanRNN.forward`; `rnnrs.train.ScheduledSampling` sets it step by step.
        seed: of the draws.

    Attributes:
        parameters, gradients: one flat vector each, named "jordan.U", ….
        step: which step of training it is, for the draws.

    Raises:
        ValueError: if the layers' sizes or dtypes do not belong together; for a setting out of its range.
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

    def forward(
        self,
        inputs: ArrayLike,
        targets: ArrayLike | None = None,
        state: ArrayLike | None = None,
        teacher_forcing: float | None = None,
    ) -> tuple[Array, JordanNetworkCache]:
        """o (T, B, O) of x (T, B, I), or of ids (T, B) with an embedding; without targets the network runs free.

        Args:
            inputs: x or ids.
            targets: ids (T, B) or values (T, B, O).
            state: what the first step is fed.
            teacher_forcing: ε; the attribute of that name by default.

        Raises:
            ShapeError, DTypeError, IndexError, ValueError: for arrays and settings that do not fit.
        """
        x, cache_e = (np.asarray(inputs), None) if self.embedding is None else self.embedding.forward(inputs)
        o, cache = self.jordan.forward(
            x,
            targets,
            teacher_forcing=self.teacher_forcing if teacher_forcing is None else teacher_forcing,
            previous=state,
            seed=self.seed,
            step=self.step,
        )
        return o, JordanNetworkCache(cache_e, cache)

    def backward(
        self, cache: JordanNetworkCache, do: ArrayLike, need_dx: bool = True
    ) -> tuple[Array | None, Array | None]:
        """Back from do (T, B, O): adds to all gradients.

        Args:
            cache: from `forward`.
            do: ∂L/∂o (T, B, O).
            need_dx: whether what comes back is wanted.

        Returns:
            (dx (T, B, I), or None with an embedding; dprevious, see `JordanRNN.backward`).

        Raises:
            ShapeError: if do has not the shape of o.
        """
        dx, dprevious = self.jordan.backward(cache.jordan, do, need_dx or self.embedding is not None)
        if self.embedding is None or cache.embedding is None:
            return dx, dprevious
        assert dx is not None  # asked for
        self.embedding.backward(cache.embedding, dx)
        return None, dprevious

    def loss(self, batch: Batch, state: Array | None = None, *, gradient: bool = True) -> tuple[float, Array]:
        """L of a batch, and what the step after it would be fed; adds to the gradients where they are wanted.

        Args:
            batch: (inputs, targets); targets as the loss takes them: they are also what is fed.
            state: what the first step is fed, carried over from the batch before; zero by default.
            gradient: whether to go back.

        Raises:
            ShapeError, DTypeError, IndexError: for a batch that does not fit.
        """
        o, cache = self.forward(batch.inputs, batch.targets, state)
        L, do = self.loss_function(o, batch.targets)
        if gradient:
            self.backward(cache, do, need_dx=False)
        return float(L), cache.jordan.next

    def exposure_gap(self, data: Data | Sequence[Batch]) -> ExposureGap:
        """The loss with teacher forcing and that of the network on its own, on the same data.

        Args:
            data: of `rnnrs.data`, or a list of batches.

        Raises:
            ValueError: if no position is scored.
        """
        given: Data = data if hasattr(data, "epoch") else ListData(data)  # type: ignore[assignment]
        batches = given.epoch(0)
        positions = sum(Batch(*batch).positions for batch in batches)
        if not positions:
            raise ValueError("exposure_gap: data: expected at least one scored position, got none")
        means = []
        for forcing in (1.0, 0.0):
            total, state = 0.0, None
            for batch in batches:
                o, cache = self.forward(batch.inputs, batch.targets, state, forcing)
                total += float(self.loss_function(o, batch.targets)[0]) * Batch(*batch).positions
                state = cache.jordan.next if given.carries_state else None
            means.append(total / positions)
        return ExposureGap(means[0], means[1], positions)

    @classmethod
    def load(cls, path: str | os.PathLike[str], loss: Loss | None = None) -> JordanNetwork:
        """The model that `save` wrote; a checkpoint of its training will do too.

        Args:
            path: the file.
            loss: as in the constructor: files do not hold it.

        Raises:
            OSError: if the file cannot be read.
            FormatError: if it is damaged, of a newer version, or holds another kind of model.
        """
        return cls._load(path, loss=loss)

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
