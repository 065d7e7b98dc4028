"""`/v1/completions`: every option against the model called directly; refused values."""

import json

import pytest
from asgi_client import events_of
from served_models import models
from small_language_models import as_if_trained
from starlette.testclient import TestClient

from rnnrs.seeds import derive_seed
from rnnrs.serve import create_app

PATH = "/v1/completions"


@pytest.fixture(scope="module")
def served():
    return models("letters", "words") | {"subwords": as_if_trained("subword")}


@pytest.fixture(scope="module")
def client(served):
    with TestClient(create_app(served | models("chatbot")), base_url="http://localhost") as client:
        yield client


def completed(client, **fields):
    answer = client.post(PATH, json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def text_of(client, **fields):
    (choice,) = completed(client, **fields)["choices"]
    return choice["text"]


OPTIONS = [
    {},
    {"temperature": 0},
    {"temperature": 0.5, "max_tokens": 40},
    {"top_p": 0.6},
    {"top_k": 3},
    {"max_tokens": 1},
    {"stop": "e"},
    {"stop": ["zz", "e", "s"], "max_tokens": 60},
]


@pytest.mark.parametrize("name", ["letters", "words", "subwords"])
@pytest.mark.parametrize("options", OPTIONS)
def test_a_text_is_the_one_that_the_model_generates(client, served, name, options):
    settings = {key: value for key, value in options.items() if key != "max_tokens"}
    expected = served[name].generate("The cat", length=options.get("max_tokens", 16), seed=5, **settings)
    assert text_of(client, model=name, prompt="The cat", seed=5, **options) == expected


def test_an_answer_has_the_form_of_openai(client, served):
    answer = completed(client, model="words", prompt="The cat", max_tokens=3, seed=1)
    (choice,) = answer.pop("choices")
    assert answer.pop("id").startswith("cmpl-")
    assert isinstance(answer.pop("created"), int) and len(answer.pop("system_fingerprint")) == 8
    assert answer == {
        "object": "text_completion",
        "model": "words",
        "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5},
    }
    assert choice.keys() == {"text", "index", "logprobs", "finish_reason"}
    assert (choice["index"], choice["logprobs"], choice["finish_reason"]) == (0, None, "length")


def test_without_a_prompt_a_text_begins(client, served):
    assert text_of(client, model="letters", seed=2) == served["letters"].generate("", length=16, seed=2)


def test_several_prompts_have_several_texts_each_with_a_seed_of_its_own(client, served):
    prompts = ["The", "A dog", ""]
    answer = completed(client, model="letters", prompt=prompts, n=3, seed=7, best_of=3)
    assert [choice["index"] for choice in answer["choices"]] == [*range(9)]
    seeds = [7, derive_seed(7, 1), derive_seed(7, 2)]
    expected = [served["letters"].generate(p, length=16, seed=seed) for p in prompts for seed in seeds]
    assert [choice["text"] for choice in answer["choices"]] == expected
    read = sum(len(served["letters"].context(prompt)) - 1 for prompt in prompts)
    assert answer["usage"] == {
        "prompt_tokens": read,
        "completion_tokens": 9 * 16,
        "total_tokens": read + 9 * 16,
    }


def test_without_a_seed_texts_differ(client):
    answer = completed(client, model="letters", prompt="The", n=4, max_tokens=30)
    assert len({choice["text"] for choice in answer["choices"]}) > 1


def test_a_text_ends_before_a_stop_text(client, served):
    whole = served["letters"].generate("The", length=40, seed=3)
    stop = whole[9:11]
    (choice,) = completed(client, model="letters", prompt="The", max_tokens=40, seed=3, stop=stop)["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["text"] == whole[: whole.index(stop)]


@pytest.mark.parametrize("name", ["letters", "words", "subwords"])
def test_log_probabilities_are_those_of_the_model(client, served, name):
    model = served[name]
    answer = completed(client, model=name, prompt="The cat", seed=1, logprobs=3, max_tokens=12)
    (choice,) = answer["choices"]
    found = choice["logprobs"]
    (expected,) = model.generate_all(["The cat"], length=12, seeds=[1], logprobs=3)
    assert choice["text"] == expected.text
    assert found["tokens"] == [token.text for token in expected.tokens]
    assert found["token_logprobs"] == pytest.approx([token.log_prob for token in expected.tokens], rel=1e-12)
    for best, token in zip(found["top_logprobs"], expected.tokens, strict=True):
        assert best == {**dict(reversed(token.likeliest)), token.text: token.log_prob}
    assert found["text_offset"][0] - len("The cat") == len(expected.text) - len(expected.text.lstrip(" "))
    assert found["text_offset"] == sorted(found["text_offset"])


def test_tokens_are_found_in_the_text(client):
    answer = completed(client, model="letters", prompt="The cat", seed=1, logprobs=0, echo=True)
    (choice,) = answer["choices"]
    found = choice["logprobs"]
    assert found["top_logprobs"] is None
    assert found["text_offset"] == [*range(len(choice["text"]))]
    assert "".join(found["tokens"]) == choice["text"]


@pytest.mark.parametrize("name", ["letters", "words", "subwords"])
def test_an_echo_begins_with_the_prompt_and_its_probabilities(client, served, name):
    model, prompt = served[name], "The cat sees"
    answer = completed(client, model=name, prompt=prompt, echo=True, logprobs=2, max_tokens=0)
    (choice,) = answer["choices"]
    assert (choice["text"], choice["finish_reason"]) == (prompt, "length")
    score = model.score(prompt, end=False)
    found = choice["logprobs"]
    assert found["tokens"] == score.tokens
    assert found["token_logprobs"] == pytest.approx(score.log_probs.tolist(), rel=1e-5)
    p = model.next_distribution(prompt[: found["text_offset"][-1]])
    p[model.vocabulary.unknown_id] = 0
    best = [model.vocabulary.surface(model.vocabulary.tokens[i]) for i in p.argsort()[::-1][:2]]
    assert found["top_logprobs"][-1].keys() == {*best, score.tokens[-1]}
    assert answer["usage"]["completion_tokens"] == 0
    texts = [choice["text"], text_of(client, model=name, prompt=prompt, echo=True, seed=4)]
    assert texts[1] == prompt + model.generate(prompt, length=16, seed=4)


def test_of_separate_lines_only_the_last_one_is_read(client, served):
    prompt = "A dog sees a man.\nThe cat"
    (choice,) = completed(client, model="words", prompt=prompt, echo=True, logprobs=0, max_tokens=0)[
        "choices"
    ]
    by_sentence = served["words"].by_sentence
    assert choice["text"] == prompt
    if by_sentence:
        assert choice["logprobs"]["tokens"] == ["The", "cat"]
        assert choice["logprobs"]["text_offset"] == [18, 22]


@pytest.mark.parametrize(
    "options", [{}, {"n": 3, "echo": True}, {"logprobs": 2, "stop": "e"}, {"max_tokens": 0}]
)
@pytest.mark.parametrize("name", ["letters", "words", "subwords"])
def test_a_stream_adds_up_to_the_answer_in_one_piece(client, name, options):
    fields = {"model": name, "prompt": ["The cat", "A"], "seed": 9, "max_tokens": 24, **options}
    whole = completed(client, **fields)
    answer = client.post(PATH, json={**fields, "stream": True, "stream_options": {"include_usage": True}})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store" and answer.headers["x-accel-buffering"] == "no"
    *chunks, last, done = events_of(answer.text)
    assert done == "[DONE]" and json.loads(last)["choices"] == []
    assert json.loads(last)["usage"] == whole["usage"]
    joined = {}
    for chunk in map(json.loads, chunks):
        assert chunk["usage"] is None
        (choice,) = chunk["choices"]
        before = joined.setdefault(choice["index"], [])
        assert not before or before[-1]["finish_reason"] is None
        before.append(choice)
    assert len(joined) == len(whole["choices"])
    for expected in whole["choices"]:
        own = joined[expected["index"]]
        assert "".join(one["text"] for one in own) == expected["text"]
        assert own[-1]["finish_reason"] == expected["finish_reason"]
        if "logprobs" in options:
            for key in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
                assert [one for part in own for one in part["logprobs"][key]] == expected["logprobs"][key]


REFUSED = [
    ({"prompt": 3}, "prompt"),
    ({"prompt": []}, "prompt"),
    ({"prompt": [1, 2]}, "prompt"),
    ({"prompt": ["a"] * 129}, "prompt"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"max_tokens": 2_001}, "max_tokens"),
    ({"temperature": -0.1}, "temperature"),
    ({"temperature": "1"}, "temperature"),
    ({"top_p": 1.5}, "top_p"),
    ({"top_k": -1}, "top_k"),
    ({"n": 0}, "n"),
    ({"n": 65, "prompt": ["a", "b"]}, "n"),
    ({"n": 2, "best_of": 3}, "best_of"),
    ({"logprobs": 6}, "logprobs"),
    ({"logprobs": True}, "logprobs"),
    ({"stop": ""}, "stop"),
    ({"stop": ["a"] * 5}, "stop"),
    ({"stop": 3}, "stop"),
    ({"seed": -1}, "seed"),
    ({"seed": 1 << 63}, "seed"),
    ({"suffix": "end"}, "suffix"),
    ({"presence_penalty": 0.5}, "presence_penalty"),
    ({"frequency_penalty": 1}, "frequency_penalty"),
    ({"logit_bias": {"5": 1}}, "logit_bias"),
    ({"stream": 1}, "stream"),
    ({"stream_options": {"usage": True}}, "stream_options"),
    ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ({"functions": []}, "functions"),
    ({"model": None}, "model"),
    ({"model": "chatbot"}, "model"),
]


@pytest.mark.parametrize(("fields", "name"), REFUSED)
def test_other_values_are_refused_by_the_name_of_their_field(client, fields, name):
    answer = client.post(PATH, json={"model": "letters", **fields})
    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert problem["field"] == problem["error"]["param"] == name
    assert problem["error"]["type"] == "invalid_request_error"
    assert problem["error"]["message"] == problem["detail"] and "expected" in problem["detail"]


def test_an_unknown_model_is_not_found(client):
    answer = client.post(PATH, json={"model": "gpt", "stream": True})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["error"]["param"] == "model"


def test_values_that_change_nothing_are_accepted(client, served):
    fields = {
        "suffix": None,
        "presence_penalty": 0,
        "frequency_penalty": 0.0,
        "logit_bias": {},
        "user": "ann",
        "best_of": None,
        "stop": None,
        "logprobs": None,
        "stream_options": None,
        "temperature": None,
    }
    expected = served["letters"].generate("The", length=16, seed=1)
    assert text_of(client, model="letters", prompt="The", seed=1, **fields) == expected


def test_top_p_of_zero_takes_the_likeliest_token(client, served):
    expected = served["letters"].generate("The", length=16, temperature=0)
    assert text_of(client, model="letters", prompt="The", top_p=0) == expected
