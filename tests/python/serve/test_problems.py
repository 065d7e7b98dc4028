"""Problems: their JSON, and which errors of models become which."""

import pytest

from rnnrs.decoding import Stopped
from rnnrs.errors import ShapeError
from rnnrs.serve.problems import Plain, Problem, invalid, problem_of


def test_the_members_of_a_problem():
    problem = invalid("beam", "a number from 1 to 64", 65)
    assert problem.to_json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "beam: expected a number from 1 to 64, got 65",
        "expected": "a number from 1 to 64",
        "got": "65",
        "field": "beam",
    }
    assert problem.to_json(openai=True)["error"] == {
        "message": "beam: expected a number from 1 to 64, got 65",
        "type": "invalid_request_error",
        "param": "beam",
        "code": None,
    }


@pytest.mark.parametrize(
    "status, kind",
    [
        (401, "authentication_error"),
        (404, "invalid_request_error"),
        (429, "rate_limit_error"),
        (503, "server_error"),
    ],
)
def test_openais_types(status, kind):
    assert Problem(status, "…").to_json(openai=True)["error"]["type"] == kind


@pytest.mark.parametrize(
    "got, shown",
    [
        ("a" * 1000, 60),
        ({"a": list(range(1000))}, 60),
        ("\ud800\x1b", 60),
        (Plain("words as they are"), 17),
        (10**4000, 60),
    ],
)
def test_what_came_is_shown_in_short_and_can_be_sent(got, shown):
    text = invalid("x", "something else", got).got
    text.encode()
    assert len(text) <= shown and "\x1b" not in text


@pytest.mark.parametrize(
    "error, status, field",
    [
        (Problem(415, "…"), 415, None),
        (Stopped(), 504, None),
        (MemoryError("…"), 413, None),
        (ValueError("Model.verb: text: expected one token, got none"), 400, "text"),
        (ShapeError("Model.verb: sequences[0]: expected (T, I=2), got (3,)"), 400, "sequence"),
        (TypeError("Model.verb: sequence: expected …, got …"), 400, "sequence"),
        (ValueError("Model.verb: expected a trained model, got one with its initial parameters"), 500, None),
        (ValueError("Model.verb: expected a model with finite outputs, got NaN"), 500, None),
    ],
)
def test_errors_of_models(error, status, field):
    problem = problem_of(error, ["text", "sequence"])
    assert (problem.status, problem.field) == (status, field)
    if field is not None:  # without the operation and the place in the batch, which the client does not know
        assert problem.detail.startswith(f"{field}: expected ")


@pytest.mark.parametrize(
    "error",
    [
        KeyError("text"),
        RuntimeError("…"),
        ValueError("not of that form"),
        ValueError("Model.verb: other: expected one, got none"),
        ValueError("Model.verb: texts[1]: expected one, got none"),
    ],
)
def test_other_errors_are_the_servers_own(error):
    assert problem_of(error, ["text"]) is None
