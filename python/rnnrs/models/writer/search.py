"""Beam search for the texts of a model: its settings, and its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ...checks import check_size
from ...decoding import Constraints, Hypothesis, beam_search
from ...shown import short_repr
from ...types import Array
from .steps import DecoderSteps


@dataclass(frozen=True)
class Search:
    """The settings of a beam search, see `decoding.beam_search`.

    Attributes:
        beam: K; 1 is greedy decoding.
        n_best: the number of results per source, at most `beam`.
        length_penalty, coverage_penalty: α and β.
        max_length: the maximum number of tokens to write; None: the application's maximum.
        no_repeat_ngram: n; no n consecutive tokens are written twice; 0 allows repetitions.

    Example:
        >>> Search(beam=1).changed("my_function", {"max_length": 20})
        Search(beam=1, n_best=1, length_penalty=0.6, coverage_penalty=0.0, max_length=20, no_repeat_ngram=0)
    """

    beam: int = 5
    n_best: int = 1
    length_penalty: float = 0.6
    coverage_penalty: float = 0.0
    max_length: int | None = None
    no_repeat_ngram: int = 0

    def changed(self, op: str, settings: Mapping[str, Any]) -> Search:
        """Returns this search with other settings.

        Args:
            op: the caller's name, for error messages.
            settings: values by the names of the attributes.

        Raises:
            TypeError: for an unknown setting.
        """
        known = [f.name for f in fields(self)]
        for name in settings:
            if name not in known:
                raise TypeError(f"{op}: unexpected option {name!r}; expected {', '.join(known)}")
        return replace(self, **settings)


def search_of(
    op: str, search: Search | None, default: Callable[[], Search], settings: Mapping[str, Any] | None = None
) -> Search:
    """Returns the given search, or the default one, with other settings.

    Raises:
        TypeError: for anything but a search; for an unknown setting.
    """
    if search is not None and not isinstance(search, Search):
        raise TypeError(f"{op}: search: expected a Search or None, got {search!r:.80}")
    return (default() if search is None else search).changed(op, settings or {})


@dataclass(frozen=True, eq=False)
class Written:
    """A text that a model wrote.

    Attributes:
        text: the text, in readable form.
        score, log_prob: see `decoding.Hypothesis`.
        source: the S words, or other tokens, that were read, including the end token; empty for pictures.
        words: the n words, or other tokens, that were written.
        attention: α (n, S), each word's attention to the source, for `plot.attention`; None for a model
            without attention.
        cut: whether only the beginning of the source was read, see `TextToText.MAX_SOURCE`.
    """

    text: str
    score: float
    log_prob: float
    source: tuple[str, ...]
    words: tuple[str, ...]
    attention: Array | None
    cut: bool

    __repr__ = short_repr


def search_steps(
    op: str,
    steps: DecoderSteps,
    search: Search,
    longest: list[int] | int,
    forbidden: Sequence[int],
    source_lengths: Array | None = None,
) -> list[list[Hypothesis]]:
    """Runs a beam search, and returns the hypotheses for each source, the best first.

    Args:
        op: the caller's name, for error messages.
        steps: the decoder, before its first step.
        search: the settings.
        longest: the maximum number of tokens, for all sources or for each, if `search` sets none.
        forbidden: ids that are never written.
        source_lengths: see `decoding.beam_search`.

    Raises:
        ValueError, TypeError: for a setting out of range.
    """
    if search.max_length is not None:
        check_size(op, "max_length", search.max_length)
    check_size(op, "no_repeat_ngram", search.no_repeat_ngram, least=0)
    constraints = Constraints(
        max_length=longest if search.max_length is None else search.max_length,
        min_length=1,
        no_repeat_ngram=search.no_repeat_ngram,
        forbidden=np.array(forbidden, np.int64),
    )
    return beam_search(
        steps,
        np.full(len(steps.sources), steps.end_id),
        steps.end_id,
        beam=search.beam,
        n_best=search.n_best,
        length_penalty=search.length_penalty,
        coverage_penalty=search.coverage_penalty,
        constraints=constraints,
        source_lengths=source_lengths,
        op=op,
    )
