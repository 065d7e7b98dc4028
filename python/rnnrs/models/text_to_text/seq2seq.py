"""From texts to texts: an encoder–decoder over two vocabularies, for translation, summaries, dialogue."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from ... import modelfile
from ..._rnnrs import Decoder
from ...checks import check_size
from ...data import PairBatch
from ...decoding import greedy
from ...modelfile import ModelFile
from ...text import Vocabulary, vocabulary_from_config
from ...train import Callback, History
from ...types import Floats
from ..base.saved import constructed, sizes_of
from ..base.sums import over_time
from ..base.training import TrainedModel, TrainingOptions, TrainingSettings, train
from ..base.validation import chosen, divided, held_out_share, spread
from ..writer.evaluation import PairEvaluation
from ..writer.fitting import PairTraining
from .network import EncoderDecoder
from .pairs import PairEncoding, Pairs, check_pairs
from .steps import Seq2SeqSteps

if TYPE_CHECKING:
    from typing_extensions import Unpack

M = TypeVar("M", bound="Seq2Seq")


class Seq2Seq(TrainedModel):
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
    TRAINING: ClassVar[type[TrainingSettings]] = PairTraining

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
        self.sizes = sizes_of(locals(), "source_vocabulary", "target_vocabulary")
        op = type(self).__name__
        self.shared = target_vocabulary is None
        self.source_vocabulary = source_vocabulary
        self.target_vocabulary = source_vocabulary if target_vocabulary is None else target_vocabulary
        if copy:
            self._check_copying(op, attention, label_smoothing)
        if encoder_size is None:
            self.sizes["encoder_size"] = max(1, check_size(op, "hidden_size", hidden_size) // 2)
        self.encoding = PairEncoding(self.source_vocabulary, self.target_vocabulary, bool(copy))
        self.network = EncoderDecoder(
            len(self.source_vocabulary),
            len(self.target_vocabulary),
            op=op,
            shared=self.shared,
            unknown_id=self.target_vocabulary.unknown_id,
            **self.sizes,
        )
        self.parameters, self.gradients = self.network.parameters, self.network.gradients

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
        validation: Pairs | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        **training: Unpack[TrainingOptions],
    ) -> History:
        """Trains on pairs of texts; with validation, ends with the parameters of the lowest validation loss.

        Args:
            pairs: (source, target), in any order; those of similar length share a batch.
            validation: held-out pairs, or the share of the pairs to hold out, drawn by the seed.
            callbacks: see `rnnrs.train`.
            checkpoint: a file to resume from; written after every epoch, at the end and at Ctrl-C. The best parameters
                so far are kept next to it, in a file whose name ends with ".best".
            checkpoint_every: the steps after which it is also written.
            resume: a checkpoint to continue from, of a run with the same pairs and settings; `epochs` and `time_limit`
                count from that run's start.
            progress: whether to show progress on standard error.
            training: see below.

        Returns:
            The history of the losses.

        Raises:
            ValueError, TypeError: without pairs, for one that is not two strings, an unknown option or one out of its
                range.
            FormatError: if `resume` is not a checkpoint of such a run.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after a checkpoint was written; the model can be used.
        """
        op = f"{type(self).__name__}.fit"
        settings: PairTraining = self.settings_of(training)
        pairs, held_out = self._divided(op, pairs, validation, settings.seed)
        size, seed = settings.batch_size, settings.seed
        return train(
            self,
            self.encoding.batches(op, pairs, size, seed),
            None if held_out is None else self.encoding.batches(op, held_out, size, seed),
            settings,
            perplexity=True,
            examples=lambda: self._examples(held_out or [], settings.examples),
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
        )

    def _divided(self, op: str, pairs: Pairs, validation: Any, seed: int) -> tuple[Pairs, Pairs | None]:
        """The pairs to train on and those to validate on."""
        checked, share = check_pairs(op, pairs), held_out_share(op, validation)
        if share is None:
            return checked, None if validation is None else check_pairs(f"{op}: validation", validation)
        kept, held_out = divided(op, len(checked), share, seed, "pairs")
        return chosen(checked, kept), chosen(checked, held_out) or None

    def _examples(self, held_out: Pairs, count: int) -> list[str]:
        """What the model writes for some held-out pairs, by greedy decoding."""
        picked = [held_out[place] for place in spread(len(held_out), count)]
        steps = self.step_model([source for source, _ in picked])
        start = np.full(len(picked), steps.end_id)
        lines = []
        for b, ((source, target), found) in enumerate(
            zip(picked, greedy(steps, start, steps.end_id), strict=True)
        ):
            got = steps.text(found.tokens, b)
            lines += [f"  {source}", f"    wanted  {target}", f"    got     {got}"]
        return lines

    def evaluate(self, pairs: Pairs) -> PairEvaluation:
        """How well the model predicts the targets of pairs.

        Raises:
            ValueError, TypeError: without pairs, or for what are none.
        """
        total, tokens = 0.0, 0
        for _, batch in self.encoding.evaluation_batches(f"{type(self).__name__}.evaluate", pairs):
            total += float(self.network.losses(batch).sum(dtype=np.float64))
            tokens += batch.positions
        return PairEvaluation.likelihood(total, tokens)

    def log_prob(self, source: str, target: str) -> float:
        """ln P of a target after a source, the target's end included.

        Raises:
            TypeError: for what is no text.
        """
        return float(self.log_probs([(source, target)])[0])

    def log_probs(self, pairs: Pairs) -> Floats:
        """The same of many pairs at once (N,): to rank given targets.

        Raises:
            ValueError, TypeError: without pairs, or for what are none.
        """
        found = np.zeros(len(pairs))
        for members, batch in self.encoding.evaluation_batches(f"{type(self).__name__}.log_probs", pairs):
            found[members] = -over_time(self.network.losses(batch))
        return found

    def decoder(self) -> Decoder:
        """The decoder's weights, packed once, for several `step_model`s one after the other."""
        return self.network.packed_decoder()

    def step_model(self, sources: Sequence[str], *, decoder: Decoder | None = None) -> Seq2SeqSteps:
        """The decoder, ready to write step by step: one hypothesis for each source, nothing written yet.

        Args:
            sources: texts.
            decoder: from `decoder()`, to save packing the weights again; it serves one step model at a time.

        Raises:
            ValueError: without sources.
            TypeError: for what is no text.
        """
        op = f"{type(self).__name__}.step_model"
        return Seq2SeqSteps(self.network, self.encoding, sources, decoder or self.decoder(), op)

    def encode(self, pairs: Pairs) -> tuple[list[Any], list[Any], list[Any] | None]:
        """Ids of sources and targets, and copies or None, as `data.PairBatches` takes them."""
        return self.encoding.pairs(f"{type(self).__name__}.encode", pairs)

    def _contents(self) -> dict[str, Any]:
        target = None if self.shared else self.target_vocabulary.to_config()
        return {"source_vocabulary": self.source_vocabulary.to_config(), "target_vocabulary": target}

    @classmethod
    def _restored(cls: type[M], config: dict[str, Any], file: ModelFile, **given: Any) -> M:
        source, target = (config.pop(f"{side}_vocabulary") for side in ("source", "target"))
        read = vocabulary_from_config(source)
        written = None if target is None else vocabulary_from_config(target)
        I, H, E, layers = (
            config[name] for name in ("embedding_size", "hidden_size", "encoder_size", "layers")
        )
        modelfile.check_size(len(read) * I + layers * (H * (H + I) + 2 * E * (E + I)) // 2, file)
        return constructed(cls, config, read, written)
