"""Teaching a chatbot: answers from memory, who is believed, what is learned and what is kept."""

import json

import numpy as np
import pytest

import rnnrs
from rnnrs.data import read_dialogues
from rnnrs.errors import FormatError
from rnnrs.models import Chatbot
from rnnrs.models.chatbot.contexts import UNKNOWN, sampled
from rnnrs.models.chatbot.memory import Memory, dialogues_of
from rnnrs.models.chatbot.rehearsal import Variants, enlarged, extended

DIALOGUES = [
    ["What is the capital of France?", "Paris."],
    ["What is the capital of Italy?", "Rome, of course."],
    ["Where is a station?", "Near the river."],
    ["Are you a robot?", "Yes, I am."],
    ["Do you like tea?", "I cannot drink."],
    ["Hello", "Hi! Who are you?", "I am Ann.", "Nice to meet you."],
]
FACTS = [
    ("When does the bakery open?", "It opens at six o'clock."),
    ("Where are the spare keys?", "In the kitchen cupboard."),
    ("Who repairs the elevator?", "Call Otis: 555-0142."),
]
SMALL = {"embedding_size": 24, "hidden_size": 48}
QUICK = {"batch_size": 8, "learning_rate": 1e-2, "progress": False}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    bot = Chatbot.from_dialogues(DIALOGUES, **SMALL)
    bot.fit(DIALOGUES, epochs=60, **QUICK)
    path = tmp_path_factory.mktemp("bot") / "bot.rnn"
    bot.save(path)
    return path


@pytest.fixture
def bot(trained, tmp_path):
    bot = Chatbot.load(trained)
    bot.memory.bind(tmp_path / "log.jsonl")
    return bot


def taught(bot):
    for turn, answer in FACTS:
        bot.teach(turn, answer)
    return bot


def test_what_is_taught_is_answered_at_once(bot):
    before = bot.reply("who repairs the elevator")
    assert before.taught is None
    taught(bot)
    reply = bot.reply("who repairs the elevator")
    assert reply.text == "Call Otis: 555-0142." and reply.confidence == 1.0 and not reply.canned
    assert reply.taught == bot.memory.taught[2].id
    assert bot.reply("The elevator is broken, who can repair it?").text == reply.text
    assert bot.reply(["Hello", "Hi!", "where is the spare key"]).text == "In the kitchen cupboard."
    assert bot.reply("who repairs the elevator", memory=False) == before
    assert bot.recall("Where is the station?") is None


def test_what_was_known_is_answered_as_before(bot):
    asked = [turns[0] for turns in DIALOGUES]
    before = bot.reply_all(asked)
    taught(bot)
    assert bot.reply_all(asked) == before
    mixed = bot.reply_all(["When does the bakery open?", *asked])
    assert mixed[1:] == before and mixed[0].taught


def test_the_owner_can_correct_what_was_known(bot):
    bot.teach("Where is the station?", "Behind the church.")
    assert bot.reply("where is station").text == "Behind the church."
    bot.teach("Where is the station?", "It was closed.")
    assert bot.reply("where is station").text == "It was closed."
    bot.undo()
    assert bot.reply("where is station").text == "Behind the church."
    assert len(bot.unteach("Where is the station")) == 1
    assert bot.reply("where is station").text == "Near the river."
    with pytest.raises(
        ValueError, match=r"Chatbot.unteach: turn: expected one to which an answer was taught"
    ):
        bot.unteach("Where is the station")


def test_users_are_not_believed_unless_they_may_teach(bot, trained):
    conversation = bot.conversation("ann")
    conversation.say("Where is the bakery?")
    entry = conversation.teach("In Mill Street.")
    assert not entry.accepted and (entry.source, entry.who) == ("user", "ann")
    assert entry.session == conversation.session and bot.recall("Where is the bakery?") is None
    bot.accept(entry.id)
    assert conversation.say("Where is the bakery?").text == "In Mill Street."
    bot.teachers = ("ann",)
    assert conversation.teach("No.", "Is it open?").accepted and conversation.turns[-1] == "In Mill Street."
    assert not bot.conversation("owner").teach("Yes.", "Is it open?").accepted
    assert Chatbot.load(trained, teachers=["ann"]).teachers == ("ann",)
    bot.teachers = ("*",)
    assert bot.conversation().teach("Yes.", "Is it open?").accepted
    with pytest.raises(TypeError, match=r"Chatbot.load: teachers: expected several strings, got 'ann'"):
        Chatbot.load(trained, teachers="ann")


def test_an_answer_that_is_wrong_is_not_given_again(bot):
    bot.teachers = ("*",)
    conversation = bot.conversation()
    wrong = conversation.say("Are you a robot?").text
    conversation.wrong()
    other = bot.reply("are you robot")
    assert other.text != wrong
    for _ in range(20):  # no answer of the beam is left
        if bot.reply("Are you a robot?").canned:
            break
        bot.wrong("Are you a robot?", bot.reply("Are you a robot?").text)
    assert bot.reply("Are you a robot?").canned and bot.reply("Are you a robot?", canned=False).text
    bot.teach("Are you a robot?", "I am a network.")
    assert bot.reply("Are you a robot?").text == "I am a network."
    bot.wrong("Are you a robot?", "I am a network.")
    assert bot.recall("Are you a robot?") is None
    bot.teach("What is the tax?", "Nine percent.")
    bot.wrong("What is the tax?", "Nine percent.")
    assert bot.recall("The tax, what is it?") is None  # in other words, either
    bot.teach("What is the tax?", "Nine percent.")  # it is right after all
    assert bot.reply("What is the tax?").text == "Nine percent."


def test_a_conversation_takes_back_only_what_it_taught(bot):
    taught(bot)
    conversation = bot.conversation()
    for method in (conversation.wrong, lambda: conversation.teach("a")):
        with pytest.raises(ValueError, match=r"Conversation\.\w+: turn: expected one that was said before"):
            method()
    with pytest.raises(
        ValueError, match=r"Conversation.undo: expected something taught in this conversation"
    ):
        conversation.undo()
    conversation.teach("x", "y")
    assert conversation.undo().answer == "x" and bot.memory.entries[-1].source == "user"
    assert len(bot.memory.taught) == 3
    with pytest.raises(TypeError, match=r"Conversation: who: expected a string, got 7"):
        bot.conversation(7)


def test_learning_keeps_what_was_known(bot):
    conversation = bot.conversation()
    conversation.say("Hello")
    taught(bot)
    words, history = len(bot.target_vocabulary), bot.learn(variants=6, **QUICK)
    assert len(history.losses) >= 400 and len(bot.target_vocabulary) > words
    for turn, answer in FACTS:
        assert bot.reply(turn, memory=False).text == answer
        assert bot.reply(f"please {turn}".upper(), memory=False).text == answer
    for question, answer in (turns[:2] for turns in DIALOGUES):
        assert bot.reply(question, memory=False).text == answer
    assert conversation.say("Who repairs the elevator?").text == FACTS[2][1]
    others = ["zebra", "Why not?", "keys of a bakery", "elevator", "elephants", "When?", "Is it open?"]
    nearest = {}  # what the network learned is said only to what is nearest to it
    for turn in others:
        found = bot._recollected()._similarity.nearest(turn)
        nearest[turn] = FACTS[found.place][1]
    for reply, turn in zip(bot.reply_all(others), others, strict=True):
        assert reply.canned or reply.text == nearest[turn] or reply.text not in dict(FACTS).values()
    bot.unteach(FACTS[1][0])  # and not after it was undone
    assert bot.reply(FACTS[1][0]).text != FACTS[1][1] == bot.reply(FACTS[1][0], memory=False).text
    assert bot.kept == [*DIALOGUES, *map(list, FACTS)] and bot.recall("Do you like tea?") is None


def test_a_file_holds_what_was_learned_and_the_log(bot, tmp_path):
    taught(bot)
    bot.learn(variants=2, epochs=1, **QUICK)
    path = tmp_path / "learned.rnn"
    bot.save(path)
    again = rnnrs.load(path)
    assert again.memory.taught == bot.memory.taught and again.kept == bot.kept
    assert again.reply_all([turn for turn, _ in FACTS]) == bot.reply_all([turn for turn, _ in FACTS])
    asked = [turns[0] for turns in DIALOGUES]
    assert again.reply_all(asked, memory=False) == bot.reply_all(asked, memory=False)
    again.teach("x", "y")
    assert bot.reply("x").text == "y"  # both are of one file
    path.with_name("dialogues.jsonl").write_text(
        "".join(json.dumps(turns) + "\n" for turns in dialogues_of(again.memory.taught))
    )
    assert read_dialogues(path.with_name("dialogues.jsonl")) == [*map(list, FACTS), ["x", "y"]]


def test_learning_is_reproducible_and_undone_answers_are_not_rehearsed(trained):
    found = []
    for _ in range(2):
        bot = Chatbot.load(trained)
        bot.memory = Memory()
        taught(bot)
        bot.learn(variants=2, epochs=2, **QUICK)
        found.append(bot)
    np.testing.assert_array_equal(found[0].parameters.flat, found[1].parameters.flat)
    found[0].undo()
    found[0].wrong("Are you a robot?", "Yes, I am.")
    found[0].learn(variants=2, epochs=1, **QUICK)
    known = [turns for turns in DIALOGUES if turns[0] != "Are you a robot?"]
    assert found[0].kept == [*known, *map(list, FACTS[:2])]


def test_an_interrupted_learning_changes_nothing(bot):
    from rnnrs.train import Callback

    class Stop(Callback):
        def on_step(self, run, record):
            raise KeyboardInterrupt

    taught(bot)
    before = bot.parameters.flat.copy(), bot.seq2seq, bot.kept
    with pytest.raises(KeyboardInterrupt):
        bot.learn(callbacks=[Stop()], **QUICK)
    np.testing.assert_array_equal(bot.parameters.flat, before[0])
    assert bot.seq2seq is before[1] and bot.kept is before[2]


def test_what_cannot_be_learned_is_refused(bot):
    with pytest.raises(ValueError, match=r"Chatbot.learn: memory: expected something taught, got nothing"):
        bot.learn()
    taught(bot)
    kept, bot.kept = bot.kept, []
    with pytest.raises(
        ValueError, match=r"Chatbot.learn: dialogues: expected those that the bot was trained"
    ):
        bot.learn()
    with pytest.raises(TypeError, match=r"Chatbot.learn: unexpected option 'noise'"):
        bot.learn(kept, noise=1)
    with pytest.raises(ValueError, match=r"Chatbot.learn: dialogues\[0\]: expected at least 2 turns"):
        bot.learn([["a"]])
    with pytest.raises(ValueError, match=r"Chatbot.teach_all: dialogues\[1\]: expected an answer at its end"):
        bot.teach_all([["a", "b"], ["a", "b", "c"]])
    with pytest.raises(ValueError, match=r"Chatbot.teach: answer: expected a text, got an empty one"):
        bot.teach("a", " ")
    assert len(bot.memory.taught) == 3


@pytest.mark.parametrize(
    "options", [{"level": "char"}, {"copy": True, "tied": True}, {"layers": 2, "history": 1}]
)
def test_every_kind_of_network_learns_new_words(options):
    bot = Chatbot.from_dialogues(DIALOGUES[:2], embedding_size=8, hidden_size=12, **options)
    bot.fit(DIALOGUES[:2], epochs=1, **QUICK)
    before = {name: array.copy() for name, array in bot.parameters.items()}
    bot.teach("Wo ist Zürich?", "Östlich von Basel: ja!")
    bot.learn(epochs=1, variants=1, progress=False)
    vocabulary = bot.target_vocabulary
    assert vocabulary.decode(vocabulary.encode("Östlich von Basel: ja!")) == "Östlich von Basel: ja!"
    assert all(bot.parameters[name].shape[1:] == array.shape[1:] for name, array in before.items())
    assert len(bot.parameters["target_embedding.E"]) == len(vocabulary) > len(before["target_embedding.E"])


def test_one_vocabulary_for_both_sides_stays_one(trained):
    vocabulary = Chatbot.load(trained).target_vocabulary
    bot = Chatbot(vocabulary, **SMALL)
    bot.fit(DIALOGUES, epochs=1, **QUICK)
    bot.teach("zzz", "yyy")
    bot.learn(epochs=1, variants=1, progress=False)
    assert bot.source_vocabulary is bot.target_vocabulary and bot.target_vocabulary.id_of("yyy") is not None


def test_new_rows_follow_the_old_ones():
    initial, before = {"V": np.ones((3, 2)), "c": np.zeros(3), "W": np.ones((2, 2))}, {}
    before = {"V": np.full((2, 2), 5.0), "c": np.array([4.0, -1.0]), "W": np.full((2, 2), 7.0)}
    found = extended(initial, before)
    np.testing.assert_array_equal(found["V"], [[5, 5], [5, 5], [1, 1]])
    np.testing.assert_array_equal(found["c"], [4, -1, -1])
    np.testing.assert_array_equal(found["W"], before["W"])


def test_a_vocabulary_that_lacks_nothing_is_itself(trained):
    vocabulary = Chatbot.load(trained).target_vocabulary
    assert enlarged(vocabulary, ["Paris.", "Near the river."]) is vocabulary


def test_variants_keep_what_tells_a_turn_apart():
    variants = Variants([["x", "y", "Where is the zebra?", "In Africa."]], DIALOGUES, 3)
    pairs = variants.pairs(200, seed=0)
    assert pairs[0] == ("x\ny\nwhere is zebra", "In Africa.") and len(pairs) == 200
    assert pairs == variants.pairs(200, seed=0) != variants.pairs(200, seed=1)
    turns = [context.split("\n")[-1].split() for context, _ in pairs]
    assert np.mean(["zebra" in words for words in turns]) > 0.9
    assert 0.3 < np.mean(["where" in words for words in turns]) < 0.9
    assert any("africa" in words for words in turns) and any(UNKNOWN in words for words in turns)
    assert {len(context.split("\n")) for context, _ in pairs} == {1, 3}


def test_a_file_keeps_a_sample_of_the_dialogues(trained, monkeypatch):
    assert sampled(DIALOGUES * 2, 100, 0) == DIALOGUES
    some = sampled(DIALOGUES, 3, 0)
    assert len(some) == 3 and some == [turns for turns in DIALOGUES if turns in some]
    monkeypatch.setattr("rnnrs.models.chatbot.contexts.KEPT", 60)
    assert sum(len(turn) for turns in sampled(DIALOGUES, 100, 0) for turn in turns) <= 60
    bot = Chatbot.from_dialogues(DIALOGUES, **SMALL)
    bot.fit(DIALOGUES, epochs=1, kept=0, progress=False)
    assert bot.kept == [] and "kept" not in bot.checkpoint_contents().config


def test_a_damaged_log_names_its_line(trained):
    log = trained.with_name(trained.name + ".taught.jsonl")
    log.write_text("{}\n")
    try:
        with pytest.raises(FormatError, match="line 1: expected an entry of a log"):
            Chatbot.load(trained)
    finally:
        log.unlink()
