"""`rnnrs chat teach`, `learn`, `log`, and teaching in `talk`, as a user calls them."""

import json

import pytest
from rnnrs_command import call, refused

DIALOGUES = """\
What is the capital of France?\tParis.
What is the capital of Italy?\tRome, of course.
Where is a station?\tNear the river.
Are you a robot?\tYes, I am.
"""
SMALL = ["--embedding", "16", "--hidden", "32", "--batch", "4", "--learning-rate", "0.01", "--quiet"]
TALKED = """\
/teach nothing was said
where is the spare key?
/teach In the cupboard.
/teach When do you open? => At nine.
/wrong
/undo
when do you open
/teach
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    found = tmp_path_factory.mktemp("chat")
    (found / "dialogues.tsv").write_text(DIALOGUES)
    path = found / "bot.rnn"
    code, _, error = call("chat", "train", found / "dialogues.tsv", "-o", path, "--epochs", 60, *SMALL)
    assert code == 0, error
    return path


@pytest.fixture
def bot(trained, tmp_path):
    path = tmp_path / "bot.rnn"
    path.write_bytes(trained.read_bytes())
    return path


def entries(path, *options):
    code, out, error = call("chat", "log", path, "--json", *options)
    assert code == 0, error
    return [json.loads(line) for line in out.splitlines()]


def test_a_person_who_may_teach_is_believed(bot):
    code, out, error = call("chat", "talk", bot, "--allow-teaching", "--who", "ann", stdin=TALKED.encode())
    assert code == 0
    lines = out.split("\n")
    assert lines[0] == "" and lines[1] and lines[2:6] == [""] * 4 and lines[6:] == ["At nine.", "", ""]
    said = error.splitlines()
    assert "expected one that was said before" in said[0] and "expected a text, got an empty one" in said[-1]
    assert said[1:3] == [
        "noted: where is the spare key? => In the cupboard.",
        "noted: When do you open? => At nine.",
    ]
    assert said[3].startswith("noted: wrong: where is the spare key? => ") and said[4].startswith("undone: ")
    assert [entry["what"] for entry in entries(bot)] == ["teach", "teach", "wrong", "undo"]
    assert {(entry["who"], entry["source"]) for entry in entries(bot)} == {("ann", "user")}


def test_what_others_say_waits_until_it_is_accepted(bot):
    taught = b"/teach When do you open? => At \x1b[31mnine.\n/teach When do you open? => At nine.\nwhen do you open\n"
    code, out, error = call("chat", "talk", bot, "--json", stdin=taught)
    reply = json.loads(out.splitlines()[2])
    assert code == 0 and reply["text"] != "At nine." and reply["taught"] is None
    assert "expected no control characters" in error and "noted, but not believed: When do you open?" in error
    (entry,) = entries(bot, "--waiting")
    assert entry["waits"] and not entry["accepted"] and f"--accept {entry['id']}" in error
    code, out, _ = call("chat", "log", bot, "--accept", entry["id"], "--who", "eve")
    assert code == 0 and out.count("\n") == 2 and f"eve: accept {entry['id']}" in out and "[waits]" not in out
    code, out, _ = call("chat", "talk", bot, "--json", stdin=b"when do you open\n")
    assert json.loads(out) == {"text": "At nine.", "confidence": 1.0, "canned": False, "taught": entry["id"]}
    refused("expected an entry that waits", "chat", "log", bot, "--accept", entry["id"])
    assert call("chat", "log", bot, "--undo", entry["id"])[0] == 0
    refused(
        "expected something taught, got nothing", "chat", "log", bot, "--export", bot.with_name("x.jsonl")
    )


def test_what_was_taught_is_learned_and_exported(bot, tmp_path):
    facts = tmp_path / "facts.tsv"
    facts.write_text("When do you open?\tAt nine.\nhello\thi\tWhere are the keys?\tIn the cupboard.\n")
    code, out, error = call("chat", "teach", bot, facts)
    assert code == 0 and out.endswith("bot.rnn.taught.jsonl: 2 answers taught, 2 in all\n")
    assert f"rnnrs chat learn {bot}" in error
    learned = tmp_path / "learned.rnn"
    command = ["chat", "learn", bot, "-o", learned, "--variants", 4, "--learning-rate", 0.01, "--quiet"]
    code, out, error = call(*command)
    assert (code, out, error) == (0, f"{learned}: 2 of 2 answers learned word for word\n", "")
    refused("exists; --force replaces it", *command)
    refused("is an input, which is never replaced", "chat", "learn", bot, "-o", bot, "--force")
    exported = tmp_path / "taught.jsonl"
    assert call("chat", "log", learned, "--export", exported)[:2] == (0, "")
    assert [json.loads(line) for line in exported.read_text().splitlines()] == [
        ["When do you open?", "At nine."],
        ["hello", "hi", "Where are the keys?", "In the cupboard."],
    ]
    refused("exists; --force replaces it", "chat", "log", learned, "--export", exported)
    assert call("chat", "train", exported, "-o", tmp_path / "new.rnn", "--epochs", 1, *SMALL)[0] == 0
    code, out, _ = call("info", learned)
    assert "kept: 6 dialogues" in out and "Rome" not in out


def test_what_cannot_be_taught_or_learned_is_refused(bot, tmp_path):
    refused("expected something taught, got nothing", "chat", "learn", bot, "-o", tmp_path / "x.rnn")
    long = tmp_path / "long.tsv"
    long.write_text("a\tb\nc\t" + "d" * 1001 + "\n")
    refused("answer: expected at most 1,000 characters, got 1,001", "chat", "teach", bot, long)
    assert entries(bot) == []
    refused("No such file", "chat", "log", tmp_path / "none.rnn")
