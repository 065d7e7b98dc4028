"""P(text | the text before it): by sums, by next_distribution, and by the command."""

import itertools
import json
import math

import numpy as np
import pytest
from small_language_models import LEVELS
from small_language_models import as_if_trained as model

from rnnrs.cli import main
from rnnrs.models import LanguageModel
from rnnrs.models.language import spellings as spelled


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


def spellings(vocabulary, text):
    """All ways to spell bytes in a vocabulary's tokens."""
    if not text:
        return [[]]
    pieces = [(i, vocabulary.piece(i)) for i in range(len(vocabulary))]
    begins = [(i, piece) for i, piece in pieces if piece and text.startswith(piece)]
    return [[i, *rest] for i, piece in begins for rest in spellings(vocabulary, text[len(piece) :])]


def log_p_of(made, after, ids):
    """ln P of tokens after a text, one by one."""
    stepper, total = made.stepper(), 0.0
    o = stepper.read(made.context(after))
    for i in ids:
        total += o[i] - np.log(np.exp(o - o.max()).sum()) - o.max()
        o = stepper.step(i)
    return total


@pytest.mark.parametrize("text", ("go", "eat", "home", "the king"))
def test_all_spellings_of_a_sentence_are_summed(text):
    made = model("subword")
    found = spellings(made.vocabulary, f" {text}".encode())
    assert len(found) > 1
    ends = [log_p_of(made, "I want to", [*ids, made.vocabulary.end_id]) for ids in found]
    summed = made.score(text, after="I want to", all_spellings=True)
    assert summed.total == pytest.approx(np.logaddexp.reduce(ends), rel=1e-9)
    one = made.score(text, after="I want to")
    assert one.is_bound and not summed.is_bound and one.total < summed.total
    assert summed.tokens == one.tokens
    assert made.log_prob(text, after="I want to", all_spellings=True) == summed.total
    assert made.rank([text], after="I want to", end=True, all_spellings=True)[0].log_prob == summed.total


@pytest.mark.parametrize("after", ("", "I want to", "go home.\nThey"))
def test_all_texts_of_some_bytes_add_up_to_one(after):
    made = model("subword")
    vocabulary = made.vocabulary
    unknown = made.next_distribution(after)[vocabulary.unknown_id]
    letters = [np.array([i]) for i in range(len(vocabulary)) if len(vocabulary.piece(i)) == 1]
    letters = [ids for ids in letters if ids[0] != vocabulary.end_id]  # its byte is a token of its own, too
    assert len(letters) == 256
    first = [spelled.marginal(made, after, ids, False) for ids in letters]
    assert not any(one.is_bound for one in first)
    assert sum(math.exp(one.log_prob) for one in first) == pytest.approx(1 - unknown, abs=1e-12)
    g = vocabulary.encode("g")
    pairs = [spelled.marginal(made, after, np.append(g, ids), False).log_prob for ids in letters]
    # After the letter spelled by itself, an unknown token adds no letter.
    lost = math.exp(log_p_of(made, after, [g[0], vocabulary.unknown_id]))
    whole = math.exp(spelled.marginal(made, after, g, False).log_prob)
    assert sum(map(math.exp, pairs)) == pytest.approx(whole - lost, rel=1e-9)


def test_a_sum_over_too_many_spellings_is_a_bound(monkeypatch):
    made = model("subword")
    full = made.score("go home", after="I", all_spellings=True)
    monkeypatch.setattr(spelled, "_WIDTH", 2)
    part = made.score("go home", after="I", all_spellings=True)
    assert part.is_bound and not full.is_bound and part.total < full.total


def test_long_texts_have_at_least_the_probability_of_one_spelling(monkeypatch):
    made, text = model("subword"), "go home, she said. " * 2
    one = made.score(text, after="I").total
    for width in (1, 4):
        monkeypatch.setattr(spelled, "_WIDTH", width)
        found = made.score(text, after="I", all_spellings=True)
        assert found.is_bound and found.total >= one
    monkeypatch.setattr(spelled, "_WIDTH", 512)
    exact = made.score("go home", after="I", all_spellings=True)
    monkeypatch.setattr(
        spelled, "_WIDTH", 64
    )  # what is dropped hardly matters: not the short beginnings are kept
    assert made.score("go home", after="I", all_spellings=True).total == pytest.approx(exact.total, rel=1e-6)


@pytest.mark.parametrize("spaces", (" ", "  "))
def test_spaces_before_a_text_are_given(spaces):
    made = model("subword")
    given = made.log_prob(spaces, after="I want", end=False, all_spellings=True)
    for text in ("to", " to", "é"):
        joint = made.log_prob(spaces + text, after="I want", end=False, all_spellings=True)
        found = made.log_prob(text, after="I want" + spaces, end=False, all_spellings=True)
        assert found == pytest.approx(joint - given, rel=1e-9)
        assert made.log_prob(text, after="I want" + spaces, end=False) < found
    ascii_ = [chr(code) for code in range(128)]
    whole = sum(
        math.exp(made.log_prob(c, after="I want" + spaces, end=False, all_spellings=True)) for c in ascii_
    )
    others = sum(
        math.exp(
            spelled.marginal(made, "I want", np.append(made.vocabulary.encode(spaces), i), False).log_prob
        )
        for i in range(len(made.vocabulary))
        if len(made.vocabulary.piece(i)) == 1 and made.vocabulary.piece(i) >= b"\x80"
    )
    assert 0.99 < whole + others / math.exp(given) <= 1 + 1e-9


def test_where_there_is_one_spelling_nothing_is_summed():
    for level in ("char", "word", "token"):
        made = model(level)
        assert made.score("I want", all_spellings=True).marginal is None
    assert model("subword").score("", all_spellings=True).total == pytest.approx(
        model("subword").log_prob("")
    )


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
    with pytest.raises(ValueError, match="text: expected at least one token, got none"):
        getattr(model("subword"), method)("", after="I ", end=False)
    with pytest.raises(TypeError, match=r"LanguageModel\.rank: texts: expected a list, got NoneType"):
        made.rank(None)


def test_no_space_is_put_where_none_belongs():
    chinese = LanguageModel.from_text("我想回家。我想吃。\n" * 4, hidden_size=4)
    assert chinese.score("回家", after="我想", end=False).tokens == ["回", "家"]
    letters = model("char")
    assert letters.score("go", after="want to", end=False).tokens == [" ", "g", "o"]
    assert letters.score("go", after="want to ", end=False).tokens == ["g", "o"]
    for after, mark in (("e", "\u0301"), ("👨\u200d", "👩"), ("👍", "🏽"), ("नमस", "्ते")):
        tokens = letters.score(mark, after=after, end=False).tokens
        assert len(tokens) == len(mark) and tokens[0] != " "
    assert letters.score("a\ud800", after="x", end=False).tokens[:2] == [" ", "a"]
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


def test_the_command_sums_over_all_spellings(tmp_path, capsys):
    made = model("subword")
    path = str(tmp_path / "m.rnn")
    made.save(path)
    assert main(["lm", "score", path, "--all-spellings", "I want to go"]) == 0
    total = made.log_prob("I want to go", all_spellings=True)
    assert capsys.readouterr().out == f"{total:.4f}\tI want to go\n"
    assert main(["lm", "score", path, "--all-spellings", "--json", "--after", "I", "want"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["log_prob"] == made.log_prob("want", after="I", end=False, all_spellings=True)
    assert found["is_bound"] is False
