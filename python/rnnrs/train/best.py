"""The parameters of the lowest validation loss, kept during training."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import modelfile
from ..files import check_writable
from ..modelfile import ModelFile
from .callbacks import Callback
from .run import Run


class BestParameters(Callback):
    """Keeps the parameters whenever the validation loss is the lowest so far; `restore` puts them back.

    Args:
        path: a file for the parameters, so that a resumed run still has them; None: in memory only.

    Attributes:
        best: the lowest validation loss; infinite before the first validation.
        step: the number of steps after which it was measured.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = None if path is None else Path(path)
        self.best, self.step = math.inf, 0
        self._kept: dict[str, NDArray[Any]] = {}

    def on_start(self, run: Run) -> None:
        if self.path is not None:
            check_writable(self.path)

    def on_validation(self, run: Run, loss: float) -> None:
        if not loss < self.best:
            return
        self.best, self.step = loss, run.step
        self._kept = {name: np.array(array) for name, array in run.model.parameters.items()}
        if self.path is not None:
            modelfile.save(self.path, ModelFile("network", {}, dict(self._kept)))

    def restore(self, model: Any) -> None:
        """Copies the kept parameters, if there are any, into the model, and removes their file.

        Raises:
            OSError: if the file cannot be removed.
        """
        if self._kept:
            model.parameters.copy_from(self._kept)
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def state(self) -> dict[str, Any]:
        return {"best": None if math.isinf(self.best) else self.best, "step": self.step}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restores the state of a run. Without the file, the next validation's parameters are the best."""
        if state["best"] is None or self.path is None or not self.path.exists():
            return
        self._kept = modelfile.load(self.path, "network").tensors
        self.best, self.step = float(state["best"]), int(state["step"])
