"""An encoder–decoder over two vocabularies, from texts to texts: for translation, summaries and dialogue."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from ... import modelfile
from ..._rnnrs import Decoder
from ...checks import check_size, check_text
from ...data import PairBatch
from ...decoding import greedy
from ...modelfile import ModelFile
from ...nn.guarded import reading
from ...text import Vocabulary, vocabulary_from_config
from ...train import Callback, Communicator, History
from ...types import Floats, Ids
from ..base.saved import constructed, sizes_of
from ..base.sums import over_time
from ..base.training import TrainedModel, TrainingOptions, TrainingSettings, train
from ..base.validation import chosen, divided, held_out_share, spread
from ..writer.evaluation import PairEvaluation
from ..writer.examples import example_lines
from .fitting import PairTraining
from .network import EncoderDecoder
from .pairs import PairEncoding, Pairs, check_pairs
from .steps import Seq2SeqSteps

if TYPE_CHECKING:
    from typing_extensions import Unpack

M = TypeVar("M", bound="Seq2Seq")


class Seq2Seq(TrainedModel):
    """P(target | source) = Π_t P(w_t | w_1 … w_{t−1}, source): an encoder reads a text, a decoder writes one.

    The network is `EncoderDecoder`: a bidirectional encoder, a decoder whose initial state is computed from
    the encoder's last states, and attention to all states of the encoder. Source and target both end with the
    end token of their vocabulary.

    Args:
        source_vocabulary: the vocabulary of the sources.
        target_vocabulary: the vocabulary of the targets; None: the same, with one embedding for both.
        cell: "gru", "lstm" or "rnn".
        embedding_size: I.
        hidden_size: H of the decoder's layers.
        encoder_size: H of each direction of the encoder's layers; by default half of the decoder's.
        layers: the number of layers, of each of the two networks.
        attention: "general", "dot" or "additive", see `nn.Attention`; None: the decoder's initial state is
            all that it knows of the source.
        copy: whether words of the source, known or not, may be copied (See, Liu and Manning 2017). Requires
            attention, and vocabularies of words or characters.
        dropout: the dropout rate of the inputs of the recurrent layers and of the output layer.
        recurrent_dropout: the dropout rate of the recurrent layers, see `nn.Recurrent`.
        label_smoothing: ε, see `losses.SoftmaxCrossEntropy`; in training only, and not with `copy`.
        tied: whether the output layer's V is the target embedding; ĥ then has the embedding's size.
        seed: the seed of the initial weights.
        dtype: float32 or float64.

    Attributes:
        source_vocabulary, target_vocabulary: as given.
        network: the `EncoderDecoder`.
        parameters, gradients: those of the network.
        settings: the settings of the last `fit`, which the model's file holds; None before the first.

    Raises:
        ValueError, TypeError: for options out of range, or that exclude each other.
        MemoryError: if the weights do not fit into memory.

    Example:
        >>> from rnnrs.models import Seq2Seq
        >>> from rnnrs.text import CharVocabulary
        >>> model = Seq2Seq(CharVocabulary.build("abc"), embedding_size=8, hidden_size=16)
        >>> pairs = [("ab", "ba"), ("bc", "cb"), ("ca", "ac")]
        >>> history = model.fit(pairs, epochs=30, learning_rate=0.03, progress=False)
        >>> model.log_prob("bc", "cb") > model.log_prob("bc", "bc")
        True
    """

    #: The kind of the model's files; every application that is an encoder–decoder has its own.
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
        """Checks the options of a model that copies words.

        Raises:
            ValueError: if they exclude copying.
        """
        if attention is None:
            raise ValueError(f"{op}: copy: expected attention, which copying requires, got None")
        if label_smoothing:
            raise ValueError(
                f"{op}: label_smoothing: expected 0 for a model that copies words, got {label_smoothing}"
            )
        for vocabulary in (self.source_vocabulary, self.target_vocabulary):
            if vocabulary.level == "subword":
                raise ValueError(
                    f"{op}: copy: expected vocabularies of words or characters, got one of subwords, "
                    "which can spell every word"
                )

    @property
    def stochastic(self) -> bool:
        """Whether `loss` uses noise, that is, whether there is dropout."""
        return self.network.stochastic

    def loss(
        self, batch: PairBatch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, None]:
        """Returns the mean of −ln P over a batch's words, in nats, and adds its gradient to `gradients`.

        Args:
            batch: see `data.PairBatch`; with `copies` if the model copies words.
            state: unused; present for the `Trainer`.
            gradient: whether to compute gradients. Without it, labels are not smoothed.
            noise: the number that dropout masks are derived from, see `rnnrs.nn.noise`; None: no dropout.

        Raises:
            IndexError: for an id that its vocabulary lacks.
            ShapeError: if the shapes do not match.
        """
        return self.network.loss(batch, gradient=gradient, noise=noise)

    def fit(
        self,
        pairs: Pairs,
        validation: Pairs | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | str | None = "5m",
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        communicator: Communicator | None = None,
        **training: Unpack[TrainingOptions],
    ) -> History:
        """Trains on pairs of texts; with validation, ends with the parameters of the lowest validation loss.

        Args:
            pairs: (source, target), in any order; pairs of similar length share a batch.
            validation: held-out pairs, or the share of the pairs to hold out, sampled by the seed.
            callbacks: see `rnnrs.train`.
            checkpoint: a file to resume from, written after every epoch, at the end, and at Ctrl-C, SIGTERM
                and SIGHUP. It can be loaded as a model. An existing file is replaced.
            checkpoint_every: when it is also written: after a number of steps, or a time such as "5m".
            resume: a checkpoint to continue from, of a run with the same pairs and settings; `epochs`,
                `time_limit` and `patience` may change, and count from that run's start.
            progress: whether to show progress on standard error.
            communicator: the processes that train together, such as `mpi4py.MPI.COMM_WORLD`; see `Trainer`.
            training: see below.

        Returns:
            The history of the losses.

        Raises:
            ValueError, TypeError: without pairs, for a pair that is not two strings, and for an option that
                is unknown or out of range.
            FormatError: if `resume` is not a checkpoint of such a run.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after the checkpoint was written; the model can be used.
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
            communicator=communicator,
        )

    def _checked(self, op: str, pairs: Any) -> list[tuple[str, str]]:
        """Returns the pairs that can be trained on."""
        return check_pairs(op, pairs)

    def _divided(self, op: str, pairs: Pairs, validation: Any, seed: int) -> tuple[Pairs, Pairs | None]:
        """Returns the pairs for training and those for validation."""
        checked, share = self._checked(op, pairs), held_out_share(op, validation)
        if share is None:
            return checked, None if validation is None else self._checked(f"{op}: validation", validation)
        kept, held_out = divided(op, len(checked), share, seed, "pairs")
        return chosen(checked, kept), chosen(checked, held_out) or None

    def _examples(self, held_out: Pairs, count: int) -> list[str]:
        """Returns the lines of `fit(examples=…)`: outputs for some held-out pairs, by greedy decoding."""
        picked = [held_out[place] for place in spread(len(held_out), count)]
        steps = self.step_model([source for source, _ in picked])
        written = greedy(steps, np.full(len(picked), steps.end_id), steps.end_id)
        lines = []
        for b, ((source, target), found) in enumerate(zip(picked, written, strict=True)):
            lines += example_lines(source, target, steps.text(found.tokens, b))
        return lines

    @reading
    def evaluate(self, pairs: Pairs) -> PairEvaluation:
        """Computes the likelihood of the targets of pairs.

        Raises:
            ValueError, TypeError: without pairs, or for a pair that is not two strings.
        """
        return self._likelihood(f"{type(self).__name__}.evaluate", pairs)

    def _likelihood(self, op: str, pairs: Pairs) -> PairEvaluation:
        total, tokens = 0.0, 0
        for batch in self.encoding.evaluation_batches(op, pairs):
            total += float(self.network.losses(batch).sum(dtype=np.float64))
            tokens += batch.positions
        return PairEvaluation.likelihood(total, tokens)

    @reading
    def log_prob(self, source: str, target: str) -> float:
        """Returns ln P of a target given its source, including the target's end.

        Raises:
            TypeError: if one of them is not a string.
        """
        op = f"{type(self).__name__}.log_prob"
        return float(
            self.log_probs([(check_text(op, "source", source), check_text(op, "target", target))])[0]
        )

    @reading
    def log_probs(self, pairs: Pairs) -> Floats:
        """Returns `log_prob` of several pairs (N,), for ranking given targets.

        Raises:
            ValueError, TypeError: without pairs, or for a pair that is not two strings.
        """
        op = f"{type(self).__name__}.log_probs"
        pairs = check_pairs(op, pairs)
        found = np.zeros(len(pairs))
        for batch in self.encoding.evaluation_batches(op, pairs):
            found[batch.keys] = -over_time(self.network.losses(batch))
        return found

    @reading
    def decoder(self) -> Decoder:
        """Packs the decoder's weights, for several step models in turn."""
        return self.network.packed_decoder()

    @reading
    def step_model(self, sources: Sequence[str], *, decoder: Decoder | None = None) -> Seq2SeqSteps:
        """Returns the decoder before its first step, with an empty hypothesis for each source.

        Args:
            sources: the texts.
            decoder: a result of `decoder()`, to save packing the weights again; it serves one step model at a
                time.

        Raises:
            ValueError: without sources.
            TypeError: for a source that is not a string.

        Example:
            >>> from rnnrs.decoding import greedy
            >>> steps = model.step_model(["ab", "bc"])  # doctest: +SKIP
            >>> first, second = greedy(steps, [steps.end_id] * 2, steps.end_id)  # doctest: +SKIP
            >>> steps.text(first.tokens, 0)  # doctest: +SKIP
            'ba'
        """
        op = f"{type(self).__name__}.step_model"
        return Seq2SeqSteps(self.network, self.encoding, sources, decoder or self.decoder(), op)

    def encode(self, pairs: Pairs) -> tuple[list[Ids], list[Ids], list[Ids] | None]:
        """Encodes pairs as `data.PairBatches` accepts them.

        Returns:
            The ids of the sources and of the targets; the sources' words as copies if the model copies words,
            else None.

        Raises:
            ValueError, TypeError: without pairs, or for a pair that is not two strings.
        """
        return self.encoding.pairs(f"{type(self).__name__}.encode", pairs)

    def _contents(self) -> dict[str, Any]:
        target = None if self.shared else self.target_vocabulary.to_config()
        return {"source_vocabulary": self.source_vocabulary.to_config(), "target_vocabulary": target}

    @classmethod
    def _restored(cls: type[M], config: dict[str, Any], file: ModelFile, **given: Any) -> M:
        return constructed(cls, config, *restored_vocabularies(config, file))


def restored_vocabularies(config: dict[str, Any], file: ModelFile) -> tuple[Vocabulary, Vocabulary | None]:
    """Removes the vocabularies of source and target from the configuration of a file, and returns them.

    Raises:
        FormatError: for a damaged vocabulary, or sizes that do not match the file's.
    """
    source, target = (config.pop(f"{side}_vocabulary") for side in ("source", "target"))
    read = vocabulary_from_config(source)
    written = None if target is None else vocabulary_from_config(target)
    I, H, E, layers = (config[name] for name in ("embedding_size", "hidden_size", "encoder_size", "layers"))
    modelfile.check_size(len(read) * I + layers * (H * (H + I) + 2 * E * (E + I)) // 2, file)
    return read, written


def check_arguments(op: str, names: Iterable[str]) -> None:
    """Checks that `Seq2Seq` has keyword arguments of these names.

    Raises:
        TypeError: if it lacks one.
    """
    known = [p.name for p in signature(Seq2Seq).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for name in names:
        if name not in known:
            raise TypeError(f"{op}: unexpected argument {name!r}; expected {', '.join(known)}")
