"""Trains a network to describe scenes of two digits: "a three above a seven".

Scenes are generated on demand. Every digit has its own size, slant, stroke, shade and place, and noise
covers everything. The larger digit is named first, so that a scene has exactly one description. The network
is evaluated on 2,000 new scenes, from another seed, which it must describe word for word.

    python examples/digit_scenes.py --plot scenes.png      # a few minutes
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from rnnrs import plot
from rnnrs.models import Captioner

SIZE = 32  #: the height and width in pixels
BLOCK = 500  #: the number of scenes generated at a time
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
#: The direction (x, y) of the first digit from the second.
RELATIONS = {"above": (0, -1), "below": (0, 1), "left of": (-1, 0), "right of": (1, 0)}

FONT = """
.###. ..#.. .###. ##### ...#. ##### ..##. ##### .###. .###.
#...# .##.. #...# ...#. ..##. #.... .#... ....# #...# #...#
#..## ..#.. ....# ..#.. .#.#. ####. #.... ...#. #...# #...#
#.#.# ..#.. ...#. ...#. #..#. ....# ####. ..#.. .###. .####
##..# ..#.. ..#.. ....# ##### ....# #...# .#... #...# ....#
#...# ..#.. .#... #...# ...#. #...# #...# .#... #...# ...#.
.###. .###. ##### .###. ...#. .###. .###. .#... .###. .##..
"""
CELLS = np.array([[list(cells) for cells in line.split()] for line in FONT.split("\n")[1:-1]]) == "#"
#: (10, 7 + 4, 5 + 4): the ink of each digit, with a margin of two empty cells.
GLYPHS = np.pad(CELLS.transpose(1, 0, 2).astype(np.float32), ((0, 0), (2, 2), (2, 2)))


def scenes(count: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """Returns pictures (N, 32, 32, 3), 0..255, and their descriptions, determined by the seed."""
    draw = np.random.default_rng(seed)
    parts = [compose(min(BLOCK, count - start), draw) for start in range(0, count, BLOCK)]
    return np.concatenate([pictures for pictures, _ in parts]), [text for _, texts in parts for text in texts]


def compose(count: int, draw: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Returns scenes and descriptions from one generator; one scene in ten has a single digit."""
    digits = draw.integers(0, 10, (count, 2))
    alone = draw.random(count) < 0.1
    relations = draw.integers(0, len(RELATIONS), count)
    ways = np.array(list(RELATIONS.values()))[relations]
    heights = np.stack([draw.uniform(12, 15, count), draw.uniform(8, 10, count)], 1)
    # The centers are some distance apart along the relation, nearly level across it, and near the middle.
    apart = (heights.sum(1) / 2 + draw.uniform(0.5, 3, count))[:, None] * ways
    across = draw.uniform(-3, 3, (count, 2)) * (ways == 0)
    first = 0.4 * apart + across / 2
    centers = np.stack([first, first - apart - across], 1) + draw.uniform(-1, 1, (count, 1, 2))
    centers[alone, 0] = draw.uniform(-7, 7, (int(alone.sum()), 2))
    ink = np.stack([ink_of(digits[:, k], heights[:, k], centers[:, k], draw) for k in (0, 1)])
    ink[1, alone] = 0
    names = list(RELATIONS)
    texts = [
        noun(a) if one else f"{noun(a)} {names[way]} {noun(b)}"
        for (a, b), one, way in zip(digits.tolist(), alone, relations, strict=True)
    ]
    return paint(ink, draw), texts


def noun(digit: int) -> str:
    """Returns the digit's name with its article."""
    return f"{'an' if digit == 8 else 'a'} {NAMES[digit]}"


def ink_of(
    digits: np.ndarray, heights: np.ndarray, centers: np.ndarray, draw: np.random.Generator
) -> np.ndarray:
    """Returns digits as ink 0..1 (N, 32, 32): the font, rotated, slanted and stretched."""
    count = len(digits)
    heights, centers = heights.astype(np.float32), centers.astype(np.float32)
    turn, slant = draw.uniform(-0.15, 0.15, (2, count, 1, 1)).astype(np.float32)
    wide = heights / 7 * draw.uniform(0.8, 1.1, count).astype(np.float32)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) - (SIZE - 1) / 2
    x, y = x - centers[:, :1, None], y - centers[:, 1:, None]
    x, y = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    x = (x + slant * y) / wide[:, None, None] + 4
    y = y / (heights / 7)[:, None, None] + 5
    x, y = np.clip(x, 0, GLYPHS.shape[2] - 1.001), np.clip(y, 0, GLYPHS.shape[1] - 1.001)
    left, top = x.astype(int), y.astype(int)
    u, v, d = x - left, y - top, digits[:, None, None]
    gray = (1 - v) * ((1 - u) * GLYPHS[d, top, left] + u * GLYPHS[d, top, left + 1])
    gray += v * ((1 - u) * GLYPHS[d, top + 1, left] + u * GLYPHS[d, top + 1, left + 1])
    # The threshold of gray above which there is ink: a low one gives broad strokes, a high one thin strokes.
    thin = draw.uniform(0.3, 0.55, (count, 1, 1)).astype(np.float32)
    return np.clip((gray - thin) * 5 + 0.5, 0, 1)


def paint(ink: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Returns pictures of ink (2, N, 32, 32) in random colors, dark on light or light on dark, with noise."""
    count = ink.shape[1]
    dark = draw.random((count, 1)) < 0.5
    paper = np.where(dark, draw.uniform(0, 0.25, (count, 3)), draw.uniform(0.75, 1, (count, 3)))
    pictures = np.broadcast_to(paper[:, None, None], (count, SIZE, SIZE, 3)).astype(np.float32)
    for one in ink:
        color = np.where(dark, draw.uniform(0.55, 1, (count, 3)), draw.uniform(0, 0.45, (count, 3)))
        pictures += one[..., None] * (color[:, None, None].astype(np.float32) - pictures)
    noise = draw.standard_normal(pictures.shape, np.float32)
    noise *= draw.uniform(0, 0.08, (count, 1, 1, 1)).astype(np.float32)
    return (np.clip(pictures + noise, 0, 1) * 255).astype(np.uint8)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--scenes", type=int, default=40_000, help="the number of training scenes (%(default)s)"
    )
    parser.add_argument(
        "--epochs", type=int, default=4, help="passes through the training scenes (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the initial weights and the scenes (%(default)s)"
    )
    parser.add_argument("--plot", metavar="DRAWING", help="draw the attention for each word of a new scene")
    parser.add_argument("--save", metavar="MODEL", help="save the model to a file, for rnnrs caption")
    parser.add_argument("--quick", action="store_true", help="use few scenes, to test that the program runs")
    given = parser.parse_args()

    count, judged, epochs = (400, 100, 1) if given.quick else (given.scenes, 2000, given.epochs)
    pictures, texts = scenes(count, 2 * given.seed)
    new, wanted = scenes(judged, 2 * given.seed + 1)
    model = Captioner.from_pairs(
        pictures,
        texts,
        channels=(16, 32, 64),
        embedding_size=32,
        hidden_size=96,
        dropout=0.1,
        label_smoothing=0.0,
        seed=given.seed,
    )
    print(
        f"{count:,} scenes, {len(set(texts))} distinct descriptions, {model.parameters.size:,} parameters",
        flush=True,
    )
    start = time.monotonic()
    model.fit(
        pictures,
        texts,
        epochs=epochs,
        batch_size=32,
        learning_rate=2e-3,
        seed=given.seed,
        progress=sys.stderr.isatty(),
    )
    seconds = time.monotonic() - start
    found = model.describe_all(new, beam=1)
    wrong = [(got, want) for got, want in zip(found, wanted, strict=True) if got != want]
    print(
        f"{1 - len(wrong) / judged:.2%} of {judged:,} new scenes described correctly word for word, "
        f"after {seconds:.0f} s of training"
    )
    for got, want in wrong[:5]:
        print(f"  reference  {want}\n  output     {got}")
    if given.save:
        model.save(given.save)
    if given.plot:
        ((best, *_),) = model.write(new[:1])
        plot.description(new[0], best.words, best.attention, model.grid, given.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
