"""Copies and pickles of models, layers and trainers: twenty further steps are those of the original, bit for bit."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
from small_applications import APPLICATIONS

from rnnrs import Trainer, losses, nn, optim
from rnnrs.data import Batch
from rnnrs.models import JordanNetwork, LanguageModel, RecurrentNetwork, VectorToSequence
from rnnrs.train import EarlyStopping

COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "pickle, protocol 2": lambda value: pickle.loads(pickle.dumps(value, protocol=2)),
}
RANDOM = np.random.default_rng(1)
X = RANDOM.standard_normal((7, 3, 4)).astype("float32")
Y = RANDOM.standard_normal((7, 3, 2)).astype("float32")

copied = pytest.mark.parametrize("way", COPIES.values(), ids=COPIES)


def network(kind):
    options = {"seed": 3, "dtype": "float32"}
    output = nn.Linear(10 if kind == "bidirectional" else 5, 2, **options)
    rnn = {
        "rnn": lambda: nn.RNN(4, 5, learn_state=True, **options),
        "lstm": lambda: nn.LSTM(4, 5, layer_norm=True, **options),
        "gru": lambda: nn.GRU(4, 5, recurrent_dropout=0.2, **options),
        "stack": lambda: nn.Stack(nn.GRU(4, 5, **options), nn.RNN(5, 5, **options)),
        "bidirectional": lambda: nn.Bidirectional(nn.RNN(4, 5, **options), nn.RNN(4, 5, **options)),
    }[kind]()
    return RecurrentNetwork(rnn, output, losses.SquaredError())


def steps(trainer, count=20):
    trainer.fit([Batch(X, Y)] * 4, max_steps=trainer.step + count)
    return trainer.model.parameters.flat


@copied
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "stack", "bidirectional"])
def test_a_copied_trainer_takes_the_originals_steps(kind, way):
    callbacks = [EarlyStopping(50)]
    trainer = Trainer(network(kind), optim.Adam(1e-2), schedule=optim.CosineDecay(60), callbacks=callbacks)
    steps(trainer)
    other = way(trainer)
    before = other.model.parameters.flat.copy()
    assert other.model.rnn.parameters is not trainer.model.rnn.parameters
    again = steps(other).copy()
    assert not np.array_equal(before, again)
    np.testing.assert_array_equal(trainer.model.parameters.flat, before)  # the original has not moved
    np.testing.assert_array_equal(steps(trainer), again)


@copied
@pytest.mark.parametrize("make", APPLICATIONS, ids=lambda make: make.__name__)
def test_a_copied_model_is_trained_as_the_original(make, way):
    model, data, _ = make()
    model.fit(*data, epochs=1, progress=False)
    other = way(model)
    for one in (model, other):
        one.fit(*data, epochs=3, batch_size=2, learning_rate=1e-2, progress=False)
    np.testing.assert_array_equal(model.parameters.flat, other.parameters.flat)
    views = np.concatenate([array.ravel() for array in other.parameters.values()])
    np.testing.assert_array_equal(views, other.parameters.flat)


@copied
def test_networks_of_other_forms(way):
    jordan = JordanNetwork(nn.JordanRNN(4, 5, 2), losses.SquaredError())
    writer = VectorToSequence(
        nn.RNN(6, 5), nn.Linear(5, 3), losses.SoftmaxCrossEntropy(), embedding=nn.Embedding(3, 4)
    )
    ids = RANDOM.integers(0, 3, (7, 3))
    for model, batch in ((jordan, Batch(X, Y)), (writer, Batch(X[0, :, :2], ids))):
        other = way(model)
        for one in (model, other):
            Trainer(one, optim.SGD(0.1, momentum=0.9)).fit([batch], max_steps=20)
        np.testing.assert_array_equal(model.parameters.flat, other.parameters.flat)


@copied
def test_a_tied_output_layer_stays_tied(way):
    model = way(LanguageModel.from_text("abcabc" * 9, embedding_size=6, hidden_size=6, tied=True))
    model.fit("abcabc" * 9, epochs=2, progress=False)
    np.testing.assert_array_equal(model.output.parameters["V"], model.embedding.parameters["E"])
    assert np.shares_memory(model.output.parameters["V"], model.parameters.flat)


@copied
def test_a_copied_layer_stands_by_itself(way):
    model = network("rnn")
    other = way(model.rnn)
    other.parameters["W"][...] = 0
    assert model.rnn.parameters["W"].any() and np.shares_memory(
        model.rnn.parameters["W"], model.parameters.flat
    )
    h, cache = other.forward(X)
    other.backward(cache, h)
    assert other.gradients["U"].any() and not model.gradients.flat.any()


@copied
def test_a_vector_of_the_users_own_is_copied(way):
    shapes = {"a": (2,), "b": (3,)}
    whole = np.arange(10, dtype=np.float32)
    parameters = nn.Parameters(shapes, flat=whole[2:7])
    other = way(parameters)
    other["b"] = [7, 8, 9]
    assert other.flat.tolist() == [2, 3, 7, 8, 9] and whole.tolist() == list(range(10))
    foreign = nn.Parameters(shapes, flat=np.frombuffer(bytearray(whole[:5].tobytes()), np.float32))
    assert way(foreign)["b"].tolist() == [2, 3, 4]


@pytest.mark.parametrize("make", APPLICATIONS, ids=lambda make: make.__name__)
def test_a_fit_leaves_no_reference_cycle(make):
    model, data, held_out = make()
    gc.disable()
    try:
        model.fit(*data, *held_out, epochs=1, examples=1, progress=True)
        gone = weakref.ref(model)
        del model
        assert gone() is None
    finally:
        gc.enable()
