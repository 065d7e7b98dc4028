"""What a language model writes: generated texts, and the likeliest continuations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import overload

from ...data import frames
from ...decoding import Constraints, Sampling
from ...nn.guarded import reading
from ..base.answers import answers
from . import continuation, generation
from .continuation import Continuation, LanguageModelSteps
from .generation import Generation
from .network import LanguageNetwork
from .pieces import Generated


class LanguageWriting(LanguageNetwork):
    """The methods of `LanguageModel` that write."""

    @answers
    def generate(
        self,
        prompt: str = "",
        *,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        stop: str | Iterable[str] | None = None,
    ) -> str:
        """Generates a text after a prompt, and returns it without the prompt.

        Args:
            prompt: the text to continue.
            length: the number of tokens to generate.
            temperature: below 1 sharper, above 1 flatter; 0 always takes the likeliest token.
            top_k: sample among the k likeliest tokens only; 0 for all.
            top_p: sample among the likeliest tokens that together reach this probability (Holtzman et al.
                2020); 1 for all.
            seed: the same seed gives the same text; None for another one each time.
            stop: a text, or several, before which the generated text ends.

        Raises:
            ValueError: for settings outside these ranges.
        """
        op = f"{type(self).__name__}.generate"
        settings = Sampling(length, temperature, top_k, top_p, seed, op=op)
        return generation.generated(op, self, [prompt], [settings], generation.stops_of(op, stop))[0].text

    @answers
    def stream(
        self,
        prompt: str = "",
        *,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        stop: str | Iterable[str] | None = None,
    ) -> Iterator[str]:
        """Generates a text like `generate`, and yields it piece by piece. Arguments are checked at once."""
        op = f"{type(self).__name__}.stream"
        settings = Sampling(length, temperature, top_k, top_p, seed, op=op)
        return generation.stream(self, prompt, settings, generation.stops_of(op, stop))

    @answers
    def generate_all(
        self,
        prompts: Sequence[str],
        *,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seeds: Sequence[int] | None = None,
        stop: str | Iterable[str] | None = None,
        logprobs: int = 0,
    ) -> list[Generated]:
        """Generates a text after each of several prompts, side by side, with the probabilities of its tokens.

        Each text is the one that `generate` returns for the prompt and its seed.

        Args:
            prompts: the texts to continue.
            length, temperature, top_k, top_p, stop: see `generate`.
            seeds: a seed for each prompt; None for others each time.
            logprobs: the number of likeliest tokens to return with each token.

        Returns:
            For each prompt, the text and its tokens, see `GeneratedToken`.

        Raises:
            ValueError, TypeError: for settings outside these ranges, or another number of seeds.

        Example:
            >>> from rnnrs.models import LanguageModel
            >>> model = LanguageModel.from_text("abc" * 50, hidden_size=16)
            >>> history = model.fit("abc" * 50, epochs=30, learning_rate=0.02, progress=False)
            >>> first, second = model.generate_all(["ca", "ab"], length=4, temperature=0)
            >>> first.text, [token.text for token in second.tokens], first.finished
            ('bcab', ['c', 'a', 'b', 'c'], 'length')
        """
        op = f"{type(self).__name__}.generate_all"
        prompts = frames.listed(op, "prompts", prompts)
        settings = Sampling(length, temperature, top_k, top_p, op=op)
        each: Sequence[int | None] = [None] * len(prompts)
        if seeds is not None:
            each = frames.listed(op, "seeds", seeds)
        if len(each) != len(prompts):
            raise ValueError(f"{op}: seeds: expected one for each of {len(prompts)} prompts, got {len(each)}")
        own = [replace(settings, seed=seed, op=op) for seed in each]
        return generation.generated(op, self, prompts, own, generation.stops_of(op, stop), logprobs)

    @answers
    def generation(self) -> Generation:
        """Returns texts that are generated side by side and may join and leave at any time, none at first."""
        return Generation(self)

    @overload
    def beam_search(
        self,
        prompt: str,
        *,
        beam: int = ...,
        n_best: int = ...,
        length_penalty: float = ...,
        constraints: Constraints | None = ...,
    ) -> list[Continuation]: ...

    @overload
    def beam_search(
        self,
        prompt: list[str] | tuple[str, ...],
        *,
        beam: int = ...,
        n_best: int = ...,
        length_penalty: float = ...,
        constraints: Constraints | None = ...,
    ) -> list[list[Continuation]]: ...

    @reading
    def beam_search(
        self,
        prompt: str | list[str] | tuple[str, ...],
        *,
        beam: int = 5,
        n_best: int = 1,
        length_penalty: float = 0.6,
        constraints: Constraints | None = None,
    ) -> list[Continuation] | list[list[Continuation]]:
        """Finds the likeliest continuations of a prompt, or of each of several, by beam search.

        A continuation ends with the sentence; for a model of a stream, after `constraints.max_length` tokens.

        Args:
            prompt: a text, or several, which are continued side by side.
            beam, n_best, length_penalty, constraints: see `rnnrs.decoding.beam_search`.

        Returns:
            The continuations of a text, the best first; for several texts, a list of such lists.

        Raises:
            ValueError, TypeError: see `rnnrs.decoding.beam_search`.

        Example:
            >>> from rnnrs.decoding import Constraints
            >>> from rnnrs.models import LanguageModel
            >>> model = LanguageModel.from_text("abc" * 9)
            >>> found = model.beam_search("ab", n_best=2, constraints=Constraints(max_length=3))
            >>> [len(continuation.hypothesis.tokens) for continuation in found]
            [3, 3]
        """
        several = [prompt] if isinstance(prompt, str) else list(prompt)
        found = continuation.search(
            f"{type(self).__name__}.beam_search",
            self,
            several,
            constraints or Constraints(),
            beam=beam,
            n_best=n_best,
            length_penalty=length_penalty,
        )
        return found[0] if isinstance(prompt, str) else found

    @reading
    def step_model(self, prompts: Sequence[str]) -> LanguageModelSteps:
        """Returns a step model that continues the prompts, for `rnnrs.decoding`."""
        return LanguageModelSteps(self, prompts)
