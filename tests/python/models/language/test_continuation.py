"""Beam search with a language model: continuations have the model's probabilities."""

import numpy as np
import pytest
from small_applications import as_trained

from rnnrs.decoding import Constraints, greedy, sample
from rnnrs.models import LanguageModel
from rnnrs.text import CharVocabulary, WordVocabulary

LINES = "the cat sat on the mat.\nthe dog sat on the rug!\na cat saw the dog.\n" * 8


def words(**options):
    model = LanguageModel(
        WordVocabulary.build(LINES), embedding_size=9, hidden_size=13, dtype="float64", seed=3, **options
    )
    model.parameters.flat[:] *= 3  # far from uniform
    model.by_sentence = True
    return model


@pytest.mark.parametrize(
    "options", [{}, {"cell": "lstm", "layers": 2}, {"cell": "gru", "layer_norm": True}, {"cutoffs": [4, 8]}]
)
def test_a_continuation_has_the_model_s_probability(options):
    model = words(**options)
    prompts = ["the cat", "", "a", "the dog sat on"]
    # A mark by itself says nothing in these places: the text has other tokens.
    marks = [model.vocabulary.id_of(mark) for mark in "￭␣"]
    constraints = Constraints(max_length=6, forbidden=marks)
    found = model.beam_search(prompts, beam=4, n_best=3, constraints=constraints)
    for prompt, continuations in zip(prompts, found, strict=True):
        assert len(continuations) == 3
        scores = [c.hypothesis.score for c in continuations]
        assert scores == sorted(scores, reverse=True)
        for continuation in continuations:
            text = prompt + continuation.text
            assert model.vocabulary.unknown_id not in continuation.hypothesis.tokens
            given = len(model.vocabulary.encode(prompt))
            log_probs = model.score(text).log_probs
            assert len(log_probs) == given + len(continuation.hypothesis.tokens) + 1
            assert continuation.hypothesis.log_prob == pytest.approx(log_probs[given:].sum(), rel=1e-9)
            lp = ((5 + len(log_probs) - given) / 6) ** 0.6
            assert continuation.hypothesis.score == pytest.approx(log_probs[given:].sum() / lp, rel=1e-9)


def test_prompts_do_not_depend_on_each_other():
    model = words(cell="lstm")
    prompts = [" ".join(LINES.split()[i : i + i % 4]) for i in range(20)]
    together = model.beam_search(prompts, beam=3, n_best=2)
    for prompt, expected in zip(prompts, together, strict=True):
        alone = model.beam_search(prompt, beam=3, n_best=2)
        assert [(c.text, c.hypothesis.score) for c in alone] == [
            (c.text, c.hypothesis.score) for c in expected
        ]


def test_greedy_decoding_is_generation_at_temperature_0():
    model = as_trained(LanguageModel(CharVocabulary.build(LINES), hidden_size=24, seed=1))
    steps = model.step_model(["the ", "a cat"])
    assert steps.end_id is None
    forbidden = [model.vocabulary.unknown_id]
    found = greedy(steps, steps.start, None, constraints=Constraints(max_length=30, forbidden=forbidden))
    for prompt, hypothesis in zip(["the ", "a cat"], found, strict=True):
        expected = model.generate(prompt, length=30, temperature=0)
        assert model.vocabulary.decode(hypothesis.tokens) == expected


def test_texts_are_sampled_side_by_side():
    model = words()
    steps = model.step_model(["the"] * 5)
    drawn = sample(steps, steps.start, steps.end_id, count=3, seed=0, constraints=Constraints(max_length=9))
    texts = {model.vocabulary.decode(h.tokens) for hypotheses in drawn for h in hypotheses}
    assert len(texts) > 5


def test_a_stream_continues_across_lines_and_words_keep_their_spaces():
    model = words()
    model.by_sentence = False
    (found,) = model.beam_search("the cat", constraints=Constraints(max_length=12))
    assert len(found.hypothesis.tokens) == 12
    whole = model.vocabulary.decode(
        np.concatenate([model.vocabulary.encode("the cat"), found.hypothesis.tokens])
    )
    assert "the cat" + found.text == whole
    assert model.beam_search([]) == []
    spaced = model.beam_search("the cat ", constraints=Constraints(max_length=12))[0]
    assert spaced.text == found.text.removeprefix(" ")


def test_further_forbidden_tokens_stay_forbidden():
    model = words()
    the = int(model.vocabulary.encode("the")[0])
    (found,) = model.beam_search("", constraints=Constraints(max_length=12, min_length=5, forbidden=[the]))
    assert the not in found.hypothesis.tokens and len(found.hypothesis.tokens) >= 5
