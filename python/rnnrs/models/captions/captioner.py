"""Descriptions of pictures: a convolutional network that looks, a recurrent one that writes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..._rnnrs import Decoder
from ...checks import check_size
from ...errors import ShapeError
from ...modelfile import ModelFile
from ...nn import Parameters
from ...text import CharVocabulary, SubwordVocabulary, Vocabulary, WordVocabulary
from ...types import Array
from ..base.saved import SavedModel
from ..text_to_text.text_to_text import SUBWORDS
from ..writer.search import Search, Written, search_steps
from ..writer.steps import DecoderSteps
from . import caption_file
from .augmentation import Augmentation
from .batches import CaptionBatch, as_numbers
from .evaluation import CaptionEvaluation, evaluate, likelihoods, side_by_side
from .fitting import CaptionSettings, fit_captions
from .inputs import Descriptions, check_description, check_descriptions, check_features, check_pictures
from .network import CaptionNetwork

if TYPE_CHECKING:
    from ...train import Callback, History

M = TypeVar("M", bound="Captioner")

#: The most tokens of a description that is written, by the vocabulary's level.
LONGEST = {"word": 60, "subword": 100, "char": 300}


class Captioner(SavedModel):
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
        self.vocabulary = vocabulary
        self.features = _feature_shape(features)
        self.picture_size = _pair("picture_size", picture_size)
        channels = default_channels(self.picture_size) if channels is None else channels
        self.channels = tuple(check_size("Captioner", "channels", wide) for wide in channels)
        halved = len(self.channels) - 1
        if halved < 0 or (self.features is None and min(self.picture_size) >> halved < 1):
            raise ValueError(
                f"Captioner: channels: expected from one to as many stages as halve {self.picture_size} pixels, "
                f"got {len(self.channels)}"
            )
        #: What the model was made with, besides the vocabulary.
        self.sizes: dict[str, Any] = {
            "picture_size": list(self.picture_size),
            "channels": list(self.channels),
            "convolutions": check_size("Captioner", "convolutions", convolutions),
            "features": None if self.features is None else list(self.features),
            "cell": cell,
            "embedding_size": embedding_size,
            "hidden_size": hidden_size,
            "layers": layers,
            "attention": attention,
            "dropout": dropout,
            "recurrent_dropout": recurrent_dropout,
            "label_smoothing": label_smoothing,
            "tied": bool(tied),
            "seed": seed,
            "dtype": str(np.dtype(dtype)),
        }
        options = {k: v for k, v in self.sizes.items() if k not in ("picture_size", "features", "channels")}
        self.network = CaptionNetwork(
            len(vocabulary),
            channels=self.channels,
            feature_size=None if self.features is None else self.features[-1],
            unknown_id=vocabulary.unknown_id,
            **options,
        )
        self.settings: CaptionSettings | None = None

    @classmethod
    def from_pairs(
        cls: type[M],
        pictures: ArrayLike | Sequence[ArrayLike],
        descriptions: Descriptions,
        *,
        level: str = "word",
        vocabulary_size: int | None = None,
        min_count: int = 1,
        lowercase: bool = False,
        **options: Any,
    ) -> M:
        """An untrained model with the vocabulary of the descriptions, and the size of the pictures, to be trained on.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.
            descriptions: one for each picture, or several.
            level: "word", "char", or "subword" for byte-pair encoding, which needs the extra "subword".
            vocabulary_size: the most tokens; by default all words, or 8,000 subwords.
            min_count: words that are rarer are unknown.
            lowercase: whether upper and lower case are the same.
            options: the arguments of the class.

        Raises:
            ShapeError, DTypeError, ValueError, TypeError: for pictures and descriptions that are none or do not belong
                together, settings that make no sense.
            MissingExtraError: for subwords, if the package tokenizers is missing.
        """
        op = f"{cls.__name__}.from_pairs"
        if options.get("features") is None:
            size = options.get("picture_size")
            pictures = check_pictures(op, pictures, None if size is None else _pair("picture_size", size))
            options.setdefault("picture_size", pictures.shape[1:3])
        texts, _ = check_descriptions(op, descriptions, len(pictures))  # type: ignore[arg-type]
        vocabulary: Vocabulary
        if level == "word":
            vocabulary = WordVocabulary.build(
                texts, min_count=min_count, max_size=vocabulary_size, lowercase=lowercase
            )
        elif level == "char":
            vocabulary = CharVocabulary.build(text.lower() if lowercase else text for text in texts)
        elif level == "subword":
            vocabulary = SubwordVocabulary.build(texts, size=vocabulary_size or SUBWORDS, lowercase=lowercase)
        else:
            raise ValueError(f"{op}: level: expected one of word, char, subword, got {level!r}")
        return cls(vocabulary, **options)

    @property
    def parameters(self) -> Parameters:
        """θ"""
        return self.network.parameters

    @property
    def gradients(self) -> Parameters:
        """∂L/∂θ"""
        return self.network.gradients

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
        validation: tuple[Any, Descriptions] | None = None,
        *,
        augmentation: Augmentation | None = None,
        epochs: int | None = None,
        time_limit: float | None = None,
        batch_size: int = 32,
        learning_rate: float = 3e-3,
        clip_norm: float | None = 1.0,
        schedule: str = "cosine",
        optimizer: str = "adam",
        patience: int | None = None,
        seed: int = 0,
        examples: int = 0,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> History:
        """Trains CNN and decoder, and with `validation` ends with the parameters for which its loss was lowest.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features. Arrays of one shape will do.
            descriptions: one for each picture, or several, each of which is learned from in every epoch.
            validation: pictures and descriptions to measure the loss on after every epoch.
            augmentation: how pictures are changed at every epoch; None: not at all.
            epochs, time_limit, batch_size, learning_rate, clip_norm, schedule, optimizer, seed: see `TrainingSettings`.
            patience: after how many validations in a row without a lower loss to stop; None: never.
            examples: of how many validation pictures to print, after every epoch, what the model writes.
            callbacks: see `rnnrs.train`.
            checkpoint: a file that training can be resumed from; written at every epoch's end and at Ctrl-C. During
                the training the best parameters stand beside it, in a file with ".best" at the end of its name.
            checkpoint_every: and after so many steps.
            resume: a checkpoint to go on from. Data and settings must be those of its run; `epochs` and `time_limit`
                count from its beginning.
            progress: whether to show a bar.

        Returns:
            The history of the losses.

        Raises:
            ShapeError, DTypeError, ValueError, TypeError: for pictures and descriptions that are none or do not belong
                together, settings that make no sense, a foreign checkpoint.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after a checkpoint was written; the model can be used.
        """
        if augmentation is not None and self.features is not None:
            raise ValueError(f"Captioner.fit: augmentation: expected None for features, got {augmentation!r}")
        settings = CaptionSettings(
            epochs=epochs,
            time_limit=time_limit,
            batch_size=batch_size,
            learning_rate=learning_rate,
            clip_norm=clip_norm,
            schedule=schedule,
            optimizer=optimizer,
            patience=patience,
            seed=seed,
            augmentation=None if augmentation is None else augmentation.to_config(),
        )
        return fit_captions(
            self,
            (pictures, descriptions),
            validation,
            settings,
            augmentation,
            examples=examples,
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
        )

    def describe(self, picture: ArrayLike, **search: Any) -> str:
        """What the model writes for a picture (Y, X, 3), or for features.

        Args:
            picture: the picture.
            search: the fields of `Search`: `beam=1`, ….

        Raises:
            ShapeError, DTypeError, ValueError: for what is none; for settings of the search that make no sense.
        """
        return self.describe_all(np.asarray(picture)[None], **search)[0]

    def describe_all(self, pictures: ArrayLike | Sequence[ArrayLike], **search: Any) -> list[str]:
        """The same of many pictures at once."""
        return [best.text for best, *_ in self.write(pictures, self.search(**search))]

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
        count = side_by_side(self)
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
        return Search(**settings)

    def decoder(self) -> Decoder:
        """The decoder's weights, packed once, for several `step_model`s one after the other."""
        return self.network.stepper()

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

    def log_probs(
        self, pictures: ArrayLike | Sequence[ArrayLike], texts: Sequence[str]
    ) -> NDArray[np.float64]:
        """The same of many pictures with a description each (N,): to rank given descriptions.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for what are no pictures, or no texts, or not as many.
        """
        op = f"{type(self).__name__}.log_probs"
        seen = self.check_pictures(op, pictures)
        if isinstance(texts, str) or len(texts) != len(seen):
            raise ShapeError(f"{op}: texts: expected one for each of {len(seen)} pictures, got {texts!r:.80}")
        ids = [self.vocabulary.encode(check_description(f"{op}: texts[{i}]", t)) for i, t in enumerate(texts)]
        return likelihoods(self, seen, ids)

    def rank(self, sentence: str, pictures: ArrayLike | Sequence[ArrayLike]) -> list[tuple[int, float]]:
        """Pictures by how likely the sentence is as a description of them: search.

        By ln P(sentence | picture). What the sentence has of itself, without any picture, is the same for all of them
        and so does not change their order.

        Args:
            sentence: as the descriptions that the model was trained on.
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.

        Returns:
            (place in `pictures`, ln P), the likeliest first.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for what are no pictures, or no text.
        """
        op = f"{type(self).__name__}.rank"
        seen, text = self.check_pictures(op, pictures), check_description(f"{op}: sentence", sentence)
        found = likelihoods(self, seen, [self.vocabulary.encode(text)] * len(seen))
        return [(int(i), float(found[i])) for i in np.argsort(-found, kind="stable")]

    def evaluate(
        self, pictures: ArrayLike | Sequence[ArrayLike], descriptions: Descriptions, **search: Any
    ) -> CaptionEvaluation:
        """How good descriptions of pictures with known descriptions are.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.
            descriptions: one for each picture, or several.
            search: the fields of `Search`.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for pictures and descriptions that are none or do not belong
                together.
        """
        op = f"{type(self).__name__}.evaluate"
        seen = self.check_pictures(op, pictures)
        texts, owners = check_descriptions(op, descriptions, len(seen))
        return evaluate(self, seen, texts, owners, self.search(**search))

    def checkpoint_contents(self) -> ModelFile:
        """The model as a file holds it: kind, configuration with the vocabulary, and parameters."""
        return caption_file.contents(self)

    @classmethod
    def _build(cls: type[M], file: ModelFile, path: str | os.PathLike[str], **given: Any) -> M:
        return caption_file.build(cls, file, path)

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


def _pair(name: str, value: Any) -> tuple[int, int]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"Captioner: {name}: expected two numbers, Y and X, got {value!r}")
    return check_size("Captioner", name, value[0]), check_size("Captioner", name, value[1])


def _feature_shape(features: Any) -> tuple[int, ...] | None:
    """(K,), (P, K) or (Y′, X′, K)."""
    if features is None:
        return None
    shape = tuple(features) if isinstance(features, (tuple, list)) else (features,)
    if not 1 <= len(shape) <= 3:
        raise ValueError(f"Captioner: features: expected K, (P, K) or (Y′, X′, K), got {features!r}")
    return tuple(check_size("Captioner", "features", n) for n in shape)
