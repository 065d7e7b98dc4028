"""The language model: probabilities against plain NumPy, evaluation, training, files."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_language_models import SENTENCES, VERSES, char_model, numpy_log_probs, word_model

import rnnrs
from rnnrs.models import LanguageModel
from rnnrs.text import CharVocabulary
from rnnrs.text.sentences import look_like_sentences
from rnnrs.train import Callback


@pytest.mark.parametrize("make", [word_model, char_model])
def test_log_prob_follows_the_equations(make):
    model = make()
    sentence = "You want the sea."
    ids = model.vocabulary.encode(sentence)
    end = model.vocabulary.end_id
    rows = numpy_log_probs(model, [end, *ids])
    expected = rows[np.arange(len(ids) + 1), [*ids, end]]
    score = model.score(sentence)
    np.testing.assert_allclose(score.log_probs, expected, rtol=1e-10)
    assert score.tokens == [model.vocabulary.tokens[i] for i in [*ids, end]]
    assert score.total == pytest.approx(expected.sum())
    assert score.perplexity == pytest.approx(math.exp(-expected.mean()))
    assert model.score(sentence + "\n").total == score.total


def test_an_empty_sentence_has_only_its_end():
    score = word_model().score("")
    assert score.tokens == ["<eos>"]
    assert score.log_probs.shape == (1,)


def test_unknown_words_are_scored_as_the_unknown_token():
    model = word_model()
    assert model.score("I like xylophones.").tokens == ["I", "like", "<unk>", ".", "<eos>"]
    assert model.evaluate("I like xylophones.").unknown == 1


@pytest.mark.parametrize("make", [word_model, char_model])
def test_the_stepper_agrees_with_the_forward_pass(make):
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
def test_next_distribution_sums_to_1(text):
    for model in (word_model(), char_model(dtype="float32")):
        p = model.next_distribution(text)
        assert p.shape == (len(model.vocabulary),)
        assert p.dtype == np.float64
        assert (p >= 0).all()
        assert p.sum() == pytest.approx(1.0, abs=1e-12)


def test_the_gradient_agrees_with_finite_differences():
    model = word_model()
    ids = model.vocabulary.encode(SENTENCES)
    batch = rnnrs.data.Batch(ids[:12].reshape(4, 3), ids[1:13].reshape(4, 3))
    assert rnnrs.gradient_check(model, batch, step=1e-3).worst <= 1e-6


def test_a_stream_continues_from_the_carried_state():
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
    scores = [trained_words.score(line) for line in text.splitlines() if line]
    result = trained_words.evaluate(text)
    assert result.nats == pytest.approx(-sum(score.total for score in scores), rel=1e-5)
    assert result.tokens == sum(len(score.tokens) for score in scores)
    assert result.characters == len(text) - 1


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_text_without_tokens_cannot_be_evaluated(trained_words, text):
    with pytest.raises(ValueError, match="expected at least one token"):
        trained_words.evaluate(text)


def test_training_learns(trained_words, trained_characters):
    assert trained_words.perplexity(SENTENCES) < 4
    assert trained_characters.evaluate(VERSES).nats_per_character < 0.3


@pytest.mark.parametrize("name", ["trained_words", "trained_characters"])
def test_a_saved_model_is_loaded_unchanged(request, name, tmp_path):
    model = request.getfixturevalue(name)
    path = tmp_path / "model.rnn"
    model.save(path)
    loaded = LanguageModel.load(path)
    np.testing.assert_array_equal(loaded.parameters.flat, model.parameters.flat)
    assert loaded.vocabulary.tokens == model.vocabulary.tokens
    assert (loaded.by_sentence, loaded.settings) == (model.by_sentence, model.settings)
    assert loaded.score("I want tea.").total == model.score("I want tea.").total
    assert loaded.suggest("I w") == model.suggest("I w")
    assert loaded.generate("I", seed=1, length=20) == model.generate("I", seed=1, length=20)
    loaded.save(path)
    assert LanguageModel.load(path).perplexity(VERSES) == model.perplexity(VERSES)


def test_damaged_configurations_are_refused(tmp_path):
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


def test_a_resumed_run_equals_an_uninterrupted_run(tmp_path):
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


def test_the_learning_rate_falls_to_0_by_epochs_or_by_time():
    model = char_model()
    steps = model.fit(VERSES, epochs=5, batch_size=2, progress=False).learning_rates / 2e-3
    done = np.arange(len(steps)) / len(steps)
    np.testing.assert_allclose(steps, 0.5 * (1 + np.cos(np.pi * done)), atol=1e-12)
    rates = model.fit(VERSES, time_limit=1.0, progress=False).learning_rates
    assert rates[0] == pytest.approx(2e-3, rel=1e-3)
    assert rates[-1] < 1e-3
    assert (np.diff(rates) <= 0).all()
    rates = model.fit(
        VERSES, epochs=5, schedule="constant", learning_rate=0.01, progress=False
    ).learning_rates
    assert (rates == 0.01).all()


def test_lines_look_like_sentences():
    assert look_like_sentences(SENTENCES.split("\n"))
    assert look_like_sentences(["“Who is it?”", "", "Nobody…", ""])
    assert not look_like_sentences(VERSES.split("\n"))
    assert not look_like_sentences(["word " * 80 + "."])
    assert not look_like_sentences(["的" * 10_000 + "。"])


def test_subwords(tmp_path):
    pytest.importorskip("tokenizers")
    model = LanguageModel.from_text(
        SENTENCES, level="subword", vocabulary={"max_size": 320}, embedding_size=12, hidden_size=24
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
