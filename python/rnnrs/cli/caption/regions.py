"""Regions of pictures on the command line: `rnnrs caption describe --regions` and `--box`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from ..common import CommandError, only_joined, print_json, real, say, whole
from ..options import defaults_of, given
from ..writing import SEARCH

if TYPE_CHECKING:
    from ...data import Placement
    from ...models import Captioner, FoundRegion
    from .files import Reader

#: The longer side of a drawn picture, in pixels.
DRAWN = 800


def add(verb: Any) -> None:
    """Adds the options of `describe`."""
    from ...models import Captioner

    group = verb.add_argument_group("regions", "for models of regions")
    most = defaults_of(Captioner.describe_regions)["n"]
    only_joined(
        group.add_argument(
            "--regions",
            nargs="?",
            type=whole(1),
            const=most,
            metavar="N",
            help=f"find at most N regions and describe them; the default of such a model ({most})",
        )
    )
    group.add_argument(
        "--box",
        nargs=4,
        type=real(-1e9),
        action="append",
        metavar=("X", "Y", "W", "H"),
        help="describe this box, in pixels of the picture's file; may be repeated",
    )


def check(arguments: argparse.Namespace) -> None:
    """Checks that the options of `describe` fit together.

    Raises:
        CommandError: if they contradict each other.
    """
    if arguments.regions and arguments.box:
        raise CommandError("--regions: has no meaning with --box")
    for box in arguments.box or ():
        if not (box[2] > 0 and box[3] > 0):
            raise CommandError(f"--box: expected a width and height above 0, got {box[2]:g} and {box[3]:g}")


def wanted(arguments: argparse.Namespace, model: Captioner) -> bool:
    """Returns whether regions are to be described.

    Raises:
        CommandError: for regions of a model that knows none; for options that they do not have.
    """
    option = "--regions" if arguments.regions else "--box" if arguments.box else None
    if not model.regions:
        if option is not None:
            raise CommandError(
                f"{option}: {arguments.model} describes whole pictures; train one with --regions"
            )
        return False
    if given(arguments, ["n_best"]):
        raise CommandError("--n-best: has no meaning with regions; --regions=N is the number of regions")
    return True


def describe(
    arguments: argparse.Namespace,
    model: Captioner,
    reader: Reader,
    batches: Iterable[tuple[list[str], list[Any], Any]],
) -> int:
    """Prints the regions of pictures.

    Args:
        arguments: the command line.
        model: a model of regions.
        reader: the reader of the pictures.
        batches: names, pictures, and the model's inputs, some at a time.
    """
    drawn, search = 0, given(arguments, SEARCH)
    most = {} if arguments.regions is None else {"n": arguments.regions}
    for names, pictures, inputs in batches:
        sources: list[str | BinaryIO | None] = [None] * len(inputs)
        if pictures:
            sources = [*names] or [reader.source]
        places = [placed(source, model, arguments.fit) for source in sources]
        boxes = None
        if arguments.box:
            boxes = [
                _boxes(arguments.box, where, model, source)
                for where, source in zip(places, sources, strict=True)
            ]
        for i, found in enumerate(model.describe_all_regions(inputs, boxes, **most, **search)):
            regions = _original(found, places[i])
            _show(names[i] if names else None, regions, as_json=arguments.json)
            if arguments.plot:
                drawn += 1
                _plot(arguments.plot, drawn, sources[i], inputs[i], regions)
        sys.stdout.flush()
    return 0


def _boxes(boxes: Any, where: Placement, model: Captioner, source: str | BinaryIO | None) -> Any:
    """Returns boxes of a file, clipped to its picture, in pixels of the picture that the model sees.

    Raises:
        CommandError: for a box that is not even half within the picture.
    """
    import numpy as np

    from ...data.placement import clip_boxes

    own_part, inside = clip_boxes(np.array(boxes), where.size[::-1])
    fitted, within = clip_boxes(where.to_fitted(own_part), model.picture_size)
    within &= inside
    if not within.all():
        own = " ".join(f"{value:g}" for value in boxes[int(within.argmin())])
        picture = source if isinstance(source, str) else "the picture"
        raise CommandError(f"--box: expected a box at least half of which is within {picture}, got {own}")
    return fitted


def placed(source: str | BinaryIO | None, model: Captioner, fit: str) -> Placement:
    """Returns where a picture is placed in the one that the model sees; a row of an array is that itself."""
    from ...data import placement
    from ...data.picture_decoding import place

    if source is None:
        rows, columns = model.picture_size
        return placement(columns, rows, model.picture_size)
    return place(source, model.picture_size, fit)


def own_box(arguments: argparse.Namespace, model: Captioner, name: str, region: FoundRegion) -> list[float]:
    """Returns the box of a region in pixels of its file, or of the row of an array, by the name of either.

    It is clipped to the picture; at least a pixel is left.
    """
    from ...models.captions.regions.boxes import clipped

    where = placed(None if name.endswith("]") else name, model, arguments.fit)
    (box,) = clipped(where.to_original([region[:4]]), where.size[::-1]).tolist()
    return [float(value) for value in box]


def numbers(box: Sequence[float]) -> list[str]:
    """Returns x, y, w and h as they are printed."""
    return [f"{value:.1f}" for value in box]


def _original(found: Sequence[FoundRegion], where: Placement) -> list[FoundRegion]:
    """Returns regions in pixels of the picture's file, without those that are mostly beside the picture.

    A picture is padded with white where its shape is not the model's: a model may find something there.
    """
    from ...data.placement import clip_boxes
    from ...models import FoundRegion

    boxes, within = clip_boxes(where.to_original([region[:4] for region in found]), where.size[::-1])
    return [
        FoundRegion._make([*box, region.phrase, region.score])
        for box, region, fine in zip(boxes.tolist(), found, within.tolist(), strict=True)
        if fine
    ]


def _show(name: str | None, found: Sequence[FoundRegion], *, as_json: bool) -> None:
    if as_json:
        print_json({"picture": name, "regions": [region._asdict() for region in found]})
        return
    for region in found:
        cells = [] if name is None else [name]
        print(*cells, *numbers(region[:4]), region.phrase, f"{region.score:.4f}", sep="\t")


def _plot(
    path: str,
    number: int,
    source: str | BinaryIO | None,
    picture: Any,
    found: Sequence[FoundRegion],
) -> None:
    """Draws a picture with its regions: that of the file, where there is one.

    Raises:
        CommandError: for more than one picture.
        MissingExtraError: if matplotlib is missing.
    """
    from ...data import read_picture
    from ...data.picture_decoding import measure
    from ...models import FoundRegion
    from ...plot import regions

    if number > 1:
        raise CommandError("--plot: expected one picture to draw, got an array of more")
    if source is not None:
        width, height = measure(source)
        scale = min(1.0, DRAWN / max(width, height))
        size = max(1, round(scale * height)), max(1, round(scale * width))
        picture = read_picture(source, size)
        scales = (size[1] / width, size[0] / height) * 2
        boxes = [[s * v for s, v in zip(scales, region[:4], strict=True)] for region in found]
        found = [FoundRegion._make([*box, *region[4:]]) for box, region in zip(boxes, found, strict=True)]
    regions(picture, found, path)
    say(f"drawing: {path}")
