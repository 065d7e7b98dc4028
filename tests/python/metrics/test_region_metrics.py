"""Overlap of boxes, and the mean average precision of regions, against plain definitions and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnrs
from rnnrs.data import Region
from rnnrs.metrics import box_iou, dense_average_precision
from rnnrs.metrics.captions import Cider, caption_scores

WORDS = ["kite", "a kite", "A  Kite", "tree", "a red kite"]
BOX = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 9)] * 2)
FOUND = st.lists(
    st.tuples(BOX, st.sampled_from(WORDS), st.integers(0, 5)).map(lambda v: (*v[0], v[1], v[2] / 5)),
    max_size=6,
)
KNOWN = st.lists(st.tuples(BOX, st.sampled_from(WORDS)).map(lambda v: Region(*v[0], v[1])), max_size=4)


def pixels(box):
    x, y, w, h = map(int, box[:4])
    return {(row, column) for row in range(y, y + h) for column in range(x, x + w)}


def plain_iou(a, b):
    """Counts pixels."""
    return len(pixels(a) & pixels(b)) / len(pixels(a) | pixels(b))


def plain_precision(predicted, reference, iou, right_phrase):
    """The average precision at one threshold, in the words of its definition, one region at a time."""
    detections = []  # score, whether right
    for i, (found, known) in enumerate(zip(predicted, reference, strict=True)):
        for j, region in enumerate(found):
            best, nearest = 0.0, None
            for k, own in enumerate(known):
                if plain_iou(region, own) > best:
                    best, nearest = plain_iou(region, own), (i, k)
            right = best >= iou and right_phrase(region[4], reference[i][nearest[1]].phrase)
            detections.append((-region[5], i, j, right, nearest))
    detections.sort(key=lambda d: d[:3])
    taken, curve, hits = set(), [], 0
    for rank, (*_, right, nearest) in enumerate(detections, 1):
        if right and nearest not in taken:
            taken.add(nearest)
            hits += 1
        curve.append((hits, hits / rank))
    total = sum(map(len, reference))
    return sum(max((p for hits, p in curve if hits >= n), default=0.0) for n in range(1, total + 1)) / total


def apart(known):
    """Known regions of which no two are nearly the same place, which would make them one."""
    return all(plain_iou(a, b) < 0.7 for i, a in enumerate(known) for b in known[:i])


@given(st.lists(BOX, max_size=5), st.lists(BOX, max_size=5))
@settings(max_examples=50, deadline=None)
def test_the_overlap_is_that_of_their_pixels(a, b):
    found = box_iou(a, b)
    assert found.shape == (len(a), len(b))
    np.testing.assert_allclose(
        found, np.array([[plain_iou(p, q) for q in b] for p in a]).reshape(found.shape)
    )


def test_overlaps_by_hand():
    a = [[0, 0, 2, 2], [0.5, 0.5, 1, 1], [0, 0, 0, 0]]
    np.testing.assert_allclose(box_iou(a, a), [[1, 0.25, 0], [0.25, 1, 0], [0, 0, 0]])
    assert box_iou([[0, 0, 2, 2]], [[2, 0, 2, 2]]).item() == 0  # they touch
    assert box_iou([], []).shape == (0, 0)


@given(st.lists(st.tuples(FOUND, KNOWN.filter(apart)), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_the_average_precision_equals_its_definition(pictures):
    predicted, reference = zip(*pictures, strict=True)
    if not any(reference):
        return
    score = dense_average_precision(predicted, reference)

    def same(one, other):
        return "".join(one.lower().split()) == "".join(other.lower().split())

    wanted = [plain_precision(predicted, reference, iou, same) for iou in (0.3, 0.4, 0.5, 0.6, 0.7)]
    np.testing.assert_allclose(score.precisions[:, 0], wanted, atol=1e-12)
    assert score.mean == pytest.approx(np.mean(wanted))
    alone = [plain_precision(predicted, reference, iou, lambda *_: True) for iou in (0.3, 0.4, 0.5, 0.6, 0.7)]
    np.testing.assert_allclose(score.boxes_alone, alone, atol=1e-12)
    by_function = dense_average_precision(predicted, reference, agrees=same)
    np.testing.assert_array_equal(by_function.precisions, score.precisions)


def test_a_curve_by_hand():
    known = [[Region(0, 0, 10, 10, "a"), Region(50, 0, 10, 10, "b")], [Region(0, 0, 10, 10, "c")]]
    found = [
        [(0, 0, 10, 10, "a", 0.9), (0, 0, 10, 9, "a", 0.8), (50, 0, 10, 10, "wrong", 0.2)],
        [(80, 0, 10, 10, "c", 0.7), (0, 0, 10, 5, "c", 0.6)],
    ]
    # By falling score: right, taken already, in the wrong place, overlap 0.5, wrong phrase.
    score = dense_average_precision(found, known)
    half = (1 + 2 / 4) / 3  # precisions 1 and 2/4 at the two recalls that are reached
    np.testing.assert_allclose(score.precisions[:, 0], [half, half, half, 1 / 3, 1 / 3])
    np.testing.assert_allclose(
        score.boxes_alone, [(1 + 3 / 5 + 3 / 5) / 3] * 3 + [(1 + 2 / 5) / 3] * 2
    )  # precision 2/4 is raised to the 3/5 of a higher recall
    assert (score.references, score.found) == (3, 5)
    assert str(score) == (
        f"mAP {100 * score.mean:.1f} (IoU: 50.0 at 0.3, 50.0 at 0.4, 50.0 at 0.5, 33.3 at 0.6, 33.3 at 0.7), "
        f"boxes alone {100 * score.boxes_alone.mean():.1f}"
    )
    assert dense_average_precision([[], []], known).mean == 0
    perfect = [[(*region, 0.5) for region in own] for own in known]
    assert dense_average_precision(perfect, known).mean == 1
    assert dense_average_precision(perfect, known, iou=[1.0]).mean == 1


def test_known_regions_at_the_same_place_are_one_with_several_phrases():
    known = [[Region(0, 0, 10, 10, "a kite"), Region(0, 0, 10, 8, "a toy"), Region(30, 30, 4, 4, "a tree")]]
    found = [[(0, 0, 10, 9, "a toy", 0.9), (30, 30, 4, 4, "a tree", 0.8)]]
    score = dense_average_precision(found, known, iou=[0.99])
    assert (score.references, score.mean) == (2, 1.0)


def test_agreement_by_cider_has_degrees():
    phrases = ["a red kite", "a blue kite", "two dogs", "an old oak tree"]
    known = [[Region(0, 0, 9, 9, phrase)] for phrase in phrases]
    cider = Cider([[phrase] for phrase in phrases])
    share = cider.share("a red bird", "a red kite")
    both = [
        caption_scores([one, *phrases[1:]], [[p] for p in phrases]).cider
        for one in ("a red bird", phrases[0])
    ]
    # The mean over four pictures: one of them differs.
    rest = caption_scores(["", *phrases[1:]], [[p] for p in phrases]).cider
    assert share == pytest.approx((both[0] - rest) / (both[1] - rest))
    assert 0.25 < share < 1 and cider.share(phrases[3], phrases[3]) == pytest.approx(1)
    assert cider.share("a cat", "two dogs") == 0
    found = [[(0, 0, 9, 9, "an oak", 1.0)] for _ in phrases]
    score = dense_average_precision(found, known, agrees="cider")
    assert score.precisions.shape == (5, 6) and score.agreements == (0.0, 0.05, 0.1, 0.15, 0.2, 0.25)
    reached = [cider.share("an oak", "an old oak tree") > limit for limit in score.agreements]
    assert reached == sorted(reached, reverse=True) and 0 < sum(reached) < 6
    np.testing.assert_allclose(score.precisions[0], np.array(reached) / 16)  # recall 1/4 at precision 1/4


def test_a_phrase_that_nothing_distinguishes_agrees_with_the_same_words():
    assert Cider([["a kite"]]).share("A kite!", "a kite") == 1
    assert Cider([["a kite"]]).share("a tree", "a kite") == 0


@pytest.mark.parametrize(
    ("found", "known", "options", "error", "message"),
    [
        ([[]], [], {}, rnnrs.ShapeError, "reference: expected as many pictures as predicted, 1, got 0"),
        ([[]], [[]], {}, ValueError, "reference: expected at least one region, got none"),
        (
            [[(0, 0, 1, 1, "a")]],
            [[(0, 0, 1, 1, "a")]],
            {},
            TypeError,
            r"predicted\[0\]\[0\]: expected \(x, y, w, h, ",
        ),
        ([[]], [[(0, 0, 1, 1, 3)]], {}, TypeError, r"reference\[0\]\[0\]: expected \(x, y, w, h, phrase\)"),
        ([[]], [[(0, 0, "1", 1, "a")]], {}, TypeError, r"reference\[0\]\[0\]: w: expected a number"),
        (
            [[]],
            [[(0, 0, 0, 1, "a")]],
            {},
            ValueError,
            r"reference\[0\]\[0\]: expected w and h above 0, got 0 and 1",
        ),
        ([[(0, 0, 1, 1, "a", float("nan"))]], [[]], {}, ValueError, r"predicted\[0\]\[0\]: score: expected"),
        ([[]], [[]], {"iou": [0]}, ValueError, "iou: expected a number above 0 to 1, got 0"),
        ([[]], [[]], {"iou": []}, ValueError, "iou: expected at least one threshold"),
        ([[]], [[]], {"iou": 0.5}, TypeError, "iou: expected several thresholds, got 0.5"),
        (None, [[]], {}, TypeError, "predicted: expected a list of regions for each picture, got None"),
        ([[]], [None], {}, TypeError, r"reference\[0\]: expected a list of regions, got None"),
        (
            [[]],
            [[]],
            {"agrees": "meteor"},
            ValueError,
            "agrees: expected exact, cider or a function, got 'meteor'",
        ),
        ([[]], [[]], {"agrees": 3}, TypeError, "agrees: expected exact, cider or a function, got 3"),
    ],
)
def test_invalid_regions_are_refused(found, known, options, error, message):
    if "agrees" in options or "score" in message:
        known = [[Region(0, 0, 1, 1, "a")]]
    with pytest.raises(error, match=f"dense_average_precision: {message}"):
        dense_average_precision(found, known, **options)


def test_invalid_boxes_are_refused():
    with pytest.raises(rnnrs.ShapeError, match=r"box_iou: a: expected an \(N, 4\) array, got shape \(3,\)"):
        box_iou([1, 2, 3], [])
    with pytest.raises(rnnrs.DTypeError, match="box_iou: b: expected numbers"):
        box_iou([], [["a", "b", "c", "d"]])
    for box in ([0, 0, -1, 2], [0, np.nan, 1, 1]):
        with pytest.raises(ValueError, match=r"box_iou: b\[1\]: expected finite x, y, w, h"):
            box_iou([], [[0, 0, 1, 1], box])
