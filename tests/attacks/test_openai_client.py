"""The server as the `openai` client sees it: answers, streams, and its classes of errors."""

import asyncio

import openai
import pytest
import served_models

MODELS = served_models.models("letters", "words", "chatbot", "assistant")


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"{server}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_models_are_listed(client):
    listed = {model.id: model for model in client.models.list()}
    assert listed.keys() == served_models.MADE.keys()
    assert listed["letters"].owned_by == "rnnrs" and listed["letters"].object == "model"
    assert client.models.retrieve("chatbot").id == "chatbot"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt")


def test_completions(client):
    answer = client.completions.create(
        model="letters",
        prompt=["The", "The dog"],
        max_tokens=20,
        n=2,
        seed=3,
        logprobs=2,
        stop=["zz"],
        echo=True,
    )
    model = MODELS["letters"]
    assert answer.choices[0].text == "The" + model.generate("The", length=20, seed=3)
    assert answer.choices[2].text == "The dog" + model.generate("The dog", length=20, seed=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    for choice in answer.choices:
        found = choice.logprobs
        assert "".join(found.tokens) == choice.text and found.text_offset == [*range(len(choice.text))]
        for token, p, best in zip(found.tokens, found.token_logprobs, found.top_logprobs, strict=True):
            assert best[token] == p <= 0 and 2 <= len(best) <= 3
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens == 10 + 80


def test_streamed_completions(client):
    stream = client.completions.create(
        model="letters",
        prompt="The",
        max_tokens=30,
        seed=4,
        logprobs=1,
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks) == MODELS["letters"].generate(
        "The", length=30, seed=4
    )
    assert sum(len(chunk.choices[0].logprobs.tokens) for chunk in chunks) == 30
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["length"]
    assert last.usage.completion_tokens == 30 and not last.choices


def test_a_closed_stream_is_given_up(client):
    for _ in range(30):
        stream = client.completions.create(model="letters", prompt="The", max_tokens=50, stream=True)
        next(iter(stream))
        stream.close()
    assert client.completions.create(model="letters", prompt="The", max_tokens=5).usage.completion_tokens == 5


@pytest.mark.parametrize(("model", "turn"), [("chatbot", "who are you"), ("assistant", "thai food")])
def test_chat_completions(client, model, turn):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": turn}]
    expected = MODELS[model].reply(turn)
    answer = client.chat.completions.create(model=model, messages=messages, temperature=0.2, max_tokens=50)
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content) == ("assistant", expected.text)
    assert choice.finish_reason == "stop"
    extra = choice.model_extra
    assert extra["confidence"] == getattr(expected, "confidence", None) and extra["unknown"] is False
    stream = client.chat.completions.create(model=model, messages=messages, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == expected.text


def test_concurrent_requests_get_the_answers_of_the_model_alone(server):
    async def asked():
        async with openai.AsyncOpenAI(base_url=f"{server}/v1", api_key="none", max_retries=0) as client:

            async def text(i):
                options = {"model": "letters", "prompt": "The"[: i % 4], "seed": i, "max_tokens": 10 + i % 40}
                if i % 2:
                    return (await client.completions.create(**options)).choices[0].text
                stream = await client.completions.create(**options, stream=True)
                return "".join([chunk.choices[0].text async for chunk in stream])

            return await asyncio.gather(*(text(i) for i in range(48)))

    expected = [MODELS["letters"].generate("The"[: i % 4], seed=i, length=10 + i % 40) for i in range(48)]
    assert asyncio.run(asked()) == expected


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"model": "letters", "temperature": 9}, "temperature"),
        ({"model": "letters", "logit_bias": {"3": 4}}, "logit_bias"),
        ({"model": "translator"}, "model"),
        ({"model": "letters", "max_tokens": 51, "stream": True}, "max_tokens"),
    ],
)
def test_invalid_requests(client, options, param):
    with pytest.raises(openai.BadRequestError) as found:
        client.completions.create(**{"prompt": "a", **options})
    assert found.value.param == param and found.value.type == "invalid_request_error"
    assert "expected" in str(found.value)


def test_an_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as found:
        client.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "hi"}])
    assert found.value.param == "model"


def test_a_token_is_needed_where_the_server_has_one(narrow):
    with openai.OpenAI(base_url=f"{narrow}/v1", api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            client.completions.create(model="letters", prompt="a")
        with pytest.raises(openai.AuthenticationError):
            client.models.list()
        right = client.with_options(api_key="open-sesame-open-sesame")
        assert (
            right.completions.create(model="letters", prompt="a", max_tokens=3).usage.completion_tokens == 3
        )


def test_a_full_queue_is_a_rate_limit(narrow):
    async def asked():
        async with openai.AsyncOpenAI(
            base_url=f"{narrow}/v1", api_key="open-sesame-open-sesame", max_retries=0
        ) as client:
            requests = [
                client.completions.create(model="letters", prompt="a", max_tokens=2_000) for _ in range(12)
            ]
            return await asyncio.gather(*requests, return_exceptions=True)

    found = asyncio.run(asked())
    refused = [one for one in found if isinstance(one, openai.RateLimitError)]
    answered = [one for one in found if not isinstance(one, Exception)]
    assert refused and answered and len(refused) + len(answered) == 12
    assert all(one.response.headers["retry-after"] == "1" for one in refused)
    assert all(one.usage.completion_tokens == 2_000 for one in answered)
