"""The parameters of the lowest validation loss, kept during training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .callbacks import Callback
from .run import Run


class BestParameters(Callback):
    """Keeps the parameters whenever the validation loss is the lowest so far; `restore` puts them back.

    They are part of the run's checkpoint, so a resumed run still has them.

    Attributes:
        best: the lowest validation loss; infinite before the first validation.
        step: the number of steps after which it was measured.
    """

    def __init__(self) -> None:
        self.best, self.step = math.inf, 0
        self._kept: dict[str, NDArray[Any]] = {}

    def on_validation(self, run: Run, loss: float) -> None:
        if loss < self.best:
            self.best, self.step = loss, run.step
            self._kept = {name: np.array(array) for name, array in run.model.parameters.items()}

    def restore(self, model: Any) -> None:
        """Copies the kept parameters, if there are any, into the model."""
        if self._kept:
            model.parameters.copy_from(self._kept)

    def state(self) -> dict[str, Any]:
        if not self._kept:
            return {"best": None, "step": 0}
        return {"best": self.best, "step": self.step, "parameters": self._kept}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restores the state of a run. Without parameters, the next validation's are the best."""
        if "parameters" in state:
            self._kept = state["parameters"]
            self.best, self.step = float(state["best"]), int(state["step"])
