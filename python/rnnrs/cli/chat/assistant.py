"""`rnnrs chat train --table` and `evaluate`, `talk` of the result: an assistant over a table."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...errors import FormatError
from ...terminal import is_terminal
from ..common import CommandError, input_lines, print_json, reads, say, whole
from ..options import add_option, given
from ..training import check_files, fit_or_stop, report, started
from ..validation import seed_of, validation_of

if TYPE_CHECKING:
    from ...data import Records
    from ...models import Assistant, AssistantReply

FORMS = """\
With --table, an assistant over the rows of a table is trained instead. FILE then holds annotated dialogues as JSON: a
list, or one on each line, of lists of turns (or objects with "turns", or those of CamRest676):
  {"user": "Cheap food?", "system": "Which area?", "state": {"price": "cheap"}, "requests": [], "asks": ["area"]}
Without FILE, it learns from generated dialogues in English. DOMAIN is a JSON object; all of it may be left out:
  {"key": "name", "slots": ["area"], "requests": ["phone"], "noun": "restaurant",
   "said": {"area": ["part of town"]}, "synonyms": {"area": {"centre": ["downtown"]}}, "values": {"area": ["north"]},
   "rules": [["opening hours", "Please call {phone}."]], "sentences": {"more": "Anything else?"}}
"""

#: The sizes of a chatbot that an assistant also has.
SIZES = ("embedding_size", "hidden_size", "dropout")

#: The options of a chatbot that an assistant does not have.
_OTHERS = ("history", "cell", "layers", "level", "max_size", "lowercase", "noise", "forget", "kept", "acts")

#: The options that only an assistant has.
OPTIONS = ("table_name", "domain", "generated")


def add(verb: Any) -> None:
    """Adds the options of an assistant."""
    from ...models import Assistant
    from ...models.base.options import argument_defaults

    group = verb.add_argument_group("assistant")
    reads(group.add_argument("--table", metavar="TABLE", help="rows to look up: CSV, TSV, JSON or SQLite"))
    group.add_argument("--table-name", metavar="NAME", help="the table of an SQLite file with several")
    reads(
        group.add_argument("--domain", metavar="DOMAIN", help="use and names of the columns, rules, as JSON")
    )
    doc = "generated dialogues that are learned from, too"
    add_option(group, "generated", doc, argument_defaults(Assistant)["generated"], type=whole(0), metavar="N")


def check(arguments: argparse.Namespace) -> None:
    """Checks which options were given.

    Raises:
        CommandError: for one that has no meaning with, or without, a table.
    """
    names = OPTIONS if arguments.table is None else _OTHERS
    word = "without" if arguments.table is None else "with"
    for name, value in given(arguments, names).items():
        if value not in (None, False):
            raise CommandError(f"--{name.replace('_', '-')}: has no meaning {word} --table")
    if arguments.table is None and arguments.file is None:
        raise CommandError("FILE: expected dialogues, got none (--table needs none)")


def train(arguments: argparse.Namespace) -> int:
    """Trains and saves an assistant, and prints its result on held-out dialogues."""
    from ...data import read_annotated_dialogues
    from ...models import Assistant
    from ...models.base.validation import chosen, divided

    checkpoint = check_files(arguments)
    bot, settings = started(arguments, checkpoint, Assistant)
    table, encoding = _table(arguments), arguments.encoding
    dialogues = (
        None if arguments.file is None else read_annotated_dialogues(arguments.file, encoding=encoding)
    )
    validation, kept = validation_of(arguments, 0.0, "a file"), None
    if validation.files:
        kept = read_annotated_dialogues(validation.files[0], encoding=encoding)
    elif validation.share and dialogues is None:
        raise CommandError("--validation: expected a file without dialogues, got a share")
    elif validation.share and dialogues is not None:
        rest, out = divided(
            "chat train", len(dialogues), validation.share, seed_of(settings, Assistant), "dialogues"
        )
        dialogues, kept = chosen(dialogues, rest), chosen(dialogues, out)
    if bot is None:
        bot = _new(arguments, table, dialogues)
    count = "generated" if dialogues is None else f"{len(dialogues):,}"
    slots = ", ".join(bot.domain.slots)
    say(
        f"{bot.parameters.size:,} parameters, {len(table):,} rows, slots {slots}; {count} dialogues",
        arguments.quiet,
    )
    code = fit_or_stop(arguments, bot, checkpoint, lambda **run: bot.fit(dialogues, kept, **settings, **run))
    return code or _report(arguments, bot, kept)


def _table(arguments: argparse.Namespace) -> Records:
    from ...data import read_records

    return read_records(arguments.table, table=arguments.table_name, encoding=arguments.encoding)


def _new(arguments: argparse.Namespace, table: Records, dialogues: Any) -> Assistant:
    """Returns an untrained assistant.

    Raises:
        FormatError: for a domain that is not a JSON object, or has values of a wrong type.
    """
    from ...models import Assistant
    from ...reading import name_of, read_text

    domain: dict[str, Any] = {}
    if arguments.domain is not None:
        try:
            domain = json.loads(read_text(arguments.domain, arguments.encoding))
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{name_of(arguments.domain)}: expected a JSON object: {error}") from None
        if not isinstance(domain, dict):
            raise FormatError(
                f"{name_of(arguments.domain)}: expected a JSON object, got {type(domain).__name__}"
            )
    others = {name: domain.pop(name) for name in ("rules", "sentences") if name in domain}
    sizes = given(arguments, [*SIZES, "generated", "seed"])
    try:
        return Assistant.from_dialogues(
            table, dialogues, domain=domain, vocabulary=given(arguments, ["min_count"]), **others, **sizes
        )
    except TypeError as error:  # a value of a wrong type comes from the file
        raise FormatError(f"{name_of(arguments.domain or arguments.table)}: {error}") from error


def _report(arguments: argparse.Namespace, bot: Assistant, kept: Any) -> int:
    line, facts = None, None
    if kept is not None:
        result = bot.evaluate(kept)
        facts = asdict(result)
        line = (
            f"joint goal {result.joint_goal:.1%}, BLEU {result.bleu:.3f} on {len(kept):,} held-out dialogues"
        )
    return report(arguments, bot, line, facts, ["rnnrs chat talk {model}"])


def is_one(path: str) -> bool:
    """Returns whether a file holds an assistant.

    Raises:
        OSError, FormatError: if it cannot be read.
    """
    from ... import modelfile
    from ...models import Assistant

    return modelfile.load(path).kind == Assistant.KIND


def evaluate(arguments: argparse.Namespace) -> int:
    """Prints how well an assistant's states and answers agree with annotated dialogues."""
    from ...data import read_annotated_dialogues
    from ...models import Assistant

    if arguments.acts:
        raise CommandError("--acts: has no meaning for an assistant")
    bot = Assistant.load(arguments.model)
    result = bot.evaluate(read_annotated_dialogues(arguments.file, encoding=arguments.encoding))
    if arguments.json:
        print_json({"file": arguments.file, **asdict(result)})
    else:
        print(result)
    return 0


def talk(arguments: argparse.Namespace) -> int:
    """Prints an answer for each line."""
    from ...models import Assistant

    for name in ("threshold", "who", "allow_teaching"):
        if getattr(arguments, name, None):
            raise CommandError(f"--{name.replace('_', '-')}: has no meaning for an assistant")
    session, person = Assistant.load(arguments.model).session(), is_terminal(sys.stdin)
    if person:
        say("/reset forgets the conversation, /quit ends it")
    for line in input_lines("you> ", arguments.encoding):
        word = line.strip()
        if word == "/quit":
            break
        if word == "/reset" or (not word and not person):
            session.reset()
            say("a new conversation", quiet=not person)
            if not person:
                print(flush=True)
        elif word:
            reply = session.say(line)
            if arguments.json:
                print_json(_facts(reply))
            else:
                print(f"bot> {reply}" if person else reply, flush=True)
    return 0


def _facts(reply: AssistantReply) -> dict[str, Any]:
    """Returns a reply as JSON types."""
    return {
        "text": reply.text,
        "act": reply.act,
        "state": dict(reply.state.values),
        "refused": [list(pair) for pair in reply.state.refused],
        "requests": list(reply.state.requests),
        "row": None if reply.row is None else dict(reply.row),
        "matches": reply.matches,
        "written": reply.written,
    }
