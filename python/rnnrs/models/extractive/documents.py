"""A text as the network reads it: its sentences, their words, and where they stand."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...metrics.words import is_unspaced, unicode_words
from ...shown import short_repr
from ...text import Vocabulary, find_sentences
from ...types import Array, Floats, Ids

#: The words of a sentence that the sentence's encoder reads; all count for its centrality and length.
MAX_WORDS = 100

#: The names of the columns of `Document.place` and `Document.size`.
PLACE = ("first", "last", "1 / number", "share of the text before", "begins a paragraph")
STEPS = (5, 10, 15, 20, 25, 30, 40)
SIZE = ("ln(1 + words)", "words / mean", *(f"{step} words or more" for step in STEPS))

#: What separates the words of a sentence for its centrality.
_BORDER = re.compile(r"[\s—–/…]+")
_SIGNS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Document:
    """A text of N sentences.

    Attributes:
        text: the text.
        spans: (begin, end) of each sentence.
        ids: the token ids of each sentence, at least one and at most `MAX_WORDS`.
        terms: (4, P), whole numbers: for each of the P different words of each sentence its sentence, its
            number among the W words of the text, its id in the vocabulary, and how often the sentence has it.
        words: (N,), the number of words of each sentence: what stands between spaces and dashes, and each
            letter of a script without spaces; 0 for a sentence without letters and digits.
        place: (N, 5), see `PLACE`.
        size: (N, 9), see `SIZE`.
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    ids: tuple[Ids, ...]
    terms: Ids
    words: Ids
    place: Floats
    size: Floats

    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def sentences(self) -> list[str]:
        """The sentences, as they stand in the text."""
        return [self.text[begin:end] for begin, end in self.spans]


def read_document(text: str, vocabulary: Vocabulary) -> Document:
    """Returns a text as the network reads it.

    Args:
        text: the text; it may be empty.
        vocabulary: the vocabulary of words.
    """
    spans = find_sentences(text)
    sentences = [" ".join(text[begin:end].split()) for begin, end in spans]
    ids = [vocabulary.encode(sentence)[:MAX_WORDS] for sentence in sentences]
    unknown = np.array([vocabulary.unknown_id])
    found = [words_of(sentence) for sentence in sentences]
    counts = [
        max(len(words), len(s.split())) if words else 0 for words, s in zip(found, sentences, strict=True)
    ]
    return Document(
        text,
        tuple(spans),
        tuple(own if len(own) else unknown for own in ids),
        _terms(found, vocabulary),
        np.array(counts, np.int64),
        _place(text, spans),
        _size(np.array(counts)),
    )


def words_of(sentence: str) -> list[tuple[str, str]]:
    """Returns the words of a sentence, each as (what identifies it, what a vocabulary has).

    A word is what stands between spaces and dashes, in lower case. Signs in it do not count: "don't" and
    "dont", "1,000" and "1000" are the same. A letter of a script without spaces is a word.

    Example:
        >>> words_of('"Don\\'t pay 1,000!"')
        [('dont', "don't"), ('pay', 'pay'), ('1000', '1,000')]
    """
    words = []
    for chunk in _BORDER.split(unicodedata.normalize("NFC", sentence.lower())):
        if chunk.isascii():
            bare = chunk.strip(string.punctuation)
            words.append((bare if bare.isalnum() else _SIGNS.sub("", bare), bare))
        elif is_unspaced(chunk):
            words += [(word, word) for word in unicode_words(chunk)]
        else:
            words.append(("".join(filter(_is_part, chunk)), _bare(chunk)))
    return [word for word in words if any(map(str.isalnum, word[0]))]


def _is_part(c: str) -> bool:
    """Returns whether a character is a letter, a digit, or a mark on one."""
    return c.isalnum() or unicodedata.category(c)[0] == "M"


def _bare(chunk: str) -> str:
    """Returns a word without the signs around it."""
    inside = [i for i, c in enumerate(chunk) if _is_part(c)] or [0]
    return chunk[inside[0] : inside[-1] + 1]


def _terms(sentences: Sequence[Sequence[tuple[str, str]]], vocabulary: Vocabulary) -> Ids:
    """Returns `Document.terms`."""
    numbers: dict[str, int] = {}
    ids: list[int] = []
    rows: list[tuple[int, int, int, int]] = []
    for i, words in enumerate(sentences):
        counts: dict[int, int] = {}
        for key, spelling in words:
            number = numbers.setdefault(key, len(numbers))
            if number == len(ids):  # its first occurrence, which decides how it is spelled
                id = vocabulary.id_of(spelling)
                ids.append(vocabulary.unknown_id if id is None else id)
            counts[number] = counts.get(number, 0) + 1
        rows += [(i, number, ids[number], count) for number, count in counts.items()]
    return np.array(rows, np.int64).reshape(-1, 4).T.copy()


def _place(text: str, spans: Sequence[tuple[int, int]]) -> Floats:
    """Returns `Document.place`; after a line break begins a paragraph."""
    i, last = np.arange(len(spans), dtype=np.float64), len(spans) - 1
    ends = [0, *(end for _, end in spans)]
    begins = ["\n" in text[end:begin] for end, (begin, _) in zip(ends, spans, strict=False)]
    columns = [i == 0, i == last, 1 / (1 + i), i / max(last, 1), (i == 0) | np.array(begins, np.bool_)]
    return np.stack(columns, axis=1).astype(np.float64)


def _size(words: Array) -> Floats:
    """Returns `Document.size`, scaled to about −1..1."""
    mean = max(float(words.mean()), 1.0) if len(words) else 1.0
    measures = [np.log1p(words) - 3.0, np.minimum(words / mean, 4.0) - 1.0]
    return np.stack([*measures, *(words >= step for step in STEPS)], axis=1).astype(np.float64)
