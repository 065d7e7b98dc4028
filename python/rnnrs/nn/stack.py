"""A stack of recurrent layers."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_array
from ..errors import ShapeError
from ..shown import short_repr
from ..types import Array
from .bidirectional import Bidirectional
from .embedding import Embedding
from .layer import Composite
from .noise import Dropout, DropoutCache, check_rate, part_noise
from .recurrent import EngineLayer, Recurrent


class StackCache(NamedTuple):
    """The forward-pass values that BPTT needs: the layers' caches, and the last states (B, S)."""

    layers: tuple[Any, ...]  #: of the layers' own cache types
    state: Array
    dropout: tuple[DropoutCache, ...]  #: between the layers

    def __repr__(self) -> str:
        return short_repr(self)


class Stack(Composite):
    """A stack of recurrent layers: the states h of each layer are the input of the next.

    (Goodfellow et al., section 10.5.) A state is the layers' states side by side, the lowest layer's first.

    Parameters: "0.", "1.", …, followed by the layers' own names.

    Args:
        layers: from the input up; each takes the output of the one below it.
        residual: whether every layer but the lowest adds its input to its h, if both have the same size (He
            et al. 2016).
        dropout: probability of dropping an element between two layers, sampled anew at every step (Zaremba,
            Sutskever and Vinyals 2014).

    Attributes:
        input_size, hidden_size, state_size: I of the lowest layer, H of the highest, S of all layers
            together.

    Raises:
        ValueError: if there are no layers, their sizes do not match, a layer occurs twice, or there is no
            place for the residual connections or the dropout.
    """

    def __init__(
        self, *layers: Recurrent | Bidirectional, residual: bool = False, dropout: float = 0.0
    ) -> None:
        if not layers:
            raise ValueError("Stack: layers: expected at least one, got none")
        if len({id(layer) for layer in layers}) < len(layers):
            raise ValueError("Stack: layers: expected each layer once, got one of them twice")
        for i, (below, layer) in enumerate(itertools.pairwise(layers), start=1):
            if layer.input_size != below.hidden_size:
                raise ValueError(
                    f"Stack: layers: expected an input size of {below.hidden_size} for layer {i}, "
                    f"got {layer.input_size}"
                )
        if residual and not any(layer.input_size == layer.hidden_size for layer in layers[1:]):
            raise ValueError(
                "Stack: residual: expected equal input and hidden sizes in a layer above the lowest, got none"
            )
        self.between = Dropout(check_rate("Stack", "dropout", dropout))
        if dropout and len(layers) == 1:
            raise ValueError(f"Stack: dropout: expected 0 with one layer, got {dropout}")
        self.layers, self.residual = layers, residual
        self.input_size, self.hidden_size = layers[0].input_size, layers[-1].hidden_size
        self.state_size = sum(layer.state_size for layer in layers)
        super().__init__(**{str(i): layer for i, layer in enumerate(layers)})

    def forward(
        self,
        x: ArrayLike,
        state: ArrayLike | None = None,
        *,
        lengths: ArrayLike | None = None,
        resets: ArrayLike | None = None,
        gradient: bool = True,
        noise: int | None = None,
        keys: ArrayLike | None = None,
    ) -> tuple[Array, StackCache]:
        """Computes h (T, B, H) of the highest layer for x (T, B, I).

        Args:
            x: (T, B, I).
            state: the state before the first step (B, S), the layers' side by side; zero by default.
            lengths, resets, gradient, noise, keys: see `Recurrent.forward`. Bidirectional layers do not
                support resets. Each layer has its own masks.

        Returns:
            (h (T, B, H), cache); `cache.state` (B, S) is the state after the last step.

        Raises:
            As `Recurrent.forward`.
        """
        first, *others = self._split(state)
        options = _options(lengths, resets, gradient, keys)
        h, cache = self.layers[0].forward(x, first, noise=part_noise(noise, 0), **options)
        return self._up(h, cache, others, noise, options)

    def forward_tokens(
        self,
        embedding: Embedding,
        ids: ArrayLike,
        state: ArrayLike | None = None,
        *,
        lengths: ArrayLike | None = None,
        resets: ArrayLike | None = None,
        gradient: bool = True,
        noise: int | None = None,
        keys: ArrayLike | None = None,
    ) -> tuple[Array, StackCache]:
        """Computes `forward` of x = E[ids]; see `Recurrent.forward_tokens`."""
        first, *others = self._split(state)
        options = _options(lengths, resets, gradient, keys)
        h, cache = self.layers[0].forward_tokens(embedding, ids, first, noise=part_noise(noise, 0), **options)
        return self._up(h, cache, others, noise, options)

    def backward(
        self,
        cache: StackCache,
        dh: ArrayLike | None,
        dstate: ArrayLike | None = None,
        *,
        need_dx: bool = True,
    ) -> tuple[Array | None, Array]:
        """Back-propagates through all layers, the highest first; see `Recurrent.backward`."""
        d, own, others = self._down(cache, dh, dstate)
        dx, first = self.layers[0].backward(cache.layers[0], d, own, need_dx=need_dx)
        return dx, np.concatenate([first, *others], axis=1)

    def backward_tokens(
        self, embedding: Embedding, cache: StackCache, dh: ArrayLike | None, dstate: ArrayLike | None = None
    ) -> Array:
        """Back-propagates through `forward_tokens`; see `Recurrent.backward_tokens`."""
        d, own, others = self._down(cache, dh, dstate)
        first = self.layers[0].backward_tokens(embedding, cache.layers[0], d, own)
        return np.concatenate([first, *others], axis=1)

    @property
    def stochastic(self) -> bool:
        """Whether noise has an effect."""
        return bool(self.between.rate) or any(layer.stochastic for layer in self.layers)

    def state_after(self, cache: StackCache, steps: int) -> Array:
        """Returns the state (B, S) of a forward pass after `steps` steps, from 1 to T."""
        layers = zip(self.layers, cache.layers, strict=True)
        return np.concatenate([layer.state_after(own, steps) for layer, own in layers], axis=1)

    def engine_weights(self) -> list[EngineLayer]:
        """Returns the layers' weights in the form of the engine's stepper.

        Raises:
            ValueError: if a layer is bidirectional or there are residual connections; the stepper has
                neither.
        """
        layers = [layer for layer in self.layers if isinstance(layer, Recurrent)]
        if self.residual or len(layers) < len(self.layers):
            raise ValueError(
                "Stack: layers: expected forward layers without residual connections to run step by step, "
                "got others"
            )
        return [weights for layer in layers for weights in layer.engine_weights()]

    def _up(
        self, h: Array, cache: Any, states: list[Array | None], noise: int | None, options: dict[str, Any]
    ) -> tuple[Array, StackCache]:
        """Runs the layers above the lowest, from the lowest layer's h."""
        caches, drops = [cache], []
        for i, (layer, state) in enumerate(zip(self.layers[1:], states, strict=True), start=1):
            own = part_noise(noise, i)
            below, drop = self.between.forward(h, own, options["keys"])
            above, cache = layer.forward(below, state, noise=own, **options)
            h = above + h if self._adds(layer) else above
            caches.append(cache)
            drops.append(drop)
        state = np.concatenate([cache.state for cache in caches], axis=1)
        return h, StackCache(tuple(caches), state, tuple(drops))

    def _down(
        self, cache: StackCache, dh: ArrayLike | None, dstate: ArrayLike | None, lowest: int = 0
    ) -> tuple[Array | None, Array | None, list[Array]]:
        """Back-propagates to dh and dstate of layer `lowest`, and to the initial states above."""
        d = None if dh is None else as_array("Stack", "dh", dh)
        own, *dstates = self._split(dstate)[lowest:]
        firsts: list[Array] = []
        parts = (self.layers[lowest + 1 :], cache.layers[lowest + 1 :], cache.dropout[lowest:], dstates)
        above = list(zip(*parts, strict=True))
        for layer, layer_cache, drop, layer_dstate in reversed(above):
            dx, first = layer.backward(layer_cache, d, layer_dstate)
            assert dx is not None  # need_dx is True
            dx = self.between.backward(drop, dx)
            d = dx + d if d is not None and self._adds(layer) else dx
            firsts.insert(0, first)
        return d, own, firsts

    def _adds(self, layer: Recurrent | Bidirectional) -> bool:
        return self.residual and layer.input_size == layer.hidden_size

    def _split(self, state: ArrayLike | None) -> list[Array | None]:
        """Returns each layer's part of a state (B, S)."""
        if state is None:
            return [None] * len(self.layers)
        whole = as_array("Stack", "state", state)
        if whole.ndim != 2 or whole.shape[1] != self.state_size:
            raise ShapeError(f"Stack: state: expected (B, S={self.state_size}), got {whole.shape}")
        ends = np.cumsum([layer.state_size for layer in self.layers])[:-1]
        return list(np.split(whole, ends, axis=1))


def learn(
    layer: Recurrent | Bidirectional | Stack,
    embedding: Embedding | None,
    cache: Any,
    dh: Array | None,
    dstate: Array | None = None,
) -> None:
    """Adds the gradients of a layer and of its embedding; computes nothing that only frozen ones need.

    Args:
        layer: the layer.
        embedding: the embedding, for a cache of `forward_tokens`; None for one of `forward`. The gradient of
            x is not computed then.
        cache, dh, dstate: see `Recurrent.backward`.
    """
    tokens = embedding is not None and embedding.parameters.are_trained
    if not (tokens or layer.parameters.are_trained):
        return
    if isinstance(layer, Stack):
        trained = [i for i, part in enumerate(layer.layers) if part.parameters.are_trained]
        lowest = 0 if tokens else min(trained)
        dh, dstate, _ = layer._down(cache, dh, dstate, lowest)
        layer, cache = layer.layers[lowest], cache.layers[lowest]
        embedding = None if lowest else embedding
    if embedding is None:
        layer.backward(cache, dh, dstate, need_dx=False)
    else:
        layer.backward_tokens(embedding, cache, dh, dstate)


def _options(
    lengths: ArrayLike | None, resets: ArrayLike | None, gradient: bool, keys: ArrayLike | None
) -> dict[str, Any]:
    """Returns the options of a layer's forward pass; resets only if given, since not every layer has them."""
    options: dict[str, Any] = {"lengths": lengths, "gradient": gradient, "keys": keys}
    return options if resets is None else options | {"resets": resets}
