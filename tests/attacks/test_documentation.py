"""docs/serving.md where it needs other programs: nginx, systemd, OpenAI's client."""

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
import served_models
from documentation import SERVING, blocks
from running_server import running, wait
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from rnnrs.serve import create_app
from rnnrs.serve.openai.generating import Generating
from rnnrs.serve.server import Settings

ADDRESS = "127.0.0.1:8080"

#: What surrounds the page's settings: nginx in the foreground, which writes only where it may.
NGINX = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    %s
}
"""


def block(language):
    """The page's one block in a language."""
    ((_, code),) = blocks(SERVING, language)
    return code


@pytest.fixture
def proxy():
    """Returns the port of nginx, with the page's settings, in front of a server with the page's options."""
    app = create_app({"shakespeare": served_models.MADE["letters"]()}, hosts=["example.org"])
    with running(app, Settings(root_path="/models")) as server, nginx(f"127.0.0.1:{server.port}") as port:
        yield port


@contextlib.contextmanager
def nginx(server):
    """Runs nginx, without rights and in a folder of its own, in front of a server; yields its port."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "needs nginx: apt-get install nginx"
    with tempfile.TemporaryDirectory(prefix="rnnrs-nginx-") as made, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        folder = Path(made)
        settings = block("nginx").replace(ADDRESS, server).replace("listen 80;", f"listen 127.0.0.1:{port};")
        (folder / "nginx.conf").write_text(NGINX % settings, "utf-8")
        unprivileged = {"user": "nobody"} if os.geteuid() == 0 else {}
        if unprivileged:
            shutil.chown(folder, "nobody")
        command = [program, "-e", "stderr", "-p", made, "-c", "nginx.conf"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stderr=log, **unprivileged)
        try:
            wait(lambda: process.poll() is not None or listens(port))
            assert process.poll() is None, (folder / "log").read_text()
            yield port
        finally:
            process.terminate()
            process.wait(20)
        log = (folder / "log").read_text()
        assert not re.search(r"\[(warn|error|crit|alert|emerg)\]", log), log


def listens(port):
    """Whether something listens at a port of loopback."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_nginx_shows_the_page_and_its_files_below_a_path(proxy):
    status, headers, _ = ask(proxy, "GET", "/models")
    assert (status, headers["location"]) == (301, f"http://example.org:{proxy}/models/")
    status, headers, page = ask(proxy, "GET", "/models/")
    assert status == 200 and headers["content-type"] == "text/html; charset=utf-8"
    files = re.findall(r'(?:src|href)="(?!#)([^"]+)"', page)
    assert len(files) > 1
    for file in files:
        assert ask(proxy, "GET", f"/models/{file}")[0] == 200, file
    assert json.loads(ask(proxy, "GET", "/models/openapi.json")[2])["servers"] == [{"url": "/models"}]


def test_nginx_hands_requests_and_problems_on(proxy):
    status, _, answer = ask(proxy, "POST", "/models/suggest", {"text": "The c", "k": 2})
    assert (status, json.loads(answer)["model"]) == (200, "shakespeare")
    status, headers, answer = ask(proxy, "POST", "/models/suggest", {"text": "The c", "k": 99})
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert ask(proxy, "GET", "/models/health", host="evil.example")[0] == 421


def test_nginx_passes_events_on_one_by_one(proxy, monkeypatch):
    step, seen, waits = Generating.step, threading.Event(), []

    def after_three_are_read(self):
        waits.append(seen.wait(20) if len(waits) == 4 else None)
        return step(self)

    monkeypatch.setattr(Generating, "step", after_three_are_read)
    body = json.dumps({"prompt": "The", "max_tokens": 6, "stream": True})
    headers = {"Host": f"example.org:{proxy}", "Content-Type": "application/json"}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", proxy, timeout=30)) as client:
        client.request("POST", "/models/v1/completions", body, headers)
        answer = client.getresponse()
        for _ in range(3):  # the first may come with the head
            assert answer.readline().startswith(b"data: {")
            assert answer.readline() == b"\n"
        seen.set()
        assert answer.read().endswith(b"data: [DONE]\n\n")
    assert waits[4] is True


def test_nginx_passes_websockets_on(proxy):
    own = f"http://example.org:{proxy}"
    with (
        socket.create_connection(("127.0.0.1", proxy)) as made,
        connect(f"ws://example.org:{proxy}/models/suggest", sock=made, origin=own) as typing,
    ):
        for message, length in (({"text": "The c"}, 5), ({"insert": "a"}, 6)):
            typing.send(json.dumps(message))
            assert json.loads(typing.recv(20))["length"] == length
    with socket.create_connection(("127.0.0.1", proxy)) as made, pytest.raises(InvalidStatus) as refused:
        connect(f"ws://example.org:{proxy}/models/suggest", sock=made, origin="http://evil.example")
    assert refused.value.response.status_code == 403


def ask(port, method, path, body=None, host="example.org"):
    """Sends a request to the proxy: (status, headers, body)."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Host": f"{host}:{port}"} | ({} if body is None else {"Content-Type": "application/json"})
    client.request(method, path, None if body is None else json.dumps(body), headers)
    answer = client.getresponse()
    found = (
        answer.status,
        {name.lower(): value for name, value in answer.getheaders()},
        answer.read().decode(),
    )
    client.close()
    return found


def test_the_unit_of_systemd_is_valid_and_hardened(tmp_path):
    assert shutil.which("systemd-analyze"), "needs systemd-analyze: apt-get install systemd"
    unit = tmp_path / "rnnrs.service"
    program = Path(sys.executable).with_name("rnnrs")
    assert program.exists()
    unit.write_text(block("ini").replace("/opt/rnnrs/bin/rnnrs", str(program)), "utf-8")
    for command in (["verify", "--man=no"], ["security", "--offline=true", "--no-pager", "--threshold=20"]):
        done = subprocess.run(
            ["systemd-analyze", *command, str(unit)], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_program_with_openais_client_runs(capsys):
    (code,) = [code for _, code in blocks(SERVING, "python") if "openai" in code]
    made = {"shakespeare": "letters", "chat": "chatbot"}
    models = {name: served_models.MADE[one]() for name, one in made.items()}
    with running(create_app(models)) as server:
        exec(compile(code.replace(ADDRESS, f"127.0.0.1:{server.port}"), str(SERVING), "exec"), {})
    assert len(capsys.readouterr().out.split()) > 1
