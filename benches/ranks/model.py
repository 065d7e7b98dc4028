"""What to expect on many nodes: `python benches/ranks/model.py --alpha A --beta B --gamma G --rate R [--plot FILE]`.

On paper, from what `sums.py` and `training.py` measured. A step takes the time of its gradient, tokens/R/N where
the batch is divided (strong scaling) or tokens/R where every node has a batch of that size (weak scaling), and
that of the sum: 2 (N − 1) α for the messages, 2 (N − 1)/N · bytes · β for the numbers sent, (N − 1)/N · numbers · γ
for the additions. The sum is not hidden behind the backward pass.
"""

from __future__ import annotations

import argparse

#: Numbers of nodes.
NODES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)


def sum_seconds(N: int, options: argparse.Namespace) -> float:
    """Returns the seconds of a sum over N nodes."""
    part = (N - 1) / N * options.numbers
    return 2 * (N - 1) * options.alpha + part * (2 * options.bytes * options.beta + options.gamma)


def efficiency(N: int, options: argparse.Namespace, *, weak: bool) -> float:
    """Returns the rate of N nodes over N times that of one."""
    gradient = options.tokens / options.rate / (1 if weak else N)
    return gradient / (gradient + sum_seconds(N, options))


def plot(path: str, options: argparse.Namespace) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for weak, label in ((True, "every node has a batch"), (False, "the batch is divided")):
        axes.plot(NODES, [N * efficiency(N, options, weak=weak) for N in NODES], "o-", label=label)
    axes.plot(NODES, NODES, color="gray", linewidth=0.8, label="N times as fast")
    axes.set(xscale="log", yscale="log", xlabel="nodes, N", ylabel="speedup")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default, doc in (
        ("alpha", 2e-6, "seconds of a short message"),
        ("beta", 8e-10, "seconds a byte; 8e-10 is 10 Gbit/s"),
        ("gamma", 4e-10, "seconds of an addition"),
        ("rate", 4000.0, "tokens a second of one node, with the micro-batches that it has"),
        ("numbers", 46.7e6, "of the gradient; by default, an LSTM of V = 33,278, I = H = 650"),
        ("bytes", 4.0, "of a number"),
        ("tokens", 32 * 35.0, "of a batch"),
    ):
        parser.add_argument(f"--{name}", type=float, default=default, help=f"{doc} (%(default)g)")
    parser.add_argument("--plot", metavar="FILE", help="draw the speedups")
    options = parser.parse_args()
    print("nodes   sum ms   weak: efficiency  tokens/s   strong: efficiency  tokens/s")
    for N in NODES:
        weak, strong = (efficiency(N, options, weak=kind) for kind in (True, False))
        rates = [N * one * options.rate for one in (weak, strong)]
        sums = sum_seconds(N, options) * 1e3
        print(f"{N:5d} {sums:8.1f} {weak:18.3f} {rates[0]:9,.0f} {strong:20.3f} {rates[1]:9,.0f}")
    if options.plot:
        plot(options.plot, options)


if __name__ == "__main__":
    main()
