"""Ctrl-C during a long computation: it ends soon, and the layer stays usable."""

import subprocess
import sys
import textwrap

import pytest
from interrupts import seconds_to_stop

PROGRAM = """
    import signal, sys, threading, time, os
    import numpy as np
    import rnnrs
    from rnnrs import nn

    rnnrs.set_num_threads(int(sys.argv[1]))
    rnn = nn.RNN(64, 512)
    x = np.zeros((1, 8, 64), np.float32)
    long = np.broadcast_to(x, (40_000, 8, 64)).copy()  # seconds of work
    sent = []

    def interrupt():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    h, cache = rnn.forward(x)
    threading.Timer(0.1, interrupt).start()
    try:
        rnn.forward(long)
    except KeyboardInterrupt:
        print(time.monotonic() - sent[0])
    assert np.array_equal(rnn.forward(x)[0], h)
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_interrupts_a_forward_pass(threads):
    # Signals are checked every 20 ms; the limit allows for a busy machine.
    assert seconds_to_stop(PROGRAM, threads, within=1.0) < 1.0


def test_another_exception_from_the_handler_is_raised():
    program = """
        import signal, threading, os
        import numpy as np
        from rnnrs import nn

        class Enough(Exception): pass

        def handler(*_):
            raise Enough("enough")

        signal.signal(signal.SIGUSR1, handler)
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        try:
            nn.RNN(64, 512).forward(np.zeros((40_000, 8, 64), np.float32))
        except Enough as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "enough\n", done.stderr
