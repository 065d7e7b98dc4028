"""How evenly work is divided over the threads: `python benches/threads.py [WHAT …] [--threads P …]`.

Each figure is the processor time of the busiest thread relative to its fair part, which is the time of one
thread divided by min(P, 16). 1 is a perfect division. Processor time needs no idle machine and no P
processors; the time that threads spend waiting is subtracted. WHAT is any of the names below, and defaults to
all of them. Linux only: the times come from /proc.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import rnnrs
from rnnrs import _rnnrs, losses, nn, optim

#: Sequences, and time steps of a recurrence.
B, T = 32, 600

#: Runs of each figure, of which the least disturbed one counts.
RUNS = 7

rng = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def recurrences() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yields the forward and the backward pass of each cell and size."""
    for cell in (nn.RNN, nn.LSTM, nn.GRU):
        for hidden in (64, 128, 256, 512):
            steps = T if hidden < 512 or cell is nn.RNN else T // 4
            layer, x = cell(hidden, hidden), normal(steps, B, hidden)
            yield (
                f"{cell.__name__} {hidden} forward",
                lambda layer=layer, x=x: layer.forward(x, gradient=False),
            )
            h, cache = layer.forward(x)
            yield f"{cell.__name__} {hidden} backward", lambda layer=layer, c=cache, h=h: layer.backward(c, h)


def others() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yields the other computations that are divided over the threads."""
    linear, x = nn.Linear(256, 1024), normal(1600, 256)
    y, cache = linear.forward(x)
    yield "Linear forward", lambda: linear.forward(x)
    yield "Linear backward", lambda: linear.backward(cache, y)
    attention, h = nn.Attention(256, 256), normal(50, B, 256)
    context, glance = attention.forward(h, h)
    yield "Attention forward", lambda: attention.forward(h, h)
    yield "Attention backward", lambda: attention.backward(glance, context)
    conv, pictures = nn.Conv2d(32, 64, 3), normal(B, 32, 32, 32)
    maps, seen = conv.forward(pictures)
    yield "Conv2d forward", lambda: conv.forward(pictures)
    yield "Conv2d backward", lambda: conv.backward(seen, maps)
    criterion = losses.SoftmaxCrossEntropy()
    for classes in (100, 10_000):
        output, rows, ids = nn.Linear(256, classes), normal(20, B, 256), rng.integers(0, classes, (20, B))
        yield f"output layer {classes}", lambda o=output, r=rows, i=ids: criterion.through(o, r, i)
    big = nn.RNN(1024, 1024)
    adam = optim.Adam(1e-3)
    yield "Adam", lambda: adam.step(big.parameters, big.gradients)


def busiest(run: Callable[[], object]) -> float:
    """Returns the largest processor time of a thread during one run, without waiting, in seconds."""

    def workers() -> dict[str, float]:
        tasks = [(task / "comm", task / "schedstat") for task in Path("/proc/self/task").iterdir()]
        used = {comm.read_text().strip(): int(stat.read_text().split()[0]) * 1e-9 for comm, stat in tasks}
        return {name: seconds for name, seconds in used.items() if name.startswith("rnnrs-")}

    best = np.inf
    for _ in range(RUNS):
        run()
        time.sleep(0.003)  # until the threads have stopped polling
        _rnnrs.count_waiting(True)
        before = workers()
        begin = time.thread_time()
        run()
        used = {"caller": time.thread_time() - begin}
        used |= {name: seconds - before[name] for name, seconds in workers().items()}
        waited = _rnnrs.count_waiting(False)
        best = min(best, max(seconds - waited.get(name, 0.0) for name, seconds in used.items()))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="*", help="beginnings of names: RNN, 'LSTM 128', Linear …")
    parser.add_argument("--threads", type=int, nargs="+", default=[4, 8, 12, 16, 32, 64])
    given = parser.parse_args()
    for name, run in (*recurrences(), *others()):
        if given.what and not any(name.startswith(what) for what in given.what):
            continue
        rnnrs.set_num_threads(1)
        alone = busiest(run)
        figures = []
        for threads in given.threads:
            rnnrs.set_num_threads(threads)
            figures.append(f"P = {threads}: {busiest(run) * min(threads, 16) / alone:.2f}")
        print(f"{name:20} {alone * 1e3:8.2f} ms", *figures, sep="   ", flush=True)


if __name__ == "__main__":
    main()
