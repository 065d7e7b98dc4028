"""Sums over ranks, in the order of the tree of micro-batches, also while a rank computes.

The micro-batches of a step are the leaves of a binary tree that their number alone determines, and a node is
the sum of its two children. Every rank sends each other rank one segment of its partial sums, adds what it
receives for its own segment along the tree, and sends the result to all. Each rank thus sends and receives
2 (N − 1)/N of the vector, the least possible for N ranks (Patarasuk and Yuan 2009), and adds (N − 1)/N of it.

Rows of a large embedding that no rank has touched are not sent: first, the ranks tell each other which are
touched, one bit for each row.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import pairwise
from queue import SimpleQueue
from sys import modules
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._rnnrs import from_bfloat16, to_bfloat16
from ..types import Array

#: Numbers that a rank sums at a time: enough that latency does not count, few enough to stay in a cache.
SEGMENT = 1 << 17

#: The tags of messages with partial sums, with sums, and with touched rows.
_PARTIAL, _SUM, _ROWS = 20201, 20202, 20203

#: The seconds between two looks at messages that arrive while the rank computes.
_PAUSE = 1e-4

#: A partial sum: its first leaf and the one after its last.
Span = tuple[int, int]

#: A piece of a vector, and the rows of it that may be nonzero; None: all elements.
Piece = tuple[slice, NDArray[np.bool_] | None]

#: A sum that was begun: the number of its leaves, the size and the type of the vector, the number of pieces.
Begun = tuple[int, int, str, int]


class RankSums:
    """The sums over the ranks of a communicator; all ranks call the methods in the same order.

    Args:
        communicator: an mpi4py communicator.
        precision: "bfloat16": float32 numbers are sent as bfloat16, half the bytes. Sums are computed in
            float32, and are then the same on all ranks, but not for any number of them.
    """

    def __init__(self, communicator: Any, precision: str = "float32") -> None:
        self._communicator, self._short = communicator, precision == "bfloat16"
        self._rank, self._size = communicator.Get_rank(), communicator.Get_size()
        self._begun: list[tuple[Begun, Future[None]]] = []
        self._jobs: SimpleQueue[Any] | None = None
        self._waits = threading.Event()

    def total(
        self,
        vectors: Sequence[Array],
        leaves: int,
        out: Array,
        pieces: Sequence[Piece] = (),
        pause: Callable[[], None] | None = None,
    ) -> None:
        """Writes the sum of all leaves to `out`.

        Args:
            vectors: the sums of the nodes `spans` of this rank; one of them may be `out`.
            leaves: the number of leaves.
            out: a flat vector.
            pieces: the vector in pieces, equally many on all ranks, with the rows that this rank has
                touched. Rows of `out` that no rank has touched stay as they are.
            pause: called while messages are waited for.
        """
        pause = pause or yield_processor
        whole: Sequence[Piece] = [(slice(0, out.size), None)]
        for piece, rows in self._touched(pieces, out.size, pause) if len(pieces) > 1 else whole:
            if rows is None:
                self._total_piece([vector[piece] for vector in vectors], leaves, out[piece], pause)
                continue
            few = [vector[piece].reshape(len(rows), -1)[rows].reshape(-1) for vector in vectors]
            self._total_piece(few, leaves, found := np.empty_like(few[0]), pause)
            matrix = out[piece].reshape(len(rows), -1)
            matrix[rows] = found.reshape(-1, matrix.shape[1])

    def _touched(self, pieces: Sequence[Piece], size: int, pause: Callable[[], None]) -> Sequence[Piece]:
        """Returns the pieces with the rows that any rank has touched; one piece if a rank does not know."""
        own = [rows for piece, rows in pieces if rows is not None]
        sizes = np.array([len(own), sum(map(len, own))])  # fewer where something has got hold of an array
        if (self._exchange(sizes, pause) != sizes).any() or not own:
            return [(slice(0, size), None)]
        bits = np.packbits(np.concatenate(own))
        touched = np.bitwise_or.reduce(self._exchange(bits, pause)) | bits
        rows = np.split(np.unpackbits(touched)[: sizes[1]].astype(bool), np.cumsum([*map(len, own)])[:-1])
        left = iter(rows)
        return [(piece, None if known is None else next(left)) for piece, known in pieces]

    def _exchange(self, own: NDArray[Any], pause: Callable[[], None]) -> NDArray[Any]:
        """Returns the vectors of all other ranks; all have the same size."""
        others = [rank for rank in range(self._size) if rank != self._rank]
        received = np.empty((len(others), own.size), own.dtype)
        requests = [
            self._communicator.Irecv(row, rank, _ROWS) for row, rank in zip(received, others, strict=True)
        ]
        finish([*requests, *(self._communicator.Isend(own, rank, _ROWS) for rank in others)], pause)
        return received

    def _total_piece(
        self, vectors: Sequence[Array], leaves: int, out: Array, pause: Callable[[], None]
    ) -> None:
        """Sums contiguous vectors block by block."""
        size = self._size * SEGMENT
        for first in range(0, out.size, size):
            block = slice(first, min(first + size, out.size))
            self._total_block([vector[block] for vector in vectors], leaves, out[block], pause)

    def _total_block(
        self, vectors: Sequence[Array], leaves: int, out: Array, pause: Callable[[], None]
    ) -> None:
        """Sums a block of the vector: each rank one segment of it, which it then sends to all."""
        send, receive, N = self._communicator.Isend, self._communicator.Irecv, self._size
        segments = [slice(*ends) for ends in pairwise(out.size * rank // N for rank in range(N + 1))]
        own = segments[self._rank]
        others = [(self._rank + turn) % N for turn in range(1, N)]  # not all to the same one first
        short = self._short and out.dtype == np.float32
        kind = np.dtype(np.uint16) if short else out.dtype
        nodes, requests = {}, []
        for rank in others:
            for span in spans(rank, N, leaves):
                nodes[span] = np.empty(own.stop - own.start, kind)
                requests.append(receive(nodes[span], rank, _PARTIAL))
        for rank in others:
            sent = [_shortened(vector[segments[rank]], short) for vector in vectors]
            requests += [send(vector, rank, _PARTIAL) for vector in sent]
        finish(requests, pause)
        nodes = {span: _lengthened(vector, short) for span, vector in nodes.items()}
        nodes |= zip(spans(self._rank, N, leaves), (vector[own].copy() for vector in vectors), strict=True)
        total = _shortened(_sum((leaves - 1).bit_length(), 0, leaves, nodes), short)
        sums = [
            np.empty(segments[rank].stop - segments[rank].start, kind) if short else out[segments[rank]]
            for rank in others
        ]
        requests = [receive(part, rank, _SUM) for part, rank in zip(sums, others, strict=True)]
        requests += [send(total, rank, _SUM) for rank in others]
        finish(requests, pause)
        for rank, part in zip([self._rank, *others], [total, *sums], strict=True):
            if short or rank == self._rank:
                out[segments[rank]] = _lengthened(part, short)

    def begin(self, vectors: Sequence[Array], leaves: int, out: Array, pieces: Sequence[Piece] = ()) -> None:
        """Begins `total` in another thread. The vectors must stay as they are until `finish`."""
        future: Future[None] = Future()
        self._begun.append(((leaves, out.size, out.dtype.str, len(pieces)), future))
        work = partial(self.total, vectors, leaves, out, pieces, self._pause)
        if not _threads_may_call():
            _run(future, work)
            return
        if self._jobs is None:
            self._jobs = SimpleQueue()
            threading.Thread(target=_serve, args=(self._jobs,), daemon=True, name="rnnrs sums").start()
            weakref.finalize(self, self._jobs.put, None)
        self._jobs.put((future, work))

    def finish(self) -> None:
        """Waits until all sums that were begun are there.

        Raises:
            BaseException: what one of them has raised.
        """
        begun, self._begun = self._begun, []
        self._waits.set()
        try:
            for _, future in begun:
                future.result()
        finally:
            self._waits.clear()

    def settle(self, collect: Callable[[list[Begun]], list[list[Begun]]]) -> None:
        """Ends the sums that some ranks have begun, where another one failed before it could begin them.

        Args:
            collect: returns the values of all ranks.
        """
        begun = [what for what, _ in self._begun]
        for leaves, size, dtype, count in max(collect(begun), key=len)[len(begun) :]:
            nothing, whole = np.zeros(size, dtype), (slice(0, size), None)
            vectors = [nothing] * len(spans(self._rank, self._size, leaves))
            self.begin(vectors, leaves, np.empty_like(nothing), [whole] * count)
        self.finish()

    def _pause(self) -> None:
        """Leaves the processor to the computation, or to other ranks if this one only waits."""
        yield_processor() if self._waits.is_set() else time.sleep(_PAUSE)


def spans(rank: int, size: int, leaves: int) -> list[Span]:
    """Returns the maximal nodes of which all leaves belong to a rank, from left to right."""
    start, stop = rank * leaves // size, (rank + 1) * leaves // size
    found = []
    while start < stop:
        level = 0
        while 1 << level < leaves and start % (2 << level) == 0 and min(start + (2 << level), leaves) <= stop:
            level += 1
        found.append(span_of(level, start >> level, leaves))
        start = found[-1][1]
    return found


def span_of(level: int, index: int, leaves: int) -> Span:
    """Returns the leaves of a node; a node with one child has the same as this, and the same sum."""
    return index << level, min((index + 1) << level, leaves)


def finish(requests: Sequence[Any], pause: Callable[[], None]) -> None:
    """Waits until messages have arrived.

    MPI's own waiting takes the whole processor, also from the ranks that it waits for, where ranks share one;
    and no signal is answered meanwhile.
    """
    while requests := [request for request in requests if not request.Test()]:
        pause()


def yield_processor() -> None:
    """Lets another process run, if one waits for this processor."""
    os.sched_yield() if hasattr(os, "sched_yield") else time.sleep(0)


def _sum(level: int, index: int, leaves: int, nodes: Mapping[Span, Array]) -> Array:
    """Returns the sum of a node; changes the vectors of the nodes below it."""
    span = span_of(level, index, leaves)
    if span in nodes:
        return nodes[span]
    left = _sum(level - 1, 2 * index, leaves, nodes)
    if (2 * index + 1) << (level - 1) >= leaves:
        return left  # the only child
    return np.add(left, _sum(level - 1, 2 * index + 1, leaves, nodes), out=left)


def _shortened(vector: Array, short: bool) -> NDArray[Any]:
    """Returns a vector as bfloat16 numbers, if `short`."""
    if not short:
        return vector
    rounded = np.empty(vector.size, np.uint16)
    to_bfloat16(vector, rounded)
    return rounded


def _lengthened(vector: NDArray[Any], short: bool) -> Array:
    """Returns the numbers of a message."""
    if not short:
        return vector
    x = np.empty(vector.size, np.float32)
    from_bfloat16(vector, x)
    return x


def _threads_may_call() -> bool:
    """Returns whether MPI lets several threads call it at once."""
    MPI = modules.get("mpi4py.MPI")
    return MPI is None or MPI.Query_thread() == MPI.THREAD_MULTIPLE


def _serve(jobs: SimpleQueue[Any]) -> None:
    """Runs the jobs of a queue until it gives None."""
    while (job := jobs.get()) is not None:
        _run(*job)
        del job  # and with it the vectors


def _run(future: Future[None], work: Callable[[], None]) -> None:
    try:
        work()
        future.set_result(None)
    except BaseException as error:
        future.set_exception(error)
