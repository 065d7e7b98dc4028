"""Constraints on the hypotheses of a decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import check_size
from ..data.batch import check_token_ids
from ..errors import ShapeError
from ..shown import short_repr
from ..types import Ids

#: The rules of a step in the form that `_rnnrs` accepts.
StepRules = tuple[Ids, Ids, "int | None", bool, Ids, int]


@dataclass(frozen=True)
class Constraints:
    """The constraints on decoded sequences.

    Log-probabilities remain those of the model: they are not renormalized over the allowed tokens, although
    `sample` draws from those only. A hypothesis ends where no token is allowed.

    Attributes:
        max_length: the maximum number of tokens of a hypothesis without the end token: one number, or one per
            source (B,). A hypothesis that reaches it ends there, and its probability includes that of the end
            token.
        min_length: the minimum number of tokens before an end token.
        no_repeat_ngram: n; no hypothesis contains the same n consecutive tokens twice (Paulus, Xiong and
            Socher 2018); 0 allows repetitions.
        prefixes: the tokens (n_b,) that the hypotheses of each source start with. They are part of the
            hypothesis and of its probability, and override the other constraints.
        allowed: the only tokens that are allowed besides the end token.
        forbidden: tokens that are not allowed.

    Raises:
        ValueError, TypeError: for invalid lengths.
        DTypeError, ShapeError, IndexError: for invalid token ids.
    """

    max_length: int | ArrayLike = 100
    min_length: int = 0
    no_repeat_ngram: int = 0
    prefixes: Sequence[ArrayLike] | None = None
    allowed: ArrayLike | None = None
    forbidden: ArrayLike | None = None

    __repr__ = short_repr

    def __post_init__(self) -> None:
        op = "Constraints"
        check_size(op, "min_length", self.min_length, least=0)
        check_size(op, "no_repeat_ngram", self.no_repeat_ngram, least=0)
        longest = np.asarray(self.max_length)
        if longest.dtype.kind not in "iu" or longest.ndim > 1:
            raise TypeError(
                f"{op}: max_length: expected a whole number, or one for each source, got {self.max_length!r}"
            )
        if longest.size and longest.min() < max(1, self.min_length):
            raise ValueError(
                f"{op}: max_length: "
                f"expected at least 1 and at least min_length, {self.min_length}, got {longest.min()}"
            )
        for argument, ids in (("allowed", self.allowed), ("forbidden", self.forbidden)):
            if ids is not None:
                check_token_ids(op, argument, ids)
        for b, prefix in enumerate(self.prefixes or ()):
            check_token_ids(op, f"prefixes[{b}]", prefix)


class Rules:
    """The constraints on B sources, step by step.

    Args:
        op: the caller's name, for error messages.
        constraints: the constraints.
        count: B.
        end_id: the token that ends a hypothesis; None: only the length ends it.

    Raises:
        ShapeError: if the number of lengths or prefixes is not the number of sources.
        ValueError: for a prefix that is too long or contains the end token.
    """

    def __init__(self, op: str, constraints: Constraints, count: int, end_id: int | None) -> None:
        self._op, self._constraints = op, constraints
        self.end_id = None if end_id is None else check_size(op, "end_id", end_id, least=0)
        longest = np.asarray(constraints.max_length)
        if longest.ndim and len(longest) != count:
            raise ShapeError(
                f"{op}: max_length: "
                f"expected one number or one for each of {count} sources, got {len(longest)}"
            )
        #: The maximum number of steps of a source's hypotheses (B,), including that of the end token.
        self.last_step: Ids = np.broadcast_to(longest, (count,)).astype(np.int64) + (end_id is not None)
        self._prefixes = self._fill_prefixes(count)
        self._forbidden: Ids | None = None
        self._history: Ids = np.empty((0, 0), np.int64)

    def step(self, number: int, sources: Ids, tokens: Ids, parents: Ids, columns: int) -> StepRules:
        """Returns the rules of a step, for `_rnnrs`.

        Args:
            number: the number of the step, from 1.
            sources: the source of each hypothesis (N,).
            tokens: the token that each hypothesis reads in this step (N,).
            parents: the previous step's hypothesis that each one continues (N,).
            columns: V.
        """
        constraints = self._constraints
        forced = np.full(len(sources), -1, np.int64)
        if number <= self._prefixes.shape[1]:
            forced = self._prefixes[sources, number - 1]
        if self.end_id is not None:
            forced = np.where(self.last_step[sources] == number, self.end_id, forced)
        if self._forbidden is None:
            self._forbidden = self._find_forbidden(columns)
        n = constraints.no_repeat_ngram
        if number == 1 or not n:  # the start token is not part of a hypothesis
            self._history = np.empty((len(sources), 0), np.int64)
        else:
            self._history = np.concatenate([self._history[parents], tokens[:, None]], axis=1)
        may_end = number > constraints.min_length
        return self._forbidden, forced, self.end_id, may_end, self._history, n

    def ended(self, number: int, sources: Ids, tokens: Ids) -> NDArray[np.bool_]:
        """Returns whether hypotheses end with these tokens."""
        if self.end_id is None:
            return np.asarray(self.last_step[sources] == number)
        return np.asarray(tokens == self.end_id)

    def _find_forbidden(self, columns: int) -> Ids:
        """Returns the ids that are never allowed."""
        allowed, forbidden = self._constraints.allowed, self._constraints.forbidden
        mask = np.full(columns, allowed is not None)
        for argument, ids, value in (("allowed", allowed, False), ("forbidden", forbidden, True)):
            if ids is None:
                continue
            known = check_token_ids(self._op, argument, ids)
            if known.size and known.max() >= columns:
                raise IndexError(
                    f"{self._op}: {argument}: expected ids from 0 to {columns - 1}, got {known.max()}"
                )
            mask[known] = value
        if self.end_id is not None and allowed is not None:
            mask[self.end_id : self.end_id + 1] = False
        return np.flatnonzero(mask)

    def _fill_prefixes(self, count: int) -> Ids:
        """Returns the prefixes (B, P), padded with −1."""
        given = self._constraints.prefixes
        if given is None:
            return np.empty((count, 0), np.int64)
        if len(given) != count:
            raise ShapeError(
                f"{self._op}: prefixes: expected one for each of {count} sources, got {len(given)}"
            )
        prefixes = [check_token_ids(self._op, f"prefixes[{b}]", prefix) for b, prefix in enumerate(given)]
        table = np.full((count, max(map(len, prefixes), default=0)), -1, np.int64)
        for b, prefix in enumerate(prefixes):
            longest = int(self.last_step[b]) - (self.end_id is not None)
            if len(prefix) > longest:
                raise ValueError(
                    f"{self._op}: prefixes[{b}]: "
                    f"expected at most max_length, {longest}, tokens, got {len(prefix)}"
                )
            if self.end_id is not None and (prefix == self.end_id).any():
                raise ValueError(f"{self._op}: prefixes[{b}]: expected no end token, got {prefix.tolist()}")
            table[b, : len(prefix)] = prefix
        return table
