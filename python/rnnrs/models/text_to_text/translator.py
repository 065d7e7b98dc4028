"""Translation: sentences of one language into another, learned from pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ...errors import require
from ...metrics import CorpusScore, bleu, chrf
from ...text import capitalize
from ..writer.evaluation import PairEvaluation
from ..writer.search import Search
from .pairs import Pairs, check_pairs, cleaned
from .text_to_text import TextToText


@dataclass(frozen=True)
class TranslationEvaluation(PairEvaluation):
    """How good translations are.

    Attributes:
        bleu, chrf: of the translations, by sacrebleu, each with its signature; BLEU regardless of case where the
            model's words are in lower case.
        translations: they themselves, in the pairs' order.
    """

    bleu: CorpusScore
    chrf: CorpusScore
    translations: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.bleu}\n{self.chrf}\nperplexity {self.perplexity:.2f} ({self.tokens:,} tokens)"


class Translator(TextToText):
    """Translates sentences: an encoder of both directions, attention, a decoder (see `Seq2Seq`).

    A word that the target's vocabulary lacks is taken over from the source, where it was looked at most (Luong et al.
    2015, "Addressing the rare word problem"): so names and numbers come through. A model of lower-case words has its
    sentences begin with capitals where the source's does.

    Args:
        source_vocabulary, target_vocabulary, …: see `Seq2Seq`; `from_pairs` finds them in pairs.
    """

    KIND: ClassVar[str] = "translator"
    DEFAULTS: ClassVar[dict[str, Any]] = {
        "attention": "additive",  # learns to look sooner than the others: docs/translation.md
        "dropout": 0.3,
        "label_smoothing": 0.1,
        "tied": True,
    }

    def translate(self, text: str, search: Search | None = None, **settings: Any) -> str:
        """The translation of a text; empty for an empty one.

        Args:
            text: a sentence; line breaks are spaces.
            search: how to search; the application's own way by default.
            settings: single settings of `Search` that differ from it: `beam=1`, `max_length=20`, ….

        Raises:
            TypeError, ValueError: for what is no text, or settings that make no sense.
        """
        return self.translate_all([text], search, **settings)[0]

    def translate_all(self, texts: Sequence[str], search: Search | None = None, **settings: Any) -> list[str]:
        """`translate` for several texts, side by side. The result for a text does not depend on the others."""
        how = (search or self.search()).changed(f"{type(self).__name__}.translate", settings)
        return [best.text for best, *_ in self.write(texts, how)]

    def evaluate(self, pairs: Pairs, search: Search | None = None) -> TranslationEvaluation:
        """Translates the sources of pairs and compares with their targets. Needs the extra "metrics".

        Args:
            pairs: (source, target) each, held out.
            search: how to translate.

        Raises:
            MissingExtraError: if sacrebleu is missing.
            ValueError, TypeError: without pairs, or for what are none.
        """
        require("sacrebleu.metrics", "metrics")
        judged = cleaned(check_pairs("Translator.evaluate", pairs))
        likely = self.likelihood(judged)
        found = [best.text for best, *_ in self.write([source for source, _ in judged], search)]
        wanted = [target for _, target in judged]
        lowercase = bool(getattr(self.target_vocabulary, "lowercase", False))
        return TranslationEvaluation(
            likely.loss,
            likely.perplexity,
            likely.tokens,
            bleu(found, wanted, lowercase=lowercase),
            chrf(found, wanted),
            tuple(found),
        )

    def readable(self, text: str, source: str) -> str:
        lowercase = getattr(self.target_vocabulary, "lowercase", False)
        return capitalize(text) if lowercase and source[:1].isupper() else text
