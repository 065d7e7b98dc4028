"""Writing texts for texts: beam search over many sources, and the words of its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from ..._rnnrs import Decoder
from ...data import clean_text
from ...decoding import Hypothesis
from ...nn.guarded import reading
from ...text import Vocabulary
from ..base.groups import groups_of_similar_length
from ..writer.search import Search, Written, search_of, search_steps
from .pairs import check_texts
from .seq2seq import Seq2Seq
from .steps import Seq2SeqSteps

#: The maximum number of texts in a group that is decoded together, and of positions (S·B) in its table: the
#: bounds of the memory that writing takes.
SIDE_BY_SIDE, PLACES = 64, 16_384


class TextWriter(Seq2Seq):
    """A `Seq2Seq` that writes texts.

    Control characters are read as spaces. If a text has more than `MAX_SOURCE` tokens, its beginning is read.
    At most `longest` tokens are written. The result for an empty text is empty. At most 64 texts with 16,384
    tokens in total are decoded together, so memory is bounded.
    """

    #: The maximum number of a text's tokens that are read.
    MAX_SOURCE: ClassVar[int] = 1000

    @reading
    def write(
        self, sources: Sequence[str], search: Search | None = None, *, decoder: Decoder | None = None
    ) -> list[list[Written]]:
        """Writes texts for several sources, by beam search; `n_best` for each, the best first.

        The result for a text does not depend on the others.

        Args:
            sources: the texts.
            search: the settings of the search; `search()` by default.
            decoder: a result of `decoder()`, to save packing the weights again.

        Raises:
            TypeError: for a source that is not a string.
            ValueError: for a setting of the search out of range.

        Example:
            >>> search = translator.search(n_best=2)  # doctest: +SKIP
            >>> ((best, second),) = translator.write(["The cat."], search)  # doctest: +SKIP
            >>> best.text, best.words, best.attention.shape  # doctest: +SKIP
            ('Le chat.', ('Le', 'chat', '.'), (3, 4))
        """
        op = f"{type(self).__name__}.write"
        return self._write(op, check_texts(op, "sources", sources), search, decoder)

    @classmethod
    def search(cls, **settings: Any) -> Search:
        """Returns the application's search settings, changed as given.

        Raises:
            TypeError: for an unknown setting.
        """
        return Search().changed(f"{cls.__name__}.search", settings)

    def longest(self, tokens: int) -> int:
        """Returns the maximum number of tokens to write for a source of `tokens` tokens."""
        return min(2 * tokens + 10, 500)

    def readable(self, text: str, source: str) -> str:
        """Returns a written text in its final form, given its source."""
        return text

    def _best_texts(
        self, op: str, texts: Sequence[str], search: Search | None, settings: Mapping[str, Any]
    ) -> list[str]:
        """Returns the best text for each of several texts."""
        search = search_of(op, search, self.search, settings)
        return [best.text for best, *_ in self._write(op, texts, search)]

    def _write(
        self, op: str, texts: Sequence[str], search: Search | None, decoder: Decoder | None = None
    ) -> list[list[Written]]:
        search, decoder = search_of(op, search, self.search), decoder or self.decoder()
        sources = [self._prepared(text) for text in texts]
        found = [[Written("", 0.0, 0.0, (), (), None, source.cut)] for source in sources]
        for members in similar_lengths([source.length for source in sources]):
            steps = self.step_model([sources[i].text for i in members], decoder=decoder)
            hypotheses = self._search(op, steps, search)
            for b, (i, own) in enumerate(zip(members, hypotheses, strict=True)):
                found[i] = [self._written(steps, b, hypothesis, sources[i]) for hypothesis in own]
        return found

    def _prepared(self, text: str) -> _Source:
        """Cleans a text, and cuts off its end if it is too long."""
        text, vocabulary, most = clean_text(text), self.source_vocabulary, self.MAX_SOURCE
        ids = vocabulary.encode(text)
        if len(ids) <= most:
            return _Source(text, len(ids), False)
        text = vocabulary.join(vocabulary.pieces(text)[:most])
        return _Source(text, len(vocabulary.encode(text)), True)

    def _search(self, op: str, steps: Seq2SeqSteps, search: Search) -> list[list[Hypothesis]]:
        longest = [self.longest(int(length) - 1) for length in steps.lengths]
        unknown = [] if self._writes_unknown else [self.target_vocabulary.unknown_id]
        return search_steps(op, steps, search, longest, unknown, steps.lengths)

    @property
    def _writes_unknown(self) -> bool:
        """Whether an unknown word may be written; the source word with the most attention replaces it."""
        network = self.network
        return self.target_vocabulary.whole_words and network.attention is not None and not network.copy

    def _written(self, steps: Seq2SeqSteps, b: int, found: Hypothesis, source: _Source) -> Written:
        """Returns the text of a hypothesis for the b-th source of a group."""
        vocabulary = self.target_vocabulary
        read = _words(self.source_vocabulary, source.text)
        alpha, ids = found.attention, found.tokens.tolist()
        words, text = steps.surfaces(ids, b), steps.text(ids, b)
        if alpha is not None and self._writes_unknown and ids:
            pieces = steps.pieces(ids, b)
            shown = [word != "" for word in read]  # a mark by itself replaces no word
            for place, attended in enumerate((alpha[:, : len(read)] * shown).argmax(axis=1)):
                if ids[place] == vocabulary.unknown_id:
                    pieces[place] = words[place] = read[attended]
            text = vocabulary.join(pieces)
        tokens = (*read, self.source_vocabulary.tokens[self.source_vocabulary.end_id])
        readable = self.readable(text, source.text)
        return Written(readable, found.score, found.log_prob, tokens, tuple(words), alpha, source.cut)


class _Source(NamedTuple):
    """A text in the form in which it is read, the number of its tokens, and whether its end was cut off."""

    text: str
    length: int
    cut: bool


def similar_lengths(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yields groups of texts of similar length, by index, that can be decoded together; skips length 0.

    Example:
        >>> list(similar_lengths([9000, 3, 0, 9000]))
        [[1], [0], [3]]
    """
    texts = [i for i, length in enumerate(lengths) if length]
    with_end = [lengths[i] + 1 for i in texts]
    for group in groups_of_similar_length(with_end, SIDE_BY_SIDE, PLACES):
        yield [texts[k] for k in group]


def _words(vocabulary: Vocabulary, text: str) -> list[str]:
    """Returns a text's tokens as they are shown by themselves."""
    return [vocabulary.surface(piece) for piece in vocabulary.pieces(text)]
