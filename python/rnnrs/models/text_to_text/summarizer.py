"""Summaries: a text in one line, learned from pairs of texts and summaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ...metrics import Rouge, rouge
from ...text import find_words, join_words
from ..writer.evaluation import PairEvaluation
from ..writer.search import Search
from .pairs import Pairs, check_pairs, cleaned
from .text_to_text import TextToText


@dataclass(frozen=True)
class SummaryEvaluation(PairEvaluation):
    """How good summaries are.

    Attributes:
        rouge: of the summaries.
        first_words: of the sources' first 12 words, for comparison.
        summaries: they themselves, in the pairs' order.
    """

    rouge: Rouge
    first_words: Rouge
    summaries: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{'ROUGE F1':<26}1       2       L"]
        for name, found in (("summaries", self.rouge), ("the first 12 words", self.first_words)):
            scores = (found.rouge_1, found.rouge_2, found.rouge_l)
            lines.append(f"{name:<24}" + "  ".join(f"{score.f1:6.4f}" for score in scores))
        return "\n".join([*lines, f"perplexity {self.perplexity:.2f} ({self.tokens:,} tokens)"])


class Summarizer(TextToText):
    """Says in a line what a text says: an encoder, attention, a decoder that may also copy (see `Seq2Seq`).

    Source and summary have one vocabulary, and words that it lacks can be copied from the text (See, Liu and Manning
    2017).

    Args:
        source_vocabulary, target_vocabulary, …: see `Seq2Seq`; `from_pairs` finds them in pairs.
    """

    KIND: ClassVar[str] = "summarizer"
    SHARED: ClassVar[bool] = True
    LEVELS: ClassVar[dict[str, dict[str, Any]]] = TextToText.LEVELS | {
        "word": {"max_size": 10_000},  # rarer words can be copied
    }
    DEFAULTS: ClassVar[dict[str, Any]] = {
        "embedding_size": 128,
        "hidden_size": 256,
        "dropout": 0.4,
        "tied": True,
        "copy": True,
    }

    def summarize(self, text: str, search: Search | None = None, **settings: Any) -> str:
        """The summary of a text; empty for an empty one.

        Args:
            text: a text; line breaks are spaces.
            search: how to search; the application's own way by default.
            settings: single settings of `Search` that differ from it: `beam=1`, `max_length=20`, ….

        Raises:
            TypeError, ValueError: for what is no text, or settings that make no sense.
        """
        return self.summarize_all([text], search, **settings)[0]

    def summarize_all(self, texts: Sequence[str], search: Search | None = None, **settings: Any) -> list[str]:
        """`summarize` for several texts, side by side. The result for a text does not depend on the others."""
        how = (search or self.search()).changed(f"{type(self).__name__}.summarize", settings)
        return [best.text for best, *_ in self.write(texts, how)]

    def evaluate(self, pairs: Pairs, search: Search | None = None) -> SummaryEvaluation:
        """Summarizes the sources of pairs and compares with their targets.

        Args:
            pairs: (text, summary) each, held out.
            search: how to summarize.

        Raises:
            ValueError, TypeError: without pairs, or for what are none.
        """
        judged = cleaned(check_pairs("Summarizer.evaluate", pairs))
        likely = self.likelihood(judged)
        sources, wanted = [source for source, _ in judged], [target for _, target in judged]
        found = [best.text for best, *_ in self.write(sources, search)]
        return SummaryEvaluation(
            likely.loss,
            likely.perplexity,
            likely.tokens,
            rouge(found, wanted),
            rouge([first_words(source) for source in sources], wanted),
            tuple(found),
        )

    @classmethod
    def search(cls, **settings: Any) -> Search:
        """Three words in a row are not written twice."""
        return super().search(**({"no_repeat_ngram": 3} | settings))

    def longest(self, tokens: int) -> int:
        """The most tokens of a summary: 60, or 10 more than the text has."""
        return min(tokens + 10, 60)


def first_words(text: str, count: int = 12) -> str:
    """The first words of a text: what a summary must be better than."""
    return join_words(find_words(text)[:count])
