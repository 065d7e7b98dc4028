"""`rnnrs chat`: chatbots, trained, judged, talked to."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import chat_train
from .common import CommandError, VerbParser, input_lines, print_json, real, say

if TYPE_CHECKING:
    from ..models import Chatbot, Conversation, Reply

_EVALUATE = (
    chat_train.FORMS
    + """
prints the perplexity of the recorded answers, and how many of the bot's own are right: have the words of a
recorded one, by and large (F1 of 0.5 and more)

examples:
  rnnrs chat evaluate bot.rnn held-out.jsonl
  rnnrs chat evaluate hotel.rnn test.tsv --acts        and slot errors instead
"""
)
_TALK = """\
At a terminal, a conversation: /reset forgets it, /quit or Ctrl-D ends it. Otherwise a line in, a line out; what was
said before counts, and an empty line (or /reset) begins a new conversation.

examples:
  rnnrs chat talk bot.rnn
  rnnrs chat talk bot.rnn --threshold 0.5 < questions.txt
  rnnrs chat talk bot.rnn --json < questions.txt       with confidence
"""
_RANK = """\
prints score and answer, the best first

examples:
  rnnrs chat rank bot.rnn "Where is it?" "In the center." "It serves Indian food."
"""
_SPEAK = """\
of a bot that was trained with --acts; an act in, a sentence out

examples:
  rnnrs chat speak hotel.rnn "inform(name='metro hotel';area='soma')"
  rnnrs chat speak hotel.rnn < acts.txt
"""
_TUNE = """\
Finds the threshold of confidence below which a canned answer is better, on dialogues that the bot was not
trained on, and writes it to the model's file.

examples:
  rnnrs chat tune bot.rnn held-out.jsonl
  rnnrs chat tune bot.rnn held-out.jsonl --unanswerable other-texts.txt
"""


def add(commands: Any) -> None:
    """Adds the group to the parser."""
    group = commands.add_parser("chat", help="chatbots: train, evaluate, talk, rank, speak, tune")
    verbs = group.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=VerbParser)
    chat_train.add(verbs)

    verb = _verb(verbs, "evaluate", "how well a bot answers", _EVALUATE, _evaluate)
    verb.add_argument("file", metavar="FILE", help="dialogues")
    verb.add_argument("--acts", action="store_true", help="the file holds dialogue acts and sentences")
    verb.add_argument("--json", action="store_true", help="as JSON")

    verb = _verb(verbs, "talk", "talk to a bot", _TALK, _talk)
    verb.add_argument(
        "--threshold", type=real(0, 1), metavar="P", help="canned answers below this confidence (the model's)"
    )
    verb.add_argument("--json", action="store_true", help="answers as JSON with confidence, one a line")

    verb = _verb(verbs, "rank", "which of given answers fits best", _RANK, _rank)
    verb.add_argument("text", metavar="TEXT", help="what was said; turns on lines of their own")
    verb.add_argument("answers", metavar="ANSWER", nargs="+", help="what could be answered")
    verb.add_argument(
        "--prior",
        type=real(0, 1),
        default=1.0,
        metavar="P",
        help="how much less common answers count (1)",
    )

    verb = _verb(verbs, "speak", "say dialogue acts", _SPEAK, _speak)
    verb.add_argument("acts", metavar="ACT", nargs="*", help="an act; without any, lines are read")

    verb = _verb(verbs, "tune", "when a bot is to give a canned answer", _TUNE, _tune)
    verb.add_argument("file", metavar="FILE", help="dialogues")
    verb.add_argument("--unanswerable", metavar="FILE", help="lines to which every own answer is wrong")


def _verb(verbs: Any, name: str, summary: str, epilog: str, run: Any) -> Any:
    verb = verbs.add_parser(name, help=summary, description=summary.capitalize() + ".", epilog=epilog)
    verb.add_argument("model", metavar="MODEL", help="a model's file")
    verb.set_defaults(run=run)
    return verb


def _load(path: str) -> Chatbot:
    from ..models import Chatbot

    return Chatbot.load(path)


def _evaluate(arguments: argparse.Namespace) -> int:
    bot = _load(arguments.model)
    dialogues, examples = chat_train.read(arguments)
    likely = bot.evaluate(dialogues)
    facts: dict[str, Any] = {"file": arguments.file, "tokens": likely.tokens, "perplexity": likely.perplexity}
    if examples:
        from ..metrics import slot_error

        acts = [act for act, _ in examples]
        errors = slot_error(acts, [said.template for said in bot.speak_all(acts)])
        rate = errors.rate if errors.slots else None
        facts |= {
            "slot_error": rate,
            "missing": errors.missing,
            "redundant": errors.redundant,
            "slots": errors.slots,
        }
        last = str(errors)
    else:
        right, contexts = bot.right_replies(dialogues)
        facts |= {"right": right / contexts, "contexts": contexts}
        last = f"own answers right     {right / contexts:.1%} of {contexts:,}"
    if arguments.json:
        print_json(facts)
    else:
        print(f"perplexity            {likely.perplexity:.3f} ({likely.tokens:,} tokens)\n{last}")
    return 0


def _talk(arguments: argparse.Namespace) -> int:
    bot = _load(arguments.model)
    if arguments.threshold is not None:
        bot.threshold = arguments.threshold
    conversation, person = bot.conversation(), sys.stdin.isatty()
    if person:
        say("/reset forgets what was said, /quit ends")
    for line in input_lines("you> "):
        word = line.strip()
        if word == "/quit":
            break
        if word == "/reset" or not word:
            _forget(conversation, word, person)
            continue
        _show(conversation.say(line), person, arguments.json)
    return 0


def _forget(conversation: Conversation, word: str, person: bool) -> None:
    """Begins anew; a person's empty line means nothing."""
    if not person:
        print(flush=True)
    elif word:
        say("a new conversation")
    else:
        return
    conversation.reset()


def _show(reply: Reply, person: bool, as_json: bool) -> None:
    if as_json:
        print_json({"text": reply.text, "confidence": reply.confidence, "canned": reply.canned})
    else:
        print(f"bot> {reply}" if person else reply)
    sys.stdout.flush()


def _rank(arguments: argparse.Namespace) -> int:
    turns = [line for line in arguments.text.split("\n") if line.strip()]
    if not turns:
        raise CommandError("TEXT: expected some text, got none")
    for ranked in _load(arguments.model).rank(turns, arguments.answers, prior=arguments.prior):
        print(f"{ranked.score:.4f}\t{ranked.text}")
    return 0


def _speak(arguments: argparse.Namespace) -> int:
    bot = _load(arguments.model)
    for act in arguments.acts or _acts():
        print(bot.speak(act) if act.strip() else "", flush=True)
    return 0


def _acts() -> Iterator[str]:
    yield from input_lines("act> ")


def _tune(arguments: argparse.Namespace) -> int:
    from ..data import read_dialogues
    from ..data.pairs import read_lines

    bot = _load(arguments.model)
    unanswerable = read_lines(arguments.unanswerable) if arguments.unanswerable else []
    found = bot.tune_threshold(
        read_dialogues(arguments.file), [line for line in unanswerable if line.strip()]
    )
    bot.save(arguments.model)
    print(found)
    say(f"next: rnnrs chat talk {shlex.quote(arguments.model)}")
    return 0
