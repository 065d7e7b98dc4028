"""Scales of series at both ends of float64: nothing over- or underflows."""

import fractions
import math
import warnings

import numpy as np
import pytest

from rnnrs.models import Forecaster, SequenceClassifier
from rnnrs.models.sequences.forecast_evaluation import ForecastEvaluation
from rnnrs.models.sequences.scaling import mean_magnitude, moments, restored, root_mean_square, standardized

SCALES = [1e-300, 1e-160, 1e-5, 1.0, 1e160, 1e300]
WAVE = np.sin(np.arange(60) / 3) + 0.1 * np.cos(np.arange(60))


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def exact(values):
    """Mean and deviation of numbers, in exact fractions but for the root."""
    each = [fractions.Fraction(float(v)) for v in values]
    mean = sum(each) / len(each)
    square = sum((v - mean) ** 2 for v in each) / len(each)
    shift = max(-1000, min(1000, (square.denominator.bit_length() - square.numerator.bit_length()) // 2))
    return float(mean), math.ldexp(math.sqrt(square * fractions.Fraction(4) ** shift), -shift)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("offset", [0, 1, 1e3])
def test_moments_and_their_use_are_exact_to_rounding(scale, offset):
    x = scale * (WAVE + offset) / (1 + offset)
    mean, deviation = moments(x[:, None])
    np.testing.assert_allclose([mean[0], deviation[0]], exact(x), rtol=1e-10)
    z = standardized(x[:, None], mean, deviation)
    np.testing.assert_allclose(z.mean(), 0, atol=1e-9)
    np.testing.assert_allclose(z.std(), 1, rtol=1e-9)
    np.testing.assert_allclose(restored(z, mean, deviation)[:, 0], x, rtol=1e-12, atol=1e-14 * scale)


@pytest.mark.parametrize("scale", [2.0**-500, 2.0**500, 2.0**900])
def test_bits_do_not_depend_on_the_scale(scale):
    mean, deviation = WAVE.mean(), WAVE.std()
    z = (WAVE - mean) / deviation
    found = moments(scale * WAVE[:, None])
    assert found[0][0] == scale * mean and found[1][0] == scale * deviation
    assert np.array_equal(standardized(scale * WAVE[:, None], *found)[:, 0], z)


@pytest.mark.parametrize("constant", [0.0, 5e-324, 1e-300, 0.1, 1e300, 1.7e308])
def test_constant_columns(constant):
    x = np.full((9, 1), constant)
    mean, scale = moments(x)
    assert mean[0] == pytest.approx(constant, rel=1e-15) and scale[0] == max(1.0, 1e-12 * abs(mean[0]))
    assert np.abs(standardized(x, mean, scale)).max() < 1e-3
    assert restored(np.zeros((1, 1)), mean, scale)[0, 0] == pytest.approx(mean[0], rel=1e-15, abs=5e-324)


@pytest.mark.parametrize("spread", [5e-324, 1e-322, 1e-310])
def test_spreads_below_normal_numbers(spread):
    x = np.array([0.0, spread] * 5)[:, None]
    mean, scale = moments(x)
    z = standardized(x, mean, scale)
    assert scale[0] > 0 and np.isfinite(z).all() and np.abs(z).max() <= 2
    assert np.abs(restored(z, mean, scale) - x).max() <= 5e-324


def test_the_largest_numbers():
    x = np.array([1.7e308, -1.7e308, -1.7e308, -1.7e308])[:, None]
    z = standardized(x, *moments(x))
    np.testing.assert_allclose(z[:, 0], [3**0.5, *[-(3**-0.5)] * 3], rtol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_errors(scale):
    x = scale * np.array([[3.0, -4.0], [0.0, 0.0]])
    np.testing.assert_allclose(root_mean_square(x, 1), [scale * 12.5**0.5, 0], rtol=1e-12)
    np.testing.assert_allclose(mean_magnitude(x, 1), [scale * 3.5, 0], rtol=1e-12)
    three = np.full((3, 1), 0.5e308)
    assert ForecastEvaluation(("a",), three, three, 3 * three, three, 1, 3).skill[0] == pytest.approx(2 / 3)


@pytest.mark.parametrize("difference", [0, 1])
@pytest.mark.parametrize("scale", SCALES)
def test_forecasts_scale_with_the_series(scale, difference):
    """A series of another unit has the same forecasts and skill, in that unit."""

    def forecasts(x):
        model = Forecaster(horizon=2, difference=difference, hidden_size=6, dtype="float64")
        model.fit(x, 0.2, epochs=3, progress=False)
        result = model.evaluate(x, start=50)
        return model.predict(x, 4), result.rmse, result.mae, result.skill

    power = 2.0 ** round(math.log2(scale))
    for known, found in zip(forecasts(WAVE), forecasts(power * WAVE), strict=True):
        np.testing.assert_allclose(found / (1 if known.ndim == 1 else power), known, rtol=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_classes_do_not_depend_on_the_scale(scale):
    draw = np.random.default_rng(0)
    x = [draw.normal(size=(4, 2)) for _ in range(20)]
    y = ["up" if a[0, 0] > 0 else "down" for a in x]

    def probabilities(x):
        model = SequenceClassifier(["down", "up"], input_size=2, hidden_size=6)
        model.fit(x, y, epochs=3, progress=False)
        return model.predict_proba(x)

    power = 2.0 ** round(math.log2(scale))
    assert np.array_equal(probabilities([power * a for a in x]), probabilities(x))


def test_numbers_far_from_the_training_data_are_refused():
    model = Forecaster(hidden_size=4)
    model.fit(WAVE, epochs=1, progress=False)
    far = np.concatenate([WAVE, [1e300]])
    with pytest.raises(
        ValueError, match=r"predict: series: .* scale of the training data, got \[1e\+300\] at step 60"
    ):
        model.predict(far)
    model = SequenceClassifier(["a", "b"], input_size=1, hidden_size=4)
    model.fit([WAVE, -WAVE], ["a", "b"], epochs=1, progress=False)
    with pytest.raises(
        ValueError, match=r"predict: sequences\[1\]: .* scale of the training data, got \[1e\+300\]"
    ):
        model.predict([WAVE, far])


def test_differences_beyond_float64_are_refused():
    x = np.array([1.7e308, -1.7e308] * 10)
    with pytest.raises(
        ValueError, match=r"fit: series: expected differences below 1.8e\+308, got .* at step 1"
    ):
        Forecaster(difference=1, hidden_size=4).fit(x, epochs=1, progress=False)


def test_forecasts_beyond_float64_are_infinite():
    model = Forecaster(transform="log", difference=1, hidden_size=4)
    model.fit(np.exp(np.linspace(0, 700, 80)), epochs=1, progress=False)
    assert np.isposinf(model.predict(np.exp(np.linspace(0, 700, 80)), 20)[-1])
