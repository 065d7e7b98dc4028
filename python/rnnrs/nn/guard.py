"""Which threads use a vector of parameters or gradients: many may read it, one may change it."""

from __future__ import annotations

import os
import threading
import weakref
from threading import get_ident
from typing import Any

#: Wakes the threads that wait for a guard. One serves all guards: waiting is rare and short.
_turn = threading.Condition()

#: The threads that read, each with the number of guards.
_read: dict[int, int] = {}

#: All guards, for forks.
_guards: weakref.WeakSet[Guard] = weakref.WeakSet()


class Guard:
    """Lets any number of threads read at a time, or one thread change.

    A thread that changes may also read, so a training may predict in a callback. A thread that comes to read
    waits for a change that another thread makes or waits for; those that have waited read before the next
    change. So neither side starves.

    Attributes:
        reading: the context of a thread that reads.
        changing: the context of a thread that changes. Entering it raises RuntimeError for a thread that
            reads, if another one changes: two such threads would wait for each other.
        adding: the context of a thread that adds gradients, which it may enter several times. Entering it
            raises RuntimeError if another thread is in it.
        has_changed: whether a thread has ever changed something.
        changes: the number of times that a thread began to change something.
    """

    def __init__(self) -> None:
        self.readers: dict[int, int] = {}  # the threads that read, each with the number of its contexts
        self.waiting: set[int] = set()  # the threads that wait to read
        self.writer: int | None = None  # the thread that changes, or waits to
        self.active, self.depth = False, 0  # whether it changes now, and the number of its contexts
        self.only_writer, self.only_adder = threading.Lock(), threading.RLock()
        self.run: object = None  # the run that trains
        self.trainings = 0  # the number of `training` contexts
        self.has_changed, self.changes = False, 0
        self.reading, self.changing, self.adding = _Reading(self), _Changing(self), _Adding(self)
        _guards.add(self)

    def training(self, op: str, run: object) -> _Training:
        """Returns the context of a training: no other run trains, and no other thread adds gradients.

        Args:
            op: the caller's name, for error messages.
            run: the run; it may enter the context several times. None: another run may train in the context.

        Raises:
            RuntimeError: on entering, if another thread or another run is in such a context.
        """
        return _Training(self, op, run)


class _Reading:
    """The context in which a thread sees the values of one moment."""

    __slots__ = ("_guard",)

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def __enter__(self) -> None:
        guard, me = self._guard, get_ident()
        depth = guard.readers.get(me, 0)
        guard.readers[me] = depth + 1  # first registered, then looked: a writer does the same
        if depth:
            return
        if guard.writer is not None and guard.writer != me:
            _wait_to_read(guard, me)
        _read[me] = _read.get(me, 0) + 1

    def __exit__(self, *_: Any) -> None:
        guard, me = self._guard, get_ident()
        depth = guard.readers[me] - 1
        if depth:
            guard.readers[me] = depth
            return
        del guard.readers[me]
        others = _read[me] - 1
        if others:
            _read[me] = others
        else:
            del _read[me]
        if guard.writer is not None and guard.writer != me:
            with _turn:
                _turn.notify_all()


class _Changing:
    """The context in which a thread changes the values, and no other thread reads them."""

    __slots__ = ("_guard",)

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def __enter__(self) -> None:
        guard, me = self._guard, get_ident()
        if guard.writer == me:
            guard.depth += 1
            guard.changes += 1
            return
        if not guard.only_writer.acquire(blocking=me not in guard.readers):
            raise RuntimeError("Parameters: in use by another thread, which changes them")
        guard.writer, guard.active, guard.depth = me, True, 1
        if guard.readers and any(reader != me for reader in list(guard.readers)):
            _wait_to_change(guard, me)
        guard.has_changed = True
        guard.changes += 1

    def __exit__(self, *_: Any) -> None:
        guard = self._guard
        guard.depth -= 1
        if not guard.depth:
            _end_change(guard)


class _Adding:
    """The context of the one thread that adds gradients; it may enter it several times."""

    __slots__ = ("_guard",)

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def __enter__(self) -> None:
        if not self._guard.only_adder.acquire(blocking=False):
            raise RuntimeError("the gradients are in use by another thread, which trains the model")

    def __exit__(self, *_: Any) -> None:
        self._guard.only_adder.release()


class _Training:
    """The context of `Guard.training`."""

    def __init__(self, guard: Guard, op: str, run: object) -> None:
        self._guard, self._op, self._run, self._before = guard, op, run, run

    def __enter__(self) -> None:
        guard = self._guard
        if not guard.only_adder.acquire(blocking=False):
            raise RuntimeError(f"{self._op}: the model is in use by another thread, which trains it")
        if guard.run is not None and guard.run is not self._run:
            guard.only_adder.release()
            raise RuntimeError(
                f"{self._op}: the model is in use by another training, in which this one began"
            )
        self._before, guard.run = guard.run, self._run
        guard.trainings += 1

    def __exit__(self, *_: Any) -> None:
        self._guard.run = self._before
        self._guard.trainings -= 1
        self._guard.only_adder.release()


def _wait_to_read(guard: Guard, me: int) -> None:
    """Returns when no other thread changes the values; the thread is registered as a reader then."""
    try:
        with _turn:
            # A thread that reads other values, too, is let in before a writer that waits: it may wait for it.
            if me in _read and not guard.active:
                return
            guard.waiting.add(me)  # first, since a change that ends now looks for those that wait
            if guard.writer is None:
                guard.waiting.discard(me)
                return
            del guard.readers[me]
            _turn.notify_all()
            while me in guard.waiting:
                _turn.wait()
    except BaseException:  # Ctrl-C
        guard.waiting.discard(me)
        guard.readers.pop(me, None)
        raise


def _wait_to_change(guard: Guard, me: int) -> None:
    """Returns when no other thread reads the values."""
    try:
        with _turn:
            while any(reader != me for reader in list(guard.readers)):
                guard.active = False
                _turn.wait()
                guard.active = True
    except BaseException:  # Ctrl-C
        _end_change(guard)
        raise


def _end_change(guard: Guard) -> None:
    """Lets the threads read that have waited, and then the next thread change."""
    if guard.waiting:
        _admit(guard)
    guard.writer, guard.active, guard.depth = None, False, 0
    if guard.waiting:  # one has come since
        _admit(guard)
    guard.only_writer.release()


def _admit(guard: Guard) -> None:
    with _turn:
        guard.readers.update(dict.fromkeys(guard.waiting, 1))
        guard.waiting.clear()
        _turn.notify_all()


def _forget_other_threads() -> None:
    """Makes the guards those of a process that has this thread alone."""
    global _turn
    _turn, me = threading.Condition(), get_ident()
    for reader in _read.keys() - {me}:
        del _read[reader]
    for guard in list(_guards):
        guard.readers = {reader: depth for reader, depth in guard.readers.items() if reader == me}
        guard.waiting = set()
        if guard.writer != me:
            guard.writer, guard.active, guard.depth = None, False, 0
            guard.only_writer = threading.Lock()
        if guard.only_adder.acquire(blocking=False):  # free, or this thread's
            guard.only_adder.release()
        else:
            guard.run, guard.trainings, guard.only_adder = None, 0, threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
