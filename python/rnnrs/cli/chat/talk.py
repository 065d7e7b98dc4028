"""`rnnrs chat talk`: a conversation, in which the bot can be taught."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...terminal import is_terminal
from ..common import add_encoding, add_json, add_model, input_lines, one_line, print_json, real, say
from . import assistant

if TYPE_CHECKING:
    from ...models import Conversation, Reply
    from ...models.chatbot.memory import Entry

HELP = """\
/teach ANSWER           the answer to your last turn
/teach TURN => ANSWER   the answer to a turn
/wrong                  the last answer is wrong
/undo                   takes the last of these back
/reset                  begins a new conversation
/quit                   ends it"""


def add(verb: Any) -> None:
    """Adds the arguments."""
    add_model(verb)
    verb.add_argument(
        "--threshold",
        type=real(0, 1),
        metavar="P",
        help="confidence below which a canned answer is given (the model's)",
    )
    verb.add_argument(
        "--allow-teaching",
        action="store_true",
        help="believe what is taught here; otherwise it is noted, until log --accept",
    )
    verb.add_argument("--who", metavar="NAME", help="your name, for the log (the login name)")
    add_encoding(verb)
    add_json(verb, "answers as JSON with confidence, one object per line")


def run(arguments: argparse.Namespace) -> int:
    """Prints an answer for each line."""
    from ...models import Chatbot

    if assistant.is_one(arguments.model):
        return assistant.talk(arguments)
    who = arguments.who or login_name()
    bot = Chatbot.load(arguments.model, teachers=[who] if arguments.allow_teaching else [])
    if arguments.threshold is not None:
        bot.threshold = arguments.threshold
    conversation, person = bot.conversation(who), is_terminal(sys.stdin)
    commands = _commands(arguments, conversation)
    if person:
        say("/reset forgets the conversation, /quit ends it, /help shows how to teach")
    for line in input_lines("you> ", arguments.encoding):
        word, _, rest = line.strip().partition(" ")
        if word == "/quit":
            break
        if word in commands and (not rest or word == "/teach"):
            _obey(commands[word], rest.strip(), person)
        elif word:
            _show(conversation.say(line), person, arguments.json)
        elif not person:  # at a terminal, an empty line has no effect
            _obey(commands["/reset"], "", person)
    return 0


def login_name() -> str:
    """Returns the name of the person at the terminal; "user" where the system knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "user"


def _obey(command: Callable[[str], str], rest: str, person: bool) -> None:
    """Runs a command; its message is for people, so without a terminal its line gets an empty answer."""
    if not person:
        print(flush=True)
    try:
        message = command(rest)
    except (ValueError, OSError) as error:
        message = one_line(error)
    if message:
        say(message)


def _commands(arguments: argparse.Namespace, conversation: Conversation) -> dict[str, Callable[[str], str]]:
    """Returns the commands that a line may consist of; each takes the rest of the line."""

    def teach(rest: str) -> str:
        turn, arrow, answer = rest.partition("=>")
        entry = conversation.teach(answer, turn) if arrow else conversation.teach(rest)
        return _noted(arguments.model, entry)

    def wrong(_: str) -> str:
        return _noted(arguments.model, conversation.wrong())

    def undo(_: str) -> str:
        entry = conversation.undo()
        return f"undone: {entry.turn} => {entry.answer}"

    def reset(_: str) -> str:
        conversation.reset()
        return "a new conversation" if is_terminal(sys.stdin) else ""

    return {"/teach": teach, "/wrong": wrong, "/undo": undo, "/reset": reset, "/help": lambda _: HELP}


def _noted(model: str, entry: Entry) -> str:
    """Returns what is said about a new entry."""
    text = f"{'wrong: ' if entry.what == 'wrong' else ''}{entry.turn} => {entry.answer}"
    if entry.accepted:
        return f"noted: {text}"
    return f"noted, but not believed: {text}; rnnrs chat log {model} --accept {entry.id} accepts it"


def _show(reply: Reply, person: bool, as_json: bool) -> None:
    if as_json:
        facts = {"text": reply.text, "confidence": reply.confidence, "canned": reply.canned}
        print_json(facts | {"taught": reply.taught})
    else:
        print(f"bot> {reply}" if person else reply, flush=True)
