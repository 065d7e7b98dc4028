"""`/suggest` by WebSocket: edits against the model called directly, problems, limits, reloads."""

import contextlib
import json
import random
import threading
import time

import pytest
from served_models import models
from small_language_models import as_if_trained
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from rnnrs.decoding import Stopped, check_stopped
from rnnrs.serve import Limits, create_app


@pytest.fixture(scope="module")
def served():
    return {level: as_if_trained(level) for level in ("char", "word", "subword")}


@pytest.fixture(scope="module")
def client(served):
    with TestClient(create_app(served | models("chatbot")), base_url="http://localhost") as client:
        yield client


def opened(client, model="word"):
    return client.websocket_connect(f"/suggest?model={model}", headers={"host": "localhost"})


def asked(socket, **message):
    socket.send_text(json.dumps(message))
    return json.loads(socket.receive_text())


def facts(suggestions):
    return [{"word": one.word, "probability": one.probability} for one in suggestions]


def random_edit(draw, text, cursor):
    """An edit as a message, and the text and cursor after it."""
    word = draw.choice(["I want ", "to", " the", "ki", "é", "👩‍🚀", " ", "\n", "don't", "नम"])
    kind = draw.choice(["insert", "insert", "insert", "erase", "replace", "cursor", "text", "insert_cursor"])
    if kind in ("insert", "insert_cursor"):
        after, place = text[:cursor] + word + text[cursor:], cursor + len(word)
        message = {"insert": word}
        if kind == "insert_cursor":
            message["cursor"] = place = draw.randint(0, len(after))
        return message, after, place
    if kind == "erase":
        count = draw.randint(0, 4)
        begin = max(0, cursor - count)
        return {"erase": count}, text[:begin] + text[cursor:], begin
    if kind == "replace":
        begin = draw.randint(0, len(text))
        end = draw.randint(begin, min(len(text), begin + 5))
        return {"replace": [begin, end, word]}, text[:begin] + word + text[end:], begin + len(word)
    if kind == "text":
        return {"text": word * 3}, word * 3, len(word) * 3
    place = draw.randint(0, len(text))
    return {"cursor": place}, text, place


@pytest.mark.parametrize("level", ["char", "word", "subword"])
def test_after_every_edit_the_suggestions_are_those_of_the_model(client, served, level):
    draw, text, cursor = random.Random(level), "", 0
    with opened(client, level) as socket:
        for i in range(25):
            message, text, cursor = random_edit(draw, text, cursor)
            k, words = draw.choice([(1, 1), (3, 1), (2, 2)])
            answer = asked(socket, **message, k=k, words=words, id=i)
            expected = facts(served[level].suggest(text[:cursor], k, words=words))
            assert answer == {"id": i, "suggestions": expected, "cursor": cursor, "length": len(text)}


def test_the_number_of_suggestions_stays_as_it_was_set(client, served):
    with opened(client) as socket:
        assert len(asked(socket, text="I want ")["suggestions"]) == 3
        assert len(asked(socket, k=1, words=2)["suggestions"]) == 1
        assert asked(socket, insert="to")["suggestions"] == facts(
            served["word"].suggest("I want to", 1, words=2)
        )


def test_messages_are_answered_in_order(client, served):
    with opened(client, "char") as socket:
        for i in range(30):
            socket.send_text(json.dumps({"insert": "I want to go"[i % 12], "id": f"n{i}"}))
        found = [json.loads(socket.receive_text()) for _ in range(30)]
    assert [one["id"] for one in found] == [f"n{i}" for i in range(30)]
    assert [one["length"] for one in found] == [*range(1, 31)]


BAD = [
    ({"insert": 3}, "insert"),
    ({"insert": "\ud800"}, "insert"),
    ({"erase": -1}, "erase"),
    ({"erase": True}, "erase"),
    ({"erase": 1.5}, "erase"),
    ({"replace": [0, 1]}, "replace"),
    ({"replace": [0, "1", "a"]}, "replace"),
    ({"replace": [4, 2, "a"]}, "replace"),
    ({"replace": [-1, 2, "a"]}, "replace"),
    ({"replace": [0, 11, "a"]}, "replace"),
    ({"cursor": 11}, "cursor"),
    ({"insert": "a", "cursor": 12}, "cursor"),
    ({"insert": "a", "k": 51}, "k"),
    ({"insert": "a", "words": 0}, "words"),
    ({"insert": "a", "erase": 1}, "erase"),
    ({"insert": "a", "id": []}, "id"),
    ({"insert": "a", "letter": "b"}, "letter"),
    ({"insert": "a" * 100}, "text"),
    ({"text": "a" * 101}, "text"),
]


@pytest.fixture(scope="module")
def bounded(served):
    limits = Limits(text=100, sessions=2)
    with TestClient(
        create_app({"word": served["word"]}, limits=limits), base_url="http://localhost"
    ) as client:
        yield client


@pytest.mark.parametrize(("message", "field"), BAD)
def test_a_bad_message_is_answered_by_a_problem_and_changes_nothing(bounded, served, message, field):
    with opened(bounded) as socket:
        asked(socket, text="I want to ", cursor=6, k=2)
        problem = asked(socket, **{"id": 5, **message})
        assert problem["problem"]["status"] == 400 and problem["problem"]["field"] == field
        assert problem.get("id") == (5 if field != "id" else None)
        expected = {"suggestions": facts(served["word"].suggest("I want", 2)), "cursor": 6, "length": 10}
        assert asked(socket) == expected


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"k": NaN}', "[" * 100_000])
def test_what_is_not_an_object_of_json_is_a_problem(bounded, text):
    with opened(bounded) as socket:
        socket.send_text(text)
        assert json.loads(socket.receive_text())["problem"]["field"] == "body"
        assert asked(socket, insert="I")["length"] == 1


def test_bytes_close_the_socket(bounded):
    with opened(bounded) as socket:
        socket.send_bytes(b"{}")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 1003


def test_the_number_of_open_sockets_is_bounded(bounded):
    with opened(bounded) as first, opened(bounded) as second:
        asked(first, insert="I")
        asked(second, insert="I")
        with pytest.raises(WebSocketDenialResponse) as denied, opened(bounded):
            pass
        assert denied.value.status_code == 503 and "retry-after" in denied.value.headers
    with opened(bounded) as third:
        assert asked(third, insert="I")["length"] == 1


@pytest.mark.parametrize(
    ("query", "status"), [("?model=gpt", 404), ("?model=chatbot", 400), ("", 400), ("?m=x", 400)]
)
def test_an_unknown_model_is_refused_before_the_socket_opens(client, query, status):
    with (
        pytest.raises(WebSocketDenialResponse) as denied,
        client.websocket_connect(f"/suggest{query}", headers={"host": "localhost"}),
    ):
        pass
    assert denied.value.status_code == status
    assert denied.value.json()["status"] == status


def test_a_model_that_was_loaded_again_answers_for_the_same_text(served):
    app, other = create_app({"m": served["word"]}), as_if_trained("word", layers=2)
    with TestClient(app, base_url="http://localhost") as client, opened(client, "m") as socket:
        asked(socket, text="I want to go", cursor=7)
        app.state.host.served["m"].become(other)
        assert asked(socket)["suggestions"] == facts(other.suggest("I want "))


def test_an_error_of_the_model_leaves_the_text_as_it_was(served, monkeypatch):
    app = create_app({"m": served["word"]})
    with TestClient(app, base_url="http://localhost") as client, opened(client, "m") as socket:
        asked(socket, text="I want", k=2)
        with monkeypatch.context() as patched:
            patched.setattr(type(served["word"]), "suggest_all", lambda *arguments, **options: 1 // 0)
            assert asked(socket, insert=" to", k=5)["problem"]["status"] == 500
        expected = {"suggestions": facts(served["word"].suggest("I want", 2)), "cursor": 6, "length": 6}
        assert asked(socket) == expected


def test_sockets_that_type_at_once_are_answered_as_each_by_itself(client, served):
    texts = ["I want to go", "They want", "", "she said, I want to eat", "home."]
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(opened(client, "char")) for _ in texts]
        for place in range(12):
            for socket, text in zip(sockets, texts, strict=True):
                socket.send_text(json.dumps({"insert": text[place : place + 1]}))
            for socket, text in zip(sockets, texts, strict=True):
                expected = facts(served["char"].suggest(text[: place + 1]))
                assert json.loads(socket.receive_text())["suggestions"] == expected


def slow(model, started, stops):
    """A replacement for `suggest_all` that goes on until it is stopped, for the texts that end in a dot."""
    original = model.suggest_all

    def suggest_all(sessions, k, *, words):
        if any(session.text.endswith(".") for session in sessions):
            started.set()
            try:
                while True:
                    check_stopped()
                    time.sleep(0.002)
            except Stopped:
                stops.append(1)
                raise
        return original(sessions, k, words=words)

    return suggest_all


def test_a_client_that_leaves_ends_its_computation(served, monkeypatch):
    model, started, stops = as_if_trained("word"), threading.Event(), []
    monkeypatch.setattr(model, "suggest_all", slow(model, started, stops), raising=True)
    with TestClient(create_app({"m": model}), base_url="http://localhost") as client:
        with opened(client, "m") as socket:
            socket.send_text(json.dumps({"text": "I want to go."}))
            assert started.wait(30)
        with opened(client, "m") as socket:
            assert asked(socket, text="I want to")["length"] == 9
    assert stops == [1]


def test_what_arrives_during_a_computation_is_answered_after_it(served, monkeypatch):
    model, gate = as_if_trained("word"), threading.Event()
    original = model.suggest_all
    monkeypatch.setattr(model, "suggest_all", lambda *args, **kw: gate.wait(30) and original(*args, **kw))
    with (
        TestClient(create_app({"m": model}), base_url="http://localhost") as client,
        opened(client, "m") as socket,
    ):
        for i in range(3):
            socket.send_text(json.dumps({"insert": "I ", "id": i}))
        time.sleep(0.1)  # longer than the time after which the server looks whether the client is there
        gate.set()
        assert [json.loads(socket.receive_text())["id"] for _ in range(3)] == [0, 1, 2]
