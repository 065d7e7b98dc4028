"""Sentences for dialogue acts, by a chatbot that was trained on acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...data.dialogue_acts import DialogueAct, readable
from ...shown import short_repr

#: K of the beam search; all K hypotheses are reranked.
BEAM = 10


@dataclass(frozen=True)
class Utterance:
    """A sentence for a dialogue act.

    Attributes:
        text: the sentence, in readable form.
        tokens: the sentence as in the data, with separate endings.
        template: the tokens with placeholders for values.
        missing, redundant: the slot errors, see `metrics.slot_error`.
        log_prob: ln P(template | act).
    """

    text: str
    tokens: tuple[str, ...]
    template: tuple[str, ...]
    missing: int
    redundant: int
    log_prob: float

    __repr__ = short_repr

    def __str__(self) -> str:
        return self.text


def best_sentence(
    act: DialogueAct, templates: Sequence[tuple[str, ...]], log_probs: Sequence[float]
) -> Utterance:
    """Returns the sentence with the fewest slot errors; among several, the first.

    This is the reranking of Wen et al. (2015), with a penalty above any difference in score.

    Args:
        act: the dialogue act.
        templates: the tokens of the hypotheses, with placeholders for values, the best first.
        log_probs: ln P of each hypothesis.

    Example:
        >>> act = DialogueAct.parse("inform(name='the ritz')")
        >>> print(best_sentence(act, [("it", "is", "nice"), ("slot_name", "is", "nice")], [-1.0, -2.0]))
        the ritz is nice
    """
    errors = [sum(act.slot_errors(template)) for template in templates]
    best = errors.index(min(errors))
    template = templates[best]
    words = act.lexicalize(template)
    return Utterance(readable(words), tuple(words), template, *act.slot_errors(template), log_probs[best])
