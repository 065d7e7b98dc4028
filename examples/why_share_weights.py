"""Why share weights over time: find the year of a journey, wherever in the sentence it is.

“I went to India in 2017.” and “In 2017 I went to India.” mean the same. A recurrent network has one set of
weights for all positions in a sentence. A feed-forward network that reads the whole sentence at once has
separate weights for each position, and has to learn at each one again what a year looks like. Both are trained
on sentences whose year begins at some positions and never at others, and are evaluated at all of them.
docs/why-share-weights.md describes the results and the reasons.

    python examples/why_share_weights.py --output why-share-weights.png
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from journeys import ALPHABET, DIGITS, SEEN, WINDOW, Sentences, sentences, where

from rnnrs import losses, nn, optim
from rnnrs.data import ArrayBatches, Batch
from rnnrs.errors import MissingExtraError, require
from rnnrs.files import check_writable
from rnnrs.models import RecurrentNetwork
from rnnrs.train import Trainer

EMBEDDING, HIDDEN = 8, 132  #: the sizes of a character's embedding and of the recurrent network's state
RECURRENT, FEED_FORWARD = "recurrent", "feed-forward"
WIDE, UNSCORED = "feed-forward, 4 × as wide", "feed-forward, new positions not scored"
GUESS = "one of the numbers, at random"


class Size(NamedTuple):
    """The size of the experiment.

    Attributes:
        learn: numbers of training sentences, in rising order.
        judge: the number of test sentences.
        recurrent_steps, feed_forward_steps: training steps.
    """

    learn: tuple[int, ...] = (125, 1000, 8000)
    judge: int = 6000
    recurrent_steps: int = 750
    feed_forward_steps: int = 3000


class FeedForward:
    """o = c + V tanh(b + Σ_t U_t x_t), two scores per position, with separate U_t and V_t for every t.

    x_t = E[id_t] is the embedding of character t; after the end of the sentence, that of the padding.
    """

    def __init__(self, hidden_size: int, seed: int, dtype: str = "float32") -> None:
        self.embedding = nn.Embedding(len(ALPHABET), EMBEDDING, seed=seed, dtype=dtype)
        self.hidden = nn.Linear(WINDOW * EMBEDDING, hidden_size, seed=seed + 1, dtype=dtype)
        self.output = nn.Linear(hidden_size, WINDOW * 2, seed=seed + 2, dtype=dtype)
        self.cross_entropy = losses.SoftmaxCrossEntropy()
        self.parameters, self.gradients = nn.join(
            embedding=self.embedding, hidden=self.hidden, output=self.output
        )

    def forward(self, ids):
        """Returns o (T, B, 2) for ids (T, B), and the cache for `backward`."""
        x, cache_e = self.embedding.forward(np.ascontiguousarray(ids.T))  # (B, T, E)
        a, cache_h = self.hidden.forward(x.reshape(len(x), -1))
        h = np.tanh(a)
        o, cache_o = self.output.forward(h)
        return o.reshape(-1, WINDOW, 2).swapaxes(0, 1), (cache_e, cache_h, h, cache_o)

    def backward(self, cache, do):
        """Adds the gradients of the parameters."""
        cache_e, cache_h, h, cache_o = cache
        dh = self.output.backward(cache_o, do.swapaxes(0, 1).reshape(len(h), -1))
        dx = self.hidden.backward(cache_h, dh * (1 - h * h))
        self.embedding.backward(cache_e, dx.reshape(len(h), WINDOW, -1))

    def loss(self, batch: Batch, state=None, *, gradient=True):
        """Returns L and the next state, which is None, as `Trainer` requires."""
        o, cache = self.forward(batch.inputs)
        L, do = self.cross_entropy(o, batch.targets)
        if gradient:
            self.backward(cache, do)
        return L, None


def recurrent(seed: int) -> RecurrentNetwork:
    """h_t = tanh(b + W h_{t−1} + U x_t), o_t = c + V h_t: the same U, W and V at every position."""
    return RecurrentNetwork(
        nn.RNN(EMBEDDING, HIDDEN, recurrent_initializer="orthogonal", seed=seed),
        nn.Linear(HIDDEN, 2, seed=seed + 1),
        losses.SoftmaxCrossEntropy(),
        embedding=nn.Embedding(len(ALPHABET), EMBEDDING, seed=seed + 2),
    )


def hidden_size_for(parameters: int) -> int:
    """Returns the hidden size of the feed-forward network whose number of parameters is nearest."""
    around = len(ALPHABET) * EMBEDDING + WINDOW * 2  # E and c; each hidden unit has its U_t, b and V_t
    return round((parameters - around) / (WINDOW * EMBEDDING + 1 + WINDOW * 2))


def train(net: Any, data: Sentences, steps: int, seed: int, *, scored: np.ndarray | None = None) -> None:
    """Trains with Adam and a learning rate that falls to zero; the same recipe for all networks.

    Args:
        net: the network to train.
        data: the training sentences.
        steps: the number of steps.
        seed: the seed of the order of sentences.
        scored: (T,), the positions whose tags count; all by default.
    """
    tags = data.tags if scored is None else np.where(scored[:, None], data.tags, -1)
    batches = ArrayBatches(data.ids, tags, 32, seed=seed)
    schedule = optim.schedules.CosineDecay(steps)
    Trainer(net, optim.Adam(3e-3), clip_norm=1.0, schedule=schedule).fit(batches, max_steps=steps)


class Judgment(NamedTuple):
    """Results for N sentences.

    Attributes:
        exact: whether every tag is correct.
        found: the number of digits of the year found, of 4.
        tagged: the number of characters tagged as such digits.
    """

    exact: np.ndarray
    found: np.ndarray
    tagged: np.ndarray

    def of(self, some: np.ndarray) -> tuple[float, float, float]:
        """Returns (exact, recall, F1) for some of the sentences."""
        exact, found, tagged = (part[some] for part in self)
        digits = DIGITS * len(exact)
        return float(exact.mean()), found.sum() / digits, 2 * found.sum() / (digits + tagged.sum())


def judge(net: Any, data: Sentences) -> Judgment:
    """Evaluates a trained network on sentences."""
    o, _ = net.forward(data.ids)
    year = o[..., 1] > o[..., 0]
    scored = data.tags >= 0
    exact = ((year == (data.tags == 1)) | ~scored).all(axis=0)
    return Judgment(exact, (year & (data.tags == 1)).sum(axis=0), (year & scored).sum(axis=0))


def guess(data: Sentences) -> np.ndarray:
    """Returns the probability (N,) of finding the year by tagging a random number of the sentence."""
    digits = [sum(character.isdigit() for character in text) for text in data.texts]
    return DIGITS / np.array(digits)


class Run(NamedTuple):
    """The results for one seed.

    Attributes:
        test: sentences with held-out place names and years, the year anywhere.
        judgments: results on the test sentences, by network, each trained on the most sentences.
        longer: the recurrent network's share of exact sentences among those longer than any in training.
        by_count: the share of exact sentences at seen positions, by (network, number of training sentences).
        parameters: numbers of parameters, by network.
    """

    test: Sentences
    judgments: dict[str, Judgment]
    longer: float
    by_count: dict[tuple[str, int], float]
    parameters: dict[str, int]


def experiment(seed: int, size: Size = Size()) -> Run:  # noqa: B008 (a tuple cannot change)
    """Runs the experiment for one seed."""
    learn = sentences(size.learn[-1], 3 * seed, held_out=False, starts=SEEN)
    test = sentences(size.judge, 3 * seed + 1, held_out=True)
    seen = where(test.starts) == 1
    by_count, parameters = {}, {}
    for count in size.learn:
        part = Sentences(
            learn.texts[:count], learn.starts[:count], learn.ids[:, :count], learn.tags[:, :count]
        )
        rnn = recurrent(seed)
        train(rnn, part, size.recurrent_steps, seed)
        hidden = hidden_size_for(rnn.parameters.size)
        feed_forward = FeedForward(hidden, seed)
        train(feed_forward, part, size.feed_forward_steps, seed)
        nets: dict[str, Any] = {RECURRENT: rnn, FEED_FORWARD: feed_forward}
        by_count |= {(name, count): judge(net, test).of(seen)[0] for name, net in nets.items()}

    nets[WIDE] = FeedForward(4 * hidden, seed)
    train(nets[WIDE], learn, size.feed_forward_steps, seed)
    nets[UNSCORED] = FeedForward(hidden, seed)
    years = (learn.tags == 1).any(axis=1)
    train(nets[UNSCORED], learn, size.feed_forward_steps, seed, scored=years)

    beyond = range(WINDOW + 1, 2 * WINDOW + 1)
    long = sentences(size.judge // 10, 3 * seed + 2, held_out=True, lengths=beyond, others=range(2, 6))
    longer = float(judge(rnn, long).exact.mean())
    parameters = {name: net.parameters.size for name, net in nets.items()}
    return Run(test, {name: judge(net, test) for name, net in nets.items()}, longer, by_count, parameters)


def spread(values: Sequence[float]) -> str:
    """Returns mean ± standard deviation of shares, in percent."""
    mean = f"{100 * statistics.fmean(values):.1f}"
    return f"{mean} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else mean


def table(runs: Sequence[Run]) -> str:
    """Returns the measurements over all seeds as Markdown tables, in percent."""
    rows = [["network", "parameters", "seen: exact", "F1", "new: exact", "recall", "F1", "longer: exact"]]
    kinds = [where(run.test.starts) for run in runs]
    for name, parameters in runs[0].parameters.items():
        seen, new = (
            [run.judgments[name].of(kind == which) for run, kind in zip(runs, kinds, strict=True)]
            for which in (1, -1)
        )
        figures = [[s[0] for s in seen], [s[2] for s in seen], *([n[i] for n in new] for i in range(3))]
        longer = spread([run.longer for run in runs]) if name == RECURRENT else "–"
        rows.append([name, f"{parameters:,}", *map(spread, figures), longer])
    guesses = [
        spread([guess(run.test)[kind == which].mean() for run, kind in zip(runs, kinds, strict=True)])
        for which in (1, -1)
    ]
    rows.append([GUESS, "–", guesses[0], "", guesses[1], "", "", ""])
    learned = [["exact at seen positions, by training sentences", *map(str, counts(runs))]]
    for name in LOOKS:
        shares = [spread([run.by_count[name, count] for run in runs]) for count in counts(runs)]
        learned.append([name, *shares])
    return f"{markdown(rows)}\n\n{markdown(learned)}"


def markdown(rows: list[list[str]]) -> str:
    """Returns a Markdown table; the first row is its head."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def counts(runs: Sequence[Run]) -> list[int]:
    """Returns the numbers of training sentences."""
    return sorted({count for _, count in runs[0].by_count})


LOOKS = {RECURRENT: ("#1f5fa8", "o"), FEED_FORWARD: ("#c8502a", "s")}  #: color, marker


def by_place(runs: Sequence[Run], name: str, least: int = 15) -> tuple[np.ndarray, np.ndarray]:
    """Returns where years begin (P,), and the percentage of exact sentences there by seed (S, P).

    Positions with fewer than `least` sentences are left out.
    """
    places = [
        start for start in range(WINDOW) if all((run.test.starts == start).sum() >= least for run in runs)
    ]
    shares = [
        [run.judgments[name].exact[run.test.starts == start].mean() for start in places] for run in runs
    ]
    return np.array(places), 100 * np.array(shares).reshape(len(runs), len(places))


def draw(runs: Sequence[Run], path: str) -> None:
    """Draws accuracy by the position of the year, and by the number of training sentences.

    Raises:
        MissingExtraError: if matplotlib is missing.
        OSError: if the file cannot be written.
    """
    figure = require("matplotlib.figure", "plot").Figure(figsize=(10, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2.1, 1), sharey=True)
    for part in SEEN:
        left.axvspan(part.start - 0.5, part.stop - 0.5, color="#e8e8e8", lw=0)
        middle = (max(part.start, 1) + part.stop - 1) / 2
        left.text(middle, 50, "seen\nin training", ha="center", va="center", color="#555555")
    chance = 100 * np.mean([guess(run.test).mean() for run in runs])
    left.axhline(chance, color="#777777", ls=":", lw=1.2, label=GUESS)
    for name, (color, marker) in LOOKS.items():
        places, shares = by_place(runs, name)
        lines(left, places, shares, color, marker, name)
        shares = 100 * np.array([[run.by_count[name, count] for count in counts(runs)] for run in runs])
        lines(right, np.array(counts(runs)), shares, color, marker, name)
    left.set(xlabel="character at which the year begins", ylabel="sentences tagged without error, %")
    left.set(ylim=(-4, 104), xlim=(0, WINDOW - 3), title="The year at seen and at new positions")
    right.set(xlabel="training sentences", title="Seen positions only", xscale="log")
    right.set_xticks(counts(runs), [f"{count:,}" for count in counts(runs)])
    right.minorticks_off()
    right.legend(*left.get_legend_handles_labels(), loc="lower right", frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#cccccc", lw=0.5)
        axes.set_axisbelow(True)
    figure.savefig(path, dpi=110)


def lines(axes: Any, x: np.ndarray, y: np.ndarray, color: str, marker: str, label: str) -> None:
    """Draws the mean of y (S, P) over seeds, and a band from the worst to the best seed."""
    axes.fill_between(x, y.min(axis=0), y.max(axis=0), color=color, alpha=0.2, lw=0)
    axes.plot(x, y.mean(axis=0), color=color, marker=marker, ms=3.5, lw=1.5, label=label)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="A recurrent and a feed-forward network find the year in sentences."
    )
    parser.add_argument("--seeds", type=int, default=5, help="the number of runs (5)")
    parser.add_argument("--output", help="the picture to write: .png, .svg or .pdf (needs matplotlib)")
    parser.add_argument("--quick", action="store_true", help="a small run, to test that the program works")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error(f"--seeds: expected a number from 1, got {options.seeds}")
    if options.output:  # fail now rather than after two minutes
        try:
            require("matplotlib.figure", "plot")
            check_writable(options.output)
        except (MissingExtraError, OSError) as error:
            parser.error(f"--output: {error}")

    size = Size((100, 300), 600, 60, 60) if options.quick else Size()
    runs = []
    for seed in range(options.seeds):
        runs.append(experiment(seed, size))
        print(f"seed {seed} done", file=sys.stderr, flush=True)
    print(table(runs))
    if options.output:
        draw(runs, options.output)


if __name__ == "__main__":
    main()
