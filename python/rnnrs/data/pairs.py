"""Pairs of texts from files (sentences and translations, questions and answers), and their cleaning."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..checks import check_size
from ..errors import FormatError
from ..reading import name_of, read_lines, read_text
from .cells import tab_rows
from .json_lines import json_on_line
from .sequences import shorten

#: Non-text characters: controls, a byte order mark, a zero-width space, line and paragraph separators.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ufeff\u200b\u2028\u2029]")


#: (source, target) of each pair.
Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class PairReport:
    """The result of cleaning, in numbers of pairs.

    Attributes:
        read: all pairs.
        kept: the pairs that remain.
        repaired: the remaining pairs in which non-text characters became spaces.
        empty: left out because a side has no text.
        too_long: left out because a side has more words than allowed.
        ratio: left out because one side is too many times longer than the other.
        duplicate: left out because the same pair came before.
    """

    read: int
    kept: int
    repaired: int
    empty: int
    too_long: int
    ratio: int
    duplicate: int

    def __str__(self) -> str:
        reasons = ("empty", "too_long", "ratio", "duplicate")
        dropped = [
            f"{getattr(self, name)} {name.replace('_', ' ')}" for name in reasons if getattr(self, name)
        ]
        return f"{self.kept} of {self.read} pairs kept" + (f" ({', '.join(dropped)})" if dropped else "")


def read_tsv_pairs(
    path: str | os.PathLike[str], columns: tuple[int, int] = (0, 1), *, encoding: str = "utf-8"
) -> Pairs:
    """Reads pairs from a file with one pair per line, in columns separated by tabs.

    Empty lines are skipped. Quotes are text, unless the file was evidently written with quotes around cells:
    a quoted cell has doubled quotes in it, or all cells of the first line are quoted.

    Args:
        path: the file, gzip-compressed or not; "-": standard input.
        columns: the indices of source and target, from 0.
        encoding: the encoding of the text.

    Raises:
        OSError: if the file cannot be read.
        FormatError: for a line with too few columns, or one that is not in the encoding; names the line.
        ValueError: for a negative index, or an unknown encoding.
    """
    first, second = (check_size("read_tsv_pairs", "columns", column, least=0) for column in columns)
    pairs: Pairs = []
    for number, cells in tab_rows(read_text(path, encoding)):
        if len(cells) <= max(first, second):
            raise FormatError(
                f"{name_of(path)}: line {number}: expected at least {max(first, second) + 1} columns, got {len(cells)}"
            )
        pairs.append((cells[first], cells[second]))
    return pairs


def read_parallel_pairs(
    source: str | os.PathLike[str], target: str | os.PathLike[str], *, encoding: str = "utf-8"
) -> Pairs:
    """Reads pairs from two files, line by line.

    Args:
        source, target: the files, gzip-compressed or not; "-": standard input.
        encoding: the encoding of both texts.

    Raises:
        OSError: if a file cannot be read.
        FormatError: if the numbers of lines differ; for a line that is not in the encoding, which is named.
        ValueError: for an unknown encoding.
    """
    sources, targets = read_lines(source, encoding), read_lines(target, encoding)
    if len(sources) != len(targets):
        raise FormatError(
            f"{name_of(source)}, {name_of(target)}: "
            f"expected as many lines in both, got {len(sources)} and {len(targets)}"
        )
    return list(zip(sources, targets, strict=True))


def read_json_pairs(
    path: str | os.PathLike[str], source: str = "source", target: str = "target", *, encoding: str = "utf-8"
) -> Pairs:
    """Reads pairs from a file with one JSON object per line. Empty lines are skipped.

    Args:
        path: the file, gzip-compressed or not; "-": standard input.
        source, target: the names of the two texts in an object.
        encoding: the encoding of the text.

    Raises:
        OSError: if the file cannot be read.
        FormatError: for a line that is not an object with these two texts, or not in the encoding; names the
            line.
        ValueError: for an unknown encoding.
    """
    pairs: Pairs = []
    for number, line in enumerate(read_lines(path, encoding), 1):
        if not line.strip():
            continue
        given = json_on_line(name_of(path), number, line)
        texts: list[str] = []
        for name in (source, target):
            text = given.get(name) if isinstance(given, dict) else None
            if not isinstance(text, str):
                raise FormatError(
                    f"{name_of(path)}: line {number}: expected an object with a text {name!r}, got {shorten(line)}"
                )
            texts.append(text)
        pairs.append((texts[0], texts[1]))
    return pairs


def clean_text(text: str) -> str:
    """Returns a text on one line.

    Non-text characters become spaces, a run of whitespace becomes one space, and whitespace at the ends is
    removed.
    """
    return " ".join(_CONTROLS.sub(" ", text).split())


def clean_pairs(
    pairs: Sequence[tuple[str, str]],
    *,
    max_words: int | None = None,
    max_ratio: float | None = None,
    unique: bool = False,
) -> tuple[Pairs, PairReport]:
    """Returns the pairs that are fit for training, and a report of the changes.

    Every text is cleaned by `clean_text`. Then pairs are left out for the first reason that applies: an empty
    side, then the arguments in their order.

    Args:
        pairs: (source, target) each, as the readers return them.
        max_words: the maximum number of words of a side, separated by whitespace.
        max_ratio: the maximum ratio of the numbers of words of the two sides.
        unique: whether to leave out a pair that came before.

    Raises:
        ValueError, TypeError: for invalid arguments, or for an item that is not a pair of texts.
    """
    op = "clean_pairs"
    if max_words is not None:
        check_size(op, "max_words", max_words)
    if max_ratio is not None and not max_ratio >= 1:
        raise ValueError(f"{op}: max_ratio: expected a number from 1, got {max_ratio}")
    kept: Pairs = []
    repaired = 0
    seen: set[tuple[str, str]] = set()
    counts = dict.fromkeys(("empty", "too_long", "ratio", "duplicate"), 0)
    for i, pair in enumerate(pairs):
        source, target = _clean(op, i, pair)
        reason = _reason((source, target), max_words, max_ratio)
        if reason is None and unique and (source, target) in seen:
            reason = "duplicate"
        if reason is not None:
            counts[reason] += 1
            continue
        if unique:
            seen.add((source, target))
        repaired += any(_CONTROLS.search(text) is not None for text in pair)
        kept.append((source, target))
    return kept, PairReport(len(pairs), len(kept), repaired, **counts)


def _reason(pair: tuple[str, str], max_words: int | None, max_ratio: float | None) -> str | None:
    """Returns why a pair is left out, or None."""
    less, more = sorted(len(text.split()) for text in pair)
    if not less:
        return "empty"
    if max_words is not None and more > max_words:
        return "too_long"
    if max_ratio is not None and more > max_ratio * less:
        return "ratio"
    return None


def _clean(op: str, i: int, pair: Any) -> tuple[str, str]:
    if (
        isinstance(pair, str)
        or not isinstance(pair, Sequence)
        or len(pair) != 2
        or not all(isinstance(text, str) for text in pair)
    ):
        raise TypeError(f"{op}: pairs[{i}]: expected two texts, got {pair!r}")
    return clean_text(pair[0]), clean_text(pair[1])
