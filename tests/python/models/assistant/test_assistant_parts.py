"""The parts of an assistant: mentions, states, answers and their check, rules, simulated people."""

import copy
import pickle

import numpy as np
import pytest

from rnnrs.data import AnnotatedTurn, Records
from rnnrs.models.assistant.checking import is_wanted, learned_denials, spoken
from rnnrs.models.assistant.domain import Domain, aligned
from rnnrs.models.assistant.mentions import Lexicon, nearest
from rnnrs.models.assistant.phrases import check_phrases
from rnnrs.models.assistant.policy import Situation, sentence
from rnnrs.models.assistant.refusing import after_refusal, refused_places, refused_values
from rnnrs.models.assistant.replaying import named_row, replayed
from rnnrs.models.assistant.replies import by_rule, check_rules
from rnnrs.models.assistant.responses import Template, delexicalized
from rnnrs.models.assistant.sentences import Sentences
from rnnrs.models.assistant.simulation import Goal, SimulatedPerson, generated_dialogues
from rnnrs.models.assistant.state import DialogueState, matching
from rnnrs.models.assistant.synonyms import learned_synonyms
from rnnrs.models.assistant.tracking import Tracking

TABLE = Records(
    [
        {"name": "Alma", "food": "thai", "area": "north", "phone": "01223 44", "stars": 3},
        {"name": "Bor House", "food": "modern european", "area": "north", "phone": "01223 55", "stars": 4},
        {"name": "Cira", "food": "thai", "area": "city centre", "phone": "", "stars": 3},
    ]
)
DOMAIN = Domain.of(
    "f", TABLE, {"slots": ["food", "area"], "requests": ["phone", "area", "stars"], "noun": "café"}
)
TRACKING, SENTENCES = Tracking(TABLE, DOMAIN), Sentences()


def test_dialogues_get_the_spelling_of_the_table():
    turn = {"user": "x", "state": {"Food": "THAI", "area": "don't care", "x": "none"}, "requests": ["Phone"]}
    ((found,),) = aligned("f", [[turn]], TABLE)
    assert found.state == {"food": "thai", "area": "dontcare"} and found.requests == ("phone",)


def situation(values, requests=(), **state):
    return Situation.of(DialogueState(values, tuple(requests), **state), TABLE, DOMAIN)


def test_the_use_of_columns_follows_from_the_table():
    rows = [{"title": f"Hotel {i}", "stars": i % 3, "phone": str(1000 + i), "id": i} for i in range(9)]
    found = Domain.of("f", Records(rows))
    assert (found.key, found.slots, found.requests) == ("title", ("stars",), ("stars", "phone", "id"))
    for given, error in [
        ({"slots": ["x"]}, ValueError),
        ({"shoes": 1}, TypeError),
        ({"slots": "stars"}, TypeError),
    ]:
        with pytest.raises(error, match="f: domain"):
            Domain.of("f", Records(rows), given)


def test_mentions_do_not_depend_on_case_accents_and_punctuation():
    lexicon = Lexicon(
        [("C.B 1, 7 D.Y", "code", "1"), ("modern european", "food", "me"), ("european", "food", "e")]
    )
    meant = [t.meant for t in lexicon.tokens("A Modern-Européan at cb1 7dy, or EUROPEAN?") if t.meant]
    assert meant == [(("food", "me"),), (("code", "1"),), (("food", "e"),)]
    assert nearest("europaen", ["european", "thai"]) == "european" and nearest("thal", ["thai"]) is None


def test_values_of_scripts_without_spaces_are_found():
    lexicon = Lexicon([("中国菜", "food", "chinese"), ("กรุงเทพ", "area", "bangkok")])
    found = [pair for token in lexicon.tokens("我想吃中国菜, กรุงเทพ") for pair in token.meant]
    assert found == [("food", "chinese"), ("area", "bangkok")]


def test_copies_of_values_do_not_hold_the_texts_that_were_read():
    lexicon = Lexicon([("thai", "food", "thai")])
    before = pickle.dumps(lexicon)
    read = lexicon.tokens("some thai food")
    assert pickle.dumps(lexicon) == before
    assert copy.deepcopy(lexicon).tokens("some thai food") == read


def test_rows_are_found_by_their_values():
    assert matching(TABLE, DOMAIN, {"food": "THAI"}) == [0, 2]
    assert matching(TABLE, DOMAIN, {"food": "thai", "area": "north"}) == [0]
    assert matching(TABLE, DOMAIN, {"food": "dontcare"}) == [0, 1, 2]
    assert matching(TABLE, DOMAIN, {"food": "klingon"}) == []


def test_the_policy_asks_offers_answers_and_denies():
    assert situation({}, changed=True).act() == "ask_food"
    assert situation({"food": "thai"}, changed=True).act() == "ask_area"
    assert situation({"food": "modern european"}, changed=True).act() == "offer"
    assert situation({"food": "klingon"}, changed=True).act() == "deny"
    about = {"row": 0, "offered": (0,), "act": "offer"}
    assert situation({"food": "thai"}, ["phone"], **about).act() == "inform"
    assert situation({"food": "thai"}, ["phone"], changed=True).act() == "offer"
    other = situation({"food": "thai"}, another=True, **about)
    assert (other.act(), other.row) == ("offer", 2)
    none_left = situation({"food": "thai"}, another=True, row=2, offered=(0, 2), act="offer")
    assert sentence(none_left, none_left.act(), SENTENCES) == "Sorry, there is no other café that fits."
    assert situation({"food": "thai"}, **about).act() == "other"


def test_an_empty_cell_is_said_to_be_unknown():
    found = situation({"area": "city centre"}, ["phone", "stars"], row=2, offered=(2,), act="offer")
    assert sentence(found, "inform", SENTENCES) == "I do not know the phone of Cira. The stars of Cira is 3."
    denied = situation({"food": "klingon", "area": "north"}, changed=True)
    said = sentence(denied, "deny", SENTENCES)
    assert said == "Sorry, there is no café with food klingon and area north. Would you like something else?"


def checked(act, text, found):
    template = Template(act, text)
    return (
        spoken(template, found, TRACKING, SENTENCES, SENTENCES.denials)
        if is_wanted(template, found)
        else None
    )


@pytest.mark.parametrize(
    ("act", "text", "said"),
    [
        ("offer", "slot_name serves slot_food food.", "Alma serves thai food."),
        ("offer", "slot_name 's phone is slot_phone", "Alma's phone is 01223 44"),
        ("offer", "slot_name is in the city centre", None),  # a value that the row does not have
        ("offer", "slot_name is in the north", "Alma is in the north"),  # one that it has
        ("offer", "slot_name is the only one", "Alma is the only one"),
        ("offer", "slot_name is one of several", None),
        ("offer", "slot_name is the best", None),  # no table knows
        ("offer", "slot_name has 3 stars", None),  # a number
        ("offer", "slot_name and slot_name", None),
        ("offer", "there is no slot_name", None),
        ("offer", "it serves slot_food", None),
        ("ask_food", "what food?", None),  # known
        ("other", "anything else?", None),  # something is new
        ("deny", "sorry, there is no slot_food food", None),
    ],
)
def test_only_what_the_table_confirms_is_said(act, text, said):
    assert checked(act, text, situation({"food": "thai", "area": "north"}, changed=True)) == said


def test_a_question_is_for_its_slot_and_a_number_that_of_the_rows():
    found = situation({"food": "thai"}, changed=True)
    assert checked("ask_area", "there are slot_count slot_food cafés. which area?", found) == (
        "there are two thai cafés. which area?"
    )
    assert checked("ask_area", "which food?", found) is None
    assert checked("ask_area", "i know slot_area", found) is None
    denied = situation({"food": "klingon"}, changed=True)
    assert checked("deny", "there is no slot_food food", denied) == "there is no klingon food"
    assert checked("deny", "slot_food food is great", denied) is None


def test_requests_are_all_answered():
    found = situation({"food": "thai"}, ["phone", "area"], row=0, offered=(0,), act="offer")
    assert checked("inform", "the phone is slot_phone", found) is None
    assert checked("inform", "slot_phone, slot_area", found) == "01223 44, north"
    assert not is_wanted(
        Template("inform", "it is slot_phone"), situation({}, ["phone"], row=2, offered=(2,))
    )


def test_words_that_deny_are_learned():
    templates = [(Template("deny", "leider kein slot_food"), 0)] * 3 + [
        (Template("offer", "leider slot_name"), 1)
    ] * 3
    assert learned_denials(templates, ["no"]) == ["no", "kein"]


def test_values_of_answers_become_placeholders():
    text = "Bor House's phone is 01223-55. There are two in the City Centre."
    expected = "slot_name 's phone is slot_phone. There are slot_count in the slot_area."
    assert delexicalized(text, TRACKING, SENTENCES, 2) == expected


def test_a_value_of_several_columns_is_that_of_the_column_that_is_named():
    table = Records([{"name": "Alma", "stars": 3, "rooms": 5}, {"name": "Bora", "stars": 5, "rooms": 3}])
    tracking = Tracking(table, Domain.of("f", table, {"slots": ["stars"], "requests": ["rooms"]}))
    for text, expected in [
        ("The rooms of Alma is 5.", "The rooms of slot_name is slot_rooms."),
        ("Stars 3, rooms 5.", "Stars slot_stars, rooms slot_rooms."),
        ("It has 5 rooms.", "It has slot_rooms rooms."),
        ("It is 5.", "It is slot_stars."),
    ]:
        assert delexicalized(text, tracking, SENTENCES, 1) == expected


def test_other_words_for_values_are_learned():
    turns = [AnnotatedTurn("something downtown", "", {"area": "city centre"}) for _ in range(3)]
    others = [AnnotatedTurn("something nice", "", {"area": "north"})]
    assert learned_synonyms([[t] for t in turns] + [others], DOMAIN, TRACKING.lexicon) == [
        ("downtown", "area", "city centre")
    ]


def test_examples_mark_the_values_that_count():
    turn = AnnotatedTurn("not thai, modern european", "", {"food": "modern european"})
    example = TRACKING.example(turn, "Thai or else?", {}, False)
    marked = dict(zip(example.words, example.tags.tolist(), strict=True))
    assert example.tags.tolist().count(1) == 1 and marked["not"] == -1
    read = TRACKING.read(turn.user, "Thai or else?", {})
    tags = np.eye(3)[np.maximum(example.tags, 0)]
    assert TRACKING.decoded(read, {}, tags, example.answers) == ({"food": "modern european"}, (), False)


def test_names_of_columns_and_values_stand_for_themselves():
    read = TRACKING.read(
        "The Phone of Bor House, or any thai place?", "Where?", {"food": "dontcare"}, "ask_area"
    )
    expected = ["last:ask_area", "food:any", "area:none", "where", "?", "<user>"]
    expected += ["the", "#phone", "of", "@name", ",", "or", "any", "@food", "place", "?"]
    assert read.words == expected and read.user == 6 and len(read.tokens) == len(expected)


def test_words_that_no_value_has_are_copied():
    read = TRACKING.read("some klingon food", "", {})
    tags = np.eye(3)[[1 if word in ("klingon",) else 0 for word in read.words]]
    none = np.zeros(len(TRACKING.questions))
    assert TRACKING.decoded(read, {}, tags, none)[0] == {"food": "klingon"}
    misspelled = TRACKING.read("modern europaen", "", {})
    tags = np.eye(3)[[1 if word in ("modern", "europaen") else 0 for word in misspelled.words]]
    assert TRACKING.decoded(misspelled, {}, tags, none)[0] == {"food": "modern european"}


def test_rules_are_patterns_or_functions():
    rules = check_rules(
        "f", [(r"\bopen\b", "Call {phone}."), lambda text, state, row: "Hi!" if text == "hi" else None]
    )
    assert by_rule(rules, "Are you OPEN?", DialogueState(), TABLE.rows[0]) == "Call 01223 44."
    assert by_rule(rules, "Are you open?", DialogueState(), TABLE.rows[2]) is None
    assert by_rule(rules, "hi", DialogueState(), {}) == "Hi!"
    for wrong, error in [("x", TypeError), ([3], TypeError), ([("(", "x")], ValueError)]:
        with pytest.raises(error, match="f: rules"):
            check_rules("f", wrong)
    with pytest.raises(ValueError, match=r"f: rules\[0\]: expected fields among name, phone, got 'fone'"):
        check_rules("f", [("x", "Call {fone}.")], ["name", "phone"])
    with pytest.raises(TypeError, match="expected a text or None, got 3"):
        by_rule([lambda text, state, row: 3], "hi", DialogueState(), {})


def test_sentences_are_checked():
    assert Sentences.of("f", {"more": "Noch etwas?"}).more == "Noch etwas?"
    for wrong, error in [({"moor": "x"}, TypeError), ({"more": 3}, TypeError), ({"ask": "{x}"}, ValueError),
                         ({"refusals": ["("]}, ValueError), ({"claims": [["x"]]}, TypeError)]:  # fmt: skip
        with pytest.raises(error, match="f: sentences"):
            Sentences.of("f", wrong)


def test_generated_dialogues_reach_their_goals_and_say_what_they_mean():
    dialogues = generated_dialogues(TABLE, DOMAIN, SENTENCES, 30, 0)
    assert dialogues == generated_dialogues(TABLE, DOMAIN, SENTENCES, 30, 0)
    assert max(map(len, dialogues)) <= 10
    for dialogue in dialogues:
        for step in replayed(dialogue, TRACKING, SENTENCES):
            for slot, value in step.situation.known:
                if step.before.values.get(slot) != value:
                    assert value in step.turn.user
            if step.answer.act == "offer":
                assert TABLE.rows[step.situation.row]["name"] in step.turn.system


def test_a_simulated_person_turns_to_what_is_left():
    goal = Goal({"food": "klingon", "area": "north"}, ("phone",), {"food": "thai"})
    person = SimulatedPerson(goal, TABLE, DOMAIN, np.random.default_rng(0))
    person.say("", None)
    assert person.say("deny", None).state["food"] == "thai"
    assert "phone" in person.say("offer", 0).text


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("not thai", [("food", "thai")]),
        ("I don't want thai or modern european food", [("food", "thai"), ("food", "modern european")]),
        ("not in the north, thai", [("area", "north")]),
        ("no Bor House please", [("name", "Bor House")]),
        ("no, thai", []),
        ("why not thai?", []),
    ],
)
def test_what_stands_after_a_refusal_is_not_wanted(text, refused):
    read = TRACKING.read(text, "", {})
    tags = np.eye(3)[[1 if "@food" in w else 2 if "@area" in w else 0 for w in read.words]]
    places = refused_places(read, SENTENCES.refusals)
    assert refused_values(read, tags, places, DOMAIN) == refused
    values = TRACKING.decoded(read, {}, tags, np.zeros(len(TRACKING.questions)), places)[0]
    assert values == ({"food": "thai"} if (text[-4:] == "thai" and text != "not thai") or "?" in text else {})


def test_rows_with_what_was_refused_do_not_fit_until_it_is_wanted():
    assert matching(TABLE, DOMAIN, {"area": "north"}, [("food", "THAI"), ("name", "x")]) == [1]
    assert after_refusal({"food": "thai"}, (), [("food", "thai")]) == ({}, (("food", "thai"),))
    assert after_refusal({"food": "thai"}, (("food", "thai"), ("area", "north")), []) == (
        {"food": "thai"}, (("area", "north"),),
    )  # fmt: skip
    found = situation({"area": "city centre"}, changed=True, refused=(("food", "thai"),))
    said = "Sorry, there is no café with area city centre and food not thai. Would you like something else?"
    assert sentence(found, found.act(), SENTENCES) == said
    assert checked("deny", "there is no café in the slot_area", found) is None  # there is one
    north = situation({"area": "north"}, changed=True, refused=(("food", "thai"),))
    assert checked("offer", "slot_name is the only one in the slot_area", north) is None
    assert checked("offer", "slot_name is in the slot_area", north) == "Bor House is in the north"


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("the phone of slot_name is slot_stars", False),
        ("phone slot_stars and stars slot_phone", False),
        ("phone and stars: slot_phone, slot_stars", True),
        ("slot_name has phone slot_phone, stars slot_stars", True),
        ("it has slot_stars stars in the slot_area area, slot_phone", True),
        ("the phone is slot_phone and it has slot_stars. would you like the area?", True),
    ],
)
def test_a_value_is_said_of_its_own_column(text, true):
    found = situation({"food": "thai"}, row=0, offered=(0,), act="offer")
    assert (checked("inform", text, found) is not None) == true


def test_a_name_that_is_a_value_as_well_names_rows_that_fit():
    table = Records([{"name": "Friday", "day": "sunday"}, {"name": "Other", "day": "friday"}])
    tracking = Tracking(table, Domain.of("f", table, {"slots": ["day"]}))
    assert named_row("a film on Friday", DialogueState(), {"day": "friday"}, tracking) is None
    assert named_row("the film Friday", DialogueState(), {}, tracking) == 0


def test_misspelled_synonyms_and_values_are_understood():
    domain = Domain.of("f", TABLE, {"slots": ["food"], "synonyms": {"food": {"thai": ["siamese"]}}})
    tracking = Tracking(TABLE, domain)
    read = tracking.read("siamesse europaen stuff", "", {})
    tags = np.full((len(read.words), 2), [0.8, 0.2])
    tags[read.user + 1] = [1.0, 0.0]
    assert tracking.decoded(read, {}, tags, np.zeros(len(tracking.questions)))[0] == {"food": "thai"}


def test_a_correction_is_no_answer_to_a_question():
    read = TRACKING.read("no, I meant thai", "Which area?", {"food": "modern european"}, "ask_area")
    tags = np.eye(3)[[int(word == "@food") for word in read.words]]
    for p, expected in [(0.65, {"food": "thai"}), (0.8, {"food": "thai", "area": "dontcare"})]:
        answers = np.where([q == ("dontcare", "area") for q in TRACKING.questions], p, 0.0)
        assert TRACKING.decoded(read, {"food": "modern european"}, tags, answers)[0] == expected


def test_nothing_is_confirmed_of_a_named_row_that_does_not_fit():
    state = DialogueState({"area": "north"}, changed=True)
    for row, said in [(0, "yes, Alma is in the north"), (2, None)]:
        found = Situation.of(state, TABLE, DOMAIN, row)
        assert checked("offer", "yes, slot_name is in the slot_area", found) == said


def test_names_in_other_scripts_may_be_short():
    table = Records([{"名前": "すし", "料理": "和食"}, {"名前": "鼎泰豐", "料理": "中華"}])
    tracking = Tracking(table, Domain.of("f", table, {"slots": ["料理"]}))
    assert named_row("鼎泰豐は?", DialogueState(), {}, tracking) == 1


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (["food"], TypeError, "f: domain: expected a mapping"),
        ({"said": {"food": "kitchen"}}, TypeError, "said: food: expected a list of texts, got 'kitchen'"),
        ({"said": {"food": [3]}}, TypeError, "said: food: expected texts that are not empty, got 3"),
        ({"synonyms": {"food": ["x"]}}, TypeError, "synonyms: food: expected a mapping"),
        ({"values": {"food": "x"}}, TypeError, "values: food: expected a list of texts"),
        ({"phrases": {"food": ["{x}"]}}, ValueError, "phrases: food: expected the fields slot, value, noun"),
    ],
)
def test_what_is_said_of_columns_is_checked(given, error, message):
    with pytest.raises(error, match=message):
        Domain.of("f", TABLE, given)


def test_phrases_are_checked():
    for wrong, error in [({"start": "x"}, TypeError), ({"x": ["y"]}, TypeError), ({"any": []}, ValueError),
                         ({"start": ["{x}"]}, ValueError), (3, TypeError)]:  # fmt: skip
        with pytest.raises(error, match="f: phrases"):
            check_phrases("f", wrong)


def test_goals_are_drawn_from_rows_without_values():
    table = Records([{"name": "Alma", "food": ""}])
    dialogues = generated_dialogues(table, Domain.of("f", table, {"slots": ["food"]}), SENTENCES, 5, 0)
    assert dialogues[0][0].state == {"food": "dontcare"}
