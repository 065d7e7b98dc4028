"""The tokens of a prompt, against the scores and distributions that the model gives one by one."""

import numpy as np
import pytest
from small_language_models import LEVELS, as_if_trained

from rnnrs.models.language import reading

PROMPT = "I want to go home. They want to eat"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("options", [{}, {"cell": "lstm", "layers": 2}, {"cutoffs": [5, 12]}])
def test_each_token_has_its_probability_and_the_likeliest_ones(level, options, monkeypatch):
    model = as_if_trained(level, **options)
    monkeypatch.setattr(reading, "_SCORES", 3 * len(model.vocabulary))  # three tokens at a time
    found = model.prompt_tokens(PROMPT, likeliest=4)
    score = model.score(PROMPT, end=False)
    assert [token.text for token in found] == score.tokens
    np.testing.assert_allclose([token.log_prob for token in found], score.log_probs, rtol=1e-9)
    steps, vocabulary = model.stepper(), model.vocabulary
    for read, token in zip(model.context(PROMPT), found, strict=False):
        o = steps.step(int(read))
        log_p = o - np.log(np.exp(o - o.max()).sum()) - o.max()
        log_p[vocabulary.unknown_id] = -np.inf
        best = np.argsort(-log_p, kind="stable")[:4]
        assert [text for text, _ in token.likeliest] == [
            vocabulary.surface(vocabulary.tokens[i]) for i in best
        ]
        np.testing.assert_allclose([p for _, p in token.likeliest], log_p[best], rtol=1e-9)


def test_of_separate_lines_only_the_last_one_is_read():
    model = as_if_trained("word")
    model.by_sentence = True
    assert model.prompt_tokens("I want to go.\nThey eat", likeliest=1) == model.prompt_tokens(
        "They eat", likeliest=1
    )


def test_an_empty_prompt_has_no_tokens():
    assert as_if_trained("char").prompt_tokens("") == []


@pytest.mark.parametrize(("options", "error"), [({"prompt": 3}, TypeError), ({"likeliest": -1}, ValueError)])
def test_invalid_arguments(options, error):
    with pytest.raises(error, match=r"LanguageModel\.prompt_tokens: \w+: expected"):
        as_if_trained("char").prompt_tokens(**{"prompt": "a", **options})
