"""Time-major batches from one long text, from sentences, or from arrays.

The content of an epoch is a pure function of the data, the seed and the epoch's number. A training run can
therefore be resumed anywhere without saving the state of a random generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ..checks import IGNORE, as_ids, check_repeatable, check_size
from ..errors import DTypeError, ShapeError
from ..shown import batches_repr
from ..types import Array
from .batch import Batch, Batches, check_token_ids, digest
from .contents import Contents


class ListData:
    """A list of batches, the same in every epoch; each batch starts from the initial state."""

    carries_state = False

    def __repr__(self) -> str:
        return batches_repr(self)

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = list(batches)

    def __len__(self) -> int:
        return len(self._batches)

    def epoch(self, number: int) -> Sequence[Batch]:
        """Returns the batches."""
        return self._batches

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        arrays = (array for batch in self._batches for array in batch if array is not None)
        return digest("list", *(np.asarray(array) for array in arrays))

    def contents(self) -> Contents:
        """See `Data.contents`."""
        return Contents("batch", [[np.asarray(batch[0]) for batch in self._batches]], {})


class StreamBatches:
    """One long text, cut into B contiguous streams that are read in parallel, T tokens at a time.

    The state is carried from window to window: truncated backpropagation through time (Williams and Peng
    1990) with adjacent windows. targets[t] is the token that follows inputs[t]. Up to B tokens at the end of
    the text are dropped; the last window of an epoch may be shorter.

    Args:
        ids: the text's token ids (N,).
        batch_size: B.
        steps: T.

    Raises:
        ValueError: if there are fewer than B + 1 tokens, or a size is not positive.
        DTypeError, ShapeError, IndexError: if `ids` is not a vector of token ids.
    """

    carries_state = True

    def __repr__(self) -> str:
        return batches_repr(self)

    def __init__(self, ids: ArrayLike, batch_size: int, steps: int) -> None:
        stream = check_token_ids("StreamBatches", "ids", ids)
        self.batch_size = check_size("StreamBatches", "batch_size", batch_size)
        self.steps = check_size("StreamBatches", "steps", steps)
        length = (stream.size - 1) // self.batch_size
        if length < 1:
            raise ValueError(
                f"StreamBatches: ids: expected at least {self.batch_size + 1} tokens "
                f"for batch_size {self.batch_size}, got {stream.size}"
            )

        # Each stream is a column of length + 1 rows: all but the last are inputs, all but the first targets.
        end = self.batch_size * length
        self._columns = np.empty((length + 1, self.batch_size), np.int64)
        self._columns[:-1] = stream[:end].reshape(self.batch_size, length).T
        self._columns[-1] = stream[length : end + 1 : length]
        self._columns.flags.writeable = False  # batches are views of it

    def __len__(self) -> int:
        return -(-(len(self._columns) - 1) // self.steps)

    def epoch(self, number: int) -> Sequence[Batch]:
        """Returns the windows from first to last, the same in every epoch, as read-only views."""
        inputs, targets = self._columns[:-1], self._columns[1:]

        def window(index: int) -> Batch:
            part = slice(index * self.steps, (index + 1) * self.steps)
            return Batch(inputs[part], targets[part])

        return Batches(len(self), window)

    @property
    def columns(self) -> tuple[Array, Array]:
        """All inputs and all targets of the streams, each (N, B) with N steps."""
        return self._columns[:-1], self._columns[1:]

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return digest("stream", self.steps, self._columns)

    def contents(self) -> Contents:
        """See `Data.contents`."""
        return Contents(
            "token", [self._columns[:-1].T.ravel()], {"batch_size": self.batch_size, "steps": self.steps}
        )


class SentenceBatches:
    """Sentences as independent sequences from h_0 = 0; sentences of similar length share a batch.

    A sentence w_1 … w_n becomes the inputs end, w_1 … w_n and the targets w_1 … w_n, end. Shorter sentences
    of a batch are padded with `end_id`, and their targets with −1, which is not scored. In every epoch the
    sentences are shuffled, cut into batches by length, and the batches shuffled.

    Args:
        sentences: their token ids, one vector each.
        batch_size: B; the last batch may have fewer.
        end_id: the token that ends a sentence and precedes its first word.
        seed: the seed of the shuffling.

    Raises:
        ValueError: without sentences, or for a size that is not positive.
        DTypeError, ShapeError, IndexError: if a sentence is not a vector of token ids.
    """

    carries_state = False

    def __repr__(self) -> str:
        return batches_repr(self)

    def __init__(self, sentences: Sequence[ArrayLike], batch_size: int, end_id: int, seed: int = 0) -> None:
        check_repeatable("SentenceBatches", "sentences", sentences)
        if not len(sentences):
            raise ValueError("SentenceBatches: sentences: expected at least one, got none")
        self.batch_size = check_size("SentenceBatches", "batch_size", batch_size)
        self.end_id = check_size("SentenceBatches", "end_id", end_id, least=0)
        self.seed = check_size("SentenceBatches", "seed", seed, least=0)
        checked = [
            check_token_ids("SentenceBatches", f"sentences[{i}]", ids) for i, ids in enumerate(sentences)
        ]
        self._lengths = np.array([ids.size + 1 for ids in checked])
        # All sentences in one array: end, sentence, end, sentence, …, end; starts index the end before each.
        self._starts = np.concatenate([[0], np.cumsum(self._lengths)[:-1]])
        end = np.array([self.end_id])
        self._stream = np.concatenate([end, *(part for ids in checked for part in (ids, end))])

    def __len__(self) -> int:
        return -(-len(self._lengths) // self.batch_size)

    @property
    def padding_share(self) -> float:
        """The share of all positions that is padding, 0..1."""
        ordered = np.sort(self._lengths)
        cells = sum(
            len(part) * int(part[-1])
            for part in (ordered[i : i + self.batch_size] for i in range(0, len(ordered), self.batch_size))
        )
        return 1.0 - int(ordered.sum()) / cells

    def epoch(self, number: int) -> Sequence[Batch]:
        """Returns the batches in the order of this epoch."""
        draw = np.random.default_rng([self.seed, number])
        order = draw.permutation(len(self._lengths))
        order = order[np.argsort(self._lengths[order], kind="stable")]
        turn = draw.permutation(len(self))

        def batch(index: int) -> Batch:
            start = int(turn[index]) * self.batch_size
            return self._pad(order[start : start + self.batch_size])

        return Batches(len(self), batch)

    def _pad(self, members: Array) -> Batch:
        """Returns sentences, given by index, as padded columns (T, B), T the steps of the longest one."""
        lengths = self._lengths[members]
        step = np.arange(lengths.max())[:, None]
        inside = step < lengths
        place = np.where(inside, self._starts[members] + step, 0)  # index 0 holds an end token
        targets = np.where(inside, self._stream[place + 1], IGNORE)
        uneven = None if inside.all() else lengths
        return Batch(self._stream[place], targets, lengths=uneven, keys=members)

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return digest("sentences", self.batch_size, self.end_id, self.seed, self._lengths, self._stream)

    def contents(self) -> Contents:
        """See `Data.contents`."""
        sentences = np.split(self._stream, self._starts[1:])
        return Contents("sentence", [sentences], {"batch_size": self.batch_size, "seed": self.seed})


class ArrayBatches:
    """N sequences of equal length from arrays, in batches of B; every batch starts from the initial state.

    Args:
        x: inputs (T, N, I), or ids (T, N).
        y: targets (T, N, …).
        batch_size: B; the last batch may have fewer.
        seed: the seed of the shuffling.
        shuffle: whether the order changes in every epoch.

    Raises:
        ShapeError: if the shapes of x and y do not match, or contain no sequence.
        DTypeError: if they do not hold real numbers.
        ValueError: for a size that is not positive.
    """

    carries_state = False

    def __repr__(self) -> str:
        return batches_repr(self)

    def __init__(
        self, x: ArrayLike, y: ArrayLike, batch_size: int, *, seed: int = 0, shuffle: bool = True
    ) -> None:
        self._x, self._y = as_ids("ArrayBatches", "x", x), as_ids("ArrayBatches", "y", y)
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
        """Returns the batches in the order of this epoch."""
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

    def contents(self) -> Contents:
        """See `Data.contents`."""
        settings = {"batch_size": self.batch_size, "seed": self.seed, "shuffle": self.shuffle}
        return Contents("sequence", [self._x.swapaxes(0, 1), self._y.swapaxes(0, 1)], settings)
