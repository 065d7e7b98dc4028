"""Regions of pictures from files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from ..checks import check_size
from ..errors import FormatError, MissingExtraError
from ..reading import STANDARD_INPUT, name_of, read_text, split_lines
from .annotations import AnnotatedPicture, annotated_pictures, document_of
from .cells import delimited_rows
from .json_lines import json_on_line
from .pairs import clean_text
from .picture_decoding import measure
from .placement import clip_boxes
from .regions import Region, RegionExample
from .sequences import shorten

#: The names of the columns, as the first line of a table may have them, and of the fields of JSON lines.
FIELDS = ("picture", "x", "y", "w", "h", "phrase")

_NUMBERS = ("x", "y", "w", "h")

#: The greatest number of pixels, far beyond any picture.
_FARTHEST = 1e9


def read_regions(
    path: str | os.PathLike[str],
    pictures: str | os.PathLike[str] | None = None,
    *,
    columns: Sequence[int] = (0, 1, 2, 3, 4, 5),
    fields: Sequence[str] = FIELDS,
    encoding: str = "utf-8",
    problems: list[str] | None = None,
) -> list[RegionExample]:
    """Reads pictures with boxes and phrases.

    The file is one of these, gzip-compressed or not:

    - columns between tabs, or between commas (.csv): picture, x, y, w, h, phrase; a first line with these
      names is skipped;
    - a JSON object on each line (.json, .jsonl) with these names, or with a list "regions" of objects with
      the last five;
    - Visual Genome's `region_descriptions.json`; its pictures are in the folder, or below it in VG_100K and
      VG_100K_2;
    - COCO's instances: the phrase is the name of the category. Annotations of crowds are left out.

    x, y, w, h are in pixels of the upright picture, from its top left corner. A box that does not end within
    the picture is clipped. The sizes are read from the pictures, which needs the extra "pictures" unless the
    file says them. A picture that has another size than the file says is refused: its boxes are elsewhere.

    Args:
        path: the file; "-": standard input.
        pictures: the folder of the pictures; that of the file by default.
        columns: the indices of picture, x, y, w, h and phrase, from 0.
        fields: their names in JSON lines.
        encoding: the encoding of the text.
        problems: a list that receives a message for each record that is left out; None: the first such record
            raises an error.

    Returns:
        The pictures in the order of their first mention, as paths. Those of COCO and Visual Genome that have
        no regions are among them.

    Raises:
        OSError: if the file cannot be read.
        FormatError: for a line or record without these values (names it); for a file without any region. For
            a record whose picture cannot be read, whose phrase is empty, or of whose box less than half is
            within the picture, unless `problems` receives it.
        MissingExtraError: if Pillow is missing, and the file does not say the sizes of the pictures.
        ValueError, TypeError: for columns or fields that are not six, or an unknown encoding.
    """
    op = "read_regions"
    for argument, values in (("columns", columns), ("fields", fields)):
        if isinstance(values, str) or len(values) != len(FIELDS):
            raise ValueError(
                f"{op}: {argument}: expected {len(FIELDS)}, of {', '.join(FIELDS)}, got {values!r}"
            )
    places = [check_size(op, "columns", column, least=0) for column in columns]
    name, text = name_of(path), read_text(path, encoding)
    folder = os.path.dirname(os.fspath(path)) if pictures is None else os.fspath(pictures)
    left_out: list[str] = []
    found: dict[str, list[Region]] = {}
    for picture in _pictures(os.fspath(path), name, text, places, tuple(fields)):
        file, regions, wrong = _checked(name, folder, picture)
        if wrong and problems is None:
            raise FormatError(wrong[0])
        left_out += wrong
        if file is not None:
            found.setdefault(os.path.normpath(file), []).extend(regions)
    if not any(found.values()):
        reason = f"; {left_out[0]}" if left_out else ""
        raise FormatError(f"{name}: expected pictures with boxes and phrases, got none{reason}")
    if problems is not None:
        problems += left_out
    return [RegionExample(file, tuple(regions)) for file, regions in found.items()]


def _pictures(
    path: str, name: str, text: str, columns: list[int], fields: tuple[str, ...]
) -> Iterator[AnnotatedPicture]:
    """Yields the pictures of a file, in its order."""
    plain = path.removesuffix(".gz").lower()
    if not (plain.endswith((".json", ".jsonl")) or (plain == STANDARD_INPUT and text[:1] in ("{", "["))):
        rows = _table(plain, name, text, columns)
    elif (document := document_of(name, text)) is not None:
        yield from annotated_pictures(name, document)
        return
    else:
        rows = _json_lines(name, text, fields)
    for file, own in groupby(rows, key=lambda row: row[0]):
        yield AnnotatedPicture((file,), None, [row[1:] for row in own])


def _table(
    plain: str, name: str, text: str, columns: list[int]
) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """Yields picture, place in the file, and the other cells of each row."""
    for i, (number, cells) in enumerate(delimited_rows(plain, name, text)):
        if len(cells) <= max(columns):
            raise FormatError(
                f"{name}: line {number}: expected at least {max(columns) + 1} columns, got {len(cells)}: "
                f"{shorten(cells[0])}"
            )
        file, *numbers, phrase = (cells[column] for column in columns)
        if i == 0 and [cell.strip().lower() for cell in numbers[:2]] == ["x", "y"]:
            continue
        values: list[float] = []
        for key, cell in zip(_NUMBERS, numbers, strict=True):
            try:
                values.append(float(cell))
            except ValueError:
                raise FormatError(
                    f"{name}: line {number}: {key}: expected a number, got {shorten(cell)}"
                ) from None
        yield file.strip(), f"line {number}", (*values, phrase)


def _json_lines(name: str, text: str, fields: tuple[str, ...]) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """Yields picture, place in the file, and the other values of each region."""
    for number, line in enumerate(split_lines(text), 1):
        if not line.strip():
            continue
        place = f"line {number}"
        given = json_on_line(name, number, line)
        file = given.get(fields[0]) if isinstance(given, dict) else None
        if not isinstance(file, str):
            raise FormatError(
                f"{name}: {place}: expected an object with a text {fields[0]!r}, got {shorten(line)}"
            )
        several = given.get("regions")
        regions = several if isinstance(several, list) else [given]
        for i, region in enumerate(regions):
            at = f"{place}: regions[{i}]" if region is not given else place
            if not isinstance(region, dict):
                raise FormatError(f"{name}: {at}: expected an object, got {shorten(repr(region))}")
            yield file.strip(), at, tuple(region.get(key) for key in fields[1:])


def _checked(name: str, folder: str, picture: AnnotatedPicture) -> tuple[str | None, list[Region], list[str]]:
    """Returns the file of a picture if it can be read, its regions, and a message for each bad record.

    Raises:
        FormatError: for values that are not four numbers and a text.
    """
    for place, values in picture.regions:
        _check_kinds(name, place, values)
    first = picture.regions[0][0] if picture.regions else picture.names[0]
    file, size, problem = _file(folder, picture)
    if size is None:
        return None, [], [f"{name}: {first}: {problem}"]
    regions: list[Region] = []
    wrong: list[str] = []
    given = np.array([values[:4] for _, values in picture.regions], np.float64).reshape(-1, 4)
    boxes, within = clip_boxes(given, size[::-1])
    parts = zip(picture.regions, boxes.tolist(), within.tolist(), strict=True)
    for (place, (x, y, w, h, text)), box, enough in parts:
        phrase = clean_text(text)
        if phrase and enough:
            regions.append(Region(box[0], box[1], box[2], box[3], phrase))
            continue
        problem = f"the box {x:g} {y:g} {w:g} {h:g} is outside the picture ({size[0]} × {size[1]})"
        if not phrase:
            problem = "an empty phrase"
        elif not (w > 0 and h > 0):
            problem = f"expected w and h above 0, got {w:g} and {h:g}"
        wrong.append(f"{name}: {place}: {os.path.basename(file)}: {problem}")
    return file, regions, wrong


def _file(folder: str, picture: AnnotatedPicture) -> tuple[str, tuple[int, int] | None, str]:
    """Returns the file of a picture, its width and height, or None and the problem."""
    files = [os.path.join(folder, file) for file in picture.names]
    file = next((file for file in files if os.path.isfile(file)), None)
    if file is None or not picture.names[0]:
        return files[0], None, f"expected a picture, got no such file: {files[0]}"
    try:
        size = measure(file)
    except MissingExtraError:
        if picture.size is None:
            raise
        return file, picture.size, ""
    except (OSError, FormatError) as error:
        return file, None, f"{file}: {error}"
    if picture.size not in (None, size):
        expected = "expected a picture of {} × {} pixels, as the file says".format(*picture.size)
        return file, None, f"{file}: {expected}, got {size[0]} × {size[1]}"
    return file, size, ""


def _check_kinds(name: str, place: str, values: tuple[Any, ...]) -> None:
    *numbers, phrase = values
    for key, value in zip(_NUMBERS, numbers, strict=True):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _FARTHEST:
            raise FormatError(f"{name}: {place}: {key}: expected a number, got {value!r:.80}")
    if not isinstance(phrase, str):
        raise FormatError(f"{name}: {place}: expected a phrase, got {phrase!r:.80}")
