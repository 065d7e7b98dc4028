"""P(text | the text before it): by sums, by next_distribution, and by the command."""

import itertools
import json
import math

import numpy as np
import pytest
from small_applications import as_trained

from rnnrs.cli import main
from rnnrs.models import LanguageModel

TEXT = "I want to go home. I want to eat, she said.\nThey want to go to the king!\n" * 4


def model(level, **options):
    vocabulary = {
        "char": {},
        "word": {"min_count": 1},
        "token": {"min_count": 1},
        "subword": {"max_size": 320},
    }
    made = LanguageModel.from_text(
        TEXT, level=level, vocabulary=vocabulary[level], hidden_size=12, dtype="float64", seed=3, **options
    )
    return as_trained(made)


LEVELS = ("char", "word", "token", "subword")


@pytest.mark.parametrize("level", ("char", "word", "token"))
@pytest.mark.parametrize("after", ("", "I want to", "go home.\nThey"))
@pytest.mark.parametrize("by_sentence", (False, True))
def test_the_probabilities_of_all_texts_of_a_length_add_up_to_one(level, after, by_sentence):
    made = model(level)
    made.by_sentence = by_sentence
    tokens = [token for i, token in enumerate(made.vocabulary.tokens) if i != made.vocabulary.end_id]
    p = made.next_distribution(after)
    if level == "char":  # the space between is predicted, so the first character is not always the text's
        after = after + " " if after else after
        p = made.next_distribution(after)
        totals = [made.log_prob(token, after=after, end=False) for token in tokens]
        assert sum(map(math.exp, totals)) + p[made.vocabulary.end_id] == pytest.approx(1, abs=1e-12)
        pairs = ["".join(pair) for pair in itertools.product(tokens, tokens)]
        found = {ranked.text: math.exp(ranked.log_prob) for ranked in made.rank(pairs, after=after)}
        for token, total in zip(tokens, totals, strict=True):
            ended = made.next_distribution(after + token)[made.vocabulary.end_id]
            longer = sum(found[token + second] for second in tokens)
            assert longer == pytest.approx(math.exp(total) * (1 - ended), rel=1e-9)
        return
    words = [token for token in tokens if made.vocabulary.surface(token)[:1].isalpha()]
    for word in words:
        id = made.vocabulary.id_of(word)
        assert made.log_prob(word, after=after, end=False) == pytest.approx(math.log(p[id]), rel=1e-9)


@pytest.mark.parametrize("level", LEVELS)
def test_a_text_after_a_text_has_the_rest_of_the_probability_of_both(level):
    made = model(level)
    whole = "I want to go home."
    for words in range(1, 4):
        after = " ".join(whole.split(" ")[:words])
        rest = whole.removeprefix(after + " ")
        for text, before in ((rest, after), (" " + rest, after)):
            parts = made.log_prob(before, end=False) + made.log_prob(text, after=before)
            assert parts == pytest.approx(made.log_prob(whole), rel=1e-9)
    assert made.log_prob(whole, end=False) < 0 and made.log_prob(whole) < made.log_prob(whole, end=False)


@pytest.mark.parametrize("level", LEVELS)
def test_texts_are_ranked_by_what_each_has_by_itself(level):
    made = model(level)
    texts = ["go home", "eat", "to the king", "go", "go home"]
    found = made.rank(texts, after="I want to")
    assert sorted(one.text for one in found) == sorted(texts)
    logs = [one.log_prob for one in found]
    assert logs == sorted(logs, reverse=True)
    assert sum(one.share for one in found) == pytest.approx(1)
    for one in found:
        assert one.log_prob == made.score(one.text, after="I want to", end=False).total
        assert one.share == pytest.approx(math.exp(one.log_prob) / sum(map(math.exp, logs)))
    assert made.rank([], after="I") == []


def test_what_is_a_bound_is_named():
    assert [model(level).score("I want to go").is_bound for level in LEVELS] == [False, True, False, True]
    plain = LanguageModel.from_text("so be it\n" * 3, level="word", hidden_size=4)
    assert not plain.score("so be it").is_bound
    several = model("subword")
    ways = [several.vocabulary.encode("go"), several.vocabulary.encode("g"), several.vocabulary.encode("o")]
    assert len(ways[0]) == 1 and len(ways[1]) == len(ways[2]) == 1  # "go" is spelled in two ways at least


def test_the_end_of_a_sentence_counts_where_it_is_asked_for():
    made = model("word")
    with_end, without = made.score("I want to go."), made.score("I want to go.", end=False)
    np.testing.assert_array_equal(with_end.log_probs[:-1], without.log_probs)
    assert with_end.tokens == [*without.tokens, "<eos>"]
    assert made.score("").tokens == ["<eos>"]
    assert made.score("I want.\n").tokens == made.score("I want.").tokens


@pytest.mark.parametrize("method", ("score", "log_prob"))
def test_bad_texts_are_refused(method):
    made = model("word")
    with pytest.raises(
        ValueError, match=rf"LanguageModel\.{method}: text: expected at least one token, got none"
    ):
        getattr(made, method)("  ", after="I", end=False)
    with pytest.raises(TypeError, match=rf"LanguageModel\.{method}: after: expected a string, got NoneType"):
        getattr(made, method)("I", after=None)
    with pytest.raises(TypeError, match=rf"LanguageModel\.{method}: text: expected a string, got int"):
        getattr(made, method)(3)


def test_no_space_is_put_where_none_belongs():
    chinese = LanguageModel.from_text("我想回家。我想吃。\n" * 4, hidden_size=4)
    assert chinese.score("回家", after="我想", end=False).tokens == ["回", "家"]
    letters = model("char")
    assert letters.score("go", after="want to", end=False).tokens == [" ", "g", "o"]
    assert letters.score("go", after="want to ", end=False).tokens == ["g", "o"]
    assert letters.score(", she", after="to eat", end=False).tokens == list(", she")


def test_the_command_scores_and_ranks_what_follows(tmp_path, capsys):
    made = model("word")
    path = str(tmp_path / "m.rnn")
    made.save(path)
    assert main(["lm", "score", path, "--after", "I want to", "go home", "eat"]) == 0
    lines = capsys.readouterr().out.splitlines()
    expected = made.rank(["go home", "eat"], after="I want to")
    assert lines == [f"{one.log_prob:.4f}\t{one.share:.1%}\t{one.text}" for one in expected]
    assert main(["lm", "score", path, "--after", "I want to", "--json", "go home", "eat"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["sentence"] for one in found] == [one.text for one in expected]
    assert [one["log_prob"] for one in found] == pytest.approx([one.log_prob for one in expected])
    assert [token["token"] for token in found[0]["tokens"]] == made.score(expected[0].text, end=False).tokens
