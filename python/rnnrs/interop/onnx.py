"""Picture features from a network in an ONNX file, run by ONNX Runtime (extra "onnx")."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._rnnrs import get_num_threads
from ..checks import as_array
from ..errors import DTypeError, FormatError, ShapeError, require
from ..types import Array

#: The means and standard deviations of ImageNet's colors, on which most networks for pictures were trained.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class PictureFeatures:
    """A network that turns pictures into vectors or grids of features, for `models.Captioner(features=…)`.

    Its input is (colors 0..1 − `mean`) / `std`, with the channels where the network expects them.

    Args:
        path: the ONNX file, with one input (N, 3, Y, X) or (N, Y, X, 3) of real numbers.
        output: the name of the output to use; the first by default. For features it should be one before the
            classes.
        mean, std: of red, green and blue; ImageNet's by default.

    Attributes:
        size: Y and X of the pictures that the network accepts; None if any.
        output: the output's name.

    Raises:
        MissingExtraError: if ONNX Runtime is missing.
        OSError: if the file cannot be read.
        FormatError: if it is not a network for pictures.
        ValueError: if it does not have the output, or mean or std are not three numbers.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        output: str | None = None,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
    ) -> None:
        runtime = require("onnxruntime", "onnx")
        self.path = os.fspath(path)
        with open(self.path, "rb"):  # raises OSError for an unreadable file
            pass
        self._mean, self._std = _three("mean", mean), _three("std", std)
        if not (self._std > 0).all():
            raise ValueError(f"PictureFeatures: std: expected positive numbers, got {tuple(std)}")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = get_num_threads()
        options.log_severity_level = 4
        try:
            self._session = runtime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exception types are not public
            raise FormatError(f"{self.path}: expected an ONNX file, got: {_line(error)}") from None
        names = [found.name for found in self._session.get_outputs()]
        if output is not None and output not in names:
            raise ValueError(f"PictureFeatures: output: expected one of {', '.join(names)}, got {output!r}")
        self.output = names[0] if output is None else output
        self._first, self.size, self._batch, self._input, self._dtype = self._check_input()

    def _check_input(self) -> tuple[bool, tuple[int, int] | None, int | None, str, Any]:
        """Returns the properties of the network's input.

        Returns:
            (whether channels come first, the pictures' size, their number per call, the input's name, its
            dtype); size and number are None if the network leaves them open.
        """
        inputs = self._session.get_inputs()
        shape = list(inputs[0].shape)
        fits = len(inputs) == 1 and len(shape) == 4 and inputs[0].type in _TYPES and 3 in (shape[1], shape[3])
        if not fits:
            got = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
            raise FormatError(
                f"{self.path}: expected one input (N, 3, Y, X) or (N, Y, X, 3) of real numbers, got {got}"
            )
        first = bool(shape[1] == 3)
        count, rows, columns = shape[0], *(shape[2:] if first else shape[1:3])
        sized = isinstance(rows, int) and isinstance(columns, int)
        return (
            first,
            (rows, columns) if sized else None,
            count if isinstance(count, int) else None,
            inputs[0].name,
            _TYPES[inputs[0].type],
        )

    def __call__(self, pictures: ArrayLike, *, batch_size: int = 32) -> Array:
        """Returns the features of N pictures.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1.
            batch_size: the number of pictures per call, if the network leaves it open.

        Returns:
            (N, K) vectors, (N, P, K) places or a grid (N, Y′, X′, K), float32.

        Raises:
            ShapeError, DTypeError: if the pictures have the wrong shape, size or dtype.
            FormatError: if the network fails, or its results are not features.
        """
        array = as_array("PictureFeatures", "pictures", pictures)
        wanted = ("Y", "X") if self.size is None else self.size
        shape = ", ".join(map(str, ("N", *wanted, 3)))
        if array.ndim != 4 or array.shape[3] != 3 or (self.size and array.shape[1:3] != self.size):
            raise ShapeError(f"PictureFeatures: pictures: expected ({shape}), got {array.shape}")
        if not len(array):
            raise ShapeError("PictureFeatures: pictures: expected at least one, got none")
        if array.dtype != np.uint8 and array.dtype.kind != "f":
            raise DTypeError(f"PictureFeatures: pictures: expected uint8 or real numbers, got {array.dtype}")
        step = self._batch or batch_size
        return np.concatenate([self._run(array[i : i + step], step) for i in range(0, len(array), step)])

    def _run(self, pictures: Array, step: int) -> Array:
        """Returns the features of at most `step` pictures."""
        scale = 255 if pictures.dtype == np.uint8 else 1
        x = (pictures.astype(np.float32) / scale - self._mean) / self._std
        if self._batch:  # the batch size is fixed: the last batch is padded
            x = np.concatenate([x, np.zeros((step - len(x), *x.shape[1:]), x.dtype)])
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2) if self._first else x, self._dtype)
        try:
            (found,) = self._session.run([self.output], {self._input: x})
        except Exception as error:
            raise FormatError(f"{self.path}: {_line(error)}") from None
        y = np.asarray(found, np.float32)
        if not 2 <= y.ndim <= 4 or len(y) != len(x):
            raise FormatError(
                f"{self.path}: output {self.output}: expected features for each of {len(x)} pictures, "
                f"got {y.shape}"
            )
        y = y[: len(pictures)]
        if y.ndim == 4 and self._first:
            y = y.transpose(0, 2, 3, 1)
        if y.ndim == 4 and y.shape[1:3] == (1, 1):
            y = y[:, 0, 0]
        return np.ascontiguousarray(y)


def _three(name: str, values: Sequence[float]) -> NDArray[np.float32]:
    """Returns three finite numbers."""
    array = np.asarray(values, np.float32)
    if array.shape != (3,) or not np.isfinite(array).all():
        raise ValueError(f"PictureFeatures: {name}: expected three numbers, got {values!r}")
    return array


def _line(error: Exception) -> str:
    """Returns an error's message on one line."""
    return " ".join(str(error).split())
