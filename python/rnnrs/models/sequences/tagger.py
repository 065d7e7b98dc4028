"""Tagging: classification of every step of a sequence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...checks import IGNORE
from ...data import frames
from ...errors import ShapeError
from ...nn.guarded import reading
from ...text import Vocabulary
from ...train import Callback, Communicator, History
from ...types import Array
from ..base.answers import answers
from ..base.training import TrainingOptions
from .encoding import Label, Sequences
from .evaluation import ClassificationEvaluation
from .sequence_model import SequenceModel

if TYPE_CHECKING:
    from typing_extensions import Unpack


class SequenceTagger(SequenceModel):
    """A tagger of sequences, which classifies every step: P(tag_t | sequence) = softmax(c + V h_t).

    h_t is the state of a recurrent network at step t (Goodfellow, Bengio and Courville, *Deep Learning*,
    equations 10.8 to 10.11); by default, the network is bidirectional (section 10.3).

    Args:
        tags: the tags' names: texts, whole numbers or bools.
        input_size: I, the number of values per step. They are standardized by mean and standard deviation of
            the training data.
        vocabulary: the vocabulary of texts, instead of `input_size`: see `rnnrs.text`.
        embedding_size, hidden_size, cell, layers, bidirectional, activation, dropout, recurrent_dropout,
            zoneout, weight_drop, layer_norm, seed, dtype: see `SequenceClassifier`. A network that is not
            bidirectional predicts a step's tag without the steps after it.

    Attributes:
        tags: the tags' names, in the order of the outputs.
        vocabulary: the vocabulary of texts; None for rows of numbers.
        network: the `RecurrentNetwork`.
        parameters, gradients: of the network.

    Raises:
        ValueError, TypeError: for invalid settings.
        MemoryError: if the weights do not fit in memory.

    Example:
        >>> from rnnrs.text import WordVocabulary
        >>> texts = [["the", "dog", "runs"], ["a", "dog", "barks"], ["the", "cat", "sleeps"]] * 8
        >>> tags = [["article", "noun", "verb"]] * 24
        >>> vocabulary = WordVocabulary.build("the a dog cat runs barks sleeps", min_count=1)
        >>> model = SequenceTagger(["article", "noun", "verb"], vocabulary=vocabulary, hidden_size=8)
        >>> history = model.fit(texts, tags, epochs=20, learning_rate=0.02, progress=False)
        >>> model.predict([["a", "cat", "runs"]])
        [['article', 'noun', 'verb']]
    """

    KIND = "sequence_tagger"
    LABELS = _ARGUMENT = "tags"

    def __init__(
        self,
        tags: Sequence[Label] | Array,
        *,
        input_size: int | None = None,
        vocabulary: Vocabulary | None = None,
        embedding_size: int = 64,
        hidden_size: int = 64,
        cell: str = "gru",
        layers: int = 1,
        bidirectional: bool = True,
        activation: str = "tanh",
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_drop: float = 0.0,
        layer_norm: bool = False,
        seed: int = 0,
        dtype: DTypeLike = "float32",
    ) -> None:
        super().__init__(
            tags,
            input_size=input_size,
            vocabulary=vocabulary,
            embedding_size=embedding_size,
            hidden_size=hidden_size,
            cell=cell,
            layers=layers,
            bidirectional=bidirectional,
            activation=activation,
            pooling=None,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            zoneout=zoneout,
            weight_drop=weight_drop,
            layer_norm=layer_norm,
            seed=seed,
            dtype=dtype,
        )

    @property
    def tags(self) -> tuple[Label, ...]:
        """The tags' names, in the order of the outputs."""
        return self.labels

    def fit(
        self,
        sequences: Sequences,
        tags: Sequence[Sequence[Any]],
        validation: tuple[Sequences, Sequence[Sequence[Any]]] | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | str | None = "5m",
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        communicator: Communicator | None = None,
        **training: Unpack[TrainingOptions],
    ) -> History:
        """Trains on sequences and the tags of their steps.

        With validation, the model ends with the parameters of the lowest validation loss.

        Args:
            sequences: N arrays or tables (T, I), each of its own length; or N texts, or lists of tokens. See
                `SequenceClassifier.fit` for the columns of tables.
            tags: for each sequence, a list with a tag for every step, by name or index; None for a step that
                is not scored.
            validation: held-out sequences and tags, or the share of the sequences to hold out at random.
            callbacks, checkpoint, checkpoint_every, resume, progress, communicator: see
                `SequenceClassifier.fit`.
            training: see below.

        Returns:
            The history of the losses.

        Raises:
            ShapeError: if the number of tags is not the number of steps; names the sequence.
            Other errors: see `SequenceClassifier.fit`.
        """
        return self._fit(
            f"{type(self).__name__}.fit",
            sequences,
            tags,
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
    def predict_log_proba(self, sequences: Sequences) -> list[Array]:
        """Returns ln P(tag) (T, K) of every step of each sequence.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for an invalid sequence, named by its index.
        """
        return self._log_proba(f"{type(self).__name__}.predict_log_proba", sequences)

    def _log_proba(self, op: str, sequences: Sequences) -> list[Array]:
        encoded = self._encode(op, sequences)
        result: list[Array] = [np.zeros((0, len(self.tags)), self.parameters.dtype)] * len(encoded)
        for members, lengths, log_p in self._log_probabilities(op, encoded):
            for b, (n, length) in enumerate(zip(members, lengths, strict=True)):
                result[n] = log_p[:length, b]
        return result

    @answers
    def predict_proba(self, sequences: Sequences) -> list[Array]:
        """Returns P(tag) (T, K) of every step of each sequence.

        Raises:
            As `predict_log_proba`.
        """
        return [np.exp(p) for p in self._log_proba(f"{type(self).__name__}.predict_proba", sequences)]

    @answers
    def predict(self, sequences: Sequences) -> list[list[Label]]:
        """Returns the name of the likeliest tag of every step of each sequence.

        Raises:
            As `predict_log_proba`.
        """
        log_p = self._log_proba(f"{type(self).__name__}.predict", sequences)
        return [[self.tags[k] for k in p.argmax(axis=1)] for p in log_p]

    @reading
    def evaluate(self, sequences: Sequences, tags: Sequence[Sequence[Any]]) -> ClassificationEvaluation:
        """Compares the model's predictions with known tags.

        Args:
            sequences, tags: see `fit`.

        Raises:
            ValueError: if no step has a tag.
            Other errors: see `fit`.
        """
        op = f"{type(self).__name__}.evaluate"
        log_p = self._log_proba(op, sequences)
        known = self._targets(op, sequences, tags, log_p)
        right = np.concatenate(known) if known else np.zeros(0, np.int64)
        scored = right != IGNORE
        if not scored.any():
            raise ValueError(f"{op}: tags: expected at least one, got none")
        steps, right = np.concatenate(log_p)[scored], right[scored]
        confusion = np.zeros((len(self.tags),) * 2, np.int64)
        np.add.at(confusion, (right, steps.argmax(axis=1)), 1)
        loss = -float(np.mean(steps[np.arange(len(right)), right], dtype=np.float64))
        return ClassificationEvaluation(self.tags, confusion, loss)

    def _targets(
        self, op: str, sequences: Sequences, labels: Any, encoded: Sequence[Any]
    ) -> list[NDArray[np.int64]]:
        frames.check_same_index(op, ("sequences", sequences), ("tags", labels))
        each = frames.listed(op, "tags", labels)
        if len(each) != len(encoded):
            raise ShapeError(
                f"{op}: tags: expected a list for each of {len(encoded)} sequences, got {len(each)}"
            )
        targets = []
        for i, (given, steps) in enumerate(zip(each, encoded, strict=True)):
            tags = frames.listed(op, f"tags[{i}]", given)
            if len(tags) != len(steps):
                raise ShapeError(f"{op}: tags[{i}]: expected {len(steps)}, got {len(tags)}")
            ids = np.full(len(tags), IGNORE)
            scored = np.array([tag is not None for tag in tags], bool)
            ids[scored] = self._labels.encode(op, [tag for tag in tags if tag is not None], f"tags[{i}]")
            targets.append(ids)
        return targets
