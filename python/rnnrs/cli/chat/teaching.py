"""`rnnrs chat teach`, `learn` and `log`: what a bot is taught."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...files import write_atomically
from ...terminal import escaped
from ..common import (
    CommandError,
    add_encoding,
    add_force,
    add_json,
    add_model,
    print_json,
    reads,
    real,
    say,
    whole,
    writes,
)
from ..options import add_option, defaults_of, given
from ..training import add_output, brief
from .files import add_dialogues
from .talk import login_name

if TYPE_CHECKING:
    from ...models.chatbot.memory import Entry

#: The options of `learn` that the command offers, and how it reads them.
LEARNING: dict[str, dict[str, Any]] = {
    "epochs": {"type": whole(1), "metavar": "N"},
    "time_limit": {"type": real(0, above=True), "metavar": "SECONDS"},
    "learning_rate": {"type": real(0, above=True), "metavar": "RATE"},
    "variants": {"type": whole(1), "metavar": "N"},
    "rehearsed": {"type": whole(1), "metavar": "N"},
    "seed": {"type": whole(0), "metavar": "N"},
}


def add_teach(verb: Any) -> None:
    """Adds the arguments of `teach`."""
    add_model(verb)
    add_dialogues(verb)
    verb.add_argument("--who", metavar="NAME", help="your name, for the log (the login name)")
    add_json(verb)


def teach(arguments: argparse.Namespace) -> int:
    """Teaches the last answer of each dialogue."""
    from ...data import read_dialogues
    from ...models import Chatbot

    bot = Chatbot.load(arguments.model)
    who = arguments.who or login_name()
    dialogues = read_dialogues(arguments.file, encoding=arguments.encoding)
    entries = bot.teach_all([turns[: len(turns) // 2 * 2] for turns in dialogues], who=who)
    if arguments.json:
        print_json({"file": bot.memory.path, "taught": len(entries), "in_force": len(bot.memory.taught)})
    else:
        print(f"{bot.memory.path}: {len(entries):,} answers taught, {len(bot.memory.taught):,} in all")
    model = shlex.quote(arguments.model)
    say(f"next: rnnrs chat talk {model}\n      rnnrs chat learn {model} -o learned.rnn")
    return 0


def add_learn(verb: Any) -> None:
    """Adds the arguments of `learn`."""
    from ...models import Chatbot
    from ...models.base.options import metadata
    from ...models.chatbot.rehearsal import LearningSettings

    add_model(verb)
    add_output(verb)
    reads(
        verb.add_argument(
            "--rehearse", metavar="FILE", help="the dialogues to rehearse (those that the model's file keeps)"
        )
    )
    add_encoding(verb)
    group, defaults = verb.add_argument_group("training"), defaults_of(Chatbot.learn)
    for name, reading in LEARNING.items():
        add_option(group, name, brief(metadata(LearningSettings, name, "doc")), defaults[name], **reading)


def learn(arguments: argparse.Namespace) -> int:
    """Learns what was taught, and saves the bot to another file."""
    from ...data import read_dialogues
    from ...models import Chatbot

    bot = Chatbot.load(arguments.model)
    path = arguments.rehearse
    dialogues = read_dialogues(path, encoding=arguments.encoding) if path else None
    bot.learn(dialogues, progress=not arguments.quiet, **given(arguments, LEARNING))
    bot.save(arguments.output)
    taught = bot.memory.taught
    replies = bot.reply_all([[*entry.context, entry.turn] for entry in taught], canned=False, memory=False)
    right = sum(reply.text == entry.answer for reply, entry in zip(replies, taught, strict=True))
    if arguments.json:
        print_json({"model": arguments.output, "taught": len(taught), "learned": right})
    else:
        print(f"{arguments.output}: {right:,} of {len(taught):,} answers learned word for word")
    say(f"next: rnnrs chat talk {shlex.quote(arguments.output)}", arguments.quiet)
    return 0


def add_log(verb: Any) -> None:
    """Adds the arguments of `log`."""
    add_model(verb)
    verb.add_argument("--waiting", action="store_true", help="only what waits to be accepted")
    verb.add_argument("--accept", nargs="+", metavar="ID", default=[], help="accept what users said")
    verb.add_argument("--undo", nargs="+", metavar="ID", default=[], help="undo entries")
    verb.add_argument("--who", metavar="NAME", help="your name, for the log (the login name)")
    writes(
        verb.add_argument(
            "--export", metavar="FILE", help="write what is taught as dialogues, as train and teach read them"
        )
    )
    add_force(verb)
    add_json(verb, "entries as JSON, one object per line")


def log(arguments: argparse.Namespace) -> int:
    """Accepts and undoes entries, then prints the log, or writes what is taught to a file."""
    from ...models.chatbot.memory import Memory, beside, dialogues_of

    os.stat(arguments.model)  # a log without its model is a mistake in the name
    memory = Memory(beside(arguments.model))
    who = arguments.who or login_name()
    for id in arguments.accept:
        memory.accept("chat log", id, who)
    for id in arguments.undo:
        memory.undo("chat log", id, who)
    if arguments.export:
        dialogues = dialogues_of(memory.taught)
        if not dialogues:
            raise CommandError(f"{arguments.model}: expected something taught, got nothing")
        lines = "".join(json.dumps(turns, ensure_ascii=False) + "\n" for turns in dialogues)
        write_atomically(arguments.export, lines.encode())
        say(f"{arguments.export}: {len(dialogues):,} dialogues")
        return 0
    waiting = {entry.id for entry in memory.waiting}
    for entry in memory.waiting if arguments.waiting else memory.entries:
        if arguments.json:
            print_json(asdict(entry) | {"waits": entry.id in waiting})
        else:
            print(_line(entry, entry.id in waiting), flush=True)
    return 0


def _line(entry: Entry, waits: bool) -> str:
    """Returns an entry as a line for people; nothing that users say can command a terminal."""
    who = entry.who if entry.source == "owner" else f"{entry.who} (user)"
    what = f"{entry.what} {entry.of}" if entry.of else entry.what
    line = f"{entry.id}  {entry.when}  {who}: {what}: {entry.turn} => {entry.answer}"
    return escaped(line + ("  [waits]" if waits else ""))
