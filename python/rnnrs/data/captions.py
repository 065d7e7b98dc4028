"""Descriptions of pictures from files, and pictures with their descriptions."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks import check_size
from ..errors import FormatError, ShapeError
from ..reading import STANDARD_INPUT, name_of, read_text, split_lines
from ..shown import short_repr
from .annotations import caption_rows, document_of
from .cells import delimited_rows, tab_rows
from .json_lines import json_on_line
from .pairs import clean_text
from .pictures import read_pictures
from .sequences import shorten

#: The number of a description after a picture's file, as in Flickr8k.
_NUMBERED = re.compile(r"(\.\w{2,5})#\d+$")

#: The first line of a table between commas, whatever its file is called: Flickr8k's `captions.txt`.
_COMMAS = re.compile(r"\s*(?:image|image_name|file|filename),(?:caption|description)\s*$", re.I | re.M)


class Captions(NamedTuple):
    """The descriptions of several pictures.

    Attributes:
        files: the picture files as named in the file of descriptions; empty if it names none.
        descriptions: the descriptions of each picture; at least one each if there are files.
        problems: one message for each place without a description.
    """

    files: tuple[str, ...]
    descriptions: tuple[tuple[str, ...], ...]
    problems: tuple[str, ...]

    def __repr__(self) -> str:
        return short_repr(self)


@dataclass(frozen=True)
class DescribedPictures:
    """N pictures, each with at least one description.

    Attributes:
        pictures: (N, Y, X, 3), 0..255 (uint8), or other arrays as given.
        descriptions: the descriptions of each picture.
        files: the file of each picture; empty if the pictures come from an array.
        problems: one message for each picture or description that was left out.
    """

    pictures: NDArray[Any]
    descriptions: list[list[str]]
    files: tuple[str, ...]
    problems: tuple[str, ...]

    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.descriptions)

    def __getitem__(self, rows: Sequence[int]) -> DescribedPictures:
        """Returns the pictures at these indices, without `problems`, which concern the whole set."""
        return DescribedPictures(
            self.pictures[list(rows)],
            [self.descriptions[i] for i in rows],
            tuple(self.files[i] for i in rows) if self.files else (),
            (),
        )

    def __str__(self) -> str:
        count = sum(map(len, self.descriptions))
        left_out = f", {len(self.problems):,} left out" if self.problems else ""
        return f"{len(self):,} pictures with {count:,} descriptions{left_out}"


def read_captions(
    path: str | os.PathLike[str],
    *,
    columns: tuple[int, int] = (0, 1),
    fields: tuple[str, str] = ("file", "description"),
    encoding: str = "utf-8",
    split: str | None = None,
) -> Captions:
    """Reads the descriptions of picture files.

    The file is one of these, gzip-compressed or not:

    - columns between tabs, or between commas (.csv, or a first line "image,caption"): file and description.
      Numbers of descriptions after all files (`image.jpg#0`, as in Flickr8k) are removed, as is a first line
      between commas that names no file;
    - a JSON object on each line (.json, .jsonl) with these names;
    - COCO's captions, or Karpathy's `dataset_*.json`.

    A picture may have several descriptions: on several lines, or as a list of texts in JSON. Control
    characters become spaces. A line without text in a description is named in `problems`.

    Args:
        path: the file; "-": standard input, which is JSON if it begins with "{".
        columns: the indices of file and description, from 0.
        fields: their names in JSON lines.
        encoding: the encoding of the text.
        split: of Karpathy's file, the pictures of this split ("train", "restval", "val", "test"); None: all.

    Raises:
        OSError: if the file cannot be read.
        FormatError: for a line with too few columns, without such an object, or that is not in the encoding
            (names the line); for a file without any description.
        ValueError: for a negative index, an unknown encoding, or a split that the file does not have.
    """
    found: dict[str, list[str]] = {}
    problems: list[str] = []
    for place, (file, *texts) in _rows(path, tuple(columns), tuple(fields), encoding, split):
        kept = [text for text in map(clean_text, texts) if text]
        if not file.strip() or len(kept) < len(texts) or not texts:
            what = "no file" if not file.strip() else f"{file}: an empty description"
            problems.append(f"{name_of(path)}: {place}: {what}")
        if file.strip() and kept:
            found.setdefault(file.strip(), []).extend(kept)
    if not found:
        raise FormatError(f"{name_of(path)}: expected files and their descriptions, got none")
    return Captions(tuple(found), tuple(map(tuple, found.values())), tuple(problems))


def read_descriptions(
    path: str | os.PathLike[str],
    *,
    column: int = 0,
    field: str = "description",
    encoding: str = "utf-8",
) -> Captions:
    """Reads the descriptions of the pictures in an array: one line per row of the array.

    Args:
        path: a file in a format of `read_captions`, gzip-compressed or not.
        column: the index of the description among the columns, from 0.
        field: its name in JSON.
        encoding: the encoding of the text.

    Returns:
        As `read_captions`, without files; a row without text has no description.

    Raises:
        See `read_captions`.
    """
    rows: list[tuple[str, ...]] = []
    problems: list[str] = []
    for place, texts in _rows(path, (column,), (field,), encoding):
        kept = tuple(text for text in map(clean_text, texts) if text)
        if len(kept) < len(texts) or not texts:
            problems.append(f"{name_of(path)}: {place}: an empty description")
        rows.append(kept)
    if not any(rows):
        raise FormatError(f"{name_of(path)}: expected descriptions, got none")
    return Captions((), tuple(rows), tuple(problems))


def _rows(
    path: str | os.PathLike[str],
    columns: tuple[int, ...],
    fields: tuple[str, ...],
    encoding: str,
    split: str | None = None,
) -> list[tuple[str, list[str]]]:
    """Returns the place and the requested cells of each line; the last cell may be several.

    Raises:
        FormatError: for a line without them.
    """
    plain = os.fspath(path).removesuffix(".gz").lower()
    text = read_text(path, encoding)
    if plain.endswith((".json", ".jsonl")) or (plain == STANDARD_INPUT and text.startswith("{")):
        document = document_of(name_of(path), text) if len(columns) > 1 else None
        if document is not None:
            return caption_rows(name_of(path), document, split)
        _refuse_split(path, split)
        lines = enumerate(split_lines(text), 1)
        return [(f"line {n}", _fields(path, n, line, fields)) for n, line in lines if line.strip()]
    _refuse_split(path, split)
    places = [check_size("read_captions", "columns", column, least=0) for column in columns]
    return _table(path, plain, text, places)


def _refuse_split(path: str | os.PathLike[str], split: str | None) -> None:
    if split is not None:
        raise ValueError(
            f"read_captions: split: expected none, since {name_of(path)} has no splits, got {split!r}"
        )


def _table(
    path: str | os.PathLike[str], plain: str, text: str, places: list[int]
) -> list[tuple[str, list[str]]]:
    """Returns the place and the requested cells of each line of a table."""
    alone = len(places) == 1
    plain = f"{plain}.csv" if _COMMAS.match(text) else plain
    listed = tab_rows(text, empty=True) if alone else delimited_rows(plain, name_of(path), text)
    rows: list[tuple[str, list[str]]] = []
    for number, cells in listed:
        if len(cells) <= max(places):
            raise FormatError(
                f"{name_of(path)}: line {number}: expected at least {max(places) + 1} columns between tabs, "
                f"got {len(cells)}: {shorten(cells[0])}"
            )
        rows.append((f"line {number}", [cells[place] for place in places]))
    if alone:
        return rows
    if plain.endswith(".csv") and rows and "." not in rows[0][1][0]:  # the names of the columns
        rows = rows[1:]
    if rows and all(_NUMBERED.search(cells[0]) for _, cells in rows):
        rows = [(place, [_NUMBERED.sub(r"\1", cells[0]), *cells[1:]]) for place, cells in rows]
    return rows


def _fields(path: str | os.PathLike[str], number: int, line: str, fields: tuple[str, ...]) -> list[str]:
    given = json_on_line(name_of(path), number, line)
    cells: list[str] = []
    for name in fields:
        value: Any = given.get(name) if isinstance(given, dict) else None
        texts = value if name == fields[-1] and isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in texts):
            expected = f"expected an object with a text {name!r}"
            raise FormatError(f"{name_of(path)}: line {number}: {expected}, got {shorten(line)}")
        cells += texts
    return cells


def by_picture(captions: Captions, folder: str | os.PathLike[str]) -> dict[str, list[str]]:
    """Returns the descriptions of each picture, by its path.

    A picture under several names (`a.jpg`, `./a.jpg`, a link) is one, under the first of them.

    Args:
        captions: the result of `read_captions`.
        folder: the folder to which the names of the files are relative.
    """
    paths: dict[object, str] = {}
    own: dict[str, list[str]] = {}
    for file, texts in zip(captions.files, captions.descriptions, strict=True):
        path = str(Path(folder, file))
        try:
            status = os.stat(path)
            identity: object = (status.st_dev, status.st_ino)
        except OSError:  # a picture that cannot be read
            identity = os.path.normpath(path)
        own.setdefault(paths.setdefault(identity, path), []).extend(texts)
    return own


def read_described_pictures(
    captions: Captions,
    folder: str | os.PathLike[str],
    size: tuple[int, int] = (32, 32),
    *,
    fit: str = "pad",
    cache: str | os.PathLike[str] | None = None,
) -> DescribedPictures:
    """Reads the pictures that have descriptions.

    Args:
        captions: the result of `read_captions`.
        folder: the folder to which the names of the files are relative.
        size, fit, cache: see `read_pictures`.

    Raises:
        See `read_pictures`: an error only if none of them can be read.
    """
    own = by_picture(captions, folder)
    pictures = read_pictures(list(own), size, fit=fit, cache=cache)
    return DescribedPictures(
        pictures.images,
        [own[file] for file in pictures.files],
        pictures.files,
        (*captions.problems, *pictures.problems),
    )


def described_arrays(arrays: NDArray[Any], captions: Captions) -> DescribedPictures:
    """Returns the rows of an array (pictures, or another network's features) that have descriptions.

    Args:
        arrays: (N, …).
        captions: the result of `read_descriptions`.

    Raises:
        ShapeError: if the numbers of descriptions and rows differ.
    """
    if len(arrays) != len(captions.descriptions):
        raise ShapeError(
            f"described_arrays: captions: expected a line for each of {len(arrays)} rows, "
            f"got {len(captions.descriptions)}"
        )
    kept = [i for i, own in enumerate(captions.descriptions) if own]
    chosen = arrays if len(kept) == len(arrays) else arrays[np.array(kept)]
    return DescribedPictures(chosen, [list(captions.descriptions[i]) for i in kept], (), captions.problems)
