"""The base of `SequenceClassifier` and `SequenceTagger`: network, training, prediction, file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ... import modelfile
from ..._rnnrs import log_softmax
from ...checks import check_size
from ...data import Batch, SequenceBatches, frames
from ...data.sequence_batches import fill
from ...losses import SoftmaxCrossEntropy
from ...modelfile import ModelFile
from ...nn import Embedding, Linear
from ...nn.build import build_pooling, build_recurrent
from ...text import Vocabulary, vocabulary_from_config
from ...train import History
from ...types import Array
from ..base.groups import groups_of_similar_length
from ..base.recurrent_network import RecurrentNetwork, recurrent_options
from ..base.saved import constructed, sizes_of
from ..base.training import TrainedModel, TrainingSettings, train
from ..base.validation import chosen, divided, held_out_share, spread
from .encoding import Label, Labels, Numbers, Sequences, Tokens, listed

M = TypeVar("M", bound="SequenceModel")

#: The number of sequences that are predicted side by side.
BATCH = 256

#: The most positions (steps × sequences) that are computed side by side: a bound of the memory.
POSITIONS = 1 << 15


class SequenceModel(TrainedModel):
    """A recurrent network from sequences to labels; see `SequenceClassifier` and `SequenceTagger`.

    Attributes:
        labels: the labels' names, in the order of the outputs.
        vocabulary: the vocabulary of texts; None for rows of numbers.
        network: the `RecurrentNetwork`; its layers are its attributes.
        parameters, gradients: of the network.
    """

    #: The name of the constructor's first argument, the labels' names.
    LABELS: ClassVar[str]
    #: The name of the argument of `fit` with the labels.
    _ARGUMENT: ClassVar[str] = "labels"
    #: The unit of the positions that the progress shows.
    _UNIT: ClassVar[str] = "steps"
    LEARNED = ("_inputs", "_labels")

    def __init__(
        self,
        labels: Sequence[Label] | Array,
        *,
        input_size: int | None,
        vocabulary: Vocabulary | None,
        embedding_size: int,
        hidden_size: int,
        cell: str,
        layers: int,
        bidirectional: bool,
        activation: str,
        pooling: str | None,
        dropout: float,
        recurrent_dropout: float,
        zoneout: float,
        weight_drop: float,
        layer_norm: bool,
        seed: int,
        dtype: DTypeLike,
    ) -> None:
        self.sizes = sizes_of(locals(), "labels", "vocabulary")
        op = type(self).__name__
        self._labels = Labels(op, self.LABELS, labels)
        if (input_size is None) == (vocabulary is None):
            raise ValueError(
                f"{op}: expected either input_size or vocabulary, got {'both' if vocabulary else 'neither'}"
            )
        self.vocabulary = vocabulary
        self._inputs: Numbers | Tokens
        embedding = None
        if vocabulary is None:
            width = self.sizes["input_size"] = check_size(op, "input_size", input_size)
            self._inputs = Numbers(width, dtype)
        else:
            width = check_size(op, "embedding_size", embedding_size)
            self._inputs = Tokens(vocabulary)
            embedding = Embedding(len(vocabulary), width, seed=seed, dtype=dtype)
        recurrent = recurrent_options(self.sizes)
        rnn = build_recurrent(op, cell, width, hidden_size, seed=seed + 1, dtype=dtype, **recurrent)
        self.network = RecurrentNetwork(
            rnn,
            Linear(rnn.hidden_size, len(self.labels), seed=seed + 2, dtype=dtype),
            SoftmaxCrossEntropy(),
            embedding=embedding,
            pooling=None if pooling is None else build_pooling(op, pooling, rnn, seed=seed + 3),
            output_dropout=dropout,
        )
        self.parameters, self.gradients = self.network.parameters, self.network.gradients
        if pooling is None:
            del self.sizes["pooling"]

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels' names, in the order of the outputs."""
        return self._labels.names

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the I columns in the training data; empty if they had none, and before `fit`."""
        return self._inputs.columns

    @property
    def stochastic(self) -> bool:
        """Whether `loss` accepts noise, i.e. whether there is dropout of any kind."""
        return self.network.stochastic

    def loss(
        self, batch: Batch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, Any]:
        """Returns (the mean of −ln P(label) over scored positions, a state); see `RecurrentNetwork.loss`."""
        return self.network.loss(batch, state, gradient=gradient, noise=noise)

    def predict(self, sequences: Sequences) -> list[Any]:
        """Returns the likeliest label, or labels, of each sequence."""
        raise NotImplementedError

    def _targets(self, op: str, sequences: Sequences, labels: Any, encoded: Sequence[Any]) -> Any:
        """Returns labels as indices, for `SequenceBatches`; checks that there are labels for every sequence.

        Args:
            op: the caller's name, for error messages.
            sequences, labels: as given by the user.
            encoded: an object per sequence with the sequence's length.
        """
        raise NotImplementedError

    def _fit(
        self,
        op: str,
        sequences: Sequences,
        labels: Any,
        validation: Any,
        options: Mapping[str, Any],
        **run: Any,
    ) -> History:
        """Trains the model.

        Args:
            op: the caller's name, for error messages.
            sequences, labels: the data.
            validation: (sequences, labels), a share of the data, or None.
            options: the training options.
            run: further arguments of `train`.
        """
        settings: TrainingSettings = self.settings_of(options)
        columns = self._inputs.columns_of(op, sequences)
        share = held_out_share(op, validation)
        if share is None and validation is not None and not _is_pair(validation):
            expected = f"(sequences, {self._ARGUMENT}), a share of the data or None"
            raise TypeError(f"{op}: validation: expected {expected}, got {validation!r:.80}")
        if share is not None:
            read = self._inputs.read(op, sequences)
            self._targets(op, sequences, labels, read)  # checks their number before they are divided
            sequences, labels = listed(op, sequences), frames.listed(op, self._ARGUMENT, labels)
            kept, out = divided(op, len(sequences), share, settings.seed, "sequences")
            validation = (chosen(sequences, out), chosen(labels, out)) if out else None
            sequences, labels = chosen(sequences, kept), chosen(labels, kept)
        self._inputs.learn(self._inputs.read(op, sequences), columns)
        data = self._batches(op, sequences, labels, settings)
        held_out = None
        if validation is not None:
            held_out = self._batches(f"{op}: validation", validation[0], validation[1], settings)
        return train(
            self,
            data,
            held_out,
            settings,
            unit=self._UNIT,
            examples=lambda: self._examples(op, validation, settings.examples),
            **run,
        )

    def _examples(self, op: str, held_out: Any, count: int) -> list[str]:
        """Returns lines with the predictions of some held-out sequences."""
        sequences, labels = held_out
        wanted = self._targets(op, sequences, labels, self._inputs.read(op, sequences))
        places = spread(len(wanted), count)
        picked = chosen(listed(op, sequences), places)
        got = self._targets(op, picked, self.predict(picked), self._inputs.read(op, picked))
        lines = []
        for place, answer in zip(places, got, strict=True):
            lines += [f"  sequence {place}", f"    wanted  {self._named(wanted[place])}"]
            lines += [f"    got     {self._named(answer)}"]
        return lines

    def _named(self, places: Any) -> str:
        """Returns the names of labels; "-" for steps that are not scored."""
        return " ".join("-" if k < 0 else str(self.labels[k]) for k in np.atleast_1d(places)[:20])

    def _encode(self, op: str, sequences: Sequences) -> list[Array]:
        """Returns the sequences as the network reads them."""
        return self._inputs.encode(op, self._inputs.read(op, sequences))

    def _batches(
        self, op: str, sequences: Sequences, labels: Any, settings: TrainingSettings
    ) -> SequenceBatches:
        """Returns sequences and labels in batches."""
        encoded = self._encode(op, sequences)
        if not encoded:
            raise ValueError(f"{op}: sequences: expected at least one, got none")
        for i, sequence in enumerate(encoded):
            if not len(sequence):
                raise ValueError(f"{op}: sequences[{i}]: expected at least one step, got none")
        targets = self._targets(op, sequences, labels, encoded)
        return SequenceBatches(encoded, targets, settings.batch_size, seed=settings.seed)

    def _log_probabilities(
        self, op: str, encoded: Sequence[Array]
    ) -> Iterator[tuple[NDArray[np.int64], Array, Array]]:
        """Yields (indices of sequences of similar length, their lengths, ln P (B, O) or (T, B, O))."""
        lengths = np.array([len(sequence) for sequence in encoded], np.int64)
        for group in groups_of_similar_length(lengths.tolist(), BATCH, POSITIONS):
            members = np.array(group)
            x = fill([encoded[n] for n in members], 0)
            o, _ = self.network.forward(x, lengths=lengths[members], gradient=False)
            log_p = log_softmax(o)
            if np.isnan(log_p).any():
                raise ValueError(
                    f"{op}: expected a model with finite outputs, got NaN: its training diverged"
                )
            yield members, lengths[members], log_p

    def _contents(self) -> dict[str, Any]:
        return {
            "labels": list(self.labels),
            "vocabulary": None if self.vocabulary is None else self.vocabulary.to_config(),
            "inputs": self._inputs.to_config(),
        }

    @classmethod
    def _restored(cls: type[M], config: dict[str, Any], file: ModelFile, **given: Any) -> M:
        labels, inputs, vocabulary = (config.pop(name) for name in ("labels", "inputs", "vocabulary"))
        width, H = config["input_size"] or config["embedding_size"], config["hidden_size"]
        modelfile.check_size(H * (width + config["layers"] * H), file)
        config["vocabulary"] = None if vocabulary is None else vocabulary_from_config(vocabulary)
        model = constructed(cls, config, labels)
        model._inputs.load_config(inputs)
        return model


def _is_pair(value: Any) -> bool:
    """Returns whether held-out data are a pair."""
    return isinstance(value, (tuple, list)) and len(value) == 2
