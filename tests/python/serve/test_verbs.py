"""Answers of every verb, compared with those of the models called directly, and refusals of every field."""

import asyncio
import base64
import io
import json
import threading

import httpx
import jsonschema
import pytest
import served_models
from PIL import Image
from served_cases import CASES, expected, picture

from rnnrs.data import read_picture
from rnnrs.serve import Limits, create_app
from rnnrs.serve.app import ENDPOINTS
from rnnrs.serve.fields import REQUIRED
from rnnrs.serve.openapi import document
from rnnrs.serve.routes import FORMS

MODELS = served_models.models()
LIMITS = Limits(text=2_000, numbers=100, pixels=2_000)


@pytest.fixture(scope="module")
def client():
    with served_models.client(MODELS, limits=LIMITS) as made:
        yield made


@pytest.mark.parametrize("name, verb, request_, direct", CASES)
def test_answers_are_those_of_the_model(client, name, verb, request_, direct):
    answer = client.post(f"/{verb}", json={"model": name, **request_})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads(json.dumps(expected(MODELS, name, request_, direct)))
    operation = document(ENDPOINTS, LIMITS, MODELS)["paths"][f"/{verb}"]["post"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator(schema).validate(answer.json())


def test_every_verb_has_a_case():
    seen = [form for name, verb, *_ in CASES for form in FORMS[verb] if form.fits(MODELS[name])]
    assert all(form in seen for forms in FORMS.values() for form in forms)


def test_a_query_is_answered_as_a_body(client):
    values = {"model": "words", "text": "The cat ", "k": 5, "words": 1}
    found = client.get("/suggest", params=values)
    assert found.json() == client.post("/suggest", json=values).json() and found.status_code == 200
    assert len(found.json()["suggestions"]) == 5


def test_one_model_with_the_verb_needs_no_name(client):
    assert client.post("/forecast", json={"series": [1, 2]}).json()["model"] == "forecaster"
    problem = client.post("/suggest", json={}).json()
    assert problem["detail"] == "model: expected one of letters, words, got none"


class TestPictures:
    def test_a_form_is_answered_as_json(self, client):
        file = picture()
        body = {
            "model": "captioner",
            "picture": base64.b64encode(file).decode(),
            "attention": True,
            "beam": 2,
        }
        form = client.post(
            "/describe",
            data={"model": "captioner", "attention": "true", "beam": "2"},
            files={"picture": ("any name", file)},
        )
        assert form.status_code == 200, form.text
        assert form.json() == client.post("/describe", json=body).json()

    def test_regions_are_in_pixels_of_the_upright_picture(self, client):
        file = picture((60, 20), "JPEG", exif=_turned())  # upright: 20 columns, 60 rows
        answer = client.post(
            "/describe", data={"model": "regions", "regions": "true", "n": "4"}, files={"picture": file}
        ).json()
        model = MODELS["regions"]
        seen = read_picture(io.BytesIO(file), model.picture_size)
        found = {(one.phrase, one.score): one for one in model.describe_regions(seen, n=4)}
        assert answer["regions"]  # those of which at least half is within the picture
        for region in answer["regions"]:
            own = found[region["phrase"], region["score"]]
            assert region["y"] == pytest.approx(max(own.y, 0) * 60 / 32)
            assert 0 <= region["x"] <= region["x"] + region["w"] <= 20 + 1e-9
            assert 0 <= region["y"] <= region["y"] + region["h"] <= 60 + 1e-9
        # 20 × 60 pixels become 11 × 32, with eleven and ten columns of white beside them.
        assert answer["area"] == pytest.approx({"x": -11 * 20 / 11, "y": 0, "w": 32 * 20 / 11, "h": 60})

    @pytest.mark.parametrize(
        "file, got",
        [
            (b"", "not a picture, or of an unsupported format"),
            (b"no picture", "not a picture"),
            (picture()[:200], "truncated or damaged"),
            (picture((60, 60)), "60 × 60"),
            (picture((60, 60), "JPEG"), "60 × 60"),
        ],
    )
    def test_a_faulty_picture_is_the_problem_of_its_own_request(self, client, file, got):
        answer = client.post("/describe", data={"model": "captioner"}, files={"picture": file})
        assert answer.status_code == 400 and answer.json()["field"] == "picture"
        assert got in answer.json()["got"]

    def test_regions_of_a_model_without_them(self, client):
        answer = client.post(
            "/describe", data={"model": "captioner", "regions": "true"}, files={"picture": picture()}
        )
        assert (answer.status_code, answer.json()["field"]) == (400, "regions")

    def test_a_header_that_promises_too_many_pixels_is_refused_before_decoding(self, client):
        bomb = bytearray(picture())
        bomb[16:24] = (60_000).to_bytes(4, "big") * 2  # the size in a PNG's header
        answer = client.post("/describe", data={"model": "captioner"}, files={"picture": bytes(bomb)})
        assert answer.status_code == 400 and answer.json()["field"] == "picture"


def _turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


#: Values that are wrong for a kind of field, as JSON.
WRONG = {
    "text": [3, None, ["a"], "\ud800", "a" * 2_001],
    "whole": ["1", 1.5, True, -1, 10**9, []],
    "number": ["1", True, -1, 10**9],
    "boolean": [1, "true"],
    "numbers": [[], [[]], ["1"], [True], [[1], [1, 2]], 1, "1", [1] * 101, [1e309], [[1, 2, 3]]],
    "file": [3, "é", "a", ""],
}


@pytest.mark.parametrize("name, verb, request_, direct", {(c[0], c[1]): c for c in CASES}.values())
def test_a_wrong_value_of_any_field_is_named(client, name, verb, request_, direct):
    problem_schema = document(ENDPOINTS, LIMITS)["components"]["schemas"]["Problem"]
    (form,) = (form for form in FORMS[verb] if form.fits(MODELS[name]))
    for field in form.fields:
        for wrong in WRONG[field.kind]:
            if wrong is None and field.default is not REQUIRED:
                continue
            body = json.dumps({"model": name, **request_, field.name: wrong}).replace("Infinity", "1e999")
            answer = client.post(f"/{verb}", content=body, headers={"content-type": "application/json"})
            assert answer.status_code == 400, (field.name, wrong, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
            problem = answer.json()
            assert problem["field"] == field.name, (wrong, problem)
            assert problem["detail"].startswith(f"{field.name}: expected {problem['expected']}, got ")
            jsonschema.Draft202012Validator(problem_schema).validate(problem)
        if field.default is REQUIRED:
            rest = {known: value for known, value in request_.items() if known != field.name}
            answer = client.post(f"/{verb}", json={"model": name, **rest})
            assert (
                answer.status_code == 400
                and answer.json()["detail"] == f"{field.name}: expected a value, got none"
            )


@pytest.mark.parametrize(
    "verb, request_, detail",
    [
        ("translate", {"text": "a", "beam": 2, "n_best": 3}, "n_best: expected at most beam, 2, got 3"),
        ("translate", {"text": "a", "begin": 2}, "begin: expected one of the fields model, text, beam"),
        ("translate", {}, "text: expected a value, got none"),
        (
            "summarize",
            {"model": "extractive", "text": "a", "words": 3, "share": 1},
            "share: expected one of sentences, words and share, got words and share",
        ),
        ("summarize", {"model": "extractive", "text": "a", "beam": 3}, "beam: expected one of the fields"),
        ("classify", {"model": "texts", "sequence": [1]}, "sequence: expected one of the fields model, text"),
        ("classify", {"model": "classifier", "sequence": [1]}, "sequence: expected (T, I=2), got (1,)"),
        ("forecast", {"series": [[1, 2]]}, "series: expected (N, I=1), got (1, 2)"),
        ("score", {"model": "letters", "text": "", "end": False}, "text: expected "),
        (
            "suggest",
            {"model": "translator"},
            "model: expected one that can suggest, got translator, a translator",
        ),
    ],
)
def test_refusals(client, verb, request_, detail):
    answer = client.post(f"/{verb}", json=request_)
    assert answer.status_code == 400 and answer.json()["detail"].startswith(detail), answer.text


def test_requests_that_arrive_together_get_the_answers_of_each_alone():
    texts = [
        f"{start} {rest}" for start in ("The cat", "A dog", "") for rest in ("", "sees", "sees a bird " * 9)
    ]
    requests = [("/translate", {"text": text, "attention": True}) for text in texts]
    requests += [("/suggest", {"model": "words", "text": text, "k": 9}) for text in texts]
    requests += [("/suggest", {"model": "letters", "text": text}) for text in texts]
    requests += [("/classify", {"model": "texts", "text": text}) for text in texts]
    requests += [("/tag", {"model": "tagged_texts", "text": text}) for text in texts]
    requests += [("/classify", {"model": "classifier", "sequence": [[t, -t]] * t}) for t in range(1, 9)]
    requests += [("/forecast", {"series": list(range(1, t))}) for t in range(2, 9)]
    requests += [("/score", {"model": "letters", "text": text}) for text in texts]

    async def asked(several):
        app = create_app(MODELS)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            if several:
                answers = await asyncio.gather(*(client.post(path, json=body) for path, body in requests))
            else:
                answers = [await client.post(path, json=body) for path, body in requests]
        batches = sum(one.worker.batches for one in app.state.host)
        app.state.host.close()
        assert {answer.status_code for answer in answers} == {200}
        return [answer.content for answer in answers], batches

    together, few = asyncio.run(asked(True))
    alone, many = asyncio.run(asked(False))
    assert together == alone
    assert many == len(requests) > 2 * few


def test_a_faulty_picture_in_a_batch_is_the_problem_of_its_own_request():
    files = [picture(), picture()[:100], picture((10, 40))]

    async def asked():
        app = create_app(MODELS)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        ) as client:
            posts = [
                client.post("/describe", data={"model": "captioner"}, files={"picture": file})
                for file in files
            ]
            answers = await asyncio.gather(*posts)
        batches = app.state.host.served["captioner"].worker.batches
        app.state.host.close()
        return [answer.status_code for answer in answers], batches

    assert asyncio.run(asked()) in (([200, 400, 200], 1), ([200, 400, 200], 2))


def test_a_reload_keeps_requests_that_wait_apart():
    first, second = (served_models.models("words")["words"] for _ in range(2))
    for model, value in ((first, 3.0), (second, -3.0)):
        model.parameters["output.c"][::2] = value
    gate = threading.Event()

    async def asked():
        app = create_app({"m": first})
        one = app.state.host.served["m"]
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        ) as client:
            held = asyncio.ensure_future(one.worker.submit("hold", lambda items: [gate.wait(30)], 0))
            await asyncio.sleep(0.05)
            before = asyncio.ensure_future(client.post("/suggest", json={"text": "The "}))
            while one.worker.waiting < 1:
                await asyncio.sleep(0.001)
            one.become(second)
            after = asyncio.ensure_future(client.post("/suggest", json={"text": "The "}))
            while one.worker.waiting < 2:
                await asyncio.sleep(0.001)
            gate.set()
            answers = [answer.json()["suggestions"] for answer in await asyncio.gather(before, after)]
            await held
        app.state.host.close()
        return answers

    old, new = asyncio.run(asked())
    assert [{"word": w, "probability": p} for w, p in first.suggest("The ")] == old
    assert [{"word": w, "probability": p} for w, p in second.suggest("The ")] == new != old
