"""Files of format 1 load and give the answers of the version that wrote them; training continues from them.

`tests/golden/models_v1` holds a small trained model of every kind, written by the last version with format 1, and
the answers of that version in `expected.json`. Texts and labels are compared exactly, numbers within 1e-5.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from rnnrs import Trainer, losses, modelfile, nn, optim
from rnnrs.data import Batch
from rnnrs.decoding import Constraints
from rnnrs.models import (
    Captioner,
    Chatbot,
    Forecaster,
    JordanNetwork,
    LanguageModel,
    RecurrentNetwork,
    Seq2Seq,
    SequenceClassifier,
    SequenceTagger,
    Summarizer,
    Translator,
)
from rnnrs.text import debian_synopses, tatoeba_pairs

GOLDEN = Path(__file__).parents[3] / "golden" / "models_v1"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())
LANGUAGE = [name for name in EXPECTED if name.startswith("language_model")]


def close(found, name, key):
    np.testing.assert_allclose(found, EXPECTED[name][key], rtol=1e-5, atol=1e-5)


#: The kinds that came after format 1.
LATER = {"assistant", "extractive_summarizer"}


def test_every_kind_is_there():
    kinds = {modelfile.load(path).kind for path in GOLDEN.glob("*.rnn")}
    assert kinds == set(modelfile.KINDS) - LATER


@pytest.mark.parametrize("name", LANGUAGE)
def test_language_models(name):
    model, told = LanguageModel.load(GOLDEN / f"{name}.rnn"), EXPECTED[name]
    close(model.evaluate("I can't do it.\nGo away!\n").nats, name, "nats")
    close(model.log_prob(told["text"]), name, "log_prob")
    assert model.generate("I ", length=12, temperature=0) == told["greedy"]
    suggestions = model.suggest("I ", 3)
    assert [s.word for s in suggestions] == [word for word, _ in told["suggestions"]]
    np.testing.assert_allclose(
        [s.probability for s in suggestions], [p for _, p in told["suggestions"]], atol=1e-5
    )
    found = model.beam_search("I ", n_best=2, constraints=Constraints(max_length=8))
    assert [c.text for c in found] == told["beam"]


@pytest.mark.parametrize("name", ["translator", "translator_subword"])
def test_translators(name):
    model, pairs = Translator.load(GOLDEN / f"{name}.rnn"), tatoeba_pairs()[:200]
    told = EXPECTED[name]
    assert model.translate_all(["I can go.", "Go away!"], max_length=6) == told["translate_all"]
    close(model.log_prob(*pairs[3]), name, "log_prob")
    close(model.likelihood(pairs[:20]).loss, name, "likelihood")


def test_summarizer():
    model = Summarizer.load(GOLDEN / "summarizer.rnn")
    pairs = [(row[-2], row[-1]) for row in debian_synopses()[:120]]
    texts = [pairs[0][0], pairs[1][0]]
    assert model.summarize_all(texts, max_length=6) == EXPECTED["summarizer"]["summarize_all"]
    close(model.log_prob(*pairs[3]), "summarizer", "log_prob")
    close(model.likelihood(pairs[:20]).loss, "summarizer", "likelihood")


def test_seq2seq():
    model, pairs = Seq2Seq.load(GOLDEN / "seq2seq.rnn"), tatoeba_pairs()[:200]
    close(model.log_probs(pairs[:3]), "seq2seq", "log_probs")
    close(model.evaluate(pairs[:20]).loss, "seq2seq", "loss")


def test_chatbot():
    bot, told = Chatbot.load(GOLDEN / "chatbot.rnn"), EXPECTED["chatbot"]
    assert (bot.history, bot.threshold) == (2, 0.01)
    reply = bot.reply(told["turn"])
    assert reply.text == told["reply"]
    close(reply.confidence, "chatbot", "confidence")
    ranked = bot.rank(told["turn"], [text for text, _, _ in told["rank"]])
    assert [r.text for r in ranked] == [text for text, _, _ in told["rank"]]
    np.testing.assert_allclose(
        [[r.score, r.log_prob] for r in ranked], [numbers for _, *numbers in told["rank"]], rtol=1e-5
    )


def test_captioner():
    model, told = Captioner.load(GOLDEN / "captioner.rnn"), EXPECTED["captioner"]
    pictures = np.load(GOLDEN / "inputs.npz")["pictures"]
    assert model.describe_all(pictures[:3]) == told["describe_all"]
    close(model.log_probs(pictures[:3], ["a red dog", "a blue cat", "two birds"]), "captioner", "log_probs")
    ranked = model.rank("a red dog", pictures[:4])
    assert [r.place for r in ranked] == [place for place, _ in told["rank"]]
    np.testing.assert_allclose([r.log_prob for r in ranked], [p for _, p in told["rank"]], rtol=1e-5)


def test_classifier_and_tagger():
    inputs = np.load(GOLDEN / "inputs.npz")
    x = [inputs[f"x{i}"] for i in range(4)]
    model = SequenceClassifier.load(GOLDEN / "sequence_classifier.rnn")
    assert model.predict(x) == EXPECTED["sequence_classifier"]["predict"]
    close(model.predict_proba(x), "sequence_classifier", "proba")
    tagger = SequenceTagger.load(GOLDEN / "sequence_tagger.rnn")
    assert tagger.predict(x[:2]) == EXPECTED["sequence_tagger"]["predict"]


def test_classifier_of_texts():
    name = "sequence_classifier_texts"
    model = SequenceClassifier.load(GOLDEN / f"{name}.rnn")
    assert model.predict(EXPECTED[name]["texts"]) == EXPECTED[name]["predict"]
    close(model.predict_proba(EXPECTED[name]["texts"]), name, "proba")


def test_forecaster():
    model = Forecaster.load(GOLDEN / "forecaster.rnn")
    series = np.load(GOLDEN / "inputs.npz")["series"]
    assert model.columns == ("a", "b")
    close(model.predict(series, 5), "forecaster", "predict")
    close(model.evaluate(series, start=60).mae, "forecaster", "mae")


def test_jordan_network():
    model = JordanNetwork.load(GOLDEN / "jordan_network.rnn", losses.SquaredError())
    data = np.load(GOLDEN / "jordan.npz")
    x, y = data["x"].astype("float32"), data["y"].astype("float32")
    np.testing.assert_allclose(model.forward(x, y)[0], data["o"], rtol=1e-5, atol=1e-5)
    close(model.loss(Batch(x, y), gradient=False)[0], "jordan_network", "L")


def test_a_language_model_continues_from_its_checkpoint():
    path, told = GOLDEN / "checkpoint_language_model.rnn", EXPECTED["checkpoint_language_model"]
    text = (GOLDEN / "text.txt").read_text()
    model = LanguageModel.load(path)
    batches = {"batch_size": 8, "steps": 20, "seed": 3}
    history = model.fit(text, epochs=2, schedule="constant", resume=path, progress=False, **batches)
    assert history.losses[-1] == pytest.approx(told["final"], rel=1e-5)
    flat = model.parameters.flat.astype(np.float64)
    assert flat.sum() == pytest.approx(told["sum"], rel=1e-4)
    assert np.linalg.norm(flat) == pytest.approx(told["norm"], rel=1e-5)


def test_a_custom_network_continues_from_its_checkpoint():
    data = np.load(GOLDEN / "network.npz")
    batches = [Batch(data[f"x{i}"], data[f"y{i}"]) for i in range(3)]
    network = RecurrentNetwork(nn.RNN(3, 5), nn.Linear(5, 4), losses.SquaredError())
    trainer = Trainer(network, optim.Adam(1e-2))
    trainer.resume(GOLDEN / "checkpoint_network.rnn")
    assert (trainer.step, trainer.epoch, trainer.optimizer.steps) == (6, 2, 6)
    trainer.fit(batches, epochs=4)
    np.testing.assert_allclose(network.parameters.flat, data["after"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.glob("[a-bd-z]*.rnn")))
def test_files_are_written_in_format_2_with_the_current_names(name, tmp_path):
    old = modelfile.load(GOLDEN / name)
    modelfile.save(tmp_path / name, old)
    new = modelfile.load(tmp_path / name)
    assert new.config == old.config and "initialiser" not in json.dumps(new.config)
    assert new.tensors.keys() == old.tensors.keys()


@pytest.mark.parametrize("place", ["header", "config", "settings"])
def test_an_unknown_key_is_named(place, tmp_path):
    old = modelfile.load(GOLDEN / "language_model_char.rnn")
    config = json.loads(json.dumps(old.config))
    if place == "settings":
        config["settings"]["speed"] = 3
    elif place == "config":
        config["speed"] = 3
    path = tmp_path / "model.rnn"
    modelfile.save(path, modelfile.ModelFile(old.kind, config, old.tensors))
    if place == "header":
        data = path.read_bytes()
        path.write_bytes(data.replace(b'\\"run\\":', b'\\"rub\\":', 1))
    with pytest.raises(modelfile.FormatError, match=r"speed|rub"):
        LanguageModel.load(path)
