"""The checks of fields, their forms in queries, and their schemas."""

import base64

import jsonschema
import numpy as np
import pytest
from served_models import refused

from rnnrs.serve import Limits
from rnnrs.serve.fields import Field, values_of

LIMITS = Limits(text=5, numbers=6)
FIELDS = {
    "text": Field("x", "text", "doc", most="text"),
    "whole": Field("x", "whole", "doc", least=1, most=9),
    "number": Field("x", "number", "doc", least=0, most=2),
    "boolean": Field("x", "boolean", "doc"),
    "numbers": Field("x", "numbers", "doc", most="numbers"),
    "file": Field("x", "file", "doc"),
}


@pytest.mark.parametrize(
    "kind, value, expected",
    [
        ("text", "abcde", "abcde"),
        ("text", "", ""),
        ("whole", 1, 1),
        ("whole", 9.0, 9),
        ("number", 2, 2.0),
        ("number", 0.5, 0.5),
        ("boolean", False, False),
        ("file", base64.b64encode(b"\0\xff").decode(), b"\0\xff"),
        ("file", b"raw", b"raw"),
    ],
)
def test_good_values(kind, value, expected):
    found = FIELDS[kind].checked(value, LIMITS)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize("value", [[1, 2.5], [[1, 2], [3, 4]], [0], [[10**30]]])
def test_numbers_become_an_array(value):
    found = FIELDS["numbers"].checked(value, LIMITS)
    assert found.dtype == np.float64 and np.array_equal(found, np.array(value, np.float64))


@pytest.mark.parametrize(
    "kind, value, expected",
    [
        ("text", 3, "a string, got 3"),
        ("text", None, "a string, got None"),
        ("text", "abcdef", "at most 5 characters, got 6"),
        ("text", "a\ud800", "text in Unicode, got half of a surrogate pair"),
        ("whole", "3", "a whole number, got '3'"),
        ("whole", 2.5, "a whole number, got 2.5"),
        ("whole", True, "a whole number, got True"),
        ("whole", 0, "a number from 1 to 9, got 0"),
        ("whole", 10, "a number from 1 to 9, got 10"),
        ("whole", 10**400, "a number from 1 to 9, got 1000"),
        ("number", "1", "a number, got '1'"),
        ("number", False, "a number, got False"),
        ("number", float("inf"), "a finite number, got inf"),
        ("number", -0.1, "a number from 0 to 2, got -0.1"),
        ("boolean", 1, "true or false, got 1"),
        ("boolean", "true", "true or false, got 'true'"),
        ("numbers", [], "a list of numbers, or of rows of numbers, got []"),
        ("numbers", 3, "a list of numbers, or of rows of numbers, got 3"),
        ("numbers", [[]], "rows of the same number of numbers, got [[]]"),
        ("numbers", [[1], [1, 2]], "rows of the same number of numbers"),
        ("numbers", [[1], 2], "rows of the same number of numbers"),
        ("numbers", [1, [2]], "numbers, got [2]"),
        ("numbers", [1, True], "numbers, got True"),
        ("numbers", [1, "2"], "numbers, got '2'"),
        ("numbers", [1, None], "numbers, got None"),
        ("numbers", [1e400], "finite numbers, got one that is too large"),
        ("numbers", [10**400], "numbers of up to 64 bits"),
        ("numbers", [1] * 7, "at most 6 numbers, got 7"),
        ("file", 3, "a file, or its bytes in base64, got 3"),
        ("file", "a", "bytes in base64, got 'a'"),
        ("file", "é", "bytes in base64"),
    ],
)
def test_bad_values(kind, value, expected):
    with refused(400, "x") as found:
        FIELDS[kind].checked(value, LIMITS)
    assert str(found.value).startswith(f"x: expected {expected}")
    assert found.value.to_json()["expected"] in expected
    str(found.value).encode()  # whatever came, the message can be sent


@pytest.mark.parametrize("kind", FIELDS)
def test_null_is_the_default_where_there_is_one(kind):
    field = Field("x", kind, "doc", None)
    assert field.checked(None, LIMITS) is None
    assert values_of([field], {}, LIMITS) == values_of([field], {"x": None}, LIMITS) == {"x": None}
    with refused(400, "x"):
        FIELDS[kind].checked(None, LIMITS)


def test_unknown_and_missing_fields():
    with refused(400, "y") as found:
        values_of([FIELDS["text"]], {"x": "a", "y": 1}, LIMITS)
    assert str(found.value) == "y: expected one of the fields x, got an unknown field"
    with refused(400, "x") as found:
        values_of([FIELDS["text"]], {}, LIMITS)
    assert str(found.value) == "x: expected a value, got none"


@pytest.mark.parametrize(
    "kind, text, value",
    [
        ("text", "3", "3"),
        ("whole", "3", 3),
        ("whole", "3.5", 3.5),
        ("whole", "\u0663", "\u0663"),
        ("whole", "[" * 100_000, "[" * 100_000),
        ("number", "3.5", 3.5),
        ("number", "x", "x"),
        ("boolean", "true", True),
        ("boolean", "True", "True"),
        ("boolean", "0", 0),
        ("number", "null", "null"),
        ("boolean", "no", "no"),
    ],
)
def test_values_that_came_as_text(kind, text, value):
    found = FIELDS[kind].parsed(text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("kind", FIELDS)
def test_the_schema_says_what_the_check_does(kind):
    values = ["abcde", "abcdef", "YQ==", 1, 9, 10, 0, 0.5, 2.5, True, [1], [[1, 2]], [], [[]], {}, None]
    validator = jsonschema.Draft202012Validator(FIELDS[kind].schema(LIMITS))
    for value in values:
        if kind == "file" and isinstance(value, str):
            continue  # contentEncoding says what a string is, and does not check it
        try:
            FIELDS[kind].checked(value, LIMITS)
        except Exception:
            assert not validator.is_valid(value), value
        else:
            assert validator.is_valid(value), value


@pytest.mark.parametrize(
    "most, shown", [((1 << 63) - 1, "9223372036854775807"), (1 << 20, "1048576"), (0.5, "0.5")]
)
def test_bounds_are_shown_to_the_last_digit(most, shown):
    with refused(400, "a") as found:
        Field("a", "number", "", least=0, most=most).checked(-1, Limits())
    assert found.value.expected == f"a number from 0 to {shown}"
