"""Losses for training a large vocabulary: the correct class against a sample of the others.

They cost T·B·k·H instead of T·B·O·H, and touch only the sampled rows of V. They are not the negative
log-likelihood and do not measure how good a model is: evaluate with `SoftmaxCrossEntropy`, as `LanguageModel`
does.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike

from .. import _rnnrs
from ..checks import as_array, as_ids, check_size
from ..errors import ShapeError
from ..nn.linear import Linear
from ..seeds import derive_seed
from ..shown import short_repr
from ..types import Array
from .dense import Evaluation
from .proposal import Proposal


class _Sampled(ABC):
    """The common part of both losses: sampling, and the fused call.

    Attributes:
        step: the number of the next sample. `through` increments it when it computes gradients; set it to
            repeat a sample.
    """

    #: Its name in training reports.
    name: str
    #: The engine's name for it.
    _rule: str

    __repr__ = short_repr

    def __init__(
        self,
        samples: int = 1024,
        *,
        proposal: Proposal | None = None,
        reduction: str = "mean",
        ignore_id: int | None = -1,
        seed: int = 0,
    ) -> None:
        op = type(self).__name__
        self.samples = check_size(op, "samples", samples)
        if reduction not in ("mean", "sum"):
            raise ValueError(f"{op}: reduction: expected 'mean' or 'sum', got {reduction!r}")
        derive_seed(seed, 0)  # rejects an invalid seed
        self.proposal, self.reduction, self.ignore_id, self.seed = proposal, reduction, ignore_id, seed
        self.step = 0
        self._kept: tuple[Proposal, int, Array] | None = None

    def through(
        self,
        output: Linear,
        h: Array,
        y: ArrayLike,
        weights: ArrayLike | None = None,
        gradient: bool = True,
    ) -> Evaluation:
        """Computes the loss of o = c + V h at the correct classes and at k samples, shared by all positions.

        Args:
            output: the output layer; `gradient` adds to the sampled and correct rows of dV, and to dc.
            h: states (…, H).
            y: ids (…), from 0 to O − 1, or `ignore_id`.
            weights: (…), the weight of each position.
            gradient: whether to compute gradients; this also increments `step`.

        Returns:
            L, each position's loss, and dh (…, H) or None.

        Raises:
            IndexError, ShapeError, DTypeError: if an array is invalid; ShapeError also if the proposal has
                another number of classes.
            ValueError: if there is no position for a mean.
        """
        op = f"{type(self).__name__}.through"
        h, y = as_array(op, "h", h), as_ids(op, "y", y)
        proposal = self._proposal_for(output.output_size)
        classes, counts = proposal.draw(self.samples, self.seed, self.step)
        p = output.parameters
        into: tuple[Array | None, Array | None] = (None, None)
        if gradient:
            rows = np.concatenate([classes, _ids_in(y, output.output_size)])
            into = (output.gradients.touch("V", rows), output.gradients["c"])
        given = None if weights is None else as_array(op, "weights", weights)
        result = _rnnrs.linear_sampled_loss(
            h,
            p["V"],
            p["c"],
            y,
            given,
            self.ignore_id,
            self.reduction == "mean",
            self._rule,
            classes,
            counts,
            self._correction(proposal),
            *into,
        )
        if gradient:
            self.step += 1
        return Evaluation(*result)

    def _proposal_for(self, size: int) -> Proposal:
        """Returns the proposal, by default Zipf's law; checked against the output layer."""
        if self.proposal is None:
            self.proposal = Proposal.log_uniform(size)
        if len(self.proposal) != size:
            raise ShapeError(
                f"{type(self).__name__}.through: proposal: expected one of {size} classes (O), "
                f"got {len(self.proposal)}"
            )
        return self.proposal

    def _correction(self, proposal: Proposal) -> Array:
        """Returns the correction subtracted from each class's score (O,), kept from step to step."""
        if self._kept is None or self._kept[:2] != (proposal, self.samples):
            correction = proposal.log_expected(self.samples) + self._log_normalizer(len(proposal))
            self._kept = (proposal, self.samples, correction)
        return self._kept[2]

    @abstractmethod
    def _log_normalizer(self, size: int) -> float:
        """Returns ln Z, which is held constant."""


class SampledSoftmax(_Sampled):
    """L_t = ln(e^{o_y} + Σ_{w ∈ S, w ≠ y} e^{õ_w}) − o_y, õ_w = o_w − ln k Q(w).

    A softmax over y and k sampled classes. With S sampled from Q and every term divided by k Q, the sum is an
    unbiased estimate of the sum over all wrong classes: importance sampling (Bengio and Senécal 2008; Jean et
    al. 2015). Its logarithm and the gradient are biased. The bias falls with k, and as Q approaches the
    model's own distribution (Blanc and Rendle 2018); for k → ∞, loss and gradient are those of the softmax.

    Args:
        samples: k, sampled anew at each step, with replacement; a class sampled m times counts m times.
        proposal: Q; by default Zipf's law, for ids in order of decreasing frequency, as
            `WordVocabulary.build` assigns them.
        reduction: "mean" or "sum" over the positions that count.
        ignore_id: target of the positions that do not count: they are not scored and get no gradient. None:
            all count.
        seed: seed of the samples.

    Attributes:
        step: the number of the next sample; `through` increments it when it computes gradients.

    Raises:
        ValueError, TypeError: if an argument is out of range.
    """

    name = "sampled softmax loss"
    _rule = "softmax"

    def _log_normalizer(self, size: int) -> float:
        return 0.0  # cancels


class NCE(_Sampled):
    """L_t = −ln σ(õ_y) − Σ_{w ∈ S} ln(1 − σ(õ_w)), õ_w = o_w − ln Z − ln k Q(w).

    Noise-contrastive estimation (Gutmann and Hyvärinen 2012), for language models by Mnih and Teh (2012): a
    logistic regression separates the correct class from k classes sampled from the noise Q. With growing k,
    the gradient approaches that of the softmax. Since Z is held constant, the scores learn to be normalized
    by themselves.

    Args:
        samples: k, sampled anew at each step, with replacement.
        proposal: Q, as for `SampledSoftmax`.
        reduction: "mean" or "sum" over the positions that count.
        ignore_id: target of the positions that do not count: they are not scored and get no gradient. None:
            all count.
        seed: seed of the samples.
        log_normalizer: ln Z; by default ln O, its value if all scores are 0, as at the start of training.

    Attributes:
        step: the number of the next sample; `through` increments it when it computes gradients.

    Raises:
        ValueError, TypeError: if an argument is out of range.
    """

    name = "NCE loss"
    _rule = "nce"

    def __init__(
        self,
        samples: int = 1024,
        *,
        proposal: Proposal | None = None,
        reduction: str = "mean",
        ignore_id: int | None = -1,
        seed: int = 0,
        log_normalizer: float | None = None,
    ) -> None:
        super().__init__(samples, proposal=proposal, reduction=reduction, ignore_id=ignore_id, seed=seed)
        if log_normalizer is not None and not math.isfinite(log_normalizer):
            raise ValueError(f"NCE: log_normalizer: expected a finite number, got {log_normalizer}")
        self.log_normalizer = log_normalizer

    def _log_normalizer(self, size: int) -> float:
        return math.log(size) if self.log_normalizer is None else self.log_normalizer


def _ids_in(y: Array, size: int) -> Array:
    """Returns the targets that are classes; the loss itself rejects invalid ones, by name."""
    if y.dtype.kind not in "iu":
        return np.zeros(0, np.int64)
    return y[(y >= 0) & (y < size)].astype(np.int64)
