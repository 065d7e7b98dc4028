"""Descriptions of pictures: training, writing, search by a sentence, and evaluation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ..._rnnrs import Decoder
from ...decoding import Hypothesis
from ...metrics.words import Tokenize
from ...nn.guarded import reading
from ...text import build_vocabulary
from ...text.build import check_level
from ...train import Callback, History
from ...types import Array
from ..base.answers import answers
from ..base.training import TrainingSettings, train
from ..base.validation import chosen, divided, held_out_share
from ..writer.examples import written_lines
from ..writer.search import Search, Written, search_steps
from .batches import CaptionBatches
from .caption_model import CaptionModel
from .evaluation import CaptionEvaluation, evaluate, side_by_side
from .fitting import CaptionTraining, CaptionTrainingOptions, caption_batches
from .inputs import Descriptions, check_description, check_descriptions, check_picture_size, check_pictures

if TYPE_CHECKING:
    from typing_extensions import Unpack

M = TypeVar("M", bound="Captioner")

#: The maximum number of tokens of a written description, by the level of the vocabulary.
LONGEST = {"word": 60, "token": 60, "subword": 100, "char": 300}

#: Pictures and their descriptions.
Pairs = tuple[Any, Descriptions]


class RankedPicture(NamedTuple):
    """A picture and the likelihood of a sentence as its description.

    Attributes:
        place: the picture's index in the given pictures, from 0.
        log_prob: ln P(sentence | picture).
    """

    place: int
    log_prob: float


class Captioner(CaptionModel):
    """P(description | picture) = Π_t P(w_t | w_1 … w_{t−1}, picture): a CNN and a decoder, trained together.

    The network is `CaptionNetwork`: the decoder's initial state is computed from the mean of the CNN's last
    layer, and the decoder attends to the positions of that layer.

    Args:
        vocabulary: the vocabulary of the descriptions.
        picture_size: Y and X of the pictures, in pixels.
        channels: the channels of the CNN's stages; height and width are halved between stages. None: 32, 64,
            128, 256, 256, …, as many as leave 4 to 7 positions along the shorter side.
        convolutions: the number of convolutions in each stage.
        features: None for pictures. Otherwise, the shape of one picture's features from another network: K
            for one vector; (P, K) or (Y′, X′, K) for a grid of positions to attend to.
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
        vocabulary, picture_size, channels, features: as given; `features` as a tuple.
        network: the `CaptionNetwork`.
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
        descriptions: Descriptions,
        *,
        level: str = "word",
        vocabulary: dict[str, Any] | None = None,
        **sizes: Any,
    ) -> M:
        """Returns an untrained model with the vocabulary of the descriptions and the size of the pictures.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.
            descriptions: one for each picture, or several.
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
        if sizes.get("features") is None:
            size = sizes.get("picture_size")
            pictures = check_pictures(op, pictures, None if size is None else check_picture_size(op, size))
            sizes.setdefault("picture_size", pictures.shape[1:3])
        texts, _ = check_descriptions(op, descriptions, len(pictures))  # type: ignore[arg-type]
        check_level(op, level)
        options = cls.LEVELS[level] | (vocabulary or {})
        return cls(build_vocabulary(level, texts, options, op=op), **sizes)

    def fit(
        self,
        pictures: ArrayLike | Sequence[ArrayLike],
        descriptions: Descriptions,
        validation: tuple[Any, Descriptions] | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | str | None = "5m",
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        **training: Unpack[CaptionTrainingOptions],
    ) -> History:
        """Trains CNN and decoder; with validation, ends with the parameters of the lowest validation loss.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features. An array, or a list of arrays
                of one shape.
            descriptions: one for each picture, or several; every epoch contains all of them.
            validation: held-out pictures and descriptions, or the share of the pictures to hold out, sampled
                by the seed.
            callbacks: see `rnnrs.train`.
            checkpoint: a file to resume from, written after every epoch, at the end, and at Ctrl-C, SIGTERM
                and SIGHUP. It can be loaded as a model. An existing file is replaced.
            checkpoint_every: when it is also written: after a number of steps, or a time such as "5m".
            resume: a checkpoint to continue from, of a run with the same data and settings; `epochs`,
                `time_limit` and `patience` may change, and count from that run's start.
            progress: whether to show progress on standard error.
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
            perplexity=True,
            examples=lambda: self._examples(held_out, settings.examples),
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
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
        check_descriptions(op, descriptions, len(pictures))
        kept, out = divided(op, len(pictures), share, seed, "pictures")
        parts = [(chosen(pictures, which), chosen(descriptions, which)) for which in (kept, out)]
        return parts[0], parts[1] if out else None

    def _batches(
        self, op: str, pictures: Any, descriptions: Any, settings: CaptionTraining, *, changed: bool
    ) -> CaptionBatches:
        """Returns pictures and descriptions in batches; `changed`: whether the augmentation applies."""
        seen = self.check_pictures(op, pictures)
        texts, owners = check_descriptions(op, descriptions, len(seen))
        dtype = self.parameters.dtype
        return caption_batches(self.vocabulary, seen, texts, owners, settings, dtype=dtype, changed=changed)

    def _examples(self, held_out: Any, count: int) -> list[str]:
        """Returns the lines of `fit(examples=…)`."""
        pictures, descriptions = held_out
        firsts = [text if isinstance(text, str) else text[0] for text in descriptions]
        return written_lines(self, pictures, firsts, count, "picture")

    @answers
    def describe(self, picture: ArrayLike, search: Search | None = None, **settings: Any) -> str:
        """Returns the description that the model writes for a picture.

        Args:
            picture: (Y, X, 3), uint8, or numbers from 0 to 1; or features.
            search: the settings of the search; `Captioner.search()` by default.
            settings: settings of `Search` that differ from it: `beam=1`, ….

        Raises:
            ShapeError, DTypeError, ValueError, TypeError: for an invalid picture; for a setting that is
                unknown or out of range.

        Example:
            >>> model.describe(picture, beam=1)  # doctest: +SKIP
            'a red square'
        """
        op = f"{type(self).__name__}.describe"
        return self._best_texts(op, self._one(op, picture), search, settings)[0]

    @answers
    def describe_all(
        self, pictures: ArrayLike | Sequence[ArrayLike], search: Search | None = None, **settings: Any
    ) -> list[str]:
        """Returns the descriptions of several pictures, none of which depends on the other pictures.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.
            search, settings: see `describe`.

        Raises:
            ShapeError, DTypeError, ValueError, TypeError: see `describe`.
        """
        op = f"{type(self).__name__}.describe_all"
        return self._best_texts(op, self.check_pictures(op, pictures), search, settings)

    def _best_texts(
        self, op: str, pictures: Array, search: Search | None, settings: Mapping[str, Any]
    ) -> list[str]:
        search = (search or self.search()).changed(op, settings)
        return [best.text for best, *_ in self._write(op, pictures, search)]

    @reading
    def write(
        self,
        pictures: ArrayLike | Sequence[ArrayLike],
        search: Search | None = None,
        *,
        decoder: Decoder | None = None,
    ) -> list[list[Written]]:
        """Writes descriptions of pictures, by beam search; `n_best` for each, the best first.

        The result for a picture does not depend on the others. Its `attention` (n, P) holds each word's
        attention to the positions of the picture; see `grid`.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.
            search: the settings of the search; `Captioner.search()` by default.
            decoder: a result of `decoder()`, to save packing the weights again.

        Raises:
            ShapeError, DTypeError, ValueError, TypeError: for invalid pictures; for a setting of the search
                out of range.

        Example:
            >>> ((best, second),) = model.write(pictures[:1], model.search(n_best=2))  # doctest: +SKIP
            >>> best.text, best.attention.shape, model.grid  # doctest: +SKIP
            ('a red square', (3, 16), (4, 4))
        """
        op = f"{type(self).__name__}.write"
        return self._write(op, self.check_pictures(op, pictures), search, decoder)

    def _write(
        self, op: str, pictures: Array, search: Search | None, decoder: Decoder | None = None
    ) -> list[list[Written]]:
        search, decoder = search or self.search(), decoder or self.decoder()
        count, unknown = side_by_side(self.network, pictures), [self.vocabulary.unknown_id]
        written = []
        for start in range(0, len(pictures), count):
            steps = self._steps(pictures[start : start + count], decoder)
            for found in search_steps(op, steps, search, LONGEST[self.vocabulary.level], unknown):
                written.append([self._written(hypothesis) for hypothesis in found])
        return written

    def _written(self, found: Hypothesis) -> Written:
        """Returns the text of a hypothesis."""
        ids = found.tokens.tolist()
        words = tuple(self.vocabulary.surface(self.vocabulary.tokens[id]) for id in ids)
        text = self.vocabulary.decode(ids)
        return Written(text, found.score, found.log_prob, (), words, found.attention, False)

    @classmethod
    def search(cls, **settings: Any) -> Search:
        """Returns the default search settings, changed as given.

        Raises:
            TypeError: for an unknown setting.
        """
        return Search().changed(f"{cls.__name__}.search", settings)

    @answers
    def rank(self, sentence: str, pictures: ArrayLike | Sequence[ArrayLike]) -> list[RankedPicture]:
        """Ranks pictures by ln P(sentence | picture): search for pictures by a description.

        The probability of the sentence without any picture is the same for all of them, so it does not affect
        the order.

        Args:
            sentence: a description like those that the model was trained on.
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.

        Returns:
            The pictures' indices and ln P, the likeliest first.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for invalid pictures, or an invalid sentence.

        Example:
            >>> pictures[model.rank("a blue square", pictures)[0].place]  # doctest: +SKIP
        """
        op = f"{type(self).__name__}.rank"
        seen, text = self.check_pictures(op, pictures), check_description(f"{op}: sentence", sentence)
        found = self._log_probs(seen, [text] * len(seen))
        return [RankedPicture(int(i), float(found[i])) for i in np.argsort(-found, kind="stable")]

    @reading
    def evaluate(
        self,
        pictures: ArrayLike | Sequence[ArrayLike],
        descriptions: Descriptions,
        search: Search | None = None,
        *,
        tokenize: Tokenize | None = None,
        **settings: Any,
    ) -> CaptionEvaluation:
        """Describes pictures and compares the results with known descriptions.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.
            descriptions: the known descriptions, one for each picture, or several.
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
        texts, owners = check_descriptions(op, descriptions, len(seen))
        written = self._best_texts(op, seen, search, settings)
        return evaluate(self.network, self.vocabulary, seen, texts, owners, written, tokenize)
