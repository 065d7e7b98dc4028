"""The training options of a chatbot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..base.options import option, share, whole
from ..base.training import TrainingOptions, TrainingSettings


class ChatbotTrainingOptions(TrainingOptions, total=False):
    """The options of `Chatbot.fit`, see `ChatbotTraining`."""

    noise: float
    forget: float
    kept: int


@dataclass(frozen=True)
class ChatbotTraining(TrainingSettings):
    """The options of `Chatbot.fit`."""

    epochs: int | None = 30
    noise: float = option(
        0.1,
        "the share of words that are missing or unknown (half each) in a second copy of each context; if "
        "`noise` and `forget` are 0, there is no second copy",
        share,
    )
    forget: float = option(
        0.1,
        "the share of these copies that have an empty context; from them, the model learns P(answer), which "
        "`rank` uses",
        share,
    )
    kept: int = option(
        2000,
        "the most dialogues that the model's file keeps: `learn` rehearses them, and they tell what was known "
        "from what is taught; sampled by the seed",
        whole(0),
    )

    #: They determine the data, and a checkpoint holds the fingerprint of the data.
    _NOT_KEPT: ClassVar[tuple[str, ...]] = (*TrainingSettings._NOT_KEPT, "noise", "forget", "kept")
