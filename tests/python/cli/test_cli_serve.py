"""`rnnrs serve`: its options, and what it says where it cannot start. How it serves: tests/python/serve."""

import os
import signal
import sys

import pytest
from rnnrs_command import call, refused
from running_server import Process, wait
from small_applications import language, seq2seq

from rnnrs.cli.serve import LIMITS, is_loopback, read_tokens
from rnnrs.serve import Limits, server

TOKEN = "0123456789abcdef"


@pytest.fixture
def letters(tmp_path):
    language()[0].save(tmp_path / "letters.rnn")
    return tmp_path / "letters.rnn"


def test_every_limit_is_an_option():
    assert set(LIMITS) == set(Limits.__dataclass_fields__)


def test_files_that_cannot_be_served(tmp_path, letters):
    refused("No such file", "serve", tmp_path / "none.rnn")
    refused("letters.rnn: No such file", "serve", "name=elsewhere/letters.rnn")
    (tmp_path / "text.txt").write_text("no model")
    refused("text.txt", "serve", tmp_path / "text.txt")
    seq2seq()[0].save(tmp_path / "pairs.rnn")
    refused("pairs: expected a model of one of the kinds language_model", "serve", tmp_path / "pairs.rnn")
    refused("expected a name of its own for each model, got 'letters' twice", "serve", letters, letters)


def test_a_port_that_is_taken(letters):
    with server.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        refused(f"127.0.0.1:{port}: .*use", "serve", letters, "--port", port)


def test_the_extra_is_missing(letters, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    refused(r'uvicorn is not installed: pip install "rnnrs\[serve\]"', "serve", letters)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--port", "65536", "expected a port from 0 to 65535, got 65536"),
        ("--port", "http", "invalid port value: 'http'"),
        ("--workers", "0", "expected a whole number from 1, got 0"),
        ("--root-path", "models", "expected a path such as /models, got models"),
        ("--log-format", "xml", "expected one of line, json, got xml"),
        ("--seconds", "0", "expected a number above 0, got 0"),
        ("--queue", "-1", "expected a whole number from 1, got -1"),
    ],
)
def test_options_that_cannot_be_used(letters, option, value, message):
    refused(message, "serve", letters, f"{option}={value}", code=2)


def test_a_model_is_needed():
    refused("MODEL: expected at least one, or --demo", "serve")


def test_the_help_has_the_limits():
    code, out, _ = call("serve", "--help")
    assert (
        code == 0 and "--queue N" in out and "requests that wait for one model (256)" in " ".join(out.split())
    )


def test_tokens(tmp_path, letters, capsys):
    file = tmp_path / "tokens.txt"
    file.write_text(f"# of our application\n{TOKEN}\n\n  {TOKEN[::-1]}  \r\n")
    file.chmod(0o600)
    assert read_tokens(str(file)) == (TOKEN, TOKEN[::-1])
    assert capsys.readouterr().err == ""
    if os.name == "posix":
        file.chmod(0o644)
        assert read_tokens(str(file)) == (TOKEN, TOKEN[::-1])
        assert "tokens.txt: other users can read the tokens (chmod 600)" in capsys.readouterr().err
    file.write_text("# none\n")
    file.chmod(0o600)
    refused("tokens.txt: expected at least one token, got none", "serve", letters, "--token-file", file)
    file.write_text("secret\n")
    refused(
        r"at least 16 of the characters .* number 1 \(6 characters\)", "serve", letters, "--token-file", file
    )
    refused("none.txt: No such file", "serve", letters, "--token-file", tmp_path / "none.txt")


def test_who_reaches_an_address():
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.1.2.3", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.1", "example.org")))


@pytest.mark.skipif(os.name != "posix", reason="the system has other signals")
def test_it_serves(tmp_path, letters):
    """It says what it serves and where, keeps to its options, and logs no text."""
    tokens = tmp_path / "tokens.txt"
    tokens.write_text(TOKEN)
    tokens.chmod(0o600)
    arguments = (
        f"mine={letters}",
        "--token-file",
        tokens,
        "--root-path",
        "/models",
        "--log-format",
        "json",
        "--text",
        5,
        "--workers",
        2,
    )
    with Process(tmp_path, *arguments) as process:
        assert process.log.startswith(
            "rnnrs: serves mine: suggest, score, completions\nrnnrs: http://127.0.0.1:"
        )
        assert "/models/ (Ctrl-C ends the server)\n" in process.log
        assert process.get("/")[0] == process.get("/health")[0] == 200
        assert process.get("/suggest?text=The")[0] == 401
        status, _, body = process.get("/suggest?text=secret", {"Authorization": f"Bearer {TOKEN}"})
        assert status == 400 and b"at most 5 characters" in body
        assert process.get("/v1/models", {"Authorization": f"Bearer {TOKEN}"})[0] == 200
        wait(lambda: process.log.count('"path": "/models/') == 5)
        assert "text=" not in process.log and "secret" not in process.log and TOKEN not in process.log
        process.send(signal.SIGINT)
        assert process.ends() == 0
