"""How to search for what to write, and what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ...decoding import Constraints, Hypothesis, beam_search
from ...types import Array
from .steps import DecoderSteps


@dataclass(frozen=True)
class Search:
    """How to look for what to write, see `decoding.beam_search`.

    Attributes:
        beam: K; 1 is greedy decoding.
        n_best: how many are wanted for each text.
        length_penalty, coverage_penalty: α and β.
        max_length: the most tokens to write; None: as the application's `longest` says.
        no_repeat_ngram: n: no n tokens in a row are written twice; 0: they may be.
    """

    beam: int = 5
    n_best: int = 1
    length_penalty: float = 0.6
    coverage_penalty: float = 0.0
    max_length: int | None = None
    no_repeat_ngram: int = 0

    def changed(self, op: str, settings: Mapping[str, Any]) -> Search:
        """This search with other settings.

        Raises:
            TypeError: for a setting that there is not.
        """
        known = [f.name for f in fields(self)]
        for name in settings:
            if name not in known:
                raise TypeError(f"{op}: unexpected option {name!r}; expected {', '.join(known)}")
        return replace(self, **settings)


@dataclass(frozen=True, eq=False)
class Written:
    """A text that a model wrote.

    Attributes:
        text: as one reads it.
        score, log_prob: see `decoding.Hypothesis`.
        source: the S words, or other tokens, that were read, the end among them; of pictures none.
        words: the n that were written.
        attention: α (n, S), of what was read at each word, for `plot.attention`; None without attention.
        cut: whether the text was longer than what is read, see `TextToText.MAX_SOURCE`.
    """

    text: str
    score: float
    log_prob: float
    source: tuple[str, ...]
    words: tuple[str, ...]
    attention: Array | None
    cut: bool


def search_steps(
    steps: DecoderSteps,
    search: Search,
    longest: list[int] | int,
    forbidden: Sequence[int],
    source_lengths: Array | None = None,
) -> list[list[Hypothesis]]:
    """What a search finds for each source.

    Args:
        steps: before their first step.
        search: how to look.
        longest: the most tokens, of all sources or of each, where the search does not say.
        forbidden: ids that are not to be written.
        source_lengths: see `decoding.beam_search`.
    """
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
    )
