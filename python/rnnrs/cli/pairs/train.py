"""What the commands have in common that learn from pairs of texts: options, training."""

from __future__ import annotations

import argparse
import math
import shlex
from typing import TYPE_CHECKING, Any

from .common import CommandError, real, say, whole
from .pair_files import FORMS, Pairs, add_reading, clean, read
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
    share_held_out,
)

if TYPE_CHECKING:
    from ..models import PairEvaluation, TextToText

#: What `Seq2Seq` calls its sizes, and the commands their options.
SIZES = {
    "cell": "cell",
    "embedding_size": "embedding",
    "hidden_size": "hidden",
    "layers": "layers",
    "attention": "attention",
    "dropout": "dropout",
    "recurrent_dropout": "recurrent_dropout",
    "label_smoothing": "label_smoothing",
    "tied": "tied",
    "copy": "copy",
}
SETTINGS = TRAINING | {"patience": "patience"}


def add_train(
    verbs: Any, summary: str, epilog: str, *, max_words: int, sizes: dict[str, Any], words: int = 30_000
) -> Any:
    """The verb `train` with its options, which are the checkpoint's on --resume where not given.

    Args:
        verbs: of the command.
        summary: what it does.
        epilog: examples.
        max_words: how many a side may have.
        sizes: the application's `DEFAULTS`, over `Seq2Seq`'s, to tell of.
        words: its `WORDS`.
    """
    verb = verbs.add_parser(
        "train", help=summary, description=summary.capitalize() + ".", epilog=FORMS + "\n" + epilog
    )
    verb.add_argument("files", metavar="FILE", nargs="+", help="one file of pairs, or two of lines")
    add_output(verb)
    add_reading(verb, max_words)
    _add_model(verb, sizes, words)
    training = add_training(verb, batch=64, rate=1e-3)
    training.add_argument(
        "--patience", type=whole(1), metavar="N", help="stop after so many epochs without a better loss"
    )
    training.add_argument(
        "--validation",
        metavar="FILE|SHARE",
        nargs="+",
        default=["0.05"],
        help="pairs to judge on (one file or two), or the share of the pairs to hold out; 0: none (0.05)",
    )
    training.add_argument(
        "--examples",
        type=whole(0),
        metavar="N",
        default=2,
        help="held-out pairs to show after every epoch (%(default)s)",
    )
    add_checkpoints(verb)
    return verb


def add_evaluate(verbs: Any, summary: str, epilog: str) -> Any:
    """The verb `evaluate`."""
    verb = verbs.add_parser(
        "evaluate", help=summary, description=summary.capitalize() + ".", epilog=FORMS + "\n" + epilog
    )
    verb.add_argument("model", metavar="MODEL", help="a model's file")
    verb.add_argument("files", metavar="FILE", nargs="+", help="one file of pairs, or two of lines")
    verb.add_argument("--json", action="store_true", help="as JSON")
    add_reading(verb)
    return verb


def likelihood_facts(result: PairEvaluation) -> dict[str, Any]:
    """How well targets are predicted, as JSON's types."""
    perplexity = result.perplexity if math.isfinite(result.perplexity) else None  # JSON has no infinity
    return {"nats_per_token": result.loss, "perplexity": perplexity, "tokens": result.tokens}


def _add_model(verb: Any, sizes: dict[str, Any], words: int) -> None:
    model = verb.add_argument_group("the model")
    model.add_argument("--level", choices=("word", "subword"), help="what a token is (word)")
    model.add_argument(
        "--vocabulary", type=whole(3), metavar="V", help=f"the most tokens ({words} words, 8000 subwords)"
    )
    model.add_argument("--min-count", type=whole(1), metavar="N", help="leave out words that are rarer (2)")
    model.add_argument(
        "--lowercase", action="store_true", default=None, help="upper and lower case are the same"
    )
    model.add_argument("--cell", choices=("rnn", "lstm", "gru"), help=f"of the recurrence ({sizes['cell']})")
    for option, letter, what in (
        ("embedding", "I", "size of the embeddings"),
        ("hidden", "H", "size of the decoder's state"),
        ("layers", "N", "recurrent layers on top of each other, on both sides"),
    ):
        name = option if option == "layers" else f"{option}_size"
        model.add_argument(f"--{option}", type=whole(1), metavar=letter, help=f"{what} ({sizes[name]})")
    model.add_argument(
        "--attention",
        choices=("general", "dot", "additive"),
        help=f"how the source is looked at ({sizes['attention']})",
    )
    for option, what in (
        ("dropout", "of what goes into a layer"),
        ("recurrent-dropout", "of the state before W, the same for a text"),
        ("label-smoothing", "for all words but the wanted one"),
    ):
        default = sizes[option.replace("-", "_")]
        model.add_argument(f"--{option}", type=real(0), metavar="P", help=f"{what} ({default})")
    for option, what in (
        ("tied", "the target's embedding is the output layer's matrix, too"),
        ("copy", "words may be copied from the source"),
    ):
        state = "yes" if sizes[option] else "no"
        model.add_argument(f"--{option}", action=argparse.BooleanOptionalAction, help=f"{what} ({state})")


def train(
    arguments: argparse.Namespace,
    kind: type[TextToText],
    advice: str,
) -> int:
    """Trains, writes the model, says how good it is and what to do with it.

    Args:
        arguments: the command line.
        kind: the application's class.
        advice: the command to type next, with {model} for the file.
    """
    checkpoint = arguments.checkpoint or arguments.output
    check_files(arguments, checkpoint)
    pairs, held_out = _split(arguments)
    if arguments.resume:
        model, settings = _resumed(arguments, kind, checkpoint)
    else:
        model, settings = _new(arguments, kind, pairs), given(arguments, SETTINGS)
    say(f"{model.parameters.size:,} parameters, {_tokens(model)}", arguments.quiet)
    examples = 0 if arguments.quiet else arguments.examples
    code = fit_or_stop(
        arguments,
        model,
        checkpoint,
        lambda **more: model.fit(pairs, held_out, examples=examples, **settings, **more),
    )
    if code:
        return code
    if held_out:
        result = model.likelihood(held_out)
        print(
            f"{arguments.output}: perplexity {result.perplexity:.3f} on {len(held_out):,} held-out pairs "
            f"({result.loss:.4f} nats a token)"
        )
    else:
        print(f"{arguments.output}: trained")
    say(f"next: {advice.format(model=shlex.quote(arguments.output))}", arguments.quiet)
    return 0


def _tokens(model: TextToText) -> str:
    unit = {"char": "characters", "word": "words", "subword": "subwords"}[model.source_vocabulary.level]
    sizes = [f"{len(model.source_vocabulary):,}"]
    if not model.shared:
        sizes.append(f"{len(model.target_vocabulary):,}")
    return f"{' and '.join(sizes)} {unit}"


def _split(arguments: argparse.Namespace) -> tuple[Pairs, Pairs | None]:
    """The pairs to train on and those to judge on, cleaned, with a word on what was left out.

    Raises:
        CommandError: for a share outside 0..1, or if no pair is left.
    """
    pairs = clean(arguments, read(arguments, arguments.files), " ".join(arguments.files))
    share = share_held_out(arguments.validation, "files")
    if share is None:
        held_out = read(arguments, arguments.validation)
        return pairs, clean(arguments, held_out, " ".join(arguments.validation))
    training, kept = divided(len(pairs), share)
    return [pairs[i] for i in training], [pairs[i] for i in kept] or None


def _new(arguments: argparse.Namespace, kind: type[TextToText], pairs: Pairs) -> TextToText:
    options = given(arguments, SIZES | {"seed": "seed", "level": "level", "lowercase": "lowercase"})
    options |= given(arguments, {"vocabulary_size": "vocabulary"})
    if arguments.min_count is not None:
        if arguments.level == "subword":
            raise CommandError("--min-count: has no meaning with --level subword")
        options["min_count"] = arguments.min_count
    return kind.from_pairs(pairs, **options)


def _resumed(
    arguments: argparse.Namespace, kind: type[TextToText], checkpoint: str
) -> tuple[TextToText, dict[str, Any]]:
    """The checkpoint's model and settings; epochs and time limit may be new ones, the rest must stay.

    Raises:
        CommandError: if an option contradicts the checkpoint.
    """
    model = kind.load(checkpoint)
    if arguments.level not in (None, model.target_vocabulary.level):
        raise CommandError(
            f"{checkpoint}: was begun with level {model.target_vocabulary.level}, "
            f"which cannot become {arguments.level}"
        )
    return model, resumed(arguments, checkpoint, model, (SIZES, SETTINGS))
