"""Translation of sentences, learned from pairs of sentences and translations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ...checks import check_text
from ...errors import require
from ...metrics import CorpusScore, bleu, chrf
from ...nn.guarded import reading
from ...shown import short_repr
from ...text import capitalize
from ..base.answers import answers
from ..writer.evaluation import PairEvaluation
from ..writer.search import Search
from .pairs import Pairs, check_pairs, check_texts, cleaned
from .text_to_text import TextToText


@dataclass(frozen=True)
class TranslationEvaluation(PairEvaluation):
    """The quality of translations.

    Attributes:
        bleu, chrf: the scores of the translations by sacrebleu, each with its signature; BLEU ignores case if
            the model's vocabulary is in lower case.
        translations: the translations, in the order of the pairs.
    """

    bleu: CorpusScore
    chrf: CorpusScore
    translations: tuple[str, ...]

    __repr__ = short_repr

    def __str__(self) -> str:
        return f"{self.bleu}\n{self.chrf}\nperplexity {self.perplexity:.2f} ({self.tokens:,} tokens)"


class Translator(TextToText):
    """Translates sentences: a bidirectional encoder, attention and a decoder, see `Seq2Seq`.

    A word that the target vocabulary lacks is replaced by the source word with the most attention (Luong et
    al. 2015, "Addressing the rare word problem"), so names and numbers are kept. A model with a lower-case
    vocabulary capitalizes sentences if the source starts with a capital letter.

    Args:
        source_vocabulary, target_vocabulary, …: see `Seq2Seq`; `from_pairs` builds the vocabularies from
            pairs.

    Example:
        >>> from rnnrs.models import Translator
        >>> pairs = [("the cat", "le chat"), ("a cat", "un chat"), ("the dog", "le chien")]
        >>> pairs += [("a dog", "un chien")]
        >>> translator = Translator.from_pairs(pairs, embedding_size=8, hidden_size=16)
        >>> history = translator.fit(pairs, epochs=60, learning_rate=0.02, progress=False)
        >>> translator.translate("a dog")
        'un chien'
    """

    KIND: ClassVar[str] = "translator"
    DEFAULTS: ClassVar[dict[str, Any]] = {
        "attention": "additive",  # is learned in fewer epochs than the other kinds: docs/translation.md
        "dropout": 0.3,
        "label_smoothing": 0.1,
        "tied": True,
    }

    @answers
    def translate(self, text: str, search: Search | None = None, **settings: Any) -> str:
        """Returns the translation of a text; empty for an empty one.

        Args:
            text: a sentence; line breaks are read as spaces.
            search: the settings of the search; `search()` by default.
            settings: settings of `Search` that differ from it: `beam=1`, `max_length=20`, ….

        Raises:
            TypeError: if the text is not a string; for an unknown setting.
            ValueError: for a setting out of range.

        Example:
            >>> translator.translate("The cat sees a dog.", beam=1)  # doctest: +SKIP
            'Le chat voit un chien.'
        """
        op = f"{type(self).__name__}.translate"
        return self._best_texts(op, [check_text(op, "text", text)], search, settings)[0]

    @answers
    def translate_all(self, texts: Sequence[str], search: Search | None = None, **settings: Any) -> list[str]:
        """Returns the translations of several texts. The result for a text does not depend on the others.

        Args:
            texts: the sentences.
            search, settings: see `translate`.

        Raises:
            TypeError, ValueError: see `translate`.
        """
        op = f"{type(self).__name__}.translate_all"
        return self._best_texts(op, check_texts(op, "texts", texts), search, settings)

    @reading
    def evaluate(
        self, pairs: Pairs, search: Search | None = None, *, tokenize: str | None = None
    ) -> TranslationEvaluation:
        """Translates the sources of pairs and compares the results with the targets.

        Args:
            pairs: (source, target) each, held out.
            search: the settings of the search; `search()` by default.
            tokenize: the tokenization of BLEU; by default it is chosen by the script of the targets, see
                `metrics.bleu`.

        A model that writes in lower case is judged without regard to case; the signatures say so.

        Raises:
            MissingExtraError: if sacrebleu is missing, the extra "metrics".
            ValueError, TypeError: without pairs, or for a pair that is not two strings; for a setting of the
                search out of range.

        Example:
            >>> print(translator.evaluate(held_out_pairs))  # doctest: +SKIP
        """
        require("sacrebleu.metrics", "metrics")
        op = f"{type(self).__name__}.evaluate"
        judged = cleaned(check_pairs(op, pairs))
        likely = self._likelihood(op, judged)
        found = self._best_texts(op, [source for source, _ in judged], search, {})
        wanted = [target for _, target in judged]
        return TranslationEvaluation(
            likely.loss,
            likely.perplexity,
            likely.tokens,
            bleu(found, wanted, lowercase=self._lowercase, tokenize=tokenize),
            chrf(found, wanted, lowercase=self._lowercase),
            tuple(found),
        )

    def readable(self, text: str, source: str) -> str:
        """Returns a written text, with capitals if the vocabulary is in lower case and the source has one."""
        return capitalize(text) if self._lowercase and source[:1].isupper() else text

    @property
    def _lowercase(self) -> bool:
        """Whether the target vocabulary is in lower case."""
        return bool(getattr(self.target_vocabulary, "lowercase", False))
