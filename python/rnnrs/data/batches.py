"""Three ways to cut data into time-major batches.

What an epoch holds is a pure function of the data, the seed and the epoch's number: a training run can be resumed
anywhere, and no random generator's state has to be saved for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DTypeError, ShapeError
from ..nn.parameters import check_size

Array = NDArray[Any]

#: The target that is not scored.
IGNORE = -1


class Batch(NamedTuple):
    """A minibatch, time-major.

    Attributes:
        inputs: token ids (T, B), or x (T, B, I).
        targets: ids (T, B), −1 where nothing is to be scored, or what else the loss takes.
    """

    inputs: Any
    targets: Any

    @property
    def positions(self) -> int:
        """How many positions are scored: the targets that are not −1 (all of them, if they are no ids)."""
        targets = np.asarray(self.targets)
        if targets.dtype.kind in "iu" and targets.ndim <= 2:
            return int(np.count_nonzero(targets != IGNORE))
        return int(np.prod(targets.shape[:2]))


class Data(Protocol):
    """What `Trainer.fit` goes through."""

    #: Whether the state at a batch's end is the state at the next one's start.
    carries_state: bool

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def epoch(self, number: int) -> Sequence[Batch]:
        """The batches of an epoch, counted from 0: always the same ones for the same number."""
        ...

    def fingerprint(self) -> str:
        """A short name of data and settings, by which a checkpoint knows that it goes on with the same ones."""
        ...


class Batches(Sequence[Batch]):
    """Batches that are made when they are asked for."""

    def __init__(self, count: int, make: Callable[[int], Batch]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Batch: ...

    @overload
    def __getitem__(self, index: slice) -> list[Batch]: ...

    def __getitem__(self, index: int | slice) -> Batch | list[Batch]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(f"batch: expected an index below {self._count}, got {index}")
        return self._make(index % self._count)


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
        return _digest("list", *(np.asarray(array) for batch in self._batches for array in batch))


def check_token_ids(op: str, ids: ArrayLike) -> NDArray[np.int64]:
    """Token ids as one vector of int64.

    Raises:
        DTypeError: if they are no whole numbers.
        ShapeError: if they are no vector.
        IndexError: if one is negative.
    """
    array = np.asarray(ids)
    if array.dtype.kind not in "iu" and array.size:
        raise DTypeError(f"{op}: ids: expected whole numbers, got {array.dtype}")
    if array.ndim != 1:
        raise ShapeError(f"{op}: ids: expected a vector (N,), got shape {array.shape}")
    if array.size and int(array.min()) < 0:
        raise IndexError(f"{op}: ids: expected ids from 0, got {array.min()} at position {array.argmin()}")
    return array.astype(np.int64, copy=False)


def _digest(*parts: Any) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        if isinstance(part, np.ndarray):
            part = np.ascontiguousarray(part)
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(part.data if part.size else b"")
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()


class StreamBatches:
    """One long text, read by B readers side by side, each from a place of its own, T tokens at a time.

    The state is carried from window to window: truncated back-propagation through time (Williams and Peng 1990) with
    windows that touch. inputs[t] is a token, targets[t] the one after it. At most B tokens at the end are left out; the
    last window of an epoch may be shorter.

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
        stream = check_token_ids("StreamBatches", ids)
        self.batch_size = check_size("StreamBatches", "batch_size", batch_size)
        self.steps = check_size("StreamBatches", "steps", steps)
        length = (stream.size - 1) // self.batch_size
        if length < 1:
            raise ValueError(
                f"StreamBatches: ids: expected at least {self.batch_size + 1} tokens for {self.batch_size} readers, "
                f"got {stream.size}"
            )

        def columns(shift: int) -> NDArray[np.int64]:
            part = stream[shift : shift + self.batch_size * length]
            return np.ascontiguousarray(part.reshape(self.batch_size, length).T)

        self._inputs, self._targets = columns(0), columns(1)

    def __len__(self) -> int:
        return -(-len(self._inputs) // self.steps)

    def epoch(self, number: int) -> Sequence[Batch]:
        """The windows, from the first to the last: the same in every epoch."""

        def window(index: int) -> Batch:
            part = slice(index * self.steps, (index + 1) * self.steps)
            return Batch(self._inputs[part], self._targets[part])

        return Batches(len(self), window)

    def fingerprint(self) -> str:
        return _digest("stream", self.steps, self._inputs, self._targets)


class SentenceBatches:
    """Sentences, each a sequence of its own from h_0 = 0; those of like length share a batch.

    A sentence w_1 … w_n becomes the inputs end, w_1 … w_n and the targets w_1 … w_n, end. Shorter ones of a batch are
    filled up with `end_id`, and their targets there with −1, which is not scored. The sentences are shuffled anew in
    every epoch, cut into batches by length, and the batches shuffled.

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
        self._sentences = [check_token_ids("SentenceBatches", sentence) for sentence in sentences]
        if not self._sentences:
            raise ValueError("SentenceBatches: sentences: expected at least one, got none")
        self.batch_size = check_size("SentenceBatches", "batch_size", batch_size)
        self.end_id = check_size("SentenceBatches", "end_id", end_id, least=0)
        self.seed = check_size("SentenceBatches", "seed", seed, least=0)
        self._lengths = np.array([sentence.size + 1 for sentence in self._sentences])

    def __len__(self) -> int:
        return -(-len(self._sentences) // self.batch_size)

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
        order = draw.permutation(len(self._sentences))
        order = order[np.argsort(self._lengths[order], kind="stable")]
        turn = draw.permutation(len(self))

        def batch(index: int) -> Batch:
            start = int(turn[index]) * self.batch_size
            return self._pad(order[start : start + self.batch_size])

        return Batches(len(self), batch)

    def _pad(self, members: Array) -> Batch:
        steps = int(self._lengths[members].max())
        inputs = np.full((steps, len(members)), self.end_id, np.int64)
        targets = np.full((steps, len(members)), IGNORE, np.int64)
        for column, member in enumerate(members):
            sentence = self._sentences[member]
            inputs[1 : sentence.size + 1, column] = sentence
            targets[: sentence.size, column] = sentence
            targets[sentence.size, column] = self.end_id
        return Batch(inputs, targets)

    def fingerprint(self) -> str:
        return _digest(
            "sentences",
            self.batch_size,
            self.end_id,
            self.seed,
            self._lengths,
            np.concatenate(self._sentences),
        )


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
            return Batch(self._x[:, members], self._y[:, members])

        return Batches(len(self), batch)

    def fingerprint(self) -> str:
        return _digest("arrays", self.batch_size, self.seed, self.shuffle, self._x, self._y)
