"""Captioner: invalid pictures, features, descriptions and settings are refused."""

import numpy as np
import pytest
from small_captioner import PICTURES, TEXTS, model

from rnnrs.errors import DTypeError, ShapeError
from rnnrs.models import Augmentation, Captioner

GRAY = np.zeros((2, 8, 6), np.uint8)


@pytest.mark.parametrize(
    ("pictures", "error", "message"),
    [
        (PICTURES[..., 0], ShapeError, r"expected \(N, 8, 6, 3\), got \(5, 8, 6\)"),
        (PICTURES[..., :1], ShapeError, r"got \(5, 8, 6, 1\) \(gray: expected red, green and blue\)"),
        (np.zeros((1, 8, 6, 4), np.uint8), ShapeError, "with transparency"),
        (np.zeros((1, 32, 32, 3), np.uint8), ShapeError, r"expected \(N, 8, 6, 3\), got \(1, 32, 32, 3\)"),
        (PICTURES[0], ShapeError, r"one picture: expected several"),
        (list(GRAY), ShapeError, r"got \(2, 8, 6\)"),
        ([PICTURES[0], PICTURES[0, :4]], ShapeError, r"pictures\[1\]: expected the shape of the first"),
        (PICTURES[:0], ValueError, "expected at least one, got none"),
        ([], ValueError, "expected at least one, got none"),
        ("a.png", TypeError, "expected an array"),
        (["a.png"], DTypeError, r"pictures\[0\]: expected numbers, got <U5"),
        (PICTURES.astype(bool), DTypeError, "expected uint8 or floating-point numbers, got bool"),
        (PICTURES.astype(float), ValueError, r"pictures\[0\]: expected numbers from 0 to 1, got"),
        (PICTURES.astype(int) + 1, ValueError, "expected whole numbers from 0 to 255, got 256"),
        (np.full((2, 8, 6, 3), np.nan), ValueError, r"pictures\[0\]: expected numbers from 0 to 1, got nan"),
        (PICTURES.astype(complex), DTypeError, "got complex128"),
    ],
)
def test_invalid_pictures_are_refused(pictures, error, message):
    found = model(dtype="float32")
    with pytest.raises(error, match=message):
        found.describe_all(pictures)
    with pytest.raises(error, match=message):
        found.rank("a", pictures)


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (np.zeros((2, 7)), ShapeError, r"expected features \(N, 6, 7\), got \(2, 7\)"),
        (np.zeros((2, 3, 3, 7)), ShapeError, r"got \(2, 3, 3, 7\)"),
        (np.full((2, 6, 7), np.inf), ValueError, r"pictures\[0\]: expected finite features, got inf"),
        (np.array([["a"]]), ShapeError, r"got \(1, 1\)"),
        (np.zeros((2, 6, 7), bool), DTypeError, "got bool"),
    ],
)
def test_invalid_features_are_refused(features, error, message):
    with pytest.raises(error, match=message):
        model(features=(6, 7)).describe_all(features)


@pytest.mark.parametrize(
    ("descriptions", "error", "message"),
    [
        (TEXTS[:4], ShapeError, "descriptions: expected one for each of 5 pictures, got 4"),
        ("abcde", TypeError, "descriptions: expected one for each picture"),
        ([*TEXTS[:4], " \t"], ValueError, r"descriptions\[4\]: expected some text, got ' \\t'"),
        ([*TEXTS[:4], []], ValueError, r"descriptions\[4\]: expected at least one, got none"),
        ([*TEXTS[:4], ["a", 3]], TypeError, r"descriptions\[4\]: expected a string, got 3"),
        ([*TEXTS[:4], 3], TypeError, r"descriptions\[4\]: expected a string, or several, got 3"),
    ],
)
def test_invalid_descriptions_are_refused(descriptions, error, message):
    for call in (
        lambda: Captioner.from_pairs(PICTURES, descriptions),
        lambda: model().fit(PICTURES, descriptions, epochs=1),
        lambda: model().fit(PICTURES, TEXTS, (PICTURES, descriptions), epochs=1),
        lambda: model().evaluate(PICTURES, descriptions),
    ):
        with pytest.raises(error, match=message):
            call()


def test_invalid_texts_are_refused():
    found = model()
    with pytest.raises(ValueError, match="sentence: expected some text"):
        found.rank("", PICTURES)
    with pytest.raises(ValueError, match=r"Captioner.log_prob: text: expected some text"):
        found.log_prob(PICTURES[0], " ")
    with pytest.raises(ShapeError, match="texts: expected one for each of 5 pictures"):
        found.log_probs(PICTURES, ["a"])
    with pytest.raises(TypeError, match=r"texts\[0\]: expected a string"):
        found.log_probs(PICTURES[:1], [None])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": ()}, "channels: expected 1 to 3 stages"),
        ({"channels": (2, 2, 2, 2)}, r"stages for pictures of \(8, 6\), got 4"),
        ({"channels": (0,)}, "channels: expected a whole number from 1"),
        ({"convolutions": 0}, "convolutions"),
        ({"picture_size": 8}, "picture_size: expected two numbers"),
        ({"features": (1, 2, 3, 4)}, "features: expected K"),
        ({"features": 0}, "features: expected a whole number from 1"),
        ({"cell": "tree"}, "cell: expected one of"),
        ({"attention": "none"}, "Captioner: attention: expected None or one of"),
        ({"attention": "dot"}, "Captioner: hidden_size: expected 4, .* with attention 'dot', got 5"),
        ({"dropout": 1.0}, "Captioner: dropout: expected a number from 0 to below 1"),
        ({"label_smoothing": 2.0}, "Captioner: label_smoothing"),
    ],
)
def test_invalid_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        model(**options)
    with pytest.raises(ValueError, match="augmentation: expected None for features"):
        model(features=7).fit(np.zeros((1, 7)), ["a"], augmentation=Augmentation())
