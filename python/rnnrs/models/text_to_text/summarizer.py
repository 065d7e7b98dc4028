"""Summaries of one line, learned from pairs of texts and summaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ...checks import check_text
from ...decoding import Hypothesis
from ...metrics import Rouge, rouge
from ...metrics.words import Tokenize
from ...nn.guarded import reading
from ...shown import short_repr
from ...text.words import first_words
from ..base.answers import answers
from ..writer.evaluation import PairEvaluation
from ..writer.search import Search
from .pairs import Pairs, check_pairs, check_texts, cleaned
from .steps import Seq2SeqSteps
from .text_to_text import TextToText


@dataclass(frozen=True)
class SummaryEvaluation(PairEvaluation):
    """The quality of summaries.

    Attributes:
        rouge: the scores of the summaries.
        first_words: the scores of the sources' first 12 words, for comparison.
        summaries: the summaries, in the order of the pairs.
    """

    rouge: Rouge
    first_words: Rouge
    summaries: tuple[str, ...]

    __repr__ = short_repr

    def __str__(self) -> str:
        lines = [f"{'ROUGE F1':<26}1       2       L"]
        for name, found in (("summaries", self.rouge), ("the first 12 words", self.first_words)):
            scores = (found.rouge_1, found.rouge_2, found.rouge_l)
            lines.append(f"{name:<24}" + "  ".join(f"{score.f1:6.4f}" for score in scores))
        return "\n".join([*lines, f"perplexity {self.perplexity:.2f} ({self.tokens:,} tokens)"])


class Summarizer(TextToText):
    """Summarizes a text in one line: an encoder, attention, and a decoder that may also copy, see `Seq2Seq`.

    Source and summary share one vocabulary; words that it lacks can be copied from the text (See, Liu and
    Manning 2017).

    Args:
        source_vocabulary, target_vocabulary, …: see `Seq2Seq`; `from_pairs` builds the vocabulary from pairs.

    Example:
        >>> from rnnrs.models import Summarizer
        >>> names, kinds = ("ab", "cd", "ef"), ("game", "tool")
        >>> pairs = [(f"{name} is a small {kind}", f"{kind} {name}") for name in names for kind in kinds]
        >>> summarizer = Summarizer.from_pairs(pairs, embedding_size=8, hidden_size=16, dropout=0.0)
        >>> history = summarizer.fit(pairs, epochs=60, learning_rate=0.02, progress=False)
        >>> summarizer.summarize("cd is a small tool")
        'tool cd'
    """

    KIND: ClassVar[str] = "summarizer"
    SHARED: ClassVar[bool] = True
    LEVELS: ClassVar[dict[str, dict[str, Any]]] = TextToText.LEVELS | {
        "word": {"max_size": 10_000},  # rarer words can be copied
        "token": {"max_size": 10_000},
    }
    DEFAULTS: ClassVar[dict[str, Any]] = {
        "embedding_size": 128,
        "hidden_size": 256,
        "dropout": 0.4,
        "tied": True,
        "copy": True,
    }

    @answers
    def summarize(self, text: str, search: Search | None = None, **settings: Any) -> str:
        """Returns the summary of a text; empty for an empty one.

        Args:
            text: a text; line breaks are read as spaces.
            search: the settings of the search; `search()` by default.
            settings: settings of `Search` that differ from it: `beam=1`, `max_length=20`, ….

        Raises:
            TypeError: if the text is not a string; for an unknown setting.
            ValueError: for a setting out of range.

        Example:
            >>> summarizer.summarize("zorro is a small editor that many people use.")  # doctest: +SKIP
            'editor zorro'
        """
        op = f"{type(self).__name__}.summarize"
        return self._best_texts(op, [check_text(op, "text", text)], search, settings)[0]

    @answers
    def summarize_all(self, texts: Sequence[str], search: Search | None = None, **settings: Any) -> list[str]:
        """Returns the summaries of several texts. The result for a text does not depend on the others.

        Args:
            texts: the texts.
            search, settings: see `summarize`.

        Raises:
            TypeError, ValueError: see `summarize`.
        """
        op = f"{type(self).__name__}.summarize_all"
        return self._best_texts(op, check_texts(op, "texts", texts), search, settings)

    @reading
    def evaluate(
        self, pairs: Pairs, search: Search | None = None, *, tokenize: Tokenize | None = None
    ) -> SummaryEvaluation:
        """Summarizes the sources of pairs and compares the results with the targets.

        Args:
            pairs: (text, summary) each, held out.
            search: the settings of the search; `search()` by default.
            tokenize: the tokenizer of ROUGE; by default it is chosen by the script of the targets, see
                `metrics.rouge`, which never regards case.

        Raises:
            ValueError, TypeError: without pairs, or for a pair that is not two strings; for a setting of the
                search out of range.
        """
        op = f"{type(self).__name__}.evaluate"
        judged = cleaned(check_pairs(op, pairs))
        likely = self._likelihood(op, judged)
        sources, wanted = [source for source, _ in judged], [target for _, target in judged]
        found = self._best_texts(op, sources, search, {})
        return SummaryEvaluation(
            likely.loss,
            likely.perplexity,
            likely.tokens,
            rouge(found, wanted, tokenize=tokenize),
            rouge([first_words(source) for source in sources], wanted, tokenize=tokenize),
            tuple(found),
        )

    @classmethod
    def search(cls, **settings: Any) -> Search:
        """Returns the search settings, changed as given; no three consecutive words are written twice.

        Characters may be repeated: a model of characters ignores `no_repeat_ngram`.

        Raises:
            TypeError: for an unknown setting.
        """
        return super().search(**({"no_repeat_ngram": 3} | settings))

    def longest(self, tokens: int) -> int:
        """Returns the maximum number of tokens of a summary: 10 more than the text has, at most 60.

        Of characters, at most 300.
        """
        return min(tokens + 10, 300 if self._of_characters else 60)

    def _search(self, op: str, steps: Seq2SeqSteps, search: Search) -> list[list[Hypothesis]]:
        return super()._search(
            op, steps, replace(search, no_repeat_ngram=0) if self._of_characters else search
        )

    @property
    def _of_characters(self) -> bool:
        return self.target_vocabulary.level == "char"
