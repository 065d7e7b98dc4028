"""`rnnrs chat train`: a chatbot from dialogues, or from dialogue acts and sentences."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..common import say
from ..options import add_sizes, add_vocabulary, defaults_of, given, vocabulary_given
from ..training import (
    add_checkpoints,
    add_output,
    add_training,
    check_files,
    fit_or_stop,
    report,
    started,
    tell_unknown,
)
from ..validation import add_validation, held_out, seed_of, validation_of
from . import assistant
from .files import FORMS, Dialogues, add_acts, add_dialogues, read

if TYPE_CHECKING:
    from ...models import Chatbot

EPILOG = (
    FORMS
    + assistant.FORMS
    + """
The model's file is also the checkpoint; the same command with --resume continues from it. With held-out dialogues,
it ends with the parameters of the lowest loss on them.

examples:
  rnnrs chat train dialogues.jsonl -o bot.rnn --validation 0.05
  rnnrs chat train faq.tsv -o bot.rnn --history 1 --time-limit 120
  rnnrs chat train acts.tsv -o hotel.rnn --acts --hidden-size 128
  rnnrs chat train --table restaurants.csv dialogues.json -o guide.rnn --validation 0.1
  rnnrs chat train --table hotels.db --domain hotels.json -o hotels.rnn
"""
)

#: The arguments of `Chatbot` that are options.
SIZES = ("history", "cell", "embedding_size", "hidden_size", "layers", "dropout")

#: The share that is held out by default.
SHARE = 0.0

#: The history of a bot that expresses dialogue acts: the act alone.
HISTORY_OF_ACTS = 1


def add(verb: Any) -> None:
    """Adds the arguments."""
    from ...models import Chatbot
    from ...models.base.options import argument_defaults

    add_dialogues(verb, optional=True)
    add_acts(verb)
    add_output(verb)
    assistant.add(verb)
    model = verb.add_argument_group("model")
    history = argument_defaults(Chatbot)["history"]
    add_sizes(
        model,
        Chatbot,
        SIZES,
        docs={
            "hidden_size": "size of the decoder's hidden state",
            "layers": "number of recurrent layers of encoder and decoder each",
        },
        default_docs={"history": f"{history}; with --acts {HISTORY_OF_ACTS}"},
    )
    add_vocabulary(model, Chatbot, Chatbot.from_dialogues)
    training = add_training(verb, Chatbot)
    doc = "held-out dialogues, or the share of the dialogues to hold out at random"
    add_validation(training, SHARE, doc, files="FILE")
    add_checkpoints(verb)


def run(arguments: argparse.Namespace) -> int:
    """Trains and saves a bot, and prints its perplexity on held-out dialogues."""
    from ...models import Chatbot

    assistant.check(arguments)
    if arguments.table is not None:
        return assistant.train(arguments)
    checkpoint = check_files(arguments)
    bot, settings = started(
        arguments, checkpoint, Chatbot, lambda m: {"history": m.history, "level": m.target_vocabulary.level}
    )
    dialogues, kept = _divided(arguments, seed_of(settings, Chatbot))
    if bot is None:
        bot = _new(arguments, dialogues)
    if arguments.acts:  # sentences about an act are exact: no noise, and nothing is taught
        settings = {"noise": 0.0, "forget": 0.0, "kept": 0} | settings
    words = f"{len(bot.source_vocabulary):,} and {len(bot.target_vocabulary):,} words"
    say(f"{bot.parameters.size:,} parameters, {words}, {len(dialogues):,} dialogues", arguments.quiet)
    turns = [[text for turns in dialogues for text in turns]] * 2
    tell_unknown(arguments, zip((bot.source_vocabulary, bot.target_vocabulary), turns, strict=True))
    code = fit_or_stop(arguments, bot, checkpoint, lambda **run: bot.fit(dialogues, kept, **settings, **run))
    return code or _report(arguments, bot, kept)


def _divided(arguments: argparse.Namespace, seed: int) -> tuple[Dialogues, Dialogues | None]:
    """Returns the dialogues to train on, and held-out ones.

    Raises:
        ValueError: for an explicit share that cannot be held out.
    """
    from ...models.base.validation import chosen, divided

    validation = validation_of(arguments, SHARE, "a file")
    dialogues, _ = read(arguments.file, arguments.acts, arguments.encoding)
    if validation.files:
        return dialogues, read(validation.files[0], arguments.acts, arguments.encoding)[0]

    def divide(share: float) -> tuple[Dialogues, Dialogues]:
        kept, out = divided("chat train", len(dialogues), share, seed, "dialogues")
        return chosen(dialogues, kept), chosen(dialogues, out)

    return held_out(arguments, validation, dialogues, divide)


def _new(arguments: argparse.Namespace, dialogues: Dialogues) -> Chatbot:
    """Returns an untrained bot.

    Raises:
        CommandError: for an option that the level's vocabulary does not have.
    """
    from ...models import Chatbot

    sizes: dict[str, Any] = {"history": HISTORY_OF_ACTS} if arguments.acts else {}
    sizes |= given(arguments, [*SIZES, "level", "seed"])
    level = sizes.get("level", defaults_of(Chatbot.from_dialogues)["level"])
    vocabulary = vocabulary_given(arguments, Chatbot, level)
    return Chatbot.from_dialogues(dialogues, vocabulary=vocabulary, **sizes)


def _report(arguments: argparse.Namespace, bot: Chatbot, kept: Dialogues | None) -> int:
    from ..writing import likelihood_facts

    line, facts = None, None
    if kept is not None:
        result = bot.evaluate(kept)
        facts = {"dialogues": len(kept), **likelihood_facts(result)}
        line = f"perplexity {result.perplexity:.3f} on {len(kept):,} held-out dialogues"
    verb = "speak" if arguments.acts else "talk"
    return report(arguments, bot, line, facts, [f"rnnrs chat {verb} {{model}}"])
