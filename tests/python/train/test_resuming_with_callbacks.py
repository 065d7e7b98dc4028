"""A resumed run equals one without a break, bit for bit, with every callback at once."""

import csv

import numpy as np
import pytest

from rnnrs import Trainer, losses, nn, optim, train
from rnnrs.data import ArrayBatches, Batch
from rnnrs.inspection import GradientMonitor
from rnnrs.modelfile import load
from rnnrs.models import JordanNetwork, RecurrentNetwork
from rnnrs.train import Callback

STEPS, EPOCH = 18, 4
DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(5, 14, 3)).astype("f"), DRAW.integers(0, 4, (5, 14))
HELD_OUT = [Batch(X[:, :3], Y[:, :3])]


class Interruption(Callback):
    """Ctrl-C after a step; must be the last callback."""

    def __init__(self, step):
        self.step = step

    def on_step(self, run, record):
        if record.step == self.step:
            raise KeyboardInterrupt


class Slower(Callback):
    """A schedule by validation: the rate is halved whenever the loss does not fall."""

    def __init__(self):
        self.factor, self.last = 1.0, float("inf")

    def on_validation(self, run, loss):
        self.factor, self.last = self.factor * (0.5 if loss >= self.last else 0.9), loss

    def state(self):
        return {"factor": self.factor, "last": self.last if np.isfinite(self.last) else None}

    def load_state(self, state):
        self.factor = state["factor"]
        self.last = float("inf") if state["last"] is None else state["last"]


def recurrent():
    rnn = nn.Stack(nn.RNN(3, 5, seed=1), nn.RNN(5, 5, seed=2), dropout=0.3)
    return RecurrentNetwork(rnn, nn.Linear(5, 4), losses.SoftmaxCrossEntropy(), output_dropout=0.2)


def jordan():
    return JordanNetwork(nn.JordanRNN(3, 5, 4, feedback="sample", seed=1), losses.SoftmaxCrossEntropy())


class Run:
    """A trainer with all callbacks, in a folder of its own."""

    def __init__(self, make, folder, interrupted_at=None):
        folder.mkdir(exist_ok=True)
        self.folder, model = folder, make()
        self.slower, self.best = Slower(), train.BestParameters()
        self.stopping = [train.EarlyStopping(50), train.EarlyStopping(40)]
        self.printed = []
        more = [GradientMonitor(HELD_OUT[0], 3)] if make is recurrent else []
        if make is jordan:
            more.append(train.ScheduledSampling(train.InverseSigmoidForcing(4)))
        self.callbacks = [
            train.ProgressBar(),
            *self.stopping,
            self.best,
            train.BestCheckpoint(folder / "best"),
            train.CSVLog(folder / "log.csv"),
            train.Examples(lambda: ["an example"]),
            self.slower,
            *more,
            *([] if interrupted_at is None else [Interruption(interrupted_at)]),
        ]
        self.trainer = Trainer(
            model,
            optim.Adam(0.02),
            schedule=lambda step: self.slower.factor,
            callbacks=self.callbacks,
            checkpoint=folder / "checkpoint",
            checkpoint_every=5,
            seed=3,
        )

    def fit(self):
        return self.trainer.fit(ArrayBatches(X, Y, 4, seed=5), max_steps=STEPS, validation=HELD_OUT)

    def states(self):
        """What must be equal: everything but times."""
        log = list(csv.DictReader((self.folder / "log.csv").read_text().splitlines()))
        checkpoint = load(self.folder / "best")
        states = [c.state() for c in self.callbacks if not isinstance(c, train.ProgressBar)]
        history = self.trainer.history
        return {
            "parameters": self.trainer.model.parameters.flat.copy(),
            "optimizer": list(self.trainer.optimizer.state().values()),
            "best": dict(checkpoint.tensors),
            "callbacks": [[*state.values()] for state in states],
            "log": [{k: v for k, v in row.items() if k != "seconds"} for row in log],
            "validation": history.validation,
            "history": [
                getattr(history, name) for name in ("steps", "losses", "learning_rates", "gradient_norms")
            ],
        }


def assert_same(a, b):
    """Compares nested lists and dicts of arrays and numbers, exactly."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b


@pytest.fixture(scope="module", params=[recurrent, jordan], ids=lambda make: make.__name__)
def whole(request, tmp_path_factory):
    run = Run(request.param, tmp_path_factory.mktemp("whole"))
    run.fit()
    return request.param, run.states()


@pytest.mark.parametrize("stops", [[1], [EPOCH], [7], [3, 8, 9, 17]])
def test_resumed_runs_equal_one_without_a_break(whole, stops, tmp_path, capsys):
    make, known = whole
    for number, stop in enumerate([*stops, None]):
        run = Run(make, tmp_path / "run", stop)
        if number:
            run.trainer.resume(tmp_path / "run" / "checkpoint")
            run.callbacks[-1].step = stop if stop is not None else None
        if stop is None:
            run.fit()
        else:
            with pytest.raises(KeyboardInterrupt):
                run.fit()
    assert_same(run.states(), known)
