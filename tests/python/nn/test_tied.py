"""Tied embeddings: one array with two uses, and a gradient that is their sum."""

import json
import struct

import numpy as np
import pytest
import reference

import rnnrs
from rnnrs import FormatError, nn
from rnnrs.data import Batch
from rnnrs.models import LanguageModel
from rnnrs.text import WordVocabulary

TEXT = "\n".join(f"{who} {verb} the {what}." for who in "ABC" for verb in "xyz" for what in ("sea", "tea"))
rng = np.random.default_rng(2)


def model(**settings):
    settings = {"embedding_size": 7, "hidden_size": 7, "tied": True, "dtype": "float64", **settings}
    return LanguageModel.from_text(TEXT, level="word", **settings)


def batch(size, T=6, B=3):
    return Batch(rng.integers(0, size, (T, B)), rng.integers(0, size, (T, B)))


def test_V_is_E():
    tied = model()
    assert "output.V" not in tied.parameters
    assert list(tied.parameters) == ["embedding.E", "rnn.U", "rnn.W", "rnn.b", "output.c"]
    assert np.shares_memory(tied.output.parameters["V"], tied.parameters["embedding.E"])
    assert np.shares_memory(tied.output.gradients["V"], tied.gradients["embedding.E"])
    plain = model(tied=False)
    assert plain.parameters.size - tied.parameters.size == len(tied.vocabulary) * 7
    tied.parameters["embedding.E"][3] = 5.0
    assert (tied.output.parameters["V"][3] == 5.0).all()


def test_the_gradient_matches_finite_differences():
    tied = model()
    check = rnnrs.gradient_check(tied, batch(len(tied.vocabulary)), step=1e-3)
    assert check.worst <= 1e-6, check
    assert set(check.relative_error) == set(tied.parameters)


def test_loss_and_gradient_follow_the_equations():
    tied = model()
    data, p = batch(len(tied.vocabulary)), {**tied.parameters}
    x = p["embedding.E"][data.inputs]
    h0 = np.zeros((3, 7))
    _, h = reference.forward(x, h0, p["rnn.U"], p["rnn.W"], p["rnn.b"], "tanh")
    losses, do = reference.cross_entropy(h @ p["embedding.E"].T + p["output.c"], data.targets)
    do /= losses.size
    da, _ = reference.bptt(do @ p["embedding.E"], h, p["rnn.W"], "tanh")
    dE = np.einsum("tbo,tbh->oh", do, h)
    np.add.at(dE, data.inputs, reference.gradients(da, x, h0, h, p["rnn.U"])["x"])
    L, _ = tied.loss(data)
    assert pytest.approx(losses.mean(), rel=1e-12) == L
    np.testing.assert_allclose(tied.gradients["embedding.E"], dE, atol=1e-13)
    np.testing.assert_allclose(tied.gradients["output.c"], do.sum((0, 1)), atol=1e-13)


def test_the_layer_pair_alone():
    embedding = nn.Embedding(6, 4, scale=0.5, dtype="float64")
    output = nn.TiedLinear(embedding)
    x = rng.standard_normal((3, 2, 4))
    o, cache = output.forward(x)
    np.testing.assert_allclose(o, x @ embedding.parameters["E"].T)
    do = rng.standard_normal(o.shape)
    dx = output.backward(cache, do)
    np.testing.assert_allclose(dx, do @ embedding.parameters["E"])
    np.testing.assert_allclose(embedding.gradients["E"], np.einsum("tbo,tbh->oh", do, x))
    np.testing.assert_allclose(output.gradients["c"], do.sum((0, 1)))
    assert list(output.parameters) == ["c"]
    assert "V" not in output.parameters
    output.zero_gradients()
    assert embedding.gradients.flat.any(), "dE is the embedding's to clear"


def test_rows_of_a_large_table_stay_tracked():
    embedding = nn.Embedding(5000, 30)
    output = nn.TiedLinear(embedding)
    _, gradients = nn.join(embedding=embedding, output=output)
    output.gradients.touch("V", [7, 9])[[7, 9]] += 1.0
    spans = gradients.spans()
    assert spans is not None and (spans[:, 1] - spans[:, 0]).sum() == 2 * 30 + 5000
    assert output.gradients["V"][9, 0] == 1.0
    assert gradients.spans() is None, "who holds the array may write anywhere"


def test_training_generation_and_saving(tmp_path):
    tied = model(dtype="float32")
    before = tied.perplexity(TEXT)
    tied.fit(TEXT, epochs=8, batch_size=4, learning_rate=1e-2, progress=False)
    assert tied.perplexity(TEXT) < 0.5 * before
    tied.save(tmp_path / "tied.rnn")
    loaded = LanguageModel.load(tmp_path / "tied.rnn")
    assert isinstance(loaded.output, nn.TiedLinear)
    np.testing.assert_array_equal(loaded.parameters.flat, tied.parameters.flat)
    assert loaded.perplexity(TEXT) == tied.perplexity(TEXT)
    assert loaded.generate("A", length=9, seed=1) == tied.generate("A", length=9, seed=1)
    p = tied.next_distribution("A x")
    h, _ = tied.rnn.forward_tokens(tied.embedding, tied.context("A x")[:, None])
    np.testing.assert_allclose(p, reference.softmax(tied.output.forward(h)[0][-1, 0]), rtol=1e-5)


def test_a_file_without_the_setting_holds_an_untied_model(tmp_path):
    plain = model(tied=False)
    plain.save(tmp_path / "m.rnn")
    data = (tmp_path / "m.rnn").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    inner = json.loads(next(iter(header["__metadata__"].values())))
    assert inner["config"].pop("tied") is False
    key = next(iter(header["__metadata__"]))
    header["__metadata__"][key] = json.dumps(inner)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (tmp_path / "old.rnn").write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    assert LanguageModel.load(tmp_path / "old.rnn").perplexity("A") == plain.perplexity("A")
    inner["config"]["tied"] = True
    header["__metadata__"][key] = json.dumps(inner)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (tmp_path / "wrong.rnn").write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    with pytest.raises(FormatError, match=r"output\.V: unknown"):
        LanguageModel.load(tmp_path / "wrong.rnn")


def test_sizes_must_agree():
    vocabulary = WordVocabulary.build(TEXT)
    with pytest.raises(ValueError, match="embedding_size equal to hidden_size, got 5 and 7"):
        LanguageModel(vocabulary, embedding_size=5, hidden_size=7, tied=True)
    with pytest.raises(ValueError, match="from 1, got 0"):
        LanguageModel(vocabulary, embedding_size=0, hidden_size=0, tied=True)


def test_initial_inputs_are_as_strong_as_in_an_untied_model():
    tied, plain = (
        LanguageModel.from_text(TEXT, level="word", embedding_size=64, hidden_size=64, tied=tied)
        for tied in (True, False)
    )
    drive = [m.parameters["embedding.E"] @ m.parameters["rnn.U"].T for m in (tied, plain)]
    assert drive[0].std() == pytest.approx(drive[1].std(), rel=0.01)
    assert tied.parameters["embedding.E"].std() == pytest.approx(1 / 8, rel=0.1)
