"""The similarity of turns: against its definition, word by word, and in several scripts."""

import math
from collections import Counter

import numpy as np
import pytest

from rnnrs.models.chatbot.contexts import normalize
from rnnrs.models.chatbot.similarity import Similarity
from rnnrs.text import find_words

KNOWN = [
    "Where is the station?",
    "Where do you live?",
    "What is the time?",
    "What is your name?",
    "How are you?",
    "Do you like tea?",
    "When is the next train?",
]
TAUGHT = [
    ("When does the bakery open?", "The bakery opens at six."),
    ("Where are the spare keys?", "In the kitchen cupboard."),
    ("Who repairs the elevator?", "Call Otis Service."),
]


def words_of(text):
    return list(dict.fromkeys(find_words(normalize(text))))


def alike(v, w):
    """Dice's coefficient of letter pairs, by the definition."""
    if v == w:
        return 1.0
    pairs = [Counter(zip(f"|{word}", f"{word}|", strict=True)) for word in (v, w)]
    found = 2 * sum((pairs[0] & pairs[1]).values()) / sum(map(Counter.total, pairs))
    return found if found >= 0.5 else 0.0


def reference(taught, known, question):
    """The similarities of a question to all taught turns, by the definition."""
    turns = [words_of(turn) for turn, _ in taught] + [words_of(turn) for turn in known]
    counts = Counter(word for words in turns for word in words)
    weight = lambda w: math.log((len(turns) + 1) / (counts[w] + 0.5)) ** 3  # noqa: E731
    q, found = words_of(question), []
    for turn, answer in taught:
        t, a = words_of(turn), words_of(answer)
        gain = sum(
            weight(v) * max(0.0, 0.4 * max(alike(v, w) for w in a) - max(alike(v, w) for w in t)) for v in q
        )
        total, asked = sum(map(weight, t)), sum(map(weight, q))
        R = (sum(weight(w) * max(alike(v, w) for v in q) for w in t) + gain) / total
        P = (sum(weight(v) * max(alike(v, w) for w in t) for v in q) + gain) / asked
        found.append(min(R, 1.0) ** 0.8 * min(P, 1.0) ** 0.2)
    return found


@pytest.mark.parametrize(
    "question",
    [
        "When does the bakery open?",
        "the kitchen keys",
        "Opening hours of your bakerys",
        "Who fixes the elevators, Otis?",
        "Where is the station",
        "zebra",
    ],
)
def test_the_similarity_is_that_of_its_definition(question):
    expected = reference(TAUGHT, KNOWN, question)
    found = Similarity(TAUGHT, KNOWN).nearest(question)
    assert found.place == len(expected) - 1 - int(np.argmax(expected[::-1]))
    assert found.similarity == pytest.approx(max(expected), abs=1e-8)


def test_the_same_words_are_the_same_in_any_typing():
    similarity = Similarity(TAUGHT, KNOWN)
    for place, (turn, _) in enumerate(TAUGHT):
        for typed in (turn, turn.upper(), f"  {turn[:-1]} !!"):
            found = similarity.nearest(typed)
            assert found.place == place and found.similarity == 1.0 >= found.known


def test_the_latest_answer_to_a_turn_counts():
    assert Similarity([("a b", "old"), ("x", "y"), ("A, b!", "new")]).nearest("a b").place == 2


def test_what_is_known_is_nearer_to_itself():
    similarity = Similarity([("Where is the bakery?", "There.")], KNOWN)
    found = similarity.nearest("Where is the station?")
    assert found.known == 1.0 > found.similarity
    found = similarity.nearest("Where is that bakery")
    assert found.similarity > max(similarity.threshold, found.known)


def test_few_known_turns_reach_the_threshold():
    shops = [f"Where is the shop in {word} street?" for word in ("red", "blue", "green", "gray")]
    known = [*shops, *(f"Number {i} of {i + 1}" for i in range(40))]
    assert Similarity([("x y z", "w")], known).threshold == pytest.approx(0.4)
    near = Similarity([("Where is the shop?", "w")], known)
    assert near.threshold > 0.4
    assert not any(near.nearest(turn).similarity > near.threshold for turn in known)


@pytest.mark.parametrize(
    ("turn", "asked", "other"),
    [
        ("Wann öffnet die Bäckerei?", "Um wie viel Uhr öffnen Bäckereien?", "Wie heißt du?"),
        ("Где лежат запасные ключи?", "Скажи, где запасной ключ?", "Как тебя зовут?"),
        ("متى يفتح المخبز؟", "في أي ساعة يفتح المخبز؟", "ما اسمك؟"),
        ("パン屋は何時に開きますか", "パン屋の開く時間は", "お名前は何ですか"),
        ("图书馆几点开门？", "请问图书馆什么时候开门？", "你叫什么名字？"),
        ("빵집은 언제 열어요?", "빵집이 언제 열어요?", "이름이 뭐예요?"),
        ("Where is the umbrella?", "were is teh umbrela", "how are you"),
    ],
)
def test_no_language_is_known(turn, asked, other):
    similarity = Similarity([(turn, "42"), ("qwerty", "1")], [other, "xyz abc"])
    assert similarity.nearest(asked).place == 0
    assert similarity.nearest(asked).similarity > similarity.threshold > similarity.nearest(other).similarity


def test_nothing_taught_and_nothing_said():
    assert Similarity([]).nearest("a") is None
    assert Similarity([("", "a"), ("b", "c")]).nearest("b").place == 1
    assert Similarity([("a", "b")], ["", "c"]).nearest("").similarity < 0.4
