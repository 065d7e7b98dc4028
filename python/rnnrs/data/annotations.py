"""The JSON files of well-known sets of pictures, as they are: COCO, Karpathy's splits, Visual Genome."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import FormatError
from .sequences import shorten

#: The first lines of a document that is written over several lines.
_OPENING = ("{", "[")


class AnnotatedPicture(NamedTuple):
    """A picture with its annotations as a file has them, not checked.

    Attributes:
        names: the files that it may be, relative to the folder of the pictures.
        size: width and height; None if the file does not say it.
        regions: for each region its place in the file, and x, y, w, h, phrase.
    """

    names: tuple[str, ...]
    size: tuple[int, int] | None
    regions: list[tuple[str, tuple[Any, ...]]]


def document_of(name: str, text: str) -> Any:
    """Returns a JSON document: an object with "images", or a list of objects; None for any other text.

    Args:
        name: the name of the file, for messages.
        text: its content.

    Raises:
        FormatError: for a document over several lines that is not JSON.
    """
    line, _, rest = text.lstrip("\ufeff \t\r\n").partition("\n")
    try:
        found = json.loads(line)
        if rest.strip():  # a value on each line
            return None
    except (ValueError, RecursionError):
        if not rest:
            return None
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            if line.strip() in _OPENING:
                raise FormatError(f"{name}: expected JSON: {error}") from None
            return None
    if isinstance(found, dict):
        return found if "images" in found else None
    return found if isinstance(found, list) and found and isinstance(found[0], dict) else None


def caption_rows(name: str, document: Any, split: str | None) -> list[tuple[str, list[str]]]:
    """Returns the place in the file, and the picture's file and captions, of each picture or caption.

    Args:
        name: the name of the file, for messages.
        document: COCO's captions (images, annotations with a caption), or Karpathy's (images with sentences).
        split: the name of a split, for Karpathy's; None for all.

    Raises:
        FormatError: for anything else.
        ValueError: for a split that the document does not have.
    """
    images = _items(name, document if isinstance(document, dict) else {}, "images")
    if any("sentences" in image for _, image in images):
        return _karpathy(name, images, split)
    if split is not None:
        raise ValueError(f"read_captions: split: expected none, since {name} has no splits, got {split!r}")
    files = _by_id(name, images, "file_name")
    rows: list[tuple[str, list[str]]] = []
    for place, annotation in _items(name, document, "annotations"):
        if "bbox" in annotation and "caption" not in annotation:
            raise FormatError(f"{name}: {place}: expected a caption, got a region (read_regions reads these)")
        file = _of(name, place, annotation, "image_id", files)
        rows.append((place, [file, _text(name, place, annotation, "caption")]))
    return rows


def _karpathy(
    name: str, images: list[tuple[str, dict[str, Any]]], split: str | None
) -> list[tuple[str, list[str]]]:
    splits = sorted({str(image.get("split")) for _, image in images})
    if split is not None and split not in splits:
        raise ValueError(f"read_captions: split: expected one of {', '.join(splits)}, got {split!r}")
    rows: list[tuple[str, list[str]]] = []
    for place, image in images:
        if split is not None and image.get("split") != split:
            continue
        folder, file = image.get("filepath") or "", _text(name, place, image, "filename")
        sentences = _items(name, image, "sentences", f"{place}.")
        texts = [_text(name, at, sentence, "raw") for at, sentence in sentences]
        rows.append((place, [f"{folder}/{file}" if folder else file, *texts]))
    return rows


def annotated_pictures(name: str, document: Any) -> Iterator[AnnotatedPicture]:
    """Yields the pictures of Visual Genome's region descriptions, or of COCO's instances.

    Args:
        name: the name of the file, for messages.
        document: the JSON document.

    Raises:
        FormatError: for anything else.
    """
    if isinstance(document, list):
        yield from _visual_genome(name, document)
    else:
        yield from _coco(name, document)


def _visual_genome(name: str, document: list[Any]) -> Iterator[AnnotatedPicture]:
    for place, image in _items(name, {"": document}, ""):
        listed = _items(name, image, "regions", f"{place}.")
        inner = listed[0][1].get("image_id") if listed else None
        number = image.get("image_id", image.get("id", inner))
        if not isinstance(number, int):
            raise FormatError(f"{name}: {place}: expected an id, got {number!r:.80}")
        regions = [
            (at, tuple(region.get(key) for key in ("x", "y", "width", "height", "phrase")))
            for at, region in listed
        ]
        folders = ("", "VG_100K/", "VG_100K_2/")
        yield AnnotatedPicture(tuple(f"{folder}{number}.jpg" for folder in folders), None, regions)


def _coco(name: str, document: dict[str, Any]) -> Iterator[AnnotatedPicture]:
    """Yields COCO's pictures; annotations of crowds, whose boxes surround many things, are left out."""
    images = _items(name, document, "images")
    files = _by_id(name, images, "file_name")
    annotations = _items(name, document, "annotations")
    if annotations and "caption" in annotations[0][1] and "bbox" not in annotations[0][1]:
        raise FormatError(f"{name}: expected regions, got captions (read_captions reads these)")
    kinds = _by_id(name, _items(name, document, "categories"), "name")
    own: dict[Any, list[tuple[str, tuple[Any, ...]]]] = {key: [] for key in files}
    for place, annotation in annotations:
        if annotation.get("iscrowd"):
            continue
        _of(name, place, annotation, "image_id", files)
        box = annotation.get("bbox")
        if not isinstance(box, list) or len(box) != 4:
            raise FormatError(f"{name}: {place}: expected a bbox of 4 numbers, got {box!r:.80}")
        phrase = _of(name, place, annotation, "category_id", kinds)
        own[annotation["image_id"]].append((place, (*box, phrase)))
    for _, image in images:
        width, height = image.get("width"), image.get("height")
        size: tuple[int, int] | None = None
        if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
            size = width, height
        yield AnnotatedPicture((image["file_name"],), size, own[image["id"]])


def _items(name: str, owner: dict[str, Any], key: str, before: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Returns the objects of a list, with their places in the file."""
    listed = owner.get(key)
    if not isinstance(listed, list):
        where = f"{before.rstrip('.')}: " if before else ""
        raise FormatError(f"{name}: {where}expected a list {key!r}, got {shorten(repr(listed))}")
    for i, item in enumerate(listed):
        if not isinstance(item, dict):
            raise FormatError(f"{name}: {before}{key}[{i}]: expected an object, got {shorten(repr(item))}")
    return [(f"{before}{key}[{i}]", item) for i, item in enumerate(listed)]


def _by_id(name: str, items: list[tuple[str, dict[str, Any]]], key: str) -> dict[Any, str]:
    """Returns a text of each object, by the object's id."""
    found: dict[Any, str] = {}
    for place, item in items:
        if not isinstance(item.get("id"), (int, str)):
            raise FormatError(f"{name}: {place}: expected an id, got {item.get('id')!r:.80}")
        found[item["id"]] = _text(name, place, item, key)
    return found


def _of(name: str, place: str, item: dict[str, Any], key: str, known: dict[Any, str]) -> str:
    """Returns the text of the object that another one refers to."""
    number = item.get(key)
    if not isinstance(number, (int, str)) or number not in known:
        raise FormatError(f"{name}: {place}: expected a known {key}, got {number!r:.80}")
    return known[number]


def _text(name: str, place: str, item: dict[str, Any], key: str) -> str:
    text = item.get(key)
    if not isinstance(text, str):
        raise FormatError(f"{name}: {place}: expected a text {key!r}, got {shorten(repr(text))}")
    return text
