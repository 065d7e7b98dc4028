"""Batch normalization: activations of mean 0 and variance 1 between layers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import _rnnrs
from ..checks import as_array, check_size
from ..shown import short_repr
from ..types import Array
from .layer import Layer
from .rnn import ACTIVATIONS


class BatchNormCache(NamedTuple):
    """The forward-pass values that `BatchNorm.backward` needs."""

    x: ArrayLike
    y: Array | None  #: if there is an activation
    mean: Array  #: (C), as used for x
    variance: Array  #: (C)
    training: bool  #: whether mean and variance are the batch's own

    def __repr__(self) -> str:
        return short_repr(self)


class BatchNorm(Layer):
    """y = f(γ ⊙ (x − μ) / √(σ² + ε) + β) for rows of C numbers, channel by channel.

    (Ioffe and Szegedy 2015.) In training, μ and σ² are those of the batch: of all its rows, which for
    pictures (B, Y, X, C) are its pixels. Only here in this package does a result depend on the rest of the
    batch. Otherwise they are moving averages, and each row is normalized by itself.

    `forward` changes nothing. The averages are updated where gradients are accumulated: in `backward`, once
    per batch.

    Parameters: gamma (C), one; beta (C), zero; and the averages mean (C), zero, and variance (C), one, so
    that they are saved and loaded along with the others. The gradients of the averages are always zero; only
    an optimizer's weight decay changes them, by an amount that the next batch makes negligible.

    Args:
        channels: C.
        activation: f, one of `ACTIVATIONS`.
        momentum: the share of an average that a batch's own statistics replace, 0 to 1.
        epsilon: ε.
        dtype: float32 or float64.

    Raises:
        ValueError, TypeError: if the size is not a positive whole number, the momentum or ε is out of range,
            or the activation is unknown.
    """

    def __init__(
        self,
        channels: int,
        *,
        activation: str = "identity",
        momentum: float = 0.1,
        epsilon: float = 1e-5,
        dtype: DTypeLike = np.float32,
    ) -> None:
        C = self.channels = check_size("BatchNorm", "channels", channels)
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"BatchNorm: activation: expected one of {', '.join(ACTIVATIONS)}, got {activation!r}"
            )
        if not 0.0 <= momentum <= 1.0:
            raise ValueError(f"BatchNorm: momentum: expected a number from 0 to 1, got {momentum!r}")
        if not 0.0 < epsilon < np.inf:
            raise ValueError(f"BatchNorm: epsilon: expected a positive number, got {epsilon!r}")
        self.activation, self.momentum, self.epsilon = activation, float(momentum), float(epsilon)
        super().__init__({"gamma": (C,), "beta": (C,), "mean": (C,), "variance": (C,)}, dtype)
        for name in ("gamma", "variance"):
            self.parameters[name].fill(1.0)

    @property
    def averages(self) -> list[Array]:
        """The moving averages, which `backward` updates in addition to the gradients."""
        return [self.parameters["mean"], self.parameters["variance"]]

    def forward(self, x: ArrayLike, *, training: bool = False) -> tuple[Array, BatchNormCache]:
        """Computes y (…, C) for x (…, C).

        Args:
            x: rows of C numbers.
            training: whether to normalize with the batch's own mean and variance instead of the averages.

        Raises:
            ShapeError: if the last axis of x does not have size C.
            DTypeError: if x does not hold real numbers.
        """
        p = self.parameters
        given = None if training else (p["mean"].copy(), p["variance"].copy())
        y, mean, variance = _rnnrs.batch_norm_forward(
            as_array("BatchNorm.forward", "x", x),
            p["gamma"],
            p["beta"],
            given,
            self.epsilon,
            self.activation,
        )
        return y, BatchNormCache(x, None if self.activation == "identity" else y, mean, variance, training)

    def backward(self, cache: BatchNormCache, dy: ArrayLike, need_dx: bool = True) -> Array | None:
        """Adds dγ += Σ dz ⊙ x̂ and dβ += Σ dz, with dz = dy ⊙ f′; in training, also updates the averages.

        dx = γ / √(σ² + ε) ⊙ (dz − mean of dz − x̂ ⊙ mean of dz ⊙ x̂); without the means if not in training.

        Args:
            cache: from `forward`.
            dy: ∂L/∂y (…, C).
            need_dx: whether to compute dx.

        Returns:
            dx (…, C); None without `need_dx`.

        Raises:
            ShapeError: if dy does not have the shape of y.
        """
        p, g, x = self.parameters, self.gradients, np.asarray(cache.x)
        dx = _rnnrs.batch_norm_backward(
            x,
            cache.y,
            p["gamma"],
            (cache.mean, cache.variance, cache.training),
            as_array("BatchNorm.backward", "dy", dy),
            g["gamma"],
            g["beta"],
            self.epsilon,
            self.activation,
        )
        n = x.size // self.channels
        if cache.training and n:
            # The unbiased estimate of the variance, as in PyTorch.
            unbiased = cache.variance * (n / max(n - 1, 1))
            # What is not finite is refused by the trainer, which restores the averages.
            with p.changing, np.errstate(over="ignore", invalid="ignore"):
                for name, own in (("mean", cache.mean), ("variance", unbiased)):
                    if name not in p.frozen:
                        p[name][...] += np.asarray(self.momentum * (own - p[name]), self.dtype)
        return dx if need_dx else None
