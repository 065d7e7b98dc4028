"""Scores of −∞ and +∞: a probability of 0 counts where it is asked for, and is nothing where it is not."""

import numpy as np
import pytest

from rnnrs import losses, nn

INF = np.inf
O = np.array([[[0.0, -INF, 1.0]], [[-INF, -INF, 2.0]]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("y", "options", "expected"),
    [
        ([[0], [2]], {}, [np.log(1 + np.e), 0]),
        ([[1], [2]], {}, [INF, 0]),
        ([[1], [2]], {"class_weights": [1, 0, 1.0]}, [INF, 0]),
        ([[0], [2]], {"label_smoothing": 0.1}, [INF, INF]),
    ],
)
def test_softmax_cross_entropy(dtype, y, options, expected):
    loss = losses.SoftmaxCrossEntropy("sum", **options)
    total, positions, do = loss.evaluate(O.astype(dtype), np.array(y))
    np.testing.assert_allclose(positions[:, 0], expected, rtol=1e-6)
    assert total == pytest.approx(0.0 if options.get("class_weights") else sum(expected), rel=1e-6)
    assert np.isfinite(do).all()
    known, _ = losses.SoftmaxCrossEntropy("sum")(O.astype(dtype), np.array([[1], [2]]), [[0.0], [1.0]])
    assert known == 0


@pytest.mark.parametrize("classes", [3, 5000])
def test_softmax_cross_entropy_through_an_output_layer(classes):
    output = nn.Linear(2, classes, dtype="float64")
    output.parameters["c"] = np.where(np.arange(classes) == 1, -INF, 0.0)
    h = np.ones((2, 1, 2))
    for y, expected in ((1, INF), (0, None)):
        _, positions, dh = losses.SoftmaxCrossEntropy("sum").through(output, h, np.full((2, 1), y))
        o = output.forward(h)[0]
        known = np.log(np.exp(o).sum(axis=-1)) - o[..., y]
        np.testing.assert_allclose(positions, known if expected is None else expected, rtol=1e-12)
        assert np.isfinite(dh).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("o", "y", "expected", "slope"),
    [
        (-INF, 0.0, 0.0, 0.0),
        (-INF, 0.5, INF, -0.5),
        (-INF, 1.0, INF, -1.0),
        (INF, 1.0, 0.0, 0.0),
        (INF, 0.0, INF, 1.0),
        (0.0, 0.5, np.log(2), 0.0),
    ],
)
def test_sigmoid_cross_entropy(dtype, o, y, expected, slope):
    total, do = losses.SigmoidCrossEntropy()(np.array([[[o]]], dtype), np.array([[[y]]]))
    assert total == pytest.approx(expected) and do.item() == slope
