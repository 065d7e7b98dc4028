"""An assistant over a table: states, answers, and goals of simulated people.

    python benches/quality/assistant.py camrest CamRest676.json CamRestDB.json CamRestOTGY.json
    python benches/quality/assistant.py hotels
    python benches/quality/assistant.py people MODEL

- camrest: the first three fifths of the dialogues are learned, the fourth is for choices, and the last one is
  judged: joint goal accuracy, accuracy of each slot, match, success F1 and BLEU, see `AssistantEvaluation`.
  Then 1,000 simulated people look for restaurants.
- hotels: a table of hotels and no dialogues: the assistant learns from generated dialogues. 1,000 simulated people
  look for hotels.

- people: 1,000 simulated people talk to an assistant from a file.

The simulated people here say everything in other words than those that generated dialogues consist of. A goal is
met if the last row offered has all its values, and every requested cell has been said, within 8 turns. A fact is
false if an answer names a row and a value that the row does not have, a number of rows that is not the number of
those that fit, or that none fits where some do. The check reads the answers' words and knows nothing of how they
were made.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rnnrs.cli.demo.assistant import DOMAIN
from rnnrs.data.annotated_dialogues import read_annotated_dialogues
from rnnrs.data.records import Records, read_records
from rnnrs.models import Assistant, AssistantReply
from rnnrs.models.assistant.phrases import kinds
from rnnrs.models.assistant.simulation import Goal, Said, SimulatedPerson
from rnnrs.models.assistant.state import DialogueState, matching

#: What people here say; none of it is in `rnnrs.models.assistant.simulation.PHRASES`.
PHRASES = kinds("""
start: Hi there, could you help me? I'd like to go to a {noun} {what}. | My friends and I want a {noun}
{what} | Please find a {noun} {what} for tonight. | Are there any {noun}s {what}? | Hey! Looking for
somewhere {what}, thanks

value: with a {value} {slot} | {value} for the {slot} | whose {slot} is {value} | of {slot} {value}

answer: {value}, I think. | Let's say {value}. | Make that {value} | {value} sounds good! | We'd prefer
{value}

any: Whatever you have. | I'm not fussy. | I really don't care. | Anything will do! | I have no preference

any_slot: The {slot} is not important to me. | Any {slot} will do | I don't care which {slot}.

instead: OK, then let's try {value}. | Could we do {value} instead? | In that case {value}, please

correct: {value} please, not {other} | No, not {other}. {value}! | I meant {value}, not {other}.

request: Great, what's the {asked}? | Sounds good. Please tell me the {asked}. | And could you give me its
{asked}? | Can you also send the {asked}

another: Do you have anything else? | Hmm, is there another {noun}? | Are there any other options?

bye: Perfect, thanks a lot. Bye! | Thank you so much, goodbye. | That's all I needed, cheers
""")

#: The most turns of a person, and the number of people.
TURNS, PEOPLE = 8, 1000

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@cache
def words_of(value: str) -> re.Pattern[str]:
    """Returns the pattern of a value as words of its own."""
    return re.compile(rf"(?<!\w){re.escape(value.lower())}(?!\w)")


def said_in(value: str, text: str) -> bool:
    """Returns whether a text contains a value as words of its own."""
    low = text.lower()
    return value.lower() in low and words_of(value).search(low) is not None


def false_facts(text: str, last: str, table: Records, domain: Any, values: dict[str, str]) -> list[str]:
    """Returns what an answer says that is not so; `last` is the row that was named before."""
    found = []
    rest = text
    names = [row[domain.key] for row in table.rows if said_in(row[domain.key], text)]
    names = [name for name in names if not any(name != other and name in other for other in names)]
    for name in names:
        rest = re.sub(re.escape(name), " ", rest, flags=re.I)
    rows = [row for row in table.rows if row[domain.key] in (names or [last])]
    true = {row[column] for row in rows for column in domain.requests} | (
        set() if names else {*values.values()}
    )
    for cell in sorted(true - {""}, key=len, reverse=True):  # so that no part of it is taken for another cell
        rest = re.sub(rf"(?<!\w){re.escape(cell)}(?!\w)", " ", rest, flags=re.I)
    fits = len(matching(table, domain, {s: v for s, v in values.items() if said_in(v, text)} or values))
    denies = re.search(r"\b(no|not|none|nothing|n't|sorry|unfortunately)\b|n't\b", rest.lower()) is not None
    for column in domain.requests:
        if column in domain.slots:
            continue
        for value in table.values(column):
            if said_in(value, rest) and not any(row[column] == value for row in rows):
                found.append(f"{column} {value}")
    for slot in domain.slots:
        for value in domain.known_values(table, slot):
            if said_in(value, rest) and not any(said_in(value, other) for other in _others(rows, slot)):
                right = [row[slot] == value for row in rows] if names else [values.get(slot) == value]
                if not any(right) and not (not names and any(row[slot] == value for row in rows)):
                    found.append(f"{slot} {value}")
    if denies and fits and not names and not re.search(r"do not know|no other", rest):
        found.append("denies rows that fit")
    for match in re.finditer(r"there (?:are|is) (\w+)", rest.lower()):
        word = match[1]
        number = _NUMBERS.index(word) + 1 if word in _NUMBERS else int(word) if word.isdigit() else None
        if number is not None and number != fits:
            found.append(f"number {word}, {fits} fit")
    return found


def _others(rows: list[dict[str, str]], slot: str) -> list[str]:
    return [value for row in rows for column, value in row.items() if column != slot]


@dataclass
class Conversation:
    """A simulated person, and what has been said."""

    person: SimulatedPerson
    state: DialogueState = field(default_factory=DialogueState)
    system: str = ""
    act: str = ""
    row: int | None = None
    last: str = ""  # the name of the row that was named last
    said: Said | None = None
    wrong: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        """Whether the person says something more."""
        return (self.said is None or not self.said.bye) and len(self.log) < 2 * TURNS

    def hear(self, bot: Assistant, reply: AssistantReply) -> None:
        """Takes in an answer, and checks it."""
        assert self.said is not None
        table, domain, known = bot.table, bot.domain, dict(reply.state.values)
        mark = "+" if reply.written else "="
        self.log += [f"you> {self.said.text}", f"bot{mark} {reply.text}  [{reply.act}] {known}"]
        self.wrong += false_facts(reply.text, self.last, table, domain, known)
        names = [one[domain.key] for one in table.rows if said_in(one[domain.key], reply.text)]
        self.last = max(names, key=len, default=self.last)
        self.state, self.system, self.act = reply.state, reply.text, reply.act
        self.row = None if reply.row is None else reply.state.row
        for column in self.said.requests if reply.row is not None else ():
            cell = reply.row[column]
            if said_in(cell, reply.text) if cell else "do not know" in reply.text:
                self.person.heard.add(column)

    def met(self) -> bool:
        """Returns whether the goal is met."""
        fits = self.state.row in matching(self.person.table, self.person.domain, self.person.wanted)
        return fits and set(self.person.goal.requests) <= self.person.heard


def simulate(bot: Assistant, people: int = PEOPLE, seed: int = 0, show: int = 3) -> dict[str, Any]:
    """Lets simulated people talk to an assistant, all of them at a time, and returns how that went."""
    talks = []
    for number in range(people):
        draw = np.random.default_rng([seed, number])
        goal = Goal.drawn(bot.table, bot.domain, draw)
        talks.append(Conversation(SimulatedPerson(goal, bot.table, bot.domain, draw, PHRASES)))
    while active := [one for one in talks if one.goes_on]:
        for one in active:
            one.said = one.person.say(one.act, one.row)
        texts = [one.said.text for one in active if one.said]
        known = [(text, one.system, one.state) for text, one in zip(texts, active, strict=True)]
        for one, reply in zip(active, bot.answered(bot.understood(known), texts), strict=True):
            one.hear(bot, reply)
    for one in [one for one in talks if one.wrong or not one.met()][:show]:
        print(
            "\n".join([f"{one.person.goal}", *one.log, *(f"FALSE {fact}" for fact in one.wrong)]), end="\n\n"
        )
    answers = [line for one in talks for line in one.log[1::2]]
    return {
        "goals met": sum(one.met() for one in talks) / people,
        "turns": len(answers) / people,
        "false facts": sum(len(one.wrong) for one in talks),
        "answers": len(answers),
        "written": sum(line.startswith("bot+") for line in answers) / len(answers),
    }


def hotels(count: int = 80, seed: int = 0) -> list[dict[str, Any]]:
    """Returns a table of hotels; some cells are empty."""
    draw = np.random.default_rng(seed)
    first = ("Grand", "Royal", "Old", "New", "Blue", "Golden", "Silver", "Green", "Little", "White", "Garden")
    second = ("Hotel", "Inn", "Lodge", "House", "Rooms", "Suites", "Palace", "Court")
    names = [f"{a} {b}" for a in first for b in second]
    rows = []
    for name in draw.permutation(names)[:count]:
        rows.append({
            "name": str(name),
            "district": str(draw.choice(["old town", "harbour side", "university", "airport", "lake view"])),
            "stars": int(draw.integers(2, 6)), "breakfast": str(draw.choice(["included", "extra", "none"])),
            "price": str(draw.choice(["budget", "mid-range", "luxury"])),
            "telephone": f"0{draw.integers(100, 999)} {draw.integers(10000, 99999)}" if draw.random() < 0.9 else None,
            "street": f"{draw.integers(1, 99)} {draw.choice(['Mill', 'Bridge', 'King', 'Lake', 'Tower'])} Street",
            "rooms": int(draw.integers(8, 300)),
        })  # fmt: skip
    return rows


#: All that the assistant is told of hotels besides the table.
HOTELS = {
    "noun": "hotel",
    "slots": ["district", "stars", "breakfast", "price"],
    "requests": ["telephone", "street", "rooms", "district", "stars", "breakfast", "price"],
    "said": {
        "telephone": ["phone number", "telephone"],
        "street": ["street address", "address"],
        "rooms": ["number of rooms"],
        "district": ["district", "neighbourhood"],
        "stars": ["star rating"],
        "breakfast": ["breakfast option"],
        "price": ["price class"],
    },
    "synonyms": {"price": {"budget": ["cheap"], "luxury": ["expensive"]}},
}

#: All that the assistant is told of CamRest's restaurants besides table, ontology and dialogues: what the demo
#: tells, with more names of columns.
RESTAURANTS = DOMAIN | {
    "said": {
        "pricerange": ["price range", "price", "price ranges", "pricerange"],
        "phone": ["phone number", "phone", "telephone number", "number"],
        "postcode": ["postcode", "post code", "postal code"],
        "food": [
            "type of food",
            "kind of food",
            "food",
            "cuisine",
            "type of cuisine",
            "kind of cuisine",
            "food type",
        ],
        "area": ["area", "part of town", "part of the town", "location", "side of town"],
    },
}


def camrest(paths: list[Path], options: dict[str, Any], sizes: dict[str, Any]) -> Assistant:
    """Trains and judges on CamRest676."""
    dialogues, table = read_annotated_dialogues(paths[0]), read_records(paths[1])
    values = json.loads(paths[2].read_text())["informable"]
    fifth = len(dialogues) // 5
    train, dev, test = dialogues[: 3 * fifth], dialogues[3 * fifth : 4 * fifth], dialogues[4 * fifth :]
    start = time.monotonic()
    bot = Assistant.from_dialogues(table, train, domain=RESTAURANTS | {"values": values}, **sizes)
    bot.fit(train, progress=False, **options)  # the fourth fifth is for choices of ours
    print(f"{bot.parameters.size:,} parameters, trained in {time.monotonic() - start:.0f} s")
    print(f"fourth fifth\n{bot.evaluate(dev)}\n\nlast fifth\n{bot.evaluate(test)}\n")
    return bot


def main() -> None:
    """Runs a task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=("camrest", "hotels", "people"))
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--options", type=json.loads, default={}, help="options of fit, as JSON")
    parser.add_argument("--sizes", type=json.loads, default={}, help="sizes of the model, as JSON")
    parser.add_argument("--save", type=Path)
    given = parser.parse_args()
    if given.task == "camrest":
        bot = camrest(given.files, given.options, given.sizes)
    elif given.task == "people":
        bot = Assistant.load(given.files[0])
    else:
        bot = Assistant.from_dialogues(hotels(), domain=HOTELS, **given.sizes)
        bot.fit(progress=False, **given.options)
    if given.save:
        bot.save(given.save)
    print(simulate(bot, given.people))


if __name__ == "__main__":
    main()
