"""Clients that are slow, or ask for too much: the server goes on without them."""

import asyncio
import itertools
import json
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
from running_server import answer_of, connected, drip, everything, running, wait
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

from rnnrs.serve import Limits, create_app

HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"
UPGRADE = (
    b"GET /socket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def echo(request):
    return PlainTextResponse(await request.body())


async def endless(request):
    async def parts():
        while True:
            yield b"x" * 60_000
            await asyncio.sleep(0)

    return StreamingResponse(parts())


async def slowly_endless(request):
    async def parts():
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    return StreamingResponse(parts())


async def large(request):
    return PlainTextResponse("x" * 50_000)


async def socket(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


@pytest.fixture(scope="module")
def server():
    app = create_app({}, limits=Limits(header_seconds=0.8, seconds=1.5, head=2000, message=10_000))
    app.router.routes[:0] = [
        Route("/echo", echo, methods=["POST"]),
        Route("/endless", endless),
        Route("/large", large),
        WebSocketRoute("/socket", socket),
    ]
    with running(app) as made:
        yield made


@pytest.fixture(autouse=True)
def no_connection_is_left(server):
    wait(lambda: not server.server_state.connections)
    yield
    wait(lambda: not server.server_state.connections and not server.server_state.tasks)


def status(answer):
    return int(answer.split(b" ", 2)[1])


def frame(opcode, payload=b"", fin=True):
    """A frame as a client sends it, masked by zeros."""
    assert len(payload) < 65536
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack("!H", len(payload))
    return bytes([opcode | (0x80 if fin else 0)]) + size + bytes(4) + payload


def upgraded(client):
    client.sendall(UPGRADE)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += client.recv(1)
    assert status(answer) == 101
    return client


def a_connection_serves_several_requests_until_it_is_idle(server):
    with connected(server) as client:
        for _ in range(3):
            client.sendall(HEAD + b"\r\n")
            assert answer_of(client)[2] == b'{"status":"ok"}'
        assert everything(client) == b""


def a_client_that_sends_nothing_is_disconnected(server):
    with connected(server) as client:
        assert everything(client) == b""


def a_head_that_comes_byte_by_byte_is_disconnected(server, before=b""):
    with connected(server) as client:
        client.sendall(before)
        head = itertools.chain((bytes([byte]) for byte in HEAD), itertools.repeat(b"X: 1\r\n"))
        assert not drip(client, itertools.islice(head, 300))


def a_second_head_that_comes_byte_by_byte_is_disconnected(server):
    a_head_that_comes_byte_by_byte_is_disconnected(server, HEAD + b"\r\n")


def a_body_that_stops_is_answered_with_408(server):
    with connected(server) as client:
        client.sendall(POST + b"Content-Length: 10\r\n\r\nabc")
        answer = everything(client)
        assert status(answer) == 408
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 408


def a_body_that_drips_is_answered_with_408_in_the_end(server):
    with connected(server) as client:
        client.sendall(POST + b"Content-Length: 100000\r\n\r\n")
        drip(client, itertools.repeat(b"x", 40))
        assert status(everything(client)) == 408


def a_body_that_nobody_needs_is_not_waited_for(server):
    with connected(server) as client:
        client.sendall(b"POST /unknown HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
        assert answer_of(client)[0] == 404
        assert not drip(client, itertools.repeat(b"x", 300))


def a_websocket_stays_open_while_its_client_thinks(server):
    with connected(server) as client:
        upgraded(client)
        for _ in range(12):
            drip(client, [frame(1, b"hello")], pause=0.1)
            assert client.recv(100) == b"\x81\x05hello"


SLOW = (
    a_connection_serves_several_requests_until_it_is_idle,
    a_client_that_sends_nothing_is_disconnected,
    a_head_that_comes_byte_by_byte_is_disconnected,
    a_second_head_that_comes_byte_by_byte_is_disconnected,
    a_body_that_stops_is_answered_with_408,
    a_body_that_drips_is_answered_with_408_in_the_end,
    a_body_that_nobody_needs_is_not_waited_for,
    a_websocket_stays_open_while_its_client_thinks,
)


@pytest.fixture(scope="module")
def slow_clients(server):
    """What became of the slow clients: they all wait at the same time."""
    with ThreadPoolExecutor(len(SLOW)) as pool:
        return {client: pool.submit(client, server) for client in SLOW}


@pytest.mark.parametrize("client", SLOW, ids=lambda client: client.__name__)
def test_slow_clients(client, slow_clients):
    slow_clients[client].result()


@pytest.mark.parametrize("path", [b"/endless", b"/large"])
def test_a_client_that_does_not_read_is_disconnected(server, path):
    with connected(server) as client:
        request = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        drip(client, itertools.repeat(request * 10, 30), pause=0.0)  # many answers fill the buffers, too
        wait(lambda: not server.server_state.connections)


def test_a_head_that_is_too_large(server):
    with connected(server) as client:
        client.sendall(HEAD + b"X: " + b"x" * 3000)
        assert status(everything(client)) == 431  # it is incomplete
    with connected(server) as client:
        client.sendall(HEAD + b"X: " + b"x" * 3000 + b"\r\n\r\n")
        assert answer_of(client)[0] == 431
    with connected(server) as client:
        client.sendall(HEAD + b"X: " + b"x" * 1500 + b"\r\n\r\n")
        assert answer_of(client)[0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /\r\n\r\n",
        HEAD + b"Host: other\r\n\r\n",
        HEAD + b"X : 1\r\n\r\n",
    ],
    ids=["TLS", "HTTP/0.9", "two hosts", "space"],
)
def test_what_is_not_http(server, sent):
    with connected(server) as client:
        client.sendall(sent + b"\r\n\r\n")
        answer = everything(client)
        assert status(answer) == 400 and b"application/problem+json" in answer


def test_a_bad_chunk_within_a_body(server):
    with connected(server) as client:
        client.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n")
        assert status(everything(client)) == 400


def test_a_request_with_a_length_and_chunks_is_the_last_one(server):
    """Two ways to say where a body ends are how requests are smuggled past proxies."""
    both = b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    for path in (b"/echo", b"/unknown"):
        with connected(server) as client:
            client.sendall(POST.replace(b"/echo", path) + both + HEAD + b"\r\n")
            answer = everything(client)
            assert answer.count(b"HTTP/1.1 ") == 1 and b"connection: close" in answer.lower()


def test_connections_beyond_the_limit():
    with running(create_app({}, limits=Limits(connections=6))) as server, ExitStack() as stack:
        clients = [stack.enter_context(connected(server)) for _ in range(14)]
        for client in clients[:12]:
            client.sendall(HEAD + b"\r\n")
        answers = [answer_of(client) for client in clients[:12]]
        assert [status for status, _, _ in answers] == [200] * 6 + [503] * 6
        assert b"retry-after: 1" in answers[6][1] and b"application/problem+json" in answers[6][1]
        assert [everything(client) for client in clients[12:]] == [b"", b""]
        with connected(server) as client:  # the refused ones are closed
            client.sendall(HEAD.replace(b"/health", b"/v1/models") + b"\r\n")
            assert b'"error":{"message":"too many connections are open"' in answer_of(client)[2]


def test_streams_end_with_the_server_in_time(caplog):
    app = create_app({}, limits=Limits(seconds=1))
    app.router.routes.insert(0, Route("/endless", slowly_endless))
    with running(app) as server, connected(server) as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(65536)
        server.should_exit = True
        assert everything(client).endswith(b"1\r\nx\r\n")  # without the last chunk: it was cut off
    assert "cut off, as the server ends" in caplog.text


def test_a_handshake_that_is_refused(server, caplog):
    with connected(server) as client:
        client.sendall(UPGRADE.replace(b"Upgrade: w", b"Origin: http://evil.org\r\nUpgrade: w"))
        assert answer_of(client)[0] == 403 and everything(client) == b""
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    "head",
    [
        UPGRADE.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc"),
        UPGRADE.replace(b"\r\n\r\n", b"\r\nA: b" * 150 + b"\r\n\r\n"),
    ],
    ids=["body", "many headers"],
)
def test_a_handshake_that_cannot_be_read(server, head):
    with connected(server) as client:
        client.sendall(head)
        answer = everything(client)
        assert status(answer) == 400 and b"expected a handshake by GET" in answer


def test_websockets_are_closed_with_the_server():
    app = create_app({})
    app.router.routes.insert(0, WebSocketRoute("/socket", socket))
    with running(app) as server, connected(server) as client:
        upgraded(client)
        server.should_exit = True
        answer = everything(client)
    assert answer[:1] == b"\x88" and struct.unpack("!H", answer[2:4])[0] == 1012  # the service restarts


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (frame(1, b"x" * 10_001), 1009),
        (frame(1, b"", fin=False) + frame(0, b"", fin=False) * 1500, 1009),
        (frame(1, b"x" * 6000, fin=False) + frame(0, b"x" * 6000), 1009),
        (frame(1, b"\xff\xfe"), 1007),
        (frame(1, b"\xc3", fin=False) + frame(0, b"\xc3"), 1007),
        (b"\xf1" + frame(1)[1:], 1002),
        (frame(3), 1002),
    ],
    ids=["large", "parts", "large in parts", "not UTF-8", "not UTF-8 in parts", "reserved bits", "unknown"],
)
def test_messages_that_a_websocket_refuses(server, frames, code, caplog):
    with connected(server) as client:
        upgraded(client)
        drip(client, [frames], pause=0.0)
        answer = everything(client)
        assert answer[:1] == b"\x88" and struct.unpack("!H", answer[2:4])[0] == code
    assert caplog.records == []  # it is not an error of the server


def test_a_bad_message_and_the_end_at_once(server, caplog):
    with connected(server) as client:
        upgraded(client)
        client.sendall(frame(1, b"\xff") + frame(8, b"\x03\xe8"))
        assert everything(client)[:4] == b"\x88\x02\x03\xe8"
    assert caplog.records == []


@pytest.mark.parametrize("opcode", [1, 9], ids=["messages", "pings"])
def test_a_websocket_that_does_not_read_is_disconnected(server, opcode):
    with connected(server) as client:
        upgraded(client)
        client.settimeout(2)
        sent = 0
        with suppress(OSError):  # the buffers are full, or the connection is closed
            for sent in range(1000):  # noqa: B007
                client.sendall(frame(opcode, b"x" * 125) * 1000)
        assert sent < 500  # 65 MB: what the system's buffers take
        wait(lambda: not server.server_state.connections)
