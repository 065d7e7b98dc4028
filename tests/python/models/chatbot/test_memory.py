"""The log of what was taught: what is in force, files, limits, and several writers."""

import json
import threading
from pathlib import Path

import pytest

from rnnrs.errors import FormatError
from rnnrs.models.chatbot import memory as module
from rnnrs.models.chatbot.memory import Memory, dialogues_of


def teach(memory, turn, answer, context=(), **more):
    (entry,) = memory.add("op", "teach", [(turn, answer, context)], **({"who": "ann"} | more))
    return entry


@pytest.fixture
def memory(tmp_path):
    return Memory(tmp_path / "log.jsonl")


def test_an_entry_says_who_said_what_when(memory):
    entry = teach(memory, " a\tb ", "c\nd", ["x", "y"], source="user", session="s1", accepted=False)
    (line,) = Path(memory.path).read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {
        "id": entry.id,
        "what": "teach",
        "who": "ann",
        "source": "user",
        "when": entry.when,
        "turn": "a b",
        "answer": "c d",
        "context": ["x", "y"],
        "session": "s1",
        "accepted": False,
        "of": None,
    }
    assert entry.when.endswith("Z") and len(entry.when) == 20
    assert Memory(memory.path).entries == [entry] == memory.waiting and memory.taught == []


def test_the_log_keeps_what_is_undone(memory):
    first, second = teach(memory, "a", "1"), teach(memory, "b", "2")
    third = teach(memory, "c", "3", source="user", accepted=False)
    assert memory.accept("op", third.id, "eve") == third
    assert [entry.answer for entry in memory.taught] == ["1", "2", "3"]
    assert memory.undo("op", first.id, "eve") == first
    assert memory.undo("op", None, "eve") == third
    assert memory.taught == [second] and memory.waiting == []
    assert [entry.what for entry in memory.entries] == ["teach"] * 3 + ["accept", "undo", "undo"]
    assert memory.entries[4].of == first.id and memory.entries[4].who == "eve"
    for id in (first.id, "none"):
        with pytest.raises(ValueError, match="op: id: expected an entry that is not undone, got"):
            memory.undo("op", id, "eve")
    with pytest.raises(ValueError, match="op: id: expected an entry that waits to be accepted, got"):
        memory.accept("op", second.id, "eve")


def test_wrong_answers_are_entries_of_their_own(memory):
    memory.add("op", "wrong", [("a", "b", ())], who="ann")
    assert memory.taught == [] and memory.wrong == memory.entries


def test_of_a_mark_and_a_teaching_of_one_answer_the_later_one_counts(memory):
    def wrong(turn, answer, **more):
        return memory.add("op", "wrong", [(turn, answer, ())], **({"who": "ann"} | more))[0]

    first, other = teach(memory, "What is it?", "1"), teach(memory, "What is it?", "2")
    mark = wrong("what is it", "1")
    assert memory.taught == [other] and memory.wrong == [mark]
    again = teach(memory, "WHAT IS IT", "1")
    assert memory.taught == [first, other, again] and memory.wrong == []
    late = wrong("What is it?", "2", source="user", accepted=False)
    teach(memory, "What is it?", "2")
    assert len(memory.taught) == 4
    memory.accept("op", late.id, "eve")  # it counts from now on
    assert [entry.answer for entry in memory.taught] == ["1", "1"] and memory.wrong == [late]
    memory.undo("op", late.id, "eve")
    assert len(memory.taught) == 4 and memory.wrong == []


def test_all_or_nothing(memory):
    with pytest.raises(ValueError, match="op: answer: expected a text, got an empty one"):
        memory.add("op", "teach", [("a", "b", ()), ("c", " ", ())], who="ann")
    assert memory.entries == []


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"turn": "a" * 1001}, ValueError, "op: turn: expected at most 1,000 characters, got 1,001"),
        ({"answer": ""}, ValueError, "op: answer: expected a text, got an empty one"),
        ({"answer": "\x1b[31m"}, ValueError, r"op: answer: expected no control characters, got '\\x1b'"),
        ({"turn": "\ud800"}, ValueError, "op: turn: expected no control characters"),
        ({"turn": 7}, TypeError, "op: turn: expected a string, got int"),
        ({"who": None}, TypeError, "op: who: expected a string, got NoneType"),
        ({"who": "a" * 101}, ValueError, "op: who: expected at most 100 characters, got 101"),
        ({"source": "king"}, ValueError, "op: source: expected one of owner, user, got 'king'"),
        ({"context": "ab"}, TypeError, "op: context: expected a list of turns, got 'ab'"),
        ({"context": [1]}, TypeError, "op: context: expected strings, got 1"),
        ({"session": 3}, TypeError, "op: session: expected a string or None, got 3"),
    ],
)
def test_invalid_entries_are_refused(memory, given, error, message):
    with pytest.raises(error, match=message):
        teach(memory, **({"turn": "a", "answer": "b"} | given))
    assert memory.entries == []


def test_the_turns_before_are_cut_not_refused(memory):
    assert teach(memory, "a", "b", ["x" * 5000, "\x00y\n"]).context == ("x" * 1000, "y")


@pytest.mark.parametrize(
    ("limit", "accepted", "message"),
    [
        ("MOST", True, "expected at most 2 answers taught, got 3"),
        ("MOST_WAITING", False, "expected at most 2 answers that wait, got 3"),
        ("MOST_ENTRIES", True, "expected at most 2 entries in the log, got 3"),
    ],
)
def test_numbers_are_limited(memory, monkeypatch, limit, accepted, message):
    monkeypatch.setattr(module, limit, 2)
    for i in range(2):
        teach(memory, f"{i}", "x", source="user", accepted=accepted)
    with pytest.raises(ValueError, match=f"op: memory: {message}"):
        teach(memory, "3", "x", source="user", accepted=accepted)
    assert len(memory.entries) == 2


def test_two_logs_of_one_file_see_each_other(memory):
    other = Memory(memory.path)
    teach(memory, "a", "1")
    teach(other, "b", "2")
    assert memory.taught == other.taught and len(memory.taught) == 2


def test_many_threads_lose_nothing(memory):
    def write(name):
        own = Memory(memory.path)
        for i in range(8):
            teach(own, f"{name} {i}", "x", who=name)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({entry.turn for entry in memory.taught}) == 32


def test_a_file_that_is_being_written_is_waited_for(memory, monkeypatch):
    from rnnrs.files import claimed

    monkeypatch.setattr(module, "PATIENCE", 0.05)
    caught = []

    def write():
        try:
            teach(memory, "a", "b")
        except BlockingIOError as error:
            caught.append(error)

    with claimed(memory.path):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert len(caught) == 1 and memory.entries == []


def test_moving_on_to_another_file_keeps_both(tmp_path, memory):
    teach(memory, "a", "1")
    other = Memory(tmp_path / "other.jsonl")
    teach(other, "b", "2")
    memory.bind(other.path)
    assert [entry.turn for entry in memory.taught] == ["b", "a"]
    memory.bind(other.path)
    assert len(Memory(other.path).entries) == 2 and len(Memory(tmp_path / "log.jsonl").entries) == 1
    with pytest.raises(FileNotFoundError):
        memory.bind(tmp_path / "none" / "x.jsonl")
    assert memory.path == other.path and len(memory.taught) == 2


@pytest.mark.parametrize("line", ["{", "[1]", "7", '{"id": "a"}', '{"what": "teach", "extra": 1}'])
def test_a_damaged_file_is_refused_by_line(memory, line):
    teach(memory, "a", "1")
    with open(memory.path, "a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(
        FormatError, match=r"log.jsonl: line 2: expected an entry of a log of what was taught"
    ):
        Memory(memory.path)


@pytest.mark.parametrize("change", [{"accepted": "no"}, {"source": "king"}, {"session": 3}, {"of": 7}])
def test_a_log_with_values_of_other_types_is_refused(memory, change):
    entry = json.loads(teach(memory, "a", "1").to_json()) | change
    Path(memory.path).write_text(json.dumps(entry) + "\n")
    with pytest.raises(FormatError, match=r"log.jsonl: line 1: expected an entry"):
        Memory(memory.path)


def test_dialogues_have_an_even_number_of_turns(memory):
    entries = [teach(memory, "a", "b", ["x", "y", "z"]), teach(memory, "c", "d")]
    assert dialogues_of(entries) == [["y", "z", "a", "b"], ["c", "d"]]
