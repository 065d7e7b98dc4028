"""Threads that read and change a vector."""

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

from rnnrs import nn
from rnnrs.nn.guard import Guard


def in_thread(work):
    """Runs `work` in another thread; returns its exception, or None."""
    caught = []

    def run():
        try:
            work()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "the thread waits for ever"
    return caught[0] if caught else None


def test_no_reader_sees_half_a_change_and_nobody_starves():
    guard, pair, stop, torn = Guard(), [0, 0], threading.Event(), []
    counts = dict.fromkeys(range(6), 0)

    def read(i):
        while not stop.is_set():
            with guard.reading:
                first = pair[0]
                sum(range(30))
                with guard.reading:
                    if pair[1] != first:
                        torn.append(i)
            counts[i] += 1

    def write(i):
        while not stop.is_set():
            with guard.changing:
                pair[0] += 1
                sum(range(30))
                with guard.reading, guard.changing:
                    pair[1] += 1
            counts[i] += 1

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=read if i < 4 else write, args=(i,), daemon=True) for i in range(6)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while min(counts.values()) < 100 and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join(20)
    sys.setswitchinterval(before)
    assert not any(thread.is_alive() for thread in threads)
    assert not torn and min(counts.values()) >= 100
    assert pair[0] == pair[1] == counts[4] + counts[5]


def test_of_two_readers_that_want_to_change_one_is_refused():
    guard, entered, go = Guard(), threading.Event(), threading.Event()

    def first():
        with guard.reading, guard.changing:
            entered.set()
            go.wait(20)

    thread = threading.Thread(target=first, daemon=True)
    thread.start()
    entered.wait(20)
    guard.readers[threading.get_ident()] = 1  # as if this thread had begun to read before
    with pytest.raises(RuntimeError, match="in use by another thread"):
        guard.changing.__enter__()
    go.set()
    thread.join(20)
    del guard.readers[threading.get_ident()]
    with guard.changing:
        pass
    assert not guard.readers and guard.writer is None


def test_adding_is_for_one_thread_which_may_enter_it_again():
    guard = Guard()
    with guard.adding, guard.adding:
        assert "in use by another thread" in str(in_thread(guard.adding.__enter__))
    assert in_thread(lambda: guard.adding.__enter__() or guard.adding.__exit__()) is None


def test_a_run_trains_alone():
    guard, run = Guard(), object()
    with guard.training("fit", None), guard.training("fit", run), guard.training("fit", run):
        with pytest.raises(RuntimeError, match="fit: the model is in use by another training"):
            guard.training("fit", object()).__enter__()
        with pytest.raises(RuntimeError, match="fit: the model is in use by another training"):
            guard.training("fit", None).__enter__()
        with guard.adding:
            pass
        assert "fit: the model is in use by another thread" in str(
            in_thread(guard.training("fit", run).__enter__)
        )
    with guard.training("fit", object()):
        pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_ends_the_contexts(error):
    guard = Guard()
    for context in (guard.reading, guard.changing, guard.adding, guard.training("fit", object())):
        with pytest.raises(error), context:
            raise error
    assert in_thread(lambda: guard.changing.__enter__() or guard.changing.__exit__()) is None
    assert in_thread(lambda: guard.adding.__enter__() or guard.adding.__exit__()) is None


def test_ctrl_c_ends_waiting():
    guard, waits = Guard(), threading.Event()

    def hold():
        with guard.reading:
            waits.wait(20)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    while not guard.readers:
        time.sleep(0.001)
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(KeyboardInterrupt):
        guard.changing.__enter__()
    waits.set()
    thread.join(20)
    assert guard.writer is None and not guard.only_writer.locked()
    with guard.changing:
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_does_not_wait_for_threads_that_it_does_not_have():
    layer = nn.Linear(2, 2)
    reading, done = threading.Event(), threading.Event()

    def hold():
        with layer.parameters.reading, layer.gradients.adding:
            reading.set()
            done.wait(20)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    reading.wait(20)
    with layer.parameters.reading:
        child = os.fork()
        if not child:
            try:
                signal.alarm(10)
                with layer.parameters.changing, layer.gradients.adding:
                    layer.parameters["V"][...] = 1.0
                os._exit(0 if np.all(layer.parameters["V"] == 1.0) else 1)
            except BaseException:
                os._exit(2)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join(20)
    assert os.waitstatus_to_exitcode(status) == 0
