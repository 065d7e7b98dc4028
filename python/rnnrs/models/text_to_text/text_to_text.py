"""The common part of the applications that write texts for texts, such as translation."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, TypeVar

from ...nn.guarded import reading
from ...text import Vocabulary, build_vocabulary
from ...text.build import check_level
from ..base.options import with_defaults
from ..writer.evaluation import PairEvaluation
from ..writer.examples import written_lines
from .pairs import Pairs, check_pairs, cleaned, usable
from .seq2seq import Seq2Seq, check_arguments
from .writing import TextWriter

M = TypeVar("M", bound="TextToText")


class TextToText(TextWriter):
    """An application that learns from pairs of texts and writes texts for texts.

    `from_pairs` builds the vocabularies and the untrained model; arguments and attributes are those of
    `Seq2Seq`. `fit` cleans texts as `data.clean_text` does, and leaves out pairs with an empty side. A new
    application is a subclass with a `KIND` and defaults of its own.

    Example:
        >>> from rnnrs.models import TextToText
        >>> class Speller(TextToText):
        ...     KIND = "speller"
        ...     DEFAULTS = {"embedding_size": 8, "hidden_size": 16}
        >>> speller = Speller.from_pairs([("one", "o n e"), ("two", "t w o")] * 2)
        >>> speller.network.decoder.hidden_size
        16
    """

    __signature__: ClassVar[inspect.Signature]

    #: The defaults that differ from those of `Seq2Seq`.
    DEFAULTS: ClassVar[dict[str, Any]] = {}
    #: Whether source and target share one vocabulary; subwords always do.
    SHARED: ClassVar[bool] = False
    #: The levels of the vocabulary, with the options that differ from the defaults of its `build`.
    LEVELS: ClassVar[dict[str, dict[str, Any]]] = {
        "word": {"max_size": 30_000},
        "char": {},
        "subword": {"max_size": 8_000},
        "token": {"max_size": 30_000},
    }

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__signature__ = with_defaults(Seq2Seq, cls.DEFAULTS)

    def __init__(
        self, source_vocabulary: Vocabulary, target_vocabulary: Vocabulary | None = None, **sizes: Any
    ) -> None:
        check_arguments(type(self).__name__, sizes)
        super().__init__(source_vocabulary, target_vocabulary, **(self._agreeing_defaults(sizes) | sizes))

    @classmethod
    def _agreeing_defaults(cls, sizes: dict[str, Any]) -> dict[str, Any]:
        """Returns the defaults, without copying or smoothing where the given sizes exclude them.

        A model that copies words needs attention, and no label smoothing.
        """
        defaults = cls.DEFAULTS.copy()
        if sizes.get("copy"):
            defaults["label_smoothing"] = 0.0
        elif defaults.get("copy") and (sizes.get("label_smoothing") or sizes.get("attention", "") is None):
            defaults["copy"] = False
        return defaults

    @classmethod
    def from_pairs(
        cls: type[M],
        pairs: Pairs,
        *,
        level: str = "word",
        vocabulary: dict[str, Any] | None = None,
        **sizes: Any,
    ) -> M:
        """Returns an untrained model with the vocabularies of the pairs that it will learn from.

        Args:
            pairs: (source, target) each.
            level: "word", "char", "subword" for byte-pair encoding, which requires the extra "subword", or
                "token" for texts that come in tokens separated by white space.
            vocabulary: options of the vocabularies: `max_size` (by default as in `LEVELS`), `min_count` (2),
                `lowercase`; see `text.build_vocabulary`.
            sizes: the keyword arguments of the class.

        Raises:
            ValueError: if no pair has text on both sides, or no word is frequent enough; for an unknown level
                or option, or one out of range.
            TypeError: for a pair that is not two strings, or an unknown argument.
            MissingExtraError: for subwords, if the package tokenizers is missing.
        """
        op = f"{cls.__name__}.from_pairs"
        kept = usable(op, pairs)
        check_level(op, level, cls.LEVELS)
        subword = level == "subword"
        options = cls.LEVELS[level] | (vocabulary or {})
        sources, targets = ([pair[side] for pair in kept] for side in (0, 1))
        sides = [sources + targets] if subword or cls.SHARED else [sources, targets]
        built = [build_vocabulary(level, side, options, op=op) for side in sides]
        if subword and "copy" in cls.DEFAULTS:
            sizes = {"copy": False} | sizes  # subwords can spell every word
        return cls(*built, **sizes)

    def _checked(self, op: str, pairs: Any) -> list[tuple[str, str]]:
        return usable(op, pairs)

    def _examples(self, held_out: Pairs, count: int) -> list[str]:
        sources, targets = ([pair[side] for pair in held_out] for side in (0, 1))
        return written_lines(self, sources, targets, count)

    @reading
    def likelihood(self, pairs: Pairs) -> PairEvaluation:
        """Computes the likelihood of the targets of pairs, without writing anything.

        Raises:
            ValueError, TypeError: without pairs, or for a pair that is not two strings.
        """
        op = f"{type(self).__name__}.likelihood"
        return self._likelihood(op, cleaned(check_pairs(op, pairs)))
