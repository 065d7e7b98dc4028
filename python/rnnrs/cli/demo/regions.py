"""The second half of `rnnrs demo caption`: emoji found, described and looked for in scenes of several."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ..common import ending, say

if TYPE_CHECKING:
    from ...data import RegionExample
    from ...models import Captioner, RegionEvaluation

#: The scenes to train on, new ones to judge, and the n-th part of the emoji that are in them.
SCENES, JUDGED, EVERY = 6_000, 60, 25

#: The scene that is shown.
SHOWN = 0


def run(arguments: argparse.Namespace, seconds: float, folder: Path, stem: str) -> int:
    """Trains a model of regions, evaluates it, and shows what it finds in a new scene.

    Args:
        arguments: the command line.
        seconds: the time of training.
        folder, stem: where to write the model and the drawing, and the beginning of their names.

    Returns:
        0, or after a signal its exit code.
    """
    from ...data import compose_scenes, noto_emoji
    from ...models import Augmentation, Captioner

    seed = arguments.seed
    kinds = np.flatnonzero(~noto_emoji().held_out)[::EVERY]
    scenes, judged = (compose_scenes(n, s, kinds) for n, s in ((SCENES, seed + 1), (JUDGED, seed + 2)))
    pictures, regions = [s.picture for s in scenes], [s.regions for s in scenes]
    sizes = {"hidden_size": arguments.hidden_size} if arguments.hidden_size else {}
    model = Captioner.from_pairs(pictures, regions, regions=True, seed=seed, **sizes)
    print(
        f"\nRegions   {len(scenes):,} scenes of {len(kinds)} emoji with their boxes; {seconds:g} seconds",
        flush=True,
    )
    start, path = time.monotonic(), folder / f"{stem}-regions.rnn"
    settings = {"time_limit": seconds, "seed": seed, "checkpoint": path}
    try:
        model.fit(pictures, regions, augmentation=Augmentation(), **settings)
    except KeyboardInterrupt as interrupt:
        word, code = ending(interrupt)
        say(f"rnnrs: {word}; try rnnrs caption describe {shlex.quote(str(path))} a-picture.png")
        return code
    model.save(path)
    result = cast(
        "RegionEvaluation",
        model.evaluate([s.picture for s in judged], [s.regions for s in judged], beam=1),
    )
    print(f"          {time.monotonic() - start:.0f} s; on {len(judged)} new scenes:")
    print("".join(f"    {line}\n" for line in str(result).splitlines()), end="")
    _show(model, judged[SHOWN], folder / f"{stem}-regions.png")
    print(
        f"\nSaved     {path}; next, type:\n  rnnrs caption describe {shlex.quote(str(path))} a-picture.png --regions"
    )
    return 0


def _show(model: Captioner, scene: RegionExample, drawing: Path) -> None:
    """Prints and draws what the model finds in a scene, and where it finds one of the phrases."""
    from ...errors import MissingExtraError
    from ...plot import regions

    found = model.describe_regions(scene.picture, n=len(scene.regions))
    print("\nWhat it finds in one of them (x, y, w, h, ln P):")
    for region in found:
        place = " ".join(f"{value:5.1f}" for value in region[:4])
        print(f"    {place}  {region.score:6.2f}  {region.phrase}")
    phrase = scene.regions[0].phrase
    (box,) = model.ground(scene.picture, [phrase])
    place, known = (" ".join(f"{value:.0f}" for value in r[:4]) for r in (box, scene.regions[0]))
    print(f'Where it finds "{phrase}": {place}; it is at {known}')
    try:
        regions(scene.picture, found, drawing)
        print(f"Drawing   {drawing}")
    except MissingExtraError as error:
        say(f"No drawing: {error}")
