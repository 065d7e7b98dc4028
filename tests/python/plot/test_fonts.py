"""Figures of texts in scripts that the usual font does not have."""

import io
import logging
import warnings

import numpy as np
import pytest

from rnnrs import plot
from rnnrs.inspection import TextStates
from rnnrs.plot import fonts
from rnnrs.plot.fonts import spelled

font_manager = pytest.importorskip("matplotlib.font_manager")

WORDS = ["हिन्दी", "世界", "cat", "Ёж"]


@pytest.fixture(autouse=True)
def without_warnings(monkeypatch):
    """No font of this machine but matplotlib's own."""
    own = [font for font in font_manager.fontManager.ttflist if font.name.startswith("DejaVu")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(fonts, "_reported", set())
    fonts._fonts_with.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    fonts._fonts_with.cache_clear()


def labels(figure):
    return [label.get_text() for label in figure.axes[0].get_xticklabels()]


def saved(figure):
    figure.savefig(io.BytesIO(), format="png")
    return figure


def test_letters_without_a_font_are_spelled_and_the_scripts_named_once(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "rnnrs.plot"):
        figure = plot.attention(np.eye(4), WORDS, WORDS, tmp_path / "a.png", title="हि")
        saved(figure)
        plot.attention(np.eye(4), WORDS, WORDS)
    assert labels(figure) == ["hainadaii", "<4e16><754c>", "cat", "Ёж"]
    assert figure.get_suptitle() == "hai"
    assert [record.getMessage() for record in caplog.records] == [
        "no installed font has letters of Cjk, Devanagari: a figure spells them in Latin letters"
    ]


@pytest.fixture
def installed(tmp_path):
    """A font, made from matplotlib's, that has the letters of two words in Hindi and Chinese."""
    tools = pytest.importorskip("fontTools.ttLib")
    font = tools.TTFont(font_manager.findfont("DejaVu Sans"))
    for table in font["cmap"].tables:
        table.cmap = {ord(c): "A" for c in "".join(WORDS[:2])}
    for record in font["name"].names:
        if record.nameID in (1, 4, 16):
            record.string = "Two Words"
    font.save(tmp_path / "words.ttf")
    font_manager.fontManager.addfont(tmp_path / "words.ttf")
    return "Two Words"


def test_an_installed_font_with_the_letters_is_used(installed, caplog):
    figure = saved(plot.attention(np.eye(4), WORDS, WORDS, title="हि"))
    assert labels(figure) == WORDS and figure.get_suptitle() == "हि"
    families = [label.get_fontfamily()[-1] for label in figure.axes[0].get_xticklabels()]
    assert families[:2] == [installed] * 2 and installed not in families[2:]
    assert not caplog.records


def test_all_figures_of_texts(tmp_path):
    picture = np.zeros((4, 4, 3), np.uint8)
    values = np.zeros((3, 2))
    seen = TextStates(["ह", "世", "a"], values, "h")
    for draw in (
        lambda path: plot.pictures([picture], ["हिन्दी में"], path, title="世界"),
        lambda path: plot.description(picture, ["हिन्दी", "世"], np.ones((2, 4)) / 4, (2, 2), path),
        lambda path: plot.forecast(np.zeros((9, 1)), np.zeros((2, 1)), ["मूल्य"], path),
        lambda path: plot.states(seen, [0], path),
        lambda path: plot.colored_text(seen, 0, path),
    ):
        saved(draw(tmp_path / "f.png"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [("नमस्ते", "namasatae"), ("ねこ", "neko"), ("한글", "hangeul"), ("世a", "<4e16>a"), ("á", "á")],
)
def test_spelling(text, shown):
    assert spelled(text, set(text) - {"á", "a"}) == shown
