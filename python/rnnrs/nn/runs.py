"""The gradients of several runs of a batch's sequences, each by itself, from one backward pass through time.

What a sequence computes does not depend on the others. So the passes through time of all runs are one call,
and only the products over all steps are one for each run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from .. import _rnnrs
from ..types import Array
from .embedding import Embedding, EmbeddingCache
from .linear import input_gradient
from .order import Order, order_of
from .parameters import Parameters
from .recurrent import Recurrent
from .recurrent_cache import RecurrentCache
from .recurrent_masks import drop_input
from .recurrent_state import initial_state_gradient
from .stack import Stack


class Sums(Protocol):
    """Takes gradients run by run, and adds them up."""

    least: int  #: the number of steps in the smallest run of the whole batch, whoever computes it
    finish: Callable[[], None] | None  #: what is to be computed from the sums

    def take(self, gradients: Parameters, run: int) -> None:
        """Moves the gradients of a run to their sum, and leaves zeros."""
        ...

    def view(self, gradients: Parameters, name: str) -> Parameters:
        """Returns one of several arrays by itself."""
        ...

    def buffer(self, gradients: Parameters, name: str, shape: tuple[int, ...]) -> Parameters:
        """Returns a further array, zero at first, the same one at every step."""
        ...


class _Traced(NamedTuple):
    """A layer after its backward pass through time: its cache, da, and the gradient of its initial state."""

    layer: Recurrent
    cache: RecurrentCache
    da: Array
    dfirst: Array


def runs_together(layer: Any, *others: Any) -> bool:
    """Returns whether `backward_runs` serves a recurrent layer; nothing of all these may be frozen."""
    layers = layer.layers if isinstance(layer, Stack) else [layer]
    plain = all(isinstance(one, Recurrent) and not one.layer_norm for one in layers)
    return plain and not any(one.parameters.frozen for one in (layer, *others))


def backward_runs(
    layer: Recurrent | Stack,
    embedding: Embedding,
    cache: Any,
    dh: Array,
    runs: Sequence[slice],
    sums: Sums,
    *,
    lengths: Array | None = None,
    resets: Array | None = None,
) -> None:
    """Back-propagates through `forward_tokens`.

    Where the forward pass read the table P = b + U E, and each run has more steps than P has rows, dP is
    added up instead of dU, db and dE, which follow from the sum.

    Args:
        layer: the layer, see `runs_together`.
        embedding: that of the forward pass.
        cache: from `forward_tokens`.
        dh: (T, B, H), the upstream gradient.
        runs: the sequences of each run.
        sums: takes the gradients of each run; all are zero before.
        lengths, resets: those of the forward pass.
    """
    lowest, *others = _through_time(layer, cache, dh)
    V, T, table = embedding.vocabulary_size, len(dh), None
    if lowest.cache.x is None and sums.least > V:
        table = sums.buffer(lowest.layer.gradients, "P", (V, lowest.da.shape[-1]))
        sums.finish = lambda: _finish(lowest.layer, embedding, table)
    for i, run in enumerate(runs):
        order = None
        if lowest.cache.order is not None:
            shape = T, run.stop - run.start
            own_lengths, own_resets = (None if part is None else part[..., run] for part in (lengths, resets))
            order = order_of(type(layer).__name__, shape, own_lengths, own_resets, False)
        for traced in others:
            part, cache_of_run, da = _of_run(traced, run, order)
            part._add_gradients(cache_of_run, da, None, False)
            sums.take(part.gradients, i)
        part, cache_of_run, da = _of_run(lowest, run, order)
        assert cache_of_run.tokens is not None  # see forward_tokens
        ids = np.asarray(cache_of_run.tokens.ids)
        if table is None:
            if cache_of_run.x is None and ids.size <= V:  # as a pass of the run alone
                x = _rnnrs.embedding_forward(ids, embedding.parameters["E"])
                cache_of_run = cache_of_run._replace(x=x)
            part.add_token_gradients(embedding, cache_of_run, da, None)
            sums.take(embedding.gradients, i)
            sums.take(part.gradients, i)
            continue
        _rnnrs.embedding_backward(ids, da, table["P"])
        part._add_recurrent_gradient(cache_of_run, da)
        sums.take(table, i)
        for name in ("W", "state") if part.learn_state else ("W",):
            sums.take(sums.view(part.gradients, name), i)


def _finish(layer: Recurrent, embedding: Embedding, table: Parameters) -> None:
    """Adds dU, db and dE from dP: dU = dPᵀ E, db = Σ dP, dE = dP U."""
    dE = layer._add_input_gradients(embedding.parameters["E"], table["P"], None, None, True)
    embedding.gradients.touch("E", slice(None))[...] += dE


def _through_time(layer: Recurrent | Stack, cache: Any, dh: Array) -> list[_Traced]:
    """Runs BPTT of all layers, the highest first; returns the lowest first."""
    layers, caches = ([layer], [cache]) if isinstance(layer, Recurrent) else (layer.layers, cache.layers)
    traced: list[_Traced] = []
    d = dh
    for i in reversed(range(len(layers))):
        part, own = layers[i], caches[i]
        assert isinstance(part, Recurrent)  # see runs_together
        da, dfirst, _ = part._through_time(own, d, None)
        traced.insert(0, _Traced(part, own, da, dfirst))
        if i and isinstance(layer, Stack):
            dx = drop_input(part, input_gradient(part.parameters["U"], part._input_sums(da)), own.drawn)
            dx = layer.between.backward(
                cache.dropout[i - 1], dx if own.order is None else own.order.unpack(dx)
            )
            d = dx + d if layer._adds(part) else dx
    return traced


def _of_run(traced: _Traced, run: slice, order: Order | None) -> tuple[Recurrent, RecurrentCache, Array]:
    """Returns the layer, and the cache and da of a run as its pass alone would make them.

    Adds the gradient of a learned initial state.
    """
    layer, whole, da, dfirst = traced
    B, shape = run.stop - run.start, whole.h.shape
    if order is None or whole.order is None:
        steps = np.arange(shape[0])[:, None] * shape[1] + np.arange(run.start, run.stop)
        places, sequences, shape = steps.ravel(), np.arange(run.start, run.stop), (shape[0], B)
    else:
        T, columns = whole.order.shape
        places = whole.order.places[order.rows // B * columns + order.rows % B + run.start]
        code = whole.order.stream * T + whole.order.first
        sorted_code = np.argsort(code)
        wanted = (order.stream + run.start) * T + order.first
        sequences, shape = sorted_code[np.searchsorted(code, wanted, sorter=sorted_code)], (len(places),)

    def rows(array: Any) -> Any:
        """The run's rows of an array of the engine."""
        if array is None:
            return None
        flat = np.asarray(array).reshape(-1, np.shape(array)[-1])
        return _rnnrs.embedding_forward(places, flat).reshape(*shape, flat.shape[1])

    def numbers(array: Any) -> Array:
        found: Array = np.asarray(array).reshape(-1)[places]
        return found

    tokens, drawn = whole.tokens, whole.drawn
    if tokens is not None:
        tokens = EmbeddingCache(numbers(tokens.ids).reshape(shape), rows(tokens.scales))
    mask, *others = drawn.extras
    if drawn.rows is not None:
        keys, steps, seed = drawn.rows
        drawn = drawn._replace(rows=(numbers(keys), numbers(steps), seed))
    drawn = drawn._replace(extras=(None if mask is None else mask[sequences], *others))
    first = None if whole.first is None else whole.first[sequences]
    if whole.x is not None and order is not None and whole.x.ndim == 3:  # the engine reads it by its order
        x = np.ascontiguousarray(whole.x[:, run])
    else:
        x = rows(whole.x)
    own = whole._replace(x=x, tokens=tokens, first=first, h=rows(whole.h), drawn=drawn, order=order)
    initial_state_gradient(layer, own, dfirst[sequences])
    return layer, own, rows(da)
