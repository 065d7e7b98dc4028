"""The language model: probabilities against plain NumPy, suggestions, generation, files."""

from __future__ import annotations

import math

import numpy as np
import pytest

import rnnrs
from rnnrs.models import LanguageModel
from rnnrs.models.fitting import lines_are_sentences
from rnnrs.models.generation import Pieces, until
from rnnrs.text import CharVocabulary, WordVocabulary
from rnnrs.train import Callback

SENTENCES = "\n".join(
    f"{who} {verb} {what}."
    for who in ("I", "You", "We", "They", "The men")
    for verb in ("like", "want", "wanted", "see", "don't see")
    for what in ("tea", "the sea", "apples", "an apple", "you")
)
VERSES = "To be, or not to be,\nthat is the question:\n" * 12


def word_model(**sizes):
    sizes = {"embedding_size": 6, "hidden_size": 9, "dtype": "float64", **sizes}
    return LanguageModel.from_text(SENTENCES, level="word", vocabulary={"min_count": 1}, **sizes)


def char_model(**sizes):
    sizes = {"embedding_size": 5, "hidden_size": 8, "dtype": "float64", **sizes}
    return LanguageModel.from_text(VERSES, **sizes)


@pytest.fixture(scope="module")
def trained_words():
    model = word_model(hidden_size=24, dtype="float32")
    model.fit(SENTENCES, epochs=40, batch_size=10, learning_rate=1e-2, progress=False)
    return model


@pytest.fixture(scope="module")
def trained_characters():
    model = char_model(hidden_size=48, dtype="float32")
    model.fit(VERSES, epochs=60, batch_size=4, steps=25, learning_rate=1e-2, progress=False)
    return model


def numpy_log_probs(model, inputs):
    """ln softmax(c + V h_t) for every step (T, V), by the equations."""
    p = model.parameters
    h = np.zeros(model.rnn.hidden_size)
    rows = []
    for token in inputs:
        h = np.tanh(p["rnn.b"] + p["rnn.W"] @ h + p["rnn.U"] @ p["embedding.E"][token])
        o = p["output.c"] + p["output.V"] @ h
        rows.append(o - o.max() - math.log(np.exp(o - o.max()).sum()))
    return np.array(rows)


@pytest.mark.parametrize("make", [word_model, char_model])
def test_log_prob_is_what_the_equations_say(make):
    model = make()
    sentence = "You want the sea."
    ids = model.vocabulary.encode(sentence)
    end = model.vocabulary.end_id
    rows = numpy_log_probs(model, [end, *ids])
    expected = rows[np.arange(len(ids) + 1), [*ids, end]]
    score = model.log_prob(sentence)
    np.testing.assert_allclose(score.log_probs, expected, rtol=1e-10)
    assert score.tokens == [model.vocabulary.tokens[i] for i in [*ids, end]]
    assert score.total == pytest.approx(expected.sum())
    assert score.perplexity == pytest.approx(math.exp(-expected.mean()))
    assert model.log_prob(sentence + "\n").total == score.total


def test_an_empty_sentence_is_just_its_end():
    score = word_model().log_prob("")
    assert score.tokens == ["<eos>"]
    assert score.log_probs.shape == (1,)


def test_unknown_words_are_scored_as_the_unknown_token():
    model = word_model()
    assert model.log_prob("I like xylophones.").tokens == ["I", "like", "<unk>", ".", "<eos>"]
    assert model.evaluate("I like xylophones.").unknown == 1


@pytest.mark.parametrize("make", [word_model, char_model])
def test_the_stepper_goes_where_forward_goes(make):
    model = make()
    ids = model.vocabulary.encode("You see the sea.")
    x, _ = model.embedding.forward(ids[:, None])
    h, _ = model.rnn.forward(x)
    o, _ = model.output.forward(h)
    stepper = model.stepper()
    for t, token in enumerate(ids.tolist()):
        np.testing.assert_allclose(stepper.step(token), o[t, 0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(stepper.state, h[-1], rtol=1e-9, atol=1e-12)
    stepper.reset()
    np.testing.assert_allclose(stepper.read(ids), o[-1, 0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("text", ["", "I", "I want ", "I want xylophones", "One.\nTwo"])
def test_next_distribution_is_one(text):
    for model in (word_model(), char_model(dtype="float32")):
        p = model.next_distribution(text)
        assert p.shape == (len(model.vocabulary),)
        assert p.dtype == np.float64
        assert (p >= 0).all()
        assert p.sum() == pytest.approx(1.0, abs=1e-12)


def test_the_gradient_is_that_of_finite_differences():
    model = word_model()
    ids = model.vocabulary.encode(SENTENCES)
    batch = rnnrs.data.Batch(ids[:12].reshape(4, 3), ids[1:13].reshape(4, 3))
    assert rnnrs.gradient_check(model, batch, step=1e-3).worst <= 1e-6


def test_the_state_carries_a_stream_on():
    model = char_model()
    ids = model.vocabulary.encode(VERSES)[:21]
    whole, last = model.loss(rnnrs.data.Batch(ids[:20, None], ids[1:21, None]), gradient=False)
    first, state = model.loss(rnnrs.data.Batch(ids[:10, None], ids[1:11, None]), gradient=False)
    second, state = model.loss(rnnrs.data.Batch(ids[10:20, None], ids[11:21, None]), state, gradient=False)
    assert (first + second) / 2 == pytest.approx(whole)
    np.testing.assert_allclose(state, last, rtol=1e-10)
    assert not model.gradients.flat.any()


def test_evaluation_of_a_stream_longer_than_a_window():
    model = char_model()
    text = VERSES * 3
    ids = model.vocabulary.encode(text)
    assert len(ids) > 1024
    rows = numpy_log_probs(model, [model.vocabulary.end_id, *ids[:-1]])
    nats = -rows[np.arange(len(ids)), ids].sum()
    result = model.evaluate(text)
    assert (result.tokens, result.characters, result.unknown) == (len(ids), len(text), 0)
    assert result.nats == pytest.approx(nats)
    assert result.perplexity == model.perplexity(text) == pytest.approx(math.exp(nats / len(ids)))
    assert result.bits_per_character == pytest.approx(nats / len(text) / math.log(2))


def test_evaluation_by_sentence_is_the_sum_over_sentences(trained_words):
    assert trained_words.by_sentence
    text = "I like tea.\n\nThey wanted an apple.\nYou see you.\n"
    scores = [trained_words.log_prob(line) for line in text.splitlines() if line]
    result = trained_words.evaluate(text)
    assert result.nats == pytest.approx(-sum(score.total for score in scores), rel=1e-5)
    assert result.tokens == sum(len(score.tokens) for score in scores)
    assert result.characters == len(text) - 1


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_nothing_to_evaluate(trained_words, text):
    with pytest.raises(ValueError, match="expected at least one token"):
        trained_words.evaluate(text)


def test_training_learns(trained_words, trained_characters):
    assert trained_words.perplexity(SENTENCES) < 4
    assert trained_characters.evaluate(VERSES).nats_per_character < 0.3


def test_suggestions_of_next_words(trained_words):
    found = trained_words.suggest("I want ", k=3)
    assert len(found) == 3
    assert {s.word for s in found} <= {"tea", "the", "apples", "an", "you"}
    assert found == sorted(found, key=lambda s: -s.probability)
    assert found == trained_words.suggest("I want  ", k=3)


def test_suggestions_are_words_and_sum_to_at_most_one(trained_words, trained_characters):
    for model in (trained_words, trained_characters):
        for text in ("", "I want the sea.", "I want ", "t", "zzz"):
            found = model.suggest(text, k=100)
            assert sum(s.probability for s in found) <= 1 + 1e-6
            for s in found:
                assert s.word[0].isalnum()
                assert "<" not in s.word
                assert s.probability > 0


def test_completions_do_not_see_the_unfinished_word(trained_words):
    after = {s.word: s.probability for s in trained_words.suggest("You ", k=100)}
    begun = trained_words.suggest("You w", k=100)
    assert [s.word for s in begun][:2] in (["want", "wanted"], ["wanted", "want"])
    share = sum(after[s.word] for s in begun)
    for s in begun:
        assert s.probability == pytest.approx(after[s.word] / share)
    assert sum(s.probability for s in begun) == pytest.approx(1)


def test_completions_across_case_and_inside_words(trained_words):
    assert [s.word for s in trained_words.suggest("WAN", k=2)] in (["WANT", "WANTED"], ["WANTED", "WANT"])
    assert trained_words.suggest("They don'")[0].word == "don't"
    assert trained_words.suggest("They don")[0].word == "don't"
    assert trained_words.suggest("xyzzy") == []


def test_suggestions_of_characters(trained_characters):
    assert trained_characters.suggest("To be, or not to b")[0].word == "be"
    assert trained_characters.suggest("that is the ", k=1)[0].word == "question"
    assert trained_characters.suggest("that is the que", k=1)[0].word == "question"
    assert trained_characters.suggest("To be,", k=1)[0].word == "or"


def test_suggestions_of_characters_have_the_probability_of_the_word(trained_characters):
    model = trained_characters
    [best] = model.suggest("To be, or n", k=1)
    logs = numpy_log_probs(model, model.context("To be, or not"))
    tokens = model.vocabulary.tokens
    spelled = logs[-3, tokens.index("o")] + logs[-2, tokens.index("t")]
    ends = [i for i, c in enumerate(tokens) if not (c.isalnum() or c in "'’-\ufffd")]
    assert best.word == "not"
    assert best.probability == pytest.approx(math.exp(spelled) * np.exp(logs[-1, ends]).sum(), rel=1e-3)


def test_a_stepper_can_be_used_again(trained_words):
    stepper = trained_words.stepper()
    for text in ("I want ", "I w", ""):
        assert trained_words.suggest(text, stepper=stepper) == trained_words.suggest(text)
    with pytest.raises(ValueError, match="k: expected"):
        trained_words.suggest("", k=0)


@pytest.mark.parametrize("name", ["trained_words", "trained_characters"])
def test_the_same_seed_writes_the_same_text(request, name):
    model = request.getfixturevalue(name)
    settings = {"length": 40, "temperature": 1.3}
    one = model.generate("I", seed=3, **settings)
    assert one == model.generate("I", seed=3, **settings)
    assert one == "".join(model.stream("I", seed=3, **settings))
    assert len({model.generate("I", seed=seed, **settings) for seed in range(5)}) > 1


def test_generation_follows_the_likeliest_at_temperature_0(trained_characters):
    text = trained_characters.generate("To be, or not", length=30, temperature=0)
    assert len(text) == 30
    assert text == trained_characters.generate("To be, or not", length=30, top_k=1, seed=9)
    assert text == trained_characters.generate("To be, or not", length=30, top_p=1e-9, seed=9)
    assert text.startswith(" to be,\nthat is the question:")


def test_written_words_are_spaced_as_in_text(trained_words):
    for prompt in ("", "I want ", "I want", "You\n"):
        text = prompt + trained_words.generate(prompt, length=60, seed=1)
        assert "  " not in text
        assert " ." not in text
        assert " \n" not in text
        assert "<" not in text
        assert trained_words.vocabulary.encode(text).size == trained_words.vocabulary.encode(prompt).size + 60


def test_stop(trained_words, trained_characters):
    line = trained_words.generate("I want", length=50, seed=2, stop="\n")
    assert "\n" not in line
    assert line.endswith(".")
    text = trained_characters.generate("To be", length=60, temperature=0)
    assert (
        trained_characters.generate("To be", length=60, temperature=0, stop=["quest", "that"])
        == (text[: text.index("that")])
    )
    assert trained_characters.generate("To be", length=0) == ""


def test_texts_to_stop_at_may_be_cut_anywhere():
    for cut in range(1, 12):
        text = "abcabcabd and more"
        pieces = [text[i : i + cut] for i in range(0, len(text), cut)]
        assert "".join(until(["abcabd"], pieces)) == "abc"
        assert "".join(until(["xyz", "mo"], pieces)) == "abcabcabd and "
        assert "".join(until([], pieces)) == text


def test_pieces_join_to_the_text():
    vocabulary = WordVocabulary.build(SENTENCES, min_count=1)
    ids = vocabulary.encode(SENTENCES)
    pieces = Pieces(vocabulary, [], "")
    assert "".join(pieces.push(token) for token in ids.tolist()) == vocabulary.decode(ids) == SENTENCES


@pytest.mark.parametrize(
    "settings",
    [
        {"length": -1},
        {"temperature": -0.1},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"seed": -1},
    ],
)
def test_settings_of_generation_out_of_range(settings):
    model = char_model()
    name = next(iter(settings))
    with pytest.raises(ValueError, match=f"generate: {name}: expected"):
        model.generate(**settings)
    with pytest.raises(ValueError, match=f"generate: {name}: expected"):
        model.stream(**settings)  # at once, not with the first piece


@pytest.mark.parametrize("name", ["trained_words", "trained_characters"])
def test_a_saved_model_is_the_same(request, name, tmp_path):
    model = request.getfixturevalue(name)
    path = tmp_path / "model.rnn"
    model.save(path)
    loaded = LanguageModel.load(path)
    np.testing.assert_array_equal(loaded.parameters.flat, model.parameters.flat)
    assert loaded.vocabulary.tokens == model.vocabulary.tokens
    assert (loaded.by_sentence, loaded.settings) == (model.by_sentence, model.settings)
    assert loaded.log_prob("I want tea.").total == model.log_prob("I want tea.").total
    assert loaded.suggest("I w") == model.suggest("I w")
    assert loaded.generate("I", seed=1, length=20) == model.generate("I", seed=1, length=20)
    loaded.save(path)
    assert LanguageModel.load(path).perplexity(VERSES) == model.perplexity(VERSES)


def test_damaged_configurations_are_named(tmp_path):
    from rnnrs import modelfile

    path = tmp_path / "model.rnn"
    contents = char_model().checkpoint_contents()
    for change in (
        {"hidden_size": 9},
        {"hidden_size": "big"},
        {"vocabulary": {"level": "char", "tokens": ["a"]}},
        {"vocabulary": None},
        {"activation": "none"},
        {"settings": {"unheard": 1}},
        {"dtype": "int8"},
        {"surprise": 1},
    ):
        modelfile.save(path, modelfile.ModelFile(contents.kind, contents.config | change, contents.tensors))
        with pytest.raises(rnnrs.FormatError, match=r"model\.rnn: "):
            LanguageModel.load(path)


def test_fit_settings_are_checked():
    model = char_model()
    for wrong in (
        {"epochs": 0},
        {"time_limit": -1.0},
        {"learning_rate": math.nan},
        {"schedule": "zigzag"},
        {"optimizer": "guess"},
        {"clip_norm": 0.0},
        {"seed": -1},
    ):
        with pytest.raises(ValueError, match=f"fit: {next(iter(wrong))}: expected"):
            model.fit(VERSES, progress=False, **wrong)
    with pytest.raises(ValueError, match="expected at least 2 tokens, got 1"):
        model.fit("a", progress=False)
    with pytest.raises(ValueError, match="level: expected one of"):
        LanguageModel.from_text(VERSES, level="syllable")


def test_a_text_shorter_than_the_batch_still_trains():
    model = LanguageModel(CharVocabulary.build("ab"), embedding_size=2, hidden_size=3)
    model.fit("abab", epochs=2, progress=False)
    assert np.isfinite(model.perplexity("ab"))


def test_equal_seeds_train_equal_models():
    models = [word_model(dtype="float32", seed=4) for _ in range(2)]
    for model in models:
        model.fit(SENTENCES, epochs=2, seed=1, progress=False)
    np.testing.assert_array_equal(models[0].parameters.flat, models[1].parameters.flat)


def test_resuming_gives_the_run_that_was_never_interrupted(tmp_path):
    class Interrupt(Callback):
        def on_step(self, trainer, record):
            if trainer.step == 7:
                raise KeyboardInterrupt

    path = tmp_path / "checkpoint.rnn"
    settings = {"epochs": 4, "batch_size": 25, "progress": False}
    whole, halted = word_model(dtype="float32"), word_model(dtype="float32")
    whole.fit(SENTENCES, **settings)
    with pytest.raises(KeyboardInterrupt):
        halted.fit(SENTENCES, callbacks=[Interrupt()], checkpoint=path, **settings)
    resumed = LanguageModel.load(path)
    resumed.fit(SENTENCES, resume=path, **settings)
    np.testing.assert_array_equal(resumed.parameters.flat, whole.parameters.flat)


def test_the_learning_rate_falls_to_0_at_the_end_of_the_epochs_or_of_the_time():
    model = char_model()
    steps = model.fit(VERSES, epochs=5, batch_size=2, progress=False).learning_rates / 2e-3
    done = np.arange(len(steps)) / len(steps)
    np.testing.assert_allclose(steps, 0.5 * (1 + np.cos(np.pi * done)), atol=1e-12)
    rates = model.fit(VERSES, time_limit=0.3, progress=False).learning_rates
    assert rates[0] == pytest.approx(2e-3, rel=1e-3)
    assert rates[-1] < 1e-3
    assert (np.diff(rates) <= 0).all()
    rates = model.fit(
        VERSES, epochs=5, schedule="constant", learning_rate=0.01, progress=False
    ).learning_rates
    assert (rates == 0.01).all()


def test_lines_are_sentences():
    assert lines_are_sentences(SENTENCES)
    assert lines_are_sentences("“Who is it?”\n\nNobody…\n")
    assert not lines_are_sentences(VERSES)
    assert not lines_are_sentences("word " * 80 + ".")


def test_subwords(tmp_path):
    pytest.importorskip("tokenizers")
    model = LanguageModel.from_text(
        SENTENCES, level="subword", vocabulary={"size": 320}, embedding_size=12, hidden_size=24
    )
    model.fit(SENTENCES, epochs=40, batch_size=10, learning_rate=1e-2, progress=False)
    assert model.by_sentence
    assert model.perplexity(SENTENCES) < 4
    for text in ("I want ", "They wan", "I want the sea,", ""):
        typed = text.rpartition(" ")[2] if text[-1:].isalpha() else ""
        found = model.suggest(text, k=5)
        assert found
        assert all(s.word.startswith(typed) and s.word[0].isalnum() for s in found)
        assert sum(s.probability for s in found) <= 1 + 1e-6
    assert {s.word for s in model.suggest("They wan", k=2)} == {"want", "wanted"}
    assert "  " not in "I want " + model.generate("I want ", length=40, seed=1)
    assert model.evaluate("I like xylophones.").unknown == 0
    path = tmp_path / "model.rnn"
    model.save(path)
    assert LanguageModel.load(path).suggest("I w") == model.suggest("I w")


def test_a_word_with_marks_is_completed_as_one():
    text = "मैं हिन्दी बोलता हूँ\nमैं हिन्दी पढ़ता हूँ\nहम हिसाब करते हैं\n" * 3
    model = LanguageModel.from_text(text, level="word", hidden_size=8)
    assert {s.word for s in model.suggest("मैं हि", k=5)} == {"हिन्दी", "हिसाब"}
    characters = LanguageModel.from_text(text, hidden_size=32)
    characters.fit(text, epochs=80, batch_size=2, learning_rate=1e-2, progress=False)
    assert "हिन्दी" in [s.word for s in characters.suggest("मैं हि", k=3)]
