"""Boxes: anchors, their offsets from the boxes sought, and non-maximum suppression. All are x, y, w, h."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....types import Array

#: The offsets' standard deviations, of the middle and of the logarithm of the size: they are learned in these
#: units (Girshick et al. 2014; Ren et al. 2015).
DEVIATIONS = np.array([0.1, 0.1, 0.2, 0.2])

#: The largest logarithm of the ratio of a box's size to its anchor's.
LARGEST = 4.0

#: An anchor whose IoU with a box is at least the second is to find it; one below the first finds nothing.
BACKGROUND, FOREGROUND = 0.4, 0.6


def anchor_boxes(grid: tuple[int, int], stride: float, sizes: Sequence[tuple[float, float]]) -> Array:
    """Returns the anchors (Y′·X′·A, 4): boxes of A sizes around the middle of each position of a grid.

    Args:
        grid: Y′ and X′.
        stride: the distance of the positions, in pixels.
        sizes: width and height of each, in pixels.

    Example:
        >>> anchor_boxes((1, 2), 8, [(4, 2)]).tolist()
        [[2.0, 3.0, 4.0, 2.0], [10.0, 3.0, 4.0, 2.0]]
    """
    (rows, columns), wide = grid, np.asarray(sizes, np.float64)
    y, x = (np.arange(rows) + 0.5) * stride, (np.arange(columns) + 0.5) * stride
    middle = np.stack(np.broadcast_arrays(x[None, :, None], y[:, None, None]), -1)  # (Y′, X′, 1, 2)
    corner = middle - wide / 2
    return np.concatenate([corner, np.broadcast_to(wide, corner.shape)], -1).reshape(-1, 4)


def offsets_of(boxes: Array, anchors: Array) -> Array:
    """Returns the offsets of boxes (N, 4) from anchors (N, 4), in units of their deviations.

    (x′ − x) / w, (y′ − y) / h of the middles, log(w′ / w) and log(h′ / h) (Girshick et al. 2014).
    """
    shift = (boxes[..., :2] + boxes[..., 2:] / 2 - anchors[..., :2] - anchors[..., 2:] / 2) / anchors[..., 2:]
    offsets = np.concatenate([shift, np.log(boxes[..., 2:] / anchors[..., 2:])], -1)
    return np.asarray(offsets / DEVIATIONS)


def moved(anchors: Array, offsets: Array) -> Array:
    """Returns the boxes (…, 4) at these offsets from anchors: the inverse of `offsets_of`.

    Example:
        >>> box, anchor = np.array([[3.0, 4.0, 10.0, 6.0]]), np.array([[0.0, 0.0, 8.0, 8.0]])
        >>> moved(anchor, offsets_of(box, anchor)).round(6).tolist()
        [[3.0, 4.0, 10.0, 6.0]]
    """
    own = offsets.astype(np.float64) * DEVIATIONS
    middle = anchors[..., :2] + anchors[..., 2:] / 2 + own[..., :2] * anchors[..., 2:]
    size = anchors[..., 2:] * np.exp(np.clip(own[..., 2:], -LARGEST, LARGEST))
    return np.concatenate([middle - size / 2, size], -1)


def clipped(boxes: Array, size: tuple[int, int]) -> Array:
    """Returns boxes (…, 4) clipped to a picture of Y × X pixels; at least a pixel of each is left."""
    extent = np.array([size[1], size[0]], np.float64)
    low = np.clip(boxes[..., :2], 0, extent - 1)
    high = np.clip(boxes[..., :2] + boxes[..., 2:], low + 1, extent)
    return np.concatenate([low, high - low], -1)


def assigned(anchors: Array, boxes: Array, counts: Array) -> tuple[Array, Array]:
    """Returns what each of A anchors is to find in each of B pictures.

    An anchor finds the box with which its IoU is highest, if that is at least `FOREGROUND`; and every box is
    found at least by the anchors that are nearest to it (Ren et al. 2015).

    Args:
        anchors: (A, 4).
        boxes: (B, M, 4), M the largest number of boxes in a picture.
        counts: the number of boxes of each picture (B,); the others are not looked at.

    Returns:
        (1 for anchors that find a box, 0 for background, −1 for those between, which do not count (B, A); the
        index of each anchor's box (B, A)).
    """
    B, M = boxes.shape[:2]
    if not M:
        return np.zeros((B, len(anchors)), np.int64), np.zeros((B, len(anchors)), np.int64)
    iou = overlaps(anchors[None], boxes)
    iou[np.broadcast_to((np.arange(M) >= counts[:, None])[:, None], iou.shape)] = -1
    nearest, highest = iou.argmax(2), iou.max(2)
    labels = np.where(highest >= FOREGROUND, 1, np.where(highest >= BACKGROUND, -1, 0))
    best = iou.max(1, keepdims=True)
    pictures, forced, own = np.nonzero((iou >= best * (1 - 1e-9)) & (best > 0))
    labels[pictures, forced], nearest[pictures, forced] = 1, own
    return labels, nearest


def unsuppressed(boxes: Array, threshold: float) -> Array:
    """Non-maximum suppression, for several pictures at once: which of M boxes no better one overlaps.

    Args:
        boxes: (B, M, 4), the best first.
        threshold: the IoU with a better box that was kept from which a box is suppressed.

    Returns:
        (B, M), whether each box is kept.
    """
    B, M = boxes.shape[:2]
    overlap = overlaps(boxes, boxes) >= threshold
    kept = np.ones((B, M), np.bool_)
    for m in range(1, M):
        kept[:, m] = ~(overlap[:, m, :m] & kept[:, :m]).any(1)
    return kept


def overlaps(a: Array, b: Array) -> Array:
    """Returns the IoU of boxes (…, M, 4) and (…, N, 4): (…, M, N). See `metrics.box_iou` for any boxes."""
    a, b = a[..., :, None, :], b[..., None, :, :]
    shared = []
    for i in (0, 1):
        high = np.minimum(a[..., i] + a[..., i + 2], b[..., i] + b[..., i + 2])
        shared.append(np.maximum(high - np.maximum(a[..., i], b[..., i]), 0))
    common = shared[0] * shared[1]
    return np.asarray(common / (a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - common))
