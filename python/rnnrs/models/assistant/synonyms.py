"""Other words for values, learned from annotated dialogues."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ...data.annotated_dialogues import DONTCARE, AnnotatedTurn
from .domain import Domain
from .mentions import Lexicon, nearest, tokens_of

#: An expression is another word for a value if at least this share of its occurrences mean the value, and it
#: occurs at least so often; in at most so many words.
PRECISION, COUNT, LONGEST = 0.8, 2, 3


def unexplained(
    dialogues: Sequence[Sequence[AnnotatedTurn]], domain: Domain, lexicon: Lexicon
) -> Iterator[tuple[AnnotatedTurn, str, str]]:
    """Yields (turn, slot, value) for each value that a turn changes without a mention of it."""
    for dialogue in dialogues:
        before: dict[str, str] = {}
        said = ""
        for turn in dialogue:
            heard = {
                pair for text in (said, turn.user) for token in lexicon.tokens(text) for pair in token.meant
            }
            for slot in domain.slots:
                value = turn.state.get(slot, DONTCARE)
                if value not in (DONTCARE, before.get(slot)) and (slot, value) not in heard:
                    yield turn, slot, value
            before, said = dict(turn.state), turn.system


def learned_synonyms(
    dialogues: Sequence[Sequence[AnnotatedTurn]], domain: Domain, lexicon: Lexicon
) -> list[tuple[str, str, str]]:
    """Returns (words, slot, value) for expressions that mean a value where its own name is not mentioned.

    Of all expressions in the turns that no mention explains, the one that explains most of them is taken, and
    so on, as long as it is precise and frequent, or the value misspelled.
    """
    left = list(unexplained(dialogues, domain, lexicon))
    states: dict[tuple[str, ...], list[AnnotatedTurn]] = defaultdict(list)
    for turn in (turn for dialogue in dialogues for turn in dialogue):
        for words in _expressions(turn.user, lexicon):
            states[words].append(turn)
    found = []
    while left:
        meant: dict[tuple[tuple[str, ...], str, str], int] = defaultdict(int)
        for turn, slot, value in left:
            for words in _expressions(turn.user, lexicon):
                meant[words, slot, value] += 1
        good = []
        for (words, slot, value), count in meant.items():
            wrong = sum(turn.state.get(slot) != value for turn in states[words])
            precise = count >= COUNT and count >= PRECISION * (count + wrong)
            if precise or nearest(" ".join(words), [value]) is not None:
                good.append((count - 3 * wrong, -len(words), words, slot, value))
        if not good:
            break
        _, _, words, slot, value = max(good)
        found.append((" ".join(words), slot, value))
        left = [
            (turn, s, v) for turn, s, v in left
            if (s, v) != (slot, value) or words not in _expressions(turn.user, lexicon)
        ]  # fmt: skip
    return found


def _expressions(text: str, lexicon: Lexicon) -> set[tuple[str, ...]]:
    """Returns the runs of words in a text that mention nothing known."""
    words = [token.words[0] for token in tokens_of(text)]
    found = set()
    for n in range(1, LONGEST + 1):
        for i in range(len(words) - n + 1):
            run = tuple(words[i : i + n])
            if all(any(map(str.isalpha, word)) for word in (run[0], run[-1])) and run not in lexicon:
                found.add(run)
    return found
