"""Ctrl-C, SIGTERM and SIGHUP: a checkpoint, then the end; whose handlers are used; a second signal."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from rnnrs import signals
from rnnrs.signals import TERMINATIONS, Terminated, Terminator
from rnnrs.train.interrupts import Interrupts

if os.name != "posix":
    pytest.skip("signals of POSIX", allow_module_level=True)

SIGNALS = [signal.SIGINT, *TERMINATIONS]


@pytest.fixture(autouse=True)
def handlers():
    """Restores the handlers of the signals."""
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS[:1]] == before[:1]
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture(params=SIGNALS, ids=lambda number: signal.Signals(number).name)
def number(request):
    """A signal that raises an exception, as it does in a command."""
    if request.param != signal.SIGINT:
        signal.signal(request.param, Terminator())
    return request.param


def test_a_signal_waits_until_it_is_allowed(number):
    with Interrupts() as interrupts:
        signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt) as caught:
            interrupts.check()
        assert getattr(caught.value, "number", signal.SIGINT) == number
        assert not interrupts.forced
    for way in ("before", "within"):
        with Interrupts() as interrupts:
            if way == "before":
                signal.raise_signal(number)
            with pytest.raises(KeyboardInterrupt), interrupts.allowed():
                assert way == "within"
                signal.raise_signal(number)


def test_a_second_signal_is_answered_at_once(number, monkeypatch):
    monkeypatch.setattr(signals, "_SAME", 0.0)
    with Interrupts() as interrupts:
        signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert interrupts.forced
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt), interrupts.allowed():
            signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert interrupts.forced


def test_handlers_of_the_user_are_left_alone_or_asked():
    seen = []

    def handler(number, frame):
        seen.append(number)

    for number in TERMINATIONS:
        signal.signal(number, handler)
    before = signal.signal(signal.SIGINT, handler)
    try:
        with Interrupts(terminations=True) as interrupts:
            for number in TERMINATIONS:
                assert signal.getsignal(number) is handler
            signal.raise_signal(signal.SIGINT)
            assert seen == []
            interrupts.check()
            assert seen == [signal.SIGINT]
            signal.raise_signal(signal.SIGINT)
            interrupts.check()
        assert seen == [signal.SIGINT] * 2 and not interrupts.forced
    finally:
        signal.signal(signal.SIGINT, before)


def test_ignored_signals_stay_ignored_and_others_only_with_a_checkpoint():
    for number in TERMINATIONS:
        signal.signal(number, signal.SIG_IGN)
    with Interrupts(terminations=True):
        assert {signal.getsignal(number) for number in TERMINATIONS} == {signal.SIG_IGN}
    for number in TERMINATIONS:
        signal.signal(number, signal.SIG_DFL)
    with Interrupts():
        assert {signal.getsignal(number) for number in TERMINATIONS} == {signal.SIG_DFL}
    with Interrupts(terminations=True):
        assert signal.SIG_DFL not in {signal.getsignal(number) for number in TERMINATIONS}


def test_a_signal_that_is_sent_twice_is_one(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(signals.time, "monotonic", lambda: now[0])
    terminator = Terminator()
    with pytest.raises(Terminated, match="SIGTERM") as caught:
        terminator(signal.SIGTERM, None)
    assert caught.value.number == signal.SIGTERM
    terminator(signal.SIGTERM, None)
    now[0] += 1
    with pytest.raises(Terminated):
        terminator(signal.SIGTERM, None)
    now[0] += 1
    signal.signal(signal.SIGTERM, terminator)
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Terminated), interrupts.allowed():
            pass
        signal.raise_signal(signal.SIGTERM)
        assert not interrupts.forced
        now[0] += 1
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGTERM)
        assert interrupts.forced


PROGRAM = """
    import os, signal, sys
    import numpy as np
    from rnnrs import Trainer, losses, nn, optim
    from rnnrs.data import Batch
    from rnnrs.models import RecurrentNetwork
    from rnnrs.train import Callback

    number, checkpoint = int(sys.argv[1]), sys.argv[2] or None

    class Sends(Callback):
        def on_step(self, run, record):
            if record.step == 3:
                os.kill(os.getpid(), number)

        def on_end(self, run):
            print("end", run.step, flush=True)

    network = RecurrentNetwork(nn.RNN(1, 4), nn.Linear(4, 1), losses.SquaredError())
    batch = Batch(np.ones((5, 2, 1)), np.ones((5, 2, 1)))
    run = Trainer(network, optim.SGD(0.1), callbacks=[Sends()], checkpoint=checkpoint)
    try:
        run.fit([batch], max_steps=10)
    except Exception:
        print("an exception")
    print("not reached")
"""


@pytest.mark.parametrize(
    ("number", "with_checkpoint"), [(signal.SIGTERM, True), (signal.SIGHUP, True), (signal.SIGTERM, False)]
)
def test_a_program_ends_by_the_signal_after_a_checkpoint(tmp_path, number, with_checkpoint):
    path = tmp_path / "c"
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(int(number))]
    done = subprocess.run(
        [*command, str(path) if with_checkpoint else ""],
        stdout=subprocess.PIPE,
        timeout=100,
        check=False,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    assert done.returncode == -number
    assert done.stdout == (b"end 3\n" if with_checkpoint else b"")
    assert [p.name for p in tmp_path.iterdir()] == (["c"] if with_checkpoint else [])
