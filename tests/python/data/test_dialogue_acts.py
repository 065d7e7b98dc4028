"""Dialogue acts: parsing, placeholders, slot errors, sentences; files of dialogues and of acts."""

import gzip
import json

import pytest

from rnnrs.data import DialogueAct, act_dialogues, read_dialogue_acts, read_dialogues
from rnnrs.data.dialogue_acts import readable
from rnnrs.errors import FormatError, ShapeError
from rnnrs.metrics import slot_error
from rnnrs.models import Chatbot


def test_acts_are_parsed():
    act = DialogueAct.parse("inform(name='piperade';goodformeal=dinner;area=dont_care;near=\"the x\")")
    assert act.kind == "inform" and not act.question
    assert act.slots == (
        ("name", "piperade"),
        ("goodformeal", "dinner"),
        ("area", "dont_care"),
        ("near", "the x"),
    )
    assert DialogueAct.parse(" ?request( area )") == DialogueAct("request", (("area", ""),), True)
    assert DialogueAct.parse("goodbye()") == DialogueAct("goodbye")
    assert DialogueAct.parse("?select(meal=dinner')").slots == (("meal", "dinner"),)  # as in some of the data


@pytest.mark.parametrize(
    "text", ["", "inform", "inform(", "inform(a=b", "in form(a)", "inform(a b)", "(a=b)"]
)
def test_invalid_acts_are_refused(text):
    with pytest.raises(FormatError, match="expected an act such as"):
        DialogueAct.parse(text)
    with pytest.raises(TypeError):
        DialogueAct.parse(None)


def test_values_round_trip_through_placeholders():
    act = DialogueAct.parse("inform(name='the inn';area='soma or noe valley';type='hotel';dogs='no')")
    assert act.values == {
        "slot_name": "the inn",
        "slot_area": "soma",
        "slot_area_2": "noe valley",
        "slot_type": "hotel",
    }
    assert act.source == "inform slot_area slot_area_2 slot_name slot_type dogs no"
    sentence = "the inn 's rooms in soma and noe valley , like all hotel -s there , take no dogs"
    template = act.delexicalize(sentence)
    assert template == (
        "slot_name _'s rooms in slot_area and slot_area_2 , like all slot_type _s there , take no dogs"
    )
    assert act.lexicalize(template.split()) == sentence.split()
    assert readable(sentence.split()) == (
        "the inn's rooms in soma and noe valley, like all hotels there, take no dogs"
    )
    assert act.lexicalize(["slot_phone", "slot_name"]) == ["phone", "the", "inn"]
    # Only whole words are replaced, the longest value first.
    act = DialogueAct.parse("inform(pricerange=expensive;name='expensive thai')")
    assert act.delexicalize("expensive thai is not inexpensive") == "slot_name is not inexpensive"


def test_the_order_of_slots_does_not_matter():
    one, other = (DialogueAct.parse(f"inform({slots})") for slots in ("a=x;b=yes;c=z", "c=q;a=r;b=yes"))
    assert one.source == other.source == "inform slot_a slot_c b yes"


def test_slot_errors_are_missing_and_redundant_placeholders():
    act = DialogueAct.parse("inform(name=a;area=b;dogs=yes)")
    assert act.slot_errors(["slot_name", "in", "slot_area"]) == (0, 0)
    assert act.slot_errors(["slot_name", "in"]) == (1, 0)
    assert act.slot_errors(["slot_name", "or", "slot_name", "at", "slot_phone"]) == (1, 2)
    found = slot_error([act, act], [["slot_name"], ["slot_name", "slot_area", "slot_area"]])
    assert (found.missing, found.redundant, found.slots, found.rate) == (1, 1, 4, 0.5)
    assert str(found) == "slot error 50.00% (1 missing, 1 redundant of 4)"
    with pytest.raises(ShapeError, match="expected as many as acts, 1, got 0"):
        slot_error([act], [])


@pytest.fixture(scope="module")
def speaker():
    names, areas = ("metro", "carl", "inn", "ritz"), ("soma", "castro", "north beach")
    examples = [
        (DialogueAct.parse(f"inform(name='{name}';area='{area}')"), f"{name} is in {area}")
        for name in names
        for area in areas
    ]
    examples += [(DialogueAct.parse(f"inform(area={a};pets=no)"), f"no pet -s in {a}") for a in areas]
    examples += [(DialogueAct.parse("?request(area)"), "where should it be")] * 3
    dialogues = act_dialogues(examples)
    bot = Chatbot.from_dialogues(dialogues, history=1, embedding_size=16, hidden_size=32)
    bot.fit(dialogues, noise=0, forget=0, epochs=40, batch_size=6, learning_rate=1e-2, progress=False)
    return bot


def test_acts_with_unseen_values_are_said(speaker):
    said = speaker.speak("inform(area='tenderloin';name='hotel utah')")
    assert str(said) == "hotel utah is in tenderloin" and said.missing == said.redundant == 0
    assert said.template == ("slot_name", "is", "in", "slot_area")
    said = speaker.speak("inform(pets=no;area='tenderloin')")
    assert said.text == "no pets in tenderloin" and said.tokens == ("no", "pet", "-s", "in", "tenderloin")
    acts = ["?request(area)", DialogueAct.parse("inform(name=x;area=y)")]
    assert [one.text for one in speaker.speak_all(acts)] == ["where should it be", "x is in y"]
    with pytest.raises(FormatError):
        speaker.speak("hello")


def test_the_hypothesis_with_the_fewest_slot_errors_is_chosen(speaker):
    act = DialogueAct.parse("inform(name=x)")  # no such act in the training data
    best = [speaker.speak(act, beam=beam) for beam in (1, 10)]
    assert best[1].missing + best[1].redundant <= best[0].missing + best[0].redundant


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("d.jsonl", '["a", "b"]\n\n{"topic": 1, "turns": ["c", "d", "e"]}\n'),
        ("d.tsv", "a\tb\nc\td\te\n"),
        ("d.txt", "\na\nb\n\n\nc\nd\ne"),
    ],
)
def test_dialogues_from_files(tmp_path, name, text, packed):
    path = tmp_path / (name + ".gz" * packed)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert read_dialogues(path) == [["a", "b"], ["c", "d", "e"]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("d.jsonl", '["a", "b"]\n{"turns": ["a", 1]}', "line 2: expected a list of turns"),
        ("d.jsonl", "[", "line 1: expected JSON"),
        ("d.tsv", "a\tb\nc", "line 2: expected at least 2 turns, got 1"),
        ("d.txt", "a\nb\n\nc\n", "line 4: expected at least 2 turns, got 1"),
        ("d.txt", "\n", "got an empty file"),
    ],
)
def test_damaged_files_are_refused_by_line(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(FormatError, match=message):
        read_dialogues(path)


def test_acts_from_a_file(tmp_path):
    path = tmp_path / "acts.tsv"
    path.write_text("goodbye()\tbye\tbaseline\ninform(name=x)\tx it is\n")
    assert read_dialogue_acts(path) == [
        (DialogueAct("goodbye"), "bye"),
        (DialogueAct("inform", (("name", "x"),)), "x it is"),
    ]
    path.write_text("goodbye()\tbye\nfoo\tbar\n")
    with pytest.raises(FormatError, match="pair 2"):
        read_dialogue_acts(path)


def test_the_bundled_dialogues():
    from rnnrs.text import chatterbot_dialogues

    dialogues = chatterbot_dialogues()
    assert len(dialogues) == 2025 and dialogues[0][0] == "What is AI?"
    assert all(len(turns) >= 2 and all(turn.strip() for turn in turns) for turns in dialogues)
    assert json.dumps(dialogues)
