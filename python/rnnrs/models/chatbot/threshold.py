"""The confidence threshold above which a chatbot's own answers are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...metrics import rouge
from ...text import find_words
from .contexts import context_text, normalize

#: The minimum F1 of words at which an answer counts as a recorded one.
ALIKE = 0.5


@dataclass(frozen=True)
class Threshold:
    """A threshold and its effect on the contexts that it was chosen for.

    Attributes:
        threshold: the minimum confidence at which the model's own answer is given.
        answered: the share of contexts that get the model's own answer.
        right: the share of correct answers among these; NaN if there are none.
        right_without: the share of correct answers without a threshold.
        contexts: the number of contexts.
    """

    threshold: float
    answered: float
    right: float
    right_without: float
    contexts: int

    def __str__(self) -> str:
        return (
            f"threshold {self.threshold:.3f}: "
            f"own answers to {self.answered:.0%} of {self.contexts} contexts, "
            f"{self.right:.0%} of them right; without a threshold {self.right_without:.0%}"
        )


def best_cut(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """Returns the threshold with the most correct decisions: right answers given, wrong ones not given.

    It is halfway between the neighboring confidences; 0 if every answer is to be given, 1 if none is.

    Example:
        >>> best_cut([0.25, 0.5, 1.0], [False, False, True])
        0.75
    """
    order = np.argsort(np.asarray(confidence), kind="stable")
    rising, good = np.asarray(confidence)[order], np.asarray(right, bool)[order]
    wrong_below = np.concatenate([[0], np.cumsum(~good)])
    right_above = good.sum() - np.concatenate([[0], np.cumsum(good)])
    cuts = np.concatenate([[0.0], (rising[1:] + rising[:-1]) / 2, [1.0]])
    possible = np.concatenate([[True], rising[1:] > rising[:-1], [True]])
    return float(cuts[np.argmax(np.where(possible, wrong_below + right_above, -1))])


def best_threshold(confidence: Sequence[float], right: Sequence[bool]) -> Threshold:
    """Returns the threshold with the most correct decisions, and its effect.

    Args:
        confidence: the confidence of the model's own answer in each context.
        right: whether each answer is right; in a context that cannot be answered, none is.
    """
    cut = best_cut(confidence, right)
    given = np.array(confidence) >= cut
    share = float(np.mean(np.array(right)[given])) if given.any() else float("nan")
    return Threshold(cut, float(given.mean()), share, float(np.mean(right)), len(right))


def recorded_answers(
    dialogues: Sequence[Sequence[str]], history: int
) -> tuple[list[list[str]], list[list[str]]]:
    """Returns a conversation for each different context of dialogues, and all answers recorded in it.

    Example:
        >>> recorded_answers([["Hello", "Hi."], ["hello!", "Good day."]], 1)
        ([['Hello']], [['Hi.', 'Good day.']])
    """
    recorded: dict[str, list[str]] = {}
    conversations: dict[str, list[str]] = {}
    for turns in dialogues:
        for place in range(1, len(turns), 2):
            context = context_text(turns[:place], history)
            recorded.setdefault(context, []).append(turns[place])
            conversations.setdefault(context, list(turns[:place]))
    return list(conversations.values()), list(recorded.values())


def right_answers(answers: Sequence[str], recorded: Sequence[Sequence[str]]) -> list[bool]:
    """Returns whether each answer is `alike` one that was recorded in its context."""
    return [alike(answer, known) for answer, known in zip(answers, recorded, strict=True)]


def alike(answer: str, recorded: Sequence[str]) -> bool:
    """Returns whether an answer has the words of a recorded one: an F1 of words of at least `ALIKE`.

    Example:
        >>> alike("Paris, of course!", ["Rome", "paris"]), alike("It is Rome.", ["Paris"])
        (True, False)
    """
    words = lambda text: find_words(normalize(text))  # noqa: E731
    return rouge([answer], [recorded], tokenize=words).rouge_1.f1 >= ALIKE
