"""Three ways to cut data into time-major batches.

What an epoch holds is a pure function of the data, the seed and the epoch's number: a training run can be
resumed anywhere, and no random generator's state has to be saved for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ..checks import IGNORE, check_size
from ..errors import DTypeError, ShapeError
from ..types import Array
from .batch import Batch, Batches, check_token_ids, digest


class ListData:
    """A list of batches, the same in every epoch, each from a fresh state."""

    carries_state = False

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = list(batches)

    def __len__(self) -> int:
        return len(self._batches)

    def epoch(self, number: int) -> Sequence[Batch]:
        """The batches."""
        return self._batches

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        arrays = (array for batch in self._batches for array in batch if array is not None)
        return digest("list", *(np.asarray(array) for array in arrays))


class StreamBatches:
    """One long text, read by B readers side by side, each from a place of its own, T tokens at a time.

    The state is carried from window to window: truncated back-propagation through time (Williams and Peng
    1990) with windows that touch. inputs[t] is a token, targets[t] the one after it. At most B tokens at the
    end are left out; the last window of an epoch may be shorter.

    Args:
        ids: the text's token ids (N,).
        batch_size: B.
        steps: T.

    Raises:
        ValueError: if there are fewer than B + 1 tokens, or a size is not positive.
        DTypeError, ShapeError, IndexError: for ids that are none.
    """

    carries_state = True

    def __init__(self, ids: ArrayLike, batch_size: int, steps: int) -> None:
        stream = check_token_ids("StreamBatches", "ids", ids)
        self.batch_size = check_size("StreamBatches", "batch_size", batch_size)
        self.steps = check_size("StreamBatches", "steps", steps)
        length = (stream.size - 1) // self.batch_size
        if length < 1:
            raise ValueError(
                f"StreamBatches: ids: expected at least {self.batch_size + 1} tokens "
                f"for {self.batch_size} readers, got {stream.size}"
            )

        # What every reader reads, as columns of one more row: the inputs and, one row on, their targets.
        end = self.batch_size * length
        self._columns = np.empty((length + 1, self.batch_size), np.int64)
        self._columns[:-1] = stream[:end].reshape(self.batch_size, length).T
        self._columns[-1] = stream[length : end + 1 : length]
        self._columns.flags.writeable = False  # batches are views of it

    def __len__(self) -> int:
        return -(-(len(self._columns) - 1) // self.steps)

    def epoch(self, number: int) -> Sequence[Batch]:
        """The windows, from first to last, the same in every epoch: views that cannot be written to."""
        inputs, targets = self._columns[:-1], self._columns[1:]

        def window(index: int) -> Batch:
            part = slice(index * self.steps, (index + 1) * self.steps)
            return Batch(inputs[part], targets[part])

        return Batches(len(self), window)

    @property
    def columns(self) -> tuple[Array, Array]:
        """All that the readers read, and the token after each: (N, B) both."""
        return self._columns[:-1], self._columns[1:]

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return digest("stream", self.steps, self._columns)


class SentenceBatches:
    """Sentences, each a sequence of its own from h_0 = 0; those of like length share a batch.

    A sentence w_1 … w_n becomes the inputs end, w_1 … w_n and the targets w_1 … w_n, end. Shorter ones of a
    batch are filled up with `end_id`, and their targets there with −1, which is not scored. The sentences are
    shuffled anew in every epoch, cut into batches by length, and the batches shuffled.

    Args:
        sentences: their token ids, one vector each.
        batch_size: B; the last batch may have fewer.
        end_id: the token that ends a sentence, and stands before its first word.
        seed: of the shuffling.

    Raises:
        ValueError: without sentences, or for a size that is not positive.
        DTypeError, ShapeError, IndexError: for ids that are none.
    """

    carries_state = False

    def __init__(self, sentences: Sequence[ArrayLike], batch_size: int, end_id: int, seed: int = 0) -> None:
        if not len(sentences):
            raise ValueError("SentenceBatches: sentences: expected at least one, got none")
        self.batch_size = check_size("SentenceBatches", "batch_size", batch_size)
        self.end_id = check_size("SentenceBatches", "end_id", end_id, least=0)
        self.seed = check_size("SentenceBatches", "seed", seed, least=0)
        checked = [
            check_token_ids("SentenceBatches", f"sentences[{i}]", ids) for i, ids in enumerate(sentences)
        ]
        self._lengths = np.array([ids.size + 1 for ids in checked])
        # All of them in one: end, a sentence, end, the next, …, end; and where the end before each one is.
        self._starts = np.concatenate([[0], np.cumsum(self._lengths)[:-1]])
        end = np.array([self.end_id])
        self._stream = np.concatenate([end, *(part for ids in checked for part in (ids, end))])

    def __len__(self) -> int:
        return -(-len(self._lengths) // self.batch_size)

    @property
    def padding_share(self) -> float:
        """The share of all positions that only fill up, 0..1."""
        ordered = np.sort(self._lengths)
        cells = sum(
            len(part) * int(part[-1])
            for part in (ordered[i : i + self.batch_size] for i in range(0, len(ordered), self.batch_size))
        )
        return 1.0 - int(ordered.sum()) / cells

    def epoch(self, number: int) -> Sequence[Batch]:
        """The batches in the order of this epoch."""
        draw = np.random.default_rng([self.seed, number])
        order = draw.permutation(len(self._lengths))
        order = order[np.argsort(self._lengths[order], kind="stable")]
        turn = draw.permutation(len(self))

        def batch(index: int) -> Batch:
            start = int(turn[index]) * self.batch_size
            return self._pad(order[start : start + self.batch_size])

        return Batches(len(self), batch)

    def _pad(self, members: Array) -> Batch:
        """The sentences (by number) as columns: inputs (T, B), targets (T, B), T the longest one's steps."""
        lengths = self._lengths[members]
        step = np.arange(lengths.max())[:, None]
        inside = step < lengths
        place = np.where(inside, self._starts[members] + step, 0)  # 0: an end
        targets = np.where(inside, self._stream[place + 1], IGNORE)
        uneven = None if inside.all() else lengths
        return Batch(self._stream[place], targets, lengths=uneven, keys=members)

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return digest("sentences", self.batch_size, self.end_id, self.seed, self._lengths, self._stream)


class ArrayBatches:
    """N sequences of one length in arrays, in batches of B; the state starts anew in each.

    Args:
        x: inputs (T, N, I), or ids (T, N).
        y: targets (T, N, …).
        batch_size: B; the last batch may have fewer.
        seed: of the shuffling.
        shuffle: whether every epoch has another order.

    Raises:
        ShapeError: if x and y do not belong together, or hold no sequence.
        DTypeError: if they do not hold numbers.
        ValueError: for a size that is not positive.
    """

    carries_state = False

    def __init__(
        self, x: ArrayLike, y: ArrayLike, batch_size: int, *, seed: int = 0, shuffle: bool = True
    ) -> None:
        self._x, self._y = np.asarray(x), np.asarray(y)
        if self._x.ndim < 2 or self._y.shape[:2] != self._x.shape[:2] or 0 in self._x.shape[:2]:
            raise ShapeError(
                "ArrayBatches: x, y: expected (T, N, …) with the same T, N ≥ 1, "
                f"got {self._x.shape} and {self._y.shape}"
            )
        for argument, array in (("x", self._x), ("y", self._y)):
            if array.dtype.kind not in "fiub":
                raise DTypeError(f"ArrayBatches: {argument}: expected real numbers, got {array.dtype}")
        self.batch_size = check_size("ArrayBatches", "batch_size", batch_size)
        self.seed = check_size("ArrayBatches", "seed", seed, least=0)
        self.shuffle = shuffle

    def __len__(self) -> int:
        return -(-int(self._x.shape[1]) // self.batch_size)

    def epoch(self, number: int) -> Sequence[Batch]:
        """The batches in the order of this epoch."""
        count = self._x.shape[1]
        order = (
            np.random.default_rng([self.seed, number]).permutation(count)
            if self.shuffle
            else np.arange(count)
        )

        def batch(index: int) -> Batch:
            members = order[index * self.batch_size : (index + 1) * self.batch_size]
            return Batch(self._x.take(members, axis=1), self._y.take(members, axis=1))

        return Batches(len(self), batch)

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return digest("arrays", self.batch_size, self.seed, self.shuffle, self._x, self._y)
