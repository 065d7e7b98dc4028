"""Callbacks in checkpoints, and what a schedule may give."""

import numpy as np
import pytest

from rnnrs import Trainer, losses, nn, optim
from rnnrs.data import Batch
from rnnrs.models import RecurrentNetwork
from rnnrs.train import Callback, EarlyStopping

RANDOM = np.random.default_rng(0)
BATCH = Batch(*(RANDOM.standard_normal((5, 2, size)).astype("float32") for size in (3, 2)))


class Counter(Callback):
    """Counts the steps from a number of its own."""

    def __init__(self, start):
        self.count = start

    def on_step(self, run, record):
        self.count += 1

    def state(self):
        return {"count": self.count}

    def load_state(self, state):
        self.count = state["count"]


def trainer(*callbacks, **options):
    network = RecurrentNetwork(nn.RNN(3, 4), nn.Linear(4, 2), losses.SquaredError())
    return Trainer(network, optim.SGD(0.1), callbacks=callbacks, **options)


def test_callbacks_of_one_class_get_their_own_states_back(tmp_path):
    first = [Counter(0), EarlyStopping(3), Counter(100), Counter(1000)]
    run = trainer(*first, checkpoint=tmp_path / "c")
    run.fit([BATCH], max_steps=5)
    again = [Counter(-1), Counter(-1), EarlyStopping(3), Counter(-1), Counter(-7)]
    resumed = trainer(*again)
    resumed.resume(tmp_path / "c")
    assert [c.count for c in again if isinstance(c, Counter)] == [5, 105, 1005, -7]
    resumed.fit([BATCH], max_steps=8)
    run.fit([BATCH], max_steps=8)
    assert [c.count for c in again if isinstance(c, Counter)] == [8, 108, 1008, -4]
    assert [c.count for c in first if isinstance(c, Counter)] == [8, 108, 1008]
    np.testing.assert_array_equal(run.model.parameters.flat, resumed.model.parameters.flat)


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), -1.0])
def test_a_schedule_that_gives_no_rate_is_refused_before_anything_changes(factor):
    run = trainer(schedule=lambda step: factor if step == 2 else 1.0)
    before = []
    run.callbacks.append(Keeper(before))
    with pytest.raises(
        ValueError, match=rf"schedule: expected a finite factor from 0, got {factor} at step 2"
    ):
        run.fit([BATCH], max_steps=9)
    np.testing.assert_array_equal(run.model.parameters.flat, before[-1])
    assert run.step == 2 and np.isfinite(run.model.parameters.flat).all()


class Keeper(Callback):
    """Keeps the parameters after every step."""

    def __init__(self, kept):
        self.kept = kept

    def on_step(self, run, record):
        self.kept.append(run.model.parameters.flat.copy())
