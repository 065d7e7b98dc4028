"""`rnnrs demo chat`: from nothing to a bot that answers, in about two minutes."""

from __future__ import annotations

import argparse
import re
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .common import say

if TYPE_CHECKING:
    from ..models import Chatbot

HIDDEN, EMBEDDING, BATCH, LEARNING_RATE = 256, 128, 32, 3e-3

#: The bundled dialogues without programs and long answers: what is learned in so short a time, each as it stands.
LONGEST = 25

#: The confidence below which a canned answer is given: by it the bot still says hello, which has many recorded answers.
SURE = 0.7

#: Questions that are asked, and those that are shown.
ASKED, SHOWN = 300, 8

_SAID = ("hello", "who are you", "tell me joke!", "Which ships sail to Rotterdam on Thursdays?")


def run(arguments: argparse.Namespace, model_path: Path, picture: Path) -> int:
    """Trains, judges, shows, saves, and says what to type next."""
    from .demo import save_curve

    dialogues = _dialogues()
    bot = _new(dialogues, arguments)
    print(f"Data      {len(dialogues):,} short dialogues, questions and answers (ChatterBot's corpus)")
    print(f"Network   {bot.parameters.size:,} parameters, answers of {len(bot.target_vocabulary):,} words")
    print(
        f"Training  for {arguments.seconds:g} seconds; Ctrl-C stops and keeps what has been learned",
        flush=True,
    )
    start = time.monotonic()
    try:
        history = bot.fit(
            dialogues,
            noise=0.0,
            forget=0.0,
            time_limit=arguments.seconds,
            batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            seed=arguments.seed,
            checkpoint=model_path,
        )
    except KeyboardInterrupt:
        say(f"rnnrs: interrupted; try rnnrs chat talk {shlex.quote(str(model_path))}")
        return 130
    perplexity = bot.evaluate(dialogues).perplexity
    print(f"After     perplexity {perplexity:.2f} of what it has learned; {time.monotonic() - start:.0f} s")
    _judge(bot, dialogues)
    bot.save(model_path)
    print(f"\nSaved     {model_path}")
    save_curve(history, picture)
    path = shlex.quote(str(model_path))
    print(f"\nNext, type:\n  rnnrs chat talk {path}\n  rnnrs chat train your-dialogues.tsv -o your-bot.rnn")
    return 0


def _dialogues() -> list[list[str]]:
    from ..text import chatterbot_dialogues

    unique = dict.fromkeys(map(tuple, chatterbot_dialogues()))
    short = lambda turn: len(turn.split()) <= LONGEST and "```" not in turn  # noqa: E731
    return [list(turns) for turns in unique if all(map(short, turns))]


def _new(dialogues: list[list[str]], arguments: argparse.Namespace) -> Chatbot:
    from ..models import Chatbot

    return Chatbot.from_dialogues(
        dialogues,
        history=1,
        threshold=SURE,
        embedding_size=EMBEDDING,
        hidden_size=arguments.hidden or HIDDEN,
        seed=arguments.seed,
    )


def retyped(question: str) -> str:
    """A question in capitals, without punctuation and its first article."""
    bare = re.sub(r"[^\w\s]", "", question)
    return re.sub(r"\b(a|an|the)\b ", "", bare, count=1, flags=re.I).upper()


def _judge(bot: Chatbot, dialogues: list[list[str]]) -> None:
    """Questions typed in another way; a conversation."""
    from ..models.chatbot.threshold import alike

    recorded: dict[str, list[str]] = {}
    for question, answer, *_ in dialogues:
        recorded.setdefault(question, []).append(answer)
    asked = list(recorded)[:: max(1, len(recorded) // ASKED)]
    replies = bot.own_replies([retyped(question) for question in asked])
    right = [alike(reply.text, recorded[q]) for q, reply in zip(asked, replies, strict=True)]
    print(
        f"\nAsked in capitals, without punctuation and the first article: {np.mean(right):.0%} answered right"
    )
    for place in np.linspace(0, len(asked) - 1, SHOWN).astype(int).tolist():
        print(f"    {retyped(asked[place])}\n      {replies[place]}")
    print(f"\nA conversation, with its confidence in each answer; below {SURE:g} a canned one:")
    conversation = bot.conversation()
    for text in _SAID:
        reply = conversation.say(text)
        print(f"    you> {text}\n    bot> {reply}  ({reply.confidence:.2f})")
