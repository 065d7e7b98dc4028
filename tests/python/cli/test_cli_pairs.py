"""The commands that learn from pairs of texts, as a user calls them."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rnnrs.cli import main
from rnnrs.cli.demo import pairs as demo_pairs
from rnnrs.models import Summarizer, Translator

SCRIPT = Path(sys.executable).with_name("rnnrs")
COMMAND = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "rnnrs.cli"]
NOUNS = {"cat": "chat", "dog": "chien", "bird": "oiseau", "man": "homme", "king": "roi"}
VERBS = {"sees": "voit", "likes": "aime", "hears": "entend", "finds": "trouve"}
PAIRS = [
    (f"the {a} {verb} a {b}", f"le {NOUNS[a]} {VERBS[verb]} un {NOUNS[b]}")
    for a in NOUNS
    for b in NOUNS
    for verb in VERBS
]
SMALL = [
    *("--embedding-size", "16", "--hidden-size", "32", "--batch-size", "8"),
    *("--learning-rate", "0.01", "--quiet"),
]


def run(*arguments, text=""):
    """In this process: dozens of them would take long to start."""
    out, error, stdin = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.StringIO(text)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as end:
                code = end.code
    finally:
        sys.stdin = stdin
    return code, out.getvalue(), error.getvalue()


def fails(code, pattern, *arguments, text=""):
    """One line on standard error, and nothing on standard output."""
    found, out, error = run(*arguments, text=text)
    assert found == code and out == "", (out, error)
    assert re.fullmatch(rf"rnnrs: .*{pattern}.*\n", error), error


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("pairs")
    (found / "pairs.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS), "utf-8")
    (found / "held.en").write_text("".join(f"{a}\n" for a, _ in PAIRS[::9]), "utf-8")
    with gzip.open(found / "held.fr.gz", "wt", encoding="utf-8") as file:
        file.write("".join(f"{b}\n" for _, b in PAIRS[::9]))
    rows = [json.dumps({"text": a, "line": b}) for a, b in PAIRS]
    (found / "pairs.jsonl").write_text("\n".join(rows), "utf-8")
    return found


@pytest.fixture(scope="module")
def translator(folder):
    path = folder / "en-fr.rnn"
    held = [folder / "held.en", folder / "held.fr.gz"]
    code, out, error = run(
        *("translate", "train", folder / "pairs.tsv", "-o", path, "--epochs", "14", *SMALL, "--validation"),
        *held,
    )
    assert (code, error) == (0, "")
    assert re.fullmatch(r".*en-fr\.rnn: perplexity 1\.\d+ on 12 held-out pairs \(.* nats a token\)\n", out)
    return path


def test_help_shows_examples():
    for group in ("translate", "summarize"):
        for verb in ("train", "evaluate", "run"):
            code, out, _ = run(group, verb, "--help")
            assert code == 0 and f"examples:\n  rnnrs {group} {verb}" in out


def test_texts_from_the_command_line_a_file_and_standard_input(folder, translator):
    texts = [source for source, _ in PAIRS[:5]] + ["", "the \x07 猫"]
    wanted = Translator.load(translator).translate_all(texts)
    assert wanted[:5] == [target for _, target in PAIRS[:5]]
    assert run("translate", "run", translator, texts[0]) == (0, wanted[0] + "\n", "")
    assert run("translate", "run", translator, *texts[0].split())[1] == wanted[0] + "\n"
    lines = "".join(f"{line}\n" for line in wanted)
    assert run("translate", "run", translator, text="\n".join(texts)) == (0, lines, "")
    (folder / "in.txt").write_text("\n".join(texts), "utf-8")
    assert run("translate", "run", translator, "--file", folder / "in.txt") == (0, lines, "")


def test_a_filter_answers_line_by_line(translator):
    process = subprocess.Popen(
        [*COMMAND, "translate", "run", translator], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin and process.stdout
    for source, target in PAIRS[:3]:
        process.stdin.write(source + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == target + "\n"
    process.stdin.close()
    assert process.wait(30) == 0
    process.stdout.close()


def test_scores_json_and_the_picture(folder, translator):
    code, out, _ = run("translate", "run", translator, PAIRS[0][0], "--n-best", "3")
    rows = [line.split("\t") for line in out.splitlines()]
    assert code == 0 and len(rows) == 3 and rows[0][1] == PAIRS[0][1]
    assert [float(score) for score, _ in rows] == sorted((float(score) for score, _ in rows), reverse=True)
    code, out, _ = run("translate", "run", translator, PAIRS[0][0], "--json", "--beam", "1")
    facts = json.loads(out)
    assert facts["source"] == PAIRS[0][0] and facts["written"][0]["text"] == PAIRS[0][1]
    code, out, error = run("translate", "run", translator, PAIRS[0][0], "--plot", folder / "seen.png")
    assert (code, out) == (0, PAIRS[0][1] + "\n") and "seen.png" in error
    assert (folder / "seen.png").read_bytes().startswith(b"\x89PNG")
    fails(1, "--plot: expected a TEXT", "translate", "run", translator, "--plot", "a.png")
    found, _, error = run("translate", "run", translator, "\t", "--plot", folder / "none.png")
    assert found == 1 and "no attention to draw" in error


def test_evaluate(folder, translator):
    command = ("translate", "evaluate", translator, folder / "held.en", folder / "held.fr.gz")
    code, out, error = run(*command)
    assert (code, error) == (0, "")
    assert re.fullmatch(r"BLEU\|\S+ = \d+\.\d\nchrF2\|\S+ = \d+\.\d\nperplexity 1\.\d+ \(72 tokens\)\n", out)
    facts = json.loads(run(*command, "--json")[1])
    assert facts["pairs"] == 12 and facts["tokens"] == 72
    assert facts["bleu"]["score"] > 90 and "tok:13a" in facts["bleu"]["signature"]


def test_a_summarizer_from_json_lines(folder):
    path, pairs = folder / "lines.rnn", folder / "pairs.jsonl"
    train = ("summarize", "train", pairs, "-o", path, "--fields", "text", "line", "--epochs", "8", *SMALL)
    code, out, error = run(*train)
    assert (code, error) == (0, "") and "on 5 held-out pairs" in out
    code, out, _ = run("summarize", "run", path, PAIRS[0][0])
    assert code == 0 and out.strip()
    command = ("summarize", "evaluate", path, pairs, "--fields", "text", "line")
    code, out, _ = run(*command)
    assert code == 0 and out.startswith("ROUGE F1") and "the first 12 words" in out
    facts = json.loads(run(*command, "--json")[1])
    assert (
        set(facts["rouge"]["rouge_1"])
        == {"precision", "recall", "f1"}
        == set(facts["first_12_words"]["rouge_l"])
    )
    fails(1, "exists; --resume continues", *train)
    fails(1, r"holds a summarizer \(rnnrs summarize\), expected a translator", "translate", "run", path, "a")
    code, out, _ = run("info", path)
    assert code == 0 and "a summarizer (rnnrs summarize)" in out and "source_vocabulary: size 24," in out
    assert len(out) < 4000


def test_what_is_left_out_is_counted(folder):
    rows = [*PAIRS, PAIRS[0], ("", "vide"), ("long " * 60, "court"), ("a b c d e f g h", "a")]
    (folder / "dirty.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows), "utf-8")
    train = ["translate", "train", folder / "dirty.tsv", "-o", folder / "dirty.rnn", "--epochs", "1"]
    code, _, error = run(*train, *SMALL[:-1], "--max-ratio", "4", "--unique", "--examples", "1")
    assert code == 0
    assert "100 of 104 pairs kept (1 empty, 1 too long, 1 ratio, 1 duplicate)" in error
    assert "epoch 1, held out" in error and "    wanted  le" in error and "    got     " in error
    assert f"next: rnnrs translate run {folder / 'dirty.rnn'}" in error


def test_files_that_cannot_be_learned_from(folder):
    def train(pattern, *files, more=()):
        fails(1, pattern, "translate", "train", *files, "-o", folder / "never.rnn", *SMALL, *more)

    (folder / "short.fr").write_text("un\n", "utf-8")
    (folder / "one.txt").write_text("no tab here\n", "utf-8")
    (folder / "empty.tsv").write_text("", "utf-8")
    (folder / "blank.tsv").write_text("\t\n \ta\n", "utf-8")
    (folder / "latin.tsv").write_bytes(b"a\tb\n\xe9t\xe9\tsummer\n")
    (folder / "bad.jsonl").write_text('{"source": "a"}\n', "utf-8")
    (folder / "word.tsv").write_text("a\tb\n", "utf-8")
    train("expected as many lines in both, got 12 and 1", folder / "held.en", folder / "short.fr")
    train("line 1: expected at least 2 columns, got 1", folder / "one.txt")
    train("expected pairs, got an empty file", folder / "empty.tsv")
    train(r"no pair is left: 0 of 2 pairs kept \(2 empty\)", folder / "blank.tsv")
    train("line 2: expected UTF-8 text, got byte 0xe9", folder / "latin.tsv")
    train("expected an object with a text 'target'", folder / "bad.jsonl")
    train("expected a word that occurs 2 times, got none", folder / "word.tsv")
    train("expected one file or two, got 3", "a", "b", "c")
    train("--fields: has no meaning with columns", folder / "pairs.tsv", more=("--fields", "a", "b"))
    train("--columns: has no meaning with two files", "a", "b", more=("--columns", "1", "0"))
    train("--validation: expected files or a share", folder / "pairs.tsv", more=("--validation", "1.5"))
    train("missing.tsv: No such file", folder / "missing.tsv")
    train(
        "--min-count: has no meaning", folder / "pairs.tsv", more=("--min-count", "2", "--level", "subword")
    )
    assert not (folder / "never.rnn").exists()


def test_a_long_sentence_is_cut_with_a_word_about_it(translator):
    code, out, error = run("translate", "run", translator, "--beam", "1", text="the cat " * 5000 + "\n")
    assert code == 0 and out.count("\n") == 1
    assert error == "rnnrs: text 1: only the first 1,000 tokens were read\n"


def test_a_run_is_resumed_by_its_own_options(folder):
    path = folder / "resumed.rnn"
    command = ["translate", "train", folder / "pairs.tsv", "-o", path, *SMALL, "--epochs"]
    assert run(*command, "1")[0] == 0
    code, out, error = run(*command, "2", "--resume")
    assert (code, error) == (0, "") and "perplexity" in out
    assert not Path(f"{path}.best").exists()
    fails(1, "was started with cell gru", *command, "3", "--resume", "--cell", "lstm")


@pytest.mark.parametrize(("what", "score"), [("translate", "BLEU"), ("summarize", "ROUGE F1")])
def test_the_demos(what, score, tmp_path, monkeypatch):
    monkeypatch.setattr(demo_pairs, "HELD_OUT", 40)
    monkeypatch.setattr(demo_pairs, "VALIDATION", 10)
    code, out, error = run("demo", what, "--seconds", "1", "--hidden", "16", "-o", tmp_path)
    assert code == 0, error
    before, after = (float(re.search(rf"{word} .*\(([\d.]+) nats", out)[1]) for word in ("Before", "After"))
    assert after < before and score in out and out.count("wanted") == 8
    assert f"rnnrs {what} run {tmp_path / what}.rnn" in out
    assert (tmp_path / f"{what}-attention.png").exists()
    kind = {"translate": Translator, "summarize": Summarizer}[what]
    assert kind.load(tmp_path / f"{what}.rnn").sizes["hidden_size"] == 16
