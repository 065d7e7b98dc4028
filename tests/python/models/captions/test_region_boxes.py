"""Anchors, offsets, what anchors are to find, the localization's loss, and non-maximum suppression: by loops."""

import numpy as np
import pytest

from rnnrs.metrics import box_iou
from rnnrs.models.captions.regions import boxes as b
from rnnrs.models.captions.regions.localization import OFFSETS, Localization, Proposals

draw = np.random.default_rng(4)


def random_boxes(*shape, extent=40.0):
    return np.concatenate(
        [draw.uniform(0, extent, (*shape, 2)), draw.uniform(2, extent / 2, (*shape, 2))], -1
    )


def test_offsets_and_their_inverse():
    boxes, anchors = random_boxes(7), random_boxes(7)
    offsets = b.offsets_of(boxes, anchors)
    assert np.allclose(b.moved(anchors, offsets), boxes, atol=1e-9)
    (x, y, w, h), (ax, ay, aw, ah) = boxes[0], anchors[0]
    assert offsets[0] == pytest.approx(
        [(x + w / 2 - ax - aw / 2) / aw / 0.1, (y + h / 2 - ay - ah / 2) / ah / 0.1,
         np.log(w / aw) / 0.2, np.log(h / ah) / 0.2]
    )  # fmt: skip
    assert np.isfinite(b.moved(anchors, np.full((7, 4), 1e6))).all()


def test_overlaps_are_box_iou():
    one, other = random_boxes(3, 5), random_boxes(3, 4)
    for found, a, c in zip(b.overlaps(one, other), one, other, strict=True):
        assert np.allclose(found, box_iou(a, c))


def test_clipped_boxes_keep_a_pixel():
    found = b.clipped(np.array([[-5, 3, 10, 4], [50, 60, 9, 9], [1, 2, 3, 4.0]]), (32, 40))
    assert found.tolist() == [[0, 3, 5, 4], [39, 31, 1, 1], [1, 2, 3, 4]]


def test_anchors_find_what_overlaps_them_most():
    anchors, boxes, counts = random_boxes(60), random_boxes(4, 3), np.array([3, 0, 1, 2])
    labels, nearest = b.assigned(anchors, boxes, counts)
    for i, count in enumerate(counts):
        iou = box_iou(anchors, boxes[i, :count]) if count else np.zeros((60, 0))
        for a in range(60):
            best = max(iou[a], default=0.0)
            wanted = 1 if best >= 0.6 else -1 if best >= 0.4 else 0
            own = [k for k in range(count) if iou[a, k] == iou[:, k].max() > 0]
            assert labels[i, a] == (1 if own else wanted)
            if labels[i, a] == 1:
                assert nearest[i, a] in (own or [int(iou[a].argmax())])


def test_suppression_keeps_the_best_of_those_that_overlap():
    boxes = random_boxes(5, 30, extent=20.0)
    for own, kept in zip(boxes, b.unsuppressed(boxes, 0.3), strict=True):
        left = []
        for m in range(30):
            if all(box_iou(own[m : m + 1], own[k : k + 1])[0, 0] < 0.3 for k in left):
                left.append(m)
        assert np.flatnonzero(kept).tolist() == left


def test_the_loss_is_that_of_its_equations():
    head = Localization(3, (32, 48), (8, 12), stride=4, hidden=4, dtype="float64")
    assert head.anchors.shape == (4 * 6 * 13, 4)
    middles = head.anchors[:13, :2] + head.anchors[:13, 2:] / 2
    assert np.allclose(middles, 4)
    shape = (2, len(head.anchors))
    proposals = Proposals(draw.standard_normal(shape), draw.standard_normal((*shape, 4)), None)
    boxes, owners = np.array([[2, 3, 12, 10], [20, 8, 20, 20], [5, 5, 30, 25.0]]), np.array([0, 0, 1])
    L, dscores, doffsets = head.loss(proposals, boxes, owners)
    expected = 0.0
    for i in range(2):
        own = boxes[owners == i]
        labels, nearest = b.assigned(head.anchors, own[None], np.array([len(own)]))
        for a, label in enumerate(labels[0]):
            p = 1 / (1 + np.exp(-proposals.scores[i, a]))
            if label >= 0:
                expected -= np.log(p if label else 1 - p)
            assert dscores[i, a] == pytest.approx(p - label if label >= 0 else 0)
            apart = proposals.offsets[i, a] - b.offsets_of(own[nearest[0, a]], head.anchors[a])
            if label == 1:
                expected += OFFSETS * sum(0.5 * d * d if abs(d) < 1 else abs(d) - 0.5 for d in apart)
                assert doffsets[i, a] == pytest.approx(OFFSETS * np.clip(apart, -1, 1))
            else:
                assert not doffsets[i, a].any()
    assert pytest.approx(expected) == L


def test_found_boxes_are_the_most_probable_ones_picture_by_picture():
    head = Localization(3, (32, 32), (8, 8), stride=4, hidden=4)
    shape = (3, len(head.anchors))
    proposals = Proposals(draw.standard_normal(shape), 0.1 * draw.standard_normal((*shape, 4)), None)
    found = head.find(proposals, 5, 0.5)
    assert (np.diff(found.owners) >= 0).all() and (np.bincount(found.owners) <= 5).all()
    for i in range(3):
        own, log_probs = found.boxes[found.owners == i], found.log_probs[found.owners == i]
        assert (np.diff(log_probs) <= 0).all() and (log_probs >= np.log(0.5)).all()
        assert (own[:, :2] >= 0).all() and (own[:, :2] + own[:, 2:] <= 32).all()
        iou = box_iou(own, own)
        assert (iou[~np.eye(len(own), dtype=bool)] < 0.5).all()
    assert len(head.find(proposals, 5, 0.9999).boxes) == 0
