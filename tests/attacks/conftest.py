"""A real server with one small model of each kind, as a process of its own."""

import contextlib
import re
import signal
import subprocess
import sys
import time

import pytest
import served_models

#: Limits that an attack reaches quickly.
OPTIONS = ["--text", "2000", "--numbers", "200", "--tokens", "50", "--body", "100000", "--seconds", "20"]


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Returns the folder of the models' files."""
    folder = tmp_path_factory.mktemp("models")
    for name, model in served_models.models().items():
        model.save(folder / f"{name}.rnn")
    return folder


@pytest.fixture(scope="session")
def server(models, tmp_path_factory):
    """Returns the URL of the server, which must answer, and end at SIGTERM, when all attacks are over."""
    files = sorted(map(str, models.glob("*.rnn")))
    with serving(tmp_path_factory.mktemp("log") / "server.log", *files, *OPTIONS) as url:
        yield url


@contextlib.contextmanager
def serving(log, *arguments):
    """Runs a server, which must not fail, and end at SIGTERM; gives its URL."""
    command = [sys.executable, "-m", "rnnrs.cli", "serve", *arguments, "--port", "0"]
    with open(log, "wb") as output, subprocess.Popen(command, stderr=output) as process:
        try:
            yield _url(process, log)
            assert process.poll() is None, log.read_text()[-5_000:]
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            finally:
                process.kill()
    assert process.returncode == 0
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="session")
def narrow(models, tmp_path_factory):
    """Returns the URL of a server for which a token is needed, and whose models have one place to wait."""
    folder = tmp_path_factory.mktemp("narrow")
    tokens = folder / "tokens"
    tokens.write_text("open-sesame-open-sesame\n")
    tokens.chmod(0o600)
    options = ["--token-file", str(tokens), "--queue", "1", "--batch", "1"]
    with serving(folder / "server.log", str(models / "letters.rnn"), *options) as url:
        yield url


def _url(process, log):
    """Returns the address that the server writes down once it listens."""
    while process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(log.read_text())
