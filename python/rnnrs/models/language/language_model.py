"""Language models: training, evaluation, probabilities, suggestions, generated text, and their files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ... import modelfile
from ...checks import check_text
from ...data import Corpus, frames
from ...modelfile import ModelFile
from ...text import VOCABULARIES, build_vocabulary, vocabulary_from_config
from ...train import Callback, Communicator, History
from ..base.answers import answers
from ..base.saved import constructed
from ..base.training import TrainedModel, TrainingSettings, train
from ..base.validation import held_out_share
from . import generation
from .adaptive_stepper import AnyStepper
from .corpora import AnyText, is_text, part_of
from .fitting import (
    LanguageTraining,
    LanguageTrainingOptions,
    hold_out,
    make_batches,
    minimizing,
    settled,
)
from .measures import LanguageMeasures
from .objective import SampleCounter
from .phrases import check_wanted, suggest_all, suggest_phrases
from .suggestion import Reader, Suggestion
from .typing_session import TypingSession, suggest_together
from .writing import LanguageWriting

if TYPE_CHECKING:
    from typing_extensions import Unpack


class LanguageModel(LanguageMeasures, LanguageWriting, TrainedModel):
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

    @classmethod
    def from_corpus(cls, corpus: Corpus, **sizes: Any) -> LanguageModel:
        """Returns an untrained model with the vocabulary of a corpus on disk.

        Args:
            corpus: the corpus, see `data.prepare_corpus`.
            sizes: the other arguments of the class: `hidden_size=512`, ….

        Raises:
            TypeError: if it is not a corpus.
        """
        if not isinstance(corpus, Corpus):
            got = type(corpus).__name__
            raise TypeError(f"{cls.__name__}.from_corpus: corpus: expected a Corpus, got {got}")
        return cls(corpus.vocabulary, **sizes)

    def fit(
        self,
        text: AnyText,
        validation: AnyText | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | str | None = "5m",
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        communicator: Communicator | None = None,
        **training: Unpack[LanguageTrainingOptions],
    ) -> History:
        """Trains on a text; with validation, ends with the parameters of the lowest validation loss.

        Args:
            text: the text to train on, or a corpus on disk (`data.Corpus`) with the model's vocabulary, of
                which no more is in memory than a batch needs.
            validation: held-out text or corpus, or the share of the text to hold out: random lines if every
                line is a separate sequence, else the last part of the text.
            callbacks: see `rnnrs.train`.
            checkpoint: a file to resume from, written after every epoch, at the end, and at Ctrl-C, SIGTERM
                and SIGHUP. It can be loaded as a model. An existing file is replaced.
            checkpoint_every: when it is also written: after a number of steps, or a time such as "5m".
            resume: a checkpoint to continue from, of a run with the same text and settings; `epochs`,
                `time_limit` and `patience` may change, and count from that run's start.
            progress: whether to show progress on standard error.
            communicator: the processes that train together, such as `mpi4py.MPI.COMM_WORLD`; see `Trainer`.
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
        if not is_text(text):
            raise TypeError(f"{op}: text: expected a text or a corpus, got {type(text).__name__}")
        read, settings = settled(op, self.vocabulary, text, settings)
        by_sentence = bool(settings.by_sentence)
        share, held_text = held_out_share(op, validation), None
        if share is not None:
            read, held_text = hold_out(op, read, share, by_sentence, settings.seed)
        elif is_text(validation):
            held_text = self._read(op, "validation", validation, by_sentence)
        elif validation is not None:
            kind = type(validation).__name__
            raise TypeError(f"{op}: validation: expected a text, a share of the text or None, got {kind}")
        data = make_batches(op, "text", self.vocabulary, read, settings)
        held_out = make_batches(op, "validation", self.vocabulary, held_text, settings) if held_text else None
        self.by_sentence = by_sentence
        with minimizing(op, self, data, settings) as sampled:
            return train(
                self,
                data,
                held_out,
                settings,
                perplexity=True,
                examples=lambda: generation.example_lines(self, held_text or "", settings.examples),
                loss_name=None if sampled is None else sampled.name,
                callbacks=[*callbacks, *([] if sampled is None else [SampleCounter(sampled)])],
                checkpoint=checkpoint,
                checkpoint_every=checkpoint_every,
                resume=resume,
                progress=progress,
                communicator=communicator,
            )

    def _read(self, op: str, argument: str, text: Any, by_sentence: bool) -> Any:
        """Returns a text, or the part of a corpus that is read."""
        return text if isinstance(text, str) else part_of(op, argument, text, self.vocabulary, by_sentence)

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
        op = f"{type(self).__name__}.suggest"
        check_text(op, "text", text)
        check_wanted(op, k, words)
        return suggest_phrases(Reader(self, stepper), text, k, words)

    @answers
    def suggest_all(
        self,
        texts: Sequence[str] | Sequence[TypingSession],
        k: int = 3,
        *,
        words: int = 1,
        stepper: AnyStepper | None = None,
    ) -> list[list[Suggestion]]:
        """Returns what `suggest` does for each of several texts, which are computed side by side.

        Args:
            texts: B texts, or B sessions, whose texts before the cursor are meant.
            k, words: see `suggest`.
            stepper: a result of `stepper()`, made since the parameters changed last; sessions have their own.

        Returns:
            B lists, each the same as that of `suggest`.

        Raises:
            ValueError, TypeError: see `suggest`.

        Example:
            >>> model = LanguageModel.from_text("go home. " * 20, level="word", hidden_size=8)
            >>> history = model.fit("go home. " * 20, epochs=5, learning_rate=0.1, progress=False)
            >>> [found[0].word for found in model.suggest_all(["go ", "go home. "], k=1)]
            ['home', 'go']
        """
        op = f"{type(self).__name__}.suggest_all"
        each = frames.listed(op, "texts", texts)
        if each and all(isinstance(one, TypingSession) for one in each):
            return suggest_together(op, self, each, k, words)
        return suggest_all(op, self, each, k, words, stepper)

    def session(self, text: str = "", *, stepper: AnyStepper | None = None) -> TypingSession:
        """Returns a text that is being typed, and its suggestions at the speed of a keystroke.

        Args:
            text: the text, with the cursor at its end.
            stepper: a result of `stepper()`, so that many sessions share the packed weights. They may not be
                used by several threads at a time.

        Raises:
            TypeError: if the text is not a string.
        """
        return TypingSession(self, text, stepper=stepper)
