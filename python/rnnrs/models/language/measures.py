"""What a language model says about given texts: their probabilities, and those of the next token."""

from __future__ import annotations

from collections.abc import Sequence

from ...nn.guarded import reading
from ...types import Array, Floats
from . import scoring
from .cache import Cache
from .network import LanguageNetwork
from .scoring import SentenceScore, TextEvaluation


class LanguageMeasures(LanguageNetwork):
    """The methods of `LanguageModel` that measure."""

    @reading
    def evaluate(self, text: str, *, cache: Cache | Sequence[Cache] | None = None) -> TextEvaluation:
        """Evaluates the model's predictions of a text; see `TextEvaluation`. Memory does not grow with T·V.

        Args:
            text: the text to predict.
            cache: one or several caches of `rnnrs.models`, with which P is interpolated. They read the text
                before each token.

        Raises:
            ValueError: for an empty text, or caches whose weights sum to 1 or more.
            TypeError: for an object that is not a cache.

        Example:
            >>> from rnnrs.models import LanguageModel
            >>> LanguageModel.from_text("abc" * 9).evaluate("cab").tokens
            3
        """
        return scoring.evaluate(f"{type(self).__name__}.evaluate", self, text, cache)

    @reading
    def perplexity(self, text: str) -> float:
        """Returns exp(mean loss in nats per token), the effective number of equally likely tokens.

        Raises:
            ValueError: for an empty text.
        """
        return scoring.evaluate(f"{type(self).__name__}.perplexity", self, text).perplexity

    @reading
    def score(self, sentence: str) -> SentenceScore:
        """Returns ln P of every token of a sentence, including its end; see `SentenceScore`.

        Example:
            >>> from rnnrs.models import LanguageModel
            >>> LanguageModel.from_text("abc" * 9).score("cab").tokens
            ['c', 'a', 'b', '\\n']
        """
        return scoring.score(self, sentence)

    @reading
    def log_prob(self, sentence: str) -> float:
        """Returns ln P of a sentence, including its end."""
        return scoring.score(self, sentence).total

    @reading
    def log_probs(self, sentences: Sequence[str]) -> Floats:
        """Returns ln P of each of several sentences (N,), including their ends."""
        return scoring.log_probs(self, sentences)

    @reading
    def next_distribution(self, text: str = "", *, cache: Cache | Sequence[Cache] | None = None) -> Array:
        """Returns P(token | text) of every token of the vocabulary: (V,), float64, with the sum 1.

        The last word of the text counts as finished; for completions see `suggest`.

        Args:
            text: the text before the token.
            cache: see `evaluate`; a cache reads the whole text.

        Raises:
            ValueError, TypeError: for invalid caches.
        """
        return scoring.next_distribution(f"{type(self).__name__}.next_distribution", self, text, cache)
