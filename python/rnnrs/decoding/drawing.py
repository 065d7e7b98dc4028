"""Sampling whole sequences, several sources at once."""

from __future__ import annotations

import secrets

import numpy as np
from numpy.typing import ArrayLike

from .._rnnrs import draw_tokens
from ..checks import check_size
from ..data.batch import check_token_ids
from ..errors import ShapeError
from ..types import Array, Ids
from .beam import check_source_lengths
from .constraints import Constraints, Rules
from .hypotheses import Ends, Hypothesis, Trace
from .memory import check_hypotheses
from .model import StepModel
from .sampling import Sampling
from .stopping import check_stopped


def sample(
    model: StepModel,
    start: ArrayLike,
    end_id: int | None,
    *,
    count: int = 1,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int | None = None,
    keys: ArrayLike | None = None,
    constraints: Constraints | None = None,
    source_lengths: ArrayLike | None = None,
) -> list[list[Hypothesis]]:
    """Samples sequences, each token from softmax(o / temperature) over the allowed tokens.

    A sample is a function of the seed, the source's key, the number of the sequence and the position of the
    token; the samples of a source do not depend on other sources.

    Args:
        model, start, end_id, constraints, source_lengths: see `beam_search`.
        count: the number of sequences per source.
        temperature: below 1 sharper, above 1 flatter; 0, or below 1e-20, always takes the likeliest token.
        top_k: sample among the k likeliest tokens only; 0 for all.
        top_p: sample among the likeliest tokens that together reach this probability (Holtzman et al. 2020);
            1 for all.
        seed: the same seed gives the same samples; None for a new seed in every call.
        keys: whole numbers (B,) that identify the sources; by default their indices.

    Returns:
        The `count` sequences of each source, in the order of their numbers; `log_prob` is the model's,
            whatever the temperature.

    Raises:
        See `beam_search`.
    """
    op = "sample"
    given = check_token_ids(op, "start", start)
    count = check_size(op, "count", count)
    check_size(op, "top_k", top_k, least=0)
    how = Sampling(0, temperature, top_k, top_p, op=op)
    seed = secrets.randbits(63) if seed is None else check_size(op, "seed", seed, least=0) % 2**64
    known = np.arange(len(given)) if keys is None else check_token_ids(op, "keys", keys)
    if len(known) != len(given):
        raise ShapeError(f"{op}: keys: expected one for each of {len(given)} sources, got {len(known)}")
    lengths = check_source_lengths(op, source_lengths, len(given))
    rules = Rules(op, constraints or Constraints(), len(given), end_id)
    check_hypotheses(op, "count", count, 64, count * len(given))

    trace, number = Trace(), 0
    sources = parents = np.repeat(np.arange(len(given), dtype=np.int64), count)
    tokens = given[sources]
    places, totals = np.arange(len(sources)), np.zeros(len(sources))
    finished: list[tuple[Ids, ...]] = []
    sums: list[Array] = []
    while len(sources):
        number += 1
        check_stopped()
        scores = model.step(tokens, parents)
        trace.add(parents, tokens, model.attention)
        columns = np.shape(scores)[-1] if np.ndim(scores) else 0
        now = rules.step(number, sources, tokens, parents, columns)
        numbers = np.full(len(sources), number)
        draw_keys = np.stack([known[sources], places % count, numbers, 0 * numbers], axis=1)
        words, log_p = draw_tokens(scores, now, (how.temperature, how.top_k, how.top_p), seed, draw_keys)
        totals = totals + log_p
        ended = rules.ended(number, sources, words)
        rows = np.flatnonzero(ended)
        finished.append((places[rows], numbers[rows], rows, words[rows]))
        sums.append(totals[rows])
        parents = np.flatnonzero(~ended)
        sources, places, totals, tokens = sources[parents], places[parents], totals[parents], words[parents]
    return _sorted(trace, finished, sums, count, end_id is not None, lengths)


def _sorted(
    trace: Trace,
    finished: list[tuple[Ids, ...]],
    sums: list[Array],
    count: int,
    has_end: bool,
    lengths: Ids | None,
) -> list[list[Hypothesis]]:
    """Returns the sequences of each source in order.

    Args:
        trace: all steps.
        finished: (place, step, row, token) of the sequences that ended, step by step.
        sums: their ln P.
        count: the number of sequences per source.
        has_end: whether the last token is an end token.
        lengths: the number of steps of each source (B,), or None.
    """
    if not finished:
        return []
    places, steps, rows, tokens = (np.concatenate(parts) for parts in zip(*finished, strict=True))
    order = np.argsort(places)
    log_probs = np.concatenate(sums)[order]
    steps = steps[order]
    ends = Ends(steps, rows[order], tokens[order], steps - has_end, log_probs, log_probs)
    bounds = None if lengths is None else np.repeat(lengths, count)
    drawn = trace.paths(ends, bounds)
    return [drawn[i : i + count] for i in range(0, len(drawn), count)]
