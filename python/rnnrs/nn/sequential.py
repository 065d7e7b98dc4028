"""Layers in sequence."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_array
from ..types import Array
from .batch_norm import BatchNorm
from .layer import Composite, Layer


class Link(Protocol):
    """A layer of a `Sequential`: one array in, one out. With parameters, `backward` also takes `need_dx`."""

    def forward(self, x: ArrayLike) -> tuple[Array, Any]:
        """Returns (y, cache) for x."""
        ...

    def backward(self, cache: Any, dy: ArrayLike) -> Array | None:
        """Returns dx for dy."""
        ...


class Sequential(Composite):
    """Layers in sequence, each applied to the output of the one before, such as convolutions and poolings.

    Parameters: "0.", "1.", …, the layers' places, followed by their own names; a layer without parameters has
    none here.

    Args:
        layers: in order from the input: `Conv2d`, `MaxPool2d`, `GlobalPool2d`, `Linear`, a layer of your own,
            …

    Raises:
        ValueError: if no layer has parameters, a layer occurs twice, or their dtypes differ.
    """

    def __init__(self, *layers: Link) -> None:
        parts = {str(i): layer for i, layer in enumerate(layers) if isinstance(layer, Layer)}
        if not parts:
            raise ValueError("Sequential: layers: expected at least one with parameters, got none")
        if len({id(layer) for layer in parts.values()}) < len(parts):
            raise ValueError("Sequential: layers: expected each layer once, got one of them twice")
        self.layers = layers
        self._lowest = int(next(iter(parts)))
        super().__init__(**parts)

    @property
    def averages(self) -> list[Array]:
        """The moving averages of every `BatchNorm` in the sequence."""
        holders = (layer for layer in self.layers if isinstance(layer, (BatchNorm, Sequential)))
        return [average for layer in holders for average in layer.averages]

    def forward(self, x: ArrayLike, *, training: bool = False) -> tuple[Array, tuple[Any, ...]]:
        """Returns (y, caches) for x, where y is the last layer's output.

        Args:
            x: the first layer's input.
            training: passed on to every `BatchNorm`; no other layer depends on it.

        Raises:
            As the layers' `forward`.
        """
        y, caches = as_array("Sequential.forward", "x", x), []
        for layer in self.layers:
            if isinstance(layer, (BatchNorm, Sequential)):
                y, cache = layer.forward(y, training=training)
            else:
                y, cache = layer.forward(y)
            caches.append(cache)
        return y, tuple(caches)

    def backward(self, cache: tuple[Any, ...], dy: ArrayLike, need_dx: bool = True) -> Array | None:
        """Returns dx for dy, layer by layer from the last to the first; adds to all gradients.

        Args:
            cache: from `forward`.
            dy: ∂L/∂y.
            need_dx: whether to compute dx. Without it, the backward pass ends at the first layer that has
                parameters and is not frozen.

        Raises:
            As the layers' `backward`.
        """
        trained = [int(i) for i, part in self.parts.items() if part.parameters.are_trained]
        lowest = self._lowest if need_dx else min(trained, default=None)
        if lowest is None:
            return None
        d: Any = dy
        for i in reversed(range(len(self.layers))):
            layer: Any = self.layers[i]
            if i == lowest and not need_dx:
                layer.backward(cache[i], d, need_dx=False)
                return None
            d = layer.backward(cache[i], d)
        return np.asarray(d)
