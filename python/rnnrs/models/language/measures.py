"""What a language model says about given texts: their probabilities, and those of the next token."""

from __future__ import annotations

from collections.abc import Sequence

from ...nn.guarded import reading
from ...types import Array, Floats
from ..base.answers import answers
from . import following, scoring
from .cache import Cache
from .corpora import AnyText
from .following import RankedText
from .network import LanguageNetwork
from .pieces import GeneratedToken
from .reading import prompt_tokens
from .scoring import SentenceScore, TextEvaluation


class LanguageMeasures(LanguageNetwork):
    """The methods of `LanguageModel` that measure."""

    @reading
    def evaluate(self, text: AnyText, *, cache: Cache | Sequence[Cache] | None = None) -> TextEvaluation:
        """Evaluates the model's predictions of a text; see `TextEvaluation`. Memory does not grow with T·V.

        Args:
            text: the text to predict, or a corpus on disk.
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
    def perplexity(self, text: AnyText) -> float:
        """Returns exp(mean loss in nats per token), the effective number of equally likely tokens.

        Raises:
            ValueError: for an empty text.
        """
        return scoring.evaluate(f"{type(self).__name__}.perplexity", self, text).perplexity

    @reading
    def score(
        self, text: str, *, after: str = "", end: bool = True, all_spellings: bool = False
    ) -> SentenceScore:
        """Returns ln P of every token of a text; see `SentenceScore`.

        By default the text is a sentence: the network starts from h_0 = 0, with the end-of-sentence token as
        the first input, and the sentence's end is scored, too.

        Args:
            text: the text. A space that belongs between `after` and it need not be written; a model of
                characters predicts that space.
            after: the text before it: P(text | after).
            end: whether the end of the sentence follows, and is scored. If not, this is the probability that
                the text goes on with these tokens, whatever comes then: over all tokens, it adds up to 1.
            all_spellings: whether `total` is the sum over all ways to spell the text in subwords, in place of
                one of them, which is a lower bound. Without its end, that is the probability that these
                characters follow: over all texts of a length, it adds up to 1 − P(unknown token). The 512
                likeliest spellings are followed; `is_bound` says whether others matter. With other
                vocabularies, this changes nothing.

        Raises:
            ValueError: for a text without a token, if its end is not scored.

        Example:
            >>> from rnnrs.models import LanguageModel
            >>> model = LanguageModel.from_text("abc" * 9)
            >>> model.score("cab").tokens
            ['c', 'a', 'b', '\\n']
            >>> model.score("b", after="ca", end=False).tokens
            ['b']
        """
        op = f"{type(self).__name__}.score"
        return following.scores(op, self, [text], after, end, all_spellings)[0]

    @reading
    def score_all(
        self,
        texts: Sequence[str],
        *,
        after: str | Sequence[str] = "",
        end: bool = True,
        all_spellings: bool = False,
    ) -> list[SentenceScore]:
        """Returns ln P of every token of each of several texts. None depends on the other texts.

        Args:
            texts: the texts.
            after: the text before them: one for all, or one for each.
            end, all_spellings: see `score`.

        Raises:
            ValueError, TypeError: see `score`; for another number of texts before them.

        Example:
            >>> from rnnrs.models import LanguageModel
            >>> model = LanguageModel.from_text("abc" * 9)
            >>> [len(score.tokens) for score in model.score_all(["cab", "b"], after=["ab", ""])]
            [4, 2]
        """
        op = f"{type(self).__name__}.score_all"
        return following.scores_of_all(op, self, texts, after, end, all_spellings)

    @reading
    def log_prob(self, text: str, *, after: str = "", end: bool = True, all_spellings: bool = False) -> float:
        """Returns ln P of a text, by default of a sentence, including its end; see `score`."""
        op = f"{type(self).__name__}.log_prob"
        return following.scores(op, self, [text], after, end, all_spellings)[0].total

    @answers
    def rank(
        self, texts: Sequence[str], *, after: str = "", end: bool = False, all_spellings: bool = False
    ) -> list[RankedText]:
        """Returns texts that may follow a text, the likeliest first, each with ln P and its share of all.

        Args:
            texts: the texts.
            after, end, all_spellings: see `score`.

        Raises:
            ValueError: for a text without a token.

        Example:
            >>> from rnnrs.models import LanguageModel
            >>> model = LanguageModel.from_text("go home. " * 20, level="word", hidden_size=8)
            >>> history = model.fit("go home. " * 20, epochs=5, learning_rate=0.1, progress=False)
            >>> [found.text for found in model.rank(["go", "home"], after="go")]
            ['home', 'go']
        """
        return following.rank(f"{type(self).__name__}.rank", self, texts, after, end, all_spellings)

    @reading
    def log_probs(self, sentences: Sequence[str]) -> Floats:
        """Returns ln P of each of several sentences (N,), including their ends."""
        return following.log_probs(f"{type(self).__name__}.log_probs", self, sentences)

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

    @reading
    def prompt_tokens(self, prompt: str, *, likeliest: int = 0) -> list[GeneratedToken]:
        """Returns the tokens that the model reads of a prompt, each with ln P after those before it.

        If every line is a separate sequence, only the last line is read.

        Args:
            prompt: the text that `generate` would continue.
            likeliest: how many of the likeliest tokens to return at each place.

        Raises:
            TypeError, ValueError: if the prompt is not a string, `likeliest` not a whole number from 0.

        Example:
            >>> from rnnrs.models import LanguageModel
            >>> [token.text for token in LanguageModel.from_text("abc" * 9).prompt_tokens("cab")]
            ['c', 'a', 'b']
        """
        return prompt_tokens(f"{type(self).__name__}.prompt_tokens", self, prompt, likeliest)
