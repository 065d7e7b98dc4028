"""Descriptions of pictures: training, writing, search by a sentence, and evaluation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from numpy.typing import ArrayLike

from ...metrics.words import Tokenize
from ...nn.guarded import reading
from ...text import build_vocabulary
from ...text.build import check_level
from ...train import Callback, Communicator, History
from ..base.training import TrainingSettings, train
from ..base.validation import chosen, divided, held_out_share
from ..writer.examples import written_lines
from ..writer.search import Search
from .batches import CaptionBatches
from .evaluation import CaptionEvaluation, evaluate
from .fitting import CaptionTraining, CaptionTrainingOptions, caption_batches, region_batches
from .inputs import Descriptions, check_descriptions, check_kind, check_picture_size, check_pictures
from .regions.batches import RegionBatches
from .regions.evaluation import RegionEvaluation
from .regions.inputs import Regions, check_regions
from .regions.model import RegionModel

if TYPE_CHECKING:
    from typing_extensions import Unpack

M = TypeVar("M", bound="Captioner")

#: Pictures and their descriptions, or regions.
Pairs = tuple[Any, Descriptions | Regions]


class Captioner(RegionModel):
    """P(description | picture) = Π_t P(w_t | w_1 … w_{t−1}, picture): a CNN and a decoder, trained together.

    The network is `CaptionNetwork`: the decoder's initial state is computed from the mean of the CNN's last
    layer, and the decoder attends to the positions of that layer.

    With `regions`, it describes boxes within pictures, and finds them (`RegionNetwork`): `describe_regions`,
    `ground`. Wherever descriptions are expected, it expects for each picture a list of regions instead, as
    `data.Region`: x, y, w, h and phrase. The description of a whole picture is a region that covers it.

    Args:
        vocabulary: the vocabulary of the descriptions.
        picture_size: Y and X of the pictures, in pixels.
        channels: the channels of the CNN's stages; height and width are halved between stages. None: 32, 64,
            128, 256, 256, …, as many as leave 4 to 7 positions along the shorter side; with `regions`: 24,
            48, 96, 192, the last of which reads the regions.
        convolutions: the number of convolutions in each stage.
        features: None for pictures. Otherwise, the shape of one picture's features from another network: K
            for one vector; (P, K) or (Y′, X′, K) for a grid of positions to attend to.
        regions: whether the model describes regions of pictures.
        cell: "gru", "lstm" or "rnn".
        embedding_size: I.
        hidden_size: H of the decoder's layers.
        layers: the number of the decoder's layers.
        attention: "additive", "general" or "dot", see `nn.Attention`; None: the decoder's initial state is
            all that it knows of the picture.
        dropout: the dropout rate of the CNN's output and of the inputs of the recurrent layers and of the
            output layer.
        recurrent_dropout: the dropout rate of the recurrent layers, see `nn.Recurrent`.
        label_smoothing: ε, see `losses.SoftmaxCrossEntropy`; in training only.
        tied: whether the output layer's V is the embedding; ĥ then has the embedding's size.
        seed: the seed of the initial weights.
        dtype: float32 or float64.

    Attributes:
        vocabulary, picture_size, channels, features, regions: as given; `features` as a tuple.
        network: the `CaptionNetwork`, or `RegionNetwork`.
        parameters, gradients: those of the network.
        settings: the settings of the last `fit`, which the model's file holds; None before the first.

    Raises:
        ValueError, TypeError: for options out of range, or that exclude each other.
        MemoryError: if the weights do not fit into memory.

    Example:
        >>> import numpy as np
        >>> from rnnrs.models import Captioner
        >>> pictures = np.zeros((2, 4, 4, 3), np.uint8)
        >>> pictures[0, ..., 0] = pictures[1, ..., 2] = 255
        >>> texts = ["a red square", "a blue square"]
        >>> model = Captioner.from_pairs(pictures, texts, channels=(4,), embedding_size=8, hidden_size=16)
        >>> history = model.fit(pictures, texts, epochs=60, learning_rate=0.02, progress=False)
        >>> model.describe(pictures[0])
        'a red square'
        >>> model.rank("a blue square", pictures)[0].place
        1
    """

    KIND: ClassVar[str] = "captioner"
    TRAINING: ClassVar[type[TrainingSettings]] = CaptionTraining
    #: The levels of the vocabulary, with the options that differ from the defaults of its `build`.
    LEVELS: ClassVar[dict[str, dict[str, Any]]] = {
        "word": {"min_count": 1},
        "char": {},
        "subword": {"max_size": 8_000},
        "token": {"min_count": 1},
    }

    @classmethod
    def from_pairs(
        cls: type[M],
        pictures: ArrayLike | Sequence[ArrayLike],
        descriptions: Descriptions | Regions,
        *,
        level: str = "word",
        vocabulary: dict[str, Any] | None = None,
        **sizes: Any,
    ) -> M:
        """Returns an untrained model with the vocabulary of the descriptions and the size of the pictures.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.
            descriptions: one for each picture, or several; with `regions=True`, the regions of each picture.
            level: "word", "char", "subword" for byte-pair encoding, which requires the extra "subword", or
                "token" for descriptions that come in tokens separated by white space.
            vocabulary: options of the vocabulary: `max_size` (8,000 subwords by default), `min_count` (1 by
                default), `lowercase`; see `text.build_vocabulary`.
            sizes: the keyword arguments of the class.

        Raises:
            ShapeError, DTypeError, ValueError, TypeError: for invalid pictures or descriptions, or different
                numbers of them; for an unknown level or option, or one out of range.
            MissingExtraError: for subwords, if the package tokenizers is missing.
        """
        op = f"{cls.__name__}.from_pairs"
        has_regions = check_kind(op, sizes.get("regions", False), sizes.get("features"))
        if sizes.get("features") is None:
            size = sizes.get("picture_size")
            pictures = check_pictures(op, pictures, None if size is None else check_picture_size(op, size))
            sizes.setdefault("picture_size", pictures.shape[1:3])
        if has_regions:
            size = sizes["picture_size"]
            texts = check_regions(op, descriptions, len(pictures), size)[2]  # type: ignore[arg-type]
        else:
            texts, _ = check_descriptions(op, descriptions, len(pictures))  # type: ignore[arg-type]
        check_level(op, level)
        options = cls.LEVELS[level] | (vocabulary or {})
        return cls(build_vocabulary(level, texts, options, op=op), **sizes)

    def fit(
        self,
        pictures: ArrayLike | Sequence[ArrayLike],
        descriptions: Descriptions | Regions,
        validation: tuple[Any, Descriptions | Regions] | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | str | None = "5m",
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        communicator: Communicator | None = None,
        **training: Unpack[CaptionTrainingOptions],
    ) -> History:
        """Trains CNN and decoder; with validation, ends with the parameters of the lowest validation loss.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features. An array, or a list of arrays
                of one shape.
            descriptions: one for each picture, or several; with `regions=True`, the regions of each picture,
                if it has some. Every epoch contains all of them.
            validation: held-out pictures and descriptions, or the share of the pictures to hold out, sampled
                by the seed.
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
            ShapeError, DTypeError, ValueError, TypeError: for invalid pictures or descriptions, or different
                numbers of them; for an option that is unknown or out of range.
            FormatError: if `resume` is not a checkpoint of such a run.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after the checkpoint was written; the model can be used.
        """
        op = f"{type(self).__name__}.fit"
        settings: CaptionTraining = self.settings_of(training)
        if settings.augmentation is not None and self.features is not None:
            raise ValueError(f"{op}: augmentation: expected None for features, got {settings.augmentation!r}")
        learned, held_out = self._divided(op, (pictures, descriptions), validation, settings.seed)
        held_out_op = f"{op}: validation"
        return train(
            self,
            self._batches(op, *learned, settings, changed=True),
            None if held_out is None else self._batches(held_out_op, *held_out, settings, changed=False),
            settings,
            unit="words" if self.regions else "tokens",
            perplexity=not self.regions,
            examples=lambda: self._examples(held_out, settings.examples),
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
            communicator=communicator,
        )

    def _divided(self, op: str, pairs: Pairs, validation: Any, seed: int) -> tuple[Pairs, Pairs | None]:
        """Returns the pictures and descriptions for training and those for validation."""
        share = held_out_share(op, validation)
        if share is None:
            if validation is not None and not (isinstance(validation, tuple) and len(validation) == 2):
                expected = "(pictures, descriptions), a share or None"
                raise TypeError(f"{op}: validation: expected {expected}, got {validation!r:.80}")
            return pairs, validation
        pictures, descriptions = self.check_pictures(op, pairs[0]), pairs[1]
        self._described_by(op, descriptions, len(pictures))
        kept, out = divided(op, len(pictures), share, seed, "pictures")
        parts = [(chosen(pictures, which), chosen(descriptions, which)) for which in (kept, out)]
        return parts[0], parts[1] if out else None

    def _described_by(self, op: str, descriptions: Any, count: int) -> tuple[Any, ...]:
        """Returns the descriptions, or regions, of `count` pictures, checked."""
        if self.regions:
            return check_regions(op, descriptions, count, self.picture_size)
        return check_descriptions(op, descriptions, count)

    def _batches(
        self, op: str, pictures: Any, descriptions: Any, settings: CaptionTraining, *, changed: bool
    ) -> CaptionBatches | RegionBatches:
        """Returns pictures and descriptions in batches; `changed`: whether the augmentation applies."""
        seen = self.check_pictures(op, pictures)
        found: Any = self._described_by(op, descriptions, len(seen))
        options: dict[str, Any] = {"dtype": self.parameters.dtype, "changed": changed}
        if self.regions:
            return region_batches(self.vocabulary, seen, found, settings, **options)
        texts, owners = found
        return caption_batches(self.vocabulary, seen, texts, owners, settings, **options)

    def _examples(self, held_out: Any, count: int) -> list[str]:
        """Returns the lines of `fit(examples=…)`."""
        pictures, descriptions = held_out
        if self.regions:
            return self._region_lines(pictures, descriptions, count)
        firsts = [text if isinstance(text, str) else text[0] for text in descriptions]
        return written_lines(self, pictures, firsts, count, "picture")

    @reading
    def evaluate(
        self,
        pictures: ArrayLike | Sequence[ArrayLike],
        descriptions: Descriptions | Regions,
        search: Search | None = None,
        *,
        tokenize: Tokenize | None = None,
        **settings: Any,
    ) -> CaptionEvaluation | RegionEvaluation:
        """Describes pictures, or their regions, and compares the results with known ones.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.
            descriptions: the known descriptions, one for each picture, or several; with `regions=True`, the
                known regions of each picture.
            search: the settings of the search; `Captioner.search()` by default.
            tokenize: the tokenizer of BLEU, ROUGE-L and CIDEr, see `metrics.caption_scores`.
            settings: settings of `Search` that differ from it: `beam=1`, ….

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for invalid pictures or descriptions, or different
                numbers of them; for a setting that is unknown or out of range.

        Example:
            >>> print(model.evaluate(held_out_pictures, descriptions, beam=1))  # doctest: +SKIP
        """
        op = f"{type(self).__name__}.evaluate"
        seen = self.check_pictures(op, pictures)
        if self.regions:
            known = check_regions(op, descriptions, len(seen), self.picture_size)
            return self._measured(op, seen, known, search, settings, tokenize)
        texts, owners = check_descriptions(op, descriptions, len(seen))
        written = self._best_texts(op, seen, search, settings)
        return evaluate(self.network, self.vocabulary, seen, texts, owners, written, tokenize)
