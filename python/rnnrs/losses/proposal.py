"""The proposal distribution from which a loss samples wrong answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_array, check_size
from ..errors import DTypeError, ShapeError
from ..seeds import derive_seed
from ..shown import short_repr
from ..types import Array, Ids


class Proposal:
    """Q(w) over O classes, from which k are sampled with replacement.

    A sample is a function of (seed, step) only: a block cipher (Philox; Salmon et al. 2011) is applied to a
    counter, and no generator state passes from step to step. A resumed run therefore samples the same classes
    as an uninterrupted one, for any number of threads.

    Args:
        weights: (O,), proportional to Q; all above 0, since a class that is never sampled cannot be a correct
            class either.

    Attributes:
        q: Q (O,), float64, with the sum 1.

    Raises:
        ShapeError, DTypeError, ValueError: if the weights are not a vector of finite numbers above 0.
    """

    __repr__ = short_repr

    def __init__(self, weights: ArrayLike) -> None:
        given = as_array("Proposal", "weights", weights)
        if given.dtype.kind not in "iuf":
            raise DTypeError(f"Proposal: weights: expected real numbers, got {given.dtype}")
        if given.ndim != 1 or not given.size:
            raise ShapeError(f"Proposal: weights: expected (O,), got {given.shape}")
        numbers = given.astype(np.float64)
        wrong = ~(np.isfinite(numbers) & (numbers > 0.0))
        if wrong.any():
            place = int(wrong.argmax())
            raise ValueError(
                f"Proposal: weights: expected finite numbers above 0, got {numbers[place]} for class {place}"
            )
        # Scaled before the sum, so that even the largest numbers do not overflow.
        numbers /= numbers.max()
        self.q = numbers / numbers.sum()
        self._cumulative = np.cumsum(self.q)
        self._cumulative[-1] = np.inf  # the last class takes what rounding leaves of 1

    def __len__(self) -> int:
        return len(self.q)

    @classmethod
    def log_uniform(cls, size: int) -> Proposal:
        """Q(w) = ln((w + 2) / (w + 1)) / ln(O + 1): Zipf's law, for ids in order of decreasing frequency.

        Raises:
            TypeError, ValueError: if the size is not a positive whole number.
        """
        ranks = np.arange(1, check_size("Proposal", "size", size) + 1, dtype=np.float64)
        return cls(np.log1p(1.0 / ranks))

    @classmethod
    def unigram(cls, counts: ArrayLike, power: float = 1.0) -> Proposal:
        """Q(w) ∝ count(w)^power; a class that does not occur counts as if it occurred once.

        Args:
            counts: (O,), how often each class occurs.
            power: 1 for the frequencies themselves, 0 for the uniform distribution.

        Raises:
            ValueError: if a count is below 0, or the power is not finite.
        """
        numbers = as_array("Proposal.unigram", "counts", counts)
        if numbers.dtype.kind in "iuf" and (numbers < 0).any():
            raise ValueError(f"Proposal: counts: expected numbers from 0, got {numbers.min()}")
        if not np.isfinite(power):
            raise ValueError(f"Proposal: power: expected a finite number, got {power}")
        return cls(np.maximum(numbers, 1.0) ** power if numbers.dtype.kind in "iuf" else numbers)

    def draw(self, samples: int, seed: int, step: int) -> tuple[Ids, Ids]:
        """Samples k classes with replacement: (the distinct classes in increasing order, their counts).

        Args:
            samples: k.
            seed: identifies a series of samples, from 0 to 2⁶⁴ − 1.
            step: the number of the sample in its series, from 0.
        """
        # 2⁶⁴ blocks of the counter for every step: no two steps share one.
        bits = np.random.Philox(key=[derive_seed(seed, 0), 0], counter=[0, step, 0, 0])
        u = (bits.random_raw(samples) >> np.uint64(11)) * 2.0**-53
        classes, counts = np.unique(np.searchsorted(self._cumulative, u, side="right"), return_counts=True)
        return classes.astype(np.int64), counts.astype(np.int64)

    def log_expected(self, samples: int) -> Array:
        """Returns ln k Q(w) (O,): the logarithm of each class's expected count among k samples."""
        return np.asarray(np.log(samples * self.q))
