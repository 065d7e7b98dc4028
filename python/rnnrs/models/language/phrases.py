"""Suggestions of several words together: the likeliest next words, found by a beam of phrases."""

from __future__ import annotations

from collections.abc import Sequence

from ..._rnnrs import find_words
from ...checks import check_size, check_text
from ...decoding import check_stopped
from ...text import Lexicon
from ...text.words import space_between
from .adaptive_stepper import AnyStepper
from .network import LanguageNetwork
from .suggestion import Reader, Suggestion, likeliest_end, parts_of, suggest, suggest_each

#: The number of phrases of each length that are continued, per suggestion.
_BEAMS = 2

#: The maximum number of words of a phrase.
_MOST_WORDS = 20


def check_wanted(op: str, k: int, words: int) -> None:
    """Checks the number of suggestions, and of the words of each.

    Raises:
        ValueError, TypeError: if k or words is not a whole number from 1, or words is above 20.
    """
    check_size(op, "k", k)
    if check_size(op, "words", words) > _MOST_WORDS:
        raise ValueError(f"{op}: words: expected at most {_MOST_WORDS}, got {words}")


def suggest_phrases(reader: Reader, text: str, k: int, words: int) -> list[Suggestion]:
    """Returns the k likeliest phrases of so many words; see `LanguageModel.suggest`.

    P(w_1 … w_n | text) = Π_i P(w_i | text, w_1 … w_{i−1}), each among all words that can follow. A phrase is
    continued by its k likeliest next words, if it is among the `_BEAMS`·k likeliest of its length and
    likelier than the k-th longer one.
    """
    width = k if words == 1 else k * _BEAMS
    finished, typed = parts_of(reader.network.vocabulary, text)
    found = suggest(reader, finished, typed, width)
    for _ in range(words - 1):
        longer: list[Suggestion] = []
        for phrase in found:
            check_stopped()
            if len(longer) >= k and phrase.probability <= longer[k - 1].probability:
                break  # a phrase is at most as likely as its beginning, and the other beginnings are less so
            longer += _continued(reader, finished, phrase, k)
            longer.sort(key=lambda one: (-one.probability, one.word))
        found = longer[:width]
    return found[:k]


def suggest_all(
    op: str, network: LanguageNetwork, texts: Sequence[str], k: int, words: int, stepper: AnyStepper | None
) -> list[list[Suggestion]]:
    """Returns what `suggest_phrases` does for several texts; see `LanguageModel.suggest_all`.

    Raises:
        ValueError, TypeError: if a text is not a string; see `check_wanted`.
    """
    texts = [check_text(op, f"texts[{i}]", text) for i, text in enumerate(texts)]
    check_wanted(op, k, words)
    if not texts:
        return []
    stepper = stepper or network.stepper()
    if words > 1:
        return [suggest_phrases(Reader(network, stepper), text, k, words) for text in texts]
    readers = [Reader(network, stepper) for _ in texts]
    return suggest_each(readers, [parts_of(network.vocabulary, text) for text in texts], k)


def _continued(reader: Reader, finished: str, phrase: Suggestion, k: int) -> list[Suggestion]:
    """Returns a phrase with each of the k likeliest words after it."""
    return [
        Suggestion(_joined(phrase.word, word), phrase.probability * probability)
        for word, probability in suggest(reader, _finished(reader, finished, phrase.word), "", k)
    ]


def _finished(reader: Reader, before: str, phrase: str) -> str:
    """Returns a text with a phrase and the space after it; in a script without spaces, the sign after it."""
    text, last = before + phrase, find_words(phrase)[-1]
    if space_between(last, last):
        return f"{text} "
    return text if isinstance(reader.network.vocabulary, Lexicon) else text + likeliest_end(reader, text)


def _joined(phrase: str, word: str) -> str:
    """Returns a phrase and the next word, with a space between them where their script has spaces."""
    return phrase + space_between(find_words(phrase)[-1], word) + word
