"""No file is replaced or removed unasked, and no input at all; one run at a time writes a file."""

import json
import os

import numpy as np
import pytest
from rnnrs_command import call, refused
from small_trainings import TRAININGS, training

import rnnrs
from rnnrs import files, models

command = pytest.mark.parametrize("command", TRAININGS)


@pytest.fixture(autouse=True)
def one_thread():
    """So small networks do not gain by more."""
    rnnrs.set_num_threads(1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a small model of each kind that the tests read."""
    folder = tmp_path_factory.mktemp("trained")
    for name in ("lm", "translate", "forecast", "caption", "chat"):
        assert call(*training(folder, name, "-o", folder / f"{name}.rnn"))[0] == 0
    return folder


def snapshot(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@command
def test_an_output_that_is_an_input_is_refused_under_every_name(command, tmp_path, monkeypatch):
    words = training(tmp_path, command, "--force")
    data = next(path for path in tmp_path.iterdir() if str(path) in words[2])
    (tmp_path / "link").symlink_to(data.name)
    (tmp_path / "hard").hardlink_to(data)
    monkeypatch.chdir(tmp_path)
    before = snapshot(tmp_path)
    inputs = [data, "link", "hard", f"./{data.name}", tmp_path / "nowhere" / ".." / "link"]
    (tmp_path / "nowhere").mkdir()
    if command == "caption":
        inputs.append(tmp_path / "pictures.npy")
    for path in inputs:
        refused("is an input, which is never replaced", *words, "-o", path)
    refused("is an input, which is never replaced", *words, "-o", "new.rnn", "--checkpoint", "hard")
    if command != "forecast":
        (tmp_path / "held").write_bytes(data.read_bytes())
        refused("held: is an input", *words, "-o", "held", "--validation", "./held")
        before["held"] = data.read_bytes()
    assert snapshot(tmp_path) == before


@command
def test_an_existing_output_or_checkpoint_is_kept(command, tmp_path):
    words = training(tmp_path, command)
    mine = tmp_path / "mine"
    mine.write_text("mine")
    refused("mine: exists; --resume continues its training, --force replaces it", *words, "-o", mine)
    refused("mine: exists", *words, "-o", tmp_path / "m.rnn", "--checkpoint", mine)
    refused("mine: not a safetensors file", *words, "-o", mine, "--resume")
    refused("mine: not a safetensors file", *words, "-o", mine, "--resume=auto")
    assert mine.read_text() == "mine" and not (tmp_path / "m.rnn").exists()
    assert call(*words, "-o", mine, "--force")[0] == 0
    assert mine.read_bytes() != b"mine"


@command
def test_training_leaves_nothing_but_its_model(command, tmp_path):
    words = training(tmp_path, command)
    before = snapshot(tmp_path) | {"m.rnn.best": b"mine", "m.rnn.tmp": b"mine", "m.rnn.lock": b"mine"}
    for name, data in before.items():
        (tmp_path / name).write_bytes(data)
    assert call(*words, "-o", tmp_path / "m.rnn", "--validation", "0.3")[0] == 0
    after = snapshot(tmp_path)
    del after["m.rnn"]
    assert after == before


@command
def test_a_second_run_on_an_output_is_refused(command, tmp_path):
    from threading import Thread

    path, found = tmp_path / "m.rnn", []
    words = training(tmp_path, command, "--force")

    def second():
        with files.claimed(path):
            started.set()
            release.wait(60)

    from threading import Event

    started, release = Event(), Event()
    thread = Thread(target=second)
    thread.start()
    started.wait(60)
    try:
        refused("m.rnn: another thread is writing it", *words, "-o", path)
        refused("m.rnn: another thread is writing it", *words, "-o", tmp_path / "x", "--checkpoint", path)
        assert found == [] and not path.exists()
    finally:
        release.set()
        thread.join()
    assert call(*words, "-o", path)[0] == 0


def test_a_plot_replaces_neither_an_input_nor_unasked(trained, tmp_path):
    pytest.importorskip("matplotlib")
    series, mine = trained / "series.csv", tmp_path / "mine.png"
    mine.write_bytes(b"mine")
    predict = ("forecast", "predict", trained / "forecast.rnn", series)
    refused("mine.png: exists; --force replaces it", *predict, "--plot", mine)
    for path in (series, trained / "forecast.rnn"):
        refused("is an input, which is never replaced", *predict, "--plot", path, "--force")
    write = ("translate", "run", trained / "translate.rnn", "the cat")
    refused("mine.png: exists; --force replaces it", *write, "--plot", mine)
    refused("is an input", *write, "--plot", trained / "translate.rnn", "--force")
    inspect = ("lm", "inspect", trained / "lm.rnn", "--text", trained / "text.txt")
    refused("mine.png: exists; --force replaces it", *inspect, "--output", mine)
    refused("text.txt: is an input", *inspect, "--output", trained / "text.txt", "--force")
    assert mine.read_bytes() == b"mine"
    assert call(*predict, "--plot", mine, "--force")[0] == 0
    assert mine.read_bytes().startswith(b"\x89PNG")


def test_pictures_named_in_a_file_are_inputs(tmp_path):
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(6):
        image.new("RGB", (8, 8), (i * 40, 0, 0)).save(folder / f"{i}.png")
    (tmp_path / "list.tsv").write_text(
        "".join(f"{i}.png\ta {'red' if i else 'black'} one\n" for i in range(6))
    )
    words = [
        "caption",
        "train",
        tmp_path / "list.tsv",
        "--pictures",
        folder,
        *training(tmp_path, "caption")[3:12],
    ]
    before = snapshot(folder)
    words += ["--picture-size", "8", "8", "--channels", "4", "--min-count", "1"]
    refused("3.png: is an input", *words, "-o", folder / "3.png", "--force")
    refused("3.png: expected a cache", *words, "-o", tmp_path / "m.rnn", "--cache", folder / "3.png")
    assert snapshot(folder) == before
    (tmp_path / "link.png").symlink_to(folder / "2.png")
    captioner = tmp_path / "c.rnn"
    models.Captioner.from_pairs(np.zeros((1, 8, 8, 3), np.uint8), ["a b"], picture_size=[8, 8], channels=[4],
                                vocabulary={"min_count": 1}).save(captioner)  # fmt: skip
    describe = ("caption", "describe", captioner, folder / "2.png")
    refused("is an input, which is never replaced", *describe, "--plot", folder / "2.png")
    refused("is an input, which is never replaced", *describe, "--plot", tmp_path / "link.png", "--force")
    assert snapshot(folder) == before


def test_a_picture_under_several_spellings_is_one(tmp_path):
    image = pytest.importorskip("PIL.Image")
    from rnnrs.data import read_captions, read_described_pictures

    for name in "ab":
        image.new("RGB", (4, 4), (9 * ord(name) % 256, 0, 0)).save(tmp_path / f"{name}.png")
    (tmp_path / "l.png").symlink_to("a.png")
    (tmp_path / "x").mkdir()
    lines = ["a.png\tone", "./a.png\ttwo", "b.png\tother", "x/../a.png\tthree", f"{tmp_path}/a.png\tfour",
             "l.png\tfive", "none.png\tsix", "./none.png\tseven"]  # fmt: skip
    (tmp_path / "list.tsv").write_text("\n".join(lines))
    found = read_described_pictures(read_captions(tmp_path / "list.tsv"), tmp_path, (4, 4))
    assert found.descriptions == [["one", "two", "three", "four", "five"], ["other"]]
    assert len(found.problems) == 1 and "none.png" in found.problems[0]


def test_two_outputs_are_two_files(tmp_path):
    words = training(tmp_path, "caption", "-o", tmp_path / "m.rnn")
    (tmp_path / "link").symlink_to("m.rnn")
    for name in ("m.rnn", "./m.rnn", "link"):
        refused("expected a file for each output, got one for two", *words, "--cache", tmp_path / name)
    assert call(*words, "--checkpoint", tmp_path / "m.rnn")[0] == 0


def test_tuning_keeps_the_state_of_the_training(trained, tmp_path):
    bot = tmp_path / "bot.rnn"
    bot.write_bytes((trained / "chat.rnn").read_bytes())
    before = json.loads(call("info", bot, "--json")[1])
    assert call("chat", "tune", bot, trained / "talks.tsv")[0] == 0
    after = json.loads(call("info", bot, "--json")[1])
    assert after["finished_run"] == before["finished_run"] is not None
    assert after["config"]["threshold"] != before["config"]["threshold"]
    assert call(*training(trained, "chat", "-o", bot, "--resume", "--epochs", "3"))[0] == 0


def test_an_output_named_like_standard_output_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused("-: expected a file to write, got -", *training(tmp_path, "lm", "-o", "-"))
    refused(
        "standard input can be read only once", "lm", "train", "-", "--validation", "-", "-o", "m", stdin=b"a"
    )
    assert not os.path.exists("-")


def test_saving_replaces_in_python(tmp_path):
    path = tmp_path / "m"
    path.write_text("old")
    models.LanguageModel.from_text("abc", hidden_size=2).save(path)
    assert models.LanguageModel.load(path).sizes["hidden_size"] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
