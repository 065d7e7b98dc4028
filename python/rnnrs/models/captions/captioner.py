"""Descriptions of pictures: a convolutional network that looks, a recurrent one that writes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ... import modelfile
from ..._rnnrs import Decoder
from ...checks import check_size
from ...errors import ShapeError
from ...modelfile import ModelFile
from ...text import Vocabulary, build_vocabulary, vocabulary_from_config
from ...train import Callback, History
from ...types import Array, Floats
from ..base.saved import constructed, sizes_of
from ..base.training import TrainedModel, TrainingSettings, train
from ..base.validation import chosen, divided, held_out_share
from ..writer.examples import written_lines
from ..writer.search import Search, Written, search_steps
from ..writer.steps import DecoderSteps
from .batches import CaptionBatch, CaptionBatches, as_numbers
from .evaluation import CaptionEvaluation, evaluate, likelihoods, side_by_side
from .fitting import CaptionTraining, CaptionTrainingOptions, caption_batches
from .inputs import (
    Descriptions,
    check_description,
    check_descriptions,
    check_features,
    check_pictures,
)
from .network import CaptionNetwork

if TYPE_CHECKING:
    from typing_extensions import Unpack

M = TypeVar("M", bound="Captioner")

#: The most tokens of a description that is written, by the vocabulary's level.
LONGEST = {"word": 60, "subword": 100, "char": 300}


class RankedPicture(NamedTuple):
    """A picture and how likely a sentence is as its description.

    Attributes:
        place: in the pictures that were given, from 0.
        log_prob: ln P(sentence | picture).
    """

    place: int
    log_prob: float


class Captioner(TrainedModel):
    """P(description | picture) = Π_t P(w_t | w_1 … w_{t−1}, picture): a CNN and a decoder, trained together.

    The network is `CaptionNetwork`: the decoder begins with the mean of the CNN's last layer and attends to its places.

    Args:
        vocabulary: of the descriptions.
        picture_size: Y and X of the pictures, in pixels.
        channels: of the CNN's stages; between two of them height and width are halved. None: 32, 64, 128, 256, 256, …,
            as many as leave a grid of 4 to 7 places along the shorter side.
        convolutions: of each stage.
        features: None for pictures. Else pictures come as another network's features: K, one vector for each; (P, K)
            or (Y′, X′, K), a grid of places to attend to.
        cell: "gru", "lstm" or "rnn".
        embedding_size: I.
        hidden_size: H of the decoder's layers.
        layers: of the decoder.
        attention: "additive", "general" or "dot", see `nn.Attention`; None: the decoder knows of the picture only what
            its first state holds.
        dropout: with which probability, in training, a number is dropped on its way out of the CNN, and into a
            recurrent or the output layer.
        recurrent_dropout: of the recurrent layers, see `nn.Recurrent`.
        label_smoothing: ε, see `losses.SoftmaxCrossEntropy`; in training only.
        tied: whether the output layer's V is the embedding; ĥ is then of its size.
        seed: of the first weights.
        dtype: float32 or float64.

    Attributes:
        vocabulary: as given.
        network: the `CaptionNetwork`.
        parameters, gradients: of the network.
        settings: what `fit` was last told, kept in the model's file; None before.

    Raises:
        ValueError, TypeError: for settings out of their range or that do not go together.
        MemoryError: if the weights do not fit.
    """

    KIND: ClassVar[str] = "captioner"
    TRAINING: ClassVar[type[TrainingSettings]] = CaptionTraining
    #: The levels of the vocabulary, and the options that differ from those of its `build`.
    LEVELS: ClassVar[dict[str, dict[str, Any]]] = {
        "word": {"min_count": 1},
        "char": {},
        "subword": {"max_size": 8_000},
    }

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        picture_size: tuple[int, int] = (32, 32),
        channels: Sequence[int] | None = None,
        convolutions: int = 1,
        features: int | Sequence[int] | None = None,
        cell: str = "gru",
        embedding_size: int = 128,
        hidden_size: int = 256,
        layers: int = 1,
        attention: str | None = "additive",
        dropout: float = 0.2,
        recurrent_dropout: float = 0.0,
        label_smoothing: float = 0.1,
        tied: bool = True,
        seed: int = 0,
        dtype: DTypeLike = "float32",
    ) -> None:
        self.sizes = sizes_of(locals(), "vocabulary")
        op = type(self).__name__
        self.vocabulary = vocabulary
        self.features = _feature_shape(op, features)
        self.picture_size = _pair(op, "picture_size", picture_size)
        channels = default_channels(self.picture_size) if channels is None else channels
        self.channels = tuple(check_size(op, "channels", wide) for wide in channels)
        halved = len(self.channels) - 1
        if halved < 0 or (self.features is None and min(self.picture_size) >> halved < 1):
            raise ValueError(
                f"{op}: channels: expected from one to as many stages as halve {self.picture_size} pixels, "
                f"got {len(self.channels)}"
            )
        check_size(op, "convolutions", convolutions)
        self.sizes |= {
            "picture_size": list(self.picture_size),
            "channels": list(self.channels),
            "features": None if self.features is None else list(self.features),
        }
        options = {k: v for k, v in self.sizes.items() if k not in ("picture_size", "features", "channels")}
        self.network = CaptionNetwork(
            len(vocabulary),
            channels=self.channels,
            feature_size=None if self.features is None else self.features[-1],
            unknown_id=vocabulary.unknown_id,
            **options,
        )
        self.parameters, self.gradients = self.network.parameters, self.network.gradients

    @classmethod
    def from_pairs(
        cls: type[M],
        pictures: ArrayLike | Sequence[ArrayLike],
        descriptions: Descriptions,
        *,
        level: str = "word",
        vocabulary: dict[str, Any] | None = None,
        **sizes: Any,
    ) -> M:
        """An untrained model with the vocabulary of the descriptions and the size of the pictures.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.
            descriptions: one for each picture, or several.
            level: "word", "char", or "subword" for byte-pair encoding, which needs the extra "subword".
            vocabulary: options of the vocabulary: `max_size` (8,000 subwords by default), `min_count` (1 by default),
                `lowercase`; see `text.build_vocabulary`.
            sizes: the arguments of the class.

        Raises:
            ShapeError, DTypeError, ValueError, TypeError: for pictures and descriptions that do not fit each other,
                an unknown level or option, or one out of its range.
            MissingExtraError: for subwords, if the package tokenizers is missing.
        """
        op = f"{cls.__name__}.from_pairs"
        if sizes.get("features") is None:
            size = sizes.get("picture_size")
            pictures = check_pictures(op, pictures, None if size is None else _pair(op, "picture_size", size))
            sizes.setdefault("picture_size", pictures.shape[1:3])
        texts, _ = check_descriptions(op, descriptions, len(pictures))  # type: ignore[arg-type]
        options = cls.LEVELS.get(level, {}) | (vocabulary or {})
        return cls(build_vocabulary(level, texts, options, op=op), **sizes)

    @property
    def averages(self) -> list[Array]:
        """Batch normalization's, which a loss with a gradient moves."""
        return self.network.averages

    @property
    def stochastic(self) -> bool:
        """Whether `loss` takes noise: whether there is dropout of any kind."""
        return self.network.stochastic

    @property
    def grid(self) -> tuple[int, int] | None:
        """Y′ and X′ of the P = Y′·X′ places that are attended to, row by row; None without attention or places.

        Of features (P, K) they are a square where P is one, else one row.
        """
        if self.network.attention is None or (self.features is not None and len(self.features) == 1):
            return None
        if self.features is None:
            halved = len(self.channels) - 1
            return self.picture_size[0] >> halved, self.picture_size[1] >> halved
        if len(self.features) == 3:
            return self.features[0], self.features[1]
        side = round(self.features[0] ** 0.5)
        return (side, side) if side * side == self.features[0] else (1, self.features[0])

    def loss(
        self, batch: CaptionBatch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, None]:
        """The mean of −ln P over a batch's words, in nats, and, added to `gradients`, its gradient.

        Args:
            batch: see `CaptionBatch`.
            state: of no effect; for the `Trainer`.
            gradient: whether the way back is wanted. Then labels are smoothed, and batch normalization takes the
                batch's own statistics; without it neither.
            noise: from which dropout is drawn, see `rnnrs.nn.noise`; None for none.

        Raises:
            IndexError: for an id that is not of the vocabulary.
            ShapeError: if the shapes do not belong together.
        """
        return self.network.loss(batch, gradient=gradient, noise=noise)

    def fit(
        self,
        pictures: ArrayLike | Sequence[ArrayLike],
        descriptions: Descriptions,
        validation: tuple[Any, Descriptions] | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        **training: Unpack[CaptionTrainingOptions],
    ) -> History:
        """Trains CNN and decoder; with validation, ends with the parameters of the lowest validation loss.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features. A list of arrays of one shape will do.
            descriptions: one for each picture, or several, each of which is learned from in every epoch.
            validation: held-out pictures and descriptions, or the share of the pictures to hold out, drawn by the seed.
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
            ShapeError, DTypeError, ValueError, TypeError: for pictures and descriptions that do not fit each other, an
                unknown option or one out of its range.
            FormatError: if `resume` is not a checkpoint of such a run.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after a checkpoint was written; the model can be used.
        """
        op = f"{type(self).__name__}.fit"
        settings: CaptionTraining = self.settings_of(training)
        if settings.augmentation is not None and self.features is not None:
            raise ValueError(f"{op}: augmentation: expected None for features, got {settings.augmentation!r}")
        seen = self.check_pictures(op, pictures)
        share = held_out_share(op, validation)
        if share is not None:
            kept, out = divided(op, len(seen), share, settings.seed, "pictures")
            validation = (chosen(seen, out), chosen(descriptions, out)) if out else None
            seen, descriptions = chosen(seen, kept), chosen(descriptions, kept)
        held_out = validation if isinstance(validation, tuple) else None
        return train(
            self,
            self._batches(op, seen, descriptions, settings, changed=True),
            None if held_out is None else self._batches(op, *held_out, settings, changed=False),
            settings,
            perplexity=True,
            examples=lambda: self._examples(held_out, settings.examples),
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
        )

    def _batches(
        self, op: str, pictures: Any, descriptions: Any, settings: CaptionTraining, *, changed: bool
    ) -> CaptionBatches:
        seen = self.check_pictures(op, pictures)
        texts, owners = check_descriptions(op, descriptions, len(seen))
        dtype = self.parameters.dtype
        return caption_batches(self.vocabulary, seen, texts, owners, settings, dtype=dtype, changed=changed)

    def _examples(self, held_out: Any, count: int) -> list[str]:
        pictures, descriptions = held_out
        firsts = [text if isinstance(text, str) else text[0] for text in descriptions]
        return written_lines(self, pictures, firsts, count, "picture")

    def describe(self, picture: ArrayLike, search: Search | None = None, **settings: Any) -> str:
        """What the model writes for a picture (Y, X, 3), or for features.

        Args:
            picture: the picture.
            search: how to search; `Captioner.search()` by default.
            settings: single settings of `Search` that differ from it: `beam=1`, ….

        Raises:
            ShapeError, DTypeError, ValueError: for what is none; for settings of the search that make no sense.
        """
        return self.describe_all(np.asarray(picture)[None], search, **settings)[0]

    def describe_all(
        self, pictures: ArrayLike | Sequence[ArrayLike], search: Search | None = None, **settings: Any
    ) -> list[str]:
        """`describe` for several pictures."""
        how = (search or self.search()).changed(f"{type(self).__name__}.describe", settings)
        return [best.text for best, *_ in self.write(pictures, how)]

    def write(
        self,
        pictures: ArrayLike | Sequence[ArrayLike],
        search: Search | None = None,
        *,
        decoder: Decoder | None = None,
    ) -> list[list[Written]]:
        """What the model writes for pictures, by beam search; `n_best` for each, the best first.

        What a picture gets does not depend on the others. Each is told with its `attention` (n, P): where was looked
        at, for every word; see `grid`.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.
            search: how to look; `Captioner.search()` by default.
            decoder: from `decoder()`, to save packing the weights again.

        Raises:
            ShapeError, DTypeError, ValueError: for what are no pictures; for settings of the search that make no sense.
        """
        seen = self.check_pictures(f"{type(self).__name__}.write", pictures)
        search, decoder = search or self.search(), decoder or self.decoder()
        written = []
        count = side_by_side(self.network, seen)
        for start in range(0, len(seen), count):
            steps = self._steps(seen[start : start + count], decoder)
            unknown = [self.vocabulary.unknown_id]
            for found in search_steps(steps, search, LONGEST[self.vocabulary.level], unknown):
                written.append([self._written(hypothesis) for hypothesis in found])
        return written

    def _written(self, found: Any) -> Written:
        ids = found.tokens.tolist()
        words = tuple(self.vocabulary.decode([id]) for id in ids)
        text = self.vocabulary.decode(ids)
        return Written(text, found.score, found.log_prob, (), words, found.attention, False)

    @classmethod
    def search(cls, **settings: Any) -> Search:
        """The way to look for descriptions, with other settings where given."""
        return Search().changed(f"{cls.__name__}.search", settings)

    def decoder(self) -> Decoder:
        """The decoder's weights, packed once, for several `step_model`s one after the other."""
        return self.network.packed_decoder()

    def step_model(
        self, pictures: ArrayLike | Sequence[ArrayLike], *, decoder: Decoder | None = None
    ) -> DecoderSteps:
        """The decoder, ready to write step by step: one hypothesis for each picture, nothing written yet.

        Raises:
            ShapeError, DTypeError, ValueError: for what are no pictures.
        """
        seen = self.check_pictures(f"{type(self).__name__}.step_model", pictures)
        return self._steps(seen, decoder or self.decoder())

    def _steps(self, pictures: Array, decoder: Decoder) -> DecoderSteps:
        encoded = self.network.look(as_numbers(pictures, self.parameters.dtype))
        return DecoderSteps(self.network, self.vocabulary, decoder, encoded)

    def log_prob(self, picture: ArrayLike, text: str) -> float:
        """ln P of a description of a picture (Y, X, 3), its end included.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for what is no picture, or no text.
        """
        return float(self.log_probs(np.asarray(picture)[None], [text])[0])

    def log_probs(self, pictures: ArrayLike | Sequence[ArrayLike], texts: Sequence[str]) -> Floats:
        """The same of many pictures with a description each (N,): to rank given descriptions.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for what are no pictures, or no texts, or not as many.
        """
        op = f"{type(self).__name__}.log_probs"
        seen = self.check_pictures(op, pictures)
        if isinstance(texts, str) or len(texts) != len(seen):
            raise ShapeError(f"{op}: texts: expected one for each of {len(seen)} pictures, got {texts!r:.80}")
        ids = [self.vocabulary.encode(check_description(f"{op}: texts[{i}]", t)) for i, t in enumerate(texts)]
        return likelihoods(self.network, self.vocabulary.end_id, seen, ids)

    def rank(self, sentence: str, pictures: ArrayLike | Sequence[ArrayLike]) -> list[RankedPicture]:
        """Pictures by how likely the sentence is as a description of them: search.

        By ln P(sentence | picture). What the sentence has of itself, without any picture, is the same for all of them
        and so does not change their order.

        Args:
            sentence: as the descriptions that the model was trained on.
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.

        Returns:
            The pictures' places and ln P, the likeliest first.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for what are no pictures, or no text.
        """
        op = f"{type(self).__name__}.rank"
        seen, text = self.check_pictures(op, pictures), check_description(f"{op}: sentence", sentence)
        ids = [self.vocabulary.encode(text)] * len(seen)
        found = likelihoods(self.network, self.vocabulary.end_id, seen, ids)
        return [RankedPicture(int(i), float(found[i])) for i in np.argsort(-found, kind="stable")]

    def evaluate(
        self,
        pictures: ArrayLike | Sequence[ArrayLike],
        descriptions: Descriptions,
        search: Search | None = None,
        **settings: Any,
    ) -> CaptionEvaluation:
        """How good descriptions of pictures with known descriptions are.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.
            descriptions: one for each picture, or several.
            search: how to search; `Captioner.search()` by default.
            settings: single settings of `Search` that differ from it: `beam=1`, ….

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for pictures and descriptions that are none or do not belong
                together.
        """
        op = f"{type(self).__name__}.evaluate"
        seen = self.check_pictures(op, pictures)
        texts, owners = check_descriptions(op, descriptions, len(seen))
        written = self.describe_all(seen, search, **settings)
        return evaluate(self.network, self.vocabulary, seen, texts, owners, written)

    def _contents(self) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary.to_config()}

    @classmethod
    def _restored(cls: type[M], config: dict[str, Any], file: ModelFile, **given: Any) -> M:
        vocabulary = vocabulary_from_config(config.pop("vocabulary"))
        I, H, channels = config["embedding_size"], config["hidden_size"], config["channels"]
        K = channels[-1] if config["features"] is None else config["features"][-1]
        read = 0
        if config["features"] is None:
            read = 9 * sum(a * b for a, b in zip([3, *channels], channels, strict=False))
        least = len(vocabulary) * I + H * (H + I) + (config["layers"] - 1) * H * H + K * H + read
        modelfile.check_size(least, file)
        return constructed(cls, config, vocabulary)

    def check_pictures(self, op: str, pictures: Any) -> Array:
        """Pictures, or features, as the network is shown them; `op` is who asks, for messages.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for what are none, or of another size.
        """
        if self.features is None:
            return check_pictures(op, pictures, self.picture_size)
        return check_features(op, pictures, self.features)


def default_channels(picture_size: tuple[int, int]) -> list[int]:
    """Of the stages of a CNN for pictures of that size."""
    stages = max(1, (min(picture_size) // 2).bit_length() - 1)
    return [min(32 << stage, 256) for stage in range(stages)]


def _pair(op: str, name: str, value: Any) -> tuple[int, int]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"{op}: {name}: expected two numbers, Y and X, got {value!r}")
    return check_size(op, name, value[0]), check_size(op, name, value[1])


def _feature_shape(op: str, features: Any) -> tuple[int, ...] | None:
    """(K,), (P, K) or (Y′, X′, K)."""
    if features is None:
        return None
    shape = tuple(features) if isinstance(features, (tuple, list)) else (features,)
    if not 1 <= len(shape) <= 3:
        raise ValueError(f"{op}: features: expected K, (P, K) or (Y′, X′, K), got {features!r}")
    return tuple(check_size(op, "features", n) for n in shape)
