"""The attention figure: rows, columns and labels."""

import numpy as np
import pytest

import rnnrs
from rnnrs import plot

pytest.importorskip("matplotlib")


def test_rows_are_the_targets_words_and_columns_the_sources(tmp_path):
    alpha = np.array([[0.9, 0.1, 0.0], [0.0, 0.25, 0.75]])
    path = tmp_path / "attention.png"
    figure = plot.attention(alpha, ["der", "$5", "Hund_x^2"], ["the", "$dog$"], path, title="a $ b $")
    assert path.read_bytes().startswith(b"\x89PNG")
    axes, bar = figure.axes
    np.testing.assert_array_equal(axes.images[0].get_array(), alpha)
    assert axes.images[0].get_clim() == (0, 1) and bar.get_ylabel() == "attention α"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["der", "$5", "Hund_x^2"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["the", "$dog$"]


def test_invalid_arguments_are_rejected():
    with pytest.raises(rnnrs.ShapeError, match=r"alpha: expected \(n=1, S=2\), got \(2, 1\)"):
        plot.attention([[1], [1]], ["a", "b"], ["c"])
    with pytest.raises(ValueError, match="expected 1 to 200 words on either side"):
        plot.attention(np.zeros((0, 2)), ["a", "b"], [])
    with pytest.raises(ValueError, match="expected 1 to 200 words on either side"):
        plot.attention(np.zeros((1, 201)), ["a"] * 201, ["b"])
