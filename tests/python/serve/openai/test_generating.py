"""Texts that are generated side by side: clients that leave or do not read, full queues, reloads, errors."""

import asyncio
import contextlib
import threading

import numpy as np
import pytest
import small_language_models
from asgi_client import Exchange, events_of, eventually
from small_language_models import as_if_trained

from rnnrs.serve import Limits, create_app
from rnnrs.serve.openai.generating import AHEAD

PATH = "/v1/completions"


@pytest.fixture(scope="module")
def model():
    return as_if_trained("char")


class Server:
    """An application with one model, and a look into its worker."""

    def __init__(self, model, **limits):
        self.app = create_app({"m": model}, limits=Limits(**limits))
        self.host = self.app.state.host
        self.one = self.host.served["m"]

    def post(self, *, reads=True, **fields):
        return Exchange(self.app, PATH, fields, reads=reads)

    @property
    def generating(self):
        return self.one.loaded.kept("generating", None)

    @property
    def waiting(self):
        has_begun = "generating" in self.one.loaded._kept
        return len(self.generating._waiting) if has_begun else 0

    @property
    def is_idle(self):
        return not self.generating._is_scheduled

    @contextlib.asynccontextmanager
    async def held(self):
        """Holds the model's thread, so that requests wait."""
        entered, opened = threading.Event(), threading.Event()

        def hold(items):
            entered.set()
            assert opened.wait(30)
            return items

        holding = asyncio.ensure_future(self.one.worker.submit("hold", hold, 1, seconds=30))
        await asyncio.to_thread(entered.wait, 30)
        try:
            yield
        finally:
            opened.set()
            await holding


def run(scenario, model, **limits):
    """Runs a coroutine function with a server, which must end in time."""
    server = Server(model, **limits)

    async def ran():
        try:
            return await asyncio.wait_for(scenario(server), 30)
        finally:
            await asyncio.to_thread(server.host.close)

    return asyncio.run(ran())


async def text_of(exchange):
    await exchange.task
    if "event-stream" in exchange.headers["content-type"]:
        return "".join(event["choices"][0]["text"] for event in await exchange.events())
    return (await exchange.json())["choices"][0]["text"]


def test_texts_side_by_side_are_those_of_the_model_alone(model):
    settings = [
        {"prompt": "To be"[: i % 5], "seed": i, "max_tokens": 5 + 7 * i, "temperature": 0.5 + 0.1 * i}
        for i in range(10)
    ]

    async def scenario(server):
        exchanges = []
        for i, own in enumerate(settings):
            exchanges.append(server.post(**own, stream=i % 2 == 0))
            await asyncio.sleep(0.003 * (i % 3))
        await asyncio.gather(*(exchange.task for exchange in exchanges))
        return [await text_of(exchange) for exchange in exchanges]

    found = run(scenario, model, batch=4)
    assert found == [
        model.generate(
            own["prompt"], length=own["max_tokens"], seed=own["seed"], temperature=own["temperature"]
        )
        for own in settings
    ]


def test_a_client_that_does_not_read_stops_its_text_and_nothing_else(model):
    async def scenario(server):
        slow = server.post(prompt="I", seed=1, max_tokens=500, stream=True, reads=False)
        await slow.begins()
        await eventually(lambda: server.is_idle)
        assert AHEAD <= server.one.worker.tokens <= 3 * AHEAD
        other = await text_of(server.post(prompt="We", seed=2))  # though there is one place
        slow.reading.set()
        return await text_of(slow), other

    found = run(scenario, model, batch=1)
    assert found == (model.generate("I", length=500, seed=1), model.generate("We", length=16, seed=2))


@pytest.mark.parametrize("reads", [True, False])
def test_a_client_that_leaves_frees_its_place(model, reads):
    async def scenario(server):
        for _ in range(20):
            gone = server.post(prompt="I", max_tokens=2_000, stream=True, reads=reads, n=3)
            await gone.begins()
            await gone.leave()
        generating = server.generating
        await eventually(lambda: not generating._running and server.is_idle)
        assert not generating._waiting and not len(generating._generation)
        assert server.one.worker.tokens < 20 * 3 * 2_000
        return await text_of(server.post(prompt="We", seed=2))

    assert run(scenario, model, batch=2) == model.generate("We", length=16, seed=2)


def test_a_client_that_leaves_before_its_answer_is_not_waited_for(model):
    async def scenario(server):
        async with server.held():
            gone = server.post(prompt="I", max_tokens=2_000)
            await eventually(lambda: server.waiting)
            await gone.leave()
            assert gone.status == 499
        await eventually(lambda: server.is_idle)
        return server.one.worker.tokens

    assert run(scenario, model) == 0


def test_a_full_queue_refuses_with_the_time_to_try_again(model):
    async def scenario(server):
        async with server.held():
            waiting = [server.post(prompt="I", seed=i, stream=i == 1) for i in range(3)]
            await eventually(lambda: server.waiting == 3)
            refused = [server.post(prompt="I", n=2, stream=stream) for stream in (True, False)]
            problems = [await exchange.json() for exchange in refused]
            assert [exchange.status for exchange in refused] == [429, 429]
            assert all(exchange.headers["retry-after"] == "1" for exchange in refused)
            assert [problem["error"]["type"] for problem in problems] == ["rate_limit_error"] * 2
        return [await text_of(exchange) for exchange in waiting]

    assert run(scenario, model, queue=4) == [model.generate("I", length=16, seed=i) for i in range(3)]


@pytest.mark.parametrize("stream", [True, False])
def test_at_the_deadline_a_request_ends(model, stream):
    async def scenario(server):
        async with server.held():
            late = server.post(prompt="I", stream=stream)
            problem = await late.json()
            assert late.status == 504 and "0.05 seconds" in problem["detail"]
        return await text_of(server.post(prompt="We", seed=2))

    assert run(scenario, model, seconds=0.05) == model.generate("We", length=16, seed=2)


def test_texts_that_were_begun_end_with_the_model_before(model):
    other = as_if_trained("char", layers=2)

    async def scenario(server):
        begun = server.post(prompt="I", seed=1, max_tokens=300, stream=True, reads=False)
        await begun.begins()
        server.one.become(other)
        new = await text_of(server.post(prompt="I", seed=1))
        begun.reading.set()
        return await text_of(begun), new

    assert run(scenario, model) == (
        model.generate("I", length=300, seed=1),
        other.generate("I", length=16, seed=1),
    )


def test_an_error_ends_a_stream_that_has_begun_with_an_event(model):
    async def scenario(server):
        begun = server.post(prompt="I", max_tokens=2_000, stream=True, reads=False)
        await begun.begins()
        await eventually(lambda: server.is_idle)
        server.generating._generation.step = lambda skipped=(): 1 // 0
        begun.reading.set()
        await begun.task
        *pieces, error = events_of(begun.body.decode())
        assert len(pieces) >= AHEAD
        assert '"status":500' in error and '"type":"server_error"' in error and "zero" not in error
        return await text_of(server.post(prompt="We", seed=2))

    assert run(scenario, model) == model.generate("We", length=16, seed=2)


def test_the_end_of_the_server_ends_streams(model):
    async def scenario(server):
        begun = server.post(prompt="I", max_tokens=2_000, stream=True, reads=False)
        await begun.begins()
        await asyncio.to_thread(server.host.close)
        begun.reading.set()
        await begun.task
        late = server.post(prompt="I")
        await late.task
        return events_of(begun.body.decode())[-1], late.status

    last, status = run(scenario, model)
    assert '"status":503' in last and status == 503


def test_a_model_that_is_not_trained_is_said_to_be_so():
    untrained = small_language_models.char_model()

    async def scenario(server):
        for stream in (False, True):
            asked = server.post(prompt="To", stream=stream)
            problem = await asked.json()
            assert asked.status == 500 and "expected a trained model" in problem["error"]["message"]

    run(scenario, untrained)


def test_a_model_whose_training_diverged_answers_with_an_error():
    diverged = as_if_trained("char")
    diverged.parameters["output.c"][...] = np.nan

    async def scenario(server):
        asked = [server.post(prompt="To", stream=stream, logprobs=1) for stream in (False, True)]
        problems = [await exchange.json() for exchange in asked]
        assert [exchange.status for exchange in asked] == [500, 500]
        assert all(problem["error"]["type"] == "server_error" for problem in problems)

    run(scenario, diverged)
