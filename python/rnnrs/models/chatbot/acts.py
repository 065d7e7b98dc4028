"""Dialogue acts into sentences, by a chatbot that was trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...data.dialogue_acts import DialogueAct, readable

#: K of beam search; all K hypotheses are reranked.
BEAM = 10


@dataclass(frozen=True)
class Utterance:
    """A sentence that says a dialogue act.

    Attributes:
        text: readable.
        tokens: as in the data, endings apart.
        template: the same with placeholders for values.
        missing, redundant: slot errors, see `metrics.slot_error`.
        log_prob: ln P(template | act).
    """

    text: str
    tokens: tuple[str, ...]
    template: tuple[str, ...]
    missing: int
    redundant: int
    log_prob: float

    def __str__(self) -> str:
        return self.text


def best_sentence(
    act: DialogueAct, templates: Sequence[tuple[str, ...]], log_probs: Sequence[float]
) -> Utterance:
    """Of a beam's hypotheses, best first, the one with the fewest slot errors; the first of several such.

    That is the reranking of Wen et al. (2015), with a penalty above any difference of scores.

    Args:
        act: the dialogue act.
        templates: the hypotheses' tokens, with placeholders for values.
        log_probs: ln P of each.
    """
    errors = [sum(act.slot_errors(template)) for template in templates]
    best = errors.index(min(errors))
    template = templates[best]
    words = act.lexicalize(template)
    return Utterance(readable(words), tuple(words), template, *act.slot_errors(template), log_probs[best])
