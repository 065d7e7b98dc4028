"""From texts to texts: an encoder–decoder over two vocabularies, for translation, summaries, dialogue."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..._rnnrs import Decoder
from ...data import PairBatch
from ...modelfile import ModelFile
from ...nn import Parameters
from ...text import Vocabulary
from ..base.saved import SavedModel
from ..writer.fitting import PairSettings, fit_pairs
from . import seq2seq_file
from .network import EncoderDecoder
from .pairs import Pairs, encode_pairs, evaluation_batches
from .steps import Seq2SeqSteps

if TYPE_CHECKING:
    from ...train import Callback, History

M = TypeVar("M", bound="Seq2Seq")


@dataclass(frozen=True)
class PairEvaluation:
    """How well a model predicts the targets of pairs.

    Attributes:
        loss: the mean of −ln P over the targets' tokens, ends included.
        perplexity: e to that.
        tokens: how many they were.
    """

    loss: float
    perplexity: float
    tokens: int


class Seq2Seq(SavedModel):
    """P(target | source) = Π_t P(w_t | w_1 … w_{t−1}, source): an encoder reads a text, a decoder writes one.

    The network is `EncoderDecoder`: an encoder of both directions, a decoder that begins with what the encoder has
    come to, attention over all of the encoder's states. A target ends with its vocabulary's `end`, and so does a
    source.

    Args:
        source_vocabulary: of what is read.
        target_vocabulary: of what is written; None: the same, with one embedding for both.
        cell: "gru", "lstm" or "rnn".
        embedding_size: I.
        hidden_size: H of the decoder's layers.
        encoder_size: H of each direction of the encoder's layers; by default half of the decoder's.
        layers: of each of the two networks.
        attention: "general", "dot" or "additive", see `nn.Attention`; None: the decoder knows of the source only what
            its first state holds.
        copy: whether words of the source, known or not, may be copied (See, Liu and Manning 2017). Needs attention, and
            vocabularies of words or characters.
        dropout: with which probability, in training, a number is dropped on its way into a recurrent or the output
            layer.
        recurrent_dropout: of the recurrent layers, see `nn.Recurrent`.
        label_smoothing: ε, see `losses.SoftmaxCrossEntropy`; in training only, and not with `copy`.
        tied: whether the output layer's V is the target's embedding; ĥ is then of its size.
        seed: of the first weights.
        dtype: float32 or float64.

    Attributes:
        source_vocabulary, target_vocabulary: as given.
        network: the `EncoderDecoder`.
        parameters, gradients: of the network.
        settings: what `fit` was last told, kept in the model's file; None before.

    Raises:
        ValueError, TypeError: for settings out of their range or that do not go together.
        MemoryError: if the weights do not fit.
    """

    #: What the file is called; an application that is an encoder–decoder has a kind of its own.
    KIND: ClassVar[str] = "seq2seq"

    def __init__(
        self,
        source_vocabulary: Vocabulary,
        target_vocabulary: Vocabulary | None = None,
        *,
        cell: str = "gru",
        embedding_size: int = 256,
        hidden_size: int = 512,
        encoder_size: int | None = None,
        layers: int = 1,
        attention: str | None = "general",
        copy: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        label_smoothing: float = 0.0,
        tied: bool = False,
        seed: int = 0,
        dtype: DTypeLike = "float32",
    ) -> None:
        op = type(self).__name__
        self.shared = target_vocabulary is None
        self.source_vocabulary = source_vocabulary
        self.target_vocabulary = source_vocabulary if target_vocabulary is None else target_vocabulary
        if copy:
            self._check_copying(op, attention, label_smoothing)
        if encoder_size is None and isinstance(hidden_size, int):
            encoder_size = max(1, hidden_size // 2)
        #: What the model was made with, besides the vocabularies.
        self.sizes: dict[str, Any] = {
            "cell": cell,
            "embedding_size": embedding_size,
            "hidden_size": hidden_size,
            "encoder_size": encoder_size,
            "layers": layers,
            "attention": attention,
            "copy": bool(copy),
            "dropout": dropout,
            "recurrent_dropout": recurrent_dropout,
            "label_smoothing": label_smoothing,
            "tied": bool(tied),
            "seed": seed,
            "dtype": str(np.dtype(dtype)),
        }
        self.network = EncoderDecoder(
            len(self.source_vocabulary),
            len(self.target_vocabulary),
            shared=self.shared,
            unknown_id=self.target_vocabulary.unknown_id,
            **self.sizes,
        )
        self.settings: PairSettings | None = None

    def _check_copying(self, op: str, attention: str | None, label_smoothing: float) -> None:
        if attention is None:
            raise ValueError(f"{op}: copy: expected attention, by which words are copied, got None")
        if label_smoothing:
            raise ValueError(
                f"{op}: label_smoothing: expected 0 where words are copied, got {label_smoothing}"
            )
        for vocabulary in (self.source_vocabulary, self.target_vocabulary):
            if vocabulary.level == "subword":
                raise ValueError(
                    f"{op}: copy: expected vocabularies of words or characters, got one of subwords, "
                    "in which every word can be spelled"
                )

    @property
    def parameters(self) -> Parameters:
        """θ"""
        return self.network.parameters

    @property
    def gradients(self) -> Parameters:
        """∂L/∂θ"""
        return self.network.gradients

    @property
    def stochastic(self) -> bool:
        """Whether `loss` takes noise: whether there is dropout of any kind."""
        return self.network.stochastic

    def loss(
        self, batch: PairBatch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, None]:
        """The mean of −ln P over a batch's words, in nats, and, added to `gradients`, its gradient.

        Args:
            batch: see `data.PairBatch`; with `copies` where words are copied.
            state: of no effect; for the `Trainer`.
            gradient: whether the way back is wanted. Without it, labels are not smoothed.
            noise: from which dropout is drawn, see `rnnrs.nn.noise`; None for none.

        Raises:
            IndexError: for an id that is not of its vocabulary.
            ShapeError: if the shapes do not belong together.
        """
        return self.network.loss(batch, gradient=gradient, noise=noise)

    def fit(
        self,
        pairs: Pairs,
        validation: Pairs | None = None,
        *,
        epochs: int | None = None,
        time_limit: float | None = None,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        clip_norm: float | None = 1.0,
        schedule: str = "cosine",
        optimizer: str = "adam",
        patience: int | None = None,
        seed: int = 0,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> History:
        """Trains on pairs of texts.

        Args:
            pairs: (source, target), in any order; those of like lengths share a batch.
            validation: to measure the loss on after every epoch.
            epochs, time_limit, batch_size, learning_rate, clip_norm, schedule, optimizer, seed: see `TrainingSettings`.
            patience: after how many validations in a row without a lower loss to stop; None: never.
            callbacks: see `rnnrs.train`; a `BestCheckpoint` keeps the model of the lowest validation loss.
            checkpoint: a file that training can be resumed from; written at every epoch's end and at Ctrl-C.
            checkpoint_every: and after so many steps.
            resume: a checkpoint to go on from. Pairs and settings must be those of its run; `epochs` and `time_limit`
                count from its beginning.
            progress: whether to show a bar.

        Returns:
            The history of the losses.

        Raises:
            ValueError, TypeError: without pairs, for what are none, settings that make no sense, a foreign checkpoint.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after a checkpoint was written; the model can be used.
        """
        settings = PairSettings(
            epochs=epochs,
            time_limit=time_limit,
            batch_size=batch_size,
            learning_rate=learning_rate,
            clip_norm=clip_norm,
            schedule=schedule,
            optimizer=optimizer,
            patience=patience,
            seed=seed,
        )
        return fit_pairs(
            self,
            pairs,
            validation,
            settings,
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
        )

    def evaluate(self, pairs: Pairs) -> PairEvaluation:
        """How well the model predicts the targets of pairs.

        Raises:
            ValueError, TypeError: without pairs, or for what are none.
        """
        total, tokens = 0.0, 0
        for _, batch in evaluation_batches(self, pairs):
            total += float(self.network.losses(batch).sum(dtype=np.float64))
            tokens += batch.positions
        return PairEvaluation(total / tokens, float(np.exp(total / tokens)), tokens)

    def log_prob(self, source: str, target: str) -> float:
        """ln P of a target after a source, the target's end included.

        Raises:
            TypeError: for what is no text.
        """
        return float(self.log_probs([(source, target)])[0])

    def log_probs(self, pairs: Pairs) -> NDArray[np.float64]:
        """The same of many pairs at once (N,): to rank given targets.

        Raises:
            ValueError, TypeError: without pairs, or for what are none.
        """
        found = np.zeros(len(pairs))
        for members, batch in evaluation_batches(self, pairs):
            found[members] = -self.network.losses(batch).sum(axis=0, dtype=np.float64)
        return found

    def decoder(self) -> Decoder:
        """The decoder's weights, packed once, for several `step_model`s one after the other."""
        return self.network.stepper()

    def step_model(self, sources: Sequence[str], *, decoder: Decoder | None = None) -> Seq2SeqSteps:
        """The decoder, ready to write step by step: one hypothesis for each source, nothing written yet.

        Args:
            sources: texts.
            decoder: from `decoder()`, to save packing the weights again; it serves one step model at a time.

        Raises:
            ValueError: without sources.
            TypeError: for what is no text.
        """
        return Seq2SeqSteps(self, sources, decoder or self.decoder())

    def encode(self, pairs: Pairs) -> tuple[list[Any], list[Any], list[Any] | None]:
        """Ids of sources and targets, and copies or None, as `data.PairBatches` takes them."""
        return encode_pairs(self, pairs)

    def checkpoint_contents(self) -> ModelFile:
        """The model as a file holds it: kind, configuration with vocabularies, and parameters."""
        return seq2seq_file.contents(self)

    @classmethod
    def _build(cls: type[M], file: ModelFile, path: str | os.PathLike[str], **given: Any) -> M:
        return seq2seq_file.build(cls, file, path)
