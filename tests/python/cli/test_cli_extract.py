"""`rnnrs summarize` with models that choose sentences."""

import json

import pytest
from rnnrs_command import call, refused

from rnnrs.cli.demo import extract as demo
from rnnrs.models import ExtractiveSummarizer

PAIRS = [
    (f"It was {day}. The {name} fell on the town. We ate.", f"The {name} fell on the town.")
    for day in ("Monday", "Friday")
    for name in ("rain", "snow", "hail", "fog")
]
TEXT = "It was Sunday.\n\nThe ash fell on the town. We ate."
SMALL = ["--epochs", "15", "--hidden-size", "6", "--embedding-size", "6", "--validation", "0.2", "--quiet"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("extract")
    lines = [json.dumps({"text": text, "summary": summary}) for text, summary in PAIRS]
    (folder / "pairs.jsonl").write_text("\n".join(lines))
    (folder / "text.txt").write_text(TEXT)
    words = ("summarize", "train", "--extract", folder / "pairs.jsonl", "-o", folder / "keep.rnn", *SMALL)
    code, out, error = call(*words, "--fields", "text", "summary")
    assert code == 0, error
    assert out.startswith(f"{folder / 'keep.rnn'}: sentence F1 1.000, ROUGE-1/2/L F1 100.0")
    return folder


def test_run_prints_the_kept_sentences(folder):
    keep, text = folder / "keep.rnn", folder / "text.txt"
    assert call("summarize", "run", keep, "--file", text, "--words", "6")[:2] == (
        0,
        "The ash fell on the town.\n",
    )
    assert (
        call("summarize", "run", keep, "--sentences", "1", *TEXT.split())[1] == "The ash fell on the town.\n"
    )
    assert call("summarize", "run", keep, "--share", "1", "--file", text)[1].count("\n") == 3
    assert call("summarize", "run", keep, "--words", "1", "--file", text)[:2] == (0, "")
    code, out, _ = call("summarize", "run", keep, "--sentences", "1", "--file", text, "--json", "--why")
    found = json.loads(out)
    assert (code, found["source"], found["summary"]) == (0, TEXT, "The ash fell on the town.")
    (sentence,) = found["sentences"]
    assert TEXT[sentence["begin"] : sentence["end"]] == sentence["text"] and sentence["number"] == 1
    assert sentence["why"]["salience"] and 0 < sentence["score"] < 1


def test_a_file_name_that_is_taken_as_a_text_is_named(folder):
    keep, text = folder / "keep.rnn", folder / "text.txt"
    code, out, error = call("summarize", "run", keep, "--sentences", "1", text)
    assert (code, out) == (0, f"{text}\n")
    assert error == f"rnnrs: {text} was taken as a text; --file reads the file of that name\n"
    for other in ("nothing", "x" * 5000, "a\nb"):
        assert call("summarize", "run", keep, "--sentences", "1", other)[2] == ""


def test_a_page_with_the_kept_sentences_marked(folder):
    page = folder / "page.html"
    words = (
        "summarize",
        "run",
        folder / "keep.rnn",
        "--file",
        folder / "text.txt",
        "--sentences",
        "1",
        "--html",
        page,
    )
    assert call(*words)[0] == 0
    assert page.read_text().count(">The ash fell on the town.</mark>") == 1
    refused("page.html: exists; --force replaces it", *words)


def test_then_a_line_is_written_from_what_was_kept(folder):
    (folder / "lines.tsv").write_text("".join(f"{line}\t{line.split()[1]}\n" for _, line in PAIRS))
    lines = folder / "lines.rnn"
    train = (
        "summarize",
        "train",
        folder / "lines.tsv",
        "-o",
        lines,
        "--validation",
        "0",
        "--epochs",
        "30",
        "--quiet",
    )
    size = ("--hidden-size", "16", "--embedding-size", "8", "--learning-rate", "0.02", "--min-count", "1")
    assert call(*train, *size)[0] == 0
    words = ("summarize", "run", folder / "keep.rnn", "--file", folder / "text.txt", "--sentences", "1")
    code, out, _ = call(*words, "--then", lines, "--beam", "2")
    assert code == 0 and out.strip() and out.count("\n") == 1
    found = json.loads(call(*words, "--then", lines, "--beam", "2", "--json")[1])
    assert found["written"] == out.strip() and found["sentences"]
    assert call("summarize", "run", lines, PAIRS[0][1])[0] == 0
    refused(
        "--words: has no meaning with a model that writes one line",
        "summarize",
        "run",
        lines,
        "--words",
        "3",
        "a",
    )
    refused("holds a summarizer that chooses sentences", *words, "--then", folder / "keep.rnn")


def test_evaluate_and_resume(folder):
    keep, pairs = folder / "keep.rnn", folder / "pairs.jsonl"
    words = ("summarize", "evaluate", keep, pairs, "--fields", "text", "summary")
    code, out, _ = call(*words)
    assert code == 0 and "chosen                  1.0000" in out and "the first sentences" in out
    facts = json.loads(call(*words, "--json")[1])
    assert (
        facts["pairs"] == 8 and facts["sentences"]["f1"] == 1.0 > facts["first_sentences"]["sentences"]["f1"]
    )
    train = (
        "summarize",
        "train",
        "--extract",
        pairs,
        "-o",
        keep,
        "--fields",
        "text",
        "summary",
        "--resume",
        "--quiet",
    )
    refused("epochs: expected more than the 15", *train)
    assert call(*train, "--epochs", "16")[0] == 0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--tied"], "--tied: has no meaning with --extract"),
        (["--max-words=9"], "--max-words: has no meaning with --extract"),
        (["--level", "char"], "--level: has no meaning with --extract"),
        (["--unique"], "--unique: has no meaning with --extract"),
    ],
)
def test_options_of_the_other_summarizer_are_refused_in_training(folder, options, match):
    refused(
        match, "summarize", "train", "--extract", folder / "pairs.jsonl", "-o", folder / "new.rnn", *options
    )


@pytest.mark.parametrize(
    ("options", "code", "match"),
    [
        (["--beam", "2"], 1, "--beam: has no meaning without --then"),
        (["--why"], 1, "--why: has no meaning without --json or --html"),
        (["--plot", "a.png"], 1, "--plot: has no meaning with a model that chooses"),
        (["--words", "3", "--share", "0.5"], 2, "not allowed with"),
        (["--share", "1.5"], 2, "--share"),
        (["--then", "missing.rnn"], 1, "missing.rnn: No such file"),
    ],
)
def test_options_that_do_not_fit_are_refused(folder, options, code, match):
    refused(match, "summarize", "run", folder / "keep.rnn", "A text.", *options, code=code)


def test_the_demo(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "HELD_OUT", 10)
    monkeypatch.setattr(demo, "VALIDATION", 5)
    monkeypatch.setattr(demo, "SENTENCES", 3)
    code, out, error = call("demo", "extract", "--seconds", "1", "--hidden", "8", "-o", tmp_path)
    assert code == 0, error
    assert "chosen   " in out and "the first sentences   " in out
    assert f"rnnrs summarize run {tmp_path / 'extract.rnn'} --file" in out
    assert "<mark " in (tmp_path / "extract-marked.html").read_text()
    assert ExtractiveSummarizer.load(tmp_path / "extract.rnn").sizes["hidden_size"] == 8
