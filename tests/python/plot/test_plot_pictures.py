"""The figures of described pictures: maps, texts and styles."""

import numpy as np
import pytest

import rnnrs
from rnnrs import plot

pytest.importorskip("matplotlib")
PICTURE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


def test_each_word_has_its_map_over_the_picture(tmp_path):
    alpha = np.array([[0.9, 0.1, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.1, 0.2, 0.7]])
    path = tmp_path / "where.png"
    figure = plot.description(PICTURE, ["$red", "heart"], alpha, (2, 3), path)
    assert path.read_bytes().startswith(b"\x89PNG")
    first, *maps = figure.axes
    np.testing.assert_allclose(first.images[0].get_array(), PICTURE / 255)
    assert [axes.get_title() for axes in maps] == ["$red", "heart"]
    for axes, row in zip(maps, alpha, strict=True):
        pale, over = axes.images
        assert list(pale.get_extent()) == list(over.get_extent()) == [-0.5, 7.5, 5.5, -0.5]
        np.testing.assert_allclose(over.get_array(), row.reshape(2, 3) / row.max())
        assert axes.texts[0].get_text() == f"α ≤ {row.max():.2f}"
    assert figure.get_suptitle() == "$red heart"


def test_without_attention_only_the_picture_is_drawn():
    figure = plot.description(PICTURE / 255, ["red"], None, None, title="a title")
    assert len(figure.axes) == 1 and figure.get_suptitle() == "a title"
    assert len(plot.description(PICTURE, [], np.zeros((0, 6)), (2, 3)).axes) == 1


def test_pictures_side_by_side(tmp_path):
    texts = ["right", "wrong $x$ and so long that it does not fit in a line", "a\nb"]
    figure = plot.pictures([PICTURE] * 3, texts, tmp_path / "a.png", right=[True, False, True], columns=2)
    assert len(figure.axes) == 4
    labels = [axes.xaxis.label for axes in figure.axes[:3]]
    assert labels[1].get_text().replace("\n", " ") == texts[1] and labels[2].get_text() == "a\nb"
    assert labels[0].get_color() != labels[1].get_color() and labels[1].get_style() == "italic"
    assert plot.pictures(np.stack([PICTURE]), ["a"]).axes[0].xaxis.label.get_color() == "black"


def test_invalid_arguments_are_rejected():
    for picture in (PICTURE[0], PICTURE[..., :2], PICTURE[:0]):
        with pytest.raises(rnnrs.ShapeError, match=r"picture: expected \(Y, X, 3\), got"):
            plot.description(picture, [], None, None)
    with pytest.raises(rnnrs.ShapeError, match=r"alpha: expected \(n=1, P=6\), got \(2, 6\)"):
        plot.description(PICTURE, ["a"], np.zeros((2, 6)), (2, 3))
    with pytest.raises(ValueError, match="words: expected at most 60, got 61"):
        plot.description(PICTURE, ["a"] * 61, None, None)
    with pytest.raises(ValueError, match="images: expected 1 to 200 in at least one column, got 0 in 6"):
        plot.pictures([], [])
    with pytest.raises(rnnrs.ShapeError, match="texts: expected as many as pictures, 1, got 2"):
        plot.pictures([PICTURE], ["a", "b"])
    with pytest.raises(rnnrs.ShapeError, match="right: expected as many as pictures, 1, got 0"):
        plot.pictures([PICTURE], ["a"], right=[])
