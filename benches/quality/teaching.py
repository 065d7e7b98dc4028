"""What a chatbot is taught: answered from memory, learned by the network, and what it knew before.

    python benches/quality/teaching.py [--facts FILE ...] [--model bot.rnn]

A bot is trained on the short dialogues of the bundled ChatterBot corpus, without every tenth question. Then it
is taught the facts of a file, 50 each in `teaching/`: a row is a turn, its answer, and paraphrases of the
turn, separated by tabs; a row without tabs is a turn that has nothing to do with them. Measured are

- taught turns and paraphrases that get their answer, word for word, from memory and from the network alone;
- unrelated turns, held-out questions and known questions that get an answer from memory;
- before and after `learn`: the known questions that get a recorded answer, word for word, and with the words of
  one (F1 ≥ 0.5); the same of held-out questions; and their perplexity.

The constants were chosen by `teaching/everyday.tsv`; the threshold, and that known turns compete, by both files.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnnrs.models import Chatbot
from rnnrs.models.chatbot.memory import Memory
from rnnrs.models.chatbot.threshold import recorded_answers, right_answers
from rnnrs.text import chatterbot_dialogues, find_words

FOLDER = Path(__file__).parent / "teaching"

#: The most words of a turn: programs and long answers are left out, as in `rnnrs demo chat`.
LONGEST = 25

#: The number of epochs in which the bot learns the dialogues.
EPOCHS = 70

#: One of this many questions is held out.
HELD_OUT = 10


class Facts(NamedTuple):
    """What is taught, and how it is asked.

    Attributes:
        taught: turns and answers.
        paraphrases: other turns, each with the place of its fact.
        unrelated: turns that have nothing to do with the facts.
    """

    taught: list[tuple[str, str]]
    paraphrases: list[tuple[str, int]]
    unrelated: list[str]


def read_facts(path: Path) -> Facts:
    """Reads the facts of a file."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    facts = [row for row in rows if len(row) > 1]
    paraphrases = [(text, i) for i, row in enumerate(facts) for text in row[2:]]
    return Facts([(row[0], row[1]) for row in facts], paraphrases, [row[0] for row in rows if len(row) == 1])


def divided() -> tuple[list[list[str]], list[list[str]]]:
    """Returns the short dialogues to train on and the held-out ones, which have no question in common."""
    short = lambda turns: all(len(turn.split()) <= LONGEST and "```" not in turn for turn in turns)  # noqa: E731
    unique = list(filter(short, dict.fromkeys(map(tuple, chatterbot_dialogues()))))
    places = {question: i for i, question in enumerate(dict.fromkeys(turns[0] for turns in unique))}
    out = [places[turns[0]] % HELD_OUT == HELD_OUT - 1 for turns in unique]
    return (
        [list(turns) for turns, away in zip(unique, out, strict=True) if not away],
        [list(turns) for turns, away in zip(unique, out, strict=True) if away],
    )


def print_known(bot: Chatbot, name: str, dialogues: list[list[str]], memory: bool) -> None:
    """Prints how many questions get a recorded answer."""
    asked, recorded = recorded_answers(dialogues, bot.history)
    replies = [reply.text for reply in bot.reply_all(asked, canned=False, memory=memory)]
    words = lambda text: tuple(find_words(text))  # noqa: E731
    exact = [words(r) in {words(a) for a in known} for r, known in zip(replies, recorded, strict=True)]
    print(
        f"  {name}: {np.mean(exact):.1%} of {len(asked)} word for word, "
        f"{np.mean(right_answers(replies, recorded)):.1%} with the words, "
        f"perplexity {bot.evaluate(dialogues).perplexity:.2f}",
        flush=True,
    )


def print_taught(bot: Chatbot, facts: Facts, memory: bool) -> None:
    """Prints how many taught turns and paraphrases get their answer."""
    answers = [answer for _, answer in facts.taught]
    same = [r.text for r in bot.reply_all([turn for turn, _ in facts.taught], canned=False, memory=memory)]
    print(f"  the same words: {np.mean([a == b for a, b in zip(same, answers, strict=True)]):.1%}")
    replies = bot.reply_all([text for text, _ in facts.paraphrases], canned=False, memory=memory)
    right = [reply.text == answers[i] for reply, (_, i) in zip(replies, facts.paraphrases, strict=True)]
    line = f"  other words: {np.mean(right):.1%} of {len(right)}"
    if memory:
        recalled = [reply.taught is not None for reply in replies]
        line += f"; from memory {np.mean(np.logical_and(recalled, right)):.1%} right, "
        line += f"{np.mean(np.logical_and(recalled, np.logical_not(right))):.1%} wrong"
    print(line, flush=True)


def print_false(bot: Chatbot, name: str, turns: list[str]) -> None:
    """Prints how many turns are answered from memory."""
    recalled = [turn for turn in turns if bot.recall(turn)]
    print(f"  {name}: {len(recalled)} of {len(turns)} from memory ({len(recalled) / len(turns):.1%})")


def trained(known: list[list[str]], given: argparse.Namespace) -> Chatbot:
    """Returns the bot, from its file if there is one."""
    if given.model and given.model.exists():
        return Chatbot.load(given.model)
    bot = Chatbot.from_dialogues(known, history=2, hidden_size=given.hidden, seed=given.seed)
    recipe = {"epochs": EPOCHS, "learning_rate": 3e-3, "noise": 0.0, "forget": 0.0, "seed": given.seed}
    bot.fit(known, progress=False, **recipe)
    if given.model:
        bot.save(given.model)
    return bot


def judge(path: Path, given: argparse.Namespace) -> None:
    """Teaches the facts of a file, and prints all figures."""
    known, held_out = divided()
    bot, facts = trained(known, given), read_facts(path)
    bot.memory = Memory()  # of this file of facts alone
    print(f"{path.name}: {len(facts.taught)} answers; {bot.parameters.size:,} parameters\nbefore", flush=True)
    print_known(bot, "known questions", known, False)
    print_known(bot, "held-out questions", held_out, False)
    start = time.monotonic()
    for turn, answer in facts.taught:
        bot.teach(turn, answer)
    print(f"taught in {time.monotonic() - start:.2f} s, answered from memory")
    print_taught(bot, facts, True)
    for name, turns in (
        ("unrelated turns", facts.unrelated),
        ("held-out questions", sorted({turns[0] for turns in held_out})),
        ("known questions", sorted({turns[0] for turns in known})),
    ):
        print_false(bot, name, turns)
    start = time.monotonic()
    options = {name: getattr(given, name) for name in ("epochs", "learning_rate", "variants", "rehearsed")}
    history = bot.learn(
        progress=False, **{name: value for name, value in options.items() if value is not None}
    )
    print(f"learned in {time.monotonic() - start:.0f} s, {len(history.losses)} steps; the network alone")
    print_taught(bot, facts, False)
    print_known(bot, "known questions", known, False)
    print_known(bot, "held-out questions", held_out, False)
    print("with the memory")
    print_taught(bot, facts, True)
    for memory in (True, False):
        replies = bot.reply_all(facts.unrelated, memory=memory)
        said = sum(reply.text in dict(facts.taught).values() for reply in replies)
        name = "with the memory" if memory else "the network alone"
        print(f"  unrelated turns that get a taught answer, {name}: {said} of {len(replies)}")
    print_known(bot, "known questions", known, True)


def main() -> None:
    """Judges each file of facts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--facts", nargs="+", type=Path, default=sorted(FOLDER.glob("*.tsv")))
    parser.add_argument("--model", type=Path, help="the trained bot; written if it is missing")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--variants", type=int)
    parser.add_argument("--rehearsed", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for path in given.facts:
        judge(path, given)


if __name__ == "__main__":
    main()
