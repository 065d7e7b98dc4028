"""Learning what was taught without forgetting: variants of taught turns, rehearsed dialogues, new words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ...text import Vocabulary, vocabulary_from_config
from ...types import Array
from ..base.options import option, positive, whole
from ..base.training import TrainingOptions, TrainingSettings
from .contexts import SEPARATOR, UNKNOWN, answer_text, context_text, normalize

#: The probability that a variant keeps a rare word of the turn, and that it keeps a common one.
KEPT_RARE, KEPT_COMMON = 0.75, 0.5

#: The shares of variants with the common words of another turn, with a word of the answer, in another order,
#: and after other turns.
FRAMED, HINTED, SHUFFLED, LATER = 0.7, 0.3, 0.4, 0.5

#: The shares of variants with 0, 1, 2, 3 strange words, and the share of these that the bot does not know.
STRANGE, UNKNOWN_SHARE = (0.4, 0.3, 0.2, 0.1), 0.5

#: The share of turns that contain a common word.
COMMON = 0.01

#: The number of epochs, and the least number of steps, if there is no other bound.
EPOCHS, STEPS = 10, 400

#: One of this many variants is the turn itself.
PLAIN = 6


class LearningOptions(TrainingOptions, total=False):
    """The options of `Chatbot.learn`, see `LearningSettings`."""

    variants: int
    rehearsed: int


@dataclass(frozen=True)
class LearningSettings(TrainingSettings):
    """The options of `Chatbot.learn`."""

    epochs: int | None = option(
        None,
        "passes over the data; by default 10, or more where these are fewer than 400 steps",
        whole(1, none=True),
    )
    learning_rate: float = option(3e-3, "the highest learning rate", positive())
    variants: int = option(40, "the number of variants of each taught turn", whole(1))
    rehearsed: int = option(10_000, "the most answers of the known dialogues that are rehearsed", whole(1))

    _NOT_KEPT: ClassVar[tuple[str, ...]] = (*TrainingSettings._NOT_KEPT, "variants", "rehearsed")

    def for_steps(self, steps: int) -> LearningSettings:
        """Returns the settings with a number of epochs, for epochs of this number of steps."""
        if self.epochs is not None or self.time_limit is not None:
            return self
        return replace(self, epochs=max(EPOCHS, -(-STEPS // steps)))


class Variants:
    """Makes other turns of taught ones, in which the rare words are what matters.

    A variant keeps three quarters of the rare words of the turn, at least one, and half of the common ones.
    It may begin with the common words of another turn, contain a word of the answer and strange words,
    unknown ones or those of any turn, and have another order. So the network learns which words tell a
    question apart, whatever the words around them are. A word is common if 1 % of all turns have it.

    Args:
        taught: dialogues, of which the last turn is taught.
        known: other dialogues.
        history: the number of turns that are read.
        tokens: whether turns are taken as the tokens that they consist of.
    """

    def __init__(
        self,
        taught: Sequence[Sequence[str]],
        known: Sequence[Sequence[str]],
        history: int,
        *,
        tokens: bool = False,
    ) -> None:
        self._taught, self._known, self._history, self._tokens = taught, known, history, tokens
        turns = [self._words(turns[-2]) for turns in taught]
        turns += [self._words(turn) for dialogue in known for turn in dialogue[:-1:2]]
        counts = Counter(word for words in turns for word in set(words))
        self._counts, self._least = counts, max(2, round(COMMON * len(turns)))
        self._all = list(counts)
        self._frames = [[word for word in words if counts[word] >= self._least] for words in turns]

    def _words(self, turn: str) -> list[str]:
        return normalize(turn, tokens=self._tokens).split()

    def pairs(self, count: int, seed: int) -> list[tuple[str, str]]:
        """Returns contexts and answers: each taught turn as it is, after its own context, and as variants.

        Args:
            count: the number for each taught turn.
            seed: of the choices.
        """
        draw = np.random.default_rng([seed, count, len(self._taught)])
        found = []
        for *before, turn, answer in self._taught:
            words, hints = self._words(turn), self._words(answer)
            for i in range(count):
                own = words if i % PLAIN == 0 else self._variant(words, hints, draw)
                earlier = before if i == 0 else self._earlier(draw) if draw.random() < LATER else []
                shown = [*earlier, turn][-self._history : -1]
                context = context_text(shown, self._history, tokens=self._tokens)
                text = " ".join(own)
                found.append((f"{context}{SEPARATOR}{text}" if shown else text, answer_text(answer)))
        return found

    def _variant(self, words: list[str], hints: list[str], draw: np.random.Generator) -> list[str]:
        common = [self._counts[word] >= self._least for word in words]
        chances = np.where(common, KEPT_COMMON, KEPT_RARE)
        kept = [word for word, keep in zip(words, draw.random(len(words)) < chances, strict=True) if keep]
        if not kept or all(self._counts[word] >= self._least for word in kept):
            kept.append(min(words, key=lambda word: self._counts[word]))
        if draw.random() < HINTED and (rare := [h for h in hints if self._counts[h] < self._least]):
            kept.insert(int(draw.integers(len(kept) + 1)), rare[int(draw.integers(len(rare)))])
        for _ in range(int(draw.choice(len(STRANGE), p=STRANGE))):
            strange = self._all[int(draw.integers(len(self._all)))]
            word = UNKNOWN if draw.random() < UNKNOWN_SHARE else strange
            kept.insert(int(draw.integers(len(kept) + 1)), word)
        if draw.random() < FRAMED:
            kept = self._frames[int(draw.integers(len(self._frames)))] + kept
        return [kept[i] for i in draw.permutation(len(kept))] if draw.random() < SHUFFLED else kept

    def _earlier(self, draw: np.random.Generator) -> list[str]:
        """Returns the turns of another dialogue."""
        dialogue = self._known[int(draw.integers(len(self._known)))]
        return list(dialogue[: len(dialogue) // 2 * 2])


def enlarged(vocabulary: Vocabulary, texts: Iterable[str]) -> Vocabulary:
    """Returns a vocabulary with the words of texts after those that it has; itself if it lacks none."""
    pieces = (piece for text in texts for piece in vocabulary.pieces(text))
    lacking = list(dict.fromkeys(piece for piece in pieces if vocabulary.id_of(piece) is None))
    if not lacking:
        return vocabulary
    return vocabulary_from_config(vocabulary.to_config() | {"tokens": [*vocabulary.tokens, *lacking]})


def extended(initial: Mapping[str, Array], before: Mapping[str, Array]) -> dict[str, Array]:
    """Returns the parameters of a network that has more words than before.

    A new word's rows have their initial values. Its bias is the lowest one of the other words, so that it
    does not yet take probability from them.

    Args:
        initial: the initial parameters of the new network.
        before: those of the network before.
    """
    found = {}
    for name, array in initial.items():
        own, rows = array.copy(), len(before[name])
        own[:rows] = before[name]
        if own.ndim == 1:
            own[rows:] = before[name].min()
        found[name] = own
    return found
