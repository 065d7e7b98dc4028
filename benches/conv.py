"""Convolution compared with PyTorch and the machine's sgemm.

    python benches/conv.py [--threads 2] [--seconds 4]

Each library has its own process. The processes alternate, and an idle one is stopped (SIGSTOP), so that a
spinning thread pool does not occupy the other library's cores. Rates are relative to PyTorch's product of
2048 × 2048 matrices, measured in the same turns.

    of sgemm   operations of the products alone: 2 · B Y′ X′ · 9 I · O forward, three times that in training
    PyTorch    its time divided by that of rnnrs, with its default layout and with channels last
    train      forward and backward pass with dK, db and dx; the network's without the pictures' dx, but
               with its pooling layers
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import time
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

#: (B, Y = X, I, O) of a 3×3 layer with ReLU that keeps the pictures' size.
LAYERS = [
    (32, 32, 3, 16),
    (32, 32, 16, 16),
    (32, 32, 32, 32),
    (32, 32, 64, 64),
    (32, 32, 128, 128),
    (64, 16, 16, 32),
    (64, 8, 32, 64),
    (64, 8, 64, 128),
    (64, 4, 128, 128),
]

#: The network's channels. A pooling to half the size follows each layer, a global mean the last one.
NETWORK = (3, 16, 32, 64, 128)
BATCHES = (32, 128)
SIZE = 32
SGEMM = 2048

Runs = dict[str, Callable[[], Any]]


def drawn(*shape: int) -> Any:
    """Pseudo-random numbers, float32."""
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def ours(case: tuple[int, ...], threads: int) -> Runs:
    """The runs of rnnrs for a layer (B, Y, I, O), or for the network with a batch (B,)."""
    import rnnrs
    from rnnrs import nn

    rnnrs.set_num_threads(threads)
    if len(case) == 1:
        layers: list[Any] = []
        for i, (I, O) in enumerate(itertools.pairwise(NETWORK)):
            pool = nn.MaxPool2d(2) if i + 2 < len(NETWORK) else nn.GlobalPool2d()
            layers += [nn.Conv2d(I, O, 3, padding=1, activation="relu"), pool]
        net: Any = nn.Sequential(*layers)
        x, dy = drawn(case[0], SIZE, SIZE, NETWORK[0]), drawn(case[0], NETWORK[-1])
    else:
        B, Y, I, O = case
        net = nn.Conv2d(I, O, 3, padding=1, activation="relu")
        x, dy = drawn(B, Y, Y, I), drawn(B, Y, Y, O)

    def train() -> None:
        _, cache = net.forward(x)
        net.backward(cache, dy, need_dx=len(case) > 1)

    return {"forward": lambda: net.forward(x), "train": train}


def pytorch(case: tuple[int, ...], threads: int) -> Runs:
    """The same runs in PyTorch, in both layouts, and the matrix product."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    runs: Runs = {}
    for name, layout in (("", torch.contiguous_format), (" last", torch.channels_last)):
        net = nn.Sequential()
        if len(case) == 1:
            for i, (I, O) in enumerate(itertools.pairwise(NETWORK)):
                pool = nn.MaxPool2d(2) if i + 2 < len(NETWORK) else nn.AdaptiveAvgPool2d(1)
                net.extend([nn.Conv2d(I, O, 3, padding=1), nn.ReLU(inplace=True), pool])
            x, dy = drawn(case[0], NETWORK[0], SIZE, SIZE), drawn(case[0], NETWORK[-1], 1, 1)
        else:
            B, Y, I, O = case
            net.extend([nn.Conv2d(I, O, 3, padding=1), nn.ReLU(inplace=True)])
            x, dy = drawn(B, I, Y, Y), drawn(B, O, Y, Y)
        net = net.to(memory_format=layout)
        of_x = torch.from_numpy(x).contiguous(memory_format=layout).requires_grad_(len(case) > 1)
        of_dy = torch.from_numpy(dy).contiguous(memory_format=layout)

        def forward(net: Any = net, x: Any = of_x) -> None:
            with torch.inference_mode():
                net(x)

        def train(net: Any = net, x: Any = of_x, dy: Any = of_dy) -> None:
            x.grad = None
            net.zero_grad()
            net(x).backward(dy)

        runs |= {f"forward{name}": forward, f"train{name}": train}
    a = torch.from_numpy(drawn(SGEMM, SGEMM))
    return runs | {"sgemm": lambda: a @ a}


def serve(library: Callable[[tuple[int, ...], int], Runs], threads: int, requests: Connection) -> None:
    """The loop of a library's process: prepares requested cases, measures requested runs."""
    runs: Runs = {}
    while (request := requests.recv()) is not None:
        what, seconds = request
        if isinstance(what, tuple):
            runs = library(what, threads)
            requests.send(list(runs))
            continue
        run, times = runs[what], []
        run()
        end = time.perf_counter() + seconds
        while not times or time.perf_counter() < end:
            before = time.perf_counter()
            run()
            times.append(time.perf_counter() - before)
        requests.send(float(np.median(times)))


class Library:
    """A library's process, stopped between requests."""

    def __init__(self, runs: Callable[[tuple[int, ...], int], Runs], threads: int) -> None:
        context = get_context("spawn")
        self._requests, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(runs, threads, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, what: tuple[int, ...] | str, seconds: float = 0.0) -> Any:
        """The names of a case's runs, or the seconds of a run.

        Raises:
            EOFError: if the process has ended; it has printed its traceback.
        """
        self._signal(signal.SIGCONT)
        self._requests.send((what, seconds))
        answer = self._requests.recv()
        self._signal(signal.SIGSTOP)
        return answer

    def end(self) -> None:
        """Ends the process."""
        self._signal(signal.SIGCONT)
        self._requests.send(None)
        self._process.join()

    def _signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)


def measure(libraries: Mapping[str, Library], case: tuple[int, ...], seconds: float) -> dict[str, float]:
    """Returns the seconds of each run of each library.

    These are first quartiles of eight turns, since other programs only slow a run down.
    """
    rounds = 8
    turns = [(name, run) for name, library in libraries.items() for run in library.ask(case)]
    times: dict[str, list[float]] = {f"{name} {run}": [] for name, run in turns}
    for _ in range(rounds):
        for name, run in turns:
            times[f"{name} {run}"].append(libraries[name].ask(run, seconds / rounds / len(turns)))
    return {name: float(np.quantile(own, 0.25)) for name, own in times.items()}


def operations(case: tuple[int, ...]) -> float:
    """The floating-point operations of a forward pass's products."""
    if len(case) == 4:
        B, Y, I, O = case
        return 2.0 * B * Y * Y * 9 * I * O
    pairs = itertools.pairwise(NETWORK)
    return sum(operations((case[0], SIZE >> i, I, O)) for i, (I, O) in enumerate(pairs))


def row(case: tuple[int, ...], t: Mapping[str, float]) -> str:
    """A row of the table."""
    sgemm = 2.0 * SGEMM**3 / t["torch sgemm"]
    cells = [", ".join(map(str, case)) if len(case) == 4 else f"network, {case[0]}"]
    for what, times in (("forward", 1), ("train", 3)):
        own = t[f"rnnrs {what}"]
        cells += [f"{1e3 * own:.3g}", f"{times * operations(case) / own / sgemm:.0%}"]
        cells += [f"{t[f'torch {what}'] / own:.2f} ×", f"{t[f'torch {what} last'] / own:.2f} ×"]
    return "| " + " | ".join([*cells, f"{sgemm / 1e9:.0f}"]) + " |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each row")
    a = parser.parse_args()
    libraries = {"rnnrs": Library(ours, a.threads), "torch": Library(pytorch, a.threads)}
    columns = ["ms", "of sgemm", "PyTorch", "channels last"]
    heads = [
        "B, Y = X, I, O",
        *(f"{what} {c}" for what in ("forward", "train") for c in columns),
        "sgemm GFLOP/s",
    ]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|", flush=True)
    for case in [*LAYERS, *((B,) for B in BATCHES)]:
        print(row(case, measure(libraries, case, a.seconds)), flush=True)
    for library in libraries.values():
        library.end()


if __name__ == "__main__":
    main()
