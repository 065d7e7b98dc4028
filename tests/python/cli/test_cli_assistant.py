"""`rnnrs chat` with a table, as a user calls it."""

import json

import pytest
from rnnrs_command import call, refused

import rnnrs
from rnnrs.cli.demo import assistant as demo_assistant
from rnnrs.data import CamRest, camrest

TABLE = "name,food,area,phone\nAlma,thai,north,1234\nBor,greek,north,5678\nCira,thai,south,\nDora,greek,south,4321\n"
DOMAIN = {"noun": "café", "said": {"phone": ["phone number"]}, "rules": [["opening", "Please call {phone}."]]}
DIALOGUE = [
    {"user": "thai food in the north", "system": "Alma.", "state": {"food": "thai", "area": "north"}},
    {
        "user": "what is the phone ?",
        "system": "1234.",
        "state": {"food": "thai", "area": "north"},
        "requests": ["phone"],
    },
]
SMALL = [
    "--embedding",
    8,
    "--hidden",
    16,
    "--generated",
    30,
    "--quiet",
    "--epochs",
    2,
    "--learning-rate",
    0.01,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("assistant")
    (found / "places.csv").write_text(TABLE)
    (found / "domain.json").write_text(json.dumps(DOMAIN))
    (found / "dialogues.json").write_text(json.dumps([DIALOGUE] * 4))
    return found


@pytest.fixture(scope="module")
def bot(folder):
    path = folder / "bot.rnn"
    table = ["--table", folder / "places.csv", "--domain", folder / "domain.json"]
    code, out, error = call("chat", "train", *table, "-o", path, *SMALL)
    assert code == 0, error
    assert out == f"{path}: trained\n" and error == ""
    return path


def test_it_talks_and_shows_what_it_knows(bot):
    asked = "What is the phone number of Dora?\nopening hours?\n/reset\nopening hours?\n/quit\nhello\n"
    code, out, _ = call("chat", "talk", bot, "--json", stdin=asked.encode())
    assert code == 0
    first, second, empty, third = out.split("\n")[:4]
    assert json.loads(first)["row"]["name"] == "Dora"
    assert json.loads(second)["text"] == "Please call 4321." and empty == ""
    assert json.loads(third)["act"] != "rule"
    code, out, _ = call("chat", "talk", bot, stdin=b"opening\n\nhello\n")
    assert code == 0 and out.count("\n") == 3


def test_it_is_evaluated_and_trained_further(bot, folder):
    code, out, _ = call("chat", "evaluate", bot, folder / "dialogues.json", "--json")
    assert code == 0 and 0 <= json.loads(out)["joint_goal"] <= 1 and json.loads(out)["turns"] == 8
    code, out, _ = call("chat", "evaluate", bot, folder / "dialogues.json")
    assert code == 0 and out.startswith("joint goal ")
    more = ["chat", "train", folder / "dialogues.json", "--table", folder / "places.csv", "--from", bot]
    code, out, error = call(
        *more, "-o", folder / "more.rnn", "--quiet", "--epochs", 1, "--validation", 0.3, "--json"
    )
    assert code == 0, error
    assert set(json.loads(out)["validation"]["slots"]) == {"food", "area"}
    again = [*more[:-2], "-o", folder / "more.rnn", "--quiet", "--epochs", 2, "--validation", 0.3, "--resume"]
    assert call(*again)[0] == 0


def test_wrong_calls_are_named(bot, folder):
    train, table, out = ["chat", "train"], ["--table", folder / "places.csv"], ["-o", folder / "x.rnn"]
    dialogues, domain = folder / "dialogues.json", folder / "domain.json"
    (folder / "wrong.json").write_text('{"slots": ["shoes"]}')
    refused("FILE: expected dialogues", *train, *out)
    refused("--domain: has no meaning without", *train, dialogues, "--domain", domain, *out)
    refused("--history: has no meaning with", *train, *table, "--history", 2, *out)
    refused("which is not SQLite", *train, *table, "--table-name", "a", *out)
    refused("places.csv: expected a JSON object", *train, *table, "--domain", folder / "places.csv", *out)
    (folder / "types.json").write_text('{"said": {"food": 3}}')
    refused("types.json: Assistant.from_dialogues: domain: said: food: expected a list",
            *train, *table, "--domain", folder / "types.json", *out)  # fmt: skip
    refused("got 'shoes'", *train, *table, "--domain", folder / "wrong.json", *out)
    refused("expected annotated dialogues", *train, folder / "domain.json", *table, *out)
    refused("share", *train, *table, "--validation", 0.1, *out)
    refused("--threshold: has no meaning", "chat", "talk", bot, "--threshold", 0.5)
    refused("expected a chatbot", "chat", "rank", bot, "a", "b")


def test_the_demo(tmp_path, monkeypatch):
    found = camrest()
    few = CamRest(found.dialogues[:10], found.table, found.values)
    monkeypatch.setattr(rnnrs.data, "camrest", lambda: few)
    monkeypatch.setattr(demo_assistant, "GENERATED", 10)
    code, out, error = call("demo", "assistant", "--seconds", 0.3, "--hidden", 8, "-o", tmp_path / "demo")
    assert code == 0, error
    assert "joint goal" in out and out.count("bot>") == 7
    assert rnnrs.load(tmp_path / "demo" / "assistant.rnn").rules


def test_its_file_is_described_in_short(bot):
    code, out, _ = call("info", bot)
    assert (
        code == 0
        and "table: rows 4, columns name, food, area, phone" in out
        and "turn_vocabulary: size " in out
    )
    assert len(out) < 6000
