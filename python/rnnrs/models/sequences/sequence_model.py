"""What `SequenceClassifier` and `SequenceTagger` share: a network over numbers or tokens, its training, its file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ... import modelfile
from ..._rnnrs import log_softmax
from ...checks import check_size
from ...data import Batch, SequenceBatches
from ...data.sequence_batches import fill
from ...losses import SoftmaxCrossEntropy
from ...modelfile import ModelFile
from ...nn import Embedding, Linear, Parameters
from ...nn.build import build_pooling, build_recurrent
from ...text import Vocabulary, vocabulary_from_config
from ...types import Array
from ..base.recurrent_network import RecurrentNetwork
from ..base.saved import SavedModel
from ..base.training import TrainingSettings, make_trainer
from .encoding import Labels, Numbers, Sequences, Tokens

if TYPE_CHECKING:
    from ...train import Callback, History

M = TypeVar("M", bound="SequenceModel")

#: Sequences that are judged side by side.
BATCH = 256


class SequenceModel(SavedModel):
    """A recurrent network from sequences to labels; see `SequenceClassifier` and `SequenceTagger`.

    Attributes:
        labels: the labels' names, in the order of the outputs.
        vocabulary: of texts; None where steps are rows of numbers.
        network: the `RecurrentNetwork`; its layers are its attributes.
        parameters, gradients: of the network.
        settings: what `fit` was last told, kept in the model's file; None before.
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
            width = check_size(op, "input_size", input_size)
            self._inputs = Numbers(op, width, dtype)
        else:
            width = check_size(op, "embedding_size", embedding_size)
            self._inputs = Tokens(op, vocabulary)
            embedding = Embedding(len(vocabulary), width, seed=seed, dtype=dtype)
        rnn = build_recurrent(
            op,
            cell,
            width,
            hidden_size,
            layers=layers,
            dropout=dropout,
            activation=activation,
            bidirectional=bidirectional,
            recurrent_dropout=recurrent_dropout,
            zoneout=zoneout,
            weight_drop=weight_drop,
            layer_norm=layer_norm,
            seed=seed + 1,
            dtype=dtype,
        )
        self.network = RecurrentNetwork(
            rnn,
            Linear(rnn.hidden_size, len(self.labels), seed=seed + 2, dtype=dtype),
            SoftmaxCrossEntropy(),
            embedding=embedding,
            pooling=None if pooling is None else build_pooling(op, pooling, rnn, seed=seed + 3),
            output_dropout=dropout,
        )
        self.settings: TrainingSettings | None = None
        #: What the model was made with, besides labels and vocabulary.
        self.sizes: dict[str, Any] = {
            "input_size": None if input_size is None else width,
            "embedding_size": embedding_size,
            "hidden_size": hidden_size,
            "cell": cell,
            "layers": layers,
            "bidirectional": bool(bidirectional),
            "activation": activation,
            "dropout": dropout,
            "recurrent_dropout": recurrent_dropout,
            "zoneout": zoneout,
            "weight_drop": weight_drop,
            "layer_norm": bool(layer_norm),
            "seed": seed,
            "dtype": str(self.parameters.dtype),
        }
        if pooling is not None:
            self.sizes["pooling"] = pooling

    @property
    def labels(self) -> tuple[str, ...]:
        return self._labels.names

    @property
    def parameters(self) -> Parameters:
        return self.network.parameters

    @property
    def gradients(self) -> Parameters:
        return self.network.gradients

    @property
    def stochastic(self) -> bool:
        """Whether `loss` takes noise: whether there is dropout of any kind."""
        return self.network.stochastic

    def loss(
        self, batch: Batch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, Any]:
        """The mean of −ln P(label) over what is scored; see `RecurrentNetwork.loss`."""
        return self.network.loss(batch, state, gradient=gradient, noise=noise)

    def _targets(self, sequences: Sequences, labels: Any, encoded: Sequence[Array]) -> Any:
        """Labels as `SequenceBatches` takes them, as many as sequences."""
        raise NotImplementedError

    def _fit(
        self,
        sequences: Sequences,
        labels: Any,
        validation: tuple[Sequences, Any] | None,
        settings: TrainingSettings,
        *,
        callbacks: Iterable[Callback],
        checkpoint: str | os.PathLike[str] | None,
        checkpoint_every: int | None,
        resume: str | os.PathLike[str] | None,
        progress: bool,
    ) -> History:
        from ...train import ProgressBar

        if isinstance(self._inputs, Numbers):
            arrays = self._inputs.read(sequences)
            if any(len(array) for array in arrays):
                self._inputs.learn(arrays)
        self.settings = settings
        data = self._batches(sequences, labels, settings)
        held_out = None if validation is None else self._batches(*validation, settings)
        trainer = make_trainer(
            self,
            settings,
            callbacks=[*([ProgressBar(unit=self._UNIT)] if progress else []), *callbacks],
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
        )
        return trainer.fit(data, validation=held_out, **settings.bounds)

    #: What is counted while training.
    _UNIT: ClassVar[str] = "steps"

    def _encode(self, sequences: Sequences) -> list[Array]:
        if isinstance(self._inputs, Numbers):
            return self._inputs.encode(self._inputs.read(sequences))
        return self._inputs.encode(sequences)

    def _batches(self, sequences: Sequences, labels: Any, settings: TrainingSettings) -> SequenceBatches:
        encoded = self._encode(sequences)
        op = type(self).__name__
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

    def _contents(self) -> ModelFile:
        config = {
            **self.sizes,
            "labels": list(self.labels),
            "vocabulary": None if self.vocabulary is None else self.vocabulary.to_config(),
            "inputs": self._inputs.to_config() if isinstance(self._inputs, Numbers) else None,
            "settings": None if self.settings is None else self.settings.to_config(),
        }
        return ModelFile(self.KIND, config, dict(self.parameters))

    def checkpoint_contents(self) -> ModelFile:
        """The model as a file holds it: kind, configuration, and parameters."""
        return self._contents()

    @classmethod
    def _build(cls: type[M], file: ModelFile, path: str | os.PathLike[str], **given: Any) -> M:
        sizes = dict(file.config)
        labels, settings, inputs = sizes.pop("labels"), sizes.pop("settings"), sizes.pop("inputs")
        vocabulary = sizes.pop("vocabulary")
        width = sizes["input_size"] or sizes["embedding_size"]
        modelfile.check_size(sizes["hidden_size"] * (width + sizes["layers"] * sizes["hidden_size"]), file)
        model = cls(
            labels, vocabulary=None if vocabulary is None else vocabulary_from_config(vocabulary), **sizes
        )
        shapes = {name: array.shape for name, array in model.parameters.items()}
        modelfile.check_tensors(path, file.tensors, shapes, sizes["dtype"])
        if isinstance(model._inputs, Numbers):
            model._inputs.load_config(inputs)
        model.settings = None if settings is None else TrainingSettings.from_config(settings)
        model.parameters.copy_from(file.tensors)
        return model
