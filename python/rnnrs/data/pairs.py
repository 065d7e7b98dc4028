"""Pairs of texts from files — sentences and their translations, questions and answers —, and their cleaning."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..checks import check_size
from ..errors import FormatError
from .sequences import read_bytes, shorten

#: Characters that are no text: controls, a byte order mark, a zero-width space, separators of lines and paragraphs.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ufeff\u200b\u2028\u2029]")


#: (what is read, what is to be written), for each pair.
Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class PairReport:
    """What cleaning did, by numbers of pairs.

    Attributes:
        read: all there were.
        kept: those that stayed.
        repaired: of these, those in which characters that are no text became spaces.
        empty: left out, since a side has no text.
        too_long: left out, since a side has more words than allowed.
        ratio: left out, since one side is too many times longer than the other.
        duplicate: left out, since the same pair came before.
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


def read_tsv_pairs(path: str | os.PathLike[str], columns: tuple[int, int] = (0, 1)) -> Pairs:
    """Pairs from a file with a line for each, its columns separated by tabs.

    There is no quoting; empty lines are skipped.

    Args:
        path: the file, packed by gzip or not.
        columns: the places of source and target, from 0.

    Raises:
        OSError: if the file cannot be read.
        FormatError: for a line with too few columns, or no UTF-8; names the line.
        ValueError: for places that are none.
    """
    first, second = (check_size("read_tsv_pairs", "columns", column, least=0) for column in columns)
    pairs: Pairs = []
    for number, line in enumerate(read_lines(path), 1):
        if not line:
            continue
        cells = line.split("\t")
        if len(cells) <= max(first, second):
            raise FormatError(
                f"{path}: line {number}: expected at least {max(first, second) + 1} columns, got {len(cells)}"
            )
        pairs.append((cells[first], cells[second]))
    return pairs


def read_parallel_pairs(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> Pairs:
    """Pairs from two files, line by line.

    Args:
        source, target: the files, packed by gzip or not.

    Raises:
        OSError: if one cannot be read.
        FormatError: if they have different numbers of lines; for a line that is no UTF-8, which is named.
    """
    sources, targets = read_lines(source), read_lines(target)
    if len(sources) != len(targets):
        raise FormatError(
            f"{source}, {target}: expected as many lines in both, got {len(sources)} and {len(targets)}"
        )
    return list(zip(sources, targets, strict=True))


def read_json_pairs(path: str | os.PathLike[str], source: str = "source", target: str = "target") -> Pairs:
    """Pairs from a file with a JSON object in each line. Empty lines are skipped.

    Args:
        path: the file, packed by gzip or not.
        source, target: the names of the two texts in it.

    Raises:
        OSError: if the file cannot be read.
        FormatError: for a line that is no object with these two texts, or no UTF-8; names the line.
    """
    pairs: Pairs = []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except ValueError as error:
            raise FormatError(f"{path}: line {number}: expected JSON, got {shorten(line)}: {error}") from None
        texts: list[str] = []
        for name in (source, target):
            text = given.get(name) if isinstance(given, dict) else None
            if not isinstance(text, str):
                raise FormatError(
                    f"{path}: line {number}: expected an object with a text {name!r}, got {shorten(line)}"
                )
            texts.append(text)
        pairs.append((texts[0], texts[1]))
    return pairs


def clean_text(text: str) -> str:
    """A text on one line: characters that are no text become spaces, runs of white space one; none at the ends."""
    return " ".join(_CONTROLS.sub(" ", text).split())


def clean_pairs(
    pairs: Sequence[tuple[str, str]],
    *,
    max_words: int | None = None,
    max_ratio: float | None = None,
    unique: bool = False,
) -> tuple[Pairs, PairReport]:
    """The pairs that are good to train on, and what was done to which of them.

    Characters that are no text become spaces, runs of white space one space, and that at the ends goes. Then pairs are
    left out, for the first reason that holds, in the order of the arguments after emptiness.

    Args:
        pairs: (source, target) each, as the readers give them.
        max_words: the most words of a side, by white space.
        max_ratio: how many times more words one side may have than the other.
        unique: whether a pair that came before is left out.

    Raises:
        ValueError, TypeError: for settings that make no sense, or what is no pair of texts.
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
    """Why a pair is to be left out."""
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


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """A file's lines, ended by "\\n" or "\\r\\n" alone: other characters that break lines may stand in a text."""
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise FormatError(
            f"{path}: line {number}: expected UTF-8 text, got byte 0x{data[error.start]:02x}"
        ) from None
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]
