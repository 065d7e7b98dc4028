"""A training that diverges ends with an error that names the step, and leaves a file that loads."""

import re
import warnings

import numpy as np
import pytest
from small_applications import APPLICATIONS

import rnnrs
from rnnrs import losses, nn, optim
from rnnrs.data import Batch
from rnnrs.models import RecurrentNetwork


@pytest.mark.parametrize("make", APPLICATIONS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("validated", [False, True])
def test_a_learning_rate_that_is_too_high(make, optimizer, validated, tmp_path):
    model, data, held_out = make()
    options = {"learning_rate": 1e38, "optimizer": optimizer, "clip_norm": None, "epochs": 12}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            history = model.fit(
                *data, *held_out * validated, checkpoint=tmp_path / "m", progress=False, **options
            )
        except rnnrs.NonFiniteError as error:
            assert error.step >= 2 and re.match(rf"step {error.step}: (the )?loss", str(error))
        else:  # gradients became 0 before they overflowed
            assert len(history) == 12 or len(history) % 12 == 0
        again = rnnrs.load(tmp_path / "m")
        assert again.parameters.shapes == model.parameters.shapes
        model.save(tmp_path / "saved")


@pytest.mark.parametrize("rate", [1e19, 1e38])
def test_the_checkpoint_is_of_the_last_whole_step(rate, tmp_path):
    x, y = np.ones((3, 2, 2), np.float32), np.ones((3, 2, 1), np.float32)

    def trainer():
        network = RecurrentNetwork(nn.RNN(2, 3), nn.Linear(3, 1), losses.SquaredError())
        return rnnrs.Trainer(network, optim.SGD(rate), clip_norm=None, checkpoint=tmp_path / "c")

    first = trainer()
    with pytest.raises(rnnrs.NonFiniteError, match=r"^step 2: .*loss.* inf"):
        first.fit([Batch(x, y)] * 5, epochs=1)
    again = trainer()
    again.resume(tmp_path / "c")
    assert again.step == first.step == 1 and again.position == 1
    assert np.array_equal(again.model.parameters.flat, first.model.parameters.flat)
    with pytest.raises(rnnrs.NonFiniteError, match=r"^step 2: "):
        again.fit([Batch(x, y)] * 5, epochs=1)


def test_a_first_step_that_fails_leaves_no_file(tmp_path):
    network = RecurrentNetwork(nn.RNN(2, 3), nn.Linear(3, 1), losses.SquaredError())
    trainer = rnnrs.Trainer(network, optim.SGD(0.1), checkpoint=tmp_path / "c")
    with pytest.raises(rnnrs.NonFiniteError, match=r"^step 1: .*; nothing was trained"):
        trainer.fit([Batch(np.ones((3, 2, 2), np.float32), np.full((3, 2, 1), np.inf, np.float32))], epochs=1)
    assert not (tmp_path / "c").exists()
