"""The recipe of shakespeare.py in PyTorch, for comparison; needs torch, and this package for the text.

    python benches/quality/shakespeare_torch.py [--hidden 512] [--epochs 8] [--threads 2]

Embedding 64, tanh RNN, 50 parallel streams in chunks of 50 characters with the state carried over, Adam at
2e-3 with cosine decay, orthogonal W, gradient norm clipped to 1. Prints the training time and the loss on the
validation part.
"""

from __future__ import annotations

import argparse
import math
import time

import torch
from torch import nn

from rnnrs.text import split, tiny_shakespeare

B = T = 50


class Network(nn.Module):
    """Embedding, recurrence, output layer."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__()
        self.embedding, self.rnn, self.output = nn.Embedding(V, 64), nn.RNN(64, H), nn.Linear(H, V)
        nn.init.orthogonal_(self.rnn.weight_hh_l0)

    def forward(self, ids: torch.Tensor, h: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns o (T, B, V) and the last state."""
        x, h = self.rnn(self.embedding(ids), h)
        return self.output(x), h


def batches(ids: torch.Tensor, B: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Returns batches of B parallel streams of a text, cut into chunks of T steps."""
    length = (len(ids) - 1) // B
    x, y = (part[: length * B].view(B, length).t().contiguous() for part in (ids[:-1], ids[1:]))
    return [(x[i : i + T], y[i : i + T]) for i in range(0, length, T)]


def main() -> None:
    """Trains the network and prints its loss."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    training, validation, _ = split(tiny_shakespeare())
    index = {c: i for i, c in enumerate(sorted(set(training)))}
    encode = lambda text: torch.tensor([index[c] for c in text])  # noqa: E731
    start = time.monotonic()
    data = batches(encode(training), B)
    network = Network(len(index), arguments.hidden)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    steps = arguments.epochs * len(data)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: (1 + math.cos(math.pi * s / steps)) / 2)
    for _ in range(arguments.epochs):
        h = None
        for x, y in data:
            optimizer.zero_grad()
            o, h = network(x, h)
            nn.functional.cross_entropy(o.flatten(0, 1), y.flatten()).backward()
            h = h.detach()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    seconds = time.monotonic() - start
    with torch.no_grad():
        (ids,) = [encode(validation)]
        o, _ = network(ids[:-1, None], None)
        loss = nn.functional.cross_entropy(o[:, 0], ids[1:]).item()
    print(
        f"H = {arguments.hidden}, {arguments.epochs} epochs: validation {loss:.4f} nats per character; "
        f"{seconds:.0f} s on {arguments.threads} threads (PyTorch {torch.__version__})"
    )


if __name__ == "__main__":
    main()
