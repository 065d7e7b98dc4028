"""Language models: training, evaluation, probabilities, suggestions, generated text; and their file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, overload

from ... import modelfile
from ...decoding import Constraints, Sampling
from ...modelfile import ModelFile
from ...text import VOCABULARIES, build_vocabulary, vocabulary_from_config
from ...train import Callback, History
from ...types import Array, Floats
from ..base.saved import constructed
from ..base.training import TrainedModel, TrainingSettings
from ..base.validation import held_out_share
from . import continuation, generation, scoring, suggestion
from .adaptive_stepper import AnyStepper
from .cache import Cache
from .continuation import Continuation, LanguageModelSteps
from .fitting import (
    LanguageTraining,
    LanguageTrainingOptions,
    example_lines,
    fit_language_model,
    hold_out,
    settled,
)
from .network import LanguageNetwork
from .scoring import SentenceScore, TextEvaluation

if TYPE_CHECKING:
    from typing_extensions import Unpack


class LanguageModel(LanguageNetwork, TrainedModel):
    __doc__ = LanguageNetwork.__doc__

    KIND: ClassVar[str] = "language_model"
    TRAINING: ClassVar[type[TrainingSettings]] = LanguageTraining
    #: The levels of the vocabulary, and the options that differ from those of its `build`.
    LEVELS: ClassVar[dict[str, dict[str, Any]]] = {level: {} for level in VOCABULARIES}

    def _contents(self) -> dict[str, Any]:
        return {"by_sentence": self.by_sentence, "vocabulary": self.vocabulary.to_config()}

    @classmethod
    def _restored(cls, config: dict[str, Any], file: ModelFile, **given: Any) -> LanguageModel:
        by_sentence = bool(config.pop("by_sentence"))
        vocabulary = vocabulary_from_config(config.pop("vocabulary"))
        V, I, H = len(vocabulary), config["embedding_size"], config["hidden_size"]
        modelfile.check_size(V * I + H * (H + I) + (config.get("layers", 1) - 1) * H * H, file)
        model = constructed(cls, config, vocabulary)
        model.by_sentence = by_sentence
        return model

    @classmethod
    def from_text(
        cls,
        text: str,
        *,
        level: str = "char",
        vocabulary: dict[str, Any] | None = None,
        **sizes: Any,
    ) -> LanguageModel:
        """An untrained model whose vocabulary is built from a text.

        Args:
            text: what the vocabulary must cover; normally what the model is then trained on.
            level: "char", "word", or "subword" (needs `pip install "rnnrs[subword]"`).
            vocabulary: options of the vocabulary: `max_size`, `min_count`, `lowercase`; see `text.build_vocabulary`.
            sizes: the other arguments of the class: `hidden_size=512`, ….

        Raises:
            ValueError, TypeError: for an unknown level or option, or an empty text.
        """
        return cls(build_vocabulary(level, text, vocabulary, op=f"{cls.__name__}.from_text"), **sizes)

    def fit(
        self,
        text: str,
        validation: str | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        **training: Unpack[LanguageTrainingOptions],
    ) -> History:
        """Trains on a text; with validation, ends with the parameters of the lowest validation loss.

        Args:
            text: the text to train on.
            validation: held-out text, or the share of the text to hold out: lines drawn by the seed where every line
                is a sequence of its own, else the text's last part.
            callbacks: see `rnnrs.train`.
            checkpoint: a file to resume from; written after every epoch, at the end and at Ctrl-C.
            checkpoint_every: the steps after which it is also written.
            resume: a checkpoint to continue from, of a run with the same text and settings; `epochs` and `time_limit`
                count from that run's start.
            progress: whether to show progress on standard error.
            training: see below.

        Returns:
            The history of the losses; `history.loss_name` names the loss that was minimized.

        Raises:
            ValueError, TypeError: for a text of fewer than two tokens, an unknown option or one out of its range.
            FormatError: if `resume` is not a checkpoint of such a run.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after a checkpoint was written; the model can be used.
        """
        op = f"{type(self).__name__}.fit"
        settings: LanguageTraining = settled(self, text, self.settings_of(training))
        share = held_out_share(op, validation)
        if share is not None:
            text, validation = hold_out(op, text, share, bool(settings.by_sentence), settings.seed)
        held_out = validation if isinstance(validation, str) else None
        return fit_language_model(
            self,
            text,
            held_out,
            settings,
            lambda: self._examples(held_out or "", settings.examples),
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
        )

    def _examples(self, held_out: str, count: int) -> list[str]:
        lines = []
        for prompt, wanted in example_lines(held_out, count):
            got = self.generate(prompt, length=40, temperature=0, stop="\n")
            lines += [f"  {prompt}", f"    wanted  {wanted}", f"    got     {got.strip()}"]
        return lines

    def evaluate(self, text: str, *, cache: Cache | Sequence[Cache] | None = None) -> TextEvaluation:
        """How well the model predicts a text; see `TextEvaluation`. Memory does not grow with T·V.

        Args:
            text: to predict.
            cache: one of `rnnrs.models`' caches, or several: P is then interpolated with what these make of the
                text before each token.

        Raises:
            ValueError: for an empty text, or caches whose weights add up to 1 or more.
        """
        return scoring.evaluate(self, text, cache)

    def perplexity(self, text: str) -> float:
        """exp of the mean loss in nats a token: among how many equally likely tokens the model is left to
        guess.

        Raises:
            ValueError: for an empty text.
        """
        return self.evaluate(text).perplexity

    def score(self, sentence: str) -> SentenceScore:
        """ln P of every token of a sentence, its end included; see `SentenceScore`."""
        return scoring.score(self, sentence)

    def log_prob(self, sentence: str) -> float:
        """ln P of a sentence, its end included."""
        return scoring.score(self, sentence).total

    def log_probs(self, sentences: Sequence[str]) -> Floats:
        """`log_prob` of several sentences (N,)."""
        return scoring.log_probs(self, sentences)

    def next_distribution(self, text: str = "", *, cache: Cache | Sequence[Cache] | None = None) -> Array:
        """P(token | text) for every token of the vocabulary: (V,), float64, sums to 1.

        The text's last word counts as finished; for completions see `suggest`. A cache remembers all of the text.
        """
        return scoring.next_distribution(self, text, cache)

    def suggest(
        self, text: str = "", k: int = 3, *, stepper: AnyStepper | None = None
    ) -> list[suggestion.Suggestion]:
        """The k words that a phone's keyboard would offer, likeliest first; see `rnnrs.models.language.suggestion`.

        Args:
            text: what has been typed. After a space or a sign, and for an empty text, the next words are
                suggested; after a letter, completions of the word that is being typed.
            k: how many, at most.
            stepper: from `stepper()`, to save packing the weights again where many suggestions are wanted.

        Raises:
            ValueError: if k is below 1.
        """
        return suggestion.suggest(self, text, k, stepper)

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
        """The text that the model writes after a prompt, without the prompt itself.

        Args:
            prompt: read first, once.
            length: how many tokens to write.
            temperature: below 1 sharper, above 1 flatter; 0 always takes the likeliest token.
            top_k: draw among the k likeliest only; 0 for all.
            top_p: draw among the likeliest that together reach this probability (Holtzman et al. 2020); 1 for
                all.
            seed: the same seed writes the same text; None for another one each time.
            stop: a text, or several, before which to stop.

        Raises:
            ValueError: for settings outside these ranges.
        """
        settings = Sampling(length, temperature, top_k, top_p, seed)
        return "".join(generation.stream(self, prompt, settings, stop))

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
        """What `generate` gives, piece by piece as it is written. The arguments are checked at once."""
        settings = Sampling(length, temperature, top_k, top_p, seed)
        return generation.stream(self, prompt, settings, stop)

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

    def beam_search(
        self,
        prompt: str | list[str] | tuple[str, ...],
        *,
        beam: int = 5,
        n_best: int = 1,
        length_penalty: float = 0.6,
        constraints: Constraints | None = None,
    ) -> list[Continuation] | list[list[Continuation]]:
        """The likeliest texts after a prompt, or after each of several, as far as a beam finds them.

        A model of sentences goes on to the end of the sentence, one of a stream for `constraints.max_length` tokens.

        Args:
            prompt: a text, or several, which are then continued side by side.
            beam, n_best, length_penalty, constraints: see `rnnrs.decoding.beam_search`.

        Returns:
            For a text its continuations, the best first; for several a list of such lists.

        Raises:
            ValueError, TypeError: see `rnnrs.decoding.beam_search`.
        """
        several = [prompt] if isinstance(prompt, str) else list(prompt)
        found = continuation.search(
            self,
            several,
            constraints or Constraints(),
            beam=beam,
            n_best=n_best,
            length_penalty=length_penalty,
        )
        return found[0] if isinstance(prompt, str) else found

    def step_model(self, prompts: Sequence[str]) -> LanguageModelSteps:
        """The model after some prompts, for `rnnrs.decoding`."""
        return LanguageModelSteps(self, prompts)
