"""Training by several processes, which MPI calls ranks: their division of a batch, sums and agreements."""

from __future__ import annotations

import pickle
import signal as signals
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, NoReturn, Protocol

import numpy as np

from ..errors import RankError
from ..signals import Terminated
from ..types import Array
from .rank_sums import Piece, RankSums, finish, span_of, spans, yield_processor

#: What gradients are sent as.
PRECISIONS = ("float32", "bfloat16")


class Communicator(Protocol):
    """The methods of an mpi4py communicator that a training calls. No other thread may use it meanwhile."""

    def Get_rank(self) -> int: ...

    def Get_size(self) -> int: ...

    def Iallgather(self, sent: Any, received: Any) -> Any: ...

    def Iallgatherv(self, sent: Any, received: Any) -> Any: ...

    def Isend(self, sent: Any, dest: int, tag: int) -> Any: ...

    def Irecv(self, received: Any, source: int, tag: int) -> Any: ...


class Ranks:
    """The processes that train one model together, as one of them sees them.

    Every method but `share` is collective: all ranks call it, in the same order.

    Args:
        op: the caller's name, for error messages.
        communicator: an mpi4py communicator; None: this process alone.
        precision: that of the gradients that are sent, "float32" or "bfloat16"; see `RankSums`.

    Attributes:
        rank: the number of this process, from 0.
        size: N, the number of processes.
        precision: that of the gradients that are sent.

    Raises:
        TypeError: if the communicator lacks a method of mpi4py's.
        ValueError: for another precision.
    """

    def __init__(self, op: str, communicator: Communicator | None, precision: str = "float32") -> None:
        for name in ("Get_rank", "Get_size", "Iallgather", "Iallgatherv", "Isend", "Irecv"):
            if communicator is not None and not callable(getattr(communicator, name, None)):
                kind = type(communicator).__name__
                raise TypeError(f"{op}: communicator: expected an mpi4py communicator, got {kind}")
        if precision not in PRECISIONS:
            raise ValueError(
                f"{op}: gradient_precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}"
            )
        self._op, self._communicator, self.precision = op, communicator, precision
        self.rank = 0 if communicator is None else communicator.Get_rank()
        self.size = 1 if communicator is None else communicator.Get_size()
        self._sums = None if communicator is None or self.size == 1 else RankSums(communicator, precision)

    def share(self, leaves: int) -> range:
        """Returns the micro-batches of this rank.

        Args:
            leaves: M, the number of micro-batches.

        Raises:
            ValueError: if N does not divide M.
        """
        if leaves % self.size:
            raise ValueError(
                f"{self._op}: micro_batches: expected a multiple of the {self.size} ranks, got {leaves}"
            )
        return range(self.rank * leaves // self.size, (self.rank + 1) * leaves // self.size)

    def total(self, partials: Mapping[tuple[int, int], Array], leaves: int, out: Array) -> None:
        """Writes the sum of all micro-batches to `out`: the same bits on every rank, for any number of ranks.

        Args:
            partials: (level, index) → flat vector: the maximal nodes of the tree that this rank's
                micro-batches complete. One of them may be `out`; the others stay as they are.
            leaves: M, the number of micro-batches.
            out: a flat vector.

        Raises:
            ValueError: if these are not the nodes of this rank, or not of the size of `out`.
        """
        self.begin(partials, leaves, out)
        self.finish()

    def begin(
        self,
        partials: Mapping[tuple[int, int], Array],
        leaves: int,
        out: Array,
        pieces: Sequence[Piece] = (),
    ) -> None:
        """Begins `total`, which goes on while this rank computes. The vectors must stay until `finish`.

        Args:
            partials, leaves, out: see `total`.
            pieces: the vector in pieces, with the rows of them that this rank's micro-batches have touched;
                see `Parameters.pieces`. Rows of `out` that no rank has touched must be 0.
        """
        own = {span_of(level, index, leaves): vector for (level, index), vector in partials.items()}
        self.share(leaves)
        expected = spans(self.rank, self.size, leaves)
        if sorted(own) != expected or any(vector.shape != out.shape for vector in own.values()):
            raise ValueError(
                f"{self._op}: partials: expected sums of {expected} of {out.shape}, got {[*own]}"
            )
        vectors = [own[span] for span in expected]
        if self._sums is not None:
            self._sums.begin(vectors, leaves, out, pieces)
        elif vectors[0] is not out:  # all micro-batches are one node, the root
            out[...] = vectors[0]

    def finish(self) -> None:
        """Waits for the sums that were begun."""
        if self._sums is not None:
            self._sums.finish()

    def gather(self, numbers: Sequence[float]) -> list[float]:
        """Returns the numbers of all ranks, in their order; all ranks give equally many."""
        if self._communicator is None:
            return [float(number) for number in numbers]
        received = np.empty(self.size * len(numbers))
        sent = np.array(numbers, np.float64)
        finish([self._communicator.Iallgather(sent, received)], yield_processor)
        return [float(number) for number in received]

    def collect(self, value: Any) -> list[Any]:
        """Returns the values of all ranks, in their order; they are pickled."""
        if self._communicator is None:
            return [value]
        sent = np.frombuffer(pickle.dumps(value), np.uint8)
        counts = [int(count) for count in self.gather([sent.size])]
        places = [0, *accumulate(counts)]
        received = np.empty(places.pop(), np.uint8)
        requests = [self._communicator.Iallgatherv(sent, [received, (counts, places)])]
        finish(requests, yield_processor)
        parts = zip(places, counts, strict=True)
        return [pickle.loads(received[place : place + count].tobytes()) for place, count in parts]

    @contextmanager
    def together(self) -> Iterator[None]:
        """Returns a context after which all ranks go on, or none, if an exception leaves it on one."""
        problem: BaseException | None = None
        try:
            yield
        except BaseException as error:
            if self.size == 1:
                raise
            problem = error
        if self.size > 1:
            self.agree(problem)

    def agree(self, problem: BaseException | None, signal: int | None = None) -> None:
        """Returns if all is well on every rank; otherwise raises on all of them.

        An error goes before a signal. Called at every boundary of a step, it keeps the ranks together: none
        waits in vain for one that failed.

        Args:
            problem: what stopped this rank's step; an interrupt counts as its signal.
            signal: a signal that came during the step.

        Raises:
            BaseException: `problem`, on the ranks that have one.
            RankError: on the others.
            KeyboardInterrupt: on all ranks, if one got a signal: `Terminated` for SIGTERM and SIGHUP.
        """
        if isinstance(problem, KeyboardInterrupt):
            problem, signal = None, getattr(problem, "number", signals.SIGINT)
        codes = self.gather([-1 if problem is not None else signal or 0])
        if not any(codes):
            return
        if self._sums is not None:
            self._sums.settle(self.collect)
        if min(codes) < 0:
            self._raise_problem(problem, codes)
        number = int(next(code for code in codes if code))
        raise KeyboardInterrupt if number == signals.SIGINT else Terminated(number)

    def _raise_problem(self, problem: BaseException | None, codes: Sequence[float]) -> NoReturn:
        """Raises the error of this rank, or one that tells that of the first rank that has one."""
        message = None if problem is None else f"{type(problem).__name__}: {problem}"
        messages = self.collect(message)
        if problem is not None:
            raise problem
        rank = codes.index(-1.0)
        raise RankError(f"{self._op}: stopped by rank {rank}: {messages[rank]}", rank=rank)

    def check_same(self, argument: str, value: str) -> None:
        """Checks that all ranks have the same value, such as a fingerprint.

        Raises:
            ValueError: if one differs; on all ranks.
        """
        values = self.collect(value)
        for rank, other in enumerate(values):
            if other != values[0]:
                raise ValueError(
                    f"{self._op}: {argument}: expected the same on all ranks, got {values[0]} on rank 0, "
                    f"{other} on rank {rank}"
                )
