"""Time series for classification or regression, in the text format of the UEA and UCR archives (`.ts`)."""

from __future__ import annotations

import os
from typing import NoReturn

import numpy as np
from numpy.typing import DTypeLike

from ..errors import FormatError
from ..reading import name_of, read_bytes
from ..types import Array
from .sequences import LabeledSequences, Numbers, check_missing, number_classes, pad


def read_ts(
    path: str | os.PathLike[str], *, missing: float | None = None, dtype: DTypeLike = np.float32
) -> LabeledSequences:
    """Reads the series of a `.ts` file, gzip-compressed or not.

    The format (Bagnall et al. 2018, *The UEA multivariate time series classification archive*) has comments
    (#), settings (@name value …), @data, and then one line per series. The line holds the dimensions and the
    label, separated by colons; a dimension holds the values of all steps, separated by commas. Classes are
    numbered in the order of @classLabel, so a training file and a test file with the same @classLabel number
    them alike.

    Args:
        path: the file; "-": standard input.
        missing: the number that replaces a missing value ("?"), for example nan; by default there must be
            none.
        dtype: of x, float32 or float64.

    Returns:
        x (T, B, I), I the number of dimensions; lengths (B,); labels (B,), classes or, with @targetLabel,
            numbers.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if the file is not in this format, has missing values without `missing`, or cannot be
            stored in x: it has time stamps, or dimensions of different lengths. Names the line.
        ValueError, TypeError: for invalid arguments.
    """
    kind = check_missing("read_ts", missing, dtype)
    reader = _Reader(path, Numbers(kind, missing, ("?", "nan")))
    for number, line in enumerate(read_bytes(path).splitlines(), start=1):
        reader.take(number, line)
    reader.finish()
    x, lengths = pad(reader.cases, kind)
    return LabeledSequences(x, lengths, reader.labels(), reader.classes)


class _Reader:
    """A parser of a `.ts` file, line by line."""

    def __init__(self, path: str | os.PathLike[str], numbers: Numbers) -> None:
        self.path, self.numbers = name_of(path), numbers
        self.line = 0
        self.settings: dict[str, list[str]] = {}
        self.in_data = False
        self.classes: tuple[str, ...] = ()
        self.cases: list[Array] = []  # (T, I) each
        self._labels: list[tuple[int, str]] = []  # (line, label)
        self._shape: tuple[int | None, int | None] = (None, None)  # T, I that all series must have
        self._labeled = self._targets = False

    def fail(self, message: str) -> NoReturn:
        raise FormatError(f"{self.path}: line {self.line}: {message}")

    def take(self, number: int, raw: bytes) -> None:
        """Parses the next line."""
        self.line = number
        raw = raw.strip()
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")  # a byte order mark
        if not raw or raw.startswith(b"#"):  # comments are not always UTF-8
            return
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            self.fail(f"expected UTF-8 text, got byte 0x{raw[error.start]:02x}")
        if self.in_data:
            self._take_case(line)
        elif not line.startswith("@"):
            self.fail(f"expected a comment (#), a setting (@…) or @data, got {line[:40]!r}")
        else:
            name, *words = line[1:].split()
            if name.lower() == "data":
                self._begin_data()
            else:
                self._take_setting(name.lower(), words)

    def _take_setting(self, name: str, words: list[str]) -> None:
        if name in self.settings:
            self.fail(f"expected one @{name}, got another")
        self.settings[name] = words
        if name == "timestamps" and self._flag(name):
            self.fail("expected values at equal distances (@timeStamps false), got time stamps")
        if name == "classlabel" and self._flag(name):
            self.classes = tuple(words[1:])
            if not self.classes or len(set(self.classes)) < len(self.classes):
                self.fail(f"expected @classLabel true and each class once, got {' '.join(words)!r}")

    def _flag(self, name: str) -> bool:
        words = [word.lower() for word in self.settings.get(name, ["false"])]
        if words[:1] not in (["true"], ["false"]):
            self.fail(f"expected @{name} true or false, got {' '.join(words) or 'nothing'!r}")
        return words[0] == "true"

    def _count(self, *names: str) -> int | None:
        """Returns the number that one of these settings gives, or None."""
        for name in names:
            if name in self.settings:
                words = self.settings[name]
                if len(words) != 1 or not words[0].isdecimal() or int(words[0]) < 1:
                    self.fail(f"expected @{name} and a number from 1, got {' '.join(words)!r}")
                return int(words[0])
        return None

    def _begin_data(self) -> None:
        """Checks all settings together, at @data."""
        self.in_data = True
        classes, self._targets = self._flag("classlabel"), self._flag("targetlabel")
        if classes and self._targets:
            self.fail("expected @classLabel or @targetLabel, got both")
        if not {"classlabel", "targetlabel"} & set(self.settings):
            self.fail("expected @classLabel or @targetLabel before @data: whether lines end with a label")
        self._labeled = classes or self._targets
        dimensions = self._count("dimensions", "dimension")
        if dimensions is None and self._flag("univariate"):
            dimensions = 1
        self._shape = (self._count("serieslength") if self._flag("equallength") else None, dimensions)

    def _take_case(self, line: str) -> None:
        parts = line.split(":")
        if self._labeled:
            self._labels.append((self.line, parts.pop().strip()))
            if not parts:
                self.fail("expected dimensions and a label with ':' between them, got no ':'")
        steps, dimensions = self._shape
        if dimensions is not None and len(parts) != dimensions:
            self.fail(f"expected {dimensions} dimensions, got {len(parts)}")
        columns = [self._take_dimension(part, d) for d, part in enumerate(parts, start=1)]
        for d, column in enumerate(columns, start=1):
            if len(column) != len(columns[0]):
                self.fail(f"dimension {d}: expected {len(columns[0])} values as in 1, got {len(column)}")
        if steps is not None and len(columns[0]) != steps:
            self.fail(f"expected {steps} values (@equalLength true), got {len(columns[0])}")
        self.cases.append(np.stack(columns, axis=1))
        equal = self._flag("equallength")
        self._shape = (len(columns[0]) if equal else None, len(columns))

    def _take_dimension(self, part: str, d: int) -> Array:
        return self.numbers(
            part.split(","), lambda i: f"{self.path}: line {self.line}: dimension {d}, value {i + 1}"
        )

    def finish(self) -> None:
        """Checks the file after the last line.

        Raises:
            FormatError: if something is missing.
        """
        if not self.in_data:
            raise FormatError(f"{self.path}: expected @data, got the file's end")
        if not self.cases:
            raise FormatError(f"{self.path}: expected at least one series after @data, got none")

    def labels(self) -> Array | None:
        """Returns labels as indices into `classes`, as numbers, or None without labels."""
        lines, labels = [line for line, _ in self._labels], [label for _, label in self._labels]
        if self._targets:
            return self.numbers(labels, lambda i: f"{self.path}: line {lines[i]}: label")
        if not self._labeled:
            return None
        return number_classes(labels, self.classes, lambda i: f"{self.path}: line {lines[i]}: label")
