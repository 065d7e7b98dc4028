"""An encoder–decoder that writes texts for texts: beam search over many of them, and the words that come out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

from ..._rnnrs import Decoder
from ...data import clean_text
from ...decoding import Hypothesis
from ...text import Vocabulary
from ..writer.search import Search, Written, search_steps
from .seq2seq import Seq2Seq
from .steps import Seq2SeqSteps

#: The most texts side by side, and the most positions of their table (S, B): a bound of the memory that writing takes.
SIDE_BY_SIDE, PLACES = 64, 16_384


class TextWriter(Seq2Seq):
    """A `Seq2Seq` that writes texts: what is read of a text, how long the answer may be, how it is written.

    Control characters are read as spaces. Of a text longer than `MAX_SOURCE` tokens the beginning is read. At most
    `longest` tokens are written. An empty text gets an empty one. At most 64 texts, of 16,384 tokens together, are read
    side by side, so memory is bounded.
    """

    #: The most tokens of a text that are read.
    MAX_SOURCE: ClassVar[int] = 1000

    def write(
        self, sources: Sequence[str], search: Search | None = None, *, decoder: Decoder | None = None
    ) -> list[list[Written]]:
        """Writes for several texts, by beam search; `n_best` for each, the best first.

        The result for a text does not depend on the others.

        Args:
            sources: the texts.
            search: how to search; `search()` by default.
            decoder: from `decoder()`, to save packing the weights again.

        Raises:
            TypeError: for a source that is not a string.
            ValueError: for a setting of the search out of its range.
        """
        op = f"{type(self).__name__}.write"
        if isinstance(sources, (str, bytes)):
            raise TypeError(f"{op}: sources: expected several strings, got {sources!r}")
        search, decoder = search or self.search(), decoder or self.decoder()
        texts = [self._prepared(f"{op}: sources[{i}]", text) for i, text in enumerate(sources)]
        found = [[Written("", 0.0, 0.0, (), (), None, prepared.cut)] for prepared in texts]
        for members in _groups([prepared.length for prepared in texts]):
            steps = self.step_model([texts[i].text for i in members], decoder=decoder)
            for b, (i, hypotheses) in enumerate(zip(members, self._search(steps, search), strict=True)):
                found[i] = [self._written(steps, b, h, texts[i]) for h in hypotheses]
        return found

    @classmethod
    def search(cls, **settings: Any) -> Search:
        """The application's way to search for what to write, with other settings where given."""
        return Search().changed(f"{cls.__name__}.search", settings)

    def longest(self, tokens: int) -> int:
        """The most tokens that are written for a source of `tokens` tokens."""
        return min(2 * tokens + 10, 500)

    def readable(self, text: str, source: str) -> str:
        """A written text as it is shown, given its source."""
        return text

    def _prepared(self, place: str, text: Any) -> _Prepared:
        if not isinstance(text, str):
            raise TypeError(f"{place}: expected a string, got {type(text).__name__}")
        text, vocabulary, most = clean_text(text), self.source_vocabulary, self.MAX_SOURCE
        ids = vocabulary.encode(text)
        if len(ids) <= most:
            return _Prepared(text, len(ids), False)
        if vocabulary.level == "subword":
            text = vocabulary.decode(ids[:most])
        else:
            text = vocabulary.join(vocabulary.pieces(text)[:most])
        return _Prepared(text, len(vocabulary.encode(text)), True)

    def _search(self, steps: Seq2SeqSteps, search: Search) -> list[list[Hypothesis]]:
        longest = [self.longest(int(length) - 1) for length in steps.lengths]
        unknown = [] if self._writes_unknown else [self.target_vocabulary.unknown_id]
        return search_steps(steps, search, longest, unknown, steps.lengths)

    @property
    def _writes_unknown(self) -> bool:
        """Whether an unknown word may be written: the source's word that was attended to most replaces it."""
        network = self.network
        return self.target_vocabulary.level == "word" and network.attention is not None and not network.copy

    def _written(self, steps: Seq2SeqSteps, b: int, found: Hypothesis, prepared: _Prepared) -> Written:
        text, vocabulary = prepared.text, self.target_vocabulary
        source = _words(self.source_vocabulary, text)
        alpha, ids = found.attention, found.tokens.tolist()
        subword = vocabulary.level == "subword"
        words = [steps.text([id], b) if subword else _word(steps, b, id) for id in ids]
        written = vocabulary.decode(ids) if subword else None
        if alpha is not None and self._writes_unknown:
            attended = alpha[:, : len(source)].argmax(axis=1) if len(ids) else []
            words = [
                source[place] if id == vocabulary.unknown_id else word
                for id, word, place in zip(ids, words, attended, strict=True)
            ]
        written = self.readable(vocabulary.join(words) if written is None else written, text)
        read = (*source, self.source_vocabulary.tokens[self.source_vocabulary.end_id])
        return Written(written, found.score, found.log_prob, read, tuple(words), alpha, prepared.cut)


class _Prepared(NamedTuple):
    """A text as it is read, the number of its tokens, and whether its end was cut off."""

    text: str
    length: int
    cut: bool


def _groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Groups of texts of similar length, by index; texts without tokens are left out."""
    group: list[int] = []
    for i in sorted((i for i, length in enumerate(lengths) if length), key=lambda i: lengths[i]):
        if group and (len(group) == SIDE_BY_SIDE or (len(group) + 1) * (lengths[i] + 1) > PLACES):
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def _word(steps: Seq2SeqSteps, b: int, id: int) -> str:
    """A token of the vocabulary, or of the source."""
    tokens = steps.vocabulary.tokens
    return tokens[id] if id < len(tokens) else steps.lacking[b][id - len(tokens)]


def _words(vocabulary: Vocabulary, text: str) -> list[str]:
    """A text's tokens, readable."""
    if vocabulary.level == "subword":
        return [vocabulary.decode([id]) for id in vocabulary.encode(text)]
    return vocabulary.pieces(text)
