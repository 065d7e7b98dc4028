"""Losses to train a large vocabulary with: the right answer against a sample of the others.

They cost T·B·k·H instead of T·B·O·H, and touch only the sampled rows of V. They are not the negative log-likelihood,
and so say nothing about how good a model is: judge by `SoftmaxCrossEntropy`, as `LanguageModel` does.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike

from .. import _rnnrs
from ..checks import check_size
from ..errors import ShapeError
from ..nn.linear import Linear
from ..seeds import derive_seed
from ..types import Array
from .dense import Evaluation
from .proposal import Proposal


class _Sampled(ABC):
    """What both losses share: drawing, and the fused call.

    Attributes:
        step: which draw comes next. `through` counts on whenever it gives gradients; set it to repeat a draw.
    """

    #: What it is called in reports of a training.
    name: str
    #: Its name for the Rust module.
    _rule: str

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
        derive_seed(seed, 0)  # refuses what is no seed
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
        """The loss of o = c + V h at the right answers and at k drawn ones, the same for all positions.

        Args:
            output: the output layer; dV and dc are added to where `gradient` is set, in the rows concerned.
            h: states (…, H).
            y: ids (…), from 0 to O − 1, or `ignore_id`.
            weights: (…), a weight of each position.
            gradient: whether gradients are wanted; then `step` counts on.

        Returns:
            L, each position's loss, and dh (…, H) or None.

        Raises:
            IndexError, ShapeError, DTypeError: for arrays that do not fit; ShapeError also if the proposal is for
                another number of classes.
            ValueError: for a mean over no positions.
        """
        y = np.asarray(y)
        proposal = self._proposal_for(output.output_size)
        classes, counts = proposal.draw(self.samples, self.seed, self.step)
        p = output.parameters
        into: tuple[Array | None, Array | None] = (None, None)
        if gradient:
            rows = np.concatenate([classes, _ids_in(y, output.output_size)])
            into = (output.gradients.touch("V", rows), output.gradients["c"])
        given = None if weights is None else np.asarray(weights)
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
        """The proposal, by default Zipf's; checked against the output layer."""
        if self.proposal is None:
            self.proposal = Proposal.log_uniform(size)
        if len(self.proposal) != size:
            raise ShapeError(
                f"{type(self).__name__}.through: proposal: expected one of {size} classes (O), got {len(self.proposal)}"
            )
        return self.proposal

    def _correction(self, proposal: Proposal) -> Array:
        """What is taken off each class's score (O,), kept from step to step."""
        if self._kept is None or self._kept[:2] != (proposal, self.samples):
            correction = proposal.log_expected(self.samples) + self._log_normalizer(len(proposal))
            self._kept = (proposal, self.samples, correction)
        return self._kept[2]

    @abstractmethod
    def _log_normalizer(self, size: int) -> float:
        """ln Z, where it is held constant."""


class SampledSoftmax(_Sampled):
    """L_t = ln(e^{o_y} + Σ_{w ∈ S, w ≠ y} e^{õ_w}) − o_y, õ_w = o_w − ln k Q(w): a softmax over y and k drawn classes.

    With S drawn from Q and every term divided by k Q, the sum is an unbiased estimate of that over all the wrong
    classes: importance sampling (Bengio and Senécal 2008; Jean et al. 2015). Its logarithm, and the gradient, are
    biased, the less so the larger k and the nearer Q is to the model's own distribution (Blanc and Rendle 2018); for
    k → ∞ they are those of the softmax.

    Args:
        samples: k, drawn anew at each step, with replacement; a class drawn m times counts m times.
        proposal: Q; by default Zipf's law, for ids in the order of falling frequency, as `WordVocabulary.build` has
            them.
        reduction: "mean" or "sum" over the positions that count.
        ignore_id: positions with this target are not scored and get no gradient; None: there are none.
        seed: of the draws.

    Attributes:
        step: which draw comes next; `through` counts on whenever it gives gradients.

    Raises:
        ValueError, TypeError: for a setting out of its range.
    """

    name = "sampled softmax loss"
    _rule = "softmax"

    def _log_normalizer(self, size: int) -> float:
        return 0.0  # cancels


class NCE(_Sampled):
    """L_t = −ln σ(õ_y) − Σ_{w ∈ S} ln(1 − σ(õ_w)), õ_w = o_w − ln Z − ln k Q(w): is a word data or noise?

    Noise-contrastive estimation (Gutmann and Hyvärinen 2012), for language models by Mnih and Teh (2012): a logistic
    regression tells the right answer from k classes drawn from the noise Q. For growing k the gradient becomes that of
    the softmax; the scores learn to be normalized by themselves, with Z held constant.

    Args:
        samples: k, drawn anew at each step, with replacement.
        proposal: Q, as for `SampledSoftmax`.
        reduction: "mean" or "sum" over the positions that count.
        ignore_id: positions with this target are not scored and get no gradient; None: there are none.
        seed: of the draws.
        log_normalizer: ln Z; by default ln O, what it is where all scores are 0, as at the start of a training.

    Attributes:
        step: which draw comes next; `through` counts on whenever it gives gradients.

    Raises:
        ValueError, TypeError: for a setting out of its range.
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
    """The targets that are classes; what else there is among them is refused, by name, in the call itself."""
    if y.dtype.kind not in "iu":
        return np.zeros(0, np.int64)
    return y[(y >= 0) & (y < size)].astype(np.int64)
