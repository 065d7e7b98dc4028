"""Positions, edits and continuations of texts (page/text.js), against Python."""

import random

import pytest

ALPHABET = "ab \n'é😀🏽\u200d中ไ́"


@pytest.fixture
def call(visit):
    """Calls a function of the module."""
    page = visit("translator")
    code = """async ([name, calls]) => {
        const functions = await import("./page/text.js");
        return calls.map((one) => functions[name](...one));
    }"""

    def called(name, calls):
        return page.evaluate(code, [name, calls])

    return called


def units(text):
    """The length of a text as JavaScript counts it."""
    return len(text.encode("utf-16-le")) // 2


def texts(count, seed):
    draw = random.Random(seed)
    return ["".join(draw.choices(ALPHABET, k=draw.randrange(12))) for _ in range(count)]


def test_places_in_code_points_and_units(call):
    found = [(text, n) for text in texts(40, 0) for n in range(len(text) + 1)]
    places = [units(text[:n]) for text, n in found]
    assert call("units", found) == places
    assert call("points", [(text, place) for (text, _), place in zip(found, places, strict=True)]) == [
        n for _, n in found
    ]


def test_an_edit_leads_from_each_text_to_the_other(call):
    pairs = list(zip(texts(400, 1), texts(400, 2), strict=True))
    pairs += [(text, text[: len(text) // 2] + other + text[len(text) // 2 :]) for text, other in pairs]
    for (before, after), (begin, end, added) in zip(pairs, call("difference", pairs), strict=True):
        encoded, new = before.encode("utf-16-le"), added.encode("utf-16-le")
        parts = encoded[: 2 * begin], new, encoded[2 * end :]
        for part in parts:
            part.decode("utf-16-le")  # raises at half of a character
        assert b"".join(parts).decode("utf-16-le") == after


def test_a_suggestion_continues_what_was_typed(call):
    begun = {
        ("I wi", "will"): (0, "ll", True),
        ("I WI", "WIll"): (0, "ll", True),
        ("I Wi", "will"): (2, "will", True),
        ("", "The"): (0, "The", False),
        ("I ", "will"): (0, "will", False),
        ("Well,", "I"): (0, " I", False),
        ("(", "I"): (0, "I", False),
        ("don’", "don't"): (4, "don't", True),
        ("bag", "go"): None,
        ("I will g", "go home"): (0, "o home", True),
        ("我喜", "欢"): (0, "欢", False),
        ("我喜", "喜欢"): (0, "欢", True),
        ("done", "done"): (0, "", True),
    }
    found = call("completion", list(begun))
    assert [one and (one["erase"], one["rest"], one["begun"]) for one in found] == list(begun.values())
