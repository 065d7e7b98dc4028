"""Threads that use a model while another one trains it."""

import copy
import itertools
import sys
import threading

import numpy as np
import pytest
import small_applications as small

from rnnrs import Trainer, load, losses, nn, optim
from rnnrs.data import Batch
from rnnrs.models import RecurrentNetwork
from rnnrs.train import Callback


def asked(model, data):
    """Returns an answer of a model, or several, as bytes."""
    if hasattr(model, "predict_proba"):
        return b"".join(np.asarray(p).tobytes() for p in model.predict_proba(data[0]))
    if hasattr(model, "predict"):
        return model.predict(data[0], steps=5).tobytes()  # beyond the horizon, in several calls
    if hasattr(model, "tracking"):
        return model._tracked([model.tracking.read("thai food", "", {})])[1].tobytes()
    if hasattr(model, "speak"):
        return np.array([ranked.score for ranked in model.rank("hello", ["good day", "a bot"])]).tobytes()
    if hasattr(model, "describe"):
        return np.array([ranked.log_prob for ranked in model.rank("a red dog", data[0])]).tobytes()
    if hasattr(model, "scores"):
        return np.array([sentence.score for sentence in model.scores(data[0][0][0])]).tobytes()
    if hasattr(model, "suggest"):
        return model.log_probs(["The cat", "a dog", "The bird sees"]).tobytes()
    return model.log_probs(data[0][:4]).tobytes()


class Answers(Callback):
    """Asks the model after every step, in the thread that trains, and lets the others ask meanwhile."""

    def __init__(self, ask):
        self._ask = ask
        self.known = set()

    def on_step(self, run, record):
        self.known.add(self._ask())


@pytest.fixture
def short_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def run_beside(work, tasks):
    """Runs `work` in this thread and each task over and over in a thread of its own; returns their errors."""
    done, errors = threading.Event(), []

    def repeat(task):
        try:
            while not done.is_set():
                task()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=repeat, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    try:
        work()
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a thread waits for ever"
    return errors


@pytest.mark.parametrize("build", small.APPLICATIONS)
def test_who_reads_beside_training_sees_the_parameters_of_one_step(build, tmp_path, short_switches):
    (model, data, held_out), (undisturbed, _, _) = build(), build()
    for each in (model, undisturbed):
        each.fit(*data, epochs=1, progress=False)
    undisturbed.fit(*data, epochs=8, seed=1, progress=False)
    recorded, seen, files = Answers(lambda: asked(model, data)), set(), itertools.count()
    recorded.known.add(asked(model, data))

    def save():
        path = tmp_path / f"{next(files)}.rnn"
        model.save(path)
        seen.add(asked(load(path), data))
        path.unlink()

    tasks = [
        lambda: seen.add(asked(model, data)),
        lambda: seen.add(asked(copy.deepcopy(model), data)),
        lambda: model.evaluate(*(held_out[0] if isinstance(held_out[0], tuple) else held_out)),
        save,
    ]
    errors = run_beside(
        lambda: model.fit(*data, epochs=8, seed=1, progress=False, callbacks=[recorded]), tasks
    )
    assert not errors
    assert model.parameters.flat.tobytes() == undisturbed.parameters.flat.tobytes()
    assert len(recorded.known) > 4
    assert seen <= recorded.known


@pytest.mark.parametrize("build", [small.tagger, small.chatbot, small.language])
def test_a_second_training_is_refused_and_the_first_one_goes_on(build):
    (model, data, _), (undisturbed, _, _) = build(), build()
    undisturbed.fit(*data, epochs=3, progress=False)
    refused = []

    class Second(Callback):
        def on_step(self, run, record):
            thread = threading.Thread(target=self.fit, args=("another thread",))
            thread.start()
            thread.join()
            self.fit("another training")

        def fit(self, by):
            for call in (
                lambda: model.fit(*data, epochs=1, seed=5, progress=False),
                lambda: Trainer(model, optim.SGD(0.1)).fit([], epochs=1),
            ):
                with pytest.raises(RuntimeError, match=f"fit: the model is in use by {by}"):
                    call()
                refused.append(by)

    settings = model.fit(*data, epochs=3, progress=False, callbacks=[Second()]) and model.settings
    assert len(refused) >= 12 and settings.seed == 0
    assert model.parameters.flat.tobytes() == undisturbed.parameters.flat.tobytes()


def network():
    rnn = nn.Stack(nn.GRU(3, 8, seed=1), nn.Bidirectional(nn.LSTM(8, 4, seed=2), nn.LSTM(8, 4, seed=3)))
    return RecurrentNetwork(rnn, nn.Linear(8, 2), losses.SquaredError())


BATCH = Batch(np.random.default_rng(0).normal(size=(6, 4, 3)), np.zeros((6, 4, 2)))


def test_gradients_of_another_thread_are_refused_as_a_whole():
    model = network()
    undisturbed = network()
    errors = []

    def add():
        for call in (
            lambda: model.loss(BATCH),
            lambda: model.gradients.fill(0.0),
            lambda: model.output.backward(model.output.forward(np.ones((1, 8)))[1], np.ones((1, 2))),
            model.rnn.layers[0].zero_gradients,
        ):
            try:
                call()
            except RuntimeError as error:
                errors.append(str(error))

    class Adding(Callback):
        def on_step(self, run, record):
            before = model.gradients.flat.copy()
            thread = threading.Thread(target=add)
            thread.start()
            thread.join()
            assert np.array_equal(model.gradients.flat, before)

    Trainer(undisturbed, optim.Adam()).fit([BATCH], epochs=3)
    Trainer(model, optim.Adam(), callbacks=[Adding()]).fit([BATCH], epochs=3)
    assert len(errors) == 12 and all("in use by another thread" in error for error in errors)
    assert np.array_equal(model.parameters.flat, undisturbed.parameters.flat)


@pytest.mark.parametrize("rule", sorted(optim.OPTIMIZERS))
def test_layers_are_read_beside_a_loop_of_one_s_own(rule, short_switches):
    model, undisturbed = network(), network()
    layer, kept, seen = model.rnn.layers[0], [], set()

    def answer(layer):
        return layer.forward(BATCH.inputs)[0].tobytes()

    def train(model, record):
        optimizer = optim.OPTIMIZERS[rule](0.01)
        record(answer(model.rnn.layers[0]))
        for _ in range(60):
            model.gradients.fill(0.0)
            model.loss(BATCH)
            optimizer.step(model.parameters, model.gradients)
            record(answer(model.rnn.layers[0]))

    train(undisturbed, kept.append)
    tasks = [lambda: seen.add(answer(layer)), lambda: model.loss(BATCH, gradient=False)]
    assert not run_beside(lambda: train(model, lambda _: None), tasks)
    assert np.array_equal(model.parameters.flat, undisturbed.parameters.flat)
    assert seen <= set(kept)


def test_two_networks_of_which_each_reads_the_other_do_not_wait_for_each_other(short_switches):
    """Each thread reads both, in another order, while both are trained: teacher and student."""
    models = [network(), network()]

    def train(model):
        Trainer(model, optim.SGD(0.01)).fit([BATCH], epochs=100)

    def read(first, second):
        with first.parameters.reading:
            first.forward(BATCH.inputs)
            second.forward(BATCH.inputs)

    trainings = [threading.Thread(target=train, args=(model,), daemon=True) for model in models]

    def work():
        for thread in trainings:
            thread.start()
        for thread in trainings:
            thread.join(60)

    errors = run_beside(work, [lambda: read(*models), lambda: read(*models[::-1])])
    assert not errors and not any(thread.is_alive() for thread in trainings)
    assert all(model.parameters.steps == 100 for model in models)
