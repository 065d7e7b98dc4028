"""Candidates and their references, as all metrics accept them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..checks import check_repeatable
from ..data.frames import check_same_index
from ..errors import ShapeError

#: The reference of each candidate, or several.
References = Sequence[str] | Sequence[Sequence[str]]


def check_references(op: str, candidates: Sequence[str], references: References) -> list[list[str]]:
    """Returns the references of each of N candidates, as lists.

    Raises:
        ShapeError: if the numbers of candidates and references differ.
        ValueError: without candidates, or for one without a reference.
        TypeError: for an item that is not a text.
    """
    check_same_index(op, ("candidates", candidates), ("references", references))
    for argument, texts in (("candidates", candidates), ("references", references)):
        check_repeatable(op, argument, texts)
        if isinstance(texts, (str, bytes)):
            raise TypeError(f"{op}: {argument}: expected a list of texts, got {type(texts).__name__}")
    if not len(candidates):
        raise ValueError(f"{op}: candidates: expected at least one, got none")
    if len(candidates) != len(references):
        raise ShapeError(
            f"{op}: references: expected as many as candidates, {len(candidates)}, got {len(references)}"
        )
    listed: list[list[str]] = [[r] if isinstance(r, str) else list(r) for r in references]
    for i, (candidate, own) in enumerate(zip(candidates, listed, strict=True)):
        if not own:
            raise ValueError(f"{op}: references[{i}]: expected at least one, got none")
        _check_text(op, f"candidates[{i}]", candidate)
        for text in own:
            _check_text(op, f"references[{i}]", text)
    return listed


def _check_text(op: str, argument: str, text: Any) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{op}: {argument}: expected a text, got {type(text).__name__}")
