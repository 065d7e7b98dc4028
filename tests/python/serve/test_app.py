"""What all paths share: states, bodies, media types, methods, errors of the server."""

import asyncio
import json
import math
import sys
import threading

import jsonschema
import pytest
import served_models
import small_applications as small
from asgi_client import Exchange

import rnnrs.serve
from rnnrs.decoding import check_stopped
from rnnrs.errors import MissingExtraError
from rnnrs.serve import Limits, create_app
from rnnrs.serve.app import ENDPOINTS
from rnnrs.serve.hosting import Host
from rnnrs.serve.openapi import document


@pytest.fixture(scope="module")
def client():
    names = ("letters", "words", "classifier", "tagged_texts", "forecaster", "regions", "translator")
    with served_models.client(served_models.models(*names)) as made:
        yield made


def test_health_and_readiness():
    host = Host(served_models.models("words"))
    place = host.add("later")
    with served_models.client(host) as client:
        assert client.get("/health").json() == {"status": "ok"}
        place.progress, place.message = 0.5, "epoch 1 of 2"
        answer = client.get("/ready")
        assert answer.status_code == 503 and answer.headers["retry-after"] == "5"
        assert answer.json()["models"] == {
            "words": {"status": "ready"},
            "later": {"status": "training", "progress": 0.5, "message": "epoch 1 of 2"},
        }
        facts = client.get("/v1/models/later").json()
        assert facts["verbs"] == [] and facts["progress"] == 0.5
        paths = document(ENDPOINTS, Limits())["paths"]
        answer = paths["/v1/models/{name}"]["get"]["responses"]["200"]["content"]["application/json"]
        jsonschema.validate(facts, answer["schema"])
        place.become(served_models.models("letters")["letters"])
        assert client.get("/ready").json() == {
            "status": "ready",
            "models": {"words": {"status": "ready"}, "later": {"status": "ready"}},
        }


def test_the_list_of_models(client):
    found = client.get("/v1/models").json()
    assert found["object"] == "list"
    facts = {one["id"]: one for one in found["data"]}
    for name, one in facts.items():
        assert client.get(f"/v1/models/{name}").json() == one
        assert (one["object"], one["owned_by"], one["status"]) == ("model", "rnnrs", "ready")
    assert (
        facts["words"]["verbs"] == ["suggest", "score", "completions"] and facts["words"]["level"] == "word"
    )
    assert facts["translator"]["level"] == "word" and facts["regions"]["regions"] is True
    assert (facts["forecaster"]["horizon"], facts["forecaster"]["columns"]) == (2, ["0"])
    assert (facts["classifier"]["input"], facts["classifier"]["classes"]) == ("numbers", ["even", "odd"])
    assert facts["tagged_texts"]["input"] == "text" and "level" not in facts["classifier"]
    assert facts["classifier"]["input_size"] == 2 and "input_size" not in facts["tagged_texts"]


def test_an_unknown_model_and_an_unknown_path(client):
    for path, field in (("/v1/models/x", "model"), ("/v1/x", None), ("/x", None), ("/suggest/", None)):
        answer = client.get(path, follow_redirects=False)
        assert answer.status_code == 404 and answer.json().get("field") == field
        assert answer.headers["content-type"] == "application/problem+json"
        assert ("error" in answer.json()) == path.startswith("/v1/")


@pytest.mark.parametrize("path, method, allow", [("/translate", "GET", "POST"), ("/health", "POST", "GET")])
def test_another_method(client, path, method, allow):
    answer = client.request(method, path)
    assert answer.status_code == 405 and allow in answer.headers["allow"]
    assert answer.json()["got"] == method


@pytest.mark.parametrize(
    "content, status, got",
    [
        (b"", 400, "Expecting value"),
        (b"[1]", 400, "[1]"),
        (b"{", 400, "Expecting property name"),
        (b'{"text": NaN}', 400, "NaN, which JSON does not have"),
        (b'{"text": "\xff"}', 400, "byte 0xff at 10"),
        (b"[" * 100_000, 400, ""),
        (b'{"text": 1' + b"0" * 5_000 + b"}", 400, ""),
        (b"{" + b'"a":{' * 100_000, 400, ""),
    ],
)
def test_bodies_that_are_not_json(client, content, status, got):
    answer = client.post("/score", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["field"]) == (status, "body"), answer.text
    assert answer.json()["got"].startswith(got)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
def test_bodies_of_another_type(client, kind):
    answer = client.post("/score", content=b"text=a", headers={} if kind is None else {"content-type": kind})
    assert answer.status_code == 415
    assert answer.json()["expected"] == "application/json"


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/vnd.own+json", "Application/JSON"]
)
def test_types_of_json(client, kind):
    answer = client.post("/forecast", content=b'{"series": [1, 2]}', headers={"content-type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "content, got",
    [
        (b"", ""),
        (b"no parts", ""),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n', ""),
    ],
)
def test_forms_that_are_none(content, got):
    with served_models.client(served_models.models("captioner")) as client:
        kind = "multipart/form-data; boundary=x"
        answer = client.post("/describe", content=content, headers={"content-type": kind})
        assert answer.status_code == 400, answer.text
        assert (
            client.post("/describe", content=content, headers={"content-type": kind[:19]}).status_code == 400
        )


def test_values_that_come_twice(client):
    assert client.get("/suggest?text=a&text=b").json()["detail"] == "text: expected one value, got several"


def test_queries_that_are_none(client):
    for query, got in (
        ("text=%ff", "query: expected UTF-8"),
        ("a=1&" * 51, "query: expected at most 50 fields"),
    ):
        answer = client.get(f"/suggest?{query}")
        assert answer.status_code == 400 and answer.json()["detail"].startswith(got)
    assert client.get("/suggest?model=words&text=%c3%a9+x").status_code == 200


def test_texts_of_a_query_are_short(client):
    answer = client.get("/suggest", params={"model": "words", "text": "a" * 1_025})
    assert answer.json()["detail"] == "text: expected at most 1,024 characters, got 1,025"
    assert client.post("/suggest", json={"model": "words", "text": "a" * 1_025}).status_code == 200


def diverged(make):
    model = make()[0]
    for _, array in model.parameters.items():
        array[...] = math.nan
    return model


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "make, path, body",
    [
        (small.language, "/score", {"text": "The cat"}),
        (small.language_by_sentence, "/score", {"text": "The cat"}),
        (small.translator, "/translate", {"text": "The cat"}),
        (small.extractive_summarizer, "/summarize", {"text": "The cat. A dog."}),
        (small.classifier, "/classify", {"sequence": [[1, 2]]}),
        (small.tagger, "/tag", {"sequence": [[1, 2]]}),
        (small.forecaster, "/forecast", {"series": [1, 2]}),
    ],
)
def test_a_model_that_diverged_is_an_error_of_the_server(make, path, body):
    with served_models.client({"m": diverged(make)}) as client:
        answer = client.post(path, json=body)
        if path == "/translate":  # a beam search takes any word
            json.loads(answer.text, parse_constant=pytest.fail)
        else:
            assert answer.status_code == 500, answer.text
            assert "diverged" in answer.json()["detail"]


def test_an_untrained_model_is_an_error_of_the_server():
    with served_models.client({"m": small.classifier()[0]}) as client:
        answer = client.post("/classify", json={"sequence": [[1, 2]]})
        assert answer.status_code == 500 and "expected a trained model" in answer.json()["detail"]


def test_a_forecast_beyond_all_numbers(client):
    answer = client.post("/forecast", json={"series": [1.7e308, -1.7e308]})
    assert answer.status_code == 400 and answer.json()["field"] == "series", answer.text


def test_an_error_of_the_server_is_a_problem(monkeypatch):
    model = served_models.models("words")["words"]
    monkeypatch.setattr(model, "score_all", lambda *_, **__: 1 / 0, raising=False)
    with served_models.client({"m": model}) as client:
        client = type(client)(client.app, base_url="http://localhost", raise_server_exceptions=False)
        answer = client.post("/score", json={"text": "a"})
        assert answer.status_code == 500 and answer.headers["content-type"] == "application/problem+json"
        assert "division" not in answer.text


def test_a_deadline():
    model = served_models.models("words")["words"]
    with served_models.client({"m": model}, limits=Limits(seconds=0.05)) as client:
        with model.parameters._vector.guard.changing:  # the answers wait for it
            answer = client.post("/score", json={"text": "a"})
        assert answer.status_code == 504
        assert answer.json()["detail"] == "the answer was not ready within 0.05 seconds"


def endless(monkeypatch, model):
    """Lets a translator write until it is stopped; returns the events of its beginning and its end."""
    begun, ended = threading.Event(), threading.Event()

    def write(*_, **__):
        begun.set()
        try:
            while True:
                check_stopped()
        finally:
            ended.set()

    monkeypatch.setattr(model, "write", write, raising=False)
    return begun, ended


def test_a_client_that_leaves_ends_its_computation(monkeypatch):
    model = served_models.models("translator")["translator"]
    begun, ended = endless(monkeypatch, model)

    async def scenario():
        app = create_app({"m": model})
        exchange = Exchange(app, "/translate", {"text": "The cat"})
        assert await asyncio.to_thread(begun.wait, 30)
        await exchange.leave()
        assert exchange.status == 499
        assert await asyncio.to_thread(ended.wait, 30)
        assert app.state.host.served["m"].worker.waiting == 0
        app.state.host.close()

    asyncio.run(scenario())


def test_a_full_queue(monkeypatch):
    model = served_models.models("translator")["translator"]
    begun, _ = endless(monkeypatch, model)

    async def scenario():
        app = create_app({"m": model}, limits=Limits(queue=2))
        worker = app.state.host.served["m"].worker
        exchanges = [Exchange(app, "/translate", {"text": "The cat"})]
        assert await asyncio.to_thread(begun.wait, 30)
        exchanges += [Exchange(app, "/translate", {"text": "A dog"}) for _ in range(2)]
        while worker.waiting < 2:
            await asyncio.sleep(0.001)
        refused = Exchange(app, "/translate", {"text": "A bird"})
        problem = await refused.json()
        assert (refused.status, problem["status"]) == (429, 429) and refused.headers["retry-after"] == "1"
        for exchange in exchanges:
            await exchange.leave()
        app.state.host.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("models", "options", "name"),
    [
        (["a.rnn"], {}, "models"),
        ({"a": None}, {}, "models"),
        ({}, {"hosts": "example.org"}, "hosts"),
        ({}, {"cors": "https://example.org"}, "cors"),
        ({}, {"tokens": [3]}, "tokens"),
        ({}, {"limits": {"queue": 3}}, "limits"),
        ({}, {"workers": "2"}, "workers"),
    ],
)
def test_arguments_of_other_types(models, options, name):
    with pytest.raises(TypeError, match=f"create_app: {name}: expected .*, got "):
        create_app(models, **options)


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "starlette", None)
    with pytest.raises(MissingExtraError, match=r'starlette is not installed: pip install "rnnrs\[serve\]"'):
        _ = rnnrs.serve.create_app
    assert rnnrs.serve.Limits().batch == 32  # the command shows its options nevertheless
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = rnnrs.serve.other
