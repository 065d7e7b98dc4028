"""An assistant as a whole: its network's gradient, training, answers, file."""

import numpy as np
import pytest
from finite_differences import assert_gradient, difference

import rnnrs
from rnnrs.data import AnnotatedTurn, Batch, PairBatches
from rnnrs.models import Assistant
from rnnrs.models.assistant.network import AssistantBatch, AssistantNetwork
from rnnrs.models.assistant.state import DialogueState

TABLE = [
    {"name": "Alma", "food": "thai", "area": "north", "phone": "1234"},
    {"name": "Bor", "food": "greek", "area": "north", "phone": "5678"},
    {"name": "Cira", "food": "thai", "area": "south", "phone": ""},
    {"name": "Dora", "food": "greek", "area": "south", "phone": "4321"},
]
SIZES = {"hidden_size": 32, "tracker_size": 32, "tracker_embedding": 32, "embedding_size": 32}
#: Few phrases are soon learned.
PHRASES = {
    "start": ["i want a {noun} {what}", "{what}"],
    "value": ["with {value} {slot}"],
    "answer": ["{value} please", "the {slot} should be {value}"],
    "any": ["i do not care"],
    "any_slot": ["any {slot} is fine"],
    "instead": ["how about {value} ?"],
    "correct": ["not {other} , {value}", "how about {value} ?"],
    "request": ["what is the {asked} ?"],
    "another": ["is there another {noun} ?"],
    "bye": ["thanks , bye"],
    "before": ["ok ,"],
    "after": ["thanks"],
}


@pytest.fixture(scope="module")
def bot():
    rules = [("opening", "Please call {phone}.")]
    made = Assistant.from_dialogues(TABLE, rules=rules, phrases=PHRASES, generated=100, **SIZES)
    made.fit(epochs=8, batch_size=16, learning_rate=0.01, progress=False)
    return made


def network(dtype="float64", dropout=0.0):
    sizes = {
        "embedding_size": 2,
        "hidden_size": 2,
        "encoder_size": 1,
        "layers": 1,
        "cell": "gru",
        "shared": False,
    }
    options = {
        "attention": "general",
        "copy": False,
        "recurrent_dropout": 0.0,
        "label_smoothing": 0.0,
        "tied": False,
    }
    own = {
        "turn_tokens": 7,
        "border": 3,
        "tags": 3,
        "questions": 4,
        "tracker_embedding": 2,
        "tracker_size": 2,
    }
    return AssistantNetwork(
        6, 5, op="f", unknown_id=1, dropout=dropout, seed=1, dtype=dtype, **sizes, **options, **own
    )


def batch():
    pairs = PairBatches([[2, 3, 4], [5, 1]], [[2, 3], [4]], 2, 0).epoch(0)[0]
    ids = np.array([[1, 2, 6], [5, 3, 4], [3, 4, 1], [6, 5, 3], [2, 1, 5], [4, 6, 0]])
    tags = np.array([[-1, -1, 0], [0, -1, 1], [-1, 2, 0], [1, 0, -1], [0, 2, 1], [2, 0, -1]])
    turns = Batch(ids, tags, np.array([6, 6, 5]))
    return AssistantBatch(pairs, turns, np.array([[0.0, 1, 0, 1], [1, 0, 0, 0], [1, 1, 0, 1]]))


def test_the_gradient_of_the_sum_of_losses_is_right():
    model = network()
    assert model.loss(batch())[0] > 0
    for name, array in model.parameters.items():
        if name.startswith(("encoder", "decoder", "bridge", "attention", "combination")):
            continue  # the encoder–decoder has tests of its own
        assert_gradient(
            model.gradients[name], difference(lambda: model.loss(batch(), gradient=False)[0], array, 1e-3)
        )
    answers_only = model.loss(batch()._replace(turns=None, answers=None), gradient=False)[0]
    assert answers_only < model.loss(batch(), gradient=False)[0]


def test_padding_does_not_change_what_is_tracked():
    model = network("float32")
    tags, yes, _ = model.track(batch().turns)
    alone, yes_alone, _ = model.track(Batch(batch().turns.inputs[:5, 2:], np.zeros(1), np.array([5])))
    assert np.array_equal(tags[:5, 2:], alone) and np.array_equal(yes[2:], yes_alone)


def test_it_finds_out_offers_and_answers_requests(bot):
    session = bot.session()
    first = session.say("i want a place with thai food")
    assert first.matches == 2 and (first.act == "ask_area" or first.row in (TABLE[0], TABLE[2]))
    offer = session.say("the area should be north")
    assert offer.act == "offer" and "Alma" in offer.text and offer.row == TABLE[0]
    assert dict(offer.state.values) == {"food": "thai", "area": "north"}
    assert "1234" in session.say("what is the phone ?").text
    changed = session.say("how about south ?")
    assert changed.row == TABLE[2]
    assert session.say("what is the phone ?").text == "I do not know the phone of Cira."
    assert session.say("Opening hours?").act != "rule"  # Cira has no phone
    session.reset()
    assert session.turns == [] and session.state == DialogueState()


def test_a_row_that_is_named_is_talked_about(bot):
    session = bot.session()
    assert "4321" in session.say("what is the phone of Dora ?").text
    assert session.say("what are the OPENING hours?").text == "Please call 4321."


def test_a_value_that_no_row_has_is_denied(bot):
    reply = bot.reply("i want a place with thai food in the moon area")
    assert reply.row is None or reply.row["food"] == "thai"
    nothing = bot.answer_turn("i want thai food", "", DialogueState({"area": "moon"}))
    assert nothing.act == "deny" and nothing.matches == 0 and "thai" in nothing.text


def test_a_conversation_is_read_turn_by_turn(bot):
    session, turns = bot.session(), []
    for text in ("i want a place with greek food", "south please", "what is the phone ?"):
        turns.append(text)
        assert bot.reply(turns).text == session.say(text).text
        turns.append(session.turns[-1])
    for wrong, error in [(3, TypeError), ([1], TypeError), ([], ValueError), (["a", "b"], ValueError)]:
        with pytest.raises(error, match=r"Assistant.reply: conversation"):
            bot.reply(wrong)
    with pytest.raises(TypeError, match=r"AssistantSession.say: text"):
        session.say(3)


def test_odd_turns_get_an_answer(bot):
    session = bot.session()
    for text in ("", " ", "🤷", "??" * 500, "我想吃泰国菜", "slot_name slot_phone act_offer", "\x00{phone}"):
        assert session.say(text).text


def test_answers_do_not_depend_on_their_neighbors(bot):
    turns = [
        (text, "", DialogueState())
        for text in ("thai food", "i do not care", "greek food in the south please")
    ]
    together = bot.answered(bot.understood(turns), [text for text, _, _ in turns])
    for turn, reply in zip(turns, together, strict=True):
        assert bot.answered(bot.understood([turn]), [turn[0]])[0] == reply


def test_its_file_holds_everything_but_functions(bot, tmp_path):
    bot.rules.append(lambda text, state, row: None)
    bot.save(tmp_path / "bot.rnn")
    bot.rules.pop()
    other = rnnrs.load(tmp_path / "bot.rnn")
    assert isinstance(other, Assistant) and other.rules == bot.rules and other.table.rows == bot.table.rows
    assert other.sentences == bot.sentences and other.domain == bot.domain and other.settings == bot.settings
    for text in ("thai food in the north", "i do not care"):
        assert other.reply(text) == bot.reply(text)
    assert len(repr(bot)) < 2000


def test_its_table_can_be_replaced(bot):
    bot.replace_table([{"name": "Eva", "food": "thai", "area": "north", "phone": "9"}])
    try:
        assert bot.reply("i want a place with thai food").row["name"] == "Eva"
        with pytest.raises(ValueError, match="expected the column 'phone'"):
            bot.replace_table([{"name": "Eva", "food": "thai", "area": "north"}])
    finally:
        bot.replace_table(TABLE)


def test_it_is_compared_with_annotated_dialogues(bot):
    turns = [
        AnnotatedTurn(
            "i want a place with thai food", "What area would you like?", {"food": "thai"}, (), ("area",)
        ),
        AnnotatedTurn(
            "north please", "Alma has food thai and area north.", {"food": "thai", "area": "north"}
        ),
        AnnotatedTurn(
            "and the phone ?", "The phone of Alma is 1234.", {"food": "thai", "area": "north"}, ("phone",)
        ),
    ]
    found = bot.evaluate([turns])
    assert (found.joint_goal, found.match, found.constraints, found.requests) == (1.0, 1.0, 1.0, 1.0)
    assert found.bleu > 0.3 and found.turns == 3 and "joint goal" in str(found)
    wrong = [AnnotatedTurn(turn.user, turn.system, {"food": "greek"}) for turn in turns]
    assert bot.evaluate([wrong]).joint_goal == 0.0


def test_what_is_not_trained_does_not_answer():
    made = Assistant.from_dialogues(TABLE, generated=5, **SIZES)
    with pytest.raises(ValueError, match=r"Assistant.reply: expected a trained model"):
        made.reply("hello")
    made.generated = 0
    with pytest.raises(ValueError, match=r"Assistant.fit: dialogues: expected some"):
        made.fit()
    with pytest.raises(TypeError, match=r"Assistant.fit: dialogues"):
        made.fit("dialogues.json")
    with pytest.raises(ValueError, match=r"Assistant.from_dialogues: generated: expected"):
        Assistant.from_dialogues(TABLE, generated=0)
    with pytest.raises(TypeError, match=r"Assistant.from_dialogues: vocabulary"):
        Assistant.from_dialogues(TABLE, vocabulary={"max_size": 3})
