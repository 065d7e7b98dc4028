"""Applications over `Seq2Seq`: a model from pairs of texts, trained by validation, that writes."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, TypeVar

from ...text import Vocabulary, build_vocabulary
from ...text.build import check_level
from ..base.options import with_defaults
from ..base.validation import chosen, divided, held_out_share
from ..writer.evaluation import PairEvaluation
from ..writer.examples import written_lines
from .pairs import Pairs, check_pairs, cleaned, usable
from .seq2seq import Seq2Seq
from .writing import TextWriter

M = TypeVar("M", bound="TextToText")


class TextToText(TextWriter):
    """A `Seq2Seq` that is used with texts alone. `from_pairs` makes one; arguments and attributes are `Seq2Seq`'s.

    `fit` cleans texts as `data.clean_text` does, and leaves out pairs with an empty side.
    """

    __signature__: ClassVar[inspect.Signature]

    #: The defaults that differ from `Seq2Seq`'s.
    DEFAULTS: ClassVar[dict[str, Any]] = {}
    #: Whether source and target have one vocabulary; of subwords they always do.
    SHARED: ClassVar[bool] = False
    #: The levels of the vocabulary, and the options that differ from those of its `build`.
    LEVELS: ClassVar[dict[str, dict[str, Any]]] = {
        "word": {"max_size": 30_000},
        "subword": {"max_size": 8_000},
    }

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__signature__ = with_defaults(Seq2Seq, cls.DEFAULTS)

    def __init__(
        self, source_vocabulary: Vocabulary, target_vocabulary: Vocabulary | None = None, **sizes: Any
    ) -> None:
        super().__init__(source_vocabulary, target_vocabulary, **(self.DEFAULTS | sizes))

    @classmethod
    def from_pairs(
        cls: type[M],
        pairs: Pairs,
        *,
        level: str = "word",
        vocabulary: dict[str, Any] | None = None,
        **sizes: Any,
    ) -> M:
        """An untrained model with the vocabularies of the pairs that it is to be trained on.

        Args:
            pairs: (source, target) each.
            level: "word", or "subword" for byte-pair encoding, which needs the extra "subword".
            vocabulary: options of the vocabularies: `max_size` (by default as in `LEVELS`), `min_count`
                (2), `lowercase`; see `text.build_vocabulary`.
            sizes: see the class.

        Raises:
            ValueError: without a pair that has text on both sides, or without a word that is frequent enough; for
                an unknown level or option, or one out of its range.
            TypeError: for a pair that is not two strings.
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
            sizes = {"copy": False} | sizes  # subwords spell every word
        return cls(*built, **sizes)

    def _divided(self, op: str, pairs: Pairs, validation: Any, seed: int) -> tuple[Pairs, Pairs | None]:
        kept, share = usable(op, pairs), held_out_share(op, validation)
        if share is None:
            return kept, None if validation is None else usable(f"{op}: validation", validation)
        training, held_out = divided(op, len(kept), share, seed, "pairs")
        return chosen(kept, training), chosen(kept, held_out) or None

    def _examples(self, held_out: Pairs, count: int) -> list[str]:
        return written_lines(
            self, [source for source, _ in held_out], [target for _, target in held_out], count
        )

    def likelihood(self, pairs: Pairs) -> PairEvaluation:
        """How well the model predicts the targets of pairs, without writing anything: see `Seq2Seq.evaluate`."""
        return Seq2Seq.evaluate(self, cleaned(check_pairs(f"{type(self).__name__}.likelihood", pairs)))
