"""`rnnrs chat train`: a chatbot from dialogues, or from dialogue acts and sentences."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any

from .common import CommandError, real, say, whole
from .training import (
    TRAINING,
    add_checkpoints,
    add_output,
    add_training,
    check_files,
    divided,
    fit_or_stop,
    given,
    resumed,
)

if TYPE_CHECKING:
    from ..data import DialogueAct
    from ..models import Chatbot

FORMS = """\
FILE holds dialogues, the first turn of each a person's, the second the bot's, and so on; packed by gzip (.gz) or not:
  .jsonl, .json: in each line a list of turns, or an object with one as "turns"
  .tsv: in each line a dialogue, its turns between tabs
  others: a turn in each line, an empty line between dialogues
or, with --acts, in each line a dialogue act, a tab, and a sentence that says it
"""
_EXAMPLES = """\
The model's file is also the checkpoint; the same command with --resume goes on from it. In the end it holds the
parameters for which the loss on the held-out dialogues was lowest, where there are such.

examples:
  rnnrs chat train dialogues.jsonl -o bot.rnn --validation 0.05
  rnnrs chat train faq.tsv -o bot.rnn --history 1 --time-limit 120
  rnnrs chat train acts.tsv -o hotel.rnn --acts --hidden 128
"""

#: What the model calls its sizes, and the command its options.
SIZES = {
    "cell": "cell",
    "embedding_size": "embedding",
    "hidden_size": "hidden",
    "layers": "layers",
    "dropout": "dropout",
}
SETTINGS = TRAINING | {"patience": "patience"}
HIDDEN, EMBEDDING, DROPOUT, EPOCHS, HISTORY = 256, 128, 0.1, 30, 3

Dialogues = list[list[str]]


def add(verbs: Any) -> None:
    """Adds the verb."""
    verb = verbs.add_parser(
        "train",
        help="learn from dialogues",
        description="Trains a chatbot on dialogues.",
        epilog=FORMS + "\n" + _EXAMPLES,
    )
    verb.set_defaults(run=run)
    verb.add_argument("file", metavar="FILE", help="dialogues")
    verb.add_argument("--acts", action="store_true", help="the file holds dialogue acts and sentences")
    add_output(verb)
    model = verb.add_argument_group("the model")
    model.add_argument("--history", type=whole(1), metavar="N", help=f"turns that are read ({HISTORY})")
    model.add_argument("--min-count", type=whole(1), metavar="N", help="leave out words that are rarer (1)")
    model.add_argument("--cell", choices=("rnn", "lstm", "gru"), help="of the recurrence (gru)")
    model.add_argument("--embedding", type=whole(1), metavar="I", help=f"of the embeddings ({EMBEDDING})")
    model.add_argument("--hidden", type=whole(1), metavar="H", help=f"of the decoder's state ({HIDDEN})")
    model.add_argument("--layers", type=whole(1), metavar="N", help="recurrent layers, on both sides (1)")
    model.add_argument("--dropout", type=real(0), metavar="P", help=f"of what goes into a layer ({DROPOUT})")
    training = add_training(verb, epochs=EPOCHS, rate=2e-3)
    training.add_argument(
        "--patience", type=whole(1), metavar="N", help="stop after so many epochs without a better loss"
    )
    training.add_argument(
        "--validation",
        type=real(0, 0.9),
        default=0.0,
        metavar="SHARE",
        help="share of the dialogues to hold out, and to end with the best parameters by; 0: none, all are learned "
        "(%(default)g)",
    )
    add_checkpoints(verb)


def read(arguments: argparse.Namespace) -> tuple[Dialogues, list[tuple[DialogueAct, str]]]:
    """Dialogues, and with --acts the acts that they were made of."""
    from ..data import act_dialogues, read_dialogue_acts, read_dialogues

    if not arguments.acts:
        return read_dialogues(arguments.file), []
    examples = read_dialogue_acts(arguments.file)
    if not examples:
        raise CommandError(f"{arguments.file}: expected dialogue acts, got an empty file")
    return act_dialogues(examples), examples


def run(arguments: argparse.Namespace) -> int:
    """Trains, writes the model, says how good it is and what to type next."""
    from ..models import Chatbot

    checkpoint = arguments.checkpoint or arguments.output
    check_files(arguments, checkpoint)
    dialogues, held_out = _split(read(arguments)[0], arguments.validation)
    if arguments.resume:
        bot = Chatbot.load(checkpoint)
        settings = _resumed(arguments, checkpoint, bot)
    else:
        bot, settings = _new(arguments, dialogues), given(arguments, SETTINGS)
        settings = {"batch_size": 32, "learning_rate": 2e-3} | settings
        if not {"epochs", "time_limit"} & set(settings):
            settings["epochs"] = EPOCHS
    if arguments.acts:  # what is written about an act is to be read as it stands
        settings |= {"noise": 0.0, "forget": 0.0}
    sizes = f"{len(bot.source_vocabulary):,} and {len(bot.target_vocabulary):,} words"
    say(f"{bot.parameters.size:,} parameters, {sizes}, {len(dialogues):,} dialogues", arguments.quiet)
    code = fit_or_stop(
        arguments, bot, checkpoint, lambda **more: bot.fit(dialogues, held_out, **settings, **more)
    )
    if code:
        return code
    if held_out:
        result = bot.evaluate(held_out)
        print(
            f"{arguments.output}: perplexity {result.perplexity:.3f} on {len(held_out):,} held-out dialogues"
        )
    else:
        print(f"{arguments.output}: trained")
    verb = "speak" if arguments.acts else "talk"
    say(f"next: rnnrs chat {verb} {shlex.quote(arguments.output)}", arguments.quiet)
    return 0


def _new(arguments: argparse.Namespace, dialogues: Dialogues) -> Chatbot:
    from ..models import Chatbot

    options: dict[str, Any] = {"embedding_size": EMBEDDING, "hidden_size": HIDDEN, "dropout": DROPOUT}
    options |= {"history": 1 if arguments.acts else HISTORY}
    options |= given(arguments, SIZES | {"history": "history", "min_count": "min_count", "seed": "seed"})
    return Chatbot.from_dialogues(dialogues, **options)


def _resumed(arguments: argparse.Namespace, checkpoint: str, bot: Chatbot) -> dict[str, Any]:
    """The checkpoint's settings; epochs and time limit may be new ones, the rest must stay.

    Raises:
        CommandError: if an option contradicts the checkpoint.
    """
    if arguments.history not in (None, bot.history):
        raise CommandError(
            f"{checkpoint}: was begun with history {bot.history}, which cannot become {arguments.history}"
        )
    return resumed(arguments, checkpoint, bot, (SIZES, SETTINGS))


def _split(dialogues: Dialogues, share: float) -> tuple[Dialogues, Dialogues | None]:
    """Dialogues to train on and those to judge on, drawn at random."""
    training, kept = divided(len(dialogues), share)
    return [dialogues[i] for i in training], [dialogues[i] for i in kept] or None
