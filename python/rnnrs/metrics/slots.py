"""The slot error of generated sentences: the values of a dialogue act that are missing or redundant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..data.dialogue_acts import DialogueAct
from ..errors import ShapeError


@dataclass(frozen=True)
class SlotError:
    """Missing and redundant slots relative to all slots.

    Attributes:
        missing: the number of values that are not said.
        redundant: the number of values said again, or of no slot of the act.
        slots: the number of values to say.
    """

    missing: int
    redundant: int
    slots: int

    @property
    def rate(self) -> float:
        """The rate (missing + redundant) / slots; NaN without slots."""
        return (self.missing + self.redundant) / self.slots if self.slots else float("nan")

    def __str__(self) -> str:
        return (
            f"slot error {self.rate:.2%} ({self.missing} missing, {self.redundant} redundant of {self.slots})"
        )


def slot_error(acts: Sequence[DialogueAct], templates: Sequence[Sequence[str]]) -> SlotError:
    """Computes ERR = (p + q) / N (Wen et al. 2015): p missing and q redundant of N slots, over all sentences.

    Slots that are not said verbatim (yes, no, none, dont_care) or that the act asks for do not count.

    Args:
        acts: the acts to say.
        templates: the words of each sentence before values were filled in, see `DialogueAct.delexicalize`.

    Raises:
        ShapeError: if the numbers of acts and templates differ.
    """
    if len(acts) != len(templates):
        raise ShapeError(
            f"slot_error: templates: expected as many as acts, {len(acts)}, got {len(templates)}"
        )
    errors = [act.slot_errors(template) for act, template in zip(acts, templates, strict=True)]
    missing, redundant = (sum(column) for column in zip(*errors, strict=True)) if errors else (0, 0)
    return SlotError(missing, redundant, sum(len(act.values) for act in acts))
