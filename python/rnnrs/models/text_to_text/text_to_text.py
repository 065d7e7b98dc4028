"""What applications over `Seq2Seq` share: a model from pairs of texts, its training by validation, its writing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ..._rnnrs import Decoder
from ...checks import check_size
from ...data import clean_pairs, clean_text
from ...text import SubwordVocabulary, Vocabulary, WordVocabulary
from ...train import BestParameters, Callback
from ..writer.examples import Examples
from ..writer.search import Search, Written, write
from .pairs import Pairs, check_pairs
from .seq2seq import PairEvaluation, Seq2Seq

if TYPE_CHECKING:
    from ...train import History

M = TypeVar("M", bound="TextToText")

#: How many subwords there are where nothing else is said.
SUBWORDS = 8_000


class TextToText(Seq2Seq):
    """A `Seq2Seq` that is used with texts alone. `from_pairs` makes one; arguments and attributes are `Seq2Seq`'s.

    Whatever the texts: control characters are read as spaces; of a text longer than `MAX_SOURCE` tokens the beginning
    is read; what is written has at most `longest` tokens; an empty text gets an empty one. At most 64 texts, of
    16,384 tokens together, are read side by side, so memory is bounded.
    """

    #: The most tokens of a text that are read.
    MAX_SOURCE: ClassVar[int] = 1000
    #: Whether source and target have one vocabulary; of subwords they always do.
    SHARED: ClassVar[bool] = False
    #: How many words a vocabulary has at most, where nothing else is said.
    WORDS: ClassVar[int] = 30_000
    #: What `from_pairs` takes instead of `Seq2Seq`'s defaults.
    DEFAULTS: ClassVar[dict[str, Any]] = {}

    @classmethod
    def from_pairs(
        cls: type[M],
        pairs: Pairs,
        *,
        level: str = "word",
        vocabulary_size: int | None = None,
        min_count: int = 2,
        lowercase: bool = False,
        **options: Any,
    ) -> M:
        """An untrained model with the vocabularies of the pairs that it is to be trained on.

        Args:
            pairs: (source, target) each.
            level: "word", or "subword" for byte-pair encoding, which needs the extra "subword".
            vocabulary_size: the most tokens of a vocabulary; by default `WORDS`, or 8,000 subwords.
            min_count: words that are rarer are unknown.
            lowercase: whether upper and lower case are the same.
            options: see `Seq2Seq`; instead of its defaults those in `DEFAULTS`.

        Raises:
            ValueError: without a pair that has text on both sides, or without a word that is frequent enough; for
                settings that make no sense.
            TypeError: for what are no pairs.
            MissingExtraError: for subwords, if the package tokenizers is missing.
        """
        op = f"{cls.__name__}.from_pairs"
        kept = _usable(op, pairs)
        sizes = {"word": cls.WORDS, "subword": SUBWORDS}
        if level not in sizes:
            raise ValueError(f"{op}: level: expected one of {', '.join(sizes)}, got {level!r}")
        size = sizes[level] if vocabulary_size is None else vocabulary_size
        sources, targets = ([pair[side] for pair in kept] for side in (0, 1))
        vocabularies: list[Vocabulary]
        if level == "subword":
            vocabularies = [SubwordVocabulary.build(sources + targets, size=size, lowercase=lowercase)]
        else:
            sides = [sources + targets] if cls.SHARED else [sources, targets]
            vocabularies = [
                WordVocabulary.build(side, min_count=min_count, max_size=size, lowercase=lowercase)
                for side in sides
            ]
        return cls(*vocabularies, **(cls._defaults(level) | options))

    @classmethod
    def _defaults(cls, level: str) -> dict[str, Any]:
        return dict(cls.DEFAULTS)

    def fit(
        self,
        pairs: Pairs,
        validation: Pairs | None = None,
        *,
        examples: int = 0,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        **settings: Any,
    ) -> History:
        """Trains on pairs of texts, and with `validation` ends with the parameters for which its loss was lowest.

        Texts are cleaned as `data.clean_text` does; pairs with an empty side are left out.

        Args:
            pairs, validation: see `Seq2Seq.fit`.
            examples: of how many validation pairs to print, after every epoch, what the model writes.
            callbacks: see `Seq2Seq.fit`.
            checkpoint: see `Seq2Seq.fit`; during the training the best parameters stand beside it, in a file with
                ".best" at the end of its name.
            settings: the others of `Seq2Seq.fit`.

        Raises:
            See `Seq2Seq.fit`.
        """
        op = f"{type(self).__name__}.fit"
        kept = _usable(op, pairs)
        held_out = None if validation is None else _usable(op, validation)
        best = BestParameters(None if checkpoint is None else f"{os.fspath(checkpoint)}.best")
        watching: list[Callback] = [best, *callbacks]
        if check_size(op, "examples", examples, least=0) and held_out is not None:
            watching.append(Examples(self, held_out, examples))
        history = super().fit(kept, held_out, callbacks=watching, checkpoint=checkpoint, **settings)
        best.restore(self)
        return history

    def likelihood(self, pairs: Pairs) -> PairEvaluation:
        """How well the model predicts the targets of pairs, without writing anything: see `Seq2Seq.evaluate`."""
        return Seq2Seq.evaluate(self, cleaned(check_pairs(f"{type(self).__name__}.likelihood", pairs)))

    def write(
        self, sources: Sequence[str], search: Search | None = None, *, decoder: Decoder | None = None
    ) -> list[list[Written]]:
        """What the model writes for texts, by beam search; `n_best` for each, the best first.

        What a text gets does not depend on the others.

        Args:
            sources: the texts.
            search: how to look; the application's own way by default.
            decoder: from `decoder()`, to save packing the weights again.

        Raises:
            TypeError: for what are no texts.
            ValueError: for settings of the search that make no sense.
        """
        return write(self, sources, self.search() if search is None else search, decoder)

    @classmethod
    def search(cls, **settings: Any) -> Search:
        """The application's way to look for what to write, with other settings where given."""
        return Search(**settings)

    def longest(self, tokens: int) -> int:
        """The most tokens that are written for a source of so many."""
        return min(2 * tokens + 10, 500)

    def readable(self, text: str, source: str) -> str:
        """What was written for a source, as one reads it."""
        return text


def _usable(op: str, pairs: Pairs) -> list[tuple[str, str]]:
    """Pairs, cleaned, with text on both sides.

    Raises:
        ValueError: if there are none.
        TypeError: for what are none.
    """
    checked = check_pairs(op, pairs)
    kept, _ = clean_pairs(checked)
    if not kept:
        raise ValueError(
            f"{op}: pairs: expected text on both sides of one at least, got {len(checked)} without"
        )
    return kept


def cleaned(pairs: Pairs) -> list[tuple[str, str]]:
    """All pairs, cleaned, the empty ones too: to judge by."""
    return [(clean_text(source), clean_text(target)) for source, target in pairs]
