"""Chatbot: answers in conversations, canned answers, ranking, and rephrased questions."""

import math

import numpy as np
import pytest
from small_applications import as_trained

import rnnrs
from rnnrs.errors import FormatError
from rnnrs.models import Chatbot, Seq2Seq
from rnnrs.models.chatbot.contexts import UNKNOWN, answered_contexts, context_text, noisy, normalize
from rnnrs.models.chatbot.replies import choose_canned, without_repetition
from rnnrs.models.chatbot.threshold import alike, best_cut

ANSWERS = {
    "What is the capital of France?": "Paris.",
    "What is the capital of Italy?": "Rome, of course.",
    "Who wrote the book?": "An author whom I don't know.",
    "Where is a station?": "Near the river.",
    "Are you a robot?": "Yes, I am.",
    "Do you like tea?": "I cannot drink.",
}
DIALOGUES = [[question, answer] for question, answer in ANSWERS.items()]
DIALOGUES += [["Hello", "Hi! Who are you?", "I am Ann.", "Nice to meet you."]] * 2
DIALOGUES += [["Hello", "Good day."]] * 2
SMALL = {"embedding_size": 24, "hidden_size": 48}
QUICK = {"batch_size": 8, "learning_rate": 1e-2, "progress": False}


@pytest.fixture(scope="module")
def bot():
    found = Chatbot.from_dialogues(DIALOGUES, history=3, **SMALL)
    found.fit(DIALOGUES, epochs=60, noise=0.05, **QUICK)
    return found


@pytest.fixture(autouse=True)
def plain(request):
    yield
    if "bot" in request.fixturenames:
        request.getfixturevalue("bot").threshold = 0.0


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("What's UP, doc?!", "whats up doc"),
        ("isn’t it", "isnt it"),
        ("  x\tb\n\nc ", "x b c"),
        ("What's an apple? The one!", "whats apple one"),
        ("The", "the"),
        ("Node.js,or C++", "nodejs or c"),
        ("हिन्दी में", "हिन्दी में"),
        ("?!", "? !"),
        ("", ""),
        ("ﬁne ＡＢＣ", "fine abc"),
        (f"x {UNKNOWN} b", "x b"),
        ("well-known slot_name_2", "wellknown slot_name_2"),
    ],
)
def test_case_punctuation_and_articles_are_not_read(typed, read):
    assert normalize(typed) == read


def test_contexts_are_the_turns_before_each_answer():
    turns = ["Ab b!", "C.", "D?", "E  e.", "F"]
    assert answered_contexts([turns], 2) == [("ab b", "C."), ("c\nd", "E e.")]
    assert answered_contexts([turns], 1) == [("ab b", "C."), ("d", "E e.")]
    assert context_text(turns, 9) == "ab b\nc\nd\ne e\nf"


def test_noise_makes_words_missing_or_unknown():
    draw = np.random.default_rng(0)
    clean = "\n".join(["cat sees dog", "old man"] * 400)
    found = noisy(clean, 0.2, draw)
    assert found.count("\n") == clean.count("\n")
    words, before = found.split(), clean.split()
    assert all(0.75 < words.count(word) / before.count(word) < 0.85 for word in ("cat", "sees", "old"))
    assert 0.08 < words.count(UNKNOWN) / len(before) < 0.12
    assert noisy(clean, 0.0, draw) == clean


def test_questions_get_their_answers_in_any_typing(bot):
    for question, answer in ANSWERS.items():
        for typed in (question, question.upper(), question.rstrip("?"), question.lower() + "!!"):
            assert bot.reply(typed).text == answer
        bare = question.replace("the ", "", 1).replace(" a ", " ", 1)
        assert bot.reply(bare).text == answer
    assert bot.right_replies(DIALOGUES[:6]) == (6, 6)


def test_confidence_is_the_geometric_mean_of_token_probabilities(bot):
    question = "Where is a station?"
    reply = bot.reply(question)
    own = bot.seq2seq.log_prob(context_text([question], 3), reply.text)
    tokens = len(bot.target_vocabulary.encode(reply.text)) + 1
    assert reply.confidence == pytest.approx(math.exp(own / tokens), rel=1e-4)
    assert 0.8 < reply.confidence <= 1 and not reply.canned and str(reply) == reply.text


def test_an_answer_does_not_depend_on_threads_or_batch(bot):
    asked = [*ANSWERS, "", "xyzzy", ["Hello", "Hi! Who are you?", "I am Ann."], "the " * 500]
    together = bot.reply_all(asked)
    threads = rnnrs.get_num_threads()
    rnnrs.set_num_threads(1)
    try:
        assert [bot.reply(one) for one in asked] == together
    finally:
        rnnrs.set_num_threads(threads)


def test_a_conversation_remembers_and_forgets(bot):
    conversation = bot.conversation()
    first = conversation.say("Hello")
    assert conversation.turns == ["Hello", first.text]
    assert bot.reply(["Hello", "Hi! Who are you?", "I am Ann."]).text == "Nice to meet you."
    second = conversation.say("hello")
    assert second.text != first.text  # a repeated question gets another answer
    conversation.reset()
    assert conversation.turns == [] and conversation.say("Hello") == first


def test_repetitions_are_avoided_if_there_is_an_alternative():
    assert without_repetition(["a", "b"], []) == 0
    assert without_repetition(["a", "b"], ["b", "a"]) == 1
    assert without_repetition(["", "a", "b"], ["a"]) == 2
    assert without_repetition(["a"], ["a"]) == 0
    assert choose_canned(["x", "y", "z"], []) == "x"
    assert choose_canned(["x", "y", "z"], ["x", "q", "y"]) == "z"
    assert choose_canned(["x", "y"], ["x", "y", "x"]) == "y"


def test_answers_of_an_untrained_bot_end():
    assert Chatbot.from_dialogues(DIALOGUES).max_length == 7
    untrained = as_trained(Chatbot.from_dialogues(DIALOGUES, seed=3, max_length=50, **SMALL))
    words = untrained.target_vocabulary.encode(untrained.reply("Hello").text).tolist()
    runs = [tuple(words[i : i + 10]) for i in range(len(words) - 9)]
    assert len(words) <= 50 and len(set(runs)) == len(runs)


def test_low_confidence_gets_a_canned_answer(bot):
    bot.threshold = 1.0
    conversation = bot.conversation()
    said = [conversation.say("Hello") for _ in range(4)]
    assert all(reply.canned and reply.confidence < 1 for reply in said)
    assert [reply.text for reply in said] == [*bot.canned, bot.canned[0]]
    kept, bot.canned = bot.canned, []
    try:
        assert not bot.reply("Hello").canned
    finally:
        bot.canned = kept


def test_the_threshold_separates_known_from_unknown_texts(bot):
    foreign = ["zebra quota", "purple mountains sing slowly", "seven ships of oak", "qwerty uiop"]
    found = bot.tune_threshold(DIALOGUES[:6], foreign)
    assert bot.threshold == found.threshold > 0
    assert found.contexts == 10 and found.right_without == 0.6
    assert found.right >= 0.75 and found.answered <= 0.8
    assert f"{found.threshold:.3f}" in str(found)
    assert not bot.reply("Are you a robot?").canned


def test_the_cut_has_the_most_correct_decisions():
    draw = np.random.default_rng(1)
    for _ in range(50):
        confidence = draw.integers(1, 6, 8) / 7
        right = draw.random(8) < confidence
        hits = lambda cut: int(((confidence >= cut) == right).sum())  # noqa: B023, E731
        cuts = [0.0, 1.0, *(c / 7 + 0.01 for c in range(8))]
        assert hits(best_cut(confidence, right)) == max(map(hits, cuts))
    assert best_cut([0.5, 0.6], [True, True]) == 0.0
    assert best_cut([0.5, 0.6], [False, False]) == 1.0
    assert alike("Paris, of course!", ["Rome", "paris"]) and not alike("It is Rome.", ["Paris"])


def test_given_answers_are_ranked(bot):
    answers = list(ANSWERS.values())
    for question, answer in ANSWERS.items():
        ranked = bot.rank(question, answers)
        assert ranked[0].text == answer and sorted(one.place for one in ranked) == list(range(6))
        assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
    context = context_text(["Hello"], 3)
    for prior in (0.0, 0.5, 1.0):
        (one,) = bot.rank("Hello", ["Good day."], prior=prior)
        own, alone = (bot.seq2seq.log_prob(text, "Good day.") for text in (context, ""))
        assert one.score == pytest.approx((own - prior * alone) / 4, abs=1e-5)
        assert one.log_prob == pytest.approx(own, abs=1e-5)


def test_evaluation_scores_the_assistants_turns(bot):
    result = bot.evaluate(DIALOGUES)
    pairs = bot.pairs(DIALOGUES)
    assert len(pairs) == 12
    assert result.tokens == sum(len(bot.target_vocabulary.encode(answer)) + 1 for _, answer in pairs)
    assert result.loss == pytest.approx(bot.seq2seq.evaluate(pairs).loss)


def test_a_file_restores_the_chatbot(bot, tmp_path):
    path = tmp_path / "bot.rnn"
    bot.canned, kept, bot.threshold = ["Pardon?"], bot.canned, 0.25
    try:
        bot.save(path)
        again = Chatbot.load(path)
    finally:
        bot.canned = kept
    assert (again.history, again.canned, again.threshold) == (3, ["Pardon?"], 0.25)
    again.threshold = bot.threshold = 0.0
    assert again.reply_all(list(ANSWERS)) == bot.reply_all(list(ANSWERS))
    with pytest.raises(FormatError, match=r"holds a chatbot.*expected an encoder"):
        Seq2Seq.load(path)


def test_training_is_reproducible_and_resumes(tmp_path):
    def train(bot, epochs, **more):
        settings = QUICK | {"schedule": "constant"}
        bot.fit(DIALOGUES, DIALOGUES[:3], epochs=epochs, seed=5, **settings, **more)
        return bot

    whole = train(Chatbot.from_dialogues(DIALOGUES, dropout=0.1, **SMALL), 4)
    path = tmp_path / "bot.rnn"
    train(Chatbot.from_dialogues(DIALOGUES, dropout=0.1, **SMALL), 2, checkpoint=path)
    resumed = train(Chatbot.load(path), 4, resume=path)
    np.testing.assert_array_equal(whole.parameters.flat, resumed.parameters.flat)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda bot: bot.reply([]),
            ValueError,
            "Chatbot.reply: conversation: expected at least one turn, got none",
        ),
        (lambda bot: bot.reply(7), TypeError, "Chatbot.reply: conversation: expected a text or turns, got 7"),
        (lambda bot: bot.reply(["a", 1]), TypeError, "expected a text or turns"),
        (lambda bot: bot.reply_all("ab"), TypeError, "Chatbot.reply_all: conversations: expected several"),
        (lambda bot: bot.reply_all(["a", 7]), TypeError, r"Chatbot.reply_all: conversations\[1\]: expected"),
        (
            lambda bot: bot.rank("a", []),
            ValueError,
            "Chatbot.rank: candidates: expected at least one, got none",
        ),
        (lambda bot: bot.rank("a", ["b"], prior=2), ValueError, "prior: expected 0 to 1, got 2"),
        (lambda bot: bot.rank("a", [1]), TypeError, r"candidates\[0\]: expected a string, got int"),
        (lambda bot: bot.fit([]), ValueError, "Chatbot.fit: dialogues: expected at least one, got none"),
        (lambda bot: bot.fit([["a"]]), ValueError, "dialogues\\[0\\]: expected at least 2 turns, got 1"),
        (lambda bot: bot.fit(["ab"]), TypeError, "dialogues\\[0\\]: expected a list of turns, got 'ab'"),
        (lambda bot: bot.fit([["a", None]]), TypeError, "expected strings, got None"),
        (lambda bot: bot.fit(DIALOGUES, noise=1.0), ValueError, "noise: expected a share from 0, below 1"),
        (lambda bot: bot.conversation().say(None), TypeError, "Conversation.say: text: expected a string"),
        (lambda _: Chatbot.from_dialogues(DIALOGUES, history=0), ValueError, "history"),
        (lambda _: Chatbot.from_dialogues(DIALOGUES, threshold=2), ValueError, "threshold: expected 0 to 1"),
        (
            lambda _: Chatbot.from_dialogues(DIALOGUES, cell="x"),
            ValueError,
            "^Chatbot: cell: expected one of",
        ),
        (lambda bot: bot.fit(DIALOGUES, 7j), TypeError, "Chatbot.fit: validation: dialogues: expected lists"),
        (lambda bot: bot.speak("("), FormatError, "Chatbot.speak: act: expected an act"),
        (lambda bot: bot.speak("a(b)", beam=0), ValueError, "Chatbot.speak: beam: expected"),
        (lambda bot: bot.log_prob("a", 5), TypeError, "Chatbot.log_prob: answer: expected a string, got int"),
        (lambda _: Chatbot.from_dialogues(DIALOGUES, canned="no"), TypeError, "canned: expected several"),
    ],
)
def test_invalid_arguments_are_refused(bot, call, error, message):
    with pytest.raises(error, match=message):
        call(bot)
