"""A language model: embedding, recurrence, softmax over the next token."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..._rnnrs import Stepper
from ...data import Batch
from ...decoding import Constraints
from ...losses import AdaptiveCrossEntropy, Criterion, SoftmaxCrossEntropy
from ...modelfile import ModelFile
from ...nn import AdaptiveSoftmax, Bidirectional, Dropout, Embedding, Linear, TiedLinear, join
from ...nn.build import build_recurrent
from ...text import Vocabulary
from ...types import Array
from ..base.saved import SavedModel
from . import continuation, generation, language_model_file, scoring, suggestion
from .adaptive_stepper import AdaptiveStepper, AnyStepper
from .cache import Cache
from .continuation import Continuation, LanguageModelSteps
from .fitting import FitSettings, fit_language_model

if TYPE_CHECKING:
    from ...train import Callback, History


class LanguageModel(SavedModel):
    """P(w_1 … w_n) = Π_t P(w_t | w_1 … w_{t−1}), by a recurrent network over characters, words or subwords.

    x_t = E[w_{t−1}]; a_t = b + W h_{t−1} + U x_t; h_t = f(a_t); o_t = c + V h_t; ŷ_t = softmax(o_t)

    with f's place taken by an LSTM's or GRU's step where the cell is one, and as many layers as are wanted.

    (Goodfellow, Bengio and Courville, *Deep Learning*, equations 10.8 to 10.11; Mikolov et al. 2010.) A text
    begins with h_0 = 0 and, as its first input, the token that ends a sentence: so the beginning of a
    sentence is scored too.

    Args:
        vocabulary: what text is made of, see `rnnrs.text`; V tokens.
        embedding_size: I.
        hidden_size: H.
        cell: "rnn", "lstm" or "gru".
        layers: recurrent layers on top of each other, each of H.
        activation: f of an "rnn", one of `rnnrs.nn.ACTIVATIONS`.
        recurrent_initializer: how W begins, see `rnnrs.nn.Recurrent`.
        dropout: with which probability, in training, a number is dropped on its way into a recurrent layer or
            the output layer (Zaremba, Sutskever and Vinyals 2014).
        row_dropout: with which a token's embedding is, wherever it stands (`rnnrs.nn.Embedding`).
        recurrent_dropout, zoneout, weight_drop, layer_norm: of the recurrent layers, see `rnnrs.nn.Recurrent`.
        tied: whether V is E, one array for both (`rnnrs.nn.TiedLinear`; Press and Wolf 2017); needs I = H.
        cutoffs: of an adaptive softmax (`rnnrs.nn.AdaptiveSoftmax`), which takes the place of the full one; for
            vocabularies whose tokens are in the order of falling frequency, as words are.
        seed: of the first weights.
        dtype: float32 or float64.

    Attributes:
        vocabulary: as given.
        parameters: embedding.E (V, I), rnn.U (H, I), rnn.W (H, H), rnn.b (H), output.V (V, H), output.c (V).
            With several layers rnn.0.U, …; a gated cell's as its class says; a tied model has no output.V of its
            own, one with cutoffs the parameters of `AdaptiveSoftmax` instead.
        gradients: ∂L/∂ each of them, of the same layout.
        by_sentence: whether every line is a sequence of its own, from h_0 = 0 (`fit` decides), or a text is
            one stream.
        cross_entropy: what the model is judged by, −ln P of the targets over the whole vocabulary.
        training_loss: what `loss` gives along with gradients: the same, but for a `fit` with a sampled loss.
        settings: what `fit` was last told, kept in the model's file; None before.

    Raises:
        ValueError, TypeError: for sizes that are no positive whole numbers, an unknown activation or
            initializer; for a tied model whose embedding and state differ in size, or that has cutoffs.
        MemoryError: if the weights do not fit.
    """

    KIND: ClassVar[str] = "language_model"

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        embedding_size: int = 64,
        hidden_size: int = 256,
        cell: str = "rnn",
        layers: int = 1,
        activation: str = "tanh",
        recurrent_initializer: str = "orthogonal",
        dropout: float = 0.0,
        row_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_drop: float = 0.0,
        layer_norm: bool = False,
        tied: bool = False,
        cutoffs: Sequence[int] | None = None,
        seed: int = 0,
        dtype: DTypeLike = "float32",
    ) -> None:
        self.vocabulary = vocabulary
        if tied and embedding_size != hidden_size:
            raise ValueError(
                "LanguageModel: tied: expected an embedding_size equal to hidden_size, "
                f"got {embedding_size} and {hidden_size}"
            )
        self.embedding = Embedding(
            len(vocabulary), embedding_size, row_dropout=row_dropout, seed=seed, dtype=dtype
        )
        rnn = build_recurrent(
            "LanguageModel",
            cell,
            embedding_size,
            hidden_size,
            layers=layers,
            dropout=dropout,
            activation=activation,
            recurrent_initializer=recurrent_initializer,
            recurrent_dropout=recurrent_dropout,
            zoneout=zoneout,
            weight_drop=weight_drop,
            layer_norm=layer_norm,
            seed=seed + 1,
            dtype=dtype,
        )
        assert not isinstance(rnn, Bidirectional)  # a language model reads forwards
        self.rnn = rnn
        self.output_dropout = Dropout(dropout)
        self.output: Linear | AdaptiveSoftmax
        self.cross_entropy: Criterion = SoftmaxCrossEntropy()
        if cutoffs is not None:
            if tied:
                raise ValueError("LanguageModel: cutoffs: expected none for a tied model, got some")
            self.output = AdaptiveSoftmax(
                hidden_size, len(vocabulary), cutoffs=cutoffs, seed=seed + 2, dtype=dtype
            )
            self.cross_entropy = AdaptiveCrossEntropy()
        elif tied:
            self.output = TiedLinear(self.embedding)
            # E begins as small as a V, and U larger for it: inputs too weak to drive W leave the state to itself.
            self.embedding.initialize("E", "normal", hidden_size**-0.5, seed)
            self.rnn.parameters["U" if layers == 1 else "0.U"][...] *= hidden_size**0.5
        else:
            self.output = Linear(hidden_size, len(vocabulary), seed=seed + 2, dtype=dtype)
        self.parameters, self.gradients = join(embedding=self.embedding, rnn=self.rnn, output=self.output)
        self.training_loss: Criterion = self.cross_entropy
        self.by_sentence = False
        self.settings: FitSettings | None = None
        #: What the model was made with, besides the vocabulary.
        self.sizes: dict[str, Any] = {
            "embedding_size": embedding_size,
            "hidden_size": hidden_size,
            "cell": cell,
            "layers": layers,
            "activation": activation,
            "recurrent_initializer": recurrent_initializer,
            "dropout": dropout,
            "row_dropout": row_dropout,
            "recurrent_dropout": recurrent_dropout,
            "zoneout": zoneout,
            "weight_drop": weight_drop,
            "layer_norm": layer_norm,
            "tied": tied,
            "cutoffs": None if cutoffs is None else [int(cutoff) for cutoff in cutoffs],
            "seed": seed,
            "dtype": str(self.parameters.dtype),
        }

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
            vocabulary: options of the vocabulary's `build`: for words `min_count`, `max_size`, `lowercase`;
                for subwords `size`.
            sizes: what the class takes besides: `hidden_size=512`, ….

        Raises:
            ValueError: for an unknown level or an empty text.
        """
        if level not in _BUILD:
            raise ValueError(f"LanguageModel: level: expected one of {', '.join(_BUILD)}, got {level!r}")
        return cls(_BUILD[level](text, **(vocabulary or {})), **sizes)

    @property
    def stochastic(self) -> bool:
        """Whether `loss` takes noise: whether there is dropout of any kind."""
        return bool(self.output_dropout.rate) or self.embedding.stochastic or self.rnn.stochastic

    def loss(
        self,
        batch: Batch,
        state: ArrayLike | None = None,
        *,
        gradient: bool = True,
        noise: int | None = None,
    ) -> tuple[float, Any]:
        """The mean loss of a batch in nats a token and, added to `gradients`, its gradient by BPTT.

        With gradients it is `training_loss`, without them always `cross_entropy`.

        Args:
            batch: inputs (T, B), token ids; targets (T, B), the token after each, or −1 where none is to be
                scored.
            state: (B, S); zero by default. No gradient goes back beyond it (truncated BPTT).
            gradient: whether the way back is wanted.
            noise: from which dropout is drawn, see `rnnrs.nn.noise`; None for none.

        Returns:
            (L, (B, S)): the state to go on with in the next batch of the same stream.

        Raises:
            IndexError: for an id that is not of the vocabulary.
            ShapeError: if the shapes do not belong together.
        """
        cache: Any
        batch = Batch(*batch)
        if batch.warm:
            before = batch.cut(0, batch.warm)
            options: dict[str, Any] = before.options | {"noise": noise, "gradient": False}
            _, cache = self.rnn.forward_tokens(self.embedding, before.inputs, state, **options)
            batch, state = batch.cut(batch.warm, None), cache.state
        criterion = self.training_loss if gradient else self.cross_entropy
        options = batch.options | {"noise": noise, "gradient": gradient}
        h, cache = self.rnn.forward_tokens(self.embedding, batch.inputs, state, **options)
        y, dropped = self.output_dropout.forward(h, noise, batch.keys)
        L, _, dy = criterion.through(self.output, y, batch.targets, gradient=gradient)
        if dy is not None:
            self.rnn.backward_tokens(self.embedding, cache, self.output_dropout.backward(dropped, dy))
        if batch.carry is None or batch.carry == len(batch.inputs):
            return L, cache.state
        return L, state if batch.carry == 0 else self.rnn.state_after(cache, batch.carry)

    def fit(
        self,
        text: str,
        validation: str | None = None,
        *,
        epochs: int | None = None,
        time_limit: float | None = None,
        batch_size: int = 50,
        steps: int = 50,
        learning_rate: float = 2e-3,
        clip_norm: float | None = 1.0,
        schedule: str = "cosine",
        optimizer: str = "adam",
        by_sentence: bool | None = None,
        seed: int = 0,
        loss: str = "full",
        samples: int = 1024,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> History:
        """Trains on a text.

        Args:
            text: to train on.
            validation: to measure the loss on after every epoch.
            epochs: how often to go through the text; 10 by default, or without bound under a time limit.
            time_limit: seconds after which to stop; the learning rate falls along with the time, see
                `schedule`.
            batch_size: B, sequences side by side; fewer where the text is too short for as many.
            steps: T, after how many tokens BPTT is truncated; without effect by sentence.
            learning_rate: at its highest.
            clip_norm: the gradient's norm is brought down to this; None leaves it.
            schedule: "cosine", from the full learning rate to 0 at the end of the epochs or of the time,
                whichever is nearer (Loshchilov and Hutter 2017, without restarts); or "constant".
            optimizer: "adam", "rmsprop", "adagrad" or "sgd".
            by_sentence: True: every line is a sequence of its own, from h_0 = 0, as sentences without
                connection are; False: the text is one stream, cut into `batch_size` parallel ones whose state
                is carried over. By default True for models of words or subwords on texts whose lines look
                like sentences (`fitting.lines_are_sentences`).
            seed: of the order of the sentences, and of the samples.
            loss: what is brought down: "full", the cross-entropy over the vocabulary; or, for a large one, an
                estimate over a sample of its words: "sampled" (`losses.SampledSoftmax`) or "nce" (`losses.NCE`), both
                with the words' frequencies in the text, to the power of ¾, as the proposal. The validation loss is
                the cross-entropy in any case.
            samples: words that these draw at each step, with replacement.
            callbacks: see `rnnrs.train`.
            checkpoint: a file that training can be resumed from; written at every epoch's end and at Ctrl-C.
            checkpoint_every: and after so many steps.
            resume: a checkpoint to go on from. Text and settings must be those of its run; `epochs` and
                `time_limit` count from its beginning.
            progress: whether to show a bar.

        Returns:
            The history of the losses; `history.loss_name` says what was brought down.

        Raises:
            ValueError: for a text of fewer than two tokens, settings that make no sense, a foreign
                checkpoint.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after a checkpoint was written; the model can be used.
        """
        settings = FitSettings(
            epochs=epochs,
            time_limit=time_limit,
            batch_size=batch_size,
            steps=steps,
            learning_rate=learning_rate,
            clip_norm=clip_norm,
            schedule=schedule,
            optimizer=optimizer,
            by_sentence=by_sentence,
            seed=seed,
            loss=loss,
            samples=samples,
        )
        return fit_language_model(
            self,
            text,
            validation,
            settings,
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
        )

    def evaluate(self, text: str, *, cache: Cache | Sequence[Cache] | None = None) -> scoring.TextEvaluation:
        """How well the model predicts a text; see `scoring.TextEvaluation`. Memory does not grow with T·V.

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

    def log_prob(self, sentence: str) -> scoring.SentenceScore:
        """ln P of a sentence, and of every token in it, its end included; see `scoring.SentenceScore`."""
        return scoring.log_prob(self, sentence)

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
        settings = generation.Sampling(length, temperature, top_k, top_p, seed)
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
        settings = generation.Sampling(length, temperature, top_k, top_p, seed)
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

    def stepper(self) -> AnyStepper:
        """The network with its weights packed once, for one token at a time; h is zero.

        `read(ids)` and `step(id)` give the scores o (V,) of the next token. Weights trained afterwards are
        not seen.
        """
        E, layers = self.embedding.parameters["E"], self.rnn.engine_weights()

        def packed(V: Array, c: Array) -> Stepper:
            return Stepper(E, layers, V, c)

        if isinstance(self.output, AdaptiveSoftmax):
            return AdaptiveStepper(self.output, packed)
        return packed(self.output.parameters["V"], self.output.parameters["c"])

    def context(self, text: str) -> NDArray[np.int64]:
        """The ids that stand for a text before its next token: an end of sentence, then the text's tokens.

        Where every line is a sequence of its own, only the last line counts.
        """
        if self.by_sentence:
            text = text.rpartition("\n")[2]
        if self.vocabulary.level == "subword":  # the next piece brings its own space
            text = text.rstrip(" ")
        return np.concatenate([[self.vocabulary.end_id], self.vocabulary.encode(text)]).astype(np.int64)

    def checkpoint_contents(self) -> ModelFile:
        """The model as a file holds it: kind, configuration with vocabulary, and parameters."""
        return language_model_file.contents(self, self.sizes)

    @classmethod
    def _build(cls, file: ModelFile, path: str | os.PathLike[str], **given: Any) -> LanguageModel:
        return language_model_file.build(cls, file, path)
