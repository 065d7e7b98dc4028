"""What every request passes: hosts, origins, tokens, bodies, and the headers of all answers."""

import asyncio
import time

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse

from rnnrs.serve import Limits
from rnnrs.serve.guards import SECURITY, check_tokens, guards, name_of
from rnnrs.serve.metrics import Metrics
from rnnrs.serve.responses import HANDLERS
from rnnrs.serve.watch import Watch

TOKEN, OTHER = "a-first-token-of-24-characters"[:24], "another.token~of+letters"


async def echo(request):
    return PlainTextResponse(await request.body())


async def ignoring(request):
    return PlainTextResponse("not read")


async def failing(request):
    raise RuntimeError("a bug")


async def breaking(request):
    async def parts():
        yield "begun"
        raise RuntimeError("a bug")

    return StreamingResponse(parts())


async def socket(websocket):
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


def guarded(limits=None, **options):
    routes = [
        Route(path, echo, methods=["GET", "POST"])
        for path in ("/", "/echo", "/health", "/v1/echo", "/page/a.js")
    ]
    routes += [
        Route("/ignoring", ignoring, methods=["POST"]),
        Route("/failing", failing),
        Route("/breaking", breaking),
    ]
    routes += [WebSocketRoute("/socket", socket)]
    watch = Middleware(Watch, routes=routes, metrics=Metrics([], {}))
    return Starlette(
        routes=routes, middleware=guards(watch, limits or Limits(), **options), exception_handlers=HANDLERS
    )


def client(base_url="http://localhost", limits=None, **options):
    return TestClient(guarded(limits, **options), base_url=base_url)


def refused(answer, status, word):
    """Checks that an answer is a problem."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and word in problem["detail"], problem
    return problem


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:81", "127.0.0.1", "[::1]:8080", "192.168.0.7:80", "own.org."]
)
def test_names_of_the_server(host):
    assert client(hosts=["own.org"]).get("/echo", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.org",
        "localhost.evil.org",
        "127.0.0.1.evil.org",
        "",
        "own.org.evil",
        "own.org@evil.org",
        "[::1].evil",
    ],
)
def test_other_names_are_refused_as_a_page_may_have_them_point_here(host):
    problem = refused(client(hosts=["own.org"]).get("/echo", headers={"Host": host}), 421, "Host: expected")
    assert problem["expected"] == "an IP address, localhost, own.org" and problem["got"] == host


def test_any_name_if_it_is_said_so():
    assert client(hosts=["*"]).get("/echo", headers={"Host": "any.org"}).status_code == 200


def test_a_websocket_has_the_same_checks():
    with client().websocket_connect("ws://localhost/socket") as made:
        assert made.receive_text() == "hello"
    for headers, status in (({"Host": "evil.org"}, 421), ({"Origin": "https://evil.org"}, 403)):
        with (
            pytest.raises(WebSocketDenialResponse) as denial,
            client().websocket_connect("ws://localhost/socket", headers=headers),
        ):
            pass
        refused(denial.value, status, "expected")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8080", "localhost:8080"),
        ("http://localhost", "localhost:80"),
        ("https://own.org", "own.org"),
        ("https://own.org:443", "own.org"),
        ("HTTP://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("https://friend.org", "localhost"),
    ],
)
def test_origins_that_may_ask(origin, host):
    asked = client(hosts=["own.org"], cors=["https://friend.org"]).post(
        "/echo", headers={"Origin": origin, "Host": host}
    )
    assert asked.status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:81",
        "https://evil.org",
        "null",
        "",
        "http://friend.org",
        "https://friend.org.evil",
        "file://",
        "http://[",
    ],
)
def test_pages_of_other_sites_are_refused(origin):
    for made in (client(), client(cors=["https://friend.org"])):
        refused(
            made.post("/echo", headers={"Origin": origin, "Host": "localhost:80"}), 403, "Origin: expected"
        )


def test_cross_origin_requests_are_off_by_default_and_on_for_chosen_origins():
    preflight = {"Origin": "https://friend.org", "Access-Control-Request-Method": "POST"}
    preflight["Access-Control-Request-Headers"] = "authorization, content-type"
    refused(client().options("/echo", headers=preflight), 403, "Origin")
    made = client(cors=["https://friend.org"], tokens=[TOKEN])
    allowed = made.options("/echo", headers=preflight)  # a preflight has no token
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://friend.org"
    assert "POST" in allowed.headers["access-control-allow-methods"]
    asked = made.post("/echo", headers={"Origin": "https://friend.org", "Authorization": f"Bearer {TOKEN}"})
    assert (
        asked.headers["access-control-allow-origin"] == "https://friend.org"
        and "origin" in asked.headers["vary"].lower()
    )
    refusal = made.post("/echo", headers={"Origin": "https://friend.org"})
    assert (
        refusal.status_code == 401 and refusal.headers["access-control-allow-origin"] == "https://friend.org"
    )
    anyone = client(cors=["*"]).post("/echo", headers={"Origin": "https://any.org"})
    assert anyone.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", ["/", "/health", "/page/a.js"])
def test_what_needs_no_token(path):
    assert client(tokens=[TOKEN]).get(path).status_code == 200


@pytest.mark.parametrize("token", [TOKEN, OTHER])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_token_opens_the_rest(token, scheme):
    made = client(tokens=[TOKEN, OTHER])
    assert made.get("/echo", headers={"Authorization": f"{scheme} {token}"}).status_code == 200


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        (None, 'Bearer realm="rnnrs"'),
        ("", 'Bearer realm="rnnrs"'),
        (f"Bearer {TOKEN}x", 'Bearer realm="rnnrs", error="invalid_token"'),
        (f"Bearer {TOKEN[:-1]}", 'Bearer realm="rnnrs", error="invalid_token"'),
        (f"Bearer {TOKEN} {OTHER}", 'Bearer realm="rnnrs", error="invalid_token"'),
        (f"Basic {TOKEN}", 'Bearer realm="rnnrs", error="invalid_token"'),
        (TOKEN, 'Bearer realm="rnnrs"'),
        ("Bearer \xe9", 'Bearer realm="rnnrs", error="invalid_token"'),
    ],
)
def test_without_a_token(authorization, challenge):
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    for path in ("/echo", "/v1/echo", "/unknown", "/pageant"):
        answer = client(tokens=[TOKEN, OTHER]).get(path, headers=headers)
        problem = refused(answer, 401, "token")
        assert answer.headers["www-authenticate"] == challenge
        assert (problem.get("error") or {}).get("type") == (
            "authentication_error" if path.startswith("/v1/") else None
        )


def test_a_token_in_the_url_is_none():
    refused(client(tokens=[TOKEN]).get(f"/echo?token={TOKEN}"), 401, "token")


def test_a_websockets_token_may_be_a_subprotocol_as_browsers_cannot_set_headers():
    made = client(tokens=[TOKEN])
    with made.websocket_connect(
        "ws://localhost/socket", headers={"Authorization": f"Bearer {TOKEN}"}
    ) as opened:
        assert opened.receive_text() == "hello" and opened.accepted_subprotocol is None
    with made.websocket_connect("ws://localhost/socket", subprotocols=[f"bearer.{TOKEN}"]) as opened:
        assert opened.accepted_subprotocol == f"bearer.{TOKEN}"  # or a browser closes it
    for more in ({}, {"subprotocols": [f"bearer.{OTHER}"]}, {"subprotocols": [TOKEN]}):
        with (
            pytest.raises(WebSocketDenialResponse) as denial,
            made.websocket_connect("ws://localhost/socket", **more),
        ):
            pass
        refused(denial.value, 401, "token")


@pytest.mark.parametrize(
    "origin", ["example.org", "https://example.org/", "https://a.b/c", "ftp://a.b", "", "https://*"]
)
def test_origins_that_cannot_be_used(origin):
    with pytest.raises(
        ValueError, match=r"cors: expected an origin such as https://example.org, or \*, got "
    ):
        guarded(cors=[origin])


@pytest.mark.parametrize("name", ["https://example.org", "example.org:80", "", "a b", "*.example.org"])
def test_names_that_cannot_be_used(name):
    """Such a name would never be that of a header, and its owner would wonder about 421."""
    with pytest.raises(ValueError, match="hosts: expected a name such as"):
        guarded(hosts=[name])
    guarded(hosts=["own.org", "*", "::1", "127.0.0.1"])


def test_tokens_that_cannot_be_used():
    assert check_tokens("f", [TOKEN, OTHER]) == (TOKEN, OTHER)
    for tokens, message in (
        ([], "f: expected at least one token, got none"),
        ([TOKEN, "short"], r"f: expected tokens of at least 16 .* number 2 \(5 characters\)"),
        (["with spaces, and commas"], "number 1"),
        (["base64/has+this+and=="], "number 1"),
    ):
        with pytest.raises(ValueError, match=message):
            check_tokens("f", tokens)


def test_the_size_of_a_head():
    made = client(limits=Limits(head=1000))
    assert made.get("/echo", params={"a": "x" * 500}).status_code == 200
    refused(made.get("/echo", params={"a": "x" * 1000}), 431, "at most 1,000 bytes")
    refused(made.get("/echo", headers={"a": "x" * 1000}), 431, "at most 1,000 bytes")


def test_the_size_of_a_body():
    made = client(limits=Limits(body=10))
    assert made.post("/echo", content=b"x" * 10).text == "x" * 10
    problem = refused(made.post("/echo", content=b"x" * 11), 413, "at most 10 bytes")
    assert problem["field"] == "body"
    assert (
        made.post("/echo", content=iter([b"x" * 5, b"x" * 5])).text == "x" * 10
    )  # in chunks, without a length
    refused(made.post("/echo", content=iter([b"x" * 5, b"x" * 6])), 413, "at most 10 bytes")
    assert "error" in made.post("/v1/echo", content=b"x" * 11).json()  # in OpenAI's form, too


def asked_directly(app, receive, headers=(), path="/echo", method="POST"):
    """The run of an application on a request that comes as `receive` says, and the messages that it will send."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": [(b"host", b"localhost"), *headers], "client": ("127.0.0.1", 1), "root_path": ""}
    scope |= {"http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80)}
    return app(scope, receive, send), sent


def test_a_body_that_does_not_come_in_time():
    async def nothing():
        await asyncio.sleep(100)

    async def slow():
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    for limits, receive in (
        (Limits(header_seconds=0.05), nothing),
        (Limits(seconds=0.2), slow),  # each part is in time, but not the whole
    ):
        done, sent = asked_directly(guarded(limits), receive, [(b"transfer-encoding", b"chunked")])
        asyncio.run(done)
        assert sent[0]["status"] == 408 and b"too slowly" in sent[1]["body"]


def test_the_memory_of_all_bodies():
    """Bodies that have come in part are held; beyond the bound, further ones are refused until these have left."""
    app = guarded(Limits(body=10, header_seconds=5))
    released = asyncio.Event()

    def body():
        parts = [b"x" * 9, b"y"]

        async def receive():
            if len(parts) == 1:
                await released.wait()
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        return receive

    async def main():
        made = [asked_directly(app, body(), [(b"content-length", b"10")]) for _ in range(40)]
        tasks = [asyncio.ensure_future(done) for done, _ in made]
        until = time.monotonic() + 10
        while sum(bool(sent) for _, sent in made) < 40 - 35 and time.monotonic() < until:
            await asyncio.sleep(0.02)
        refusals = [sent for _, sent in made if sent]  # 35 times 9 bytes are within 32 times 10 bytes
        assert len(refusals) == 40 - 35 and all(sent[0]["status"] == 503 for sent in refusals)
        released.set()
        await asyncio.gather(*tasks)
        assert [sent[0]["status"] for _, sent in made].count(200) == 35
        done, sent = asked_directly(app, body(), [(b"content-length", b"10")])
        await done
        assert sent[0]["status"] == 200

    asyncio.run(main())


def test_all_answers_have_the_security_headers():
    made = client(limits=Limits(body=10), tokens=[TOKEN])
    made.headers["Authorization"] = f"Bearer {TOKEN}"
    for answer, status in (
        (made.get("/echo"), 200),
        (made.get("/unknown"), 404),
        (made.delete("/echo"), 405),
        (made.post("/echo", content=b"x" * 11), 413),
        (made.get("/failing"), 500),
        (made.get("/echo", headers={"Host": "evil.org"}), 421),
        (made.get("/echo", headers={"Authorization": "no"}), 401),
    ):
        assert answer.status_code == status
        for name, value in SECURITY.items():
            assert answer.headers.get_list(name) == [value]
        assert answer.headers["cache-control"] == "no-store" and answer.headers["x-request-id"]


def test_errors_of_the_server_are_logged_and_answered(caplog):
    problem = refused(client().get("/failing", headers={"X-Request-ID": "my-id"}), 500, "the server failed")
    assert "bug" not in str(problem)
    record = next(one for one in caplog.records if one.levelname == "ERROR")
    assert "request my-id" in record.getMessage() and "RuntimeError: a bug" in caplog.text


def test_a_client_that_leaves_within_a_body_is_no_error_of_the_server(caplog):
    caplog.set_level("INFO", "rnnrs.serve")
    parts = [{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}]

    async def receive():
        return parts.pop(0)

    done, sent = asked_directly(guarded(), receive)
    asyncio.run(done)
    assert sent == []
    (record,) = (one for one in caplog.records if one.name == "rnnrs.serve")
    assert record.request["status"] == 499 and record.levelname == "INFO"


def test_an_answer_that_has_begun_breaks_off_at_an_error(caplog):
    async def receive():
        await asyncio.sleep(100)

    done, sent = asked_directly(guarded(), receive, path="/breaking", method="GET")
    asyncio.run(done)
    assert [message.get("more_body") for message in sent] == [None, True]  # the server closes the connection
    assert "RuntimeError: a bug" in caplog.text


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.b", "a.b"),
        ("A.B:80", "a.b"),
        ("[::1]:80", "::1"),
        ("[::1]", "::1"),
        ("a.b.", "a.b"),
        ("[", ""),
        ("[::1].b", ""),
        ("a:80:b", ""),
        ("", ""),
    ],
)
def test_the_name_in_a_header(host, name):
    assert name_of(host) == name
