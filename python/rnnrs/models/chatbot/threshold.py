"""From which confidence on a chatbot's own answers are better than none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...metrics import rouge
from .contexts import context_text, normalize

#: From which F1 of words on an answer counts as one that was recorded.
ALIKE = 0.5


@dataclass(frozen=True)
class Threshold:
    """What was found.

    Attributes:
        threshold: the confidence from which on the own answer is given.
        answered: the share of contexts that get an own answer.
        right: of these, the share whose answer is right; NaN where there are none.
        right_without: the share of right answers without a threshold.
        contexts: how many were looked at.
    """

    threshold: float
    answered: float
    right: float
    right_without: float
    contexts: int

    def __str__(self) -> str:
        return (
            f"threshold {self.threshold:.3f}: own answers to {self.answered:.0%} of {self.contexts} contexts, "
            f"{self.right:.0%} of them right; without a threshold {self.right_without:.0%}"
        )


def best_cut(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """The threshold for which most decisions are right: answers that are right given, wrong ones not.

    It lies half-way between the confidences on its two sides; 0 where every answer is to be given, 1 where none.
    """
    order = np.argsort(np.asarray(confidence), kind="stable")
    rising, good = np.asarray(confidence)[order], np.asarray(right, bool)[order]
    wrong_below = np.concatenate([[0], np.cumsum(~good)])
    right_above = good.sum() - np.concatenate([[0], np.cumsum(good)])
    cuts = np.concatenate([[0.0], (rising[1:] + rising[:-1]) / 2, [1.0]])
    possible = np.concatenate([[True], rising[1:] > rising[:-1], [True]])
    return float(cuts[np.argmax(np.where(possible, wrong_below + right_above, -1))])


def recorded_answers(
    dialogues: Sequence[Sequence[str]], history: int
) -> tuple[list[list[str]], list[list[str]]]:
    """(one conversation for each context of dialogues, all answers that were recorded in that context)."""
    recorded: dict[str, list[str]] = {}
    conversations: dict[str, list[str]] = {}
    for turns in dialogues:
        for place in range(1, len(turns), 2):
            context = context_text(turns[:place], history)
            recorded.setdefault(context, []).append(turns[place])
            conversations.setdefault(context, list(turns[:place]))
    return list(conversations.values()), list(recorded.values())


def right_answers(answers: Sequence[str], recorded: Sequence[Sequence[str]]) -> list[bool]:
    """Whether each answer has an F1 of words of at least `ALIKE` with one that was recorded in its context."""
    return [alike(answer, known) for answer, known in zip(answers, recorded, strict=True)]


def best_threshold(confidence: Sequence[float], right: Sequence[bool]) -> Threshold:
    """The threshold for which most decisions are right; an unanswerable text's answer is never right."""
    cut = best_cut(confidence, right)
    given = np.array(confidence) >= cut
    share = float(np.mean(np.array(right)[given])) if given.any() else float("nan")
    return Threshold(cut, float(given.mean()), share, float(np.mean(right)), len(right))


def alike(answer: str, recorded: Sequence[str]) -> bool:
    """Whether an answer has the words of a recorded one, by and large."""
    words = lambda text: normalize(text).split()  # noqa: E731
    return rouge([answer], [recorded], tokenize=words).rouge_1.f1 >= ALIKE
