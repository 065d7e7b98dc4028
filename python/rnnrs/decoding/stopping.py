"""Decoding that can be stopped between two of its steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopped(Exception):
    """A check of `stoppable` has stopped a computation between two of its steps."""


class _Checks(threading.local):
    """The checks of each thread."""

    active: tuple[Callable[[], bool], ...] = ()


_checks = _Checks()


@contextmanager
def stoppable(check: Callable[[], bool]) -> Iterator[None]:
    """Lets whatever writes in this thread be stopped: beam search, sampling, generated text, suggestions.

    Answers to many inputs also stop between groups of inputs. The models remain as they were, so they can be
    used at once. Within another such context, both checks apply.

    Args:
        check: is called between decoding steps, in this thread; if its result is true, the computation ends.
            Other threads may decide what it returns.

    Raises:
        Stopped: in the context, when a check says so.
        TypeError: if the check cannot be called.

    Example:
        >>> from threading import Event
        >>> from rnnrs.models import LanguageModel
        >>> model, cancelled = LanguageModel.from_text("abc" * 9), Event()
        >>> with stoppable(cancelled.is_set):  # another thread may call cancelled.set()
        ...     found = model.beam_search("ab")
        >>> cancelled.set()
        >>> with stoppable(cancelled.is_set):
        ...     found = model.beam_search("ab")
        Traceback (most recent call last):
        rnnrs.decoding.stopping.Stopped: stopped between two steps by a check of `stoppable`
    """
    if not callable(check):
        raise TypeError(f"stoppable: check: expected a function, got {check!r:.80}")
    before = _checks.active
    _checks.active = (*before, check)
    try:
        yield
    finally:
        _checks.active = before


def check_stopped() -> None:
    """Raises `Stopped` if a check of the contexts that this thread is in says so."""
    for check in _checks.active:
        if check():
            raise Stopped("stopped between two steps by a check of `stoppable`")
