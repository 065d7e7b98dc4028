"""Dialogue acts into sentences, by a chatbot that was trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...data.dialogue_acts import DialogueAct, readable
from .contexts import context_text

if TYPE_CHECKING:
    from .chatbot import Chatbot

#: K of beam search, all of which are reranked, and acts that are searched side by side.
BEAM, BATCH = 10, 32


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


def speak(bot: Chatbot, acts: Sequence[str | DialogueAct], beam: int = BEAM) -> list[Utterance]:
    """For each act the one of a beam's hypotheses with the fewest slot errors, and among them the best score.

    That is Wen et al.'s reranking with a penalty above any difference of scores.
    """
    parsed = [act if isinstance(act, DialogueAct) else DialogueAct.parse(act) for act in acts]
    found: list[Utterance] = []
    decoder = bot.decoder()
    for first in range(0, len(parsed), BATCH):
        batch = parsed[first : first + BATCH]
        sources = [context_text([act.source], bot.history) for act in batch]
        steps, hypotheses = bot.search(sources, beam=beam, decoder=decoder)
        for b, (act, own) in enumerate(zip(batch, hypotheses, strict=True)):
            tokens = bot.target_vocabulary.tokens + steps.lacking[b]
            templates = [tuple(tokens[i] for i in one.tokens) for one in own]
            errors = [sum(act.slot_errors(template)) for template in templates]
            best = errors.index(min(errors))
            found.append(_utterance(act, templates[best], own[best].log_prob))
    return found


def _utterance(act: DialogueAct, template: tuple[str, ...], log_prob: float) -> Utterance:
    words = act.lexicalize(template)
    return Utterance(readable(words), tuple(words), template, *act.slot_errors(template), log_prob)
