"""What is decoded, and the way back to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..types import Array, Ids


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A sequence that a model may have meant.

    Attributes:
        tokens: ids (n,), without the end.
        score: by which it was chosen; of beam search with its penalties, otherwise `log_prob`.
        log_prob: ln P of the tokens and of the end, where there is one.
        attention: α (n, S), a row for each token: what the model looked at when it said it. None without attention.
    """

    tokens: Ids
    score: float
    log_prob: float
    attention: Array | None = None


class Trace:
    """Every step of a decoding: enough to find the way back from any hypothesis."""

    def __init__(self) -> None:
        self._parents: list[Ids] = []
        self._tokens: list[Ids] = []
        self._attention: list[Array | None] = []

    def __len__(self) -> int:
        return len(self._parents)

    def add(self, parents: Ids, tokens: Ids, attention: Array | None) -> None:
        """A step: from which hypotheses before it (N,), having read which tokens (N,), looking at what (N, S)."""
        self._parents.append(parents)
        self._tokens.append(tokens)
        self._attention.append(attention)

    def paths(self, ends: Ends, source_lengths: Ids | None) -> list[Hypothesis]:
        """The M hypotheses that ended; all are followed back together.

        Args:
            ends: where.
            source_lengths: the steps of each one's source (M,), which bound its attention; None for all.
        """
        steps, rows = ends.steps - 1, ends.rows.copy()
        tokens = np.full((len(self) + 1, len(rows)), -1, np.int64)
        attention: list[Array] = []
        for step in range(len(self) - 1, -1, -1):
            on_the_way = np.flatnonzero(steps >= step)
            here = rows[on_the_way]
            tokens[step, on_the_way] = self._tokens[step][here]
            looked = self._attention[step]
            if looked is not None:
                table = np.zeros((len(rows), looked.shape[1]), looked.dtype)
                table[on_the_way] = looked[here]
                attention.append(table)
            rows[on_the_way] = self._parents[step][here]
        tokens[ends.steps, np.arange(len(rows))] = ends.tokens
        seen = np.stack(attention[::-1]) if attention else None
        found = []
        for m, length in enumerate(ends.lengths):
            looked = None if seen is None else seen[:length, m]
            if looked is not None and source_lengths is not None:
                looked = looked[:, : source_lengths[m]]
            alpha = None if looked is None else looked.copy()
            words = tokens[1 : length + 1, m].copy()
            found.append(Hypothesis(words, float(ends.scores[m]), float(ends.log_probs[m]), alpha))
        return found


@dataclass(frozen=True)
class Ends:
    """Where M hypotheses ended.

    Attributes:
        steps: at which step, counted from 1 (M,).
        rows: as a continuation of which row (M,).
        tokens: their last token (M,), the end or a word.
        lengths: how many tokens there are without an end (M,).
        scores, log_probs: see `Hypothesis` (M,).
    """

    steps: Ids
    rows: Ids
    tokens: Ids
    lengths: Ids
    scores: Array
    log_probs: Array
