"""Regions of pictures compared with known ones: overlap of boxes, and DenseCap's mean average precision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import check_number, check_repeatable
from ..data.placement import check_boxes
from ..data.regions import Region
from ..errors import ShapeError
from ..shown import short_repr
from .captions import Cider
from .words import bare

#: The thresholds of the overlap, as in DenseCap.
IOU = (0.3, 0.4, 0.5, 0.6, 0.7)

#: The thresholds of the agreement of phrases, those that DenseCap has for METEOR.
AGREEMENTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25)

#: Known boxes that overlap at least so much are one region with several phrases, as in DenseCap.
SAME = 0.7

#: The greatest number in a box: areas are finite.
_FARTHEST = 1e100

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

#: A known phrase for a found one: whether, or how well, they agree.
Agrees = Callable[[str, str], float]


def box_iou(a: ArrayLike, b: ArrayLike) -> Floats:
    """Returns the overlap of boxes: the area of the intersection divided by that of the union, 0..1.

    Args:
        a, b: boxes (N, 4) and (M, 4): x, y, w, h, in the same unit.

    Returns:
        (N, M); 0 for two boxes without area.

    Raises:
        ShapeError: for another shape.
        DTypeError: for anything but real numbers.
        ValueError: for a negative width or height, or numbers that are not finite.

    Example:
        >>> box_iou([[0, 0, 2, 2]], [[1, 0, 2, 2], [5, 5, 1, 1]]).round(3)
        array([[0.333, 0.   ]])
    """
    one, other = _check_sides("box_iou", "a", a), _check_sides("box_iou", "b", b)
    ends, ends_of_other = one[:, :2] + one[:, 2:], other[:, :2] + other[:, 2:]
    near = np.maximum(one[:, None, :2], other[None, :, :2])
    far = np.minimum(ends[:, None], ends_of_other[None])
    shared = np.maximum(far - near, 0).prod(axis=2)
    union = one[:, 2:].prod(axis=1)[:, None] + other[:, 2:].prod(axis=1) - shared
    overlaps: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlaps


def _check_sides(op: str, argument: str, boxes: ArrayLike) -> Floats:
    array = check_boxes(op, argument, boxes)
    fine = (np.abs(array) <= _FARTHEST).all(axis=1) & (array[:, 2:] >= 0).all(axis=1)
    if not fine.all():
        i = int(np.flatnonzero(~fine)[0])
        raise ValueError(
            f"{op}: {argument}[{i}]: expected finite x, y, w, h with w and h from 0, got {array[i].tolist()}"
        )
    return array


@dataclass(frozen=True)
class DensePrecision:
    """The average precision of found regions.

    Attributes:
        mean: the mean of `precisions`: DenseCap's mAP, 0..1.
        precisions: the average precision for each threshold of the overlap, and each of the phrases'
            agreement (one if phrases agree or do not), 0..1.
        boxes_alone: the average precision for each threshold of the overlap, whatever the phrases, 0..1.
        iou: the thresholds of the overlap.
        agreements: the thresholds of the phrases' agreement; empty if phrases agree or do not.
        references: the number of known regions; those that are nearly the same place are one.
        found: the number of found regions.
    """

    mean: float
    precisions: Floats = field(repr=False)
    boxes_alone: Floats = field(repr=False)
    iou: tuple[float, ...]
    agreements: tuple[float, ...]
    references: int
    found: int

    __repr__ = short_repr

    def __str__(self) -> str:
        each = ", ".join(
            f"{100 * value:.1f} at {iou:g}"
            for iou, value in zip(self.iou, self.precisions.mean(axis=1), strict=True)
        )
        boxes = 100 * float(self.boxes_alone.mean())
        return f"mAP {100 * self.mean:.1f} (IoU: {each}), boxes alone {boxes:.1f}"


def dense_average_precision(
    predicted: Sequence[Sequence[Any]],
    reference: Sequence[Sequence[Region]],
    iou: Sequence[float] = IOU,
    agrees: str | Agrees = "exact",
) -> DensePrecision:
    """Computes DenseCap's mean average precision of regions: right places with right phrases.

    A found region belongs to the known region of its picture that it overlaps most. It is right if the
    overlap and the agreement of the phrases reach their thresholds, and no region of a higher score was right
    for the same known one. The average precision is the area below the precision–recall curve of all found
    regions by falling score, each precision raised to the highest one at the same or a higher recall (all
    points, as in VOC since 2010). The mean is over all pairs of thresholds.

    As in DenseCap's evaluation (Johnson, Karpathy and Fei-Fei 2016, section 4.3), known boxes that overlap
    by 0.7 or more are one region, with their mean box and all their phrases. DenseCap differs in three
    details: its curve is read at 101 recalls, its agreement is METEOR's, and a found region that is wrong
    uses up the known one, too.

    Args:
        predicted: for each picture, found regions: (x, y, w, h, phrase, score), in any order.
        reference: for each picture, known regions: (x, y, w, h, phrase).
        iou: the thresholds of the overlap, above 0 to 1.
        agrees: "exact": phrases agree if they are equal, ignoring case and white space; "cider": agreement is
            the CIDEr-D of a found phrase in proportion to that of the known one itself, 0..1, and has to
            exceed 0, 0.05, 0.1, 0.15, 0.2 and 0.25; or a function (found, known) → whether they agree.

    Raises:
        ShapeError: if the numbers of pictures differ.
        TypeError: for a region that does not consist of numbers and a phrase.
        ValueError: without known regions or thresholds; for a box without width or height, a score that is
            NaN, or an unknown `agrees`.

    Example:
        >>> known = [[Region(0, 0, 10, 10, "a kite"), Region(20, 0, 10, 10, "a tree")]]
        >>> found = [[(1, 0, 10, 10, "a kite", 0.9), (20, 0, 10, 10, "a bush", 0.4)]]
        >>> score = dense_average_precision(found, known)
        >>> score.mean, score.boxes_alone.tolist()
        (0.5, [1.0, 1.0, 1.0, 1.0, 1.0])
    """
    op = "dense_average_precision"
    check_repeatable(op, "predicted", predicted)
    check_repeatable(op, "reference", reference)
    for name, value in (("predicted", predicted), ("reference", reference), ("iou", iou)):
        if isinstance(value, str) or not isinstance(value, Iterable):
            wanted = "several thresholds" if name == "iou" else "a list of regions for each picture"
            raise TypeError(f"{op}: {name}: expected {wanted}, got {value!r:.80}")
    if len(predicted) != len(reference):
        raise ShapeError(
            f"{op}: reference: expected as many pictures as predicted, {len(predicted)}, got {len(reference)}"
        )
    limits = tuple(check_number(op, "iou", t, "a number above 0 to 1", _is_share) for t in iou)
    if not limits:
        raise ValueError(f"{op}: iou: expected at least one threshold, got none")
    known = [
        _Known(*_regions(op, f"reference[{i}]", own, scored=False)[:2]) for i, own in enumerate(reference)
    ]
    total = sum(len(own.boxes) for own in known)
    if not total:
        raise ValueError(f"{op}: reference: expected at least one region, got none")
    agreement, thresholds = _agreement(op, agrees, known)
    found = _found(op, predicted, known, agreement)
    found = found[np.argsort(-found[:, 0], kind="stable")]
    alone = np.array([_average_precision(found[:, 1] >= t, found[:, 2], total) for t in limits])
    right = [found[:, 3] > a for a in thresholds] or [found[:, 3] > 0]
    precisions = np.array(
        [[_average_precision((found[:, 1] >= t) & r, found[:, 2], total) for r in right] for t in limits]
    )
    return DensePrecision(float(precisions.mean()), precisions, alone, limits, thresholds, total, len(found))


def _is_share(value: float) -> bool:
    return 0 < value <= 1


class _Known:
    """The known regions of a picture, those that are nearly the same place as one.

    Attributes:
        boxes: (M, 4).
        phrases: the phrases of each.
    """

    def __init__(self, boxes: Floats, phrases: list[str]) -> None:
        groups = _groups(box_iou(boxes, boxes) >= SAME)
        self.boxes = np.array([boxes[group].mean(axis=0) for group in groups]).reshape(-1, 4)
        self.phrases = [[phrases[i] for i in group] for group in groups]


def _groups(near: NDArray[np.bool_]) -> list[list[int]]:
    """Returns groups of boxes: again and again the box with most others near it, together with these."""
    left, groups = near | np.eye(len(near), dtype=bool), []
    while left.any():
        group = np.flatnonzero(left[left.sum(axis=1).argmax()])
        left[group] = left[:, group] = False
        groups.append(group.tolist())
    return groups


def _regions(
    op: str, place: str, regions: Iterable[Any], *, scored: bool
) -> tuple[Floats, list[str], Floats]:
    """Returns the boxes (N, 4), phrases, and scores (N,) of one picture's regions."""
    wanted = "(x, y, w, h, phrase, score)" if scored else "(x, y, w, h, phrase)"
    numbers: list[tuple[float, ...]] = []
    phrases: list[str] = []
    if isinstance(regions, str) or not isinstance(regions, Iterable):
        raise TypeError(f"{op}: {place}: expected a list of regions, got {regions!r:.80}")
    for i, region in enumerate(regions):
        parts = tuple(region) if isinstance(region, (tuple, list)) else ()
        if len(parts) != 5 + scored or not isinstance(parts[4], str):
            raise TypeError(f"{op}: {place}[{i}]: expected {wanted}, got {region!r:.80}")
        for name, value in zip("xywh", parts, strict=False):
            check_number(op, f"{place}[{i}]: {name}", value)
        if not (parts[2] > 0 and parts[3] > 0):
            raise ValueError(f"{op}: {place}[{i}]: expected w and h above 0, got {parts[2]} and {parts[3]}")
        score = 0.0
        if scored:
            at = f"{place}[{i}]: score"
            score = check_number(op, at, parts[5], "a number that is not NaN", lambda s: s == s)
        numbers.append((*map(float, parts[:4]), score))
        phrases.append(parts[4])
    array = np.array(numbers).reshape(-1, 5)
    return array[:, :4], phrases, array[:, 4]


def _agreement(
    op: str, agrees: str | Agrees, known: list[_Known]
) -> tuple[Callable[[str, list[str]], float], tuple[float, ...]]:
    """Returns the agreement of a found phrase with known ones, and its thresholds if it has degrees."""
    if agrees == "exact":
        return (lambda found, wanted: float(bare(found) in map(bare, wanted))), ()
    if agrees == "cider":
        cider = Cider([own for one in known for own in one.phrases])
        return (lambda found, wanted: max(cider.share(found, own) for own in wanted)), AGREEMENTS
    if isinstance(agrees, str):
        raise ValueError(f"{op}: agrees: expected exact, cider or a function, got {agrees!r}")
    if not callable(agrees):
        raise TypeError(f"{op}: agrees: expected exact, cider or a function, got {agrees!r:.80}")
    own = agrees
    return (lambda found, wanted: float(any(own(found, one) for one in wanted))), ()


def _found(
    op: str,
    predicted: Sequence[Sequence[Any]],
    known: list[_Known],
    agreement: Callable[[str, list[str]], float],
) -> Floats:
    """Returns a row for each found region: score, overlap, number of the known region, agreement."""
    rows: list[tuple[float, float, float, float]] = []
    first = 0
    for i, (regions, own) in enumerate(zip(predicted, known, strict=True)):
        boxes, phrases, scores = _regions(op, f"predicted[{i}]", regions, scored=True)
        overlaps = box_iou(boxes, own.boxes) if len(own.boxes) else np.zeros((len(boxes), 1))
        nearest = overlaps.argmax(axis=1)
        for phrase, score, place, overlap in zip(phrases, scores, nearest, overlaps.max(axis=1), strict=True):
            agreed = agreement(phrase, own.phrases[place]) if overlap > 0 else -1.0
            rows.append((score, overlap, float(first + place), agreed))
        first += len(own.boxes)
    return np.array(rows).reshape(-1, 4)


def _average_precision(right: NDArray[np.bool_], places: Floats, total: int) -> float:
    """Returns the area below the precision–recall curve of found regions by falling score.

    Args:
        right: whether each one overlaps and agrees enough.
        places: the number of the known region of each.
        total: the number of known regions.
    """
    rows = np.flatnonzero(right)
    _, first = np.unique(places[rows], return_index=True)
    once = np.zeros(len(right), bool)
    once[rows[first]] = True
    hits = np.cumsum(once)
    precision = hits / np.arange(1, len(hits) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return float(highest[once].sum()) / total
