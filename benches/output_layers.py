"""The time of a language model's training step by output layer and loss, relative to the full softmax.

    python benches/output_layers.py [--sizes 33278,200,200,20,35] [--samples 1024] [--rounds 8]

Words are sampled by Zipf's law. Every round runs one step of each variant, so that the ratios compare times
measured together; the median over the rounds is printed. A step clears the gradients, computes loss and BPTT,
clips, and applies Adam.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

import rnnrs
from rnnrs.data import Batch
from rnnrs.losses import NCE, Proposal, SampledSoftmax
from rnnrs.models import LanguageModel
from rnnrs.optim import Adam, clip_factor


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default="33278,200,200,20,35", help="V,E,H,B,T")
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=8)
    a = parser.parse_args()
    V, E, H, B, T = map(int, a.sizes.split(","))
    zipf, rng = Proposal.log_uniform(V), np.random.default_rng(0)

    def stepper(model: LanguageModel) -> Callable[[], float]:
        optimizer = Adam(1e-3)

        def step() -> float:
            inputs, targets = rng.choice(V, size=(2, T, B), p=zipf.q)
            start = time.perf_counter()
            model.gradients.fill(0.0)
            model.loss(Batch(inputs, targets))
            factor, _ = clip_factor(model.gradients, 1.0)
            optimizer.step(model.parameters, model.gradients, scale=factor)
            return time.perf_counter() - start

        return step

    def model(**settings: object) -> LanguageModel:
        return LanguageModel(range(V), embedding_size=E, hidden_size=H, **settings)  # type: ignore[arg-type]

    sampled, nce = model(), model()
    sampled.objective = SampledSoftmax(a.samples, proposal=zipf)
    nce.objective = NCE(a.samples, proposal=zipf)
    cutoffs = [V // 16, V // 3]
    steps = {
        "full softmax": stepper(model()),
        f"sampled softmax, k = {a.samples}": stepper(sampled),
        f"NCE, k = {a.samples}": stepper(nce),
        f"adaptive softmax, {cutoffs}": stepper(model(cutoffs=cutoffs)),
    }
    if E == H:
        steps["full softmax, tied"] = stepper(model(tied=True))
    times: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(a.rounds + 2):
        for name, step in steps.items():
            seconds = step()
            if round_ >= 2:  # the first two allocate the optimizer's state
                times[name].append(seconds)
    medians = {name: float(np.median(own)) for name, own in times.items()}
    print(f"V, E, H, B, T = {a.sizes}; {rnnrs.get_num_threads()} threads ({rnnrs.instruction_set()})")
    print("| | ms per step | × full softmax |\n|---|---|---|")
    for name, own in medians.items():
        print(f"| {name} | {1e3 * own:.1f} | {medians['full softmax'] / own:.1f} |")


if __name__ == "__main__":
    main()
