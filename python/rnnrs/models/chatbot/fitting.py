"""The training options of a chatbot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..base.options import option, share
from ..base.training import TrainingOptions, TrainingSettings


class ChatbotTrainingOptions(TrainingOptions, total=False):
    """The options of `Chatbot.fit`, see `ChatbotTraining`."""

    noise: float
    forget: float


@dataclass(frozen=True)
class ChatbotTraining(TrainingSettings):
    """The options of `Chatbot.fit`."""

    epochs: int | None = 30
    noise: float = option(
        0.1,
        "in a second copy of each context, the share of words that are missing or unknown (half of each); 0 with "
        "`forget` 0: no second copy",
        share,
    )
    forget: float = option(
        0.1,
        "the share of these copies whose context is empty, from which `rank` learns how likely answers are by "
        "themselves",
        share,
    )

    #: They determine the data, whose fingerprint a checkpoint holds.
    _NOT_KEPT: ClassVar[tuple[str, ...]] = (*TrainingSettings._NOT_KEPT, "noise", "forget")
