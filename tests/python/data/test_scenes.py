"""Scenes composed of emoji: where the objects are, what is visible of them, and what scenes depend on."""

import numpy as np
import pytest

from rnnrs import data
from rnnrs.data import compose_scenes
from rnnrs.data.scenes import _arrangement, _cut_out, _extent, _Kinds

EMOJI = data.noto_emoji()
KINDS = range(0, 3110, 40)


@pytest.fixture(scope="module")
def scenes():
    return compose_scenes(60, seed=4, kinds=KINDS)


def test_scenes_have_two_to_six_different_emoji_within_the_picture(scenes):
    names = {EMOJI.names["en"][kind] for kind in KINDS}
    assert {len(scene.regions) for scene in scenes} == {2, 3, 4, 5, 6}
    sides = []
    for picture, regions in scenes:
        assert picture.shape == (96, 96, 3) and picture.dtype == np.uint8
        phrases = [region.phrase for region in regions]
        assert len(set(phrases)) == len(phrases) and set(phrases) <= names
        for x, y, w, h, _ in regions:
            assert x >= 0 and y >= 0 and x + w <= 96 and y + h <= 96 and w > 0 and h > 0
            sides.append(max(w, h))
    assert min(sides) < 25 and max(sides) > 40 and np.unique(sides).size > 15


def test_a_scene_is_a_function_of_seed_and_number(scenes):
    for mine, same in zip(scenes, compose_scenes(9, seed=4, kinds=KINDS), strict=False):
        np.testing.assert_array_equal(mine.picture, same.picture)
        assert mine.regions == same.regions
    other = compose_scenes(9, seed=5, kinds=KINDS)
    assert all(mine.regions != others.regions for mine, others in zip(scenes, other, strict=False))


def test_boxes_surround_what_is_painted(monkeypatch):
    def magenta(draw, size):
        return np.broadcast_to(np.array([1, 0, 1], np.float32)[:, None, None], (3, size, size))

    monkeypatch.setattr("rnnrs.data.scenes._ground", magenta)
    for picture, regions in compose_scenes(20, seed=1, kinds=KINDS):
        painted = (picture != [255, 0, 255]).any(axis=2)
        inside = np.zeros((98, 98), bool)
        for x, y, w, h, _ in regions:
            inside[int(y) : int(y + h) + 2, int(x) : int(x + w) + 2] = True
        assert not (painted & ~inside[1:-1, 1:-1]).any()  # the outermost pixels may be less than half covered
        x, y, w, h = map(int, regions[-1][:4])  # nothing covers it
        own = painted[y : y + h, x : x + w]
        assert own.any(axis=0).all() and own.any(axis=1).all()


def test_most_of_every_object_is_visible():
    kinds = _Kinds(EMOJI.pictures[list(KINDS)], [str(kind) for kind in KINDS])
    overlapping = 0
    for seed in range(60):
        placed = _arrangement(np.random.default_rng(seed), kinds, 96)
        owner = np.full((96, 96), -1)
        whole = []
        for i, (kind, side, x, y) in enumerate(placed):
            rows = (np.arange(side) * 32 // side)[:, None]
            mask = kinds.cut[kind, 3][rows, rows.T] > 0
            overlapping += bool((owner[y : y + side, x : x + side][mask] >= 0).any())
            owner[y : y + side, x : x + side][mask] = i
            whole.append(mask.sum())
        visible = np.array([(owner == i).sum() for i in range(len(placed))]) / whole
        assert (visible >= 0.68).all()  # 0.7 but for rounding to pixels
    assert overlapping > 20


def test_the_white_around_an_emoji_is_transparent_and_that_within_is_not():
    picture = np.full((1, 32, 32, 3), 255, np.uint8)
    picture[0, 4:20, 6:30] = 0
    picture[0, 8:12, 10:15] = 255  # a hole
    picture[0, 16:25, 20] = 255  # a gap that is open to the border
    cut = _cut_out(picture)[0]
    opaque = np.zeros((32, 32))
    opaque[4:20, 6:30] = 1
    opaque[16:20, 20] = 0
    np.testing.assert_array_equal(cut[3], opaque)
    np.testing.assert_array_equal(cut[:3], picture[0].transpose(2, 0, 1) * opaque)
    assert _extent(cut[3] > 0) == (6, 4, 24, 16)
    assert _Kinds(picture, ["x"]).extents == [[6, 4, 24, 16]]


def test_kinds_size_and_language():
    (scene,) = compose_scenes(1, kinds=[5, 3], size=48, language="de")
    assert scene.picture.shape == (48, 48, 3)
    assert {region.phrase for region in scene.regions} == {EMOJI.names["de"][kind] for kind in (3, 5)}
    held_out = {name for name, out in zip(EMOJI.names["en"], EMOJI.held_out, strict=True) if out}
    assert not held_out & {region.phrase for scene in compose_scenes(60) for region in scene.regions}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n": 0}, ValueError, "n: expected a whole number from 1, got 0"),
        ({"n": 1.0}, TypeError, "n: expected a whole number"),
        ({"size": 47}, ValueError, "size: expected a whole number from 48, got 47"),
        ({"language": "it"}, ValueError, "language: expected one of en, de, fr, got 'it'"),
        ({"kinds": [1]}, ValueError, "kinds: expected at least 2 different ones"),
        ({"kinds": [1, 1]}, ValueError, "kinds: expected at least 2 different ones"),
        ({"kinds": [0, 3110]}, IndexError, "kinds: expected indices from 0 to 3109, got 3110"),
        ({"kinds": [-1, 0]}, IndexError, "got -1"),
        ({"kinds": [0.5, 1.5]}, TypeError, "kinds: expected indices, got float64"),
    ],
)
def test_invalid_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=f"compose_scenes: {message}" if "got -1" not in message else message):
        compose_scenes(**{"n": 1, **options})
