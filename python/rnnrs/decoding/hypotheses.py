"""Decoded hypotheses, and the trace of steps from which they are recovered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..shown import short_repr
from ..types import Array, Ids


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A decoded sequence.

    Attributes:
        tokens: ids (n,), without the end token.
        score: the score that ranks it; in beam search with the penalties, otherwise `log_prob`.
        log_prob: ln P of the tokens, and of the end token if there is one.
        attention: α (n, S), one row per token: the source steps that the model attended to when it produced
            the token. None without attention.
    """

    tokens: Ids
    score: float
    log_prob: float
    attention: Array | None = None

    __repr__ = short_repr


class Trace:
    """The record of all steps of a decoding, from which every hypothesis can be traced back."""

    def __init__(self) -> None:
        self._parents: list[Ids] = []
        self._tokens: list[Ids] = []
        self._attention: list[Array | None] = []

    def __len__(self) -> int:
        return len(self._parents)

    def add(self, parents: Ids, tokens: Ids, attention: Array | None) -> None:
        """Adds a step of N hypotheses.

        Args:
            parents: the previous step's hypothesis that each one continues (N,).
            tokens: the token that each one read (N,).
            attention: α (N, S), or None.
        """
        self._parents.append(parents)
        self._tokens.append(tokens)
        self._attention.append(attention)

    def paths(self, ends: Ends, source_lengths: Ids | None) -> list[Hypothesis]:
        """Returns the M hypotheses that ended, traced back together.

        Args:
            ends: where they ended.
            source_lengths: the number of steps of each one's source (M,), which bounds its attention; None
                for all.
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
    """The ends of M hypotheses.

    Attributes:
        steps: the step of each end (M,), counted from 1.
        rows: the row that each one continues (M,).
        tokens: the last token of each (M,), the end token or a word.
        lengths: the number of tokens of each without the end token (M,).
        scores, log_probs: see `Hypothesis` (M,).
    """

    steps: Ids
    rows: Ids
    tokens: Ids
    lengths: Ids
    scores: Array
    log_probs: Array

    __repr__ = short_repr
