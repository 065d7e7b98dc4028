"""Held-out data: commands divide data as the API does, by `--seed`, and say so where they cannot."""

import json
import re

import numpy as np
import pytest

from rnnrs.cli import main
from rnnrs.data import read_csv_series
from rnnrs.models import Chatbot, Forecaster, LanguageModel, SequenceClassifier, Translator
from rnnrs.models.base.validation import chosen, divided
from rnnrs.models.language.fitting import hold_out

PAIRS = [(f"the {a} {i}", f"le {b} {i}") for i in range(10) for a, b in (("cat", "chat"), ("dog", "chien"))]
ROWS = [(round(np.sin(i) * (1 + i % 2), 3), -i, "even" if i % 2 == 0 else "odd") for i in range(20)]
DIALOGUES = [[f"Where is {i}?", f"It is at {i + 1}."] for i in range(12)]
LINES = [f"This is line {i} of the text." for i in range(40)]
SEED = 3


def train(capsys, *arguments):
    """The final JSON and the lines on standard error."""
    code = main([str(a) for a in arguments] + ["--epochs", "1", "--hidden-size", "6", "--json"])
    out, error = capsys.readouterr()
    assert code == 0, error
    return json.loads(out), error


def refused(capsys, message, *arguments):
    assert main([str(a) for a in arguments]) == 1
    out, error = capsys.readouterr()
    assert out == "" and re.search(message, error), error


@pytest.fixture
def files(tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS))
    (tmp_path / "rows.csv").write_text("a,b,kind\n" + "".join(f"{a},{b},{k}\n" for a, b, k in ROWS))
    (tmp_path / "talk.jsonl").write_text("".join(json.dumps(turns) + "\n" for turns in DIALOGUES))
    (tmp_path / "lines.txt").write_text("\n".join(LINES) + "\n")
    (tmp_path / "wave.csv").write_text("level\n" + "".join(f"{np.sin(t / 3):.4f}\n" for t in range(60)))
    return tmp_path


def test_pairs_are_drawn_by_the_seed(files, capsys):
    path = files / "m.rnn"
    facts, _ = train(
        capsys, "translate", "train", files / "pairs.tsv", "-o", path, "--validation", "0.25", "--seed", SEED
    )
    _, out = divided("", len(PAIRS), 0.25, SEED, "pairs")
    assert facts["model"] == str(path) and facts["validation"]["pairs"] == len(out) == 5
    model = Translator.load(path)
    assert facts["parameters"] == model.parameters.size
    assert facts["validation"]["nats_per_token"] == pytest.approx(model.likelihood(chosen(PAIRS, out)).loss)
    assert model.settings.seed == SEED


def test_sequences_are_drawn_by_the_seed(files, capsys):
    path = files / "m.rnn"
    facts, _ = train(
        capsys, "classify", "train", files / "rows.csv", "-o", path, "--validation", "0.3", "--seed", SEED
    )
    _, out = divided("", len(ROWS), 0.3, SEED, "sequences")
    sequences = [np.array([[a], [b]]) for a, b, _ in chosen(ROWS, out)]
    expected = SequenceClassifier.load(path).evaluate(sequences, [kind for *_, kind in chosen(ROWS, out)])
    assert facts["validation"]["count"] == 6
    assert facts["validation"]["nats"] == pytest.approx(expected.loss)


def test_dialogues_are_drawn_by_the_seed_or_read_from_a_file(files, capsys):
    command = ("chat", "train", files / "talk.jsonl", "--seed", SEED, "--validation")
    facts, _ = train(capsys, *command, "0.25", "-o", files / "m.rnn")
    _, out = divided("", len(DIALOGUES), 0.25, SEED, "dialogues")
    expected = Chatbot.load(files / "m.rnn").evaluate(chosen(DIALOGUES, out))
    assert facts["validation"]["dialogues"] == 3
    assert facts["validation"]["nats_per_token"] == pytest.approx(expected.loss)
    facts, _ = train(capsys, *command, files / "talk.jsonl", "-o", files / "n.rnn")
    assert facts["validation"]["dialogues"] == len(DIALOGUES)
    facts, _ = train(capsys, *command, "0", "-o", files / "o.rnn")
    assert facts["validation"] is None


@pytest.mark.parametrize("level", ["word", "char"])
def test_lines_are_drawn_by_the_seed_and_of_a_stream_the_end_is_taken(files, capsys, level):
    path, text = files / "m.rnn", (files / "lines.txt").read_text()
    options = ("--level", level, "--validation", "0.2", "--seed", SEED)
    options += ("--min-count", "1") if level == "word" else ()
    facts, _ = train(capsys, "lm", "train", files / "lines.txt", "-o", path, *options)
    model = LanguageModel.load(path)
    assert model.by_sentence is (level == "word")
    _, out = hold_out("", text, 0.2, model.by_sentence, SEED)
    result = model.evaluate(out)
    assert facts["validation"]["tokens"] == result.tokens
    assert facts["validation"]["nats"] == pytest.approx(result.nats)


def test_of_a_series_the_end_is_held_out_and_chooses_the_parameters(files, capsys):
    path = files / "m.rnn"
    facts, error = train(capsys, "forecast", "train", files / "wave.csv", "-o", path, "--horizon", "3")
    model, series = Forecaster.load(path), read_csv_series(files / "wave.csv", ["level"], dtype="float64")
    assert "48 of 60 steps" in error and "held out" in error
    expected = model.evaluate(series, start=48)
    assert facts["validation"]["origins"] == expected.origins == 10
    np.testing.assert_allclose(facts["validation"]["mae"], expected.mae)


def test_a_share_that_cannot_be_held_out(files, capsys):
    """The default one is reported, and nothing is held out; an explicit one is an error."""
    (files / "one.tsv").write_text("a a\tb b\n")
    (files / "short.txt").write_text("to be or not to be")
    short = "".join(f"{t % 3}\n" for t in range(12))
    (files / "short.csv").write_text("level\n" + short)
    share = ("--validation", "0.1")
    for command, message in (
        (("translate", "train", files / "one.tsv", "--min-count", "1"), "at least two pairs"),
        (("lm", "train", files / "short.txt"), "the text has 18 characters"),
        (
            ("forecast", "train", files / "short.csv", "--horizon", "4"),
            "at least 4 steps, the horizon, got 2",
        ),
    ):
        path = files / f"{command[0]}.rnn"
        facts, error = train(capsys, *command, "-o", path)
        assert facts["validation"] is None
        assert re.search(f"rnnrs: no held-out data: .*{message}", error)
        train(capsys, *command, "-o", path, "--validation", "0", "--force")
    refused(capsys, "at least two pairs", "translate", "train", files / "one.tsv", "-o", files / "x", *share)
    refused(capsys, "at least 2 tokens", "lm", "train", files / "short.txt", "-o", files / "x", *share)
    command = ("forecast", "train", files / "short.csv", "-o", files / "x", "--horizon", "4")
    refused(
        capsys, "--validation: expected a share of at least 4 steps, the horizon, got 1", *command, *share
    )
    assert not (files / "x").exists()


def test_examples_need_held_out_data(files, capsys):
    """By default they are shown where there are such; asked for without, they are refused."""
    command = ("translate", "train", files / "pairs.tsv", "-o", files / "m.rnn", "--force")
    _, error = train(capsys, *command)
    assert error.count("wanted") == 1
    for options, count in (
        (("--validation", "0.2"), 2),
        (("--validation", "0"), 0),
        (("--quiet",), 0),
        (("--quiet", "--examples", "1"), 1),
    ):
        _, error = train(capsys, *command, *options)
        assert error.count("wanted") == count
    refused(capsys, "examples: expected 0 without", *command, "--validation", "0", "--examples", "1")
    refused(capsys, "patience: expected None without", *command, "--validation", "0", "--patience", "1")
