"""The figure of a picture with its regions: where boxes and phrases are."""

import numpy as np
import pytest

import rnnrs
from rnnrs import plot
from rnnrs.data import Region

pytest.importorskip("matplotlib")
PICTURE = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
REGIONS = [Region(5, 10, 20, 12, "a $red heart$"), Region(0, 0, 40, 30, "красное сердце")]


def drawn(figure):
    """Returns the boxes of a figure, and its phrases with their positions."""
    (axes,) = figure.axes
    lines = [line.get_xydata()[[0, 2]] for line in axes.lines[1::2]]  # each box has a white line below it
    return [[*first, *(last - first)] for first, last in lines], [
        (t.get_text(), *t.get_position()) for t in axes.texts
    ]


def test_boxes_and_phrases_are_over_the_picture(tmp_path):
    figure = plot.regions(PICTURE, [(*REGIONS[0], 0.5), REGIONS[1]], tmp_path / "regions.png", title="two")
    assert (tmp_path / "regions.png").read_bytes().startswith(b"\x89PNG")
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.images[0].get_array(), PICTURE / 255)
    assert list(axes.images[0].get_extent()) == [0, 40, 30, 0]  # a box begins at the edge of a pixel
    boxes, phrases = drawn(figure)
    np.testing.assert_allclose(boxes, [region[:4] for region in REGIONS])
    assert [text for text, *_ in phrases] == [region.phrase for region in REGIONS]
    assert 5 < phrases[0][1] < 6 and 8 < phrases[0][2] < 10  # above its box, at the left
    assert figure.get_suptitle() == "two"
    assert axes.texts[0].get_bbox_patch().get_facecolor() != axes.texts[1].get_bbox_patch().get_facecolor()


def test_phrases_are_inside_the_picture_and_apart():
    many = [Region(0.5 * i, 0.2 * i, 39 - i, 29 - i, f"number {i}") for i in range(6)]
    figure = plot.regions(PICTURE, many)
    places = np.array([place for _, *place in drawn(figure)[1]])
    assert (places >= 0).all() and (places <= [40, 30]).all()
    apart = np.abs(places[:, None] - places[None])[np.triu_indices(6, 1)]
    assert ((apart[:, 0] > 5) | (apart[:, 1] > 0.8)).all()
    long = plot.regions(PICTURE, [Region(30, 25, 5, 5, "a phrase that is too long for a single line")])
    ((text, *_),) = drawn(long)[1]
    assert "\n" in text and text.replace("\n", " ") == "a phrase that is too long for a single line"


def test_a_picture_without_regions_is_drawn_alone():
    assert drawn(plot.regions(PICTURE / 255, [])) == ([], [])


def test_invalid_arguments_are_rejected():
    with pytest.raises(rnnrs.ShapeError, match=r"regions: picture: expected \(Y, X, 3\), got \(30, 40\)"):
        plot.regions(PICTURE[..., 0], [])
    with pytest.raises(ValueError, match="regions: regions: expected at most 60, got 61"):
        plot.regions(PICTURE, REGIONS[:1] * 61)
    for wrong in ((1, 2, 3, 4), "regions", (1, 2, 3, 4, 5), None):
        with pytest.raises(TypeError, match=r"regions: regions\[0\]: expected \(x, y, w, h, phrase\)"):
            plot.regions(PICTURE, [wrong])
    with pytest.raises(TypeError, match=r"regions: regions\[0\]: w: expected a number, got '3'"):
        plot.regions(PICTURE, [(1, 2, "3", 4, "a")])
