"""The log: one line, or one JSON object, for each request, and no texts unless asked."""

import contextlib
import io
import json
import logging
import re

import pytest
from starlette.testclient import TestClient

from rnnrs.serve import create_app, logs

SECRET = "a text of a person"


@pytest.fixture
def log():
    """Begins to log, and returns a function for the lines so far."""
    names = ("rnnrs.serve", "uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio")
    before = {name: logging.getLogger(name) for name in names}
    states = {name: (one.handlers, one.level, one.propagate) for name, one in before.items()}
    written = io.StringIO()

    def start(form):
        with contextlib.redirect_stderr(written):
            logs.start(form)
        return lambda: written.getvalue().splitlines()

    start.written = written
    yield start
    for name, (handlers, level, propagate) in states.items():
        one = before[name]
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


def client(**options):
    return TestClient(create_app({}, **options), base_url="http://localhost")


def test_a_line_for_each_request(log):
    lines = log("line")
    made = client()
    made.get("/health", headers={"X-Request-ID": "order-66.b_c"})
    made.post(f"/score?text={SECRET}", json={"text": SECRET})
    made.get(f"/suggest?text={SECRET}")
    first, *others = lines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z testclient GET /health 200 \d+\.\d ms 15 B id=order-66\.b_c",
        first,
    )
    assert len(others) == 2 and re.search(r" POST /score 4\d\d \d+\.\d ms \d+ B id=[0-9a-f]{16}$", others[0])
    assert SECRET not in str(lines()) and "person" not in str(lines())


def test_a_json_object_for_each_request(log):
    lines = log("json")
    client().get("/health")
    facts = json.loads(lines()[0])
    assert {name: facts[name] for name in ("level", "client", "method", "path", "status", "bytes")} == {
        "level": "info", "client": "testclient", "method": "GET", "path": "/health", "status": 200, "bytes": 15,
    }  # fmt: skip
    assert facts["ms"] >= 0 and re.fullmatch("[0-9a-f]{16}", facts["id"]) and facts["time"].endswith("Z")


@pytest.mark.parametrize("form", logs.FORMATS)
def test_texts_only_if_asked(log, form):
    lines = log(form)
    client(log_texts=True).post("/score?a=b", json={"text": SECRET + "\x1b[31m\nforged"})
    (line,) = lines()
    assert SECRET in line and "a=b" in line and "\x1b" not in line
    client(log_texts=True).post("/score", json="x" * 5000)
    assert len(lines()[1]) < 2500


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\tb", '"}', "ü"])
def test_an_id_that_is_not_sane_is_replaced(given):
    made = client().get("/health", headers={"X-Request-ID": given.encode("latin-1")})
    assert re.fullmatch("[0-9a-f]{16}", made.headers["x-request-id"])


@pytest.mark.parametrize("form", logs.FORMATS)
def test_nothing_in_a_request_can_forge_a_line_or_command_a_terminal(log, form):
    lines = log(form)
    client().get("/a%0A2026-01-01%1b[31m\u2028x")
    logging.getLogger("rnnrs.serve").error("reload: %s", "a\nb\x1b[0m\u2028\x85\rc")
    found = lines()
    assert len(found) == 2 and all(line.isprintable() for line in found)


@pytest.mark.parametrize(
    ("address", "shown"),
    [("2001:db8::1%eth0", "2001:db8::1%eth0"), ("1.2.3.4 GET /forged 200", "-"), ("", "-")],
)
def test_a_client_that_says_who_it_is_cannot_write_into_the_log(log, address, shown):
    """uvicorn takes the client from X-Forwarded-For, which any program of this machine can send."""
    lines = log("line")
    TestClient(create_app({}), base_url="http://localhost", client=(address, 1)).get("/health")
    assert f"Z {shown} GET /health 200 " in lines()[0]


@pytest.mark.parametrize("source", ["uvicorn.error", "asyncio"])
@pytest.mark.parametrize("form", logs.FORMATS)
def test_errors_have_their_traceback(log, form, source):
    lines = log(form)
    try:
        raise RuntimeError("a bug")
    except RuntimeError:
        logging.getLogger(source).exception("failed")
    text = "\n".join(lines())
    assert "RuntimeError: a bug" in text and "test_logs.py" in text and "error" in text
    assert form == "line" or "RuntimeError: a bug" in json.loads(text)["traceback"]


def test_uvicorn_does_not_log_queries(log):
    lines = log("line")
    for name in ("uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).info('"WebSocket %s" [accepted]', f"/suggest?text={SECRET}")
    assert lines() == []


def test_an_output_that_cannot_be_written_stops_nothing(log):
    def full(text):
        raise OSError("no space left")

    log("line")
    log.written.write = full
    assert client().get("/health").status_code == 200
