"""The stepper: sequences join and leave between steps, and none depends on the others."""

from __future__ import annotations

import numpy as np
import pytest

import rnnrs
from rnnrs.errors import ShapeError
from rnnrs.models import LanguageModel


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("sizes", [{"hidden_size": 200, "cell": "lstm", "layers": 2}, {"hidden_size": 300}])
@pytest.mark.parametrize("characters", [40, 900])  # 512 projected embeddings at most
def test_sequences_join_and_leave(sizes, characters, threads):
    text = "".join(chr(0x4E00 + i) for i in range(characters))
    rnnrs.set_num_threads(threads)
    model, draw = LanguageModel.from_text(text, **sizes), np.random.default_rng(3)
    V, S = len(model.vocabulary), model.rnn.state_size
    alone, stepper = model.stepper(), model.stepper()
    states = np.zeros((0, S), np.float32)
    for count in (1, 17, 40, 3, 3, 1):
        kept = states[draw.permutation(len(states))[:count]]
        new = draw.normal(size=(count - len(kept), S)).astype(np.float32)
        stepper.state = np.concatenate([kept, new])
        assert stepper.batch == count
        states, ids = stepper.state, draw.integers(0, V, count)
        o, after = stepper.step(ids), stepper.state
        for i in range(count):
            alone.state = states[i : i + 1]
            assert np.array_equal(alone.step(int(ids[i])), o[i])
            assert np.array_equal(alone.state[0], after[i])
        states = after
    assert np.array_equal(stepper.read(ids), alone.read(ids))  # one sequence is left


def test_a_state_without_sequences_or_of_another_size_changes_nothing():
    model = LanguageModel.from_text("abc", hidden_size=3)
    stepper = model.stepper()
    stepper.state = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"^Stepper: state: expected at least one sequence, got none"):
        stepper.state = np.zeros((0, 3), np.float32)
    with pytest.raises(ShapeError, match=r"^Stepper: state: expected"):
        stepper.state = np.zeros((2, 4), np.float32)
    assert stepper.state.tolist() == [[1, 1, 1], [1, 1, 1]]
    with pytest.raises(ValueError, match="1 to read a text"):
        stepper.read(np.array([0]))
