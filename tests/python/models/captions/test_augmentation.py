"""Augmentation: which changes occur, and that they are a function of seed, epoch and picture."""

import numpy as np
import pytest

from rnnrs.models import Augmentation, may_be_mirrored

PICTURES = np.random.default_rng(0).uniform(size=(40, 6, 5, 3)).astype("float32")
EVERY, YES = np.arange(40), np.ones(40, bool)


def test_changes_are_a_function_of_seed_epoch_and_picture():
    change = Augmentation(flip=True, shift=1, noise=0.1)
    whole = change.apply(PICTURES, EVERY, YES, 3, 5)
    assert whole.dtype == "float32" and whole.shape == PICTURES.shape
    some = np.array([7, 3, 30])
    np.testing.assert_array_equal(change.apply(PICTURES[some], some, YES[some], 3, 5), whole[some])
    for seed, epoch in ((4, 5), (3, 6)):
        other = change.apply(PICTURES, EVERY, YES, seed, epoch)
        assert (other != whole).reshape(40, -1).any(axis=1).all()


def test_shifts_repeat_the_border_and_flips_mirror():
    seen = set()
    for picture, changed in zip(
        PICTURES, Augmentation(flip=True, shift=2, noise=0.0).apply(PICTURES, EVERY, YES, 0, 0), strict=True
    ):
        padded = np.pad(picture, ((2, 2), (2, 2), (0, 0)), mode="edge")
        places = {
            (dy, dx, mirrored): window[:, ::-1] if mirrored else window
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            for window in [padded[2 + dy : 8 + dy, 2 + dx : 7 + dx]]
            for mirrored in (False, True)
        }
        (place,) = [place for place, window in places.items() if np.array_equal(window, changed)]
        seen.add(place)
    assert {m for _, _, m in seen} == {False, True}
    assert {dy for dy, _, _ in seen} == {dx for _, dx, _ in seen} == set(range(-2, 3))


def test_pictures_that_must_not_be_mirrored_are_not():
    plain = Augmentation(flip=True, shift=0, noise=0.0)
    np.testing.assert_array_equal(plain.apply(PICTURES, EVERY, ~YES, 0, 0), PICTURES)
    mirrored = (plain.apply(PICTURES, EVERY, YES, 0, 0) != PICTURES).reshape(40, -1).any(axis=1)
    assert 10 <= mirrored.sum() <= 30
    never = Augmentation(shift=0, noise=0.0)
    np.testing.assert_array_equal(never.apply(PICTURES, EVERY, ~YES, 0, 0), PICTURES)


def test_noise_has_its_standard_deviation_and_mean_zero():
    added = Augmentation(shift=0, noise=0.05).apply(PICTURES, EVERY, ~YES, 1, 2) - PICTURES
    assert added.std() == pytest.approx(0.05, rel=0.03)
    assert abs(added.mean()) < 0.003
    assert len(np.unique(added[0].round(6))) > 80


@pytest.mark.parametrize(
    "text",
    [
        "a man to the left",
        "right-facing fist",
        "RIGHTWARDS hand",
        "clockwise arrows",
        "north-east arrow",
        "keycap: 3",
        "one o’clock",
        "Pfeil nach links",
        "nach rechts weisender Zeigefinger",
        "die linke Hand",
        "der rechte Arm",
        "im Uhrzeigersinn",
        "flèche vers la gauche",
        "main droite",
        "panneau stop",
        "flag: France",
    ],
)
def test_descriptions_that_forbid_mirroring(text):
    assert not may_be_mirrored(text)
    assert not Augmentation(flip=True).may_flip(text)


@pytest.mark.parametrize(
    "text", ["a bright cat", "man in tuxedo", "Hund mit Hut", "un chat assis", "upright piano", "leaf"]
)
def test_descriptions_that_allow_mirroring(text):
    assert may_be_mirrored(text)
    assert Augmentation(flip=True).may_flip(text) and not Augmentation().may_flip(text)
    assert not Augmentation(flip=lambda text: text == "other").may_flip(text)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"shift": -1}, ValueError),
        ({"shift": 1.5}, TypeError),
        ({"noise": -0.1}, ValueError),
        ({"noise": np.nan}, ValueError),
        ({"noise": "loud"}, TypeError),
        ({"crop": 0.95}, ValueError),
        ({"crop": -0.1}, ValueError),
        ({"crop": True}, TypeError),
        ({"flip": "left"}, TypeError),
    ],
)
def test_invalid_settings_are_refused(options, error):
    (name,) = options
    with pytest.raises(error, match=f"Augmentation: {name}: expected"):
        Augmentation(**options)


def test_boxes_move_with_what_is_in_them():
    draw, B, Y, X = np.random.default_rng(1), 60, 20, 24
    pictures = np.zeros((B, Y, X, 3), "float32")
    sides, boxes = draw.integers(2, 8, (B, 2)), []
    for picture, (w, h) in zip(pictures, sides, strict=True):
        x, y = draw.integers(1, X - w), draw.integers(1, Y - h)  # not at the border, which is repeated
        picture[y : y + h, x : x + w] = 1
        boxes.append((x, y, w, h))
    change, may = Augmentation(flip=True, shift=6, noise=0.0), draw.random(B) < 0.7
    changed = change.apply(pictures, np.arange(B), may, 3, 2)
    owners = draw.permutation(B)
    moved, enough = change.apply_boxes(np.array(boxes)[owners], owners, np.arange(B), may, (Y, X), 3, 2)
    seen = set()
    for owner, box, kept in zip(owners, moved, enough, strict=True):
        inside = changed[owner, :, :, 0] > 0
        assert kept == (inside.sum() >= pictures[owner, :, :, 0].sum() / 2)
        seen.add(bool(kept))
        if inside.any():
            rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
            assert box.tolist() == [columns[0], rows[0], len(columns), len(rows)]
    assert seen == {False, True}
    assert not np.array_equal(moved, np.array(boxes)[owners])


@pytest.mark.parametrize("seed", range(3))
def test_cropped_pictures_are_enlarged_together_with_their_boxes(seed):
    # Colors that rise linearly from left to right and from top to bottom tell where a pixel comes from.
    Y, X, B = 18, 30, 50
    places = np.stack(
        [*np.meshgrid(np.arange(Y) + 0.5, np.arange(X) + 0.5, indexing="ij"), np.zeros((Y, X))], axis=-1
    )
    pictures = np.tile(places, (B, 1, 1, 1))
    may = np.arange(B) % 2 == 0
    change = Augmentation(flip=True, shift=3, noise=0.0, crop=0.5)
    changed = change.apply(pictures, np.arange(B), may, seed, 1)
    boxes, enough = change.apply_boxes(
        np.tile([10, 6, 9, 7.5], (B, 1)), np.arange(B), np.arange(B), may, (Y, X), seed, 1
    )
    scales = set()
    for picture, (x, y, w, h), fine in zip(changed, boxes, enough, strict=True):
        step = np.diff(picture, axis=1)[Y // 2, X // 2, 1]  # negative if mirrored
        scales.add(round(1 / abs(step), 3))
        if not fine or (x, y) == (0, 0) or min(x, y) <= 0 or x + w >= X or y + h >= Y:
            continue
        inside = (
            (picture[..., 1] > 10) & (picture[..., 1] < 19) & (picture[..., 0] > 6) & (picture[..., 0] < 13.5)
        )
        rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        np.testing.assert_allclose([columns[0], rows[0]], [x, y], atol=0.51)
        np.testing.assert_allclose([columns[-1] + 1, rows[-1] + 1], [x + w, y + h], atol=0.51)
        np.testing.assert_allclose([w * abs(step), h * abs(step)], [9, 7.5], atol=1e-6)
    assert min(scales) < 1.15 and 1.75 < max(scales) <= 2 and len(scales) > 40
    some = np.array([7, 3, 30])
    np.testing.assert_array_equal(change.apply(pictures[some], some, may[some], seed, 1), changed[some])


def test_boxes_by_hand():
    never = Augmentation(shift=0)
    one, none = np.array([[2.5, 1, 3, 2]]), np.zeros((0, 4))
    args = (np.array([0]), np.array([9]), np.array([True]), (10, 20), 0, 0)
    np.testing.assert_array_equal(never.apply_boxes(one, *args)[0], one)
    mirror = Augmentation(flip=True, shift=0)
    found = {tuple(mirror.apply_boxes(one, *args[:4], 0, epoch)[0][0]) for epoch in range(20)}
    assert found == {(2.5, 1, 3, 2), (14.5, 1, 3, 2)}
    boxes, enough = mirror.apply_boxes(none, np.zeros(0, int), *args[1:])
    assert boxes.shape == (0, 4) and enough.shape == (0,)
