"""Decoding speed of a trained translator, in sentences per second: greedy, beside PyTorch, and beam search.

    python benches/peers/seq2seq_decoding_torch.py MODEL.rnn TEST.de [--rounds 5] [--threads 2]

Needs torch, and a model with general attention and tied embeddings, as saved by
`benches/quality/translation.py --save`. Both libraries decode the same groups of 64 sentences of similar
lengths. PyTorch's loop is as fast as it could be made: inference mode, packed encoder, keys projected once
per batch, one fused cell per step. It either keeps all sentences of a group until the last one has ended or
drops those that have ended; the faster variant counts. A third variant decodes one sentence at a time, as
tutorials do, for every tenth text. PyTorch is timed from ids to ids, this package from texts to texts.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch
from seq2seq_torch import Network, lines

import rnnrs
from rnnrs.data import clean_text
from rnnrs.models import Translator
from rnnrs.models.text_to_text.pairs import sources_batch
from rnnrs.models.text_to_text.writing import similar_lengths


class Greedy:
    """PyTorch's decoding loop."""

    def __init__(self, model: Translator, drop: bool) -> None:
        self.network, self.drop, self.end = Network(model, True), drop, model.target_vocabulary.end_id

    @torch.inference_mode()
    def __call__(self, source: torch.Tensor, lengths: torch.Tensor, longest: torch.Tensor) -> list[list[int]]:
        """Returns the decoded ids for a batch (S, B)."""
        n, B = self.network, source.shape[1]
        packed = torch.nn.utils.rnn.pack_padded_sequence(n.source(source), lengths, enforce_sorted=False)
        m, last = n.encoder(packed)
        m, _ = torch.nn.utils.rnn.pad_packed_sequence(m)
        h = torch.tanh(n.bridge(last.transpose(0, 1).reshape(B, -1)))
        values = m.transpose(0, 1).contiguous()
        keys = (values @ n.query.weight).transpose(1, 2).contiguous()
        mask = torch.zeros(B, 1, len(source)).masked_fill_(
            torch.arange(len(source))[None, None] >= lengths[:, None, None], -torch.inf
        )
        weights = [
            getattr(n.decoder, f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        rows, tokens = torch.arange(B), torch.full((B,), self.end)
        written: list[list[int]] = [[] for _ in range(B)]
        done = torch.zeros(B, dtype=torch.bool)
        for step in range(int(longest.max())):
            h = torch.gru_cell(n.target(tokens), h, *weights)
            alpha = torch.softmax(torch.baddbmm(mask, h[:, None], keys), 2)
            context = torch.bmm(alpha, values)[:, 0]
            o = n.output(torch.tanh(n.combination(torch.cat([h, context], 1))))
            if step == 0:
                o[:, self.end] = -torch.inf  # at least one word
            tokens = o.argmax(1)
            over = done | (tokens == self.end)
            for row, id, ended in zip(rows.tolist(), tokens.tolist(), over.tolist(), strict=True):
                if not ended:
                    written[row].append(id)
            done = over | (longest <= step + 1)
            if done.all():
                break
            if self.drop and done.any():
                on = (~done).nonzero()[:, 0]
                h, keys, values, mask, tokens = h[on], keys[on], values[on], mask[on], tokens[on]
                rows, longest, done = rows[on], longest[on], done[on]
        return written


def main() -> None:
    """Compares the two libraries and prints the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("source")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rnnrs.set_num_threads(given.threads)
    model, texts = Translator.load(given.model), [clean_text(line) for line in lines(given.source)]
    encoded = [model.encoding.source(text)[0] for text in texts]
    groups = list(similar_lengths([len(ids) - 1 for ids in encoded]))
    # The last groups are single texts: every tenth one.
    alone = [[i] for i in range(0, len(texts), 10)]
    batches = []
    for members in [*groups, *alone]:
        source, lengths = sources_batch([encoded[i] for i in members])
        longest = torch.tensor([model.longest(int(length) - 1) for length in lengths])
        batches.append((torch.from_numpy(source), torch.from_numpy(lengths), longest))
    batches, singles = batches[: len(groups)], batches[len(groups) :]
    loops: dict[str, Any] = {"to the end": Greedy(model, False), "without the ended": Greedy(model, True)}
    beam = model.search(beam=5)
    seconds: dict[str, list[float]] = {name: [] for name in ("rnnrs", "beam 5", *loops, "one by one")}
    found: dict[str, list[list[str]]] = {}
    tokens = model.target_vocabulary.tokens
    for _ in range(given.rounds + 1):
        start = time.perf_counter()
        ours = model.write(texts, model.search(beam=1))
        seconds["rnnrs"].append(time.perf_counter() - start)
        start = time.perf_counter()
        model.write(texts, beam)
        seconds["beam 5"].append(time.perf_counter() - start)
        for name, loop in loops.items():
            start = time.perf_counter()
            ids = [loop(*batch) for batch in batches]
            seconds[name].append(time.perf_counter() - start)
            words: list[list[str]] = [[] for _ in texts]
            for members, part in zip(groups, ids, strict=True):
                for i, one in zip(members, part, strict=True):
                    words[i] = [tokens[id] for id in one]
            found[name] = words
        start = time.perf_counter()
        for single in singles:
            loops["to the end"](*single)
        seconds["one by one"].append((time.perf_counter() - start) * len(texts) / len(singles))
    unknown = tokens[model.target_vocabulary.unknown_id]
    for name, words in found.items():
        same = np.mean(
            [
                len(w) == len(best.words)
                and all(a in (unknown, b) for a, b in zip(w, best.words, strict=True))
                for w, (best, *_) in zip(words, ours, strict=True)
            ]
        )
        print(f"{name}: {same:.1%} of the sentences equal those of rnnrs")
        assert same > 0.98, "the networks differ"
    for name, times in seconds.items():
        print(f"{name}: {len(texts) / np.median(times[1:]):.0f} sentences/s")
    fastest = min(loops, key=lambda name: np.median(seconds[name][1:]))
    for name in (fastest, "one by one"):
        ratios = np.array(seconds[name][1:]) / seconds["rnnrs"][1:]
        print(f"rnnrs is {np.median(ratios):.2f} times as fast as PyTorch ({name}; {np.round(ratios, 2)})")


if __name__ == "__main__":
    main()
