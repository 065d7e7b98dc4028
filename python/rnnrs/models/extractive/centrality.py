"""How central each sentence is in its text: PageRank over sentences that share words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ...checks import check_size
from ...nn.layer import Layer
from ...shown import short_repr
from ...types import Array, Floats, Ids

#: The damping factor λ of PageRank, the number of its steps, and what keeps quotients finite.
DAMPING, STEPS, SMALL = 0.85, 6, 1e-2

#: The names of the columns of g.
CENTRALITIES = ("rank", "degree", "frequency")

#: What is added to degrees and frequencies before their logarithms.
LEAST = 0.1

#: The largest |u| that counts, so that all weights are finite and above 0.
LARGEST = 30.0


class Words(NamedTuple):
    """The words of the M sentences of several texts, one entry for each different word of a sentence.

    Attributes:
        sentence, word, id: (P,), whole numbers: the sentence of each entry, its word among the W different
            words of all texts (texts share none), and the word's id in the vocabulary.
        counts: (P,), how often the sentence has the word.
        starts: (B,), the first sentence of each text.
        sentences: M.
    """

    sentence: Ids
    word: Ids
    id: Ids
    counts: Floats
    starts: Ids
    sentences: int

    def __repr__(self) -> str:
        return short_repr(self)

    def part(self, texts: slice, sentences: slice) -> Words:
        """Returns the words of a run of the texts, whose sentences are these."""
        own = (self.sentence >= sentences.start) & (self.sentence < sentences.stop)
        word = self.word[own]
        return Words(
            self.sentence[own] - sentences.start,
            word - word.min(initial=self.word.max(initial=0)),
            self.id[own],
            self.counts[own],
            self.starts[texts] - sentences.start,
            sentences.stop - sentences.start,
        )

    def to_sentences(self, values: Floats) -> Floats:
        """Returns the sums over each sentence's entries (M,)."""
        return np.asarray(np.bincount(self.sentence, values, self.sentences), np.float64)

    def to_words(self, values: Floats) -> Floats:
        """Returns the sums over each word's entries (W,)."""
        return np.asarray(np.bincount(self.word, values, 1), np.float64)

    def mean(self, values: Floats) -> Floats:
        """Returns each text's mean over its sentences, for every sentence (M,)."""
        sizes = np.diff(np.append(self.starts, self.sentences))
        return np.repeat(np.add.reduceat(values, self.starts) / sizes, sizes)


class CentralityCache(NamedTuple):
    """The forward-pass values that `Centrality.backward` needs."""

    words: Words
    x: Floats  #: (P,), weighted counts, each sentence's scaled to length 1
    frequent: Floats  #: (P,), weighted counts times those of the words in the text
    frequency: Floats  #: (M,), their sums
    degree: Floats  #: (M,)
    ranks: list[Floats]  #: r before each step and after the last
    scaled: list[tuple[Floats, Floats]]  #: (z, its text's deviation) of each feature

    def __repr__(self) -> str:
        return short_repr(self)


class Centrality(Layer):
    """g (M, 3): PageRank, degree and frequency of M sentences among those of their texts.

    x_iw = c_iw exp(u_w), with c_iw the count of word w in sentence i; s_ij = cos(x_i, x_j) for i ≠ j;
    d_i = Σ_j s_ij; r ← 1 − λ + λ Σ_j s_ij r_j / (d_j + ε), six times from r = 1, λ = 0.85; f_i = Σ_w x_iw Σ_j
    c_jw. g holds ln r, ln(d + 0.1) and ln(f + 0.1), standardized within each text.

    This is PageRank over a graph of sentences (TextRank: Mihalcea and Tarau 2004; LexRank: Erkan and Radev
    2004) whose words have learned weights, so that no list of stop words is needed. Sums over j are computed
    by words: time and memory grow with the length of a text, not with its square.

    Parameters: u (V,), zero.

    Args:
        vocabulary_size: V.
        dtype: float32 or float64; the layer computes in float64.

    Raises:
        ValueError, TypeError: if the size is not a positive whole number.
    """

    def __init__(self, vocabulary_size: int, *, dtype: DTypeLike = np.float32) -> None:
        self.vocabulary_size = check_size("Centrality", "vocabulary_size", vocabulary_size)
        super().__init__({"u": (self.vocabulary_size,)}, dtype)

    def forward(self, words: Words) -> tuple[Array, CentralityCache]:
        """Computes g (M, 3).

        Raises:
            IndexError: for an id that is out of range.
        """
        u = np.clip(self.parameters["u"].astype(np.float64), -LARGEST, LARGEST)
        weighted = words.counts * np.exp(u)[words.id]
        x = weighted / np.sqrt(words.to_sentences(weighted * weighted))[words.sentence]
        frequent = weighted * words.to_words(words.counts)[words.word]
        frequency = words.to_sentences(frequent)
        degree = self._similar(words, x, np.ones(words.sentences))
        ranks = [np.ones(words.sentences)]
        for _ in range(STEPS):
            ranks.append(1 - DAMPING + DAMPING * self._similar(words, x, ranks[-1] / (degree + SMALL)))
        measures = (ranks[-1], degree + LEAST, frequency + LEAST)
        scaled = [_standardized(words, np.log(values)) for values in measures]
        g = np.stack([z for z, _ in scaled], axis=1).astype(self.dtype)
        return g, CentralityCache(words, x, frequent, frequency, degree, ranks, scaled)

    def backward(self, cache: CentralityCache, dg: ArrayLike) -> None:
        """Adds to du, from dg (M, 3)."""
        words, x, degree, ranks = cache.words, cache.x, cache.degree, cache.ranks
        dlogs = [
            _standardized_backward(words, z, deviation, np.asarray(dg, np.float64)[:, k])
            for k, (z, deviation) in enumerate(cache.scaled)
        ]
        dr, dd, dx = dlogs[0] / ranks[-1], dlogs[1] / (degree + LEAST), np.zeros_like(x)
        for r in reversed(ranks[:-1]):
            t, scale = r / (degree + SMALL), DAMPING * dr
            dx += self._similar_backward(words, x, t, scale)
            dt = self._similar(words, x, scale)
            dd -= dt * t / (degree + SMALL)
            dr = dt / (degree + SMALL)
        dx += self._similar_backward(words, x, np.ones_like(degree), dd)
        along = words.to_sentences(dx * x)
        dx = (dx - x * along[words.sentence]) * x
        dx += cache.frequent * (dlogs[2] / (cache.frequency + LEAST))[words.sentence]
        du = np.bincount(words.id, dx, self.vocabulary_size)
        du[np.abs(self.parameters["u"]) > LARGEST] = 0.0
        self.gradients["u"][...] += du.astype(self.dtype)

    @staticmethod
    def _similar(words: Words, x: Floats, v: Floats) -> Floats:
        """Returns Σ_{j≠i} s_ij v_j (M,): each sentence's own share, Σ_w x_iw² v_i, is left out."""
        totals = words.to_words(x * v[words.sentence])[words.word] - x * v[words.sentence]
        return words.to_sentences(x * totals)

    @staticmethod
    def _similar_backward(words: Words, x: Floats, v: Floats, d: Floats) -> Floats:
        """Returns ∂(Σ_i d_i Σ_{j≠i} s_ij v_j)/∂x (P,)."""
        mine, yours = d[words.sentence], v[words.sentence]
        by_v = words.to_words(x * yours)[words.word] - x * yours
        by_d = words.to_words(x * mine)[words.word] - x * mine
        return mine * by_v + yours * by_d


def _standardized(words: Words, values: Floats) -> tuple[Floats, Floats]:
    """Returns (values − mean) / (deviation + 0.01) within each text, and the deviation."""
    centered = values - words.mean(values)
    deviation = np.sqrt(words.mean(centered * centered) + 1e-12)
    return centered / (deviation + SMALL), deviation


def _standardized_backward(words: Words, z: Floats, deviation: Floats, dz: Floats) -> Floats:
    """Returns ∂L/∂(values) from dz = ∂L/∂z."""
    whole = deviation + SMALL
    ddeviation = words.mean(dz * z) / whole  # negative, and times the number of sentences
    dcentered = dz / whole - ddeviation * (z * whole) / deviation
    return dcentered - words.mean(dcentered)
