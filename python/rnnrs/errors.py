"""The exceptions of the package, and the import of optional packages.

The package also raises IndexError for a token id outside the vocabulary, OSError for a file, MemoryError for
data that does not fit in memory, and ValueError for any other invalid argument. Each message names the
operation, the argument, the expected value and the value received.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from ._rnnrs import DTypeError, FormatError, ShapeError

__all__ = [
    "DTypeError",
    "FormatError",
    "MissingExtraError",
    "NonFiniteError",
    "RankError",
    "ShapeError",
    "require",
]


class NonFiniteError(ArithmeticError):
    """A loss or a gradient is NaN or infinite; training stopped before the parameters changed.

    Attributes:
        step: the step at which it happened, counted from 1.
        parameter: the first affected parameter, or None.
        quantity: the quantity that was not finite: "loss", "gradient", ….
    """

    def __init__(
        self, message: str, *, step: int = 0, parameter: str | None = None, quantity: str = "loss"
    ) -> None:
        super().__init__(message)
        self.step = step
        self.parameter = parameter
        self.quantity = quantity


class RankError(RuntimeError):
    """Training over several processes stopped on all of them, since another one failed.

    Attributes:
        rank: the process that failed.
    """

    def __init__(self, message: str, *, rank: int = 0) -> None:
        super().__init__(message)
        self.rank = rank


class MissingExtraError(ImportError):
    """An optional package is not installed."""


def require(module: str, extra: str) -> ModuleType:
    """Imports an optional package.

    Args:
        module: its module.
        extra: the extra of this package that installs it.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:  # installed, but a dependency is missing
            raise
        raise MissingExtraError(f'{package} is not installed: pip install "rnnrs[{extra}]"') from error
