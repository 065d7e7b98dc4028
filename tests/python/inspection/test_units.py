"""Signals of a text, the units that follow them, and texts colored by a unit."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import rnnrs
from rnnrs import inspection, nn
from rnnrs.models import LanguageModel

F64: dict[str, Any] = {"dtype": "float64"}


QUOTED = 'He said: "I am here (at last)." She: “No!”\n"Why?\n\nWell.\n'


def test_signals_of_a_text():
    quotes = inspection.inside_quotes(QUOTED)
    shown = "".join(c if q else "." for c, q in zip(QUOTED, quotes, strict=True))
    assert re.findall(r"[^.]+", shown.replace("\n", "/")) == ['"I am here (at last)', "“No!", '"Why?/']
    depth = inspection.inside_brackets("a(b[c])d)e(")
    assert depth.tolist() == [0, 1, 1, 2, 2, 1, 0, 0, 0, 0, 1]
    assert inspection.position_in_line("ab\nc").tolist() == [1, 2, 0, 1]
    assert inspection.position_in_word("it's 2").tolist() == [1, 2, 3, 4, 0, 1]
    assert inspection.capitals("aB1").tolist() == [0, 1, 0]
    words = ['"', "so", "it", '"', "is", "\n"]
    assert inspection.inside_quotes(words).tolist() == [1, 1, 1, 0, 0, 0]
    assert inspection.position_in_line(words).tolist() == [1, 3, 5, 6, 8, 0]


def model_with_a_quote_unit(text: str, unit: int = 3) -> LanguageModel:
    """Returns a model with one unit that is positive inside quotation marks and negative outside.

    It is wired for opening “ and closing ”, since toggling at straight marks, h ← tanh(2 h − 8 q h …), is not
    linear.
    """
    model = LanguageModel.from_text(text, hidden_size=6, dtype="float64", seed=3)
    p, v = model.parameters, model.vocabulary
    p["rnn.W"][unit] = 0
    p["rnn.W"][unit, unit] = 3.0  # keeps its value
    p["rnn.U"][unit], p["rnn.b"][unit] = 0, 0
    p["rnn.U"][unit, 0] = 8.0
    p["embedding.E"][:, 0] = 0
    for token, push in (("“", 1.0), ("”", -1.0), ("\n", -1.0)):
        p["embedding.E"][v.encode(token)[0], 0] = push
    return model


TEXT = "I said “who is there” and “why” then\nhe said nothing “but so” it is\n" * 30


def test_the_unit_wired_to_follow_quotes_is_found():
    model = model_with_a_quote_unit(TEXT)
    best, second, *_ = inspection.units_following(model, TEXT, "quotes")
    assert best.unit == 3 and best.correlation > 0.99 > abs(second.correlation)
    seen = inspection.text_states(model, TEXT)
    assert seen.values.shape == (len(TEXT), 6) and "".join(seen.tokens) == TEXT and seen.of == "h"
    quotes = inspection.inside_quotes(TEXT)
    expected = [np.corrcoef(seen.values[:, j], quotes)[0, 1] for j in range(6)]
    np.testing.assert_allclose(seen.correlations(quotes), expected, atol=1e-12)
    assert (
        seen.following(lambda tokens: -inspection.inside_quotes(tokens), 1)[0].correlation
        == -best.correlation
    )
    # Longer than a window: the state is carried over, so the values are those of one pass.
    assert len(TEXT) > inspection.units.WINDOW
    ids = model.context(TEXT)
    h, _ = model.rnn.forward_tokens(model.embedding, ids[:, None])
    np.testing.assert_allclose(seen.values, h[1:, 0], atol=1e-12)


def test_lines_that_are_sequences_are_read_separately():
    text = "I see.\nYou see it.\n"
    model = LanguageModel.from_text(
        text, level="word", hidden_size=4, vocabulary={"min_count": 1}, dtype="float64"
    )
    model.by_sentence = True
    seen = inspection.text_states(model, text)
    assert seen.tokens[:4] == ["I", "see", ".", "\n"]
    second = inspection.text_states(model, "You see it.")
    np.testing.assert_allclose(seen.values[4:], second.values, atol=1e-12)


class Gated(LanguageModel):
    """A language model with another recurrence."""

    def __init__(self, text: str, rnn: Any) -> None:
        self.__dict__.update(LanguageModel.from_text(text, hidden_size=8, dtype="float64").__dict__)
        self.rnn = rnn


@pytest.mark.parametrize("by_sentence", [False, True])
def test_every_quantity_of_gated_cells_and_stacks(by_sentence):
    text = TEXT[:70]
    for stacked, place in ((False, -1), (True, 0), (True, 1)):
        lstm, gru = nn.LSTM(64, 8, **F64), nn.GRU(8, 4, **F64)
        layer = gru if place == 1 else lstm
        model = Gated(text, nn.Stack(lstm, gru) if stacked else lstm)
        model.by_sentence = by_sentence
        names = ["h", "c", "tanh_c", "i", "f", "g", "o"] if layer is lstm else ["h", "r", "z", "n"]
        line = text.split("\n")[0]
        x, _ = model.embedding.forward(model.context(line)[:, None])
        lower, low_cache = lstm.forward(x)
        cache = low_cache if layer is lstm else gru.forward(lower)[1]
        u = inspection.unfolded.unfold_layer(layer, cache, None)
        for of in names:
            seen = inspection.text_states(model, text, layer=place, of=of)
            np.testing.assert_allclose(
                seen.values[: len(line)], getattr(u, of)[1:, 0], atol=1e-12, err_msg=of
            )
        assert inspection.text_states(model, text, layer=place).of == ("tanh_c" if layer is lstm else "h")
        with pytest.raises(ValueError, match="of: expected one of h, "):
            inspection.text_states(model, text, layer=place, of="q")
    with pytest.raises(IndexError, match="layer: expected -2 to 1, got 2"):
        inspection.text_states(model, text, layer=2)


def test_invalid_arguments_are_rejected():
    model = model_with_a_quote_unit(TEXT)
    with pytest.raises(ValueError, match="at least one token"):
        inspection.text_states(model, "")
    seen = inspection.text_states(model, TEXT[:40])
    for signal, message in (
        ("moods", "expected one of quotes, brackets, .*got 'moods'"),
        ("brackets", "same value everywhere"),
        ([np.nan] * 40, "finite"),
    ):
        with pytest.raises(ValueError, match=message):
            seen.correlations(signal)
    with pytest.raises(rnnrs.ShapeError, match=r"each of 40 tokens, got \(3,\)"):
        seen.correlations([1, 2, 3])
    with pytest.raises(ValueError, match="k: expected"):
        seen.following("line", 0)
    with pytest.raises(IndexError, match="unit: expected 0 to 5, got 6"):
        seen.unit(6)
    with pytest.raises(TypeError, match="slice"):
        seen[3]
    assert seen[3:5].tokens == seen.tokens[3:5] and seen[3:5].values.shape == (2, 6)
    assert (inspection.TextStates(["a", "b"], np.ones((2, 1)), "h").correlations([0, 1]) == 0).all()


def test_a_text_in_colors():
    seen = inspection.TextStates(["a", "<", "\n", "b"], np.array([[1.0], [-1.0], [0.0], [0.5]]), "h")
    page = inspection.to_html(seen, 0)
    assert 'rgb(230,120,0)" title="1.000">a<' in page and 'rgb(0,114,178)" title="-1.000">&lt;<' in page
    assert 'rgb(255,255,255)" title="0.000">↵\n<' in page and "blue −1, orange 1" in page
    shown = inspection.to_ansi(seen, 0)
    assert re.sub(r"\x1b\[[\d;]*m", "", shown) == "a<\nb"
    assert "\x1b[48;2;230;120;0m\x1b[30ma\x1b[0m" in shown
    assert re.search(r"m\n", shown) and "\x1b[0m\n" in shown  # no background extends to the end of the line
    gate = inspection.TextStates(["so", "it"], np.array([[0.0], [1.0]]), "f")
    assert re.sub(r"\x1b\[[\d;]*m", "", inspection.to_ansi(gate, 0)) == "so it "
    assert "48;2;0;114;178" in inspection.to_ansi(gate, 0) and "blue 0, orange 1" in inspection.to_html(
        gate, 0
    )
    large = inspection.TextStates(["a", "b"], np.array([[-4.0], [2.0]]), "c")
    assert "blue −4, orange 4" in inspection.to_html(large, 0)
    with pytest.raises(IndexError, match="unit"):
        inspection.to_ansi(seen, 1)
