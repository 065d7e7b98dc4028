"""Training speed of an encoder–decoder with attention, compared with PyTorch: target tokens per second.

    python benches/peers/seq2seq_torch.py TRAIN.de TRAIN.en [--batches 30] [--rounds 3] [--threads 2]
        [--cell gru] [--profile]

Needs torch and a POSIX system. All networks start from the same weights; their losses on the same batch,
without dropout, are compared first. Then all train on the same batches, alternating every few steps: forward
and backward pass, clipping to 1, Adam at 1e-3, dropout 0.4, label smoothing 0.1. Each has its own process,
and idle processes are stopped, as in `run.py`. PyTorch is timed in its fastest variant: with packed
sequences, or with an encoder that also reads the padding; its Adam is the fused one. The comparison is
between times of steps on the same batch: on a shared machine, the median of their ratios is more reliable
than a ratio of sums.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, dropout
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import rnnrs
from rnnrs.data import PairBatch
from rnnrs.models import Seq2Seq
from rnnrs.optim import Adam, clip_factor
from rnnrs.text import WordVocabulary

RATE, SMOOTHING = 0.4, 0.1

#: Steps per turn.
TURN = 5


def lines(path: str) -> list[str]:
    """Returns a text file's lines; the file may be gzipped (.gz)."""
    data = Path(path).read_bytes()
    return (gzip.decompress(data) if path.endswith(".gz") else data).decode().splitlines()


class Network(nn.Module):
    """The equations of `rnnrs.models.EncoderDecoder` with general attention, one layer, tied embeddings."""

    def __init__(self, model: Seq2Seq, pack: bool) -> None:
        super().__init__()
        sizes, kind = model.sizes, {"gru": nn.GRU, "lstm": nn.LSTM}[model.sizes["cell"]]
        I, H, E = sizes["embedding_size"], sizes["hidden_size"], sizes["encoder_size"]
        self.pack, self.lstm = pack, sizes["cell"] == "lstm"
        states = 2 if self.lstm else 1
        self.source = nn.Embedding(len(model.source_vocabulary), I)
        self.target = nn.Embedding(len(model.target_vocabulary), I)
        self.encoder, self.decoder = kind(I, E, bidirectional=True), kind(I, H)
        self.bridge = nn.Linear(2 * states * E, states * H)
        self.query = nn.Linear(H, 2 * E, bias=False)
        self.combination = nn.Linear(H + 2 * E, I)
        self.output = nn.Linear(I, len(model.target_vocabulary))
        self.output.weight = self.target.weight
        self.take(model)

    def take(self, model: Seq2Seq) -> None:
        """Copies the model's weights."""
        p = {name: torch.from_numpy(np.array(array)) for name, array in model.parameters.items()}
        given = {
            "source.weight": p["source_embedding.E"],
            "target.weight": p["target_embedding.E"],
            "bridge.weight": p["bridge.0.V"],
            "bridge.bias": p["bridge.0.c"],
            "query.weight": p["attention.W"],
            "combination.weight": p["combination.V"],
            "combination.bias": p["combination.c"],
            "output.weight": p["target_embedding.E"],
            "output.bias": p["output.c"],
        }
        for theirs, ours in (
            ("encoder.{}_l0", "encoder.ahead."),
            ("encoder.{}_l0_reverse", "encoder.back."),
            ("decoder.{}_l0", "decoder."),
        ):
            b = p[ours + "b"]
            recurrent = torch.zeros_like(b)
            if not self.lstm:
                recurrent[2 * len(b) // 3 :] = p[ours + "b_h"]
            given |= {
                theirs.format("weight_ih"): p[ours + "U"],
                theirs.format("weight_hh"): p[ours + "W"],
                theirs.format("bias_ih"): b,
                theirs.format("bias_hh"): recurrent,
            }
        self.load_state_dict(given)

    def forward(self, batch: dict[str, torch.Tensor], rate: float, smoothing: float) -> torch.Tensor:
        """Returns the mean loss of a batch."""
        x = dropout(self.source(batch["source"]), rate)
        if self.pack:
            packed = pack_padded_sequence(x, batch["source_lengths"], enforce_sorted=False)
            m, last = self.encoder(packed)
            m, _ = pad_packed_sequence(m)
        else:
            m, last = self.encoder(x)
        B = x.shape[1]
        parts = last if self.lstm else (last,)  # h, or h and c, each (2, B, E)
        # As in this package, a direction's state is h, then c.
        z = torch.stack(parts).permute(2, 1, 0, 3).reshape(B, -1)
        first = torch.tanh(self.bridge(z))
        H = self.decoder.hidden_size
        state: Any = (
            first[None]
            if not self.lstm
            else (first[None, :, :H].contiguous(), first[None, :, H:].contiguous())
        )
        h, _ = self.decoder(dropout(self.target(batch["inputs"]), rate), state)
        values = m.transpose(0, 1)
        e = torch.bmm(self.query(h).transpose(0, 1), values.transpose(1, 2))
        alpha = torch.softmax(e.masked_fill(batch["mask"], -torch.inf), 2)
        context = torch.bmm(alpha, values).transpose(0, 1)
        h_hat = dropout(torch.tanh(self.combination(torch.cat([h, context], 2))), rate)
        o = self.output(h_hat)
        return cross_entropy(
            o.flatten(0, 1), batch["targets"].flatten(), ignore_index=-1, label_smoothing=smoothing
        )


def tensors(batch: PairBatch) -> dict[str, torch.Tensor]:
    """Converts a batch to PyTorch's tensors and adds the attention mask."""
    given = {
        name: torch.from_numpy(np.ascontiguousarray(a))
        for name, a in batch._asdict().items()
        if a is not None
    }
    S = len(batch.source)
    given["mask"] = (torch.arange(S)[None] >= given["source_lengths"][:, None])[:, None]
    return given


class Torch:
    """Trains `Network`."""

    def __init__(self, model: Seq2Seq, pack: bool) -> None:
        self.network = Network(model, pack)
        self.optimizer = torch.optim.Adam(self.network.parameters(), 1e-3, fused=True)

    def steps(self, batches: list[dict[str, torch.Tensor]]) -> float:
        """Takes one step per batch; returns the last loss."""
        for batch in batches:
            self.optimizer.zero_grad()
            loss = self.network(batch, RATE, SMOOTHING)
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
        return loss.item()


class Ours:
    """Trains the model."""

    def __init__(self, model: Seq2Seq) -> None:
        self.model, self.optimizer, self.step = model, Adam(1e-3), 0

    def steps(self, batches: list[PairBatch]) -> float:
        """Takes one step per batch; returns the last loss."""
        for batch in batches:
            self.model.gradients.fill(0.0)
            loss, _ = self.model.loss(batch, noise=self.step)
            scale, _ = clip_factor(self.model.gradients, 1.0)
            self.optimizer.step(self.model.parameters, self.model.gradients, 1e-3, scale=scale)
            self.step += 1
        return loss


def prepare(given: argparse.Namespace) -> tuple[Seq2Seq, list[PairBatch]]:
    """Returns the common initial model and the training batches."""
    torch.set_num_threads(given.threads)
    rnnrs.set_num_threads(given.threads)
    sources, targets = lines(given.source), lines(given.target)
    vocabularies = [WordVocabulary.build("\n".join(side), lowercase=True) for side in (sources, targets)]
    model = Seq2Seq(
        *vocabularies,
        cell=given.cell,
        embedding_size=256,
        hidden_size=512,
        tied=True,
        dropout=RATE,
        label_smoothing=SMOOTHING,
    )
    data = model.encoding.batches("seq2seq_torch", list(zip(sources, targets, strict=True)), 64, 0)
    return model, list(data.epoch(0)[: given.batches])


def work(name: str, given: argparse.Namespace, asked: Connection) -> None:
    """The process of one trainer.

    Sends the first batch's loss and, in answer to every list of batch numbers, the seconds of a step on each.
    """
    model, batches = prepare(given)
    steps: Callable[[Any], float]
    data: list[Any]
    if name == "rnnrs":
        loss, _ = model.loss(batches[0], gradient=False)
        steps, data = Ours(model).steps, batches
    else:
        peer, data = Torch(model, name == "packed"), [tensors(batch) for batch in batches]
        with torch.no_grad():
            loss = peer.network(data[0], 0.0, 0.0).item()
        steps = peer.steps
    asked.send((loss, [batch.positions for batch in batches]))
    while True:
        numbers = asked.recv()
        steps(data[numbers[0] : numbers[0] + 1])  # warms up
        seconds = []
        for k in numbers:
            start = time.perf_counter()
            steps(data[k : k + 1])
            seconds.append(time.perf_counter() - start)
        asked.send(seconds)


def main() -> None:
    """Compares the trainers and prints the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--batches", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cell", default="gru", choices=("gru", "lstm"))
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    workers, losses = {}, {}
    context = multiprocessing.get_context("spawn")
    for name in ("rnnrs", "packed", "padded"):
        connection, other = context.Pipe()
        process = context.Process(target=work, args=(name, given, other), daemon=True)
        process.start()
        losses[name], positions = connection.recv()
        os.kill(process.pid, signal.SIGSTOP)
        workers[name] = (process.pid, connection)
    print(f"PyTorch {torch.__version__}; loss of the first batch: {losses}")
    assert np.ptp(list(losses.values())) < 1e-4 * losses["packed"]
    count = len(positions)
    seconds = {name: np.zeros((given.rounds, count)) for name in workers}
    for i, first in itertools.product(range(given.rounds), range(0, count, TURN)):
        numbers = list(range(first, min(first + TURN, count)))
        for name, (pid, connection) in workers.items():
            os.kill(pid, signal.SIGCONT)
            connection.send(numbers)
            seconds[name][i, numbers] = connection.recv()
            os.kill(pid, signal.SIGSTOP)
    for pid, _ in workers.values():
        os.kill(pid, signal.SIGKILL)
    for name, times in seconds.items():
        step = np.median(times, axis=0).mean()
        print(f"{name}: {sum(positions) / count / step:.0f} target tokens/s, {1e3 * step:.0f} ms per step")
    fastest = min(("packed", "padded"), key=lambda name: np.median(seconds[name]))
    ratios = seconds[fastest] / seconds["rnnrs"]
    rounds = ", ".join(f"{ratio:.2f}" for ratio in np.median(ratios, axis=1))
    print(f"rnnrs is {np.median(ratios):.2f} times as fast as {fastest} (rounds: {rounds})")
    if given.profile:
        model, batches = prepare(given)
        profile(Ours(model), batches)


def profile(ours: Ours, batches: list[PairBatch]) -> None:
    """Prints a profile of this package's steps."""
    import cProfile
    import pstats

    profiler = cProfile.Profile()
    profiler.runcall(ours.steps, batches)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(28)


if __name__ == "__main__":
    main()
