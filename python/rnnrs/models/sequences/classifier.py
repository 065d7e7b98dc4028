"""A class for a whole sequence: of a time series, a text."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...data import LabeledSequences
from ...errors import ShapeError
from ...text import CharVocabulary, SubwordVocabulary, Vocabulary, WordVocabulary
from ...types import Array
from ..base.training import TrainingSettings
from .encoding import Sequences
from .sequence_model import SequenceModel

if TYPE_CHECKING:
    from ...train import Callback, History


_VOCABULARIES: dict[str, Any] = {"char": CharVocabulary, "word": WordVocabulary, "subword": SubwordVocabulary}


@dataclass(frozen=True)
class Classification:
    """How well labels were predicted.

    Attributes:
        classes: the labels' names.
        confusion: (K, K), how often a label of the row was taken for that of the column.
        loss: the mean of −ln P(right label), in nats.
    """

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    loss: float

    @property
    def count(self) -> int:
        """How many labels were judged."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """The share of right ones, 0..1."""
        return float(np.trace(self.confusion)) / self.count

    @property
    def recall(self) -> Array:
        """(K,): of each class's own, the share that was found; NaN for a class that does not occur."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=1))

    @property
    def precision(self) -> Array:
        """(K,): of what was taken for each class, the share that was right; NaN for one that was never predicted."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def macro_f1(self) -> float:
        """The mean over the classes that occur of 2 TP / (2 TP + FP + FN), 0..1."""
        both = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        there = self.confusion.sum(axis=1) > 0
        return float(np.mean((2 * np.diag(self.confusion))[there] / both[there]))


def _ratio(above: Array, below: Array) -> Array:
    return np.where(below > 0, above / np.maximum(below, 1), np.nan)


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
            vocabulary: options of the vocabulary's `build`.
            sizes: what the class takes besides.

        Raises:
            ValueError: for an unknown level or no text.
        """
        if level not in _VOCABULARIES:
            known = ", ".join(_VOCABULARIES)
            raise ValueError(f"SequenceClassifier: level: expected one of {known}, got {level!r}")
        built = _VOCABULARIES[level].build("\n".join(texts), **(vocabulary or {}))
        return cls(sorted(set(labels)), vocabulary=built, **sizes)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names, in the order of the outputs."""
        return self.labels

    def fit(
        self,
        sequences: Sequences,
        labels: Sequence[Any] | Array | None = None,
        *,
        validation: tuple[Sequences, Sequence[Any] | Array] | LabeledSequences | None = None,
        epochs: int | None = None,
        time_limit: float | None = None,
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        clip_norm: float | None = 1.0,
        schedule: str = "cosine",
        optimizer: str = "adam",
        seed: int = 0,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> History:
        """Trains on sequences and their classes.

        Args:
            sequences: what `rnnrs.data`'s readers give; or N arrays (T, I), each of its own length; or N texts, or
                lists of tokens.
            labels: the class of each, by name or place; those that the readers gave by default.
            validation: held-out sequences and labels, to measure the loss on after every epoch.
            epochs, time_limit, batch_size, learning_rate, clip_norm, schedule, optimizer, seed: see
                `models.base.training.TrainingSettings`.
            callbacks: see `rnnrs.train`.
            checkpoint: a file that training can be resumed from; written at every epoch's end and at Ctrl-C.
            checkpoint_every: and after so many steps.
            resume: a checkpoint to go on from, of the same data and settings; bounds count from its beginning.
            progress: whether to show a bar.

        Returns:
            The history of the losses.

        Raises:
            ValueError: for a label that is no class, a sequence without steps or with numbers that are not finite,
                settings that make no sense, a foreign checkpoint.
            ShapeError, DTypeError, TypeError: for sequences that do not fit; named by their place.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after a checkpoint was written; the model can be used.
        """
        settings = TrainingSettings(
            epochs=epochs,
            time_limit=time_limit,
            batch_size=batch_size,
            learning_rate=learning_rate,
            clip_norm=clip_norm,
            schedule=schedule,
            optimizer=optimizer,
            seed=seed,
        )
        if isinstance(validation, LabeledSequences):
            validation = (validation, _own(validation))
        return self._fit(
            sequences,
            _own(sequences) if labels is None else labels,
            validation,
            settings,
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

    def evaluate(self, sequences: Sequences, labels: Sequence[Any] | Array | None = None) -> Classification:
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
        return Classification(self.classes, confusion, loss)

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
