"""`rnnrs chat evaluate`, `rank`, `speak` and `tune`."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ...reading import read_lines
from ..common import (
    CommandError,
    add_encoding,
    add_json,
    add_model,
    input_lines,
    print_json,
    reads,
    real,
    say,
    whole,
)
from ..options import add_option, defaults_of, given
from ..writing import likelihood_facts
from . import assistant
from .files import add_acts, add_dialogues, read

if TYPE_CHECKING:
    from ...data import DialogueAct
    from ...metrics import SlotError
    from ...models import Chatbot


def _load(path: str) -> Chatbot:
    from ...models import Chatbot

    return Chatbot.load(path)


def add_evaluate(verb: Any) -> None:
    """Adds the arguments of `evaluate`."""
    add_model(verb)
    add_dialogues(verb)
    add_acts(verb)
    add_json(verb)


def evaluate(arguments: argparse.Namespace) -> int:
    """Prints perplexity, and the share of right answers or the slot errors."""
    if assistant.is_one(arguments.model):
        return assistant.evaluate(arguments)
    bot = _load(arguments.model)
    dialogues, examples = read(arguments.file, arguments.acts, arguments.encoding)
    result = bot.evaluate(dialogues)
    facts = {"file": arguments.file, **likelihood_facts(result)}
    if examples:
        errors = _slot_errors(bot, [act for act, _ in examples])
        facts |= {
            "slot_error": errors.rate if errors.slots else None,
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
        print(f"perplexity            {result.perplexity:.3f} ({result.tokens:,} tokens)\n{last}")
    return 0


def _slot_errors(bot: Chatbot, acts: list[DialogueAct]) -> SlotError:
    from ...metrics import slot_error

    return slot_error(acts, [utterance.template for utterance in bot.speak_all(acts)])


def add_rank(verb: Any) -> None:
    """Adds the arguments of `rank`."""
    from ...models import Chatbot

    add_model(verb)
    verb.add_argument("text", metavar="TEXT", help="the last turn, or several on lines of their own")
    verb.add_argument("answers", metavar="ANSWER", nargs="+", help="the answers to rank")
    prior = defaults_of(Chatbot.rank)["prior"]
    doc = "weight of an answer's own probability, by which common answers rank lower"
    add_option(verb, "prior", doc, prior, type=real(0, 1), metavar="P")
    add_option(verb, "n_best", "number of answers", None, default_doc="all", type=whole(1), metavar="N")
    add_json(verb, "JSON, one object per answer")


def rank(arguments: argparse.Namespace) -> int:
    """Prints answers with their scores, the best first."""
    turns = [line for line in arguments.text.split("\n") if line.strip()]
    if not turns:
        raise CommandError("TEXT: expected some text, got none")
    ranked = _load(arguments.model).rank(turns, arguments.answers, **given(arguments, ["prior"]))
    for answer in ranked[: given(arguments, ["n_best"]).get("n_best")]:
        if arguments.json:
            print_json(asdict(answer))
        else:
            print(f"{answer.score:.4f}\t{answer.text}")
    return 0


def add_speak(verb: Any) -> None:
    """Adds the arguments of `speak`."""
    add_model(verb)
    verb.add_argument(
        "acts", metavar="ACT", nargs="*", help="a dialogue act; without any, lines of standard input"
    )
    add_encoding(verb)
    add_json(verb, "JSON with slot errors, one object per act")


def speak(arguments: argparse.Namespace) -> int:
    """Prints a sentence for each dialogue act."""
    bot = _load(arguments.model)
    for act in arguments.acts or input_lines("act> ", arguments.encoding):
        said = bot.speak(act) if act.strip() else None
        if not arguments.json:
            print("" if said is None else said, flush=True)
        elif said is None:
            print_json({"act": act, "text": ""})
        else:
            facts = {"missing": said.missing, "redundant": said.redundant, "log_prob": said.log_prob}
            print_json({"act": act, "text": said.text, **facts})
    return 0


def add_tune(verb: Any) -> None:
    """Adds the arguments of `tune`."""
    add_model(verb, updates=True)
    add_dialogues(verb)
    reads(
        verb.add_argument(
            "--unanswerable", metavar="FILE", help="lines to which the bot's own answer is always wrong"
        )
    )
    add_json(verb)


def tune(arguments: argparse.Namespace) -> int:
    """Sets the bot's threshold by held-out dialogues, and saves it."""
    from ... import modelfile
    from ...data import read_dialogues
    from ...models import Chatbot

    file = modelfile.load(arguments.model, Chatbot.KIND)
    bot = Chatbot.from_file(file, arguments.model)
    encoding = arguments.encoding
    lines = read_lines(arguments.unanswerable, encoding) if arguments.unanswerable else []
    dialogues = read_dialogues(arguments.file, encoding=encoding)
    found = bot.tune_threshold(dialogues, [line for line in lines if line.strip()])
    # A checkpoint stays one: only the configuration changes.
    modelfile.save(arguments.model, replace(file, config=bot.checkpoint_contents().config))
    if arguments.json:
        print_json({"model": arguments.model, **asdict(found)})
    else:
        print(found)
    say(f"next: rnnrs chat talk {shlex.quote(arguments.model)}")
    return 0
