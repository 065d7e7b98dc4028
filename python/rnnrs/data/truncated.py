"""Truncated backpropagation through time: long sequences in windows that may overlap."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ..checks import IGNORE, as_array, as_ids, check_size
from ..errors import DTypeError, ShapeError
from ..shown import short_repr
from .batch import Batch, Batches, digest
from .batches import StreamBatches
from .contents import Contents


class TruncatedBPTT:
    """Long sequences in parallel: an update every `stride` steps, a backward pass over `window` steps.

    An update scores the newest `stride` steps (the newest `window` steps, if those are fewer). Its gradient
    goes back through `window` steps, including steps that an earlier update scored: BPTT(k₂; k₁) of Williams
    and Peng (1990), with k₁ the stride and k₂ the window. If the window is longer than the stride, the
    gradient of every loss goes back at least window − stride steps; adjacent windows cut it off right after
    the first step of each window. The state before a window is the one computed when the sequences first
    passed that step. In total, window / stride times as many steps are computed.

    Args:
        inputs: token ids (N, B), or x (N, B, I), time-major.
        targets: (N, B, …), ids or other targets of the loss, with as many steps.
        window: k₂, the number of steps that a gradient goes back.
        stride: k₁, the number of steps from one update to the next; the window by default.
        resets: (N, B), True where a new sequence starts from the initial state; by default nowhere.
        carry: whether a window starts with the state of the sequences at that step; otherwise with the
            initial state.

    Attributes:
        carries_state: as `carry`.

    Raises:
        ValueError: without a step, or for a size that is not positive.
        ShapeError, DTypeError: for targets or resets that do not fit the inputs. For overlapping windows,
            targets must be ids, so that some can be left out.
    """

    __repr__ = short_repr

    def __init__(
        self,
        inputs: ArrayLike,
        targets: ArrayLike,
        *,
        window: int,
        stride: int | None = None,
        resets: ArrayLike | None = None,
        carry: bool = True,
    ) -> None:
        name = "TruncatedBPTT"
        self.window = check_size(name, "window", window)
        self.stride = self.window if stride is None else check_size(name, "stride", stride)
        self.inputs, self.targets = as_ids(name, "inputs", inputs), as_ids(name, "targets", targets)
        self.resets = None if resets is None else as_array(name, "resets", resets)
        self.carries_state = carry
        if self.inputs.ndim < 2 or not self.inputs.size:
            raise ValueError(
                f"{name}: inputs: expected (N, B, …) of at least one step, got {self.inputs.shape}"
            )
        if self.targets.shape[:2] != self.inputs.shape[:2]:
            raise ShapeError(
                f"{name}: targets: expected (N, B, …) with {self.inputs.shape[:2]}, got {self.targets.shape}"
            )
        if self.window > self.stride and (self.targets.dtype.kind not in "iu" or self.targets.ndim != 2):
            raise DTypeError(
                f"{name}: targets: expected ids (N, B) for overlapping windows, got {self.targets.dtype}"
            )
        if self.resets is not None and (
            self.resets.dtype != np.bool_ or self.resets.shape != self.inputs.shape[:2]
        ):
            raise ShapeError(
                f"{name}: resets: expected booleans {self.inputs.shape[:2]}, "
                f"got {self.resets.dtype} {self.resets.shape}"
            )

    @classmethod
    def of_text(
        cls,
        ids: ArrayLike,
        batch_size: int,
        *,
        window: int,
        stride: int | None = None,
        reset_after: int | None = None,
    ) -> TruncatedBPTT:
        """Returns the windows of one long text, cut into B contiguous streams as in `StreamBatches`.

        Args:
            ids: the text's token ids (N,).
            batch_size: B.
            window, stride: as above.
            reset_after: a token after which a new document starts, from the initial state.

        Raises:
            ValueError: if there are fewer than B + 1 tokens, or a size is not positive.
            DTypeError, ShapeError, IndexError: if `ids` is not a vector of token ids.
        """
        inputs, targets = StreamBatches(ids, batch_size, 1).columns
        resets = None
        if reset_after is not None:
            resets = np.zeros(inputs.shape, bool)
            resets[1:] = inputs[:-1] == reset_after
        return cls(inputs, targets, window=window, stride=stride, resets=resets)

    def __len__(self) -> int:
        return -(-len(self.inputs) // self.stride)

    def epoch(self, number: int) -> Sequence[Batch]:
        """Returns the windows from first to last, the same in every epoch."""
        return Batches(len(self), self._window)

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        sizes = (self.window, self.stride, self.carries_state)
        resets = () if self.resets is None else (self.resets,)
        return digest("truncated", *sizes, self.inputs, self.targets, *resets)

    def contents(self) -> Contents:
        """See `Data.contents`."""
        resets = [] if self.resets is None else [self.resets]
        return Contents(
            "step", [self.inputs, self.targets, *resets], {"window": self.window, "stride": self.stride}
        )

    def _window(self, index: int) -> Batch:
        end = min((index + 1) * self.stride, len(self.inputs))
        begin, new = self._begin(index), index * self.stride
        part = slice(begin, end)
        targets = self.targets[part]
        if begin < new:  # an earlier window scored these steps
            targets = np.concatenate([np.full_like(targets[: new - begin], IGNORE), targets[new - begin :]])
        resets = None if self.resets is None else self.resets[part]
        carry = self._begin(index + 1) - begin if index + 1 < len(self) else None
        warm = max(end - self.window - begin, 0)
        return Batch(self.inputs[part], targets, resets=resets, carry=carry, warm=warm)

    def _begin(self, index: int) -> int:
        """Returns the first step of a window: the previous window's end, or earlier if windows overlap."""
        end = min((index + 1) * self.stride, len(self.inputs))
        return max(end - self.window, 0) if self.window > self.stride else index * self.stride
