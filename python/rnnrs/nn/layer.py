"""The base classes of all layers, and the joining of layers into one model."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import _rnnrs
from ..seeds import derive_seed
from ..shown import shown
from .guarded import adding, reading
from .parameters import Parameters


class Layer:
    """Parameters θ, and ∂L/∂θ in a vector of the same layout.

    A cache refers to the arrays that `forward` got and returned, without a copy: changed in place before
    `backward`, they give wrong gradients. `backward` adds to `gradients`; `zero_gradients` resets them. There
    is no tape: a model's own forward and backward passes call those of its layers in order.

    Several threads may call `forward` and `forward_tokens` at the same time, also while one trains: each call
    sees the parameters of one moment. `backward` and `backward_tokens` raise RuntimeError while another
    thread is in one of them, or trains the model. This holds for the methods of subclasses as they are.

    Attributes:
        parameters: the parameters by name, writable views of one vector.
        gradients: their gradients under the same names.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for names, guarded in (
            (("forward", "forward_tokens"), reading),
            (("backward", "backward_tokens"), adding),
        ):
            for name in names:
                if name in cls.__dict__:
                    setattr(cls, name, guarded(cls.__dict__[name]))

    #: The set that `join` has moved the parameters into.
    _whole: weakref.ref[Parameters] | None = None

    def __init__(self, shapes: dict[str, tuple[int, ...]], dtype: DTypeLike) -> None:
        self.parameters = Parameters(shapes, dtype)
        self.gradients = self.parameters.zeros_like()

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the parameters and of all results: float32 or float64."""
        return self.parameters.dtype

    def __repr__(self) -> str:
        plain = [
            (name, value)
            for name, value in vars(self).items()
            if isinstance(value, (bool, int, float, str, tuple)) and not name.startswith("_")
            if not isinstance(value, tuple) or all(isinstance(part, (int, float)) for part in value)
        ]
        size = [("parameters", self.parameters.size), ("dtype", str(self.dtype))]
        return shown(type(self).__name__, [*plain, *size])

    def zero_gradients(self) -> None:
        """Sets all gradients to zero."""
        self.gradients.fill(0.0)

    @property
    def is_joined(self) -> bool:
        """Whether the parameters are part of a larger set in use: of a network, or of another layer."""
        return self._whole is not None and self._whole() is not None

    def __getstate__(self) -> dict[str, Any]:
        whole = None if self._whole is None else self._whole()
        return self.__dict__ | {"_whole": whole}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Of a layer that was copied by itself, nothing else holds the larger set: the copy stands alone.
        whole = state["_whole"]
        self.__dict__.update(state, _whole=None if whole is None else weakref.ref(whole))

    def move(self, parameters: Parameters, gradients: Parameters, start: int, prefix: str) -> None:
        """Moves parameters and gradients into larger sets, at element `start` of their vectors."""
        self.parameters.move(parameters, start, prefix)
        self.gradients.move(gradients, start, prefix)

    def initialize(self, name: str, scheme: str, scale: float, seed: int) -> None:
        """Initializes a parameter; the same seed gives the same bits on every machine.

        Args:
            name: the parameter.
            scheme: "uniform" on ±scale; "normal" with standard deviation scale; "xavier", uniform on
                ±scale·√(6 / (rows + columns)) (Glorot and Bengio 2010); "orthogonal", times scale (Saxe et
                al. 2014); "identity", times scale (Le, Jaitly and Hinton 2015); "constant".
            scale: see `scheme`.
            seed: from 0 to 2⁶⁴ − 1. Every parameter has its own random stream.

        Raises:
            KeyError: if there is no such parameter.
            ValueError: if the scheme is unknown or the scale is not finite.
        """
        stream = list(self.parameters).index(name) if name in self.parameters else 0
        _rnnrs.initialize(self.parameters[name], scheme, scale, derive_seed(seed, stream))


def join(**layers: Layer) -> tuple[Parameters, Parameters]:
    """Moves the parameters and gradients of several layers into one vector each.

    The layers keep working, on views of the new vectors.

    Args:
        layers: by the prefix of their joint parameter names: `join(rnn=a, output=b)` gives "rnn.U", …,
            "output.c".

    Returns:
        (parameters, gradients) of all layers.

    Raises:
        ValueError: if there are no layers, their dtypes differ, or one belongs to another network, whose
            parameters it would take away: give a copy of it (`copy.deepcopy`).
    """
    for place, (prefix, layer) in enumerate(layers.items()):
        if layer.is_joined or any(layer is other for other in list(layers.values())[:place]):
            raise ValueError(
                f"join: {prefix}: expected a layer that belongs to no other network, got one that does; "
                "give a copy of it: copy.deepcopy(layer)"
            )
    dtypes = {layer.dtype for layer in layers.values()}
    if len(dtypes) != 1:
        raise ValueError(
            f"join: layers: expected layers of one dtype, got {sorted(map(str, dtypes)) or 'no layers'}"
        )
    shapes = {
        f"{prefix}.{name}": shape
        for prefix, layer in layers.items()
        for name, shape in layer.parameters.shapes.items()
    }
    parameters = Parameters(shapes, dtypes.pop())
    gradients = parameters.zeros_like()
    start = 0
    for prefix, layer in layers.items():
        layer.move(parameters, gradients, start, prefix)
        layer._whole = weakref.ref(parameters)
        start += layer.parameters.size
    parameters._remember()
    return parameters, gradients


class Composite(Layer):
    """A layer made of layers, whose parameters it holds in one vector.

    Attributes:
        parts: the layers, by the prefix of their parameter names.
    """

    def __init__(self, **parts: Layer) -> None:
        self.parts = parts
        self.parameters, self.gradients = join(**parts)

    def __repr__(self) -> str:
        size = [("parameters", self.parameters.size), ("dtype", str(self.dtype))]
        return shown(type(self).__name__, [*self.parts.items(), *size])

    def move(self, parameters: Parameters, gradients: Parameters, start: int, prefix: str) -> None:
        """Moves parameters and gradients into larger sets, including those of the parts."""
        super().move(parameters, gradients, start, prefix)
        for name, part in self.parts.items():
            part.move(parameters, gradients, start, f"{prefix}.{name}")
            start += part.parameters.size
