"""`rnnrs lm train`."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any

from .common import CommandError, real, say, whole
from .training import (
    NETWORK,
    TRAINING,
    add_checkpoints,
    add_network,
    add_output,
    add_training,
    check_files,
    fit_or_stop,
    given,
    resumed,
)

if TYPE_CHECKING:
    from ..models import LanguageModel
    from ..models.language.fitting import FitSettings

_EXAMPLES = """\
The model's file is also the checkpoint: it is written at the end of every epoch and when you press Ctrl-C,
can be used at once, and the same command with --resume goes on from it.

examples:
  rnnrs lm train letters.txt -o letters.rnn
  rnnrs lm train sentences.txt -o keyboard.rnn --level word --lowercase --epochs 5
  rnnrs lm train *.txt -o big.rnn --hidden 512 --time-limit 600 --validation held-out.txt
  rnnrs lm train letters.txt -o letters.rnn --resume
"""


#: What the model calls its sizes, and the command its options.
_SIZES = NETWORK | {
    "embedding_size": "embedding",
    "activation": "activation",
    "row_dropout": "row_dropout",
    "tied": "tied",
    "cutoffs": "cutoffs",
}

#: What `LanguageModel.fit` calls its settings, and the command its options.
_SETTINGS = TRAINING | {
    "steps": "steps",
    "by_sentence": "by_sentence",
    "loss": "loss",
    "samples": "samples",
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
    add_output(verb)

    model = add_network(verb, hidden=256, cell="rnn")
    model.add_argument("--level", choices=("char", "word", "subword"), help="what a token is (char)")
    model.add_argument("--embedding", type=whole(1), metavar="I", help="size of the embedding (64)")
    model.add_argument(
        "--activation",
        choices=("tanh", "relu", "sigmoid", "identity", "saturated_linear"),
        help="of the hidden units (tanh)",
    )
    model.add_argument("--row-dropout", type=real(0), metavar="P", help="of whole tokens (0)")
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

    training = add_training(verb, batch=50)
    training.add_argument("--steps", type=whole(1), metavar="T", help="tokens to truncate BPTT after (50)")
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
    add_checkpoints(verb)


def run(arguments: argparse.Namespace) -> int:
    """Trains, writes the model, says how good it is and what to do with it."""
    checkpoint = arguments.checkpoint or arguments.output
    check_files(arguments, checkpoint)
    text, held_out = _texts(arguments)
    model, settings = _resumed(arguments, checkpoint) if arguments.resume else _new(arguments, text)
    say(f"{model.parameters.flat.size:,} parameters, {len(model.vocabulary):,} tokens", arguments.quiet)
    code = fit_or_stop(
        arguments,
        model,
        checkpoint,
        lambda **more: model.fit(text, held_out, **settings.to_config(), **more),
    )
    if code:
        return code
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


def _new(arguments: argparse.Namespace, text: str) -> tuple[LanguageModel, FitSettings]:
    """An untrained model as the command line describes it."""
    from ..models import LanguageModel
    from ..models.language.fitting import FitSettings

    level = arguments.level or "char"
    sizes = given(arguments, _SIZES)
    if arguments.seed is not None:
        sizes["seed"] = arguments.seed
    if arguments.tied and arguments.embedding is None:
        sizes["embedding_size"] = sizes.setdefault("hidden_size", 256)
    vocabulary = _vocabulary_options(arguments, level)
    model = LanguageModel.from_text(text, level=level, vocabulary=vocabulary, **sizes)
    return model, FitSettings(**given(arguments, _SETTINGS))


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
    from ..models.language.fitting import FitSettings

    model = LanguageModel.load(checkpoint)
    if arguments.level not in (None, model.vocabulary.level):
        raise CommandError(
            f"{checkpoint}: was begun with level {model.vocabulary.level}, which cannot become {arguments.level}"
        )
    return model, FitSettings(**resumed(arguments, checkpoint, model, (_SIZES, _SETTINGS)))
