"""`rnnrs lm train`."""

from __future__ import annotations

import argparse
import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .common import CommandError, real, say, whole

if TYPE_CHECKING:
    from ..models import LanguageModel
    from ..models.fitting import FitSettings

_EXAMPLES = """\
The model's file is also the checkpoint: it is written at the end of every epoch and when you press Ctrl-C,
can be used at once, and the same command with --resume goes on from it.

examples:
  rnnrs lm train letters.txt -o letters.rnn
  rnnrs lm train sentences.txt -o keyboard.rnn --level word --lowercase --epochs 5
  rnnrs lm train *.txt -o big.rnn --hidden 512 --time-limit 600 --validation held-out.txt
  rnnrs lm train letters.txt -o letters.rnn --resume
"""


#: The options that are probabilities of dropout.
_RATES = {
    "dropout": "of what goes into a layer",
    "row-dropout": "of whole tokens",
    "recurrent-dropout": "of the state before W, the same for a sequence",
    "zoneout": "that a unit keeps its state",
    "weight-drop": "of the weights W",
}

#: What the model calls its sizes, and the command its options.
_SIZES = {
    "embedding_size": "embedding",
    "hidden_size": "hidden",
    "cell": "cell",
    "layers": "layers",
    "activation": "activation",
    **{option.replace("-", "_"): option.replace("-", "_") for option in _RATES},
    "layer_norm": "layer_norm",
    "tied": "tied",
    "cutoffs": "cutoffs",
}


def add(verbs: Any) -> None:
    """Adds the verb to the parser. Options without a default here are the checkpoint's on --resume."""
    verb = verbs.add_parser(
        "train",
        help="learn from texts",
        description="Trains a language model on texts.",
        epilog=_EXAMPLES,
    )
    verb.set_defaults(run=run)
    verb.add_argument(
        "files", metavar="FILE", nargs="+", help="a text, UTF-8; several are read one after the other"
    )
    verb.add_argument(
        "-o", "--output", metavar="MODEL", required=True, help="the file that the model is written to"
    )
    verb.add_argument("--force", action="store_true", help="replace a model that is there already")
    verb.add_argument("--quiet", action="store_true", help="no progress bar, no advice")

    model = verb.add_argument_group("the model")
    model.add_argument("--level", choices=("char", "word", "subword"), help="what a token is (char)")
    model.add_argument("--embedding", type=whole(1), metavar="I", help="size of the embedding (64)")
    model.add_argument("--hidden", type=whole(1), metavar="H", help="size of the hidden state (256)")
    model.add_argument("--cell", choices=("rnn", "lstm", "gru"), help="of the recurrence (rnn)")
    model.add_argument(
        "--layers", type=whole(1), metavar="N", help="recurrent layers on top of each other (1)"
    )
    model.add_argument(
        "--activation",
        choices=("tanh", "relu", "sigmoid", "identity", "saturated_linear"),
        help="of the hidden units (tanh)",
    )
    for option, what in _RATES.items():
        model.add_argument(f"--{option}", type=real(0), metavar="P", help=f"{what} (0)")
    model.add_argument(
        "--layer-norm", action="store_true", default=None, help="normalise the sums within the recurrence"
    )
    model.add_argument(
        "--tied",
        action="store_true",
        default=None,
        help="the embedding is the output layer's matrix, too (then I is H)",
    )
    model.add_argument(
        "--cutoffs",
        type=whole(1),
        nargs="+",
        metavar="C",
        help="an adaptive softmax: the most frequent C tokens, then clusters up to each further C and to V",
    )
    model.add_argument("--vocabulary", type=whole(3), metavar="V", help="the most tokens; words, subwords")
    model.add_argument("--min-count", type=whole(1), metavar="N", help="leave out words that are rarer (2)")
    model.add_argument("--lowercase", action="store_true", help="make words lower case")

    training = verb.add_argument_group("the training")
    training.add_argument("--epochs", type=whole(1), metavar="N", help="times through the text (10)")
    training.add_argument(
        "--time-limit", type=real(0, above=True), metavar="SECONDS", help="stop after this time"
    )
    training.add_argument("--batch", type=whole(1), metavar="B", help="sequences side by side (50)")
    training.add_argument("--steps", type=whole(1), metavar="T", help="tokens to truncate BPTT after (50)")
    training.add_argument(
        "--learning-rate", type=real(0, above=True), metavar="RATE", help="the highest (0.002)"
    )
    training.add_argument(
        "--clip", type=real(0, above=True), metavar="NORM", help="bound of the gradient's norm (1)"
    )
    training.add_argument(
        "--loss",
        choices=("full", "sampled", "nce"),
        help="what is brought down: over all tokens, or over a sample of them (full)",
    )
    training.add_argument("--samples", type=whole(1), metavar="K", help="tokens that a sample has (1024)")
    training.add_argument(
        "--by-sentence",
        action=argparse.BooleanOptionalAction,
        help="take each line for a sentence by itself (where lines look like it, but not for characters)",
    )
    training.add_argument(
        "--validation",
        metavar="FILE|SHARE",
        default="0.05",
        help="text to judge on, or the share of the text, at its end, to hold out; 0: none (%(default)s)",
    )
    training.add_argument("--seed", type=whole(0), metavar="N", help="of the first weights and the order (0)")

    stops = verb.add_argument_group("checkpoints")
    stops.add_argument("--resume", action="store_true", help="go on from the checkpoint in MODEL")
    stops.add_argument("--checkpoint", metavar="FILE", help="write checkpoints here instead (MODEL)")
    stops.add_argument("--checkpoint-every", type=whole(1), metavar="N", help="and also every N steps")


def run(arguments: argparse.Namespace) -> int:
    """Trains, writes the model, says how good it is and what to do with it."""
    checkpoint = arguments.checkpoint or arguments.output
    _check_files(arguments, checkpoint)
    text, held_out = _texts(arguments)
    model, settings = _resumed(arguments, checkpoint) if arguments.resume else _new(arguments, text)
    say(f"{model.parameters.flat.size:,} parameters, {len(model.vocabulary):,} tokens", arguments.quiet)
    before = _stamp(checkpoint)
    try:
        model.fit(
            text,
            held_out,
            **settings.to_config(),
            checkpoint=checkpoint,
            checkpoint_every=arguments.checkpoint_every,
            resume=checkpoint if arguments.resume else None,
            progress=not arguments.quiet,
        )
    except KeyboardInterrupt:
        if _stamp(checkpoint) == before:
            raise  # it came before the training began: there is nothing new to keep
        return _interrupted(arguments, model, checkpoint)
    model.save(arguments.output)
    if held_out:
        result = model.evaluate(held_out)
        print(
            f"{arguments.output}: perplexity {result.perplexity:.3f} on held-out text "
            f"({result.nats_per_token:.4f} nats a token, {result.bits_per_character:.3f} bits a character)"
        )
    else:
        print(f"{arguments.output}: trained")
    output = shlex.quote(arguments.output)
    say(f"next: rnnrs lm generate {output}\n      rnnrs lm suggest {output}", arguments.quiet)
    return 0


def _check_files(arguments: argparse.Namespace, checkpoint: str) -> None:
    """Refuses, before any work is done, what could not be written or would be lost."""
    from ..files import check_writable

    for path in dict.fromkeys((arguments.output, checkpoint)):
        check_writable(path)
        if os.path.exists(path) and not (arguments.force or arguments.resume):
            raise CommandError(f"{path}: exists; --resume goes on from its checkpoint, --force replaces it")
    if arguments.resume and not os.path.exists(checkpoint):
        raise CommandError(f"{checkpoint}: no checkpoint to resume from")


def _texts(arguments: argparse.Namespace) -> tuple[str, str | None]:
    """The text to train on and the one to judge on."""
    from ..text import read_text

    text = read_text(*arguments.files)
    try:
        share = float(arguments.validation)
    except ValueError:
        return text, read_text(arguments.validation)
    if not 0 <= share < 1:
        raise CommandError(
            f"--validation: expected a file or a share from 0, below 1, got {arguments.validation}"
        )
    cut = int(len(text) * (1 - share))
    cut = text.rfind("\n", cut // 2, cut) + 1 or cut  # a whole line, if there is a line end nearby
    if not text[cut:].strip() or not text[:cut].strip() or len(text) < 200:
        return text, None
    return text[:cut], text[cut:]


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings of the training that the command line has, by their names in `LanguageModel.fit`."""
    settings = {
        "epochs": arguments.epochs,
        "time_limit": arguments.time_limit,
        "batch_size": arguments.batch,
        "steps": arguments.steps,
        "learning_rate": arguments.learning_rate,
        "clip_norm": arguments.clip,
        "by_sentence": arguments.by_sentence,
        "seed": arguments.seed,
        "loss": arguments.loss,
        "samples": arguments.samples,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _new(arguments: argparse.Namespace, text: str) -> tuple[LanguageModel, FitSettings]:
    """An untrained model as the command line describes it."""
    from ..models import LanguageModel
    from ..models.fitting import FitSettings

    level = arguments.level or "char"
    sizes = _sizes(arguments)
    if arguments.seed is not None:
        sizes["seed"] = arguments.seed
    if arguments.tied and arguments.embedding is None:
        sizes["embedding_size"] = sizes.setdefault("hidden_size", 256)
    vocabulary = _vocabulary_options(arguments, level)
    model = LanguageModel.from_text(text, level=level, vocabulary=vocabulary, **sizes)
    return model, FitSettings(**_given(arguments))


def _sizes(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the command line says of the model."""
    given = {name: getattr(arguments, option) for name, option in _SIZES.items()}
    return {name: value for name, value in given.items() if value is not None}


def _vocabulary_options(arguments: argparse.Namespace, level: str) -> dict[str, Any]:
    """The options of the vocabulary's `build`.

    Raises:
        CommandError: for one that this kind of vocabulary has not.
    """
    names = {
        "char": {},
        "word": {"vocabulary": "max_size", "min_count": "min_count", "lowercase": "lowercase"},
        "subword": {"vocabulary": "size"},
    }[level]
    options = {}
    for option in ("vocabulary", "min_count", "lowercase"):
        if value := getattr(arguments, option):
            if option not in names:
                raise CommandError(f"--{option.replace('_', '-')}: has no meaning with --level {level}")
            options[names[option]] = value
    return options


def _resumed(arguments: argparse.Namespace, checkpoint: str) -> tuple[LanguageModel, FitSettings]:
    """The checkpoint's model and settings; epochs and time limit may be new ones, the rest must stay.

    Raises:
        CommandError: if an option contradicts the checkpoint.
    """
    from ..models import LanguageModel

    model = LanguageModel.load(checkpoint)
    if model.settings is None:
        raise CommandError(f"{checkpoint}: no checkpoint: the model has not been trained")
    before = {**model.settings.to_config(), **model.sizes, "level": model.vocabulary.level}
    given = _given(arguments)
    more = {"epochs": given.pop("epochs", None), "time_limit": given.pop("time_limit", None)}
    now = given | _sizes(arguments) | {"level": arguments.level}
    for name, value in now.items():
        if value is not None and value != before[name]:
            raise CommandError(
                f"{checkpoint}: was begun with {name} {before[name]}, which cannot become {value}"
            )
    return model, replace(
        model.settings, **{name: value for name, value in more.items() if value is not None}
    )


def _stamp(path: str) -> tuple[int, int] | None:
    """By which a file that was replaced is known."""
    if not os.path.exists(path):
        return None
    status = os.stat(path)
    return status.st_ino, status.st_mtime_ns


def _interrupted(arguments: argparse.Namespace, model: LanguageModel, checkpoint: str) -> int:
    if checkpoint != arguments.output:
        model.save(arguments.output)
    words = [word for word in arguments.argv if word not in ("--resume", "--force")]
    say(
        f"rnnrs: interrupted; {arguments.output} can be used as it is; "
        f"to go on: {shlex.join(['rnnrs', *words, '--resume'])}"
    )
    return 130
