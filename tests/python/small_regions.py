"""Scenes of colored squares and frames with their boxes, and a small captioner of regions."""

import numpy as np

from rnnrs.data import Region
from rnnrs.models import Captioner

COLORS = {"red": (220, 30, 30), "green": (30, 180, 60), "blue": (30, 60, 220)}
FORMS, SIDE = ("square", "frame"), 11


def scenes(count, seed, size=32):
    """Pictures (N, Y, X, 3) with one or two forms that do not overlap, and their regions."""
    draw = np.random.default_rng(seed)
    pictures, regions = np.full((count, size, size, 3), 230, np.uint8), []
    for picture in pictures:
        own = []
        for half in draw.permutation(2)[: draw.integers(1, 3)]:
            color, form = str(draw.choice(list(COLORS))), str(draw.choice(FORMS))
            y = int(half * size // 2 + draw.integers(0, size // 2 - SIDE + 1))
            x = int(draw.integers(0, size - SIDE + 1))
            picture[y : y + SIDE, x : x + SIDE] = COLORS[color]
            if form == "frame":
                picture[y + 3 : y + SIDE - 3, x + 3 : x + SIDE - 3] = 230
            own.append(Region(x, y, SIDE, SIDE, f"a {color} {form}"))
        regions.append(own)
    return pictures, regions


def small(pictures, regions, **options):
    sizes = {"channels": (8, 16, 32), "embedding_size": 16, "hidden_size": 32, "dropout": 0.1, "seed": 1}
    return Captioner.from_pairs(pictures, regions, regions=True, **sizes | options)
