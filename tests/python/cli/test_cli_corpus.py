"""`rnnrs lm prepare`, and the commands that read a corpus in place of a text."""

import gzip
import json
import re

import numpy as np
import pytest
from rnnrs_command import call, refused

from rnnrs.data import Corpus
from rnnrs.models import LanguageModel

LINES = "".join(f"{'the cat ' * (n % 4)}sat on the mat {n % 9}.\n" for n in range(200))
FEW = ["--epochs", 1, "--hidden", 6, "--batch", 8, "--quiet"]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(LINES)
    return path


def done(*arguments, **more):
    code, out, error = call(*arguments, **more)
    assert code == 0, error
    return out, error


def test_a_corpus_is_prepared_trained_on_and_evaluated(tmp_path, text):
    corpus, model = tmp_path / "corpus", tmp_path / "m.rnn"
    prepare = ["lm", "prepare", text, "-o", corpus, "--level", "word", "--min-count", 1]
    out, error = done(*prepare)
    assert re.fullmatch(r"\S+corpus: 2,000 tokens, 19 different ones, 6,000 characters, 201 lines\n", out)
    assert error == f"next: rnnrs lm train {corpus} -o model.rnn\n"
    facts = json.loads(done(*prepare, "--json", "--quiet")[0])
    assert (facts["corpus"], facts["vocabulary"], facts["undercount"]) == (str(corpus), 19, 0)
    assert "all files have their checksums\n  vocabulary: level word, size 19\n" in done("info", corpus)[0]
    assert json.loads(done("info", corpus, "--json")[0])["request"]["texts"][0][0] == str(text)
    done("lm", "train", corpus, "-o", model, *FEW)
    assert LanguageModel.load(model).settings.shuffle_block == 1_000_000
    assert done("lm", "evaluate", model, corpus)[0] == done("lm", "evaluate", model, text)[0]
    done("lm", "train", corpus, "-o", model, "--resume", "--epochs", 2, "--quiet")
    more = tmp_path / "more"
    done("lm", "prepare", text, text, "-o", more, "--from", model, "--quiet")
    assert Corpus(more).vocabulary.to_config() == LanguageModel.load(model).vocabulary.to_config()
    tuned = done("lm", "train", more, "-o", tmp_path / "n.rnn", "--from", model, "--epochs", 1)
    assert "0 of 4,000 tokens" in tuned[1] and "are unknown to the model" in tuned[1]
    refused("expected the data with which the run began", "lm", "train", more, "-o", model, "--resume",
            "--epochs", 3, "--quiet")  # fmt: skip


@pytest.mark.parametrize("by", ["--by-sentence", "--no-by-sentence"])
@pytest.mark.parametrize("standard_input", [False, True])
def test_a_large_text_becomes_a_corpus(tmp_path, monkeypatch, text, by, standard_input):
    model, folder = tmp_path / "m.rnn", tmp_path / "m.rnn.corpus"
    packed = gzip.compress(LINES.encode())
    (tmp_path / "text.gz").write_bytes(packed)
    source = ["-"] if standard_input else [tmp_path / "text.gz"]
    stdin = packed if standard_input else b""
    train = ["lm", "train", *source, "-o", model, by, "--level", "token", "--quiet", "--hidden", 6]
    train += ["--schedule", "constant"]
    monkeypatch.setattr("rnnrs.reading._PART", 99)
    monkeypatch.setattr("rnnrs.reading._SAMPLE", 50)
    monkeypatch.setattr("rnnrs.cli.lm.texts.LARGE", 1000)
    done(*train, "--epochs", 1, stdin=stdin)
    assert Corpus(folder).vocabulary.level == "token"
    assert Corpus(folder).characters == len(LINES)
    before = (folder / "corpus.json").stat().st_mtime_ns
    done(*train, "--epochs", 2, "--resume", stdin=stdin)
    assert ((folder / "corpus.json").stat().st_mtime_ns == before) is not standard_input
    resumed = LanguageModel.load(model).parameters.flat.copy()
    done(*train, "--epochs", 2, "--force", stdin=stdin)
    np.testing.assert_array_equal(LanguageModel.load(model).parameters.flat, resumed)
    held_out = ["--validation", text, "--epochs", 1, "--force"]
    out = done(*train, *held_out, stdin=stdin)[0]
    assert Corpus(tmp_path / "m.rnn.validation.corpus").characters == len(LINES)
    large = done("lm", "evaluate", model, text, "--json")[0]
    monkeypatch.undo()
    assert large == done("lm", "evaluate", model, text, "--json")[0]
    assert f"perplexity {json.loads(large)['perplexity']:.3f}" in out


def test_the_share_of_a_corpus_is_held_out(tmp_path, text):
    corpus, model = tmp_path / "corpus", tmp_path / "m.rnn"
    done("lm", "prepare", text, "-o", corpus, "--level", "word")
    train = ["--force", "--validation", 0.2, "--json", "--epochs", 1, "--quiet"]
    done("lm", "train", corpus, "-o", model, *FEW)
    facts = [
        json.loads(done("lm", "train", source, "-o", tmp_path / "n.rnn", "--from", model, *train)[0])
        for source in (corpus, text)
    ]
    assert facts[0] == facts[1]
    assert facts[0]["validation"]["tokens"] > 100


def test_wrong_usage_is_named(tmp_path, text):
    corpus = tmp_path / "corpus"
    done("lm", "prepare", text, "-o", corpus, "--quiet")
    model = tmp_path / "m.rnn"
    done("lm", "train", text, "-o", model, *FEW)
    refused("was prepared from other texts or with other options",
            "lm", "prepare", text, "-o", corpus, "--level", "word")  # fmt: skip
    done("lm", "prepare", text, "-o", corpus, "--level", "word", "--force", "--quiet")
    refused("--level: has no meaning with --from", "lm", "prepare", text, "-o", corpus, "--from", model,
            "--level", "word")  # fmt: skip
    refused("--min-count: has no meaning with --level char", "lm", "prepare", text, "-o", tmp_path / "c",
            "--min-count", 1)  # fmt: skip
    refused("--level: has no meaning with a corpus", "lm", "train", corpus, "-o", tmp_path / "n.rnn",
            "--level", "word")  # fmt: skip
    refused("expected texts or one corpus", "lm", "train", corpus, text, "-o", tmp_path / "n.rnn")
    refused("expected a corpus with the model's vocabulary", "lm", "evaluate", model, corpus)
    refused(r"expected a corpus, got a folder without corpus\.json", "lm", "evaluate", model, tmp_path)
    (corpus / "ids.npy").write_bytes(b"")
    refused(r"ids\.npy: expected a \.npy file", "lm", "train", corpus, "-o", tmp_path / "n.rnn")
