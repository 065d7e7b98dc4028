"""A server in a thread of this process, and clients that are ruder than any library."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import threading
import time

from rnnrs_command import COMMAND

from rnnrs.serve.server import Server, Settings, listen


@contextlib.contextmanager
def running(app, settings=None):
    """Runs an application of `create_app` on loopback: yields the server, with `port`."""
    settings = settings or Settings()
    server = Server(app, settings)
    listening = listen("127.0.0.1", 0)
    server.port = listening.getsockname()[1]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        wait(lambda: server.started or not thread.is_alive())
        yield server
    finally:
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


class Process:
    """The command `rnnrs serve` in a process of its own, without a controlling terminal.

    Args:
        folder: where its standard error goes.
        arguments: the command line; the port is any free one.
    """

    def __init__(self, folder, *arguments):
        self._errors = folder / "standard-error.txt"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*COMMAND, "serve", *map(str, arguments), "--port", "0"],
                stderr=errors,
                start_new_session=True,
                env={**os.environ, "PYTHONUTF8": "1"},
            )

    def __enter__(self):
        wait(lambda: "Ctrl-C" in self.log or self.process.poll() is not None)
        assert self.process.poll() is None, self.log
        self.port = int(re.search(r"http://127.0.0.1:(\d+)/", self.log)[1])
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    @property
    def log(self):
        """What it has written so far."""
        return self._errors.read_text(encoding="utf-8")

    def send(self, number):
        """Sends it a signal."""
        self.process.send_signal(number)

    def ends(self):
        """Waits for its end, and returns the exit code."""
        return self.process.wait(30)

    def get(self, path, headers=()):
        """Asks for a path on a connection of its own: (status, head, body)."""
        headers = {"Host": "localhost", "Connection": "close", **dict(headers)}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        with connected(self) as client:
            client.sendall("\r\n".join(lines).encode())
            return answer_of(client)


def wait(happened):
    """Waits until something has happened."""
    for _ in range(3000):
        if happened():
            return
        time.sleep(0.02)
    raise AssertionError("it has not happened")


@contextlib.contextmanager
def connected(server):
    """A connection to a server."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        yield client


def everything(client):
    """What the server sends until it closes the connection."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := client.recv(65536):
            received += part
    return received


def answer_of(client):
    """One answer with a body of known length: (status, head, body)."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += (part := client.recv(65536))
        assert part
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(re.search(rb"\ncontent-length: (\d+)", head.lower())[1])
    while len(body) < length:
        body += (part := client.recv(65536))
        assert part
    return int(head.split(b" ", 2)[1]), head, body


def drip(client, parts, pause=0.05):
    """Sends parts with pauses, as long as the connection is open; returns whether it was open to the end."""
    try:
        for part in parts:
            client.sendall(part)
            time.sleep(pause)
    except ConnectionError:
        return False
    return True
