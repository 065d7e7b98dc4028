"""Clients that want to harm: the server goes on serving others, and keeps no memory of them."""

import io
import itertools
import json
import random
import re
import signal
import socket
import struct
import threading
import time
import zlib
from contextlib import ExitStack, suppress

import pytest
from running_server import Process, answer_of, connected, drip, everything, wait

HEAD = "{} {} HTTP/1.1\r\nHost: localhost\r\n"
STREAM = {"model": "letters", "prompt": "The", "max_tokens": 50, "stream": True}


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    names = ("letters", "words", "captioner")
    options = [
        "--header-seconds",
        "1",
        "--seconds",
        "10",
        "--body",
        "100000",
        "--text",
        "2000",
        "--tokens",
        "50",
    ]
    files = [str(models / f"{name}.rnn") for name in names]
    with Process(tmp_path_factory.mktemp("log"), *files, *options) as process:
        yield process
        process.send(signal.SIGTERM)
        assert process.ends() == 0
        assert "Traceback" not in process.log


@pytest.fixture(autouse=True)
def it_goes_on_serving(server):
    yield
    assert asked(server, "GET", "/suggest?model=words&text=The")[0] == 200
    wait(lambda: numbers(server)["rnnrs_websockets"] == 0)
    assert numbers(server)['rnnrs_waiting_requests{model="letters"}'] == 0


def request(method, path, body=b"", kind="application/json", **headers):
    """The bytes of a request."""
    lines = [HEAD.format(method, path).rstrip(), f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def asked(server, method, path, body=b"", **more):
    """The answer on a connection of its own: (status, head, body)."""
    with connected(server) as client:
        client.sendall(request(method, path, body, Connection="close", **more))
        return answer_of(client)


def numbers(server):
    """The server's metrics."""
    text = asked(server, "GET", "/metrics")[2].decode()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line[0] != "#"
    }


def refused(server, statuses, *arguments, **more):
    """Checks that a request is answered with a problem."""
    status, head, body = asked(server, *arguments, **more)
    assert status in statuses, (status, body[:500])
    assert b"application/problem+json" in head and json.loads(body)["status"] == status


def reset(client):
    """Closes a connection by a reset, as a process that is killed."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_slowloris(server):
    """300 clients send their heads byte by byte, and come back; one that is polite is answered all the time."""
    stopped = threading.Event()

    def rude():
        while not stopped.is_set():
            with ExitStack() as stack, suppress(OSError):
                clients = [stack.enter_context(connected(server)) for _ in range(75)]
                for byte in itertools.islice(itertools.cycle(b"GET /health HTTP/1.1\r\nX"), 20):
                    for client in clients:
                        client.sendall(bytes([byte]))
                    time.sleep(0.1)

    threads = [threading.Thread(target=rude) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(60):
            assert asked(server, "GET", "/suggest?model=words&text=The")[0] == 200
            time.sleep(0.1)
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def test_a_thousand_aborted_streams(server):
    def abort(count):
        for _ in range(count):
            with ExitStack() as stack:
                clients = []
                for _ in range(50):
                    clients.append(stack.enter_context(connected(server)))
                    clients[-1].sendall(request("POST", "/v1/completions", json.dumps(STREAM).encode()))
                for number, client in enumerate(clients):
                    if number % 3:
                        client.recv(100)
                    if number % 2:
                        reset(client)

    abort(4)
    before = numbers(server)["process_resident_memory_bytes"]
    abort(16)
    with connected(server) as client:  # the places are free again
        client.sendall(request("POST", "/v1/completions", json.dumps(STREAM).encode(), Connection="close"))
        assert everything(client).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert numbers(server)["process_resident_memory_bytes"] < before + 20e6


def test_aborted_websockets(server):
    upgrade = (
        HEAD.format("GET", "/suggest?model=words") + "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    ).encode()
    upgrade += b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    for _ in range(10):
        with ExitStack() as stack:
            for _ in range(50):
                client = stack.enter_context(connected(server))
                client.sendall(
                    upgrade + b"\x81\x88\0\0\0\0" + b'{"k": 1}' + b"\x81\xfe"
                )  # half of a second frame
                assert client.recv(12).startswith(b"HTTP/1.1 101")
                reset(client)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/score", b"[" * 90_000),
        ("/score", b'{"text":' * 10_000),
        ("/score", b'{"text": ' + b"9" * 90_000 + b"}"),
        ("/suggest", b'{"model": "words", "text": "", "k": 1' + b"0" * 90_000 + b"}"),
        ("/suggest", b'{"model": "words", "text": "", "k": 1e999}'),
        ("/score", b'{"model": "words", "text": "\xff"}'),
        ("/score", b'{"model": "words", "text": "\\ud800"}'),
        ("/score", b'{"model": "words", "text": "a\\u0000", "after": NaN}'),
        ("/score", b"\xef\xbb\xbf{}"),
        ("/score", b"\x1f\x8b\x08\x00"),
        ("/v1/completions", b'{"model": "letters", "prompt": [' + b'"",' * 30_000 + b'""]}'),
        ("/describe", json.dumps({"picture": "AAAA" * 20_000}).encode()),
    ],
)
def test_bodies_that_are_traps(server, path, body):
    refused(server, {400, 413}, "POST", path, body)


def test_bodies_that_are_too_large(server):
    refused(server, {413}, "POST", "/score", b"x" * 100_001)
    refused(server, {413}, "POST", "/describe", b"x" * 100_001, kind="multipart/form-data; boundary=b")
    with connected(server) as client:
        client.sendall(
            (
                HEAD.format("POST", "/score")
                + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            ).encode()
        )
        drip(client, itertools.repeat(b"4000\r\n" + b"x" * 0x4000 + b"\r\n", 1000), pause=0.0)
        assert everything(client).startswith(b"HTTP/1.1 413")


def png(width, height):
    """A picture of zeros that says it is this large; its data are a few bytes for a thousand."""

    def chunk(kind, data):
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack("!IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(bytes(50_000_000), 9))
        + chunk(b"IEND", b"")
    )


def form(*parts):
    """A form with files of the name `picture`."""
    body = io.BytesIO()
    for part in parts:
        body.write(
            b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n' + part + b"\r\n"
        )
    return body.getvalue() + b"--b--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        form(png(65_000, 65_000)),
        form(png(7_000, 7_000)),
        form(png(2, 2)[:41]),
        form(b"\xff\xd8\xff\xe0" + b"\xff" * 1000),
        form(b"GIF89a" + b"\xff" * 1000),
        form(*[b""] * 900),
        b"--b\r\n" + b"X: y\r\n" * 10_000,
        b"--b\r\nContent-Disposition: form-data; name=" + b"x" * 90_000 + b"\r\n\r\n\r\n--b--\r\n",
        b"--b" * 30_000,
        b"",
    ],
    ids=["65,000²", "7,000²", "cut", "JPEG", "GIF", "parts", "headers", "name", "boundaries", "nothing"],
)
def test_pictures_and_forms_that_are_traps(server, body):
    refused(server, {400, 413}, "POST", "/describe", body, kind="multipart/form-data; boundary=b")


def test_a_boundary_that_is_none(server):
    for kind in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 5000,
    ):
        refused(server, {400, 415}, "POST", "/describe", form(b"x"), kind=kind)


def test_random_bytes(server):
    random_bytes = random.Random(1)
    start = request("POST", "/score", b'{"text": "The"}')
    for _ in range(300):
        sent = bytearray(start)
        for _ in range(random_bytes.randrange(1, 20)):
            sent[random_bytes.randrange(len(sent))] = random_bytes.randrange(256)
        with connected(server) as client, suppress(ConnectionError):
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            answer = everything(client)
            statuses = re.findall(rb"HTTP/1.1 (\d+)", answer)
            assert not statuses or not statuses[0].startswith(b"5"), (bytes(sent), answer)


def test_paths_that_are_traps(server):
    for path in (
        "/page/..%2f..%2fapp.py",
        "/%00",
        "/%ff%fe",
        "//etc/passwd",
        "/page/%2e%2e/app.py",
        "/" + "a/" * 5000,
    ):
        refused(server, {404}, "GET", path)
    refused(server, {400, 431}, "GET", "/" + "a" * 20_000)
    with connected(server) as client:
        client.sendall(b"GET http://localhost/health HTTP/1.1\r\nHost: evil.org\r\n\r\n")
        assert answer_of(client)[0] in (400, 404, 421)
