"""`rnnrs demo chat`: a chatbot in about two minutes."""

from __future__ import annotations

import argparse
import re
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..common import ending, say
from .output import announce, save_curve

if TYPE_CHECKING:
    from ...models import Chatbot

#: The arguments of the bot and the options of its training: without noise, since answers are learned exactly.
SIZES: dict[str, Any] = {"history": 1, "dropout": 0.0}
TRAINING: dict[str, Any] = {"noise": 0.0, "forget": 0.0, "learning_rate": 3e-3}

#: The most words of a turn. Bundled dialogues without programs and long answers can be learned in the time.
LONGEST = 25

#: The confidence below which a canned answer is given; low enough for a greeting, which has several recorded
#: answers.
SURE = 0.7

#: The number of questions that are asked, and of those that are shown.
ASKED, SHOWN = 300, 8

_CONVERSATION = ("hello", "who are you", "tell me joke!", "Which ships sail to Rotterdam on Thursdays?")


def run(arguments: argparse.Namespace, model_path: Path, picture: Path) -> int:
    """Trains, evaluates, talks, saves, and prints what to type next."""
    from ...models import Chatbot

    dialogues = _dialogues()
    sizes = SIZES | ({"hidden_size": arguments.hidden_size} if arguments.hidden_size else {})
    bot = Chatbot.from_dialogues(dialogues, threshold=SURE, seed=arguments.seed, **sizes)
    print(f"Data      {len(dialogues):,} short dialogues, questions and answers (ChatterBot's corpus)")
    print(f"Network   {bot.parameters.size:,} parameters, answers of {len(bot.target_vocabulary):,} words")
    announce(arguments.seconds)
    start = time.monotonic()
    try:
        history = bot.fit(
            dialogues, time_limit=arguments.seconds, seed=arguments.seed, checkpoint=model_path, **TRAINING
        )
    except KeyboardInterrupt as interrupt:
        word, code = ending(interrupt)
        say(f"rnnrs: {word}; try rnnrs chat talk {shlex.quote(str(model_path))}")
        return code
    perplexity = bot.evaluate(dialogues).perplexity
    print(f"After     perplexity {perplexity:.2f} on the training data; {time.monotonic() - start:.0f} s")
    _evaluate(bot, dialogues)
    bot.save(model_path)
    print(f"\nSaved     {model_path}")
    save_curve(history, picture)
    path = shlex.quote(str(model_path))
    print(f"\nNext, type:\n  rnnrs chat talk {path}\n  rnnrs chat train your-dialogues.tsv -o your-bot.rnn")
    return 0


def _dialogues() -> list[list[str]]:
    from ...text import chatterbot_dialogues

    unique = dict.fromkeys(map(tuple, chatterbot_dialogues()))
    short = lambda turn: len(turn.split()) <= LONGEST and "```" not in turn  # noqa: E731
    return [list(turns) for turns in unique if all(map(short, turns))]


def retyped(question: str) -> str:
    """Returns a question in capitals, without punctuation and without its first article."""
    bare = re.sub(r"[^\w\s]", "", question)
    return re.sub(r"\b(a|an|the)\b ", "", bare, count=1, flags=re.I).upper()


def _evaluate(bot: Chatbot, dialogues: list[list[str]]) -> None:
    """Asks questions in another spelling, and shows a conversation."""
    from ...models.chatbot.threshold import alike

    recorded: dict[str, list[str]] = {}
    for question, answer, *_ in dialogues:
        recorded.setdefault(question, []).append(answer)
    asked = list(recorded)[:: max(1, len(recorded) // ASKED)]
    replies = bot.reply_all([retyped(question) for question in asked], canned=False)
    right = [alike(reply.text, recorded[q]) for q, reply in zip(asked, replies, strict=True)]
    print(
        f"\nAsked in capitals, without punctuation and the first article: {np.mean(right):.0%} answered right"
    )
    for place in np.linspace(0, len(asked) - 1, SHOWN).astype(int).tolist():
        print(f"    {retyped(asked[place])}\n      {replies[place]}")
    print(f"\nA conversation, with its confidence in each answer; below {SURE:g} a canned one:")
    conversation = bot.conversation()
    for text in _CONVERSATION:
        reply = conversation.say(text)
        print(f"    you> {text}\n    bot> {reply}  ({reply.confidence:.2f})")
