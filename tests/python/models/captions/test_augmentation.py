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
        ({"flip": "left"}, TypeError),
    ],
)
def test_invalid_settings_are_refused(options, error):
    (name,) = options
    with pytest.raises(error, match=f"Augmentation: {name}: expected"):
        Augmentation(**options)
