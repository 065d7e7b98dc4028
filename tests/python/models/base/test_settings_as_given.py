"""Settings are normalized where they come in, or refused there by name."""

import itertools
import json
import math

import numpy as np
import pytest
import small_applications as small

from rnnrs import Trainer, losses, modelfile, nn, optim, train
from rnnrs.data import Batch
from rnnrs.models import RecurrentNetwork
from rnnrs.models.base.options import defaults
from rnnrs.train import Callback

#: Values that no option of a kind takes.
BAD = {
    "count": [1.5, np.float64(2.0), True, np.bool_(True), "2", -1, math.nan, math.inf, [1]],
    "rate": [True, np.bool_(False), "0.1", math.nan, math.inf, -0.5, [0.1], np.array([0.1])],
    "name": ["no such name", 3, True],
}

#: Values of NumPy that they do take, and their values in a file.
NUMPY = {
    "count": (np.int64(2), 2),
    "rate": (np.float32(0.25), 0.25),
    "name": (np.str_("constant"), "constant"),
    "gradient_precision": (np.str_("bfloat16"), "bfloat16"),
}

KINDS = {
    "count": (
        *("epochs", "batch_size", "patience", "examples", "seed", "steps", "samples", "kept"),
        *("micro_batches", "shuffle_block"),
    ),
    "rate": ("time_limit", "learning_rate", "clip_norm", "noise", "forget"),
    "name": ("schedule", "optimizer", "loss", "gradient_precision"),
}


def options():
    for build in small.APPLICATIONS:
        for name in defaults(type(build()[0]).TRAINING):
            kind = next((kind for kind, names in KINDS.items() if name in names), None)
            if kind is None:
                assert name in ("by_sentence", "augmentation"), f"{name}: of which kind?"
            else:
                yield build, name, kind


@pytest.mark.parametrize(("build", "name", "kind"), list(options()))
def test_every_option_of_every_fit(build, name, kind):
    model, data, held_out = build()
    for bad in BAD[kind]:
        with pytest.raises((TypeError, ValueError), match=f"^{type(model).__name__}.fit: {name}: expected"):
            model.fit(*data, progress=False, **{"epochs": 1} | {name: bad})
    given, wanted = NUMPY.get(name, NUMPY[kind])
    if name in ("optimizer", "loss"):
        return
    model.fit(*data, *held_out, progress=False, **{"epochs": 1} | {name: given})
    if name not in type(model).TRAINING._NOT_KEPT:
        got = model.settings.to_config()[name]
        assert (type(got), got) == (type(wanted), wanted)


@pytest.mark.parametrize("build", small.APPLICATIONS)
def test_a_file_of_settings_by_numpy(build, tmp_path):
    model, data, held_out = build()
    model.fit(
        *data,
        *held_out,
        epochs=np.int32(1),
        learning_rate=np.float32(0.01),
        seed=np.uint8(3),
        batch_size=np.int16(2),
        clip_norm=np.float64(2),
        checkpoint=tmp_path / "a.rnn",
        checkpoint_every=np.int64(2),
        progress=False,
    )
    model.save(tmp_path / "b.rnn")
    for name in "ab":
        json.dumps(modelfile.load(tmp_path / f"{name}.rnn").config)


RATES = [True, np.bool_(True), "1", math.nan, -1.0, None]


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (make, name)
        for make in (optim.SGD, optim.Adagrad, optim.RMSProp, optim.Adam, optim.AdamW)
        for name in ("learning_rate", "momentum", "decay", "epsilon", "weight_decay", "betas")
        if name == "learning_rate" or name in make()._settings
    ],
)
def test_settings_of_optimizers(make, name):
    for bad in [*RATES, math.inf]:
        given = (0.9, bad) if name == "betas" else bad
        with pytest.raises((TypeError, ValueError), match=f"^{make.__name__}: {name}: expected"):
            make(**{name: given})
    given = (np.float32(0.5), np.float64(0.25)) if name == "betas" else np.float32(0.5)
    json.dumps(make(**{name: given}).to_config())


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (optim.LinearDecay, {"total_steps": 10, "warmup": 2, "final": 0.1}),
        (optim.CosineDecay, {"total_steps": 10, "warmup": 2, "final": 0.1}),
        (optim.StepDecay, {"every": 3, "factor": 0.5}),
        (optim.ExponentialDecay, {"every": 3, "factor": 0.5}),
    ],
)
def test_settings_of_schedules(make, settings):
    for name in settings:
        for bad in [*RATES, math.inf] + ([2.5] if name in ("total_steps", "warmup") else []):
            with pytest.raises((TypeError, ValueError), match=f"^schedule {make.__name__}: {name}: expected"):
                make(**settings | {name: bad})
    of_numpy = make(**{name: np.asarray(value)[()] for name, value in settings.items()})
    assert of_numpy == make(**settings)
    assert all(type(value) in (int, float) for value in vars(of_numpy).values())


def network():
    return RecurrentNetwork(nn.RNN(1, 3), nn.Linear(3, 1), losses.SquaredError())


DATA = [Batch(np.ones((4, 2, 1), np.float32), np.ones((4, 2, 1), np.float32))]


def test_settings_of_a_trainer(tmp_path):
    for name in ("clip_norm", "clip_value"):
        for bad in RATES[:-1]:
            with pytest.raises((TypeError, ValueError), match=f"^Trainer: {name}: expected"):
                Trainer(network(), optim.SGD(), **{name: bad})
    trainer = Trainer(network(), optim.SGD(), clip_norm=np.float32(1.0), seed=np.int64(1))
    for name, bads in (("epochs", BAD["count"]), ("max_steps", BAD["count"]), ("time_limit", RATES[:-1])):
        for bad in bads:
            with pytest.raises((TypeError, ValueError), match=f"^Trainer.fit: {name}: expected"):
                trainer.fit(DATA, **{name: bad})
    trainer.fit(DATA, epochs=np.int64(1), max_steps=np.int32(1), time_limit=np.float32(100))
    trainer.save(tmp_path / "c")


@pytest.mark.parametrize(
    ("make", "bad"),
    [
        *((lambda bad: train.EarlyStopping(bad), bad) for bad in BAD["count"]),
        *((lambda bad: train.EarlyStopping(2, least=bad), bad) for bad in [*RATES[:-1], math.inf]),
    ],
)
def test_settings_of_callbacks(make, bad):
    with pytest.raises((TypeError, ValueError), match=r"^EarlyStopping: (patience|least): expected"):
        make(bad)


class Stated(Callback):
    """Has a state as the test gives it."""

    def __init__(self, state):
        self._state = self.loaded = state

    def state(self):
        return self._state

    def load_state(self, state):
        self.loaded = state


def test_states_of_callbacks_are_normalized_or_refused_before_the_first_step(tmp_path):
    state = {"best": np.float32(math.inf), "counts": (np.int64(2), None), "at": {"nan": math.nan, "l": []}}
    for bad, place in (
        ({"x": np.zeros(3)}, r"\['x'\]"),
        ({"x": {1: 2}}, r"\['x'\]"),
        ({"list": [1, object()]}, r"\['list'\]\[1\]"),
        (5.0j, ""),
    ):
        model = network()
        before = model.parameters.flat.copy()
        trainer = Trainer(model, optim.SGD(), callbacks=[Stated(bad)], checkpoint=tmp_path / "c")
        with pytest.raises(TypeError, match=rf"^Trainer.fit: callbacks\[0\]: Stated.state{place}: expected"):
            trainer.fit(DATA, epochs=1)
        assert np.array_equal(model.parameters.flat, before) and not (tmp_path / "c").exists()
    arrays = {"kept": {"a": np.arange(3.0)}}
    Trainer(network(), optim.SGD(), callbacks=[Stated(state), Stated(arrays)], checkpoint=tmp_path / "c").fit(
        DATA, epochs=1
    )
    resumed = Trainer(network(), optim.SGD(), callbacks=[Stated({}), Stated({})])
    resumed.resume(tmp_path / "c")
    loaded = resumed.callbacks[0].loaded
    assert loaded["best"] == math.inf and loaded["counts"] == [2, None] and loaded["at"]["l"] == []
    assert math.isnan(loaded["at"]["nan"])
    assert resumed.callbacks[1].loaded["kept"]["a"].tolist() == [0, 1, 2]


class Measured:
    """A model whose losses are of another type than `float`."""

    def __init__(self, kind):
        self._network, self._kind = network(), kind
        self.parameters, self.gradients = self._network.parameters, self._network.gradients

    def loss(self, batch, state=None, *, gradient=True):
        L, state = self._network.loss(batch, state, gradient=gradient)
        return self._kind(L), state


@pytest.mark.parametrize("kind", [np.float32, np.float64, lambda L: int(L) + 1])
def test_losses_of_a_model_of_one_s_own(kind, tmp_path):
    stopping = train.EarlyStopping(2)
    trainer = Trainer(Measured(kind), optim.SGD(0.01), callbacks=[stopping], checkpoint=tmp_path / "c")
    history = trainer.fit(DATA, epochs=2, validation=DATA)
    assert all(type(loss) is float for _, loss in history.validation) and type(stopping.best) is float
    again = Trainer(Measured(kind), optim.SGD(0.01))
    again.resume(tmp_path / "c")
    assert again.history.validation == history.validation


def test_a_loss_that_is_no_number_is_refused_by_name():
    counts = itertools.count()
    for kind in (lambda L: np.array([L]), lambda L: "?" if next(counts) else L):
        with pytest.raises(TypeError, match=r"Trainer\..*: the model's loss: expected a number, got"):
            Trainer(Measured(kind), optim.SGD(0.01)).fit(DATA, epochs=1, validation=DATA)


def test_a_validation_loss_that_is_not_finite_can_be_saved(tmp_path):
    counts = itertools.count()
    trainer = Trainer(
        Measured(lambda L: math.nan if next(counts) % 2 else L), optim.SGD(0.01), checkpoint=tmp_path / "c"
    )
    trainer.fit(DATA, epochs=2, validation=DATA)
    again = Trainer(network(), optim.SGD(0.01))
    again.resume(tmp_path / "c")
    assert [math.isnan(loss) for _, loss in again.history.validation] == [True, True]
