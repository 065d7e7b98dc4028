"""A model that describes pictures: writing, and search by a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from ..._rnnrs import Decoder
from ...decoding import Hypothesis
from ...nn.guarded import reading
from ...types import Array
from ..base.answers import answers
from ..writer.search import Search, Written, search_of, search_steps
from .caption_model import CaptionModel
from .evaluation import side_by_side

#: The maximum number of tokens of a written description, by the level of the vocabulary.
LONGEST = {"word": 60, "token": 60, "subword": 100, "char": 300}


class RankedPicture(NamedTuple):
    """A picture and the likelihood of a sentence as its description.

    Attributes:
        place: the picture's index in the given pictures, from 0.
        log_prob: ln P(sentence | picture).
    """

    place: int
    log_prob: float


class DescribingModel(CaptionModel):
    """A `CaptionModel` that writes descriptions; `Captioner` documents the arguments."""

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
        search = search_of(op, search, self.search, settings)
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
        search, decoder = search_of(op, search, self.search), decoder or self.decoder()
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
