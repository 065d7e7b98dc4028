"""The adaptive softmax: an output layer whose cost depends on the words' frequencies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import _rnnrs
from ..checks import as_array, check_size
from ..errors import ShapeError
from ..shown import short_repr
from ..types import Array
from .layer import Layer


class Tail(NamedTuple):
    """The parameters, or the gradients, of a cluster of n rarer classes: P (d, I), V (n, d), c (n)."""

    P: Array
    V: Array
    c: Array

    def __repr__(self) -> str:
        return short_repr(self)


class AdaptiveCache(NamedTuple):
    """The forward-pass values that `AdaptiveSoftmax.backward` needs.

    Attributes:
        x: (…, I).
        z: each tail's projection (…, d).
        head: ln P of the head (…, c₁ + K).
        log_p: ln P of all classes (…, O).
    """

    x: Array
    z: list[Array]
    head: Array
    log_p: Array

    def __repr__(self) -> str:
        return short_repr(self)


class AdaptiveSoftmax(Layer):
    """ln P(w) over O classes in clusters: a head of frequent classes, and clusters of rarer ones.

    The head's softmax is over the c₁ most frequent classes and the K clusters. P(w) for w in cluster k is
    P(cluster k) times a softmax within it, of V_k P_k x + c_k. The projection P_k reduces x to d_k = I /
    factor^k numbers, since rare words are too few to train large vectors (Grave, Joulin, Cissé, Grangier and
    Jégou 2017). If most words are frequent ones, most positions cost c₁ + K products instead of O.
    Probabilities are exact and sum to 1.

    This pays off only if ids are in order of decreasing frequency, as `WordVocabulary.build` assigns them.

    Parameters: head.V (c₁ + K, I), head.c (c₁ + K), and for each tail k from 1: tail{k}.P (d_k, I), tail{k}.V
    (n_k, d_k), tail{k}.c (n_k). Matrices are initialized uniformly on ±1/√(their columns), biases to zero.

    Args:
        input_size: I; the hidden size H if this is a network's output layer.
        output_size: O.
        cutoffs: c₁ < c₂ < … < O: the head has the ids below c₁, tail k those from c_k up to, but not
            including, the next cutoff.
        factor: ratio of each cluster's vector size to the next one's.
        seed: seed of the initial weights.
        dtype: float32 or float64.

    Attributes:
        bounds: c₁, …, c_K, O.

    Raises:
        ValueError, TypeError: if a size is not a positive whole number, the cutoffs do not increase or are
            not below O, or the factor is below 1.
        MemoryError: if the weights do not fit in memory.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        cutoffs: Sequence[int],
        factor: float = 4.0,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        shapes = adaptive_shapes(input_size, output_size, cutoffs, factor)
        self.input_size, self.output_size = int(input_size), int(output_size)
        self.bounds = [*(int(cutoff) for cutoff in cutoffs), self.output_size]
        super().__init__(shapes, dtype)
        for name, shape in shapes.items():
            if len(shape) == 2:
                self.initialize(name, "uniform", shape[1] ** -0.5, seed)

    @property
    def clusters(self) -> int:
        """K, the number of clusters of rarer classes."""
        return len(self.bounds) - 1

    def tail(self, k: int, *, gradients: bool = False) -> Tail:
        """Returns the parameters of tail k, from 1, or their gradients."""
        arrays = self.gradients if gradients else self.parameters
        return Tail(*(arrays[f"tail{k}.{name}"] for name in ("P", "V", "c")))

    def forward(self, x: ArrayLike) -> tuple[Array, AdaptiveCache]:
        """Computes ln P (…, O) for x (…, I), exactly for every class.

        Raises:
            ShapeError: if the last axis of x does not have size I.
            DTypeError: if x does not hold real numbers.
        """
        x = as_array("AdaptiveSoftmax.forward", "x", x)
        p = self.parameters
        scores = _rnnrs.linear_forward(x, p["head.V"], p["head.c"])
        tails = [self.tail(k) for k in range(1, self.clusters + 1)]
        z = [_rnnrs.linear_forward(x, tail.P, no_bias(tail.P)) for tail in tails]
        head, log_p = log_probabilities(scores, z, tails, self.bounds)
        return log_p, AdaptiveCache(x, z, head, log_p)

    def backward(self, cache: AdaptiveCache, dlog_p: ArrayLike) -> Array:
        """Computes ∂L/∂x (…, I) from ∂L/∂ln P (…, O); adds to all gradients.

        With g = ∂L/∂ln P within a softmax p, the gradient of its scores is g − p Σ g. The gradient of a
        cluster's entry in the head is the sum of the cluster's g.

        Raises:
            ShapeError: if dlog_p does not have the shape of ln P.
        """
        dlog_p = as_array("AdaptiveSoftmax.backward", "dlog_p", dlog_p).astype(self.dtype, copy=False)
        if dlog_p.shape != cache.log_p.shape:
            raise ShapeError(
                f"AdaptiveSoftmax.backward: dlog_p: expected {cache.log_p.shape}, got {dlog_p.shape}"
            )
        first, g = self.bounds[0], self.gradients
        dhead = np.empty_like(cache.head)
        dhead[..., :first] = dlog_p[..., :first]
        shares = []
        for k in range(1, self.clusters + 1):
            own = slice(self.bounds[k - 1], self.bounds[k])
            within = cache.log_p[..., own] - cache.head[..., first + k - 1, None]
            dhead[..., first + k - 1] = dlog_p[..., own].sum(-1)
            do = _through_softmax(within, dlog_p[..., own])
            shares.append(self._back_through_tail(k, cache, do))
        do = _through_softmax(cache.head, dhead)
        dx = _rnnrs.linear_backward(cache.x, self.parameters["head.V"], do, g["head.V"], g["head.c"], True)
        assert dx is not None  # need_dx is True
        for share in shares:
            dx += share
        return dx

    def _back_through_tail(self, k: int, cache: AdaptiveCache, do: Array) -> Array:
        """Returns tail k's part of ∂L/∂x, given ∂L/∂ its scores; adds to its gradients."""
        P, V, _ = self.tail(k)
        dP, dV, dc = self.tail(k, gradients=True)
        dz = _rnnrs.linear_backward(cache.z[k - 1], V, do, dV, dc, True)
        assert dz is not None  # need_dx is True
        dx = _rnnrs.linear_backward(cache.x, P, dz, dP, no_bias(P), True)
        assert dx is not None  # need_dx is True
        return dx


def adaptive_shapes(
    input_size: int, output_size: int, cutoffs: Sequence[int], factor: float = 4.0
) -> dict[str, tuple[int, ...]]:
    """Returns the parameter shapes of an `AdaptiveSoftmax`, by name.

    Raises:
        ValueError, TypeError: as the layer.
    """
    op = "AdaptiveSoftmax"
    I, O = check_size(op, "input_size", input_size), check_size(op, "output_size", output_size)
    if isinstance(cutoffs, (str, bytes)) or not isinstance(cutoffs, (Sequence, np.ndarray)):
        raise TypeError(f"{op}: cutoffs: expected a sequence of whole numbers, got {cutoffs!r}")
    bounds = [*(check_size(op, "cutoffs", cutoff) for cutoff in cutoffs), O]
    if len(bounds) < 2 or any(a >= b for a, b in pairwise(bounds)):
        raise ValueError(f"{op}: cutoffs: expected increasing numbers below {O} (O), got {list(cutoffs)}")
    if not 1.0 <= factor < float("inf"):
        raise ValueError(f"{op}: factor: expected a finite number from 1, got {factor}")
    head = bounds[0] + len(bounds) - 1
    shapes: dict[str, tuple[int, ...]] = {"head.V": (head, I), "head.c": (head,)}
    for k in range(1, len(bounds)):
        d, n = max(1, int(I / factor**k)), bounds[k] - bounds[k - 1]
        shapes |= {f"tail{k}.P": (d, I), f"tail{k}.V": (n, d), f"tail{k}.c": (n,)}
    return shapes


def log_probabilities(
    scores: Array, z: Sequence[Array], tails: Sequence[Tail], bounds: Sequence[int]
) -> tuple[Array, Array]:
    """Returns (ln P of the head (…, c₁ + K), ln P of all classes (…, O)).

    Args:
        scores: the head's scores (…, c₁ + K).
        z: each tail's projection (…, d).
        tails: the tails' parameters.
        bounds: c₁, …, c_K, O.
    """
    first = bounds[0]
    head = _rnnrs.log_softmax(scores)
    log_p = np.empty((*scores.shape[:-1], bounds[-1]), scores.dtype)
    log_p[..., :first] = head[..., :first]
    for k, (projected, tail) in enumerate(zip(z, tails, strict=True)):
        own = log_p[..., bounds[k] : bounds[k + 1]]
        own[...] = _rnnrs.log_softmax(_rnnrs.linear_forward(projected, tail.V, tail.c))
        own += head[..., first + k, None]
    return head, log_p


def no_bias(P: Array) -> Array:
    """Returns a bias of zeros (d,), which also serves as its unused gradient."""
    return np.zeros(len(P), P.dtype)


def _through_softmax(log_p: Array, g: Array) -> Array:
    """Returns ∂L/∂o for g = ∂L/∂ln p, p = softmax(o)."""
    return np.asarray(g - np.exp(log_p) * g.sum(-1, keepdims=True))
