"""Classification of whole sequences, for example of time series or texts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...data import LabeledSequences, frames
from ...errors import ShapeError
from ...nn.guarded import reading
from ...text import VOCABULARIES, Vocabulary, build_vocabulary
from ...train import Callback, Communicator, History
from ...types import Array
from ..base.answers import answers
from ..base.training import TrainingOptions
from .encoding import Label, Sequences
from .evaluation import ClassificationEvaluation
from .sequence_model import SequenceModel

if TYPE_CHECKING:
    from typing_extensions import Unpack


class SequenceClassifier(SequenceModel):
    """A classifier of sequences: P(class | sequence) = softmax(c + V y).

    y is the pooled states of a recurrent network (Goodfellow, Bengio and Courville, *Deep Learning*, figure
    10.5); by default, the network is bidirectional (section 10.3).

    Args:
        classes: the classes' names: texts, whole numbers or bools.
        input_size: I, the number of values per step. They are standardized by mean and standard deviation of
            the training data.
        vocabulary: the vocabulary of texts, instead of `input_size`: see `rnnrs.text` and `from_texts`.
        embedding_size: the size of a token's embedding.
        hidden_size: H, of each direction.
        cell: "rnn", "lstm" or "gru".
        layers: the number of recurrent layers.
        bidirectional: whether each layer is bidirectional.
        activation: activation of an "rnn", one of `rnnrs.nn.ACTIVATIONS`.
        pooling: the reduction of the states to one vector: "last", "mean", "max" or "attention", see
            `rnnrs.nn.Pooling`.
        dropout: dropout rate of the input of each recurrent layer and of the output layer.
        recurrent_dropout, zoneout, weight_drop, layer_norm: of the recurrent layers, see
            `rnnrs.nn.Recurrent`.
        seed: seed of the initial weights.
        dtype: float32 or float64.

    Attributes:
        classes: the classes' names, in the order of the outputs.
        vocabulary: the vocabulary of texts; None for rows of numbers.
        network: the `RecurrentNetwork`.
        parameters, gradients: of the network.

    Raises:
        ValueError, TypeError: for invalid settings.
        MemoryError: if the weights do not fit in memory.

    Example:
        >>> draw = np.random.default_rng(0)
        >>> sequences = [draw.standard_normal((length, 2)) for length in draw.integers(3, 10, 80)]
        >>> labels = ["up" if x[-1, 0] > 0 else "down" for x in sequences]
        >>> model = SequenceClassifier(["down", "up"], input_size=2, hidden_size=16)
        >>> history = model.fit(sequences, labels, epochs=20, learning_rate=0.01, progress=False)
        >>> bool(model.evaluate(sequences, labels).accuracy > 0.9)
        True
        >>> model.predict([[[0.3, 0.1], [2.5, 0.0]], [[-2.5, 0.0]]])
        ['up', 'down']
    """

    KIND = "sequence_classifier"
    LABELS = "classes"
    #: The levels of the vocabulary, and the options that differ from those of its `build`.
    LEVELS: ClassVar[dict[str, dict[str, Any]]] = {level: {} for level in VOCABULARIES}
    _UNIT = "sequences"

    def __init__(
        self,
        classes: Sequence[Label] | Array,
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
        """Returns an untrained classifier of sequences that a reader of `rnnrs.data` returned.

        Args:
            data: sequences with classes.
            sizes: the other arguments of the class: `hidden_size=128`, ….

        Raises:
            ValueError: for data without classes.
        """
        if not data.classes:
            raise ValueError(f"{cls.__name__}.from_data: data: expected sequences with classes, got none")
        return cls(data.classes, input_size=data.x.shape[2], **sizes)

    @classmethod
    def from_texts(
        cls,
        texts: Sequence[str],
        labels: Sequence[Label] | Array,
        *,
        level: str = "char",
        vocabulary: dict[str, Any] | None = None,
        **sizes: Any,
    ) -> SequenceClassifier:
        """Returns an untrained classifier of texts, with the vocabulary of these texts and the sorted labels.

        Args:
            texts, labels: usually the training data.
            level: "char", "word", "subword" (needs `pip install "rnnrs[subword]"`), or "token" for texts that
                come in tokens separated by white space.
            vocabulary: options of the vocabulary: `max_size`, `min_count`, `lowercase`; see
                `text.build_vocabulary`.
            sizes: the other arguments of the class.

        Raises:
            ValueError: for an unknown level, or without text.

        Example:
            >>> model = SequenceClassifier.from_texts(["ping", "pong"], ["i", "o"], hidden_size=8)
            >>> history = model.fit(["ping", "pong"], ["i", "o"], epochs=1, progress=False)
            >>> model.predict_proba(["pang", "pung", "ping"]).shape
            (3, 2)
        """
        op = f"{cls.__name__}.from_texts"
        texts, classes = frames.listed(op, "texts", texts), frames.listed(op, "labels", labels)
        built = build_vocabulary(level, "\n".join(texts), vocabulary, op=op)
        ordered = sorted(set(classes), key=lambda name: (type(name).__name__, name))
        return cls(ordered, vocabulary=built, **sizes)

    @property
    def classes(self) -> tuple[Label, ...]:
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
        checkpoint_every: int | str | None = "5m",
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        communicator: Communicator | None = None,
        **training: Unpack[TrainingOptions],
    ) -> History:
        """Trains on sequences and their classes.

        With validation, the model ends with the parameters of the lowest validation loss.

        Args:
            sequences: the result of a reader of `rnnrs.data`; or N arrays or tables (T, I), each of its own
                length; or N texts, or lists of tokens. The model remembers the names of a table's columns
                and finds them by these names in later tables, in any order.
            labels: the class of each sequence, by name or index: a list, an array, or a column of a table.
                By default the labels that the reader returned.
            validation: held-out sequences and labels, or the share of the sequences to hold out at random.
            callbacks: see `rnnrs.train`.
            checkpoint: a file to resume from, written after every epoch, at the end, and at Ctrl-C, SIGTERM
                and SIGHUP. It can be loaded as a model. An existing file is replaced.
            checkpoint_every: when it is also written: after a number of steps, or a time such as "5m".
            resume: a checkpoint to continue from, of a run with the same data and settings; `epochs`,
                `time_limit` and `patience` may change, and count from that run's start.
            progress: whether to show progress on standard error.
            communicator: the processes that train together, such as `mpi4py.MPI.COMM_WORLD`; see `Trainer`.
            training: see below.

        Returns:
            The history of the losses.

        Raises:
            ValueError: for a label that is not a class; for a sequence without steps, with numbers that are
                not finite, with other columns, or with dates that go backward; for labels whose index is not
                that of the sequences; for an option outside its range.
            ShapeError, DTypeError, TypeError: for an invalid sequence, named by its index; for an unknown
                option.
            FormatError: if `resume` is not a checkpoint of such a run.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after a checkpoint was written; the model can be used.
        """
        op = f"{type(self).__name__}.fit"
        if isinstance(validation, LabeledSequences):
            validation = (validation, _own(f"{op}: validation", validation))
        return self._fit(
            op,
            sequences,
            _own(op, sequences) if labels is None else labels,
            validation,
            training,
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
            communicator=communicator,
        )

    @answers
    def predict_log_proba(self, sequences: Sequences) -> Array:
        """Returns ln P(class) (N, K) of N sequences.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for an invalid sequence, named by its index.
        """
        return self._log_proba(f"{type(self).__name__}.predict_log_proba", sequences)

    def _log_proba(self, op: str, sequences: Sequences) -> Array:
        encoded = self._encode(op, sequences)
        result = np.zeros((len(encoded), len(self.classes)), self.parameters.dtype)
        for members, _, log_p in self._log_probabilities(op, encoded):
            result[members] = log_p
        return result

    @answers
    def predict_proba(self, sequences: Sequences) -> Array:
        """Returns P(class) (N, K) of N sequences; each row has the sum 1.

        Raises:
            As `predict_log_proba`.
        """
        return np.exp(self._log_proba(f"{type(self).__name__}.predict_proba", sequences))

    @answers
    def predict(self, sequences: Sequences) -> list[Label]:
        """Returns the name of the likeliest class of each sequence.

        Raises:
            As `predict_log_proba`.
        """
        log_p = self._log_proba(f"{type(self).__name__}.predict", sequences)
        return [self.classes[k] for k in log_p.argmax(axis=1)]

    @reading
    def evaluate(
        self, sequences: Sequences, labels: Sequence[Any] | Array | None = None
    ) -> ClassificationEvaluation:
        """Compares the model's predictions with known classes.

        Args:
            sequences, labels: see `fit`.

        Raises:
            ValueError: without sequences, or for a label that is not a class.
            ShapeError, DTypeError, TypeError: for an invalid sequence, named by its index.
        """
        op = f"{type(self).__name__}.evaluate"
        log_p = self._log_proba(op, sequences)
        known = self._targets(op, sequences, _own(op, sequences) if labels is None else labels, log_p)
        if not len(known):
            raise ValueError(f"{op}: sequences: expected at least one, got none")
        confusion = np.zeros((len(self.classes),) * 2, np.int64)
        np.add.at(confusion, (known, log_p.argmax(axis=1)), 1)
        loss = -float(np.mean(log_p[np.arange(len(known)), known], dtype=np.float64))
        return ClassificationEvaluation(self.classes, confusion, loss)

    def _targets(self, op: str, sequences: Sequences, labels: Any, encoded: Any) -> NDArray[np.int64]:
        frames.check_same_index(op, ("sequences", sequences), ("labels", labels))
        known = tuple(map(str, self.classes))
        if isinstance(sequences, LabeledSequences) and sequences.classes not in ((), known):
            raise ValueError(
                f"{op}: sequences: expected the classes {', '.join(known)}, got {', '.join(sequences.classes)}"
            )
        if isinstance(sequences, LabeledSequences) and labels is sequences.labels:
            labels = _own(op, sequences)
        places = self._labels.encode(op, labels)
        if len(places) != len(encoded):
            raise ShapeError(
                f"{op}: labels: expected one for each of {len(encoded)} sequences, got {len(places)}"
            )
        return places


def _own(op: str, sequences: Sequences) -> Any:
    """Returns the labels that a reader returned with the sequences, by name."""
    if not isinstance(sequences, LabeledSequences) or sequences.labels is None or not sequences.classes:
        raise ValueError(f"{op}: labels: expected one for each sequence, got none")
    return [sequences.classes[k] for k in sequences.labels]
