"""Layers one after the other."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..types import Array
from .batch_norm import BatchNorm
from .layer import Composite, Layer


class Link(Protocol):
    """A layer of a `Sequential`: one array in, one out. One with parameters also takes `need_dx` on the way back."""

    def forward(self, x: ArrayLike) -> tuple[Array, Any]:
        """(y, cache) of x."""
        ...

    def backward(self, cache: Any, dy: ArrayLike) -> Array | None:
        """dx of dy."""
        ...


class Sequential(Composite):
    """Layers of one input and one output, the y of each the next one's x: a stack of convolutions and poolings, say.

    Parameters: "0.", "1.", …, the layers' places, then their own names; a layer without parameters has none here.

    Args:
        layers: from the input on: `Conv2d`, `MaxPool2d`, `GlobalPool2d`, `Linear`, a layer of your own, …

    Raises:
        ValueError: without layers that have parameters, for one that occurs twice, or for different dtypes.
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
        """The moving averages of each `BatchNorm` in it."""
        holders = (layer for layer in self.layers if isinstance(layer, (BatchNorm, Sequential)))
        return [average for layer in holders for average in layer.averages]

    def forward(self, x: ArrayLike, *, training: bool = False) -> tuple[Array, tuple[Any, ...]]:
        """(y, caches) of x: the last layer's y.

        Args:
            x: what the first layer takes.
            training: passed on to each `BatchNorm`; nothing else depends on it.

        Raises:
            As the layers' `forward`.
        """
        y, caches = np.asarray(x), []
        for layer in self.layers:
            if isinstance(layer, (BatchNorm, Sequential)):
                y, cache = layer.forward(y, training=training)
            else:
                y, cache = layer.forward(y)
            caches.append(cache)
        return y, tuple(caches)

    def backward(self, cache: tuple[Any, ...], dy: ArrayLike, need_dx: bool = True) -> Array | None:
        """dx of dy, layer by layer from the last to the first; adds to all gradients.

        Args:
            cache: from `forward`.
            dy: ∂L/∂y.
            need_dx: whether dx is wanted. If not, the way back ends with the first layer that has parameters.

        Raises:
            As the layers' `backward`.
        """
        d: Any = dy
        for i in reversed(range(len(self.layers))):
            layer: Any = self.layers[i]
            if i == self._lowest and not need_dx:
                layer.backward(cache[i], d, need_dx=False)
                return None
            d = layer.backward(cache[i], d)
        return np.asarray(d)
