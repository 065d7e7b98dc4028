"""Beam search over several sources at once, and its smallest case, greedy decoding."""

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
from .memory import check_hypotheses
from .model import StepModel
from .stopping import check_stopped

#: The lower bound of the attention to a source step; at 0, ln would be −∞.
LEAST_ATTENTION = 1e-10


def greedy(
    model: StepModel,
    start: ArrayLike,
    end_id: int | None,
    *,
    constraints: Constraints | None = None,
    source_lengths: ArrayLike | None = None,
) -> list[Hypothesis]:
    """Decodes the likeliest token after each token: beam search with a beam of 1.

    Args:
        model, start, end_id, constraints, source_lengths: see `beam_search`.

    Returns:
        One hypothesis per source (B).

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
    op: str = "beam_search",
) -> list[list[Hypothesis]]:
    """Finds the n best hypotheses of each source, as far as the beam contains them.

    At every step, the K best continuations of a source's hypotheses by ln P are kept. Those that end leave
    the beam with the score of Wu et al. 2016 (equation 14), where |Y| includes the end token:

    s(Y) = ln P(Y) / lp(Y) + cp(Y); lp(Y) = ((5 + |Y|) / 6)^α; cp(Y) = β Σ_i ln min(Σ_j α_ij, 1)

    The n best by s are the result. Since ln P never rises, a hypothesis cannot become one of them if its ln P
    divided by the largest lp is not above the lowest s kept. It is dropped, and a source without hypotheses
    is finished; the result stays the same.

    At most B·K hypotheses are active at a time. Memory holds their scores (B·K, V) and α (B·K, S) of all
    steps.

    Args:
        model: a model that holds one hypothesis per source.
        start: the token that the first step of each source reads (B,).
        end_id: the token that ends a hypothesis; None: all hypotheses have the length
            `constraints.max_length`.
        beam: K.
        n_best: n, the number of hypotheses to return; at most K.
        length_penalty: α ≥ 0; 0 compares ln P itself, which favors short hypotheses.
        coverage_penalty: β ≥ 0; above 0 the model must have attention.
        constraints: on lengths, repetitions, prefixes and vocabulary.
        source_lengths: the number of steps of each source (B,), which bounds the attention and the coverage.
        op: the caller's name, for error messages.

    Returns:
        The hypotheses of each source, the best first: `n_best`, or fewer if there are no more.

    Raises:
        ValueError, TypeError: for arguments outside these ranges; for scores that are NaN or all −∞; if no
            token is allowed and there is no end token.
        ShapeError: if the number of lengths or prefixes is not B; for scores of another shape.
        IndexError: for an invalid token id.
    """
    tokens = check_token_ids(op, "start", start)
    beam = check_size(op, "beam", beam)
    if check_size(op, "n_best", n_best) > beam:
        raise ValueError(f"{op}: n_best: expected at most beam, {beam}, got {n_best}")
    for argument, value in (("length_penalty", length_penalty), ("coverage_penalty", coverage_penalty)):
        if not 0 <= value < np.inf:
            raise ValueError(f"{op}: {argument}: expected a finite number from 0, got {value}")
    lengths = check_source_lengths(op, source_lengths, len(tokens))
    rules = Rules(op, constraints or Constraints(), len(tokens), end_id)
    check_hypotheses(op, "n_best", n_best, 80, n_best * len(tokens))
    kept = _Kept(op, len(tokens), n_best, (length_penalty, coverage_penalty), lengths)
    trace = _search(op, model, tokens, rules, kept, beam)
    return kept.hypotheses(trace, end_id is not None)


def _search(op: str, model: StepModel, tokens: Ids, rules: Rules, kept: _Kept, beam: int) -> Trace:
    """Runs the search until no hypothesis is left, and returns its trace."""
    trace, number = Trace(), 0
    sources = parents = np.arange(len(tokens))
    totals: Array = np.zeros(len(tokens))
    while len(sources):
        number += 1
        check_stopped()
        try:
            scores = model.step(tokens, parents)
        except MemoryError as error:
            raise MemoryError(
                f"{op}: beam: expected hypotheses that fit in memory, got {beam}: {error}"
            ) from None
        trace.add(parents, tokens, model.attention)
        kept.look(parents, model.attention)
        columns = np.shape(scores)[-1] if np.ndim(scores) else 0
        now = rules.step(number, sources, tokens, parents, columns)
        active, starts = np.unique(sources, return_index=True)
        bounds = np.append(starts, len(sources))
        # No source has more continuations than these; a larger beam only takes memory.
        width = min(beam, int(np.diff(bounds).max()) * max(columns, 1))
        check_hypotheses(op, "beam", beam, 24, len(sources) * min(width, columns))
        found = best_continuations(scores, totals, bounds, width, now)
        rows, words, sums = (array.reshape(len(active), width) for array in found)
        there = rows >= 0
        ended = there & rules.ended(number, active[:, None], words)
        if ended.any():
            kept.add(number, active, ended, (rows, words, sums))
        going_on = there & ~ended & kept.may_enter(active, sums, rules.last_step)
        parents, tokens, totals = rows[going_on], words[going_on], sums[going_on]
        sources = np.repeat(active, going_on.sum(axis=1))
    return trace


class _Kept:
    """The n best finished hypotheses of each source so far, the best first; step 0 marks an empty place.

    Args:
        op: the caller's name, for error messages.
        count: B.
        n_best: n.
        penalties: α of the length penalty and β of the coverage penalty.
        lengths: the number of steps of each source (B,), or None.
    """

    def __init__(
        self, op: str, count: int, n_best: int, penalties: tuple[float, float], lengths: Ids | None
    ) -> None:
        self._op = op
        self._alpha, self._beta = penalties
        self._lengths = lengths
        self._cover: Array | None = None
        self._scores = np.full((count, n_best), -np.inf)
        self._log_probs = np.full((count, n_best), -np.inf)
        #: step, row, token
        self._places = np.zeros((3, count, n_best), np.int64)

    def look(self, parents: Ids, attention: Array | None) -> None:
        """Adds a step's attention (N, S) to the coverage of each hypothesis."""
        if not self._beta:
            return
        if attention is None:
            raise ValueError(
                f"{self._op}: coverage_penalty: expected 0 for a model without attention, got {self._beta}"
            )
        self._cover = attention if self._cover is None else self._cover[parents] + attention

    def add(self, number: int, active: Ids, ended: NDArray[np.bool_], found: tuple[Ids, Ids, Array]) -> None:
        """Adds the hypotheses that ended at a step.

        Args:
            number: the number of the step.
            active: the indices of A sources.
            ended: True for each continuation that ended (A, K).
            found: rows, tokens and ln P of the continuations (A, K).
        """
        rows, words, sums = found
        scores = np.full(ended.shape, -np.inf)
        penalty = self._coverage(np.repeat(active, ended.sum(axis=1)), rows[ended])
        # A hypothesis of probability 0 is still better than an empty place.
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
        """Returns whether hypotheses with these ln P (A, K) can still become one of the n best."""
        bound = sums / self._length(last_step[active])[:, None]
        room = self._places[0, active, -1:] == 0
        return np.asarray(room | (bound > self._scores[active, -1:]))

    def hypotheses(self, trace: Trace, has_end: bool) -> list[list[Hypothesis]]:
        """Returns the hypotheses kept for each source."""
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
        """Returns lp of a number of tokens."""
        with np.errstate(over="ignore"):  # a penalty that no float can hold is the largest one
            return np.minimum(((5.0 + np.asarray(number)) / 6.0) ** self._alpha, np.finfo(np.float64).max)

    def _coverage(self, sources: Ids, rows: Ids) -> Array | float:
        """Returns cp of continuations of these rows."""
        if self._cover is None:
            return 0.0
        looked = np.log(np.clip(self._cover[rows].astype(np.float64), LEAST_ATTENTION, 1.0))
        if self._lengths is not None:
            looked[np.arange(looked.shape[1]) >= self._lengths[sources][:, None]] = 0.0
        with np.errstate(over="ignore"):
            return np.asarray(self._beta * looked.sum(axis=1))


def check_source_lengths(op: str, lengths: ArrayLike | None, count: int) -> Ids | None:
    """Returns the number of steps of each source (B,), or None.

    Raises:
        ShapeError: if their number is not the number of sources.
        DTypeError, IndexError: if they are not whole numbers from 0.
    """
    if lengths is None:
        return None
    checked = check_token_ids(op, "source_lengths", lengths)
    if len(checked) != count:
        raise ShapeError(
            f"{op}: source_lengths: expected one for each of {count} sources, got {len(checked)}"
        )
    return checked
