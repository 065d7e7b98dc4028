"""Batches of answers and of turns, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from ...data import PairBatches, SequenceBatches
from ...data.batch import Batches, digest
from ...data.contents import Contents
from ...shown import batches_repr
from ...types import Array, Ids
from .network import AssistantBatch


class AssistantBatches:
    """The answers of dialogues in batches, each with as many turns as there are to every batch.

    Args:
        pairs: what the answers depend on, and the answers.
        turns: the ids of each turn.
        tags: its tags.
        answers: 0 or 1 for each question about it (N, Q).
        seed: the seed of the shuffling.
    """

    carries_state = False

    __repr__ = batches_repr

    def __init__(
        self, pairs: PairBatches, turns: Sequence[Ids], tags: Sequence[Ids], answers: Array, seed: int
    ) -> None:
        self._pairs, self._answers = pairs, answers
        self._turns = SequenceBatches(turns, list(tags), -(-len(turns) // len(pairs)), seed=seed + 1)

    def __len__(self) -> int:
        return len(self._pairs)

    def epoch(self, number: int) -> Sequence[AssistantBatch]:
        """Returns the batches in the order of this epoch."""
        pairs, turns = self._pairs.epoch(number), self._turns.epoch(number)

        def batch(i: int) -> AssistantBatch:
            own = turns[i] if i < len(turns) else None
            return AssistantBatch(pairs[i], own, None if own is None else self._answers[own.keys])

        return Batches(len(pairs), batch)

    def fingerprint(self) -> str:
        """See `Data.fingerprint`."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return digest("assistant", self._pairs.fingerprint(), self._turns.fingerprint(), self._answers)

    def contents(self) -> Contents:
        """See `Data.contents`."""
        return self._pairs.contents()
