"""Showing the progress of a training run."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from ..errors import MissingExtraError, require
from ..terminal import Screen, escaped, plain
from .callbacks import Callback
from .history import StepRecord
from .run import Run


class ProgressBar(Callback):
    """Loss, tokens per second and time left: a live bar in a terminal, plain lines elsewhere.

    The bar is tqdm's (the extra "progress"). Without tqdm, or if the output is not a terminal, a line is
    written every few seconds. An output that takes nothing (None, closed, full) shows nothing.

    Args:
        file: the output; standard error by default.
        every: seconds between two plain lines.
        perplexity: whether to show the held-out loss, in nats per token, also as a perplexity.
        unit: the name of the scored positions: "tokens", ….
    """

    first_rank_only = True

    def __init__(
        self,
        file: TextIO | None = None,
        *,
        every: float = 5.0,
        perplexity: bool = False,
        unit: str = "tokens",
    ) -> None:
        self._file = file
        self._every = every
        self._perplexity = perplexity
        self._unit = unit
        self._bar: Any = None
        self._smooth = 0.0
        self._validation = ""

    def on_start(self, run: Run) -> None:
        self._out = Screen(plain(sys.stderr if self._file is None else self._file))
        self._begin = time.monotonic()
        self._before = run.seconds
        self._done_before = run.progress
        self._positions = self._shown_positions = 0
        self._shown = self._begin
        self._steps_before = run.step
        self._smooth = 0.0
        if not self._out.isatty():
            return
        try:
            tqdm = require("tqdm", "progress").tqdm
        except MissingExtraError:
            return
        self._bar = tqdm(
            total=1000,
            file=self._out,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {postfix}",
            dynamic_ncols=True,
        )
        self._bar.set_description_str("training")

    def on_step(self, run: Run, record: StepRecord) -> None:
        done = record.step - self._steps_before
        weight = max(0.02, 1.0 / done)
        self._smooth += weight * (record.loss - self._smooth)
        self._positions += record.positions
        now = time.monotonic()
        wait = 0.1 if self._bar is not None else self._every
        if now - self._shown >= wait or done == 1:
            self._show(run, now)

    def on_validation(self, run: Run, loss: float) -> None:
        self._validation = f" · held out {loss:.3f}"
        if self._perplexity:
            self._validation += f" (perplexity {run.history.perplexities[-1][1]:.4g})"
        self._show(run, time.monotonic())

    def on_end(self, run: Run) -> None:
        if run.step > self._steps_before:
            self._show(run, time.monotonic())
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show(self, run: Run, now: float) -> None:
        rate = self._positions / max(now - self._begin, 1e-9)
        left = self._time_left(run.progress, now - self._begin)
        loss = f"{escaped(run.history.loss_name)} {self._smooth:.3f}{self._validation}"
        text = f"{loss} · {_short(rate)} {self._unit}/s · {left}"
        self._shown = now
        if self._bar is None:
            print(f"step {run.step} · {text}", file=self._out, flush=True)
            return
        self._bar.n = round(1000 * min(run.progress, 1.0))
        self._bar.set_postfix_str(text)

    def _time_left(self, done: float, spent: float) -> str:
        """Returns the time left, at the average rate since the run started or was resumed."""
        if done >= 1.0:
            return f"{_clock(self._before + spent)} in all"
        gained = done - self._done_before
        if gained <= 0.0:
            return "time left unknown"
        return f"{_clock(spent * (1.0 - done) / gained)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _short(number: float) -> str:
    for unit in ("", "k", "M"):
        if number < 1000 or unit == "M":
            return f"{number:.0f}{unit}" if number >= 100 or not unit else f"{number:.1f}{unit}"
        number /= 1000
    raise AssertionError("unreachable")
