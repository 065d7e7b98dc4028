"""The training options of an assistant, and what its networks learn from dialogues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...data.annotated_dialogues import AnnotatedTurn
from ..base.training import TrainingSettings
from .replaying import replayed
from .responses import source_of
from .sentences import Sentences
from .tracking import Example, Tracking


@dataclass(frozen=True)
class AssistantTraining(TrainingSettings):
    """The options of `Assistant.fit`."""

    epochs: int | None = 14
    batch_size: int = 16
    learning_rate: float = 3e-3


def turn_examples(
    dialogues: Iterable[Sequence[AnnotatedTurn]],
    tracking: Tracking,
    sentences: Sentences,
    seed: int | None = None,
) -> list[Example]:
    """Returns what the tracker learns from: each turn, and with a seed a copy with hidden values."""
    found = []
    for number, dialogue in enumerate(dialogues):
        draw = None if seed is None else np.random.default_rng([seed, number])
        for step in replayed(dialogue, tracking, sentences):
            another, before = step.situation.state.another, step.before.values
            given = (step.turn, step.system, before, another, step.before.act)
            found.append(tracking.example(*given))
            if draw is not None:
                found.append(tracking.example(*given, draw))
    return found


def answer_pairs(
    dialogues: Iterable[Sequence[AnnotatedTurn]],
    tracking: Tracking,
    sentences: Sentences,
    act_words: dict[str, str],
) -> list[tuple[str, str]]:
    """Returns (what an answer depends on, its act and its words) for each answer."""
    found = []
    for dialogue in dialogues:
        for step in replayed(dialogue, tracking, sentences):
            if step.turn.system.strip():
                source = source_of(step.situation, step.turn.user, tracking)
                found.append((" ".join(source), f"{act_words[step.answer.act]} {step.answer.text}"))
    return found
