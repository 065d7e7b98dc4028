"""Resuming and fine-tuning every application: bit for bit, by bounds, with changed data, from a model."""

import numpy as np
import pytest
from small_applications import APPLICATIONS

import rnnrs
from rnnrs.train import Callback

application = pytest.mark.parametrize("application", APPLICATIONS, ids=lambda a: a.__name__)
HOW = {"schedule": "constant", "batch_size": 2, "seed": 5, "progress": False, "learning_rate": 0.02}


@pytest.fixture(autouse=True)
def one_thread():
    """So small networks do not gain by more."""
    rnnrs.set_num_threads(1)


class Break(Callback):
    """Interrupts a run after some steps."""

    def __init__(self, step):
        self.at = step

    def on_step(self, run, record):
        if record.step == self.at:
            raise KeyboardInterrupt


def interrupted(application, path, step, **options):
    model, data, held_out = application()
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data, *held_out, checkpoint=path, callbacks=[Break(step)], **HOW | options)


@application
@pytest.mark.parametrize("step", [1, 3])
def test_a_run_that_is_broken_within_an_epoch_is_the_run_without_a_break(application, tmp_path, step):
    whole, data, held_out = application()
    history = whole.fit(*data, *held_out, epochs=3, patience=9, **HOW)
    assert len(history.losses) // 3 > 1  # steps in an epoch
    interrupted(application, tmp_path / "c", step, epochs=3, patience=9)
    resumed, data, held_out = application()
    again = resumed.fit(*data, *held_out, epochs=3, patience=9, resume=tmp_path / "c", **HOW)
    np.testing.assert_array_equal(again.losses, history.losses)
    assert again.validation == history.validation
    np.testing.assert_array_equal(resumed.parameters.flat, whole.parameters.flat)


@application
def test_going_on_after_the_end_is_the_longer_run(application, tmp_path):
    whole, data, held_out = application()
    whole.fit(*data, *held_out, epochs=4, **HOW)
    first, data, held_out = application()
    first.fit(*data, *held_out, epochs=2, checkpoint=tmp_path / "c", **HOW)
    loaded = type(first).load(tmp_path / "c")  # the checkpoint of a run that has ended is its model
    np.testing.assert_array_equal(loaded.parameters.flat, first.parameters.flat)
    for _ in range(2):  # the first call goes on from the end, the second has reached it
        before = (tmp_path / "c").read_bytes()
        model, data, held_out = application()
        start = model.parameters.flat.copy()
        how = {"resume": tmp_path / "c", "checkpoint": tmp_path / "c", **HOW}
        for bounds in ({"epochs": 1}, {"epochs": 2}, {"epochs": 9, "time_limit": 1e-9}):
            with pytest.raises(
                ValueError, match=rf"{type(model).__name__}.fit: (epochs|time_limit): expected more"
            ):
                model.fit(*data, *held_out, **how | bounds)
        assert (tmp_path / "c").read_bytes() == before
        np.testing.assert_array_equal(model.parameters.flat, start)
        if loaded is not None:
            model.fit(*data, *held_out, epochs=4, **how)
            np.testing.assert_array_equal(model.parameters.flat, whole.parameters.flat)
        loaded = None


@application
@pytest.mark.parametrize(
    "change", [{"batch_size": 3}, {"learning_rate": 0.01}, {"schedule": "linear"}, {"seed": 6}]
)
def test_settings_that_differ_are_named(application, tmp_path, change):
    interrupted(application, tmp_path / "c", 1)
    model, data, held_out = application()
    (name, value), start = next(iter(change.items())), model.parameters.flat.copy()
    with pytest.raises(
        ValueError, match=rf"{name}: expected {HOW[name]!r}, as when the run began, got {value!r}"
    ):
        model.fit(*data, *held_out, resume=tmp_path / "c", **HOW | change)
    np.testing.assert_array_equal(model.parameters.flat, start)


def changed(data):
    """Training data with one item fewer, and with another item."""
    first, *rest = data
    if isinstance(first, str):
        lines = first.split("\n")
        return (first.replace(f"{lines[2]}\n", ""),), (first.replace("bird", "dirb", 1),)
    fewer = tuple(part[:-1] for part in data)
    other = list(first) if isinstance(first, list) else first.copy()
    if isinstance(first, np.ndarray):
        other[2] = first[2] ^ 255 if first.dtype == np.uint8 else first[2] + 1
    else:
        other[2] = other[2] + 1 if isinstance(other[2], np.ndarray) else other[1]
    return fewer, (other, *rest)


@application
def test_changed_data_are_described_in_words(application, tmp_path):
    interrupted(application, tmp_path / "c", 1)
    model, data, held_out = application()
    fewer, other = changed(data)
    began = rf"{type(model).__name__}.fit: resume: expected the data with which the run began: \d+ \w+, got "
    units = "sentences|tokens|pairs|descriptions|sequences|steps"
    with pytest.raises(ValueError, match=rf"{began}\d+ ({units})(; |$)"):
        model.fit(*fewer, *held_out, resume=tmp_path / "c", **HOW)
    with pytest.raises(ValueError, match=rf"{began}others; the first difference is in \w+ \d+"):
        model.fit(*other, *held_out, resume=tmp_path / "c", **HOW)


@application
def test_other_validation_data_are_refused(application, tmp_path):
    interrupted(application, tmp_path / "c", 1)
    model, data, _ = application()
    with pytest.raises(ValueError, match=r"expected the (validation )?data with which the run began"):
        model.fit(*data, 0.4, resume=tmp_path / "c", **HOW)


@application
def test_a_loaded_model_is_trained_further_on_other_data(application, tmp_path):
    model, data, held_out = application()
    model.fit(*data, *held_out, epochs=1, checkpoint=tmp_path / "c", **HOW)
    model.save(tmp_path / "m")
    for name in ("c", "m"):
        tuned = type(model).load(tmp_path / name)
        np.testing.assert_array_equal(tuned.parameters.flat, model.parameters.flat)
        history = tuned.fit(*changed(data)[1], epochs=1, **HOW | {"learning_rate": 1e-3, "batch_size": 3})
        assert len(history.losses) and not np.array_equal(tuned.parameters.flat, model.parameters.flat)
        assert tuned.settings.learning_rate == 1e-3
