"""A model that describes the regions of pictures, finds them, and finds what a sentence speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ....checks import check_size
from ....data import Region
from ....decoding import Hypothesis
from ....errors import ShapeError
from ....metrics import caption_scores, dense_average_precision
from ....metrics.words import Tokenize, bare
from ....nn.guarded import reading
from ....types import Array
from ...base.answers import answers
from ...base.validation import spread
from ...writer.evaluation import PairEvaluation
from ...writer.examples import example_lines
from ...writer.network import Encoded
from ...writer.search import Search, search_of, search_steps
from ...writer.steps import DecoderSteps
from ..batches import as_numbers
from ..describing import LONGEST, DescribingModel, RankedPicture
from ..evaluation import side_by_side
from ..inputs import as_known, check_description
from .evaluation import RegionEvaluation, right_places
from .found import FoundRegion, RankedRegion
from .grounding import likeliest_phrases, phrase_log_probs
from .inputs import check_own_boxes
from .localization import Found
from .network import RegionNetwork

#: The lowest probability of an object in a box that is described.
LEAST = 0.05

#: The largest number of regions found in a picture for its average precision, where not more are known.
DENSE = 32

#: The number of boxes in a picture among which a phrase is sought.
AMONG = 24


class RegionModel(DescribingModel):
    """A `DescribingModel` that describes regions, too; `Captioner` documents the arguments."""

    @answers
    def describe_regions(
        self,
        picture: ArrayLike,
        boxes: ArrayLike | None = None,
        n: int = 10,
        search: Search | None = None,
        **settings: Any,
    ) -> list[FoundRegion]:
        """Describes regions of a picture: boxes that are given, or those that the model finds.

        Args:
            picture: (Y, X, 3), uint8, or numbers from 0 to 1.
            boxes: x, y, w and h of each box (N, 4), in pixels of the picture; None: the model finds them.
                Boxes are clipped to the picture.
            n: the largest number of boxes to find. There are fewer if the model finds no more.
            search: the settings of the search for the phrases; `Captioner.search()` by default.
            settings: settings of `Search` that differ from it: `beam=1`, ….

        Returns:
            A `FoundRegion` for each given box, in their order; or those found, by falling score.

        Raises:
            ShapeError, DTypeError, TypeError: for an invalid picture, or other boxes; for an unknown setting.
            ValueError: for a box that is not even half within the picture, or without size; for a setting out
                of range; if the model describes whole pictures only.

        Example:
            >>> model.describe_regions(picture, [[10, 10, 32, 32]])  # doctest: +SKIP
            [FoundRegion(x=10.0, y=10.0, w=32.0, h=32.0, phrase='a red kite', score=-0.41)]
            >>> for region in model.describe_regions(picture):  # doctest: +SKIP
            ...     print(region.phrase, region.score)
        """
        op = f"{type(self).__name__}.describe_regions"
        self._regions(op)
        seen = self._one(op, picture)
        own = None if boxes is None else [check_own_boxes(op, boxes, self.picture_size)]
        return self._described(op, seen, own, n, search, settings)[0]

    @answers
    def describe_all_regions(
        self,
        pictures: ArrayLike | Sequence[ArrayLike],
        boxes: Sequence[ArrayLike] | None = None,
        n: int = 10,
        search: Search | None = None,
        **settings: Any,
    ) -> list[list[FoundRegion]]:
        """Describes regions of several pictures; no result depends on the other pictures.

        Args:
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1.
            boxes: for each picture, its boxes; see `describe_regions`.
            n, search, settings: see `describe_regions`.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: see `describe_regions`.
        """
        op = f"{type(self).__name__}.describe_all_regions"
        self._regions(op)
        seen = self.check_pictures(op, pictures)
        if boxes is None:
            return self._described(op, seen, None, n, search, settings)
        if isinstance(boxes, (str, bytes)) or not isinstance(boxes, (Sequence, np.ndarray)):
            raise TypeError(f"{op}: boxes: expected some for each picture, got {boxes!r:.80}")
        if len(boxes) != len(seen):
            raise ShapeError(f"{op}: boxes: expected some for each of {len(seen)} pictures, got {len(boxes)}")
        own = [check_own_boxes(op, b, self.picture_size, f"boxes[{i}]") for i, b in enumerate(boxes)]
        return self._described(op, seen, own, n, search, settings)

    @answers
    def ground(self, picture: ArrayLike, sentence: str | Sequence[str]) -> list[FoundRegion]:
        """Finds what a sentence speaks of: the box in the picture that fits each of its phrases best.

        The model proposes boxes, and a phrase belongs to the box with the highest P(box) · P(phrase | box). A
        sentence may have several phrases, separated by punctuation or "and". It is divided so that the sum of
        their scores is highest. Capitals count as small letters where only these were in the training's
        phrases. (Karpathy and Fei-Fei 2015.)

        Args:
            picture: (Y, X, 3), uint8, or numbers from 0 to 1.
            sentence: a sentence, or its phrases.

        Returns:
            A `FoundRegion` for each phrase, in the order of the sentence.

        Raises:
            ShapeError, DTypeError: for an invalid picture.
            TypeError, ValueError: for an invalid sentence; if the model describes whole pictures only.

        Example:
            >>> for region in model.ground(picture, "a red kite and a tree"):  # doctest: +SKIP
            ...     print(region.phrase, region.x, region.y, region.w, region.h)
        """
        op = f"{type(self).__name__}.ground"
        self._regions(op)
        seen = self._one(op, picture)
        if isinstance(sentence, str):
            text = check_description(f"{op}: sentence", sentence)
            phrases = likeliest_phrases(
                text, lambda own: np.array([region.score for region in self._grounded(seen, [own])[0]])
            )
        elif not isinstance(sentence, Sequence) or not len(sentence):
            raise TypeError(f"{op}: sentence: expected a sentence, or its phrases, got {sentence!r:.80}")
        else:
            phrases = [check_description(f"{op}: sentence[{i}]", own) for i, own in enumerate(sentence)]
        return self._grounded(seen, [phrases])[0]

    @answers
    def rank(
        self, sentence: str, pictures: ArrayLike | Sequence[ArrayLike]
    ) -> list[RankedPicture] | list[RankedRegion]:
        """Ranks pictures by ln P(sentence | picture): search for pictures by a description.

        The probability of the sentence without any picture is the same for all of them, so it does not affect
        the order. A model of regions ranks pictures by the region that the sentence fits best, as `ground`
        finds it.

        Args:
            sentence: a description like those that the model was trained on.
            pictures: (N, Y, X, 3), uint8, or numbers from 0 to 1; or features.

        Returns:
            The pictures' indices and ln P, the likeliest first; of a model of regions, `RankedRegion`, which
            have the region, too.

        Raises:
            ShapeError, DTypeError, TypeError, ValueError: for invalid pictures, or an invalid sentence.

        Example:
            >>> pictures[model.rank("a blue square", pictures)[0].place]  # doctest: +SKIP
        """
        op = f"{type(self).__name__}.rank"
        seen, text = self.check_pictures(op, pictures), check_description(f"{op}: sentence", sentence)
        if not self.regions:
            found = self._log_probs(seen, [as_known(self.vocabulary, text)] * len(seen))
            return [RankedPicture(int(i), float(found[i])) for i in np.argsort(-found, kind="stable")]
        best = [region for (region,) in self._grounded(seen, [[text]] * len(seen))]
        ranked = [RankedRegion(i, region.score, region) for i, region in enumerate(best)]
        return sorted(ranked, key=lambda picture: -picture.log_prob)

    def _regions(self, op: str) -> RegionNetwork:
        """Returns the network.

        Raises:
            ValueError: if it has no regions.
        """
        if not isinstance(self.network, RegionNetwork):
            raise ValueError(
                f"{op}: expected a model of regions, made with regions=True, got one of pictures"
            )
        return self.network

    @reading
    def _described(
        self,
        op: str,
        pictures: Array,
        boxes: Sequence[Array] | None,
        n: int,
        search: Search | None,
        settings: Mapping[str, Any],
    ) -> list[list[FoundRegion]]:
        """Returns the described regions of checked pictures, and of checked boxes if there are any."""
        check_size(op, "n", n)
        search = search_of(op, search, self.search, settings)
        network, count = self._regions(op), side_by_side(self.network, pictures)
        described: list[list[FoundRegion]] = []
        for start in range(0, len(pictures), count):
            part = slice(start, start + count)
            seen = network.see(as_numbers(pictures[part], self.parameters.dtype))
            if boxes is None:
                found = network.find(seen, n, LEAST)
            else:
                sizes = [len(own) for own in boxes[part]]
                owners = np.repeat(np.arange(len(sizes)), sizes)
                found = Found(np.concatenate(boxes[part]), owners, np.zeros(len(owners)))
            written: list[tuple[Hypothesis, str]] = []
            if len(found.boxes):
                written = self._phrases(op, network.look_at(seen, found.boxes, found.owners), search)
            own = _by_picture(found, [best.log_prob for best, _ in written], [text for _, text in written])
            for i in range(len(seen.map)):
                regions = own.get(i, [])
                described.append(regions if boxes is not None else sorted(regions, key=lambda r: -r.score))
        return described

    @reading
    def _measured(
        self,
        op: str,
        pictures: Array,
        regions: tuple[Array, Array, list[str]],
        search: Search | None,
        settings: Mapping[str, Any],
        tokenize: Tokenize | None,
    ) -> RegionEvaluation:
        """Compares the regions of checked pictures with known ones, as `check_regions` returns them."""
        boxes, owners, phrases = regions
        edges = np.searchsorted(owners, np.arange(len(pictures) + 1))
        parts = [slice(*edges[i : i + 2]) for i in range(len(pictures))]
        known = self._described(op, pictures, [boxes[part] for part in parts], 1, search, settings)
        written = [region.phrase for own in known for region in own]
        most = max(DENSE, int(np.diff(edges).max()))
        found = self._described(op, pictures, None, most, search, settings)
        likelihood = self._likelihood(pictures, regions, parts)
        places = self._grounded(pictures, [phrases[part] for part in parts])
        right = [
            right_places(own, boxes[part], phrases[part])
            for own, part in zip(places, parts, strict=True)
            if own
        ]
        reference = [
            [
                Region._make([*box, phrase])
                for box, phrase in zip(boxes[part].tolist(), phrases[part], strict=True)
            ]
            for part in parts
        ]
        return RegionEvaluation(
            likelihood.loss,
            likelihood.perplexity,
            likelihood.tokens,
            float(np.mean([bare(own) == bare(wanted) for own, wanted in zip(written, phrases, strict=True)])),
            caption_scores(written, [[phrase] for phrase in phrases], tokenize=tokenize),
            dense_average_precision(found, reference),
            dense_average_precision(found, reference, agrees="cider"),
            sum(right) / len(phrases),
            tuple(written),
            tuple(map(tuple, found)),
        )

    def _region_lines(self, pictures: Any, regions: Any, count: int) -> list[str]:
        """Returns lines that compare phrases with those of known boxes: the first box of some pictures."""
        op = f"{type(self).__name__}.fit"
        firsts = [(i, own[0]) for i, own in enumerate(regions) if len(own)]
        lines: list[str] = []
        for place in spread(len(firsts), count):
            i, (*box, phrase) = firsts[place]
            own = [check_own_boxes(op, [box], self.picture_size)]
            ((found,),) = self._described(op, self._one(op, pictures[i]), own, 1, None, {"beam": 1})
            name = f"picture {i}, " + ", ".join(f"{c} {v:g}" for c, v in zip("xywh", box, strict=True))
            lines += example_lines(name, phrase, found.phrase)
        return lines

    def _likelihood(
        self, pictures: Array, regions: tuple[Array, Array, list[str]], parts: Sequence[slice]
    ) -> PairEvaluation:
        """Returns the likelihood of the phrases of known boxes; `parts`: those of each picture."""
        boxes, owners, phrases = regions
        network, count, nats = self._regions(""), side_by_side(self.network, pictures), 0.0
        ids = self.vocabulary.encode_all(phrases)
        for start in range(0, len(pictures), count):
            own = slice(parts[start].start, parts[min(start + count, len(parts)) - 1].stop)
            seen = network.see(as_numbers(pictures[start : start + count], self.parameters.dtype))
            encoded = network.look_at(seen, boxes[own], owners[own] - start)
            places = np.arange(own.stop - own.start)
            nats -= float(phrase_log_probs(network, self.vocabulary.end_id, encoded, places, ids[own]).sum())
        return PairEvaluation.likelihood(nats, sum(len(own) + 1 for own in ids))

    def _phrases(self, op: str, encoded: Encoded, search: Search) -> list[tuple[Hypothesis, str]]:
        """Returns the phrase of each encoded region."""
        steps = DecoderSteps(self._regions(op), self.vocabulary, self.decoder(), encoded)
        unknown = [self.vocabulary.unknown_id]
        results = search_steps(op, steps, search, LONGEST[self.vocabulary.level], unknown)
        return [(own[0], self.vocabulary.decode(own[0].tokens.tolist())) for own in results]

    def _grounded(self, pictures: Array, phrases: Sequence[Sequence[str]]) -> list[list[FoundRegion]]:
        """Returns, for each of the phrases for a picture, the proposed box that it fits best."""
        network, count = self._regions(""), side_by_side(self.network, pictures)
        grounded: list[list[FoundRegion]] = []
        for start in range(0, len(pictures), count):
            seen = network.see(as_numbers(pictures[start : start + count], self.parameters.dtype))
            found, own = network.find(seen, AMONG), phrases[start : start + count]
            if not any(own):
                grounded += [[] for _ in own]
                continue
            encoded = network.look_at(seen, found.boxes, found.owners)
            places = [np.flatnonzero(found.owners == i) for i in range(len(own))]
            pairs = [(i, phrase) for i, some in enumerate(own) for phrase in some]
            boxes = np.concatenate([places[i] for i, _ in pairs])
            known = [self.vocabulary.encode(as_known(self.vocabulary, phrase)) for _, phrase in pairs]
            ids = [ids for (i, _), ids in zip(pairs, known, strict=True) for _ in places[i]]
            fits = phrase_log_probs(network, self.vocabulary.end_id, encoded, boxes, ids)
            fits += found.log_probs[boxes]
            grounded += _best_of(found, places, own, fits)
        return grounded


def _best_of(
    found: Found, places: Sequence[Array], phrases: Sequence[Sequence[str]], fits: Array
) -> list[list[FoundRegion]]:
    """Returns the box that each phrase fits best.

    Args:
        found: the boxes of all pictures.
        places: the indices of each picture's boxes.
        phrases: the phrases for each picture.
        fits: how well each phrase fits each of its picture's boxes, phrase by phrase.
    """
    first, best = 0, []
    for own, some in zip(places, phrases, strict=True):
        regions: list[FoundRegion] = []
        for phrase in some:
            scores = fits[first : first + len(own)]
            first += len(own)
            box = found.boxes[own[scores.argmax()]].tolist()
            regions.append(FoundRegion._make([*box, phrase, float(scores.max())]))
        best.append(regions)
    return best


def _by_picture(
    found: Found, log_probs: Sequence[float], phrases: Sequence[str]
) -> dict[int, list[FoundRegion]]:
    """Returns the regions of each picture that has some."""
    regions: dict[int, list[FoundRegion]] = {}
    parts = zip(found.boxes.tolist(), found.owners.tolist(), found.log_probs.tolist(), strict=True)
    for (box, owner, probable), log_prob, phrase in zip(parts, log_probs, phrases, strict=True):
        regions.setdefault(owner, []).append(FoundRegion._make([*box, phrase, probable + log_prob]))
    return regions
