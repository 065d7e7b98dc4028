"""A callback that monitors gradients through time, Jacobians and saturation on a fixed batch."""

from __future__ import annotations

import json
import math
import os
from typing import Any

import numpy as np

from ..data import Batch
from ..files import write_atomically
from ..shown import short_repr
from ..train.callbacks import Callback
from ..train.history import StepRecord
from ..train.run import Run
from ..types import Floats
from .jacobians import Linearized, linearize, products
from .norms import gradient_norms, saturation, spectral_radius
from .unfold import unfold
from .unfolded import UnfoldedLayer

#: The maximum number of records; beyond it, every other one is dropped and `every` doubles.
CAPACITY = 1024


class GradientMonitor(Callback):
    """Unfolds the network over a probe batch at regular intervals and records norms.

    It records before the first step and after every `every` steps. It does not change the run, to the bit.
    Vanishing gradients show best on a probe with a loss only at its last step: targets of −1 elsewhere. A
    trainer takes one monitor.

    Columns, with one number for every record; in a stack, they are prefixed with the layer, "0.", "1.", …:

    - `step`; `loss`, of the probe
    - `gradient.first`, `gradient.last`: ‖∂L/∂s_t‖₂ at the first and at the last step, the mean over the
      sequences; the state s is h, in an LSTM (h, c)
    - `gradient.U`, `gradient.W`, `gradient.b`: the norms of the probe's gradients
    - `saturated.h` or, for a gated cell, `saturated.f`, …: see `saturation`
    - `log_jacobian`: ln ‖∂s_T/∂s_1‖₂, the mean over the sequences: the power of e by which a small change of
      the first state grows (above 0) or shrinks (below 0) until the last
    - `radius`: the spectral radius of the mean Jacobian; `radius.W`: that of W, if W is square (RNN)

    Args:
        probe: (inputs, targets) for the model.
        every: the number of steps between records.
        jacobians: whether to record `log_jacobian` and `radius`, which cost O(T·S³).
        sequences: for how many of the probe's sequences to compute `log_jacobian`.
        threshold: the saturation threshold, see `saturated_share`.

    Attributes:
        through_time: by layer ("0", …), for every record ‖∂L/∂s_t‖₂ for t = 1..T, the mean over the
            sequences.

    Raises:
        ValueError: if an argument is out of range.
    """

    __repr__ = short_repr

    def __init__(
        self,
        probe: Batch | tuple[Any, Any],
        every: int = 100,
        *,
        jacobians: bool = True,
        sequences: int = 4,
        threshold: float = 0.95,
    ) -> None:
        if every < 1 or sequences < 1 or not 0.0 < threshold <= 1.0:
            raise ValueError(
                "GradientMonitor: expected every ≥ 1, sequences ≥ 1 and 0 < threshold ≤ 1, "
                f"got {every}, {sequences} and {threshold}"
            )
        self.probe, self.every = Batch(*probe), every
        self.jacobians, self.sequences, self.threshold = jacobians, sequences, threshold
        self.through_time: dict[str, list[list[float]]] = {}
        self._columns: dict[str, list[float]] = {}

    def __len__(self) -> int:
        return len(self._columns.get("step", ()))

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self._columns)

    def __getitem__(self, name: str) -> Floats:
        """Returns a column, float64.

        Raises:
            KeyError: if there is no such column.
        """
        return np.array(self._columns[name], np.float64)

    def on_start(self, run: Run) -> None:
        """Records step 0, which also checks that model and probe match.

        Raises:
            TypeError, ShapeError, …: see `rnnrs.unfold`.
        """
        if not len(self):
            self._record(run)

    def on_step(self, run: Run, record: StepRecord) -> None:
        if record.step % self.every == 0:
            self._record(run)

    def _record(self, run: Run) -> None:
        unfolded = unfold(run.model, self.probe)  # type: ignore[arg-type]
        numbers = {"step": float(run.step), "loss": unfolded.loss}
        for place, layer in enumerate(unfolded.layers):
            curve = gradient_norms(layer, "state").mean(axis=1).tolist()
            self.through_time.setdefault(str(place), []).append(curve)
            prefix = f"{place}." if len(unfolded.layers) > 1 else ""
            numbers.update({prefix + name: value for name, value in self._of_layer(layer, curve).items()})
        for name, value in numbers.items():
            self._columns.setdefault(name, []).append(float(value))
        if len(self) > CAPACITY:
            self._thin()

    def _of_layer(self, u: UnfoldedLayer, curve: list[float]) -> dict[str, float]:
        numbers = {"gradient.first": curve[0], "gradient.last": curve[-1]}
        for name, da, read in (("U", u.da_input, u.x), ("W", u.da_recurrent, u.h_before)):
            numbers[f"gradient.{name}"] = float(np.linalg.norm(np.tensordot(da, read, axes=((0, 1), (0, 1)))))
        numbers["gradient.b"] = float(np.linalg.norm(u.da_input.sum(axis=(0, 1))))
        shares = saturation(u.layer, u, self.threshold)
        numbers.update({f"saturated.{name}": share for name, share in shares.items()})
        if self.jacobians:
            linear = linearize(u.layer, u)
            numbers["log_jacobian"] = _log_growth(linear, self.sequences)
            numbers["radius"] = spectral_radius(linear.mean())
            if len(linear.W) == 1:
                numbers["radius.W"] = spectral_radius(linear.W[0])
        return numbers

    def _thin(self) -> None:
        """Keeps every other record: those of a monitor with twice the interval."""
        self.every *= 2
        keep = [i for i, step in enumerate(self._columns["step"]) if step % self.every == 0]
        for table in (self._columns, self.through_time):
            for name, values in table.items():
                table[name] = [values[i] for i in keep]  # type: ignore[misc]

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes one line for every record: the columns, then ‖∂L/∂s_t‖₂ as `through_time.LAYER.T`.

        Raises:
            OSError: if the file cannot be written.
        """
        header, columns = list(self._columns), [list(values) for values in self._columns.values()]
        for layer, curves in self.through_time.items():
            for t, values in enumerate(zip(*curves, strict=True)):
                header.append(f"through_time.{layer}.{t}")
                columns.append(list(values))
        lines = [",".join(header)]
        lines += [",".join(f"{value:.9g}" for value in row) for row in zip(*columns, strict=True)]
        write_atomically(path, ("\n".join(lines) + "\n").encode())

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Writes `state()`; numbers that are not finite as "inf", "-inf" and "nan".

        Raises:
            OSError: if the file cannot be written.
        """
        write_atomically(path, json.dumps(self.state(), allow_nan=False).encode())

    def state(self) -> dict[str, Any]:
        """Returns all records exactly, as JSON types."""
        return {
            "every": self.every,
            "columns": {name: [_plain(v) for v in values] for name, values in self._columns.items()},
            "through_time": {
                layer: [[_plain(v) for v in curve] for curve in curves]
                for layer, curves in self.through_time.items()
            },
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restores the records from `state` (or from the file of `to_json`)."""
        every, columns = int(state["every"]), state["columns"]
        through_time = {
            str(layer): [[float(v) for v in curve] for curve in curves]
            for layer, curves in state["through_time"].items()
        }
        self._columns = {str(name): [float(v) for v in values] for name, values in columns.items()}
        self.every, self.through_time = every, through_time


def _log_growth(linear: Linearized, sequences: int) -> float:
    """Returns ln ‖∂s_T/∂s_1‖₂, the mean over the first sequences."""
    few = Linearized(linear.W, linear.gates[:, :sequences], linear.direct[:, :sequences])
    *_, (P, scale) = products(few, few.steps - 1)
    with np.errstate(divide="ignore"):
        return float((np.log(np.linalg.svd(P, compute_uv=False)[:, 0]) + scale).mean())


def _plain(value: float) -> float | str:
    """Returns a number for JSON, which has neither infinity nor NaN."""
    return value if math.isfinite(value) else str(value)
