"""Language models: training, evaluation, probabilities, suggestions, generated text, and their files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, overload

from ... import modelfile
from ...decoding import Constraints, Sampling
from ...modelfile import ModelFile
from ...nn.guarded import reading
from ...text import VOCABULARIES, build_vocabulary, vocabulary_from_config
from ...train import Callback, History
from ..base.answers import answers
from ..base.saved import constructed
from ..base.training import TrainedModel, TrainingSettings, train
from ..base.validation import held_out_share
from . import continuation, generation
from .adaptive_stepper import AnyStepper
from .continuation import Continuation, LanguageModelSteps
from .fitting import (
    LanguageTraining,
    LanguageTrainingOptions,
    hold_out,
    make_batches,
    minimizing,
    reads_by_sentence,
)
from .measures import LanguageMeasures
from .objective import SampleCounter
from .phrases import suggest_phrases
from .suggestion import Suggestion

if TYPE_CHECKING:
    from typing_extensions import Unpack


class LanguageModel(LanguageMeasures, TrainedModel):
    """A recurrent language model of characters, words or subwords: P(w_1 … w_n) = Π_t P(w_t | w_1 … w_{t−1}).

    x_t = E[w_{t−1}]; a_t = b + W h_{t−1} + U x_t; h_t = f(a_t); o_t = c + V h_t; ŷ_t = softmax(o_t)

    (Goodfellow, Bengio and Courville, *Deep Learning*, equations 10.8 to 10.11; Mikolov et al. 2010.) With
    the cells "lstm" and "gru", their step replaces f. A text starts from h_0 = 0 with the end-of-sentence
    token as the first input, so the first token of a sentence is scored, too.

    Args:
        vocabulary: the vocabulary of the text, see `rnnrs.text`; V tokens.
        embedding_size: I.
        hidden_size: H.
        cell: "rnn", "lstm" or "gru".
        layers: the number of recurrent layers, each with H units.
        activation: f of an "rnn", one of `rnnrs.nn.ACTIVATIONS`.
        recurrent_initializer: the initializer of W, see `rnnrs.nn.Recurrent`.
        dropout: dropout rate of the input of each recurrent layer and of the output layer (Zaremba, Sutskever
            and Vinyals 2014).
        row_dropout: the probability of dropping a token's embedding at all its positions
            (`rnnrs.nn.Embedding`).
        recurrent_dropout, zoneout, weight_drop, layer_norm: of the recurrent layers, see
            `rnnrs.nn.Recurrent`.
        tied: whether V and E are one array (`rnnrs.nn.TiedLinear`; Press and Wolf 2017); needs I = H.
        cutoffs: the cutoffs of an adaptive softmax (`rnnrs.nn.AdaptiveSoftmax`), which replaces the full
            softmax. The vocabulary's tokens must be in the order of falling frequency, as those of words are.
        seed: seed of the initial weights.
        dtype: float32 or float64.

    Attributes:
        vocabulary: the vocabulary.
        parameters: embedding.E (V, I), rnn.U (H, I), rnn.W (H, H), rnn.b (H), output.V (V, H), output.c (V).
            With several layers, rnn.0.U, …; for gated cells, see their classes. A tied model has no
            output.V; a model with cutoffs has the parameters of `AdaptiveSoftmax` instead.
        gradients: ∂L/∂θ, in the same layout.
        by_sentence: whether every line is a separate sequence that starts from h_0 = 0, or a text is one
            stream; set by `fit`.
        cross_entropy: the loss by which the model is evaluated: −ln P of the targets over the whole
            vocabulary.
        objective: the loss that `loss` computes along with gradients: `cross_entropy`, except during a `fit`
            with a sampled loss.
        sizes: the constructor's arguments besides the vocabulary.

    Raises:
        ValueError, TypeError: for sizes that are not positive whole numbers, an unknown activation or
            initializer; for a tied model with I ≠ H or with cutoffs.
        MemoryError: if the weights do not fit in memory.

    Example:
        >>> text = "the cat sat on the mat.\\n" * 20
        >>> model = LanguageModel.from_text(text, hidden_size=32)
        >>> history = model.fit(text, epochs=20, batch_size=4, learning_rate=0.01, progress=False)
        >>> bool(model.perplexity(text) < 1.5)
        True
        >>> model.generate("the cat", length=7, temperature=0)
        ' sat on'
        >>> [suggestion.word for suggestion in model.suggest("the m", k=1)]
        ['mat']
    """

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
        """Returns an untrained model with the vocabulary of a text.

        Args:
            text: the text that the vocabulary must cover, usually the training text.
            level: "char", "word", "subword" (needs `pip install "rnnrs[subword]"`), or "token" for texts that
                come in tokens separated by white space.
            vocabulary: options of the vocabulary: `max_size`, `min_count`, `lowercase`; see
                `text.build_vocabulary`.
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
        checkpoint_every: int | str | None = "5m",
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        **training: Unpack[LanguageTrainingOptions],
    ) -> History:
        """Trains on a text; with validation, ends with the parameters of the lowest validation loss.

        Args:
            text: the text to train on.
            validation: held-out text, or the share of the text to hold out: random lines if every line is a
                separate sequence, else the last part of the text.
            callbacks: see `rnnrs.train`.
            checkpoint: a file to resume from, written after every epoch, at the end, and at Ctrl-C, SIGTERM
                and SIGHUP. It can be loaded as a model. An existing file is replaced.
            checkpoint_every: when it is also written: after a number of steps, or a time such as "5m".
            resume: a checkpoint to continue from, of a run with the same text and settings; `epochs`,
                `time_limit` and `patience` may change, and count from that run's start.
            progress: whether to show progress on standard error.
            training: see below.

        Returns:
            The history of the losses; `history.loss_name` names the loss that was minimized.

        Raises:
            ValueError, TypeError: for a text of fewer than two tokens; for an unknown option, or a value
                outside its range.
            FormatError: if `resume` is not a checkpoint of such a run.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after a checkpoint was written; the model can be used.

        Example:
            >>> model = LanguageModel.from_text("abc" * 50, hidden_size=8)
            >>> history = model.fit("abc" * 50, 0.1, epochs=3, progress=False)
            >>> len(history.validation)
            3
        """
        op = f"{type(self).__name__}.fit"
        settings: LanguageTraining = self.settings_of(training)
        if not isinstance(text, str):
            raise TypeError(f"{op}: text: expected a text, got {type(text).__name__}")
        by_sentence = reads_by_sentence(self.vocabulary.level, text, settings.by_sentence)
        settings = replace(settings, by_sentence=by_sentence)
        share = held_out_share(op, validation)
        if share is not None:
            text, validation = hold_out(op, text, share, by_sentence, settings.seed)
        elif not (validation is None or isinstance(validation, str)):
            kind = type(validation).__name__
            raise TypeError(f"{op}: validation: expected a text, a share of the text or None, got {kind}")
        data = make_batches(op, "text", self.vocabulary, text, settings)
        held_out = (
            make_batches(op, "validation", self.vocabulary, validation, settings) if validation else None
        )
        self.by_sentence = by_sentence
        with minimizing(op, self, data, settings) as sampled:
            return train(
                self,
                data,
                held_out,
                settings,
                perplexity=True,
                examples=lambda: generation.example_lines(self, str(validation), settings.examples),
                loss_name=None if sampled is None else sampled.name,
                callbacks=[*callbacks, *([] if sampled is None else [SampleCounter(sampled)])],
                checkpoint=checkpoint,
                checkpoint_every=checkpoint_every,
                resume=resume,
                progress=progress,
            )

    @answers
    def suggest(
        self, text: str = "", k: int = 3, *, words: int = 1, stepper: AnyStepper | None = None
    ) -> list[Suggestion]:
        """Returns the k likeliest words, like a phone's keyboard; see `rnnrs.models.language.suggestion`.

        Args:
            text: the typed text. After a space or a sign, and for an empty text, the next words are
                suggested; after a letter, completions of the typed word.
            k: the maximum number of suggestions.
            words: the number of words of each suggestion, at most 20. Several are found by a beam; the first
                completes the typed word.
            stepper: a result of `stepper()`, so that many calls pack the weights once.

        Returns:
            The words, or phrases, and their probabilities, the likeliest first. The probabilities of all
            phrases of so many words add up to 1.

        Raises:
            ValueError, TypeError: if the text is not a string, k or words not a whole number from 1, or words
                is above 20.
        """
        return suggest_phrases(f"{type(self).__name__}.suggest", self, text, k, words, stepper)

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
        settings = Sampling(length, temperature, top_k, top_p, seed, op=f"{type(self).__name__}.generate")
        return "".join(generation.stream(self, prompt, settings, stop))

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
        settings = Sampling(length, temperature, top_k, top_p, seed, op=f"{type(self).__name__}.stream")
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
