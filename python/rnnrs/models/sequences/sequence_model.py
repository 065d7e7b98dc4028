"""What `SequenceClassifier` and `SequenceTagger` share: a network over numbers or tokens, its training, its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ... import modelfile
from ..._rnnrs import log_softmax
from ...checks import check_size
from ...data import Batch, LabeledSequences, SequenceBatches
from ...data.sequence_batches import fill
from ...losses import SoftmaxCrossEntropy
from ...modelfile import ModelFile
from ...nn import Embedding, Linear
from ...nn.build import build_pooling, build_recurrent
from ...text import Vocabulary, vocabulary_from_config
from ...train import History
from ...types import Array
from ..base.recurrent_network import RecurrentNetwork
from ..base.saved import constructed, sizes_of
from ..base.training import TrainedModel, TrainingSettings, train
from ..base.validation import chosen, divided, held_out_share, spread
from .encoding import Labels, Numbers, Sequences, Tokens

M = TypeVar("M", bound="SequenceModel")

#: Sequences that are judged side by side.
BATCH = 256

#: The options of the recurrent layers.
RECURRENT = (
    "layers",
    "bidirectional",
    "dropout",
    "activation",
    "recurrent_dropout",
    "zoneout",
    "weight_drop",
    "layer_norm",
)


class SequenceModel(TrainedModel):
    """A recurrent network from sequences to labels; see `SequenceClassifier` and `SequenceTagger`.

    Attributes:
        labels: the labels' names, in the order of the outputs.
        vocabulary: of texts; None where steps are rows of numbers.
        network: the `RecurrentNetwork`; its layers are its attributes.
        parameters, gradients: of the network.
    """

    #: What the file is called, and what the labels are called in messages.
    KIND: ClassVar[str]
    LABELS: ClassVar[str]

    def __init__(
        self,
        labels: Sequence[str],
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
            self._inputs = Numbers(op, width, dtype)
        else:
            width = check_size(op, "embedding_size", embedding_size)
            self._inputs = Tokens(op, vocabulary)
            embedding = Embedding(len(vocabulary), width, seed=seed, dtype=dtype)
        recurrent = {name: self.sizes[name] for name in RECURRENT}
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
    def labels(self) -> tuple[str, ...]:
        """The labels' names, in the order of the outputs."""
        return self._labels.names

    @property
    def stochastic(self) -> bool:
        """Whether `loss` takes noise: whether there is dropout of any kind."""
        return self.network.stochastic

    def loss(
        self, batch: Batch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, Any]:
        """The mean of −ln P(label) over what is scored; see `RecurrentNetwork.loss`."""
        return self.network.loss(batch, state, gradient=gradient, noise=noise)

    def _targets(self, sequences: Sequences, labels: Any, encoded: Sequence[Any]) -> Any:
        """Labels as `SequenceBatches` takes them, as many as sequences."""
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
        """`fit`, with data of any kind; `run` holds the arguments of `train`."""
        settings: TrainingSettings = self.settings_of(options)
        share = held_out_share(op, validation)
        if share is not None:
            sequences = _listed(sequences)
            self._targets(sequences, labels, sequences)  # as many as sequences
            kept, out = divided(op, len(sequences), share, settings.seed, "sequences")
            validation = (chosen(sequences, out), chosen(labels, out)) if out else None
            sequences, labels = chosen(sequences, kept), chosen(labels, kept)
        read = self._read(sequences)
        if isinstance(self._inputs, Numbers) and any(len(array) for array in read):
            self._inputs.learn(read)
        data = self._batches(op, sequences, labels, settings)
        held_out = None if validation is None else self._batches(op, validation[0], validation[1], settings)
        return train(
            self,
            data,
            held_out,
            settings,
            unit=self._UNIT,
            examples=lambda: self._examples(validation, settings.examples),
            **run,
        )

    def _examples(self, held_out: Any, count: int) -> list[str]:
        """What the model predicts for some held-out sequences."""
        sequences, labels = held_out
        wanted = self._targets(sequences, labels, self._read(sequences))
        places = spread(len(wanted), count)
        picked = chosen(_listed(sequences), places)
        got = self._targets(picked, self.predict(picked), self._read(picked))
        lines = []
        for place, answer in zip(places, got, strict=True):
            lines += [f"  sequence {place}", f"    wanted  {self._named(wanted[place])}"]
            lines += [f"    got     {self._named(answer)}"]
        return lines

    def _named(self, places: Any) -> str:
        """Labels by name; "-" where none is scored."""
        return " ".join("-" if k < 0 else self.labels[k] for k in np.atleast_1d(places)[:20])

    def predict(self, sequences: Sequences) -> list[Any]:
        """The likeliest labels of several sequences."""
        raise NotImplementedError

    #: What is counted while training.
    _UNIT: ClassVar[str] = "steps"

    def _read(self, sequences: Sequences) -> list[Array]:
        """The sequences, checked: arrays of numbers as they are, or ids."""
        if isinstance(self._inputs, Numbers):
            return self._inputs.read(sequences)
        return self._inputs.encode(sequences)

    def _encode(self, sequences: Sequences) -> list[Array]:
        """The sequences as the network reads them."""
        read = self._read(sequences)
        return self._inputs.encode(read) if isinstance(self._inputs, Numbers) else read

    def _batches(
        self, op: str, sequences: Sequences, labels: Any, settings: TrainingSettings
    ) -> SequenceBatches:
        encoded = self._encode(sequences)
        if not encoded:
            raise ValueError(f"{op}: sequences: expected at least one, got none")
        for i, sequence in enumerate(encoded):
            if not len(sequence):
                raise ValueError(f"{op}: sequences[{i}]: expected at least one step, got none")
        targets = self._targets(sequences, labels, encoded)
        return SequenceBatches(encoded, targets, settings.batch_size, seed=settings.seed)

    def _log_probabilities(
        self, encoded: Sequence[Array]
    ) -> Iterator[tuple[NDArray[np.int64], Array, Array]]:
        """(which sequences, their lengths, ln P (B, O) or (T, B, O)), those of like length side by side."""
        lengths = np.array([len(sequence) for sequence in encoded], np.int64)
        order = np.argsort(lengths, kind="stable")
        for start in range(0, len(order), BATCH):
            members = order[start : start + BATCH]
            x = fill([encoded[n] for n in members], 0)
            o, _ = self.network.forward(x, lengths=lengths[members], gradient=False)
            yield members, lengths[members], log_softmax(o)

    def _contents(self) -> dict[str, Any]:
        return {
            "labels": list(self.labels),
            "vocabulary": None if self.vocabulary is None else self.vocabulary.to_config(),
            "inputs": self._inputs.to_config() if isinstance(self._inputs, Numbers) else None,
        }

    @classmethod
    def _restored(cls: type[M], config: dict[str, Any], file: ModelFile, **given: Any) -> M:
        labels, inputs, vocabulary = (config.pop(name) for name in ("labels", "inputs", "vocabulary"))
        width, H = config["input_size"] or config["embedding_size"], config["hidden_size"]
        modelfile.check_size(H * (width + config["layers"] * H), file)
        config["vocabulary"] = None if vocabulary is None else vocabulary_from_config(vocabulary)
        model = constructed(cls, config, labels)
        if isinstance(model._inputs, Numbers):
            model._inputs.load_config(inputs)
        return model


def _listed(sequences: Sequences) -> Sequence[Any]:
    """Sequences as a list; those of a reader without their padding."""
    if isinstance(sequences, LabeledSequences):
        return [sequences.x[:length, b] for b, length in enumerate(sequences.lengths)]
    return sequences
