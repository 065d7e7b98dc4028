"""The distribution that wrong answers are drawn from."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..checks import check_size
from ..errors import DTypeError, ShapeError
from ..seeds import derive_seed
from ..types import Array, Ids


class Proposal:
    """Q(w) over O classes, from which k are drawn with replacement.

    A draw is a function of (seed, step) alone: a counter goes into a block cipher (Philox; Salmon et al. 2011) instead
    of a generator's state from step to step. So a resumed run draws what the run without a break would have drawn,
    whatever the number of threads.

    Args:
        weights: (O,), in proportion to Q; all above 0, since a class that is never drawn can be no right answer either.

    Attributes:
        q: Q (O,), float64, sums to 1.

    Raises:
        ShapeError, DTypeError, ValueError: for weights that are no vector of finite numbers above 0.
    """

    def __init__(self, weights: ArrayLike) -> None:
        given = np.asarray(weights)
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
        # Each before the sum, so that even the largest numbers can be added up.
        numbers /= numbers.max()
        self.q = numbers / numbers.sum()
        self._cumulative = np.cumsum(self.q)
        self._cumulative[-1] = np.inf  # whatever rounding left of 1, the last class takes

    def __len__(self) -> int:
        return len(self.q)

    @classmethod
    def log_uniform(cls, size: int) -> Proposal:
        """Q(w) = ln((w + 2) / (w + 1)) / ln(O + 1): Zipf's law, for ids in the order of falling frequency.

        Raises:
            TypeError, ValueError: if the size is no positive whole number.
        """
        ranks = np.arange(1, check_size("Proposal", "size", size) + 1, dtype=np.float64)
        return cls(np.log1p(1.0 / ranks))

    @classmethod
    def unigram(cls, counts: ArrayLike, power: float = 1.0) -> Proposal:
        """Q(w) ∝ count(w)^power; a class that does not occur counts as if it did once.

        Args:
            counts: (O,), how often each class occurs.
            power: 1 for the frequencies themselves, 0 for the uniform distribution.

        Raises:
            ValueError: for counts below 0, or a power that is not finite.
        """
        numbers = np.asarray(counts)
        if numbers.dtype.kind in "iuf" and (numbers < 0).any():
            raise ValueError(f"Proposal: counts: expected numbers from 0, got {numbers.min()}")
        if not np.isfinite(power):
            raise ValueError(f"Proposal: power: expected a finite number, got {power}")
        return cls(np.maximum(numbers, 1.0) ** power if numbers.dtype.kind in "iuf" else numbers)

    def draw(self, samples: int, seed: int, step: int) -> tuple[Ids, Ids]:
        """k classes drawn with replacement: (each of them once, in rising order; how often it was drawn).

        Args:
            samples: k.
            seed: which series of draws, from 0 to 2⁶⁴ − 1.
            step: which of the series, from 0.
        """
        # 2⁶⁴ blocks of the counter for every step: no two steps share one.
        bits = np.random.Philox(key=[derive_seed(seed, 0), 0], counter=[0, step, 0, 0])
        u = (bits.random_raw(samples) >> np.uint64(11)) * 2.0**-53
        classes, counts = np.unique(np.searchsorted(self._cumulative, u, side="right"), return_counts=True)
        return classes.astype(np.int64), counts.astype(np.int64)

    def log_expected(self, samples: int) -> Array:
        """ln k Q(w) (O,): the logarithm of how often each class is to be expected among k."""
        return np.asarray(np.log(samples * self.q))
