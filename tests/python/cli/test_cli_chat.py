"""`rnnrs chat`, as a user calls it."""

import json
import os
import pty
import subprocess
import time

import pytest
from rnnrs_command import COMMAND, call, refused

from rnnrs.cli import main
from rnnrs.cli.demo import chat as demo_chat

DIALOGUES = """\
Hello
Hi! Who are you?
I am Ann.
Nice to meet you.

What is the capital of France?
Paris.

What is the capital of Italy?
Rome, of course.
"""
ACTS = """\
inform(name='metro';area='soma')\tmetro is in soma
inform(name='carl';area='castro')\tcarl is in castro
?request(area)\twhere should it be
"""
SMALL = ["--embedding", "16", "--hidden", "32", "--batch", "4", "--learning-rate", "0.01", "--quiet"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("chat")
    (found / "dialogues.txt").write_text(DIALOGUES)
    (found / "acts.tsv").write_text(ACTS)
    return found


@pytest.fixture(scope="module")
def bot(folder):
    path = folder / "bot.rnn"
    code, out, error = call("chat", "train", folder / "dialogues.txt", "-o", path, "--epochs", 80, *SMALL)
    assert code == 0, error
    assert out == f"{path}: trained\n" and error == ""
    return path


def test_a_line_in_is_a_line_out_and_an_empty_one_begins_anew(bot):
    asked = "hello\ni am ann\n\nWHAT IS CAPITAL OF FRANCE\n/reset\nhello\n/quit\nhello\n"
    code, out, _ = call("chat", "talk", bot, stdin=asked.encode())
    assert code == 0
    assert out.split("\n") == [
        "Hi! Who are you?",
        "Nice to meet you.",
        "",
        "Paris.",
        "",
        "Hi! Who are you?",
        "",
    ]
    code, out, _ = call("chat", "talk", bot, "--json", "--threshold", 1, stdin=b"hello\n")
    reply = json.loads(out)
    assert reply["canned"] and 0 < reply["confidence"] < 1 and reply["text"].startswith("Sorry")
    assert call("chat", "talk", bot, stdin=b"")[:2] == (0, "")


def test_a_conversation_at_a_terminal(bot):
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "chat", "talk", str(bot)], stdin=slave, stdout=slave, stderr=slave, close_fds=True
    )
    os.close(slave)
    seen = b""
    for typed, awaited in (
        (b"hello\n", b"bot> Hi! Who are you?"),
        (b"\n/reset\n", b"a new conversation"),
        (b"\x04", b""),
    ):
        deadline = time.monotonic() + 60
        while b"you> " not in seen:
            assert time.monotonic() < deadline
            seen += os.read(master, 1000)
        seen = b""
        os.write(master, typed)
        while awaited not in seen:
            assert time.monotonic() < deadline
            seen += os.read(master, 1000)
        seen = seen[seen.index(awaited) :]
    assert process.wait(30) == 0
    os.close(master)


def test_answers_are_ranked_judged_and_a_threshold_tuned(bot, folder):
    code, out, _ = call("chat", "rank", bot, "the capital of Italy?", "Paris.", "Rome, of course.")
    assert code == 0 and [line.split("\t")[1] for line in out.splitlines()] == ["Rome, of course.", "Paris."]
    ranking = ("chat", "rank", bot, "the capital of Italy?", "Paris.", "Rome, of course.", "--json")
    code, out, _ = call(*ranking, "--n-best", "1")
    facts = json.loads(out)
    assert code == 0 and facts["text"] == "Rome, of course." and facts["place"] == 1
    assert facts["log_prob"] < 0
    assert len(call(*ranking)[1].splitlines()) == 2
    code, out, _ = call("chat", "evaluate", bot, folder / "dialogues.txt", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["right"] == 1 and facts["contexts"] == 4 and 1 <= facts["perplexity"] < 1.2
    (folder / "other.txt").write_text("purple mountains\nseven ships\n")
    code, out, _ = call("chat", "tune", bot, folder / "dialogues.txt", "--unanswerable", folder / "other.txt")
    assert code == 0 and out.startswith("threshold 0.")
    code, out, _ = call("chat", "tune", bot, folder / "dialogues.txt", "--json")
    assert code == 0 and json.loads(out)["contexts"] == 4
    assert "threshold: 0." in call("info", bot)[1] and "rnnrs chat" in call("info", bot)[1]


def test_dialogue_acts_are_learned_said_and_judged(folder):
    acts, path = folder / "acts.tsv", folder / "acts.rnn"
    code, _, error = call("chat", "train", acts, "-o", path, "--acts", "--epochs", 80, *SMALL)
    assert code == 0, error
    code, out, _ = call("chat", "speak", path, stdin=b"inform(area='x y';name=z)\n\n?request(area)\n")
    assert (code, out) == (0, "z is in x y\n\nwhere should it be\n")
    code, out, _ = call("chat", "speak", path, "inform(area=b;name=z)", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["act"] == "inform(area=b;name=z)" and facts["text"] == "z is in b"
    assert (facts["missing"], facts["redundant"]) == (0, 0)
    code, out, _ = call("chat", "evaluate", path, acts, "--acts")
    assert code == 0 and "slot error 0.00% (0 missing, 0 redundant of 4)" in out
    refused("expected an act such as", "chat", "speak", path, "hello")


def test_training_is_resumed_and_what_cannot_be_is_refused(folder):
    path, data = folder / "more.rnn", folder / "dialogues.txt"
    first = ["chat", "train", data, "-o", path, "--checkpoint", folder / "more.checkpoint"]
    assert call(*first, "--epochs", 2, *SMALL)[0] == 0
    refused("exists; --resume continues", *first, "--epochs", 2, *SMALL)
    assert call(*first, "--epochs", 3, "--resume", *SMALL)[0] == 0
    refused("history 3, which cannot become 2", *first, "--resume", "--history", 2, *SMALL)
    (folder / "alone.tsv").write_text("alone\n")
    refused("expected at least 2 turns", "chat", "train", folder / "alone.tsv", "-o", folder / "x.rnn")
    refused("No such file", "chat", "talk", folder / "none.rnn")


def test_the_demo_asks_in_other_words():
    assert demo_chat.retyped("What is the capital of a state?") == "WHAT IS CAPITAL OF A STATE"


def test_the_demo_runs_in_little_time(folder, monkeypatch, capsys):
    monkeypatch.setattr(demo_chat, "ASKED", 10)
    assert main(["demo", "chat", "--seconds", "1", "--hidden", "16", "-o", str(folder / "demo")]) == 0
    out = capsys.readouterr().out
    assert (folder / "demo" / "chat.rnn").exists() and "A conversation" in out and "rnnrs chat talk" in out
