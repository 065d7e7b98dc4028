"""Beam search over many sources at once, and its smallest case, greedy decoding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._rnnrs import best_continuations
from ..checks import check_size
from ..data.batch import check_token_ids
from ..errors import ShapeError
from ..types import Array, Ids
from .constraints import Constraints, Rules
from .hypotheses import Ends, Hypothesis, Trace
from .model import StepModel

#: The least attention that counts: where none was paid at all, ln would be −∞.
LEAST_ATTENTION = 1e-10


def greedy(
    model: StepModel,
    start: ArrayLike,
    end_id: int | None,
    *,
    constraints: Constraints | None = None,
    source_lengths: ArrayLike | None = None,
) -> list[Hypothesis]:
    """The likeliest token after each token: beam search with one beam.

    Args:
        model, start, end_id, constraints, source_lengths: see `beam_search`.

    Returns:
        One hypothesis for each source (B).

    Raises:
        See `beam_search`.
    """
    found = beam_search(
        model,
        start,
        end_id,
        beam=1,
        length_penalty=0.0,
        constraints=constraints,
        source_lengths=source_lengths,
    )
    return [best for best, *_ in found]


def beam_search(
    model: StepModel,
    start: ArrayLike,
    end_id: int | None,
    *,
    beam: int = 5,
    n_best: int = 1,
    length_penalty: float = 0.6,
    coverage_penalty: float = 0.0,
    constraints: Constraints | None = None,
    source_lengths: ArrayLike | None = None,
) -> list[list[Hypothesis]]:
    """The n best hypotheses for each source, as far as a beam finds them.

    At every step the K best continuations of a source's hypotheses go on, by ln P; those among them that end leave the
    beam, with the score of Wu et al. 2016 (equation 14), |Y| counting the end:

    s(Y) = ln P(Y) / lp(Y) + cp(Y); lp(Y) = ((5 + |Y|) / 6)^α; cp(Y) = β Σ_i ln min(Σ_j α_ij, 1)

    The n best by s are kept. ln P only falls, so a hypothesis whose ln P over the largest lp is not above the least s
    kept can never get among them: it is dropped, and a source without any is done. This changes nothing of what is
    found.

    At most B·K hypotheses go on at a time; scores (B·K, V) and, for every step, α (B·K, S) are held in memory.

    Args:
        model: holding one hypothesis for each of B sources.
        start: the token that each source's first step reads (B,).
        end_id: the token that ends a hypothesis; None: all are as long as `constraints.max_length`.
        beam: K.
        n_best: how many are wanted; at most K.
        length_penalty: α ≥ 0: 0 compares ln P itself, and so favors the short.
        coverage_penalty: β ≥ 0; above 0 the model must have attention.
        constraints: on lengths, repetitions, prefixes and vocabulary.
        source_lengths: steps of each source (B,): bounds the attention, and what must be covered.

    Returns:
        For each source its hypotheses, the best first: `n_best`, or fewer where there are no more.

    Raises:
        ValueError, TypeError: for settings outside these ranges, scores that are NaN or all −∞, or where nothing may
            come and there is no end.
        ShapeError: if what is given for each source is not as many as there are sources; for scores of another shape.
        IndexError: for a token that is none.
    """
    op = "beam_search"
    tokens = check_token_ids(op, "start", start)
    beam = check_size(op, "beam", beam)
    if check_size(op, "n_best", n_best) > beam:
        raise ValueError(f"{op}: n_best: expected at most beam, {beam}, got {n_best}")
    for argument, value in (("length_penalty", length_penalty), ("coverage_penalty", coverage_penalty)):
        if not 0 <= value < np.inf:
            raise ValueError(f"{op}: {argument}: expected a finite number from 0, got {value}")
    lengths = check_source_lengths(op, source_lengths, len(tokens))
    rules = Rules(op, constraints or Constraints(), len(tokens), end_id)
    kept = _Kept(len(tokens), n_best, (length_penalty, coverage_penalty), lengths)
    trace = _search(model, tokens, rules, kept, beam)
    return kept.hypotheses(trace, end_id is not None)


def _search(model: StepModel, tokens: Ids, rules: Rules, kept: _Kept, beam: int) -> Trace:
    """Goes on until no hypothesis is left."""
    trace, number = Trace(), 0
    sources = parents = np.arange(len(tokens))
    totals: Array = np.zeros(len(tokens))
    while len(sources):
        number += 1
        scores = model.step(tokens, parents)
        trace.add(parents, tokens, model.attention)
        kept.look(parents, model.attention)
        columns = np.shape(scores)[-1] if np.ndim(scores) else 0
        now = rules.step(number, sources, tokens, parents, columns)
        active, starts = np.unique(sources, return_index=True)
        found = best_continuations(scores, totals, np.append(starts, len(sources)), beam, now)
        rows, words, sums = (array.reshape(len(active), beam) for array in found)
        there = rows >= 0
        ended = there & rules.ended(number, active[:, None], words)
        if ended.any():
            kept.add(number, active, ended, (rows, words, sums))
        going_on = there & ~ended & kept.may_enter(active, sums, rules.last_step)
        parents, tokens, totals = rows[going_on], words[going_on], sums[going_on]
        sources = np.repeat(active, going_on.sum(axis=1))
    return trace


class _Kept:
    """The n best finished hypotheses of each source so far, best first; at step 0 stands none.

    Args:
        count: B.
        n_best: n.
        penalties: α of the length and β of the coverage.
        lengths: steps of each source (B,), or None.
    """

    def __init__(self, count: int, n_best: int, penalties: tuple[float, float], lengths: Ids | None) -> None:
        self._alpha, self._beta = penalties
        self._lengths = lengths
        self._cover: Array | None = None
        self._scores = np.full((count, n_best), -np.inf)
        self._log_probs = np.full((count, n_best), -np.inf)
        #: step, row, token
        self._places = np.zeros((3, count, n_best), np.int64)

    def look(self, parents: Ids, attention: Array | None) -> None:
        """Adds a step's attention (N, S) to what each hypothesis has looked at."""
        if not self._beta:
            return
        if attention is None:
            raise ValueError(
                f"beam_search: coverage_penalty: expected 0 for a model without attention, got {self._beta}"
            )
        self._cover = attention if self._cover is None else self._cover[parents] + attention

    def add(self, number: int, active: Ids, ended: NDArray[np.bool_], found: tuple[Ids, Ids, Array]) -> None:
        """Takes those up that ended at a step.

        Args:
            number: of the step.
            active: the A sources concerned.
            ended: which of their continuations did (A, K).
            found: rows, tokens and ln P of these (A, K).
        """
        rows, words, sums = found
        scores = np.full(ended.shape, -np.inf)
        penalty = self._coverage(np.repeat(active, ended.sum(axis=1)), rows[ended])
        # One of probability 0 is still better than none.
        scores[ended] = np.maximum(sums[ended] / self._length(number) + penalty, np.finfo(np.float64).min)
        every = np.concatenate([self._scores[active], scores], axis=1)
        best = np.argsort(-every, axis=1, kind="stable")[:, : self._scores.shape[1]]
        merged = (
            (self._scores, scores),
            (self._log_probs, sums),
            (self._places[0], np.where(ended, number, 0)),
            (self._places[1], rows),
            (self._places[2], words),
        )
        for kept, new in merged:
            kept[active] = np.take_along_axis(np.concatenate([kept[active], new], axis=1), best, axis=1)

    def may_enter(self, active: Ids, sums: Array, last_step: Ids) -> NDArray[np.bool_]:
        """Whether hypotheses with these ln P (A, K) may still get among the n best."""
        bound = sums / self._length(last_step[active])[:, None]
        room = self._places[0, active, -1:] == 0
        return np.asarray(room | (bound > self._scores[active, -1:]))

    def hypotheses(self, trace: Trace, has_end: bool) -> list[list[Hypothesis]]:
        """What was kept, for each source."""
        steps = self._places[0]
        there = steps > 0
        sources, _ = np.nonzero(there)
        steps, rows, tokens = self._places[:, there]
        ends = Ends(steps, rows, tokens, steps - has_end, self._scores[there], self._log_probs[there])
        lengths = None if self._lengths is None else self._lengths[sources]
        result: list[list[Hypothesis]] = [[] for _ in there]
        for source, hypothesis in zip(sources, trace.paths(ends, lengths), strict=True):
            result[source].append(hypothesis)
        return result

    def _length(self, number: int | Ids) -> Any:
        """lp of so many tokens."""
        return ((5.0 + np.asarray(number)) / 6.0) ** self._alpha

    def _coverage(self, sources: Ids, rows: Ids) -> Array | float:
        """cp of continuations of these rows."""
        if self._cover is None:
            return 0.0
        looked = np.log(np.clip(self._cover[rows].astype(np.float64), LEAST_ATTENTION, 1.0))
        if self._lengths is not None:
            looked[np.arange(looked.shape[1]) >= self._lengths[sources][:, None]] = 0.0
        return np.asarray(self._beta * looked.sum(axis=1))


def check_source_lengths(op: str, lengths: ArrayLike | None, count: int) -> Ids | None:
    """The steps of each source (B,), or None.

    Raises:
        ShapeError: if there are not as many as sources.
        DTypeError, IndexError: if they are no whole numbers from 0.
    """
    if lengths is None:
        return None
    checked = check_token_ids(op, "source_lengths", lengths)
    if len(checked) != count:
        raise ShapeError(
            f"{op}: source_lengths: expected one for each of {count} sources, got {len(checked)}"
        )
    return checked
