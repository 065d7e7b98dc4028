"""Regions of pictures: phrases of given boxes, boxes found, and phrases found in pictures, on held-out kinds.

    python benches/quality/regions.py emoji [--stems 20] [--plain 100] [--scenes 12000] [--epochs 10] …
    python benches/quality/regions.py shapes …
    python benches/quality/regions.py emoji --model regions.rnn

`emoji` composes 96 × 96 scenes from the bundled emoji (`rnnrs.data.compose_scenes`). `shapes` draws forms of
several colors and fillings on 80 × 112 pictures. Some combinations (a person and a skin tone; a color, a
filling and a form) are held out of training altogether. Models are evaluated on new scenes with known kinds
only, and on scenes of which about half of the objects are held out. The figures of held-out kinds are those of
these objects alone, except for the mean average precision, which is over whole scenes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rnnrs.data import Region, RegionExample, compose_scenes, noto_emoji
from rnnrs.metrics import box_iou, dense_average_precision
from rnnrs.models import Captioner

#: The number of regions that are found in a picture.
FOUND = 10

#: The overlap from which a phrase is found at the right place.
RIGHT = 0.5

#: The seeds of the scenes, apart from those of training, which is 0.
SEEDS = {"known kinds": 1, "held-out kinds": 2}

_TONES = ("light", "medium-light", "medium", "medium-dark", "dark")
_COLORS = {
    "red": (214, 39, 40), "green": (44, 160, 44), "blue": (31, 80, 200), "yellow": (240, 210, 40),
    "orange": (255, 127, 14), "purple": (130, 60, 180), "white": (245, 245, 245), "black": (20, 20, 20),
}  # fmt: skip
_FILLINGS = ("", "striped", "hollow")
_FORMS = ("circle", "square", "triangle", "cross", "diamond", "bar")


def emoji_kinds(stems: int, plain: int) -> tuple[list[int], list[int]]:
    """Returns the kinds of training, and those that are held out: one skin tone of each of the stems."""
    names = noto_emoji().names["en"]
    place = {name: i for i, name in enumerate(names)}
    draw = np.random.default_rng(0)
    whole = [n for n in names if all(f"{n}: {tone} skin tone" in place for tone in _TONES)]
    chosen = [whole[i] for i in draw.permutation(len(whole))[:stems]]
    training, held_out = [], []
    for i, stem in enumerate(chosen):
        tones = [place[f"{stem}: {tone} skin tone"] for tone in _TONES]
        held_out.append(tones.pop(i % len(_TONES)))
        training += [place[stem], *tones]
    others = [i for i, name in enumerate(names) if "skin tone" not in name and name not in whole]
    training += [others[i] for i in draw.permutation(len(others))[:plain]]
    return sorted(training), sorted(held_out)


def emoji_scenes(count: int, seed: int, stems: int, plain: int, held_out: bool) -> list[RegionExample]:
    """Returns scenes of the training kinds, or half of them of the held-out ones."""
    training, others = emoji_kinds(stems, plain)
    if held_out:
        training = [training[i] for i in np.random.default_rng(3).permutation(len(training))[: len(others)]]
    return compose_scenes(count, seed, kinds=training + others * held_out)


def shape_kinds() -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """Returns the combinations of training, and those that are held out: a tenth."""
    every = [(color, filling, form) for color in _COLORS for filling in _FILLINGS for form in _FORMS]
    order = np.random.default_rng(0).permutation(len(every)).tolist()
    cut = len(every) // 10
    return [every[i] for i in order[cut:]], [every[i] for i in order[:cut]]


def shape_scenes(count: int, seed: int, held_out: bool) -> list[RegionExample]:
    """Returns pictures (80, 112, 3) of 1 to 5 forms."""
    training, others = shape_kinds()
    draw = np.random.default_rng([seed, 7])
    return [_shapes(draw, training, others if held_out else []) for _ in range(count)]


def _shapes(draw: Any, training: list[Any], others: list[Any]) -> RegionExample:
    Y, X = 80, 112
    picture = np.broadcast_to(draw.integers(60, 200, 3), (Y, X, 3)) + draw.integers(-25, 26, (Y, X, 1))
    regions: list[Region] = []
    for _ in range(int(draw.integers(1, 6))):
        pool = others if others and draw.random() < 0.5 else training
        color, filling, form = pool[int(draw.integers(len(pool)))]
        w = int(draw.integers(14, 44))
        h = max(6, w // 3) if form == "bar" else w
        x, y = int(draw.integers(0, X - w + 1)), int(draw.integers(0, Y - h + 1))
        phrase = " ".join(filter(None, (color, filling, form)))
        iou = box_iou([[x, y, w, h]], [own[:4] for own in regions])
        if (iou > 0.12).any() or any(own.phrase == phrase for own in regions):
            continue
        mask = _mask(form, w, h)
        if filling == "striped":
            mask &= (np.arange(w) + np.arange(h)[:, None]) % 6 < 4
        elif filling == "hollow":
            inner = np.zeros_like(mask)
            inner[h // 4 : h - h // 4, w // 4 : w - w // 4] = _mask(form, w - 2 * (w // 4), h - 2 * (h // 4))
            mask &= ~inner
        picture[y : y + h, x : x + w][mask] = np.array(_COLORS[color]) + draw.integers(-12, 13, 3)
        regions.append(Region(x, y, w, h, phrase))
    return RegionExample(np.clip(picture, 0, 255).astype(np.uint8), tuple(regions))


def _mask(form: str, w: int, h: int) -> Any:
    """Returns the pixels of a form that fills its box (h, w)."""
    across, down = (np.arange(w) + 0.5) / w * 2 - 1, ((np.arange(h) + 0.5) / h * 2 - 1)[:, None]
    if form == "circle":
        return across**2 + down**2 <= 1
    if form == "triangle":
        return abs(across) <= (down + 1) / 2
    if form == "cross":
        return (abs(across) < 0.34) | (abs(down) < 0.34)
    if form == "diamond":
        return abs(across) + abs(down) <= 1
    return np.ones((h, w), bool)


def judge(model: Captioner, scenes: Sequence[RegionExample], counted: set[str]) -> str:
    """Returns the figures of a model on scenes; phrases that are not `counted` only count for the mAP."""
    pictures = [scene.picture for scene in scenes]
    boxes = [[region[:4] for region in scene.regions] for scene in scenes]
    written = model.describe_all_regions(pictures, boxes)
    exact = [
        own.phrase == region.phrase for own, region in _pairs(written, scenes) if region.phrase in counted
    ]
    grounded = []
    for scene in scenes:
        phrases = [region.phrase for region in scene.regions if region.phrase in counted]
        known = [region[:4] for region in scene.regions if region.phrase in counted]
        if phrases:
            places = [region[:4] for region in model.ground(scene.picture, phrases)]
            grounded += (np.diag(box_iou(places, known)) >= RIGHT).tolist()
    start = time.perf_counter()
    found = model.describe_all_regions(pictures, n=FOUND)
    seconds = time.perf_counter() - start
    greedy = time.perf_counter()
    model.describe_all_regions(pictures, n=FOUND, beam=1)
    quick = time.perf_counter() - greedy
    dense = dense_average_precision(found, [scene.regions for scene in scenes])
    by_cider = dense_average_precision(found, [scene.regions for scene in scenes], agrees="cider")
    return (
        f"{len(scenes)} scenes, {len(exact)} objects: with boxes exact {100 * np.mean(exact):.1f} %; {dense}, by CIDEr "
        f"{100 * by_cider.mean:.1f}; grounded at IoU {RIGHT} {100 * np.mean(grounded):.1f} %; "
        f"{len(scenes) / seconds:.0f} scenes/s, greedy {len(scenes) / quick:.0f}"
    )


def _pairs(written: Any, scenes: Sequence[RegionExample]) -> Iterator[tuple[Any, Region]]:
    for own, scene in zip(written, scenes, strict=True):
        yield from zip(own, scene.regions, strict=True)


def main() -> None:
    """Trains a model, or loads one, and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("emoji", "shapes"))
    parser.add_argument("--stems", type=int, default=20, help="people and hands with all skin tones")
    parser.add_argument("--plain", type=int, default=100, help="other emoji")
    parser.add_argument("--scenes", type=int, default=12000)
    parser.add_argument("--judged", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--time-limit", type=float)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--channels", type=int, nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="evaluate this model instead of training one")
    parser.add_argument("--save")
    given = parser.parse_args()

    def scenes(count: int, seed: int, held_out: bool) -> list[RegionExample]:
        if given.what == "shapes":
            return shape_scenes(count, seed, held_out)
        return emoji_scenes(count, seed, given.stems, given.plain, held_out)

    if given.model:
        model = Captioner.load(given.model)
    else:
        training = scenes(given.scenes, 0, False)
        pictures, regions = zip(*training, strict=True)
        model = Captioner.from_pairs(
            list(pictures), list(regions), regions=True, channels=given.channels, seed=given.seed
        )
        print(
            f"{len(training)} scenes, {len(model.vocabulary)} words, {model.parameters.size} parameters",
            flush=True,
        )
        history = model.fit(
            list(pictures),
            list(regions),
            epochs=given.epochs,
            time_limit=given.time_limit,
            batch_size=given.batch_size,
            learning_rate=given.learning_rate,
            seed=given.seed,
            progress=False,
        )
        print(f"trained for {history.seconds[-1]:.0f} s, {int(history.steps[-1])} steps", flush=True)
        if given.save:
            model.save(given.save)
    for name, seed in SEEDS.items():
        some = scenes(given.judged, seed, name != "known kinds")
        unknown = {region.phrase for scene in some for region in scene.regions}
        if name != "known kinds":
            unknown &= _held_out(given)
        print(f"{name}: {judge(model, some, unknown)}", flush=True)


def _held_out(given: argparse.Namespace) -> set[str]:
    """Returns the phrases of the held-out kinds."""
    if given.what == "shapes":
        return {" ".join(filter(None, kind)) for kind in shape_kinds()[1]}
    return {noto_emoji().names["en"][kind] for kind in emoji_kinds(given.stems, given.plain)[1]}


if __name__ == "__main__":
    main()
