"""What a memory answers to a turn, and which answers may not be given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .contexts import answer_text, normalize
from .memory import TEACH, Entry, Memory, dialogues_of
from .similarity import Similarity

#: The share of the threshold that suffices where the network gives the same answer.
AGREED = 0.8

#: The most known turns that a question is compared with.
COMPARED = 5_000


class Recalled(NamedTuple):
    """An answer from memory.

    Attributes:
        entry: what was taught.
        similarity: that of the question to the taught turn, 0..1.
    """

    entry: Entry
    similarity: float


class Recollection:
    """A memory at one moment, indexed.

    Args:
        memory: the memory.
        kept: the known dialogues.

    Attributes:
        entries, kept: the log and the dialogues that it was made of.
    """

    def __init__(self, memory: Memory, kept: Sequence[Sequence[str]]) -> None:
        self._taught = memory.taught
        self.entries, self.kept = memory.entries, kept
        known = [turn for turns in kept for turn in turns[:-1:2]] if self._taught else []
        pairs = [(entry.turn, entry.answer) for entry in self._taught]
        self._similarity = Similarity(pairs, known[:COMPARED])
        self._wrong: dict[str, set[str]] = {}
        for entry in memory.wrong:
            self._wrong.setdefault(normalize(entry.turn), set()).add(entry.answer)
        ever = dialogues_of([entry for entry in self.entries if entry.what == TEACH])
        self.ever_taught = set(map(tuple, ever))
        self._learned = self._only_learned()

    def _only_learned(self) -> set[str]:
        """Returns the answers, in lower case, that only those dialogues contain that were taught."""
        answers: tuple[set[str], set[str]] = set(), set()
        for turns in self.kept if self.ever_taught else ():
            learned = tuple(turns) in self.ever_taught
            answers[learned].update(answer_text(turn).lower() for turn in turns[1::2])
        return answers[True] - answers[False]

    def recall(self, turn: str) -> Recalled | None:
        """Returns the answer to a turn; None if no taught turn is similar enough or a known one is nearer."""
        nearest = self._similarity.nearest(turn)
        if nearest is None or nearest.similarity < max(self._similarity.threshold, nearest.known):
            return None
        entry = self._taught[nearest.place]
        return None if self.is_wrong(turn, entry.answer) else Recalled(entry, nearest.similarity)

    def is_wrong(self, turn: str, answer: str) -> bool:
        """Returns whether an answer to a turn was marked as wrong."""
        return bool(self._wrong) and answer_text(answer) in self._wrong.get(normalize(turn), ())

    def allows(self, turn: str, answer: str, *, learned: bool) -> bool:
        """Returns whether an answer of the network to a turn may be given: it was not marked as wrong.

        One that the network knows only from learning must be the answer to the nearest taught turn, with a
        similarity of at least 0.8 times the threshold. The network would also give it to turns that have
        nothing to do with it, and after it was undone.

        Args:
            turn: the turn.
            answer: the answer.
            learned: whether all answers from learning are allowed.
        """
        if self.is_wrong(turn, answer):
            return False
        if learned or answer.lower() not in self._learned:
            return True
        nearest = self._similarity.nearest(turn)
        if nearest is None or nearest.similarity < AGREED * self._similarity.threshold:
            return False
        return self._taught[nearest.place].answer.lower() == answer.lower()
