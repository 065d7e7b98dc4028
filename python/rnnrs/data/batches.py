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
from .corpus import CorpusSentences, CorpusStream
from .shuffling import ShuffledBlocks


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
        ids: the text's token ids (N,), or a part of a corpus on disk, which is read batch by batch.
        batch_size: B.
        steps: T.

    Raises:
        ValueError: if there are fewer than B + 1 tokens, or a size is not positive.
        DTypeError, ShapeError, IndexError: if `ids` is not a vector of token ids.
    """

    carries_state = True

    def __repr__(self) -> str:
        return batches_repr(self)

    def __init__(self, ids: ArrayLike | CorpusStream, batch_size: int, steps: int) -> None:
        stream = ids if isinstance(ids, CorpusStream) else check_token_ids("StreamBatches", "ids", ids)
        self.batch_size = check_size("StreamBatches", "batch_size", batch_size)
        self.steps = check_size("StreamBatches", "steps", steps)
        self._length = (len(stream) - 1) // self.batch_size
        if self._length < 1:
            raise ValueError(
                f"StreamBatches: ids: expected at least {self.batch_size + 1} tokens "
                f"for batch_size {self.batch_size}, got {len(stream)}"
            )
        self._corpus: CorpusStream | None = None
        if isinstance(stream, CorpusStream):
            self._corpus = stream
            return

        # Each stream is a column of length + 1 rows: all but the last are inputs, all but the first targets.
        end = self.batch_size * self._length
        self._columns = np.empty((self._length + 1, self.batch_size), np.int64)
        self._columns[:-1] = stream[:end].reshape(self.batch_size, self._length).T
        self._columns[-1] = stream[self._length : end + 1 : self._length]
        self._columns.flags.writeable = False  # batches are views of it

    def __len__(self) -> int:
        return -(-self._length // self.steps)

    def epoch(self, number: int) -> Sequence[Batch]:
        """Returns the windows from first to last, the same in every epoch, read-only."""

        def window(index: int) -> Batch:
            rows = self._rows(index * self.steps, min((index + 1) * self.steps, self._length))
            return Batch(rows[:-1], rows[1:])

        return Batches(len(self), window)

    @property
    def columns(self) -> tuple[Array, Array]:
        """All inputs and all targets of the streams, each (N, B) with N steps."""
        rows = self._rows(0, self._length)
        return rows[:-1], rows[1:]

    def _rows(self, first: int, last: int) -> Array:
        """Returns the columns from one step to another, that one included."""
        if self._corpus is None:
            return self._columns[first : last + 1]
        rows = np.empty((last + 1 - first, self.batch_size), np.int64)
        for column in range(self.batch_size):
            begin = column * self._length
            rows[:, column] = self._corpus.read(begin + first, begin + last + 1)
        rows.flags.writeable = False
        return rows

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        if self._corpus is not None:
            return digest("stream", self.steps, self.batch_size, self._corpus.fingerprint())
        return digest("stream", self.steps, self._columns)

    def contents(self) -> Contents:
        """See `Data.contents`."""
        settings = {"batch_size": self.batch_size, "steps": self.steps}
        if self._corpus is not None:
            return Contents("block", [self._corpus.corpus.sums], settings)
        return Contents("token", [self._columns[:-1].T.ravel()], settings)


class SentenceBatches:
    """Sentences as independent sequences from h_0 = 0; sentences of similar length share a batch.

    A sentence w_1 … w_n becomes the inputs end, w_1 … w_n and the targets w_1 … w_n, end. Shorter sentences
    of a batch are padded with `end_id`, and their targets with −1, which is not scored. In every epoch the
    sentences are shuffled, cut into batches by length, and the batches shuffled.

    With `shuffle_block`, this happens to so many adjacent sentences at a time, and the blocks come in random
    order: a large corpus is then read block by block.

    Args:
        sentences: their token ids, one vector each; or those of a corpus on disk, read batch by batch.
        batch_size: B; the last batch, of each block, may have fewer.
        end_id: the token that ends a sentence and precedes its first word.
        seed: the seed of the shuffling.
        shuffle_block: the number of sentences that are shuffled together; None: all of them.

    Raises:
        ValueError: without sentences, or for a size that is not positive.
        DTypeError, ShapeError, IndexError: if a sentence is not a vector of token ids.
    """

    carries_state = False

    def __repr__(self) -> str:
        return batches_repr(self)

    def __init__(
        self,
        sentences: Sequence[ArrayLike] | CorpusSentences,
        batch_size: int,
        end_id: int,
        seed: int = 0,
        *,
        shuffle_block: int | None = None,
    ) -> None:
        op = "SentenceBatches"
        check_repeatable(op, "sentences", sentences)
        if not len(sentences):
            raise ValueError(f"{op}: sentences: expected at least one, got none")
        self.batch_size = check_size(op, "batch_size", batch_size)
        self.end_id = check_size(op, "end_id", end_id, least=0)
        self.seed = check_size(op, "seed", seed, least=0)
        self.shuffle_block = None if shuffle_block is None else check_size(op, "shuffle_block", shuffle_block)
        self._source: _InMemory | CorpusSentences = (
            sentences if isinstance(sentences, CorpusSentences) else _InMemory(op, sentences, self.end_id)
        )
        count = len(self._source)
        self._blocks = ShuffledBlocks(count, self.batch_size, self.seed, self.shuffle_block)

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def padding_share(self) -> float:
        """The share of all positions that is padding, 0..1."""
        cells = words = 0
        for first, last in self._blocks.ranges:
            ordered = np.sort(self._source.places(first, last)[1] + 1)
            ends = np.minimum(np.arange(0, len(ordered), self.batch_size) + self.batch_size, len(ordered))
            members = np.diff(ends, prepend=0)
            cells, words = cells + int(ordered[ends - 1] @ members), words + int(ordered.sum())
        return 1.0 - words / cells

    def epoch(self, number: int) -> Sequence[Batch]:
        """Returns the batches in the order of this epoch."""

        def lengths(first: int, last: int) -> tuple[Array, Array]:
            starts, words = self._source.places(first, last)
            return words + 1, starts

        return self._blocks.epoch(number, lengths, self._pad)

    def _pad(self, members: Array, lengths: Array, starts: Array) -> Batch:
        """Returns sentences, given by number, as padded columns (T, B), T the steps of the longest one."""
        inside = np.arange(lengths.max())[:, None] < lengths
        if isinstance(self._source, _InMemory):
            rows = self._source.columns(starts, lengths)
        else:
            rows = np.full((len(inside) + 1, len(members)), self.end_id, np.int64)
            for column, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
                rows[1:length, column] = self._source.corpus.ids(start, start + length - 1)
        uneven = None if inside.all() else lengths
        return Batch(rows[:-1], np.where(inside, rows[1:], IGNORE), lengths=uneven, keys=members)

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        settings = ("sentences", self.batch_size, self.end_id, self.seed)
        blocks = () if self.shuffle_block is None else (self.shuffle_block,)
        if isinstance(self._source, CorpusSentences):
            return digest(*settings, *blocks, self._source.fingerprint())
        return digest(*settings, *blocks, self._source.lengths, self._source.stream)

    def contents(self) -> Contents:
        """See `Data.contents`."""
        settings = {"batch_size": self.batch_size, "seed": self.seed}
        if self.shuffle_block is not None:
            settings["shuffle_block"] = self.shuffle_block
        if isinstance(self._source, CorpusSentences):
            return Contents("block", [self._source.corpus.sums], settings)
        sentences = np.split(self._source.stream, self._source.starts[1:])
        return Contents("sentence", [sentences], settings)


class _InMemory:
    """Sentences in one array: end, sentence, end, sentence, …, end."""

    def __init__(self, op: str, sentences: Sequence[ArrayLike], end_id: int) -> None:
        checked = [check_token_ids(op, f"sentences[{i}]", ids) for i, ids in enumerate(sentences)]
        self.lengths = np.array([ids.size + 1 for ids in checked])
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])  # of the end before each
        end = np.array([end_id])
        self.stream = np.concatenate([end, *(part for ids in checked for part in (ids, end))])

    def __len__(self) -> int:
        return len(self.lengths)

    def places(self, first: int, last: int) -> tuple[Array, Array]:
        """Returns the places of some sentences, and their numbers of tokens."""
        return self.starts[first:last], self.lengths[first:last] - 1

    def columns(self, starts: Array, lengths: Array) -> Array:
        """Returns sentences as columns (T + 1, B), each between two ends, and padded with ends."""
        step = np.arange(lengths.max() + 1)[:, None]
        return self.stream[np.where(step <= lengths, starts + step, 0)]  # index 0 holds an end


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
