"""Python's lock and the threads of a computation: no call waits for one while it holds the other."""

import os
import subprocess
import sys

#: Another thread computes for so long that it asks for Python's lock; this one makes or uses what packs weights.
PROGRAM = """
import faulthandler, threading, time
import numpy as np
from rnnrs import nn

faulthandler.dump_traceback_later(20, exit=True)
wide = nn.RNN(512, 512, seed=1)
x = np.ones((4000, 1, 512), np.float32)  # one sequence: the threads wait for each other at every step
over = threading.Event()

def compute():
    while not over.is_set():
        wide.forward(x)

def parts(V, sizes):
    layers = [nn.RNN(i, h, seed=0) for i, h in zip([8, *sizes], sizes)]
    weights = [w for layer in layers for w in layer.engine_weights()]
    return np.ones((V, 8), np.float32), weights, np.ones((V, sizes[-1]), np.float32), np.ones(V, np.float32)

from rnnrs._rnnrs import Decoder, Stepper
large, deep = parts(20_000, [64]), parts(50, [600, 8])
stepper, narrow = Stepper(*large), Stepper(*deep, batch=16)
decoder = Decoder(*large)
states, tokens = np.zeros((16, 64), np.float32), np.zeros(16, np.int64)

def begin():
    decoder.begin(states)
    decoder.step(tokens, tokens)

cases = {
    "Stepper": lambda: Stepper(*large),
    "Decoder": lambda: Decoder(*large),
    "Stepper.read": lambda: stepper.read([1, 2]),
    "Stepper.read, long": lambda: stepper.read([1] * 40),
    "Stepper.step": lambda: narrow.step(tokens),
    "Decoder.step": begin,
}
thread = threading.Thread(target=compute)
thread.start()
for name, does in cases.items():
    print(name, flush=True)  # the last one is the one that hangs
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        does()
over.set()
thread.join()
"""


def test_calls_do_not_wait_for_each_other():
    environment = {**os.environ, "RNNRS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
