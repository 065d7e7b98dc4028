"""The training loop: bounds, checkpoints, interrupts, callbacks, errors."""

import csv
import gc
import io
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

from rnnrs import NonFiniteError, Trainer, losses, nn, optim
from rnnrs.data import ArrayBatches, Batch, StreamBatches
from rnnrs.errors import FormatError
from rnnrs.models import RecurrentNetwork
from rnnrs.train import BestCheckpoint, Callback, CSVLog, EarlyStopping, History, ProgressBar, StepRecord

IDS = np.random.default_rng(0).integers(0, 9, 2000)


def network(seed=1):
    return RecurrentNetwork(
        nn.RNN(6, 16, seed=seed),
        nn.Linear(16, 9, seed=seed + 1),
        losses.SoftmaxCrossEntropy(),
        embedding=nn.Embedding(9, 6, seed=seed + 2),
    )


def data():
    return StreamBatches(IDS, batch_size=5, steps=20)


def trainer(model=None, **options):
    options = {"clip_norm": 1.0, "schedule": optim.CosineDecay(60)} | options
    return Trainer(model or network(), optim.Adam(0.01), **options)


def test_training_learns_a_rule():
    ids = np.tile(np.arange(9), 300)
    model, stream = network(), StreamBatches(ids, 5, 20)
    run = Trainer(model, optim.Adam(0.01), clip_norm=1.0)
    before = run.evaluate(stream)
    history = run.fit(stream, epochs=4, validation=stream)
    assert run.evaluate(stream) < 0.05 < 2.0 < before
    assert len(history.validation) == 4
    assert history.steps[-1] == 4 * len(stream) == run.step


@pytest.mark.parametrize("stop_at", [1, 7, 20, 33, 40])
def test_a_resumed_run_is_bit_identical_to_an_uninterrupted_run(stop_at, tmp_path):
    whole = trainer(callbacks=[EarlyStopping(50)])
    whole.fit(data(), max_steps=55, validation=data())

    first = trainer(callbacks=[EarlyStopping(50)], checkpoint=tmp_path / "run")
    first.fit(data(), max_steps=stop_at, validation=data())
    second = trainer(network(seed=99), callbacks=[EarlyStopping(50)])
    second.resume(tmp_path / "run")
    assert second.step == stop_at
    second.fit(data(), max_steps=55, validation=data())

    assert second.model.parameters.flat.tobytes() == whole.model.parameters.flat.tobytes()
    for name, vector in whole.optimizer.state().items():
        assert second.optimizer.state()[name].tobytes() == vector.tobytes()
    np.testing.assert_array_equal(second.history.losses, whole.history.losses)
    np.testing.assert_array_equal(second.history.learning_rates, whole.history.learning_rates)
    assert second.state.tobytes() == whole.state.tobytes()
    assert (second.epoch, second.position) == (whole.epoch, whole.position)


def test_a_shuffled_run_resumes_too(tmp_path):
    rng = np.random.default_rng(1)
    batches = ArrayBatches(rng.integers(0, 9, (4, 30)), rng.integers(0, 9, (4, 30)), 7, seed=5)
    whole, first, second = trainer(), trainer(checkpoint=tmp_path / "run"), trainer(network(7))
    whole.fit(batches, epochs=3)
    first.fit(batches, max_steps=8)
    second.resume(tmp_path / "run")
    second.fit(batches, epochs=3)
    assert second.model.parameters.flat.tobytes() == whole.model.parameters.flat.tobytes()


def test_bounds_count_from_the_start_of_the_run():
    run = trainer()
    run.fit(data(), max_steps=3)
    run.fit(data(), max_steps=5)
    assert run.step == 5
    run.fit(data(), max_steps=5)
    assert run.step == 5
    run.fit(data(), epochs=1)
    assert (run.epoch, run.position, run.step) == (1, 0, len(data()))
    begin = time.monotonic()
    run.fit(data(), time_limit=run.seconds + 0.05)
    assert time.monotonic() - begin < 5


def test_a_list_of_batches_is_data():
    batch = Batch(IDS[:20].reshape(10, 2), IDS[1:21].reshape(10, 2))
    run = trainer()
    run.fit([batch, batch], epochs=2)
    assert run.step == 4


class Breaks(Callback):
    """Sets a weight to NaN after some steps."""

    def __init__(self, step, name="rnn.W"):
        self.step, self.name = step, name

    def on_step(self, trainer, record):
        if record.step == self.step:
            trainer.model.parameters[self.name][0, 0] = np.nan


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_parameter(tmp_path):
    path = tmp_path / "run"
    run = trainer(callbacks=[Breaks(5)], checkpoint=path, checkpoint_every=2)
    with pytest.raises(NonFiniteError, match=r"step 6: .* nan: the gradient of .* not finite") as caught:
        run.fit(data(), max_steps=20)
    assert caught.value.step == 6
    assert caught.value.parameter in run.model.parameters
    assert run.step == 5
    good = trainer(network(3))
    good.resume(path)
    assert good.step == 4
    assert np.isfinite(good.model.parameters.flat).all()


def test_a_loss_alone_that_is_not_finite_names_no_parameter():
    model = RecurrentNetwork(nn.RNN(2, 3), nn.Linear(3, 2), lambda o, y: (np.inf, np.zeros_like(o)))
    run = Trainer(model, optim.SGD(0.1))
    before = model.parameters.flat.copy()
    with pytest.raises(NonFiniteError, match="the loss is inf, though") as caught:
        run.fit([Batch(np.zeros((3, 1, 2)), np.zeros((3, 1, 2)))], epochs=1)
    assert caught.value.parameter is None
    np.testing.assert_array_equal(model.parameters.flat, before)


class Doomed:
    """An object that receives Ctrl-C in `__del__`, where Python discards the handler's exception."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # reports the discarded exception
def test_ctrl_c_that_python_discards_is_answered_at_the_next_step():
    run = trainer()
    loss, calls = run.model.loss, []

    def interrupted(*arguments, **options):
        calls.append(options)
        if len(calls) == 1:
            Doomed()
        return loss(*arguments, **options)

    run.model.loss = interrupted
    with pytest.raises(KeyboardInterrupt):
        run.fit(StreamBatches(np.arange(2000) % 9, batch_size=5, steps=20), epochs=100)
    assert len(calls) == run.step == 1


def test_ctrl_c_leaves_a_checkpoint_and_a_run_that_continues(tmp_path):
    gc.collect()  # so that the signal does not arrive during a garbage collection of other tests' objects
    rng = np.random.default_rng(0)
    stream = StreamBatches(rng.integers(0, 9, 200_000), batch_size=5, steps=20)
    path = tmp_path / "run"
    run = trainer(checkpoint=path, schedule=None)
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    previous = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run.fit(stream, epochs=100)
    assert signal.getsignal(signal.SIGINT) is previous
    stopped = run.step
    assert stopped > 0

    other = trainer(network(5), schedule=None)
    other.resume(path)
    assert other.step == stopped
    run.fit(stream, max_steps=stopped + 10)
    other.fit(stream, max_steps=stopped + 10)
    whole = trainer(schedule=None)
    whole.fit(stream, max_steps=stopped + 10)
    for one in (run, other):
        assert one.model.parameters.flat.tobytes() == whole.model.parameters.flat.tobytes()


def test_a_run_in_another_thread_needs_no_signal_handler():
    run = trainer()
    thread = threading.Thread(target=lambda: run.fit(data(), max_steps=3))
    thread.start()
    thread.join()
    assert run.step == 3


def test_resuming_another_run_is_refused_and_changes_nothing(tmp_path):
    path = tmp_path / "run"
    trainer(checkpoint=path).fit(data(), max_steps=3)
    other = trainer()
    other.resume(path)
    with pytest.raises(ValueError, match="data: expected the data with which the run began"):
        other.fit(StreamBatches(IDS[:500], 5, 20), max_steps=9)
    assert other.step == 3

    small = RecurrentNetwork(nn.RNN(2, 3), nn.Linear(3, 2), losses.SquaredError())
    before = small.parameters.flat.copy()
    with pytest.raises(FormatError, match="tensor"):
        Trainer(small, optim.Adam(0.01)).resume(path)
    np.testing.assert_array_equal(small.parameters.flat, before)
    with pytest.raises(FormatError, match="optimizer"):
        Trainer(network(), optim.Adam(0.02)).resume(path)
    with pytest.raises(FormatError, match="optimizer"):
        Trainer(network(), optim.SGD(0.01)).resume(path)
    with pytest.raises(FileNotFoundError):
        trainer().resume(tmp_path / "nothing")
    whole = path.read_bytes()
    for length in (0, 5, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError):
            trainer().resume(path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: trainer().fit(data()), "epochs, max_steps or time_limit"),
        (lambda: trainer().fit(data(), epochs=0), "epochs: expected a number above 0"),
        (lambda: trainer().fit(data(), max_steps=-3), "max_steps"),
        (lambda: trainer().fit([], epochs=1), "at least one batch"),
        (lambda: trainer(clip_norm=0), "clip_norm"),
        (lambda: trainer(checkpoint_every=0), "checkpoint_every"),
        (lambda: trainer().evaluate([Batch(IDS[None, :2], np.full((1, 2), -1))]), "at least one"),
    ],
)
def test_invalid_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_checkpoint_that_cannot_be_written_is_an_error_before_the_first_step(tmp_path):
    run = trainer(checkpoint=tmp_path / "missing" / "run")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        run.fit(data(), max_steps=3)
    assert run.step == 0


def test_early_stopping_and_the_best_checkpoint(tmp_path):
    class Spoils(Callback):
        def on_validation(self, trainer, loss):
            trainer.model.parameters.flat[...] *= 1.5

    stopping, best = EarlyStopping(patience=2), BestCheckpoint(tmp_path / "best")
    run = trainer(callbacks=[stopping, best, Spoils()], schedule=None)
    history = run.fit(data(), epochs=50, validation=data())
    assert run.stopped is not None
    losses_ = [loss for _, loss in history.validation]
    lowest = losses_.index(min(losses_))
    assert len(losses_) == lowest + 3
    again = trainer(network(4), callbacks=[stopping, best, Spoils()])
    again.resume(tmp_path / "best")
    assert again.step == history.validation[lowest][0]
    assert again.evaluate(data()) == pytest.approx(min(losses_), rel=1e-6)
    with pytest.raises(ValueError, match="patience"):
        EarlyStopping(0)


def test_the_csv_log_is_complete_after_a_resume(tmp_path):
    log, path = tmp_path / "log.csv", tmp_path / "run"
    first = trainer(callbacks=[CSVLog(log)], checkpoint=path, checkpoint_every=10)
    first.fit(data(), max_steps=10)
    first.checkpoint = None
    first.fit(data(), max_steps=15)  # steps after the checkpoint
    second = trainer(callbacks=[CSVLog(log)])
    second.resume(path)
    second.fit(data(), max_steps=20, validation=data())
    rows = list(csv.DictReader(log.read_text().splitlines()))
    steps = [int(row["step"]) for row in rows if row["loss"]]
    assert steps == list(range(1, 21))
    assert float(rows[-1]["validation_loss"]) > 0


def test_progress_in_plain_lines_and_as_a_bar():
    out = io.StringIO()
    trainer(callbacks=[ProgressBar(out, every=0.0)]).fit(data(), max_steps=5, validation=data())
    lines = out.getvalue().splitlines()
    assert len(lines) >= 5
    assert "step 3 · loss " in lines[2]
    assert "tokens/s" in lines[2]
    assert "left" in lines[2]
    assert "held out" in lines[-1]

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    trainer(callbacks=[ProgressBar(terminal)]).fit(data(), max_steps=5)
    assert "100%" in terminal.getvalue()
    assert "tokens/s" in terminal.getvalue()


def test_progress_without_tqdm_is_plain_lines(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setitem(sys.modules, "tqdm", None)
    out = Terminal()
    trainer(callbacks=[ProgressBar(out)]).fit(data(), max_steps=2)
    assert out.getvalue().startswith("step 1")


def test_history_is_bounded_and_exact(tmp_path):
    history = History()
    for step in range(1, 20_001):
        history.add(StepRecord(step, 0, float(step), 0.1, 1.0, 10, step * 0.5))
        if step % 5000 == 0:
            history = History.from_config(history.to_config())
    assert len(history) <= 4096
    assert history.window == 8
    assert history.steps[-1] == 20_000
    assert history.losses.mean() == pytest.approx(10_000.5)
    history.add_validation(10_000, 2.5)
    history.to_csv(tmp_path / "h.csv")
    rows = list(csv.DictReader((tmp_path / "h.csv").read_text().splitlines()))
    assert len(rows) == len(history)
    assert [row["validation_loss"] for row in rows if row["validation_loss"]] == ["2.5"]
    with pytest.raises(FormatError, match="history"):
        History.from_config({"window": 1})


def test_history_plots_itself(tmp_path):
    with pytest.raises(ValueError, match="at least one step"):
        History().plot()
    history = trainer().fit(data(), max_steps=60, validation=data())
    history.plot(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    history.plot(tmp_path / "curve.svg")
    assert b"<svg" in (tmp_path / "curve.svg").read_bytes()


def test_history_without_matplotlib_says_how_to_get_it(monkeypatch):
    from rnnrs import MissingExtraError

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    history = trainer().fit(data(), max_steps=2)
    with pytest.raises(MissingExtraError, match=r'pip install "rnnrs\[plot\]"'):
        history.plot()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_steps_checkpoints_and_resumes_leak_nothing(tmp_path):
    def memory():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def rounds(count):
        for _ in range(count):
            run = trainer(checkpoint=None)
            run.fit(data(), max_steps=2)
            run.save(tmp_path / "run")
            other = trainer()
            other.resume(tmp_path / "run")

    rounds(30)
    before = memory()
    rounds(300)
    assert memory() - before <= 4 * 2**20
