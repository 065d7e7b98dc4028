"""Measures the memory of a training step beyond parameters, gradients and the optimizer's state (Linux).

python benches/quality/memory.py [--sizes 33278,200,200,20,35]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from rnnrs.data import Batch
from rnnrs.models import LanguageModel
from rnnrs.optim import Adam, clip_factor

STEPS = 8


def status(field: str) -> float:
    """Returns a field of the process's status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def main() -> None:
    """Prints the peak memory over some steps, minus the memory in use before the first one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default="33278,200,200,20,35", help="V,E,H,B,T")
    V, E, H, B, T = map(int, parser.parse_args().sizes.split(","))
    model = LanguageModel(range(V), embedding_size=E, hidden_size=H)  # type: ignore[arg-type]
    optimizer = Adam(1e-3)
    model.gradients.fill(0.0)
    optimizer.step(model.parameters, model.gradients)  # with zero gradients: allocates the optimizer's state
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    rng, state = np.random.default_rng(0), None
    for _ in range(STEPS):
        model.gradients.fill(0.0)
        _, state = model.loss(Batch(rng.integers(0, V, (T, B)), rng.integers(0, V, (T, B))), state)
        factor, _ = clip_factor(model.gradients, 1.0)
        optimizer.step(model.parameters, model.gradients, scale=factor)
    owned = 4 * model.parameters.size * 4 / 2**20
    print(
        f"parameters, gradients, state: {owned:.1f} MiB; a step takes {status('VmHWM') - before:.1f} MiB more"
    )


if __name__ == "__main__":
    main()
