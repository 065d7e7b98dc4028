"""`/describe`: what a picture shows."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ...data import read_picture
from ...data.picture_decoding import measure, place
from ...data.placement import Placement, clip_boxes
from ...errors import FormatError
from ..endpoint import NUMBER, TEXT, WHOLE, Schema, list_of, object_of, of_kinds
from ..fields import Field
from ..hosting import Loaded
from ..problems import Plain, Problem, invalid
from .verb import Verb
from .writing import SEARCH, WRITTEN, check_n_best, search_of, written_facts

_FIELDS = (
    Field("picture", "file", "The picture: a file of a form, or its bytes in base64.", most="body"),
    *SEARCH,
    Field("regions", "boolean", "Whether to describe regions of the picture, too.", False),
    Field("n", "whole", "The most regions.", 10, least=1, most=100),
)

_BOX: dict[str, Schema] = dict.fromkeys("xywh", NUMBER)


def _check(loaded: Loaded, values: dict[str, Any]) -> None:
    check_n_best(loaded, values)
    if values["regions"] and not loaded.model.regions:
        raise invalid("regions", "false: the model describes whole pictures", Plain("true"))


def _answer_all(loaded: Loaded, requests: list[dict[str, Any]]) -> list[dict[str, Any] | Problem]:
    model, first = loaded.model, requests[0]
    read = [_read(request["picture"], model.picture_size, loaded.limits.pixels) for request in requests]
    seen = [one for one in read if not isinstance(one, Problem)]
    if not seen:
        return [one for one in read if isinstance(one, Problem)]
    pictures, search = np.stack([picture for picture, _ in seen]), search_of(model, first)
    written = model.write(pictures, search, decoder=loaded.kept("decoder", model.decoder))
    answers = []
    for (_, where), own in zip(seen, written, strict=True):
        whole = [[0, 0, *model.picture_size[::-1]]]
        answers.append(
            {
                "descriptions": [written_facts(one, first["attention"]) for one in own],
                "grid": list(model.grid),
                "area": _named(where.to_original(whole)[0].tolist()),
            }
        )
    if first["regions"]:
        found = model.describe_all_regions(
            pictures, None, first["n"], search.changed("describe", {"n_best": 1})
        )
        for answer, (_, where), own in zip(answers, seen, found, strict=True):
            answer["regions"] = _regions(own, where)
    each = iter(answers)
    return [one if isinstance(one, Problem) else next(each) for one in read]


def _read(file: bytes, size: tuple[int, int], most: int) -> tuple[Any, Placement] | Problem:
    """Returns a picture in the size of the model, and its place in it; only as many pixels are decoded."""
    try:
        width, height = measure(io.BytesIO(file))
        if width * height > most:
            return invalid("picture", f"at most {most:,} pixels", Plain(f"{width:,} × {height:,}"))
        return read_picture(io.BytesIO(file), size), place(io.BytesIO(file), size, "pad")
    except FormatError as error:
        reason = str(error).removeprefix("the picture: ")
        return invalid("picture", "a picture, as PNG, JPEG, GIF or WebP", Plain(reason))


def _regions(found: list[Any], where: Placement) -> list[dict[str, Any]]:
    """Returns regions in pixels of the original picture, without those beside it."""
    if not found:
        return []
    boxes, within = clip_boxes(where.to_original([region[:4] for region in found]), where.size[::-1])
    return [
        _named(box) | {"phrase": region.phrase, "score": float(region.score)}
        for region, box, inside in zip(found, boxes.tolist(), within, strict=True)
        if inside
    ]


def _named(box: list[float]) -> dict[str, Any]:
    return dict(zip("xywh", box, strict=True))


DESCRIBE = Verb(
    name="describe",
    fits=of_kinds("captioner"),
    summary="A picture in words.",
    fields=_FIELDS,
    each=("picture",),
    answer_all=_answer_all,
    answer={
        "descriptions": list_of(object_of(WRITTEN, "attention")),
        "grid": list_of(WHOLE) | {"description": "The rows and columns of an attention's cells."},
        "area": object_of(_BOX) | {"description": "The part of the picture that the grid covers, in pixels."},
        "regions": list_of(object_of(_BOX | {"phrase": TEXT, "score": NUMBER})),
    },
    optional=("regions",),
    check=_check,
)
