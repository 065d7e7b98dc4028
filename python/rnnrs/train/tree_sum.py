"""The sum of M gradients along a binary tree, whose order M alone determines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..nn import Parameters
from ..shown import short_repr
from ..types import Array

#: Numbers that are added at a time: few enough to stay in a core's cache.
BLOCK = 1 << 15


@dataclass
class Node:
    """A partial sum.

    Attributes:
        level, index: its place in the tree: the sum of the leaves from index · 2^level on.
        vector: the sum.
        rows: for each piece of the vector, the rows that may be nonzero, see `Parameters.pieces`.
    """

    level: int
    index: int
    vector: Array
    rows: list[NDArray[np.bool_] | None]

    __repr__ = short_repr

    @property
    def place(self) -> tuple[int, int]:
        """(level, index)."""
        return self.level, self.index

    def rise(self) -> None:
        """Becomes the sum of the parent."""
        self.level, self.index = self.level + 1, self.index // 2


class TreeSum:
    """The sum of M vectors: that of leaves 0 and 1, of 2 and 3, …; then of these sums in pairs, and so on.

    A node without a sibling is the sum of its parent. At most log₂ M + 1 vectors are alive. Rows of a large
    embedding that no leaf has touched are not visited.

    Args:
        leaves: M.
        first: the first leaf that is added here.

    Example:
        >>> from rnnrs import nn
        >>> layer = nn.Linear(1, 1)
        >>> tree = TreeSum(3)
        >>> for number in (1.0, 2.0, 4.0):
        ...     layer.gradients.flat[...] = number
        ...     tree.take(layer.gradients)
        >>> {place: vector.tolist() for place, vector in tree.partials().items()}
        {(2, 0): [7.0, 7.0]}
    """

    def __init__(self, leaves: int, first: int = 0) -> None:
        self._leaves, self._next = leaves, first
        self._nodes: list[Node] = []
        self._free: list[Array] = []  # zero in the pieces with tracked rows
        self._slices: list[slice] = []

    def clear(self, first: int) -> None:
        """Begins another sum, at leaf `first`; the vectors are used again."""
        while self._nodes:
            self._release(self._nodes.pop())
        self._next = first

    def take(self, gradients: Parameters, scale: float = 1.0) -> None:
        """Adds the next leaf, scale · g, and each sum that it completes; g is zero then."""
        pieces, g, leaf = gradients.pieces(), gradients._flat, self._next
        self._slices, rows = [piece for piece, _ in pieces], [own for _, own in pieces]
        self._next += 1
        if leaf % 2 and self._nodes and self._nodes[-1].place == (0, leaf - 1):
            self._nodes[-1].rise()
            self._add(self._nodes[-1], g, rows, scale)
        else:
            vector = self._free.pop() if self._free else np.zeros_like(g)
            for piece, own in zip(self._slices, rows, strict=True):
                if own is None:
                    np.multiply(g[piece], scale, out=vector[piece])
                else:
                    _matrix(vector, piece, own)[own] = _scaled_rows(g, piece, own, scale)
            self._nodes.append(Node(0, leaf, vector, rows))
        _clear(g, self._slices, [own for _, own in pieces])
        gradients.count_touched(False)
        self._complete()

    def partials(self) -> dict[tuple[int, int], Array]:
        """Returns the sums of the largest complete subtrees, by (level, index)."""
        return {node.place: node.vector for node in self._nodes}

    def pieces(self) -> list[tuple[slice, NDArray[np.bool_] | None]]:
        """Returns the vector in pieces, with the rows that leaves have touched; see `Parameters.pieces`."""
        rows = list(zip(*(node.rows for node in self._nodes), strict=True))
        unknown = [any(one is None for one in some) for some in rows]
        touched = [None if gone else np.any(some, axis=0) for some, gone in zip(rows, unknown, strict=True)]
        return list(zip(self._slices, touched, strict=True))

    def _complete(self) -> None:
        """Adds the last sum to its sibling's, as long as that is complete; without a sibling, it rises."""
        while True:
            last = self._nodes[-1]
            level, index = last.place
            if index % 2 and len(self._nodes) > 1 and self._nodes[-2].place == (level, index - 1):
                self._nodes[-2].rise()
                self._add(self._nodes[-2], last.vector, last.rows)
                self._release(self._nodes.pop())
            elif index and index % 2 == 0 and (index + 1) << level >= self._leaves:
                last.rise()
            else:
                return

    def _add(
        self, node: Node, vector: Array, rows: list[NDArray[np.bool_] | None], scale: float = 1.0
    ) -> None:
        """Adds scale · vector to a node's sum."""
        for i, (piece, own) in enumerate(zip(self._slices, rows, strict=True)):
            if own is None:
                _add_scaled(node.vector[piece], vector[piece], scale)
                node.rows[i] = None
                continue
            _matrix(node.vector, piece, own)[own] += _scaled_rows(vector, piece, own, scale)
            before = node.rows[i]
            node.rows[i] = None if before is None else before | own

    def _release(self, node: Node) -> None:
        """Keeps a vector for a later sum."""
        for piece, own in zip(self._slices, node.rows, strict=True):
            if own is not None:
                _matrix(node.vector, piece, own)[own] = 0
        self._free.append(node.vector)


def _clear(vector: Array, pieces: list[slice], rows: list[NDArray[np.bool_] | None]) -> None:
    """Sets everything that may be nonzero to 0."""
    for piece, own in zip(pieces, rows, strict=True):
        if own is None:
            vector[piece].fill(0)
        else:
            _matrix(vector, piece, own)[own] = 0


def _matrix(vector: Array, piece: slice, rows: NDArray[np.bool_]) -> Array:
    """Returns a piece of the vector as the array with these rows."""
    return vector[piece].reshape(len(rows), -1)


def _scaled_rows(vector: Array, piece: slice, rows: NDArray[np.bool_], scale: float) -> Array:
    """Returns scale · rows; no number is −0, so that a sum has the same bits without rows of zeros."""
    return np.asarray(_matrix(vector, piece, rows)[rows] * scale + 0.0)


def _add_scaled(total: Array, vector: Array, scale: float) -> None:
    """Adds scale · vector, in blocks that stay in the cache."""
    if scale == 1.0:
        total += vector
        return
    for begin in range(0, total.size, BLOCK):
        total[begin : begin + BLOCK] += vector[begin : begin + BLOCK] * scale
