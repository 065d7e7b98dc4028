"""The model of a captioner: vocabulary, network, likelihood of descriptions, and file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from numpy.typing import ArrayLike, DTypeLike

from ... import modelfile
from ..._rnnrs import Decoder
from ...checks import as_array, check_size
from ...errors import ShapeError
from ...modelfile import ModelFile
from ...nn.guarded import reading
from ...text import Vocabulary, vocabulary_from_config
from ...types import Array, Floats
from ..base.saved import constructed, sizes_of
from ..base.training import TrainedModel
from ..writer.steps import DecoderSteps
from .batches import CaptionBatch, as_numbers
from .evaluation import likelihoods
from .inputs import (
    check_channels,
    check_description,
    check_feature_shape,
    check_features,
    check_kind,
    check_picture_size,
    check_pictures,
    feature_grid,
)
from .network import CaptionNetwork, default_channels
from .regions.batches import RegionBatch
from .regions.network import PATCH, RegionNetwork, default_stages

M = TypeVar("M", bound="CaptionModel")


class CaptionModel(TrainedModel):
    """P(description | picture) = Π_t P(w_t | w_1 … w_{t−1}, picture). `Captioner` documents the arguments."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        picture_size: tuple[int, int] = (32, 32),
        channels: Sequence[int] | None = None,
        convolutions: int = 1,
        features: int | Sequence[int] | None = None,
        regions: bool = False,
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
        self.features = check_feature_shape(op, features)
        self.picture_size = check_picture_size(op, picture_size)
        self.regions = check_kind(op, regions, self.features)
        if channels is None:
            channels = (default_stages if regions else default_channels)(self.picture_size)
        self.channels = check_channels(op, channels, self.picture_size, self.features, 2 if regions else 1)
        check_size(op, "convolutions", convolutions)
        own = ("picture_size", "features", "channels", "regions")
        options = {k: v for k, v in self.sizes.items() if k not in own}
        self.sizes |= {
            "picture_size": list(self.picture_size),
            "channels": list(self.channels),
            "features": None if self.features is None else list(self.features),
        }
        options |= {"channels": self.channels, "unknown_id": vocabulary.unknown_id, "op": op}
        self.network: CaptionNetwork | RegionNetwork
        if regions:
            self.network = RegionNetwork(len(vocabulary), picture_size=self.picture_size, **options)
        else:
            K = None if self.features is None else self.features[-1]
            self.network = CaptionNetwork(len(vocabulary), feature_size=K, **options)
        self.parameters, self.gradients = self.network.parameters, self.network.gradients

    @property
    def averages(self) -> list[Array]:
        """The averages of the batch normalization; a loss with a gradient updates them."""
        return self.network.averages

    @property
    def stochastic(self) -> bool:
        """Whether `loss` uses noise, that is, whether there is dropout."""
        return self.network.stochastic

    @property
    def grid(self) -> tuple[int, int] | None:
        """Y′ and X′ of the P = Y′·X′ positions that the decoder attends to, row by row.

        Features (P, K) form a square if P is a square number, else one row. None without attention, or for
        features (K,). Of a model of regions, the positions are those of a region's patch.
        """
        if self.network.attention is None:
            return None
        if self.features is not None:
            return feature_grid(self.features)
        if self.regions:
            return PATCH // 2, PATCH // 2
        halved = len(self.channels) - 1
        return self.picture_size[0] >> halved, self.picture_size[1] >> halved

    def loss(
        self,
        batch: CaptionBatch | RegionBatch,
        state: Any = None,
        *,
        gradient: bool = True,
        noise: int | None = None,
        whole: RegionBatch | None = None,
    ) -> tuple[float, None]:
        """Returns the mean of −ln P over a batch's words, in nats, and adds its gradient to `gradients`.

        A model of regions adds the loss of the localization, per word.

        Args:
            batch: see `CaptionBatch`; for a model of regions, `RegionBatch`.
            state: unused; present for the `Trainer`.
            gradient: whether to compute gradients. With it, labels are smoothed, and batch normalization uses
                the batch's own statistics; without it, neither.
            noise: the number that dropout masks are derived from, see `rnnrs.nn.noise`; None: no dropout.
            whole: for a model of regions, see `RegionNetwork.loss`.

        Raises:
            IndexError: for an id that the vocabulary lacks.
            ShapeError: if the shapes do not match.
        """
        own: dict[str, Any] = {} if whole is None else {"whole": whole}
        return self.network.loss(batch, gradient=gradient, noise=noise, **own)  # type: ignore[arg-type]

    @property
    def accepts_whole(self) -> bool:
        """Whether `loss` accepts `whole`: a model of regions does."""
        return self.regions

    @reading
    def decoder(self) -> Decoder:
        """Packs the decoder's weights, for several step models in turn."""
        return self.network.packed_decoder()

    @reading
    def step_model(
        self, pictures: ArrayLike | Sequence[ArrayLike], *, decoder: Decoder | None = None
    ) -> DecoderSteps:
        """Returns the decoder before its first step, with an empty hypothesis for each picture.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.
            decoder: a result of `decoder()`, to save packing the weights again; it serves one step model at a
                time.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for invalid pictures.
        """
        seen = self.check_pictures(f"{type(self).__name__}.step_model", pictures)
        return self._steps(seen, decoder or self.decoder())

    def _steps(self, pictures: Array, decoder: Decoder) -> DecoderSteps:
        encoded = self.network.look(as_numbers(pictures, self.parameters.dtype))
        return DecoderSteps(self.network, self.vocabulary, decoder, encoded)

    @reading
    def log_prob(self, picture: ArrayLike, text: str) -> float:
        """Returns ln P of a description of a picture (Y, X, 3), or of its features, including the end.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for an invalid picture or description.
        """
        op = f"{type(self).__name__}.log_prob"
        return float(self._log_probs(self._one(op, picture), [check_description(f"{op}: text", text)])[0])

    @reading
    def log_probs(self, pictures: ArrayLike | Sequence[ArrayLike], texts: Sequence[str]) -> Floats:
        """Returns `log_prob` of several pictures with one description each (N,), for ranking descriptions.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for invalid pictures or descriptions, or different
                numbers of them.
        """
        op = f"{type(self).__name__}.log_probs"
        seen = self.check_pictures(op, pictures)
        if isinstance(texts, str) or not isinstance(texts, Sequence) or len(texts) != len(seen):
            raise ShapeError(f"{op}: texts: expected one for each of {len(seen)} pictures, got {texts!r:.80}")
        checked = [check_description(f"{op}: texts[{i}]", text) for i, text in enumerate(texts)]
        return self._log_probs(seen, checked)

    def _log_probs(self, pictures: Array, texts: Sequence[str]) -> Floats:
        """Returns ln P of checked descriptions of checked pictures."""
        ids = [self.vocabulary.encode(text) for text in texts]
        return likelihoods(self.network, self.vocabulary.end_id, pictures, ids)

    def check_pictures(self, op: str, pictures: Any) -> Array:
        """Returns pictures, or features, in the form that the network reads.

        Args:
            op: the caller's name, for error messages.
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for invalid pictures, or ones of another size.
        """
        if self.features is None:
            return check_pictures(op, pictures, self.picture_size)
        return check_features(op, pictures, self.features)

    def _one(self, op: str, picture: Any) -> Array:
        """Returns one picture, or its features, as several (1, …)."""
        array = as_array(op, "picture", picture)
        if self.features is None and array.ndim != 3:
            raise ShapeError(f"{op}: picture: expected {(*self.picture_size, 3)}, got {array.shape}")
        return self.check_pictures(op, array[None])

    def _contents(self) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary.to_config()}

    @classmethod
    def _restored(cls: type[M], config: dict[str, Any], file: ModelFile, **given: Any) -> M:
        vocabulary = vocabulary_from_config(config.pop("vocabulary"))
        I, H, channels = config["embedding_size"], config["hidden_size"], config["channels"]
        K, cnn = channels[-1], 9 * sum(a * b for a, b in zip([3, *channels], channels, strict=False))
        if config["features"] is not None:
            K, cnn = config["features"][-1], 0
        least = len(vocabulary) * I + H * (H + I) + (config["layers"] - 1) * H * H + K * H + cnn
        modelfile.check_size(least, file)
        return constructed(cls, config, vocabulary)
