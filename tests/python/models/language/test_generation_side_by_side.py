"""Texts generated side by side: each is the one that is generated alone, whoever joins and leaves."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from small_applications import as_trained
from small_language_models import LEVELS, VERSES, WANTS, as_if_trained, char_model

from rnnrs import _rnnrs
from rnnrs.decoding import Stopped, stoppable
from rnnrs.models import LanguageModel
from rnnrs.models.language import generation as generating

PROMPTS = [
    "",
    "I want",
    "They want to go to the",
    "I want to go home. I want",
    "king!\nThey",
    "I want to eat, ",
]

SETTINGS = [
    {"length": 23, "temperature": 1.5},
    {"length": 1, "temperature": 0},
    {"length": 40, "temperature": 0.7, "top_k": 5},
    {"length": 9, "top_p": 0.8},
    {"length": 0},
    {"length": 31, "temperature": 1.2, "stop": ["go", "want."]},
]

MODELS = [
    *({"level": level} for level in LEVELS),
    {"level": "char", "cell": "lstm", "layers": 2},
    {"level": "char", "cell": "gru", "layer_norm": True},
    {"level": "word", "cell": "lstm", "embedding_size": 12, "tied": True},
    {"level": "word", "cell": "gru", "cutoffs": [5]},
    {"level": "subword", "cell": "gru", "layers": 2},
]


def model_of(options, by_sentence, dtype="float64"):
    model = as_if_trained(options["level"], **{k: v for k, v in options.items() if k != "level"})
    if dtype == "float32":
        made = LanguageModel(model.vocabulary, **(model.sizes | {"dtype": dtype}))
        model = as_trained(made)
    model.by_sentence = by_sentence
    return model


def by_hand(model, prompt, *, length, temperature=1.0, top_k=0, top_p=1.0, seed=None, stop=()):
    """The text that a model generates, token by token, and ln P of each token: what the documents say."""
    vocabulary, stepper, ids = model.vocabulary, model.stepper(), model.context(prompt).tolist()
    o, add, draw = stepper.read(np.array(ids)), vocabulary.stream(ids[1:]), np.random.default_rng(seed)
    text, log_probs, begun = "", [], bool(prompt) and not prompt[-1].isspace()
    for _ in range(length):
        log_p = _rnnrs.log_softmax(o[None])[0]
        if vocabulary.unknown_id is not None:
            o[vocabulary.unknown_id] = -np.inf
        token = _rnnrs.sample(o, temperature, top_k, top_p, draw.random())
        log_probs.append(float(log_p[token]))
        piece = add(token)
        text += piece if begun or len(piece) < 2 else piece.removeprefix(" ")
        begun = begun or bool(piece)
        if any(one in text for one in stop):
            return text[: min(text.find(one) for one in stop if one in text)], log_probs, "stop"
        if model.by_sentence and token == vocabulary.end_id:
            stepper.reset()
        o = stepper.step(token)
    return text, log_probs, "length"


def run(generation, wanted, joins, leaves=()):
    """Steps to the end; texts join and leave before given steps. Returns the pieces by name."""
    pieces, names, step = {name: [] for name in wanted}, {}, 0
    while len(generation) or step <= max(joins.values()):
        for name, when in joins.items():
            if when == step:
                prompt, settings = wanted[name]
                names[generation.add(prompt, **settings)] = name
        for name, when in leaves:
            if when == step:
                generation.remove(next(key for key, known in names.items() if known == name))
        for key, piece in generation.step():
            pieces[names[key]].append(piece)
        step += 1
    return pieces


@pytest.mark.parametrize("by_sentence", [False, True])
@pytest.mark.parametrize("options", MODELS, ids=str)
def test_each_text_is_the_one_that_is_generated_alone(options, by_sentence):
    for dtype in ("float64", "float32"):
        model = model_of(options, by_sentence, dtype)
        wanted = {
            i: (prompt, settings | {"seed": i})
            for i, (prompt, settings) in enumerate(zip(PROMPTS, SETTINGS, strict=True))
        }
        pieces = run(model.generation(), wanted, {0: 0, 1: 0, 2: 2, 3: 2, 4: 3, 5: 9})
        for i, (prompt, settings) in wanted.items():
            text, log_probs, finished = by_hand(model, prompt, **settings)
            assert "".join(piece.text for piece in pieces[i]) == text == model.generate(prompt, **settings)
            assert "".join(model.stream(prompt, **settings)) == text
            assert [piece.finished for piece in pieces[i][:-1]] == [None] * (len(pieces[i]) - 1)
            found = [token.log_prob for piece in pieces[i] for token in piece.tokens]
            assert found == log_probs[: len(found)]
            assert pieces[i][-1].finished == finished
            assert finished == "stop" or len(found) == settings["length"]


def test_whoever_leaves_or_waits_changes_no_other_text():
    model = model_of({"level": "char", "cell": "lstm"}, False)
    wanted = {i: (PROMPTS[i], {"length": 30, "seed": i}) for i in range(5)}
    pieces = run(model.generation(), wanted, {0: 0, 1: 0, 2: 1, 3: 4, 4: 4}, [(1, 3), (3, 4), (0, 40)])
    texts = ["".join(piece.text for piece in pieces[i]) for i in wanted]
    whole = [model.generate(prompt, **settings) for prompt, settings in wanted.values()]
    assert [texts[i] for i in (0, 2, 4)] == [whole[i] for i in (0, 2, 4)]
    assert texts[1] == whole[1][:3]
    assert texts[3] == ""

    generation = model.generation()
    keys = [generation.add(prompt, **settings) for prompt, settings in wanted.values()]
    found, rng = dict.fromkeys(keys, ""), np.random.default_rng(5)
    while len(generation):
        skipped = [key for key in keys if rng.random() < 0.4]
        for key, piece in generation.step(skipped):
            assert key not in skipped
            found[key] += piece.text
    assert [*found.values()] == whole


def test_long_prompts_are_read_in_parts_while_others_go_on(monkeypatch):
    monkeypatch.setattr(generating, "POSITIONS", 50)
    model = model_of({"level": "char", "cell": "gru"}, False)
    wanted = {
        0: ("I want", {"length": 20, "seed": 1}),
        1: (WANTS[:180], {"length": 5, "seed": 2}),
        2: ("to ", {"length": 5, "seed": 3}),
    }
    generation = model.generation()
    keys = [generation.add(prompt, **settings) for prompt, settings in wanted.values()]
    first = [key for _ in range(4) for key, _ in generation.step()]
    assert first.count(keys[0]) == 4
    assert first.count(keys[2]) == 4
    assert keys[1] not in first
    assert model.generate_all([WANTS[:180], ""], length=5, seeds=[2, 9])[0].text == model.generate(
        WANTS[:180], length=5, seed=2
    )


def test_more_texts_than_places_wait(monkeypatch):
    monkeypatch.setattr(generating, "SIDE_BY_SIDE", 3)
    model = model_of({"level": "char"}, True)
    found = model.generate_all(PROMPTS, length=12, seeds=range(6), temperature=1.3)
    alone = [model.generate(p, length=12, seed=i, temperature=1.3) for i, p in enumerate(PROMPTS)]
    assert [one.text for one in found] == alone
    generation = model.generation()
    for prompt in PROMPTS:
        generation.add(prompt, length=2)
    assert len(generation.step()) <= 3
    assert len(generation) == 6


@pytest.mark.parametrize("level", LEVELS)
def test_tokens_come_with_their_text_and_the_likeliest_ones(level):
    model = model_of({"level": level}, False)
    (one,) = model.generate_all(["I want"], length=30, seeds=[4], logprobs=4)
    assert one.text == model.generate("I want", length=30, seed=4) == str(one)
    assert len(one.tokens) == 30
    assert one.finished == "length"
    unknown = model.vocabulary.unknown_id
    context = model.context("I want").tolist()
    names = [model.vocabulary.surface(token) for token in model.vocabulary.tokens]
    for token in one.tokens:
        log_p = _rnnrs.log_softmax(model.stepper().read(np.array(context))[None])[0]
        allowed = np.array([p if i != unknown else -np.inf for i, p in enumerate(log_p)])
        best = np.argsort(-allowed, kind="stable")[:4]
        assert token.likeliest == tuple((names[i], allowed[i]) for i in best)
        assert len(token.likeliest) == 4
        places = np.flatnonzero(allowed == token.log_prob)  # the token is one of those with this ln P
        own = [i for i in places if names[i] == token.text]
        assert own
        context.append(int(own[0]))


def test_a_piece_that_is_held_back_brings_its_tokens_later():
    model = as_trained(char_model())
    text = model.generate("To be", length=40, seed=1)
    stop = text[17:23]
    generation = model.generation()
    generation.add("To be", length=40, seed=1, stop=stop)
    said, tokens, finished = "", [], None
    while len(generation):
        for _, piece in generation.step():
            said += piece.text
            tokens += piece.tokens
            finished = piece.finished
            assert "".join(token.text for token in tokens) == said
    assert said == text[: text.index(stop)]
    assert finished == "stop"
    (whole,) = model.generate_all(["To be"], length=19, seeds=[1], stop=text[17:19] + "never")
    assert whole.text == text[:19]  # what might have been the stop text comes at the end
    assert len(whole.tokens) == 19


def test_letters_of_several_bytes_come_with_all_their_tokens(monkeypatch):
    model = model_of({"level": "subword"}, False)
    ids = model.vocabulary.encode("a 日本 für\u0301 語").tolist()
    left = iter(ids)
    monkeypatch.setattr(generating, "sample", lambda *_: next(left))
    generation = model.generation()
    generation.add("", length=len(ids) - 1)
    pieces = [piece for _ in ids[1:] for _, piece in generation.step()]
    assert "".join(piece.text for piece in pieces) == "a 日本 für\u0301 "
    assert [len(piece.tokens) for piece in pieces if piece.text in ("日", "本")] == [3, 3]
    assert pieces[-1].text == ""  # the first bytes of the last letter, which is never complete
    assert sum(len(piece.tokens) for piece in pieces) == len(ids) - 1


def test_a_generation_that_is_stopped_can_go_on():
    model = model_of({"level": "char", "cell": "gru"}, False)
    whole = model.generate("I want", length=20, seed=8)
    generation, said, calls = model.generation(), "", []
    generation.add("I want", length=20, seed=8)
    while len(generation):
        calls.append(0)
        try:
            with stoppable(lambda: len(calls) % 3 == 0):
                said += "".join(piece.text for _, piece in generation.step())
        except Stopped:
            assert len(calls) % 3 == 0
    assert said == whole
    assert len(calls) == 29


def test_a_stream_is_stopped_at_the_next_token():
    model, left = as_trained(char_model()), iter([False] * 6 + [True])
    pieces = []
    with stoppable(lambda: next(left)), pytest.raises(Stopped):
        pieces.extend(model.stream("To be", length=40, seed=1))
    assert "".join(model.stream("To be", length=40, seed=1)).startswith("".join(pieces))
    assert next(left, None) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.fit(VERSES, epochs=1, progress=False),
        lambda model: model.parameters.update({"output.c": model.parameters["output.c"] + 1}),
    ],
    ids=["trained", "assigned"],
)
def test_a_model_that_was_changed_since_reads_no_more_prompts(change):
    model = as_trained(char_model())
    generation = model.generation()
    generation.add("To", length=5, seed=1)
    generation.step()
    change(model)
    assert generation.step()  # those that have begun go on
    generation.add("To", length=5, seed=1)
    with pytest.raises(RuntimeError, match=r"^Generation\.step: expected the parameters with which"):
        generation.step()


def test_wrong_arguments_are_refused_and_nothing_joins():
    model = as_trained(char_model())
    generation = model.generation()
    for settings, error, match in (
        ({"length": -1}, ValueError, r"^Generation\.add: length: expected"),
        ({"temperature": math.nan}, ValueError, r"^Generation\.add: temperature: expected"),
        ({"logprobs": -1}, ValueError, r"^Generation\.add: logprobs: expected"),
        ({"stop": ["a", 3]}, TypeError, r"^Generation\.add: stop: expected a string, got int"),
        ({"stop": 3}, TypeError, r"^Generation\.add: stop: expected a text, or several, got 3"),
        ({"prompt": b"a"}, TypeError, r"^Generation\.add: prompt: expected a string, got bytes"),
    ):
        with pytest.raises(error, match=match):
            generation.add(**settings)
    assert len(generation) == 0
    assert generation.step() == []
    with pytest.raises(ValueError, match=r"^LanguageModel\.generate_all: seeds: expected one for each of 2"):
        model.generate_all(["a", "b"], seeds=[1])
    assert model.generate_all([]) == []


@pytest.mark.parametrize("copied", (copy.copy, copy.deepcopy))
def test_a_generation_is_not_copied(copied):
    with pytest.raises(TypeError, match=r"^Generation: expected no copy or pickle"):
        copied(as_trained(char_model()).generation())


@pytest.mark.parametrize("length", (15, 16, 17, 18, 40))
def test_the_end_of_a_prompt_goes_on_from_the_part_before_it(length, monkeypatch):
    model, prompt = as_trained(char_model()), VERSES[:length]
    whole = model.generate(prompt, length=5, seed=1)
    monkeypatch.setattr(generating, "POSITIONS", 16)
    monkeypatch.setattr(generating, "_SHORT", 8)
    assert model.generate(prompt, length=5, seed=1) == whole
