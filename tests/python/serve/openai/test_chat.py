"""`/v1/chat/completions`: chatbots and assistants against the models called directly; refused values."""

import json

import pytest
from asgi_client import events_of
from served_models import models
from starlette.testclient import TestClient

from rnnrs.serve import create_app

PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def served():
    return models("chatbot", "assistant")


@pytest.fixture(scope="module")
def client(served):
    with TestClient(create_app(served | models("letters")), base_url="http://localhost") as client:
        yield client


def messages(*turns, last="user"):
    """The messages of a conversation in which the roles take turns."""
    roles = ["user", "assistant"] if last == "user" else ["assistant", "user"]
    return [{"role": roles[(len(turns) - 1 - i) % 2], "content": turn} for i, turn in enumerate(turns)]


def answered(client, model, *turns, **fields):
    answer = client.post(PATH, json={"model": model, "messages": messages(*turns), **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


CONVERSATIONS = [["hello"], ["hello", "good day", "who are you"], ["good day", "bye"], ["x y z"]]


@pytest.mark.parametrize("turns", CONVERSATIONS)
def test_a_chatbot_answers_as_when_called_directly(client, served, turns):
    answer = answered(client, "chatbot", *turns)
    reply = served["chatbot"].reply(turns)
    assert answer["object"] == "chat.completion" and answer["model"] == "chatbot"
    assert answer["id"].startswith("chatcmpl-") and isinstance(answer["created"], int)
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": reply.text},
            "logprobs": None,
            "finish_reason": "stop",
            "confidence": reply.confidence,
            "unknown": False,
        }
    ]
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


def test_an_answer_that_the_bot_is_not_sure_of_is_said_to_be_unknown(client, served):
    bot = served["chatbot"]
    try:
        bot.threshold = 1.0
        (choice,) = answered(client, "chatbot", "hello")["choices"]
    finally:
        bot.threshold = 0.0
    assert choice["unknown"] and choice["message"]["content"] == bot.canned[0]
    assert choice["confidence"] < 1


def test_an_assistant_answers_as_when_called_directly(client, served):
    turns = ["thai food", "Which area?", "north"]
    (choice,) = answered(client, "assistant", *turns)["choices"]
    reply = served["assistant"].reply(turns)
    assert choice["message"]["content"] == reply.text
    assert (choice["confidence"], choice["unknown"], choice["act"]) == (None, False, reply.act)
    assert choice["row"] == (None if reply.row is None else dict(reply.row))


def test_a_greeting_of_the_assistant_is_not_read(client, served):
    (choice,) = answered(client, "assistant", "How can I help?", "thai food")["choices"]
    assert choice["message"]["content"] == served["assistant"].reply("thai food").text


def test_roles_of_other_apis_and_parts_of_text(client, served):
    given = [
        {"role": "system", "content": "You are a pirate."},
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": "who", "name": "ann"},
        {"role": "user", "content": [{"type": "text", "text": "are"}, {"type": "text", "text": "you"}]},
    ]
    answer = client.post(PATH, json={"model": "chatbot", "messages": given})
    assert answer.json()["choices"][0]["message"]["content"] == served["chatbot"].reply("who are you").text


def test_a_stop_text_ends_the_answer(client, served):
    whole = served["chatbot"].reply("hello").text
    stop = whole[2:4]
    (choice,) = answered(client, "chatbot", "hello", stop=["§", stop])["choices"]
    assert choice["message"]["content"] == whole[: whole.index(stop)]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_an_answer_has_at_most_so_many_tokens(client, served, name):
    whole = served["assistant"].reply("thai food").text
    encode = served["assistant"].target_vocabulary.encode
    for most in range(1, len(encode(whole)) + 1):
        answer = answered(client, "assistant", "thai food", **{name: most})
        (choice,) = answer["choices"]
        text = choice["message"]["content"]
        words = whole.split(" ")
        kept = max(n for n in range(len(words) + 1) if len(encode(" ".join(words[:n]))) <= most)
        assert text == " ".join(words[:kept])
        assert answer["usage"]["completion_tokens"] == len(encode(text)) <= most
        assert choice["finish_reason"] == ("stop" if text == whole else "length")
    body = {"model": "assistant", "messages": messages("thai food"), name: 1, "stream": True}
    *_, last, _ = events_of(client.post(PATH, json=body).text)
    assert json.loads(last)["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(("model", "turn"), [("chatbot", "hello"), ("assistant", "thai food")])
def test_a_stream_is_the_answer_word_by_word(client, model, turn):
    whole = answered(client, model, turn)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    answer = client.post(PATH, json={"model": model, "messages": messages(turn), **options})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *chunks, usage, done = events_of(answer.text)
    assert done == "[DONE]"
    assert json.loads(usage)["usage"] == whole["usage"] and json.loads(usage)["choices"] == []
    first, *words, last = (json.loads(chunk)["choices"][0] for chunk in chunks)
    assert first["delta"] == {"role": "assistant", "content": ""}
    (expected,) = whole["choices"]
    assert "".join(word["delta"]["content"] for word in words) == expected["message"]["content"]
    assert len(words) == len(expected["message"]["content"].split())
    assert last == {"delta": {}} | {name: own for name, own in expected.items() if name != "message"}
    assert all(word["finish_reason"] is None for word in words)
    assert {json.loads(chunk)["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({json.loads(chunk)["id"] for chunk in chunks}) == 1


def test_settings_without_effect_are_accepted(client):
    settings = {
        "temperature": 0.3,
        "top_p": 0.5,
        "seed": 4,
        "n": 1,
        "max_tokens": 50,
        "max_completion_tokens": 60,
        "logprobs": False,
        "presence_penalty": 0,
        "user": "ann",
        "metadata": {"a": "b"},
        "store": False,
        "service_tier": "auto",
        "response_format": {"type": "text"},
        "tools": [],
        "tool_choice": "none",
        "parallel_tool_calls": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
    }
    plain, other = (answered(client, "chatbot", "hello", **own)["choices"] for own in ({}, settings))
    assert plain == other


def test_an_answer_may_come_back_with_its_empty_members(client, served):
    answer = {
        "role": "assistant",
        "content": "good day",
        "refusal": None,
        "tool_calls": None,
        "annotations": [],
    }
    turns = [*messages("hello"), answer, *messages("who are you")]
    found = client.post(PATH, json={"model": "chatbot", "messages": turns}).json()
    expected = served["chatbot"].reply(["hello", "good day", "who are you"]).text
    assert found["choices"][0]["message"]["content"] == expected


def user(content):
    return [{"role": "user", "content": content}]


REFUSED = [
    ({"messages": []}, "messages"),
    ({"messages": "hello"}, "messages"),
    ({"messages": ["hello"]}, "messages[0]"),
    ({"messages": user("a") * 1_001}, "messages"),
    ({"messages": messages("a", "b", last="assistant")}, "messages"),
    ({"messages": [{"role": "system", "content": "a"}]}, "messages"),
    ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": [], "content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": user(None)}, "messages[0].content"),
    ({"messages": user([{"type": "image_url", "image_url": "x"}])}, "messages[0].content"),
    ({"messages": user([{"type": "text", "text": 3}])}, "messages[0].content"),
    ({"messages": user("\ud800")}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": "a", "name": 3}]}, "messages[0].name"),
    ({"messages": [{"role": "user", "content": "a", "tools": [3]}]}, "messages[0].tools"),
    ({"messages": user("a" * 200_001)}, "messages"),
    ({"n": 2}, "n"),
    ({"n": True}, "n"),
    ({"logprobs": True}, "logprobs"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"temperature": 3}, "temperature"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"tools": [{"type": "function"}]}, "tools"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"store": True}, "store"),
    ({"functions": []}, "functions"),
    ({"presence_penalty": 1}, "presence_penalty"),
    ({"model": "letters"}, "model"),
    ({"model": None}, "model"),
]


@pytest.mark.parametrize(("fields", "name"), REFUSED)
def test_other_values_are_refused_by_the_name_of_their_field(client, fields, name):
    body = json.dumps({"model": "chatbot", "messages": user("hi"), **fields})
    answer = client.post(PATH, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert problem["field"] == problem["error"]["param"] == name
    assert "expected" in problem["error"]["message"]


def test_messages_are_needed(client):
    answer = client.post(PATH, json={"model": "chatbot"})
    assert (answer.status_code, answer.json()["field"]) == (400, "messages")
