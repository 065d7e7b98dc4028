"""Runs of every training command: signals, resuming, going on after the end, fine-tuning."""

import json
import os
import re
import signal

import numpy as np
import pytest
from rnnrs_command import call, refused
from small_trainings import TRAININGS, WORDS, training

import rnnrs
from rnnrs import modelfile
from rnnrs.train import Trainer

command = pytest.mark.parametrize("command", TRAININGS)
SIGNALS = {name: getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}
ENDINGS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}


@pytest.fixture(autouse=True)
def one_thread():
    """So small networks do not gain by more."""
    rnnrs.set_num_threads(1)


@pytest.fixture(autouse=True)
def handlers():
    """Restores the handlers: those of SIGTERM and SIGHUP are the default, as in a process of its own."""
    before = {number: signal.getsignal(number) for number in SIGNALS.values()}
    for number in before:
        if number != signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        assert number == signal.SIGINT or signal.getsignal(number) is signal.SIG_DFL
        signal.signal(number, handler)


@pytest.fixture
def send(monkeypatch):
    """Makes the training get signals after a step."""

    def prepare(step, *numbers):
        def book(self, record, really=Trainer._book):
            really(self, record)
            if record.step == step:
                monkeypatch.undo()
                for number in numbers:
                    os.kill(os.getpid(), number)

        monkeypatch.setattr(Trainer, "_book", book)

    return prepare


def parameters(path):
    return rnnrs.load(path).parameters.flat


@pytest.mark.parametrize(
    ("command", "name"),
    [*((command, "SIGTERM") for command in TRAININGS), ("lm", "SIGHUP"), ("lm", "SIGINT")],
)
def test_a_signal_ends_a_training_with_a_checkpoint_that_continues_it(command, name, tmp_path, send):
    words = training(tmp_path, command, "--validation", "0.2")
    assert call(*words, "-o", tmp_path / "whole.rnn")[0] == 0
    model = tmp_path / "m.rnn"
    send(2, SIGNALS[name])
    code, out, error = call(*words, "-o", model)
    assert (code, out) == (128 + SIGNALS[name], "")
    assert error == (
        f"rnnrs: {ENDINGS[name]}; {model} can be used as it is; "
        f"to continue: rnnrs {' '.join(words)} -o {model} --resume\n"
    )
    run = json.loads(call("info", model, "--json")[1])["run"]
    assert (run["step"], run["epoch"], run["position"]) == (2, 0, 2)
    assert call(*words, "-o", model, "--resume")[0] == 0
    np.testing.assert_array_equal(parameters(model), parameters(tmp_path / "whole.rnn"))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_second_signal_ends_a_training_at_once(tmp_path, send):
    send(2, signal.SIGTERM, signal.SIGTERM)
    words = training(tmp_path, "lm", "-o", tmp_path / "m.rnn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rnnrs.signals._SAME", 0.0)
        assert call(*words)[::2] == (128 + signal.SIGTERM, "rnnrs: terminated\n")
    assert not (tmp_path / "m.rnn").exists()
    send(2, signal.SIGTERM, signal.SIGTERM)  # as shells and `timeout` send it, to a process and to its group
    assert call(*words)[0] == 128 + signal.SIGTERM
    assert (tmp_path / "m.rnn").exists()


def test_a_signal_before_the_training_ends_it_without_a_file(tmp_path, monkeypatch):
    def text_parts(*paths, **options):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("rnnrs.text.text_parts", text_parts)
    words = training(tmp_path, "lm", "-o", tmp_path / "m.rnn")
    assert call(*words) == (128 + signal.SIGTERM, "", "rnnrs: terminated\n")
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


def test_ignored_signals_stay_ignored(tmp_path, send):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        send(2, signal.SIGHUP)
        assert call(*training(tmp_path, "lm", "-o", tmp_path / "m.rnn"))[0] == 0
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@command
def test_more_epochs_go_on_after_the_end_and_fewer_consume_nothing(command, tmp_path):
    words = training(tmp_path, command, "--validation", "0.2")
    whole, model, apart = (tmp_path / name for name in ("whole.rnn", "m.rnn", "apart.rnn"))
    assert call(*words, "-o", whole, "--epochs", "4")[0] == 0
    assert call(*words, "-o", model)[0] == 0
    before = model.read_bytes()
    for more in (["--resume"], ["--resume", "--epochs", "1"], ["--resume", "--time-limit", "1e-6"]):
        refused(
            r"m\.rnn: (epochs|time_limit): expected more than the .* that the run has taken",
            *words,
            "-o",
            model,
            *more,
        )
    assert call(*words, "-o", model, "--resume=auto")[::2] == (
        0, f"rnnrs: {model}: the run has ended; a higher --epochs or --time-limit continues it\n",
    )  # fmt: skip
    assert model.read_bytes() == before
    assert call(*words, "-o", model, "--resume", "--epochs", "4")[0] == 0
    np.testing.assert_array_equal(parameters(model), parameters(whole))
    if command == "lm":
        beside = [*words, "-o", apart, "--checkpoint", tmp_path / "c"]
        assert call(*beside)[0] == call(*beside, "--resume", "--epochs", "4")[0] == 0
        assert modelfile.load(apart).run is None
        np.testing.assert_array_equal(parameters(apart), parameters(whole))
        refused(
            "apart.rnn: expected a checkpoint, got a model without the state", *words, "-o", apart, "--resume"
        )


def test_auto_begins_anew_where_there_is_no_checkpoint(tmp_path, send):
    words = training(tmp_path, "lm", "--resume=auto")
    model, apart, mine = (tmp_path / name for name in ("m.rnn", "c", "mine"))
    refused("no checkpoint to resume from", *words[:-1], "-o", model, "--resume")
    send(3, signal.SIGTERM)
    assert call(*words, "-o", model)[0] == 143
    assert call(*words, "-o", model)[0] == 0
    assert call(*words[:-1], "-o", tmp_path / "whole.rnn")[0] == 0
    np.testing.assert_array_equal(parameters(model), parameters(tmp_path / "whole.rnn"))
    mine.write_text("mine")
    refused("mine: exists, without its checkpoint", *words, "-o", mine, "--checkpoint", apart)
    assert call(*words, "-o", tmp_path / "n.rnn", "--checkpoint", apart)[0] == 0
    refused(
        "mine: exists, and is not the model of this run",
        *words,
        "-o",
        mine,
        "--checkpoint",
        apart,
        "--epochs",
        4,
    )
    assert mine.read_text() == "mine"
    (tmp_path / "n.rnn").unlink()  # a job that ended between its last checkpoint and its model
    assert call(*words, "-o", tmp_path / "n.rnn", "--checkpoint", apart)[0] == 0
    np.testing.assert_array_equal(parameters(tmp_path / "n.rnn"), parameters(model))


CHANGES = {
    "lm": [
        "--level word",
        "--max-size 9",
        "--hidden-size 7",
        "--steps 9",
        "--validation 0.3",
        "--encoding ascii",
    ],
    "classify": [
        "--level word",
        "--max-size 9",
        "--label text",
        "--pooling mean",
        "--delimiter ;",
        "--by kind",
    ],
    "forecast": ["--horizon 3", "--columns other", "--no-header", "--transform log"],
    "translate": [
        "--lowercase",
        "--max-size 9",
        "--min-count 2",
        "--max-words 9",
        "--unique",
        "--columns 1 0",
    ],
    "summarize": ["--no-copy --lowercase", "--max-ratio 3", "--seed 4", "--batch-size 3"],
    "chat": ["--lowercase", "--no-lowercase", "--history 2", "--acts", "--noise 0.3"],
    "caption": ["--max-size 9", "--fit crop", "--shift 3", "--channels 5", "--columns 1"],
}


@command
def test_options_that_cannot_change_are_refused_by_name(command, tmp_path):
    words = training(tmp_path, command, "-o", tmp_path / "m.rnn")
    assert call(*words)[0] == 0
    before = (tmp_path / "m.rnn").read_bytes()
    for change in CHANGES[command]:
        option, *values = change.split()
        code, _, error = call(*words, "--epochs", "3", "--resume", option, *values)
        name = option.removeprefix("--").removeprefix("no-").replace("-", "_")
        wanted = f"was (not )?started with (--)?(no[_-])?{name.replace('_', '[_-]')}"
        if code == 0:  # the option's value was the run's
            assert option == {"chat": "--no-lowercase"}.get(command, "")
            (tmp_path / "m.rnn").write_bytes(before)
        else:
            assert code == 1
            assert re.search(wanted, error), error
    assert (tmp_path / "m.rnn").read_bytes() == before


@command
def test_options_that_are_not_repeated_are_those_of_the_run(command, tmp_path):
    more = {
        "lm": ["--level", "word", "--max-size", "9", "--validation", "0.3"],
        "classify": ["--level", "word", "--max-size", "9", "--validation", "0.3"],
        "forecast": ["--columns", "value", "--validation", "0.3"],
        "translate": ["--columns", "1", "0", "--max-words", "6", "--lowercase"],
        "summarize": ["--columns", "1", "0", "--unique"],
        "chat": ["--history", "1", "--validation", "0.3"],
        "caption": ["--validation", "0.3"],
    }[command]
    model, whole = tmp_path / "m.rnn", tmp_path / "whole.rnn"
    words = training(tmp_path, command)
    assert call(*words, "-o", whole, *more, "--epochs", "3")[0] == 0
    assert call(*words, "-o", model, *more)[0] == 0
    code, _, error = call(command, "train", words[2], "-o", model, "--epochs", "3", "--resume", "--quiet")
    assert code == 0, error
    np.testing.assert_array_equal(parameters(model), parameters(whole))


@command
def test_changed_files_are_named(command, tmp_path):
    words = training(tmp_path, command, "-o", tmp_path / "m.rnn")
    assert call(*words)[0] == 0
    path = tmp_path / TRAININGS[command][0]
    text = path.read_text()
    path.write_text("".join(line for i, line in enumerate(text.splitlines(keepends=True)) if i != 5))
    again = [*words, "--resume", "--epochs", "3"]
    if command == "caption":
        refused(f"expected a line for each of {len(WORDS)} rows", *again)
    else:
        size = f"{len(text):,} bytes when the run began, {path.stat().st_size:,} now"
        refused(rf"{path.name} \({size}\): .*: expected the data with which the run began: ", *again)
    path.write_text(text)
    other = tmp_path / f"other{path.suffix}"
    other.write_text(text.replace("king", "ring").replace("\n4\n", "\n5\n"))
    again[2] = str(other)
    refused(rf"other.*: expected the data .*the first difference is in .*began with .*{path.name}", *again)
    path.write_text(text)
    assert call(*words, "--resume", "--epochs", "3")[0] == 0


@command
def test_a_model_is_trained_further_on_other_data(command, tmp_path):
    first, tuned = tmp_path / "first.rnn", tmp_path / "tuned.rnn"
    words = training(tmp_path, command)
    assert call(*words, "-o", first)[0] == 0
    path = tmp_path / TRAININGS[command][0]
    path.write_text(path.read_text().replace("king", "zz").replace("\n4\n", "\n5\n"))
    more = ["--from", first, "--learning-rate", "1e-5", "--epochs", "1"]
    words.remove("--quiet")
    if "--min-count" in words:
        place = words.index("--min-count")
        del words[place : place + 2]
    code, _, error = call(*words, "-o", tuned, *more, "--examples", "0")
    assert code == 0, error
    assert command == "forecast" or "are unknown to the model" in error
    old, new = modelfile.load(first), modelfile.load(tuned)
    data = {"settings": 0, "kept": 0}  # what the data and the run determine
    assert old.config | data == new.config | data or command == "forecast"
    difference = np.abs(parameters(first) - parameters(tuned))
    assert 0 < np.median(difference[difference > 0]) < 0.001  # batch normalization's averages change more
    refused(
        "first.rnn: has hidden_size 6, which cannot become 7",
        *words,
        "-o",
        tmp_path / "x",
        *more,
        "--hidden",
        7,
    )
    refused("first.rnn: is an input, which is never replaced", *words, "-o", first, *more, "--force")
    if command != "forecast":
        refused(
            "--max-size: has no meaning with --from", *words, "-o", tmp_path / "x", *more, "--max-size", 9
        )
    assert call(*words, "-o", tuned, *more, "--resume=auto", "--epochs", "2")[0] == 0
    assert json.loads(call("info", tuned, "--json")[1])["finished_run"]["epoch"] == 2
