"""When checkpoints are written, and by whom: steps, time, and one run at a time."""

import threading

import numpy as np
import pytest

from rnnrs import Trainer, files, losses, nn, optim
from rnnrs.data import Batch
from rnnrs.errors import FormatError
from rnnrs.models import RecurrentNetwork
from rnnrs.train import BestCheckpoint, Callback, CSVLog
from rnnrs.train import trainer as module
from rnnrs.train.checkpoint import Interval

BATCH = Batch(np.ones((5, 2, 1)), np.ones((5, 2, 1)))


def trainer(**options):
    network = RecurrentNetwork(nn.RNN(1, 4), nn.Linear(4, 1), losses.SquaredError())
    return Trainer(network, optim.SGD(0.1), **options)


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (None, (None, None)),
        (500, (500, None)),
        (np.int64(7), (7, None)),
        ("500", (500, None)),
        ("30s", (None, 30)),
        ("5m", (None, 300)),
        ("1.5h", (None, 5400)),
    ],
)
def test_an_interval_is_of_steps_or_of_time(every, expected):
    assert Interval.of("f", every) == expected


@pytest.mark.parametrize("every", [0, -1, "0", "0m", "5x", "m", "", "1.5", "-3s", "5 m"])
def test_other_intervals_are_refused(every):
    with pytest.raises(ValueError, match=r"^Trainer: checkpoint_every: expected "):
        trainer(checkpoint_every=every)


@pytest.mark.parametrize("every", [1.5, True, [5]])
def test_intervals_of_another_type_are_refused(every):
    with pytest.raises(TypeError, match="checkpoint_every: expected"):
        trainer(checkpoint_every=every)


class Clock:
    """A clock that goes on by some seconds at every step."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.seconds = 0.0, seconds
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)

    def callback(self):
        clock = self

        class Ticks(Callback):
            def on_step(self, run, record):
                clock.now += clock.seconds

        return Ticks()


@pytest.mark.parametrize(
    ("every", "steps"), [("5m", [3, 6, 9]), ("100s", [*range(1, 11)]), (4, [4, 8]), (None, []), ("1h", [])]
)
def test_checkpoints_are_written_by_time_or_by_steps(tmp_path, monkeypatch, every, steps):
    clock = Clock(monkeypatch, 100.0)
    run = trainer(callbacks=[clock.callback()], checkpoint=tmp_path / "c", checkpoint_every=every)
    saved = []
    monkeypatch.setattr(run, "save", lambda path: saved.append(run.step))
    run.fit([BATCH] * 10, epochs=1)
    assert saved == [*steps, 10]


def test_five_minutes_are_the_default(tmp_path):
    assert trainer(checkpoint=tmp_path / "c")._interval == (None, 300)


def test_a_checkpoint_that_another_run_writes_is_refused_before_the_first_step(tmp_path):
    class Other(Callback):
        def on_step(self, run, record):
            def fit():
                try:
                    trainer(checkpoint=tmp_path / "c").fit([BATCH], max_steps=1)
                except BlockingIOError as error:
                    found.append(error.filename)

            thread = threading.Thread(target=fit)
            thread.start()
            thread.join()

    found = []
    trainer(checkpoint=tmp_path / "c", callbacks=[Other()]).fit([BATCH], max_steps=1)
    assert found == [str(tmp_path / "c")]
    with files.claimed(tmp_path / "c"):  # the same thread, as a command does
        trainer(checkpoint=tmp_path / "c").fit([BATCH], max_steps=1)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_a_log_of_something_else_is_kept_when_a_run_is_resumed(tmp_path):
    log = tmp_path / "mine.csv"
    run = trainer(checkpoint=tmp_path / "c")
    run.fit([BATCH], max_steps=2)
    log.write_text("1,mine\n2,too\n")
    again = trainer(callbacks=[CSVLog(log)])
    again.resume(tmp_path / "c")
    with pytest.raises(
        FormatError, match="CSVLog: path: expected the log of the resumed run, got another file"
    ):
        again.fit([BATCH], max_steps=3)
    assert log.read_text() == "1,mine\n2,too\n"


def test_a_log_is_written_by_one_run_at_a_time(tmp_path):
    log, found = tmp_path / "log.csv", []

    class Other(Callback):
        def on_step(self, run, record):
            def fit():
                with pytest.raises(BlockingIOError, match="another thread is writing it"):
                    trainer(callbacks=[CSVLog(log)]).fit([BATCH], max_steps=1)
                found.append(log.read_text())

            thread = threading.Thread(target=fit)
            thread.start()
            thread.join()

    trainer(callbacks=[CSVLog(log), Other()]).fit([BATCH], max_steps=2)
    assert [text.count("\n") for text in found] == [2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_the_best_checkpoint_is_not_the_last_one(tmp_path):
    run = trainer(checkpoint=tmp_path / "c", callbacks=[BestCheckpoint(tmp_path / "." / "c")])
    with pytest.raises(
        ValueError, match="BestCheckpoint: path: expected another file than the run's checkpoint"
    ):
        run.fit([BATCH], max_steps=1, validation=[BATCH])
    assert run.step == 0
