"""A step's loss and gradient: those of a batch, or sums over the micro-batches that it consists of.

A batch of B sequences consists of M runs of ⌊B/M⌋ or ⌈B/M⌉ of them. Their gradients are added along a binary
tree that M alone determines, so that the sum has the same bits, whoever computes which of them: one process,
or several (`ranks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from ..data import Batch
from ..data.batch import positions, run_of
from ..errors import ShapeError
from ..nn import Parameters
from ..types import Floats
from .ranks import Ranks
from .run import Model
from .run_checks import loss_number
from .tree_sum import TreeSum

#: The number of micro-batches of a training by several processes.
RANKED = 8


class Computed(NamedTuple):
    """What one process has computed of a step, besides the gradient.

    Attributes:
        losses: the shares of its micro-batches in the batch's loss.
        shifts: for each of them, by how much it moves each of the model's averages.
        states: the states after those that have sequences.
    """

    losses: list[float]
    shifts: list[list[Floats]]
    states: list[Any]


class RunSums:
    """The sums over all micro-batches of gradients: of the model's, or of each layer's.

    The sum over the processes of what one has added begins at once, while others are computed.

    Args:
        count: M.
        ranks: the processes that share the micro-batches.

    Attributes:
        scales: the factor of each micro-batch's gradient.
        least: the number of steps in the smallest micro-batch of the whole batch.
        finish: what is to be computed from the sums of all processes, if anything.
    """

    def __init__(self, count: int, ranks: Ranks) -> None:
        self._count, self._ranks, self._share = count, ranks, ranks.share(count)
        self._trees: dict[int, tuple[Parameters, TreeSum]] = {}  # by the `id` of the gradients
        self._made: dict[tuple[int, str], Parameters] = {}
        self.scales: list[float] = []
        self.least = 0
        self.finish: Callable[[], None] | None = None

    def begin(self) -> None:
        """Begins the sums of a step."""
        for _, tree in self._trees.values():
            tree.clear(self._share.start)
        for made in self._made.values():
            made.fill(0.0)
        self.finish = None

    def take(self, gradients: Parameters, run: int) -> None:
        """Moves the gradients of this process's `run`-th micro-batch to their sum, and leaves zeros."""
        key = id(gradients)
        if key not in self._trees:
            self._trees[key] = gradients, TreeSum(self._count, self._share.start)
        tree = self._trees[key][1]
        tree.take(gradients, self.scales[run])
        if run == len(self._share) - 1:
            self._ranks.begin(tree.partials(), self._count, gradients._flat, tree.pieces())

    def view(self, gradients: Parameters, name: str) -> Parameters:
        """Returns one of several arrays by itself."""
        key, array = (id(gradients), name), gradients[name].reshape(-1)
        if key not in self._made or self._made[key]._flat.ctypes.data != array.ctypes.data:
            self._made[key] = Parameters({name: gradients.shapes[name]}, gradients.dtype, array)
        return self._made[key]

    def buffer(self, gradients: Parameters, name: str, shape: tuple[int, ...]) -> Parameters:
        """Returns a further array, which belongs to these gradients; zero at the beginning of a step."""
        key = id(gradients), name
        if key not in self._made:
            self._made[key] = Parameters({name: shape}, gradients.dtype)
        return self._made[key]

    def total(self) -> None:
        """Waits until all gradients are their sums over all processes."""
        self._ranks.finish()
        if self.finish is not None:
            self.finish()


class MicroBatches:
    """Computes the loss and the gradient of a batch as sums over its micro-batches.

    The gradient of each one is scaled by its scored positions over the batch's. Whatever is random is a
    function of a sequence's place in the whole batch. Each micro-batch moves the averages of a batch
    normalization from where they are before the step; the step moves them by the mean of these shifts.

    Args:
        model: the model.
        count: M; with M = 1, a batch is computed as it is.
        ranks: the processes that share the micro-batches.

    Raises:
        ValueError: if the number of processes does not divide M.
    """

    def __init__(self, model: Model, count: int, ranks: Ranks) -> None:
        self.model, self.count, self.ranks = model, count, ranks
        self._share = ranks.share(count)
        self._sums = RunSums(count, ranks)
        self._weighted = getattr(getattr(model, "loss_function", None), "class_weights", None) is not None

    def scored(self, batch: Any) -> int:
        """Returns the number of scored positions of a batch; 0 if all have the weight 0."""
        counts = positions(batch)
        return 0 if counts and self._weighted and not weight_of(self.model, batch) else counts

    @contextmanager
    def whole_step(self) -> Iterator[None]:
        """Returns a context that restores the model's averages and samplers if an exception leaves it.

        No other thread sees the averages of a step without its parameters.
        """
        averages, samplers = list(getattr(self.model, "averages", ())), self._samplers()
        kept = [average.copy() for average in averages]
        with self.model.parameters.changing if averages else nullcontext():
            try:
                yield
            except BaseException:
                for average, before in zip(averages, kept, strict=True):
                    average[...] = before
                for sampler, step in samplers:
                    sampler.step = step
                raise

    def _samplers(self) -> list[tuple[Any, int]]:
        """Returns the model's samplers, and the number of batches that each has sampled for."""
        return [(sampler, sampler.step) for sampler in getattr(self.model, "samplers", ())]

    def compute(self, batch: Any, counts: int, state: Any, carries: bool, noise: dict[str, Any]) -> Computed:
        """Computes this process's share of a step; its gradients wait for `total`.

        Args:
            batch: the whole batch.
            counts: the number of its scored positions; with 0, no step is taken.
            state: the state before it.
            carries: whether the state after it is needed.
            noise: arguments of the model's `loss`.

        Raises:
            TypeError: for a batch that cannot be divided.
        """
        if self.count == 1:
            if counts:
                self.model.gradients.fill(0.0)
            L, after = self._loss(batch, bool(counts), state, carries, noise if counts else {})
            return Computed([L], [], [after])
        try:
            return self._compute(batch, counts, state, carries, noise)
        except BaseException:
            self._sums = RunSums(self.count, self.ranks)  # one of them may be half done
            raise

    def _compute(self, batch: Any, counts: int, state: Any, carries: bool, noise: dict[str, Any]) -> Computed:
        """Computes the share of a step that consists of several micro-batches."""
        whole, found = divisible(self.model, batch), Computed([], [], [])
        parts = [_like(batch, whole.part(index, self.count), self.model) for index in self._share]
        self._sums.begin()
        if counts:
            self.model.gradients.fill(0.0)
            self._sums.scales = self._scales(batch, parts)
        samplers = self._samplers()
        if not (counts and self._add_together(found, whole, state, carries, noise)):
            for turn, (index, part) in enumerate(zip(self._share, parts, strict=True)):
                for sampler, step in samplers:
                    sampler.step = step  # all micro-batches of a step have the same samples
                run = run_of(whole.sequences, index, self.count)
                with self._shifting(found, (run.stop - run.start) / max(whole.sequences, 1)):
                    wanted = carries and run.stop > run.start
                    options = noise if counts else {}
                    if getattr(self.model, "accepts_whole", False):
                        options = options | {"whole": batch}
                    scale = self._sums.scales[turn] if counts else 0.0
                    first = _columns(state, run, whole.sequences)
                    L, after = self._loss(part, scale > 0.0, first, wanted, options)
                found.losses.append(L * scale)
                if counts:
                    self._sums.take(self.model.gradients, turn)
                if wanted:
                    found.states.append(_columns(after, slice(None), run.stop - run.start))
        for sampler, step in samplers:
            sampler.step = step + bool(counts)
        return found

    def _scales(self, batch: Any, parts: list[Any]) -> list[float]:
        """Returns the factors of the gradients of this process's micro-batches; 0 where nothing counts."""
        if getattr(self.model, "accepts_whole", False):
            return [1.0] * len(parts)
        weights = [weight_of(self.model, part) for part in parts]
        if getattr(self.model, "loss_reduction", "mean") == "sum":
            return [float(weight > 0) for weight in weights]
        total = weight_of(self.model, batch) or 1.0  # nothing counts in any of them
        return [weight / total for weight in weights]

    def total(self, own: Computed, counts: int) -> tuple[float, Any]:
        """Returns the batch's loss and the state after it, and sets the gradients; all processes call it."""
        if self.count == 1:
            return own.losses[0], own.states[0]
        every = self.ranks.collect(own)
        state = _joined([state for computed in every for state in computed.states])
        if not counts:
            return 0.0, state
        shifts = [shift for computed in every for shift in computed.shifts]
        for i, average in enumerate(getattr(self.model, "averages", ())):
            average[...] += sum(shift[i] for shift in shifts)
        self._sums.total()
        self.model.gradients.count_touched(True)
        return sum(L for computed in every for L in computed.losses), state

    def _add_together(
        self, found: Computed, batch: Any, state: Any, carries: bool, noise: dict[str, Any]
    ) -> bool:
        """Adds this process's micro-batches by one pass through time, if the model can do so."""
        B, rank, N = batch.sequences, self.ranks.rank, self.ranks.size
        if not hasattr(self.model, "learn_runs") or self.count > B:  # the same on all ranks
            return False
        self._sums.least = _least_steps(batch, self.count)
        own, parts = run_of(B, rank, N), [run_of(B, index, self.count) for index in self._share]
        runs = [slice(part.start - own.start, part.stop - own.start) for part in parts]
        given = batch.part(rank, N), _columns(state, own, B)
        learned = self.model.learn_runs(*given, runs, self._sums, **noise)
        if learned is None:
            return False
        for L, scale in zip(learned[0], self._sums.scales, strict=True):
            found.losses.append(loss_number("Trainer.fit", L) * scale)
            found.shifts.append([])
        if carries:
            found.states.append(learned[1])
        return True

    def _loss(
        self, batch: Any, scores: bool, state: Any, carries: bool, options: dict[str, Any]
    ) -> tuple[float, Any]:
        """Returns the loss of a batch and the state after it; if nothing counts, the state."""
        if scores:
            L, after = self.model.loss(batch, state, **options)
            return loss_number("Trainer.fit", L), after
        if not carries:
            return 0.0, None
        return 0.0, self.model.loss(batch, state, gradient=False, **options)[1]

    @contextmanager
    def _shifting(self, found: Computed, share: float) -> Iterator[None]:
        """A context in which the model's averages move; by how much is kept, times `share`."""
        averages = list(getattr(self.model, "averages", ()))
        before = [average.copy() for average in averages]
        yield
        moved = zip(averages, before, strict=True)
        found.shifts.append([share * np.subtract(now, was, dtype=np.float64) for now, was in moved])
        for average, was in zip(averages, before, strict=True):
            average[...] = was


def weight_of(model: Model, batch: Any) -> float:
    """Returns the weight of a batch: the number of its scored positions, or the sum of their weights."""
    weight = getattr(model, "batch_weight", None)
    return positions(batch) if weight is None else float(weight(batch))


def divisible(model: Model, batch: Any) -> Any:
    """Returns a batch as one that has `sequences` and `part`, as a `Batch` has.

    Raises:
        TypeError: for a batch of another kind, of a model that does not make one of it (`divisible`).
    """
    if hasattr(model, "divisible"):
        return model.divisible(batch)
    if hasattr(batch, "part") and hasattr(batch, "sequences"):
        return batch
    if type(batch) in (tuple, list):
        return Batch(*batch)
    raise TypeError(
        "Trainer.fit: micro_batches: expected batches that can be divided, with sequences and "
        f"part(index, count), got {type(batch).__name__}"
    )


def _least_steps(batch: Batch, count: int) -> int:
    """Returns the number of steps in the smallest micro-batch."""
    if batch.lengths is None:
        return len(batch.inputs) * (batch.sequences // count)
    runs = (run_of(batch.sequences, index, count) for index in range(count))
    return min(int(np.sum(batch.lengths[run])) for run in runs)


def _like(batch: Any, part: Any, model: Model) -> Any:
    """Returns a part of a plain tuple as one, unless the model needs the sequences' keys."""
    samples = getattr(model, "stochastic", False) or hasattr(model, "teacher_forcing")
    return tuple(part[: len(batch)]) if type(batch) in (tuple, list) and not samples else part


def _columns(state: Any, run: slice, B: int) -> Any:
    """Returns the states of a run of the B sequences.

    Raises:
        TypeError, ShapeError: for a state that cannot be divided.
    """
    if state is None:
        return None
    expected = f"Trainer.fit: micro_batches: expected states of B = {B} sequences, arrays (B, …)"
    if not isinstance(state, np.ndarray | tuple | list):
        raise TypeError(f"{expected}, got {type(state).__name__}")
    arrays = [state] if isinstance(state, np.ndarray) else [np.asarray(part) for part in state]
    if any(array.shape[:1] != (B,) for array in arrays):
        raise ShapeError(f"{expected}, got {', '.join(str(array.shape) for array in arrays)}")
    return state[run] if isinstance(state, np.ndarray) else tuple(array[run] for array in arrays)


def _joined(states: list[Any]) -> Any:
    """Returns the states of runs as that of the whole batch, the opposite of `_columns`."""
    if not states or states[0] is None:
        return None
    if isinstance(states[0], np.ndarray):
        return np.concatenate(states)
    return tuple(np.concatenate(parts) for parts in zip(*states, strict=True))
