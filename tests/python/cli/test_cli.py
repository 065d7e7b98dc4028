"""The command, as a user calls it: in a process of its own where that may matter, else in this one."""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import time

import numpy as np
import pytest
from rnnrs_command import COMMAND, call, refused, run

from rnnrs.models import LanguageModel

SENTENCES = "".join(
    f"{who} {verb} {what}.\n"
    for who in ("I", "You", "We", "They")
    for verb in ("like", "want", "wanted", "see", "don't see")
    for what in ("tea", "the sea", "apples", "an apple")
)
SMALL = ["--embedding", "8", "--hidden", "16", "--batch", "8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def text(folder):
    path = folder / "sentences.txt"
    path.write_text(SENTENCES)
    return path


@pytest.fixture(scope="module")
def words(folder, text):
    """A trained model of words."""
    path = folder / "words.rnn"
    options = ["--level", "word", "--min-count", "1", "--epochs", "30", "--learning-rate", "0.01"]
    code, out, error = run("lm", "train", text, "-o", path, *options, *SMALL)
    assert code == 0, error
    assert re.fullmatch(rf"{re.escape(str(path))}: perplexity [\d.]+ on held-out text .*\n", out)
    assert "rnnrs lm generate" in error
    return path


@pytest.fixture(scope="module")
def characters(folder, text):
    """A trained model of characters."""
    path = folder / "characters.rnn"
    code, _, error = call("lm", "train", text, "-o", path, "--epochs", "3", "--quiet", *SMALL)
    assert (code, error) == (0, "")
    return path


def test_version_and_help():
    code, out, _ = run("--version")
    assert code == 0
    assert re.fullmatch(r"rnnrs \d+\.\d+\.\d+.*\n", out)
    assert run("fly")[:2] == (2, "")
    verbs = ["train", "evaluate", "score", "suggest", "generate", "inspect"]
    for command in ([], ["demo"], ["info"], *(["lm", verb] for verb in verbs)):
        code, out, _ = call(*command, "--help")
        assert code == 0
        assert "examples:\n  rnnrs" in out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["lm"],
        ["lm", "train"],
        ["lm", "train", "a.txt", "-o", "b", "--epochs", "none"],
        ["lm", "train", "a.txt", "-o", "b", "--hidden", "0"],
        ["lm", "generate", "m", "--temperature", "-1"],
        ["lm", "generate", "m", "--top-p", "0"],
        ["lm", "suggest", "m", "-k", "0"],
        ["demo", "--seconds", "nan"],
    ],
)
def test_wrong_usage_is_one_line_and_2(arguments):
    refused(r"\(see rnnrs.* --help\)", *arguments, code=2)


def test_evaluate(words, text):
    code, out, _ = call("lm", "evaluate", words, text)
    assert code == 0
    assert out.startswith("perplexity")
    code, out, _ = call("lm", "evaluate", words, text, text, "--json")
    facts = json.loads(out)
    expected = LanguageModel.load(words).evaluate(SENTENCES * 2)
    assert code == 0
    assert facts["perplexity"] == pytest.approx(expected.perplexity)
    assert facts["tokens"] == expected.tokens
    assert facts["bits_per_character"] == pytest.approx(expected.bits_per_character)
    assert facts["files"] == [str(text)] * 2


def test_score(words):
    sentences = ["I want tea.", "tea want I."]
    expected = [LanguageModel.load(words).log_prob(s) for s in sentences]
    lines = [f"{total:.4f}\t{s}" for total, s in zip(expected, sentences, strict=True)]
    assert call("lm", "score", words, *sentences) == (0, "\n".join([*lines, ""]), "")
    piped = "\r\n".join(sentences).encode()
    assert run("lm", "score", words, stdin=piped) == (0, "\n".join([*lines, ""]), "")
    code, out, _ = call("lm", "score", words, "--json", *sentences)
    facts = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [f["sentence"] for f in facts] == sentences
    for fact, total in zip(facts, expected, strict=True):
        assert fact["log_prob"] == pytest.approx(total)
        assert sum(math.log(t["probability"]) for t in fact["tokens"]) == pytest.approx(total)
        assert fact["tokens"][-1]["token"] == "<eos>"
    assert call("lm", "score", words)[:2] == (0, "")
    for options in ([], ["--json"]):
        assert call("lm", "score", words, *options, "--", "-I", "--want")[1].count("\n") == 2
    refused("unrecognized arguments: --jason", "lm", "score", words, "--jason", "I want tea.", code=2)


def test_suggest(words):
    model = LanguageModel.load(words)
    for option in ("--n-best", "-k"):
        code, out, _ = call("lm", "suggest", words, option, "2", "I want ")
        assert code == 0
        two = [s.word for s in model.suggest("I want ", 2)]
        assert [line.split("\t")[1] for line in out.splitlines()] == two
    code, out, _ = call("lm", "suggest", words, stdin=b"I want \nI w\nxyzzy\n")
    expected = ["\t".join(s.word for s in model.suggest(text)) for text in ("I want ", "I w")]
    assert (code, out) == (0, "\n".join([*expected, "", ""]))
    code, out, _ = call("lm", "suggest", words, "You w", "--json")
    assert [(s["word"], s["probability"]) for s in json.loads(out)] == [
        (s.word, pytest.approx(s.probability)) for s in model.suggest("You w")
    ]


def test_generate(words, characters):
    for path in (words, characters):
        command = ("lm", "generate", path, "--prompt", "I want", "--length", "30", "--seed", "1")
        code, out, error = call(*command)
        assert (code, error) == (0, "")
        expected = LanguageModel.load(path).generate("I want", length=30, seed=1)
        assert out == f"I want{expected}\n"
        code, out, _ = call(*command, "--json")
        assert (code, json.loads(out)) == (0, {"prompt": "I want", "text": expected})
        code, out, _ = call(*command, "--temperature", "0", "--top-k", "3", "--top-p", ".5", "--stop", "\\n")
        assert out.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error(characters):
    process = subprocess.Popen(
        [*COMMAND, "lm", "generate", str(characters), "--length", "1000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(10)
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_info(words):
    model = LanguageModel.load(words)
    code, out, _ = call("info", words)
    assert code == 0
    assert "language model" in out
    assert f"rnn.W {model.parameters['rnn.W'].shape} float32" in out
    code, out, _ = call("info", words, "--json")
    facts = json.loads(out)
    assert facts["kind"] == "language_model"
    assert facts["parameter_count"] == model.parameters.flat.size
    assert facts["parameters"]["output.c"] == {"shape": [len(model.vocabulary)], "dtype": "float32"}
    assert facts["config"]["hidden_size"] == 16
    assert facts["config"]["vocabulary"]["level"] == "word"
    assert facts["bytes"] == words.stat().st_size
    assert facts["run"] is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"", "empty"),
        (b"  \n ", "whitespace"),
        (b"abc\0def", "binary"),
        (b"caf\xe9 au lait", "UTF-8.*0xe9 at offset 3"),
        (b"a", "at least 2 tokens"),
    ],
)
def test_texts_that_are_none(tmp_path, content, message):
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    refused(message, "lm", "train", path, "-o", tmp_path / "model.rnn", "--quiet")
    assert not (tmp_path / "model.rnn").exists()


def test_texts_that_cannot_be_evaluated(words, tmp_path):
    refused("missing.txt: No such file", "lm", "evaluate", words, tmp_path / "missing.txt")
    refused("standard input: line 1: expected UTF-8", "lm", "score", words, stdin=b"caf\xe9\n")


def test_models_that_are_none(words, text, tmp_path):
    refused("No such file", "lm", "generate", tmp_path / "missing.rnn")
    for content in (b"", b"junk", words.read_bytes()[:-100], words.read_bytes()[:500]):
        path = tmp_path / "model.rnn"
        path.write_bytes(content)
        refused("model.rnn", "info", path)
        refused("model.rnn", "lm", "evaluate", path, text)


def test_the_output_is_checked_before_the_work(text, words, tmp_path):
    before = words.read_bytes()
    train = ("lm", "train", text, *SMALL, "--epochs", "1", "--quiet", "-o")
    refused("does not exist", *train, tmp_path / "missing" / "model.rnn")
    refused("is a folder", *train, tmp_path)
    refused("exists; --resume .* --force", *train, words)
    refused("no checkpoint to resume from", *train, tmp_path / "new.rnn", "--resume")
    refused("--lowercase: has no meaning", *train, tmp_path / "new.rnn", "--lowercase")
    refused("--validation: expected", *train, tmp_path / "new.rnn", "--validation", "1.5")
    assert words.read_bytes() == before
    copy = tmp_path / "copy.rnn"
    copy.write_bytes(before)
    assert call(*train, copy, "--force")[0] == 0
    assert LanguageModel.load(copy).vocabulary.level == "char"


def test_debugging_shows_where(tmp_path):
    missing = tmp_path / "missing.rnn"
    code, _, error = run("info", missing, environment={"RNNRS_DEBUG": "1"})
    assert code == 1
    assert "Traceback" in error
    assert "FileNotFoundError" in error


def test_ctrl_c_leaves_a_model_that_training_goes_on_from(text, tmp_path):
    whole, halted = tmp_path / "whole.rnn", tmp_path / "halted.rnn"
    options = [*SMALL, "--steps", "10", "--schedule", "constant", "--quiet", "--epochs"]
    command = ["lm", "train", str(text), "-o", str(halted), *options]
    process = subprocess.Popen([*COMMAND, *command, "100000"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not halted.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert error.startswith("rnnrs: interrupted; ")
    assert error.count("\n") == 1
    assert error.endswith("--resume\n")

    code, out, _ = call("info", halted, "--json")
    epochs = json.loads(out)["run"]["epoch"] + 1
    assert call("lm", "score", halted, "I want tea.")[0] == 0
    refused("hidden_size 16, which cannot become 17", *command, epochs, "--resume", "--hidden", "17")
    code, _, error = call(*command, epochs, "--resume")
    assert (code, error) == (0, "")
    assert call("lm", "train", text, "-o", whole, *options, epochs)[0] == 0
    a, b = (LanguageModel.load(path).parameters.flat for path in (whole, halted))
    np.testing.assert_array_equal(a, b)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["halted.rnn", "whole.rnn"]


def test_the_demo(tmp_path):
    folder = tmp_path / "demo"
    demo = ("demo", "--seconds", "2", "--hidden", "32", "-o", folder)
    code, out, error = call(*demo)
    assert code == 0, error
    before, after = (float(re.search(rf"{word} +([\d.]+) nats", out)[1]) for word in ("Before", "After"))
    assert before > 4
    assert after < before - 0.3  # in two seconds by the clock, beside other tests
    assert out.count("It writes, at temperature") == 3
    assert "rnnrs lm generate" in out
    model = folder / "shakespeare.rnn"
    assert str(model) in out
    assert LanguageModel.load(model).vocabulary.level == "char"
    first = model.read_bytes()
    assert call(*demo)[0] == 0
    assert model.read_bytes() == first
    assert (folder / "shakespeare-2.rnn").exists()


def test_a_tied_model_is_trained_and_gone_on_with(folder, text):
    path = folder / "tied.rnn"
    train = ["lm", "train", text, "-o", path, "--hidden", "12", "--batch", "8", "--quiet"]
    train += ["--checkpoint", folder / "tied.checkpoint"]
    code, _, error = call(*train, "--tied", "--epochs", "1")
    assert (code, error) == (0, "")
    model = LanguageModel.load(path)
    assert "output.V" not in model.parameters and model.embedding.embedding_size == 12
    code, _, error = call(*train, "--epochs", "2", "--resume")
    assert (code, error) == (0, "")
    refused(
        "expected an embedding_size equal to hidden_size, got 8 and 12",
        *train,
        "--tied",
        "--embedding",
        8,
        "--force",
    )


def test_an_adaptive_softmax_and_a_sampled_loss(folder, text):
    train = ["lm", "train", text, "--level", "word", "--epochs", "1", *SMALL]
    path = folder / "adaptive.rnn"
    code, _, error = call(*train, "-o", path, "--cutoffs", 5, 9)
    assert code == 0, error
    assert LanguageModel.load(path).output.bounds[:2] == [5, 9]
    code, out, _ = call("lm", "suggest", path, "I want ")
    assert code == 0 and out.strip()
    code, _, error = call(*train, "-o", folder / "nce.rnn", "--loss", "nce", "--samples", 7)
    assert code == 0 and "NCE loss" in error and "(perplexity " in error
    settings = LanguageModel.load(folder / "nce.rnn").settings
    assert (settings.loss, settings.samples) == ("nce", 7)
    refused(
        "cutoffs: expected increasing numbers",
        *train,
        "-o",
        folder / "x.rnn",
        "--cutoffs",
        9,
        5,
        "--quiet",
    )
