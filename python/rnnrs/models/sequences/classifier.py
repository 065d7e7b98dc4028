"""A class for a whole sequence: of a time series, a text."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...data import LabeledSequences
from ...errors import ShapeError
from ...text import VOCABULARIES, Vocabulary, build_vocabulary
from ...train import Callback, History
from ...types import Array
from ..base.training import TrainingOptions
from .encoding import Sequences
from .evaluation import ClassificationEvaluation
from .sequence_model import SequenceModel

if TYPE_CHECKING:
    from typing_extensions import Unpack


class SequenceClassifier(SequenceModel):
    """P(class | sequence) = softmax(c + V y), y the pooled states of a recurrent network that has read the sequence.

    (Goodfellow, Bengio and Courville, *Deep Learning*, figure 10.5; by default from both ends, section 10.3.)

    Args:
        classes: their names.
        input_size: I, numbers in a step; they are brought to mean 0 and standard deviation 1, as in the training data.
        vocabulary: instead, of texts: see `rnnrs.text`, and `from_texts`.
        embedding_size: of a token.
        hidden_size: H, of each direction.
        cell: "rnn", "lstm" or "gru".
        layers: recurrent layers on top of each other.
        bidirectional: whether each layer reads from both ends.
        activation: of an "rnn", one of `rnnrs.nn.ACTIVATIONS`.
        pooling: what becomes of the states: "last", "mean", "max" or "attention", see `rnnrs.nn.Pooling`.
        dropout: of what goes into each recurrent layer and the output layer.
        recurrent_dropout, zoneout, weight_drop, layer_norm: of the recurrent layers, see `rnnrs.nn.Recurrent`.
        seed: of the first weights.
        dtype: float32 or float64.

    Raises:
        ValueError, TypeError: for settings that make no sense.
        MemoryError: if the weights do not fit.
    """

    KIND = "sequence_classifier"
    LABELS = "classes"
    #: The levels of the vocabulary, and the options that differ from those of its `build`.
    LEVELS: ClassVar[dict[str, dict[str, Any]]] = {level: {} for level in VOCABULARIES}
    _UNIT = "sequences"

    def __init__(
        self,
        classes: Sequence[str],
        *,
        input_size: int | None = None,
        vocabulary: Vocabulary | None = None,
        embedding_size: int = 64,
        hidden_size: int = 64,
        cell: str = "gru",
        layers: int = 1,
        bidirectional: bool = True,
        activation: str = "tanh",
        pooling: str = "last",
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_drop: float = 0.0,
        layer_norm: bool = False,
        seed: int = 0,
        dtype: DTypeLike = "float32",
    ) -> None:
        super().__init__(
            classes,
            input_size=input_size,
            vocabulary=vocabulary,
            embedding_size=embedding_size,
            hidden_size=hidden_size,
            cell=cell,
            layers=layers,
            bidirectional=bidirectional,
            activation=activation,
            pooling=pooling,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            zoneout=zoneout,
            weight_drop=weight_drop,
            layer_norm=layer_norm,
            seed=seed,
            dtype=dtype,
        )

    @classmethod
    def from_data(cls, data: LabeledSequences, **sizes: Any) -> SequenceClassifier:
        """An untrained classifier of sequences as `rnnrs.data`'s readers give them.

        Args:
            data: with labels that are classes.
            sizes: what the class takes besides: `hidden_size=128`, ….

        Raises:
            ValueError: for data without classes.
        """
        if not data.classes:
            raise ValueError("SequenceClassifier: data: expected sequences with classes, got none")
        return cls(data.classes, input_size=data.x.shape[2], **sizes)

    @classmethod
    def from_texts(
        cls,
        texts: Sequence[str],
        labels: Sequence[str],
        *,
        level: str = "char",
        vocabulary: dict[str, Any] | None = None,
        **sizes: Any,
    ) -> SequenceClassifier:
        """An untrained classifier of texts, with the vocabulary and the classes that occur.

        Args:
            texts, labels: normally those that it is then trained on; classes are sorted.
            level: "char", "word", or "subword" (needs `pip install "rnnrs[subword]"`).
            vocabulary: options of the vocabulary: `max_size`, `min_count`, `lowercase`; see `text.build_vocabulary`.
            sizes: the other arguments of the class.

        Raises:
            ValueError: for an unknown level or no text.
        """
        built = build_vocabulary(level, "\n".join(texts), vocabulary, op=f"{cls.__name__}.from_texts")
        return cls(sorted(set(labels)), vocabulary=built, **sizes)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names, in the order of the outputs."""
        return self.labels

    def fit(
        self,
        sequences: Sequences,
        labels: Sequence[Any] | Array | None = None,
        validation: tuple[Sequences, Sequence[Any] | Array] | LabeledSequences | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        **training: Unpack[TrainingOptions],
    ) -> History:
        """Trains on sequences and their classes; with validation, ends with the parameters of the lowest loss on it.

        Args:
            sequences: what `rnnrs.data`'s readers return; or N arrays (T, I), each of its own length; or N texts, or
                lists of tokens.
            labels: the class of each sequence, by name or index; those that the readers returned by default.
            validation: held-out sequences and labels, or the share of the sequences to hold out, drawn by the seed.
            callbacks: see `rnnrs.train`.
            checkpoint: a file to resume from; written after every epoch, at the end and at Ctrl-C. The best parameters
                so far are kept next to it, in a file whose name ends with ".best".
            checkpoint_every: the steps after which it is also written.
            resume: a checkpoint to continue from, of a run with the same data and settings; `epochs` and `time_limit`
                count from that run's start.
            progress: whether to show progress on standard error.
            training: see below.

        Returns:
            The history of the losses.

        Raises:
            ValueError: for a label that is not a class, a sequence without steps or with numbers that are not finite,
                an option out of its range.
            ShapeError, DTypeError, TypeError: for sequences that do not fit, named by their index; for an unknown
                option.
            FormatError: if `resume` is not a checkpoint of such a run.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after a checkpoint was written; the model can be used.
        """
        if isinstance(validation, LabeledSequences):
            validation = (validation, _own(validation))
        return self._fit(
            f"{type(self).__name__}.fit",
            sequences,
            _own(sequences) if labels is None else labels,
            validation,
            training,
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
        )

    def predict_log_proba(self, sequences: Sequences) -> Array:
        """ln P(class) (N, K) of N sequences.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for sequences that do not fit; named by their place.
        """
        encoded = self._encode(sequences)
        result = np.zeros((len(encoded), len(self.classes)), self.parameters.dtype)
        for members, _, log_p in self._log_probabilities(encoded):
            result[members] = log_p
        return result

    def predict_proba(self, sequences: Sequences) -> Array:
        """P(class) (N, K) of N sequences; each row adds up to 1."""
        return np.exp(self.predict_log_proba(sequences))

    def predict(self, sequences: Sequences) -> list[str]:
        """The likeliest class of each sequence, by name."""
        return [self.classes[k] for k in self.predict_log_proba(sequences).argmax(axis=1)]

    def evaluate(
        self, sequences: Sequences, labels: Sequence[Any] | Array | None = None
    ) -> ClassificationEvaluation:
        """How well the model does on sequences whose classes are known; arguments as in `fit`.

        Raises:
            ValueError: without sequences, or for a label that is no class.
            ShapeError, DTypeError, TypeError: for sequences that do not fit.
        """
        log_p = self.predict_log_proba(sequences)
        known = self._targets(sequences, _own(sequences) if labels is None else labels, log_p)
        if not len(known):
            raise ValueError("SequenceClassifier: sequences: expected at least one, got none")
        confusion = np.zeros((len(self.classes),) * 2, np.int64)
        np.add.at(confusion, (known, log_p.argmax(axis=1)), 1)
        loss = -float(np.mean(log_p[np.arange(len(known)), known], dtype=np.float64))
        return ClassificationEvaluation(self.classes, confusion, loss)

    def _targets(self, sequences: Sequences, labels: Any, encoded: Any) -> NDArray[np.int64]:
        if isinstance(sequences, LabeledSequences) and sequences.classes not in ((), self.classes):
            raise ValueError(
                f"SequenceClassifier: sequences: expected the classes {', '.join(self.classes)}, "
                f"got {', '.join(sequences.classes)}"
            )
        places = self._labels.encode(labels)
        if len(places) != len(encoded):
            raise ShapeError(
                f"SequenceClassifier: labels: expected one for each of {len(encoded)} sequences, got {len(places)}"
            )
        return places


def _own(sequences: Sequences) -> Any:
    """The labels that come with the sequences."""
    if not isinstance(sequences, LabeledSequences) or sequences.labels is None or not sequences.classes:
        raise ValueError("SequenceClassifier: labels: expected one for each sequence, got none")
    return sequences.labels
