"""`rnnrs translate train` and `rnnrs summarize train`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
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
from ..validation import add_validation, examples, held_out, seed_of, validation_of
from ..writing import likelihood_facts
from .files import FORMS, Pairs, add_cleaning, add_files, add_reading, read_clean

if TYPE_CHECKING:
    from ...models import TextToText

#: The arguments of the applications that are options.
SIZES = (
    "cell",
    "embedding_size",
    "hidden_size",
    "layers",
    "attention",
    "dropout",
    "recurrent_dropout",
    "label_smoothing",
    "tied",
    "copy",
)

#: The share that is held out by default, and the number of held-out examples that are shown.
SHARE, EXAMPLES = 0.05, 2


def epilog(examples: str) -> str:
    """Returns the end of the help: the forms of files, checkpoints, and examples."""
    return f"""{FORMS}
The model's file is also the checkpoint: it is written at the end of every epoch, every five minutes and at Ctrl-C,
can be used at once, and the same command with --resume continues from it, also after its end, with more --epochs.
With held-out pairs, it ends with the parameters of the lowest loss on them.

{examples}"""


def add(verb: Any, cls: type[TextToText], max_words: int) -> None:
    """Adds the arguments.

    Args:
        verb: the parser.
        cls: the application.
        max_words: the command's default of `--max-words`.
    """
    add_files(verb)
    add_output(verb)
    add_reading(verb)
    add_cleaning(verb, max_words)
    model = verb.add_argument_group("model")
    add_sizes(
        model,
        cls,
        SIZES,
        docs={
            "hidden_size": "size of the decoder's hidden state",
            "layers": "number of recurrent layers of encoder and decoder each",
            "recurrent_dropout": "dropout rate of the state before W, one mask per text",
            "tied": "the targets' embedding is also the output layer's matrix",
        },
    )
    add_vocabulary(model, cls, cls.from_pairs)
    training = add_training(verb, cls, examples=EXAMPLES)
    doc = "held-out pairs, one file or two, or the share of the pairs to hold out at random"
    add_validation(training, SHARE, doc, files="FILE", nargs="+")
    add_checkpoints(verb)


def run(arguments: argparse.Namespace, cls: type[TextToText], advice: Sequence[str]) -> int:
    """Trains and saves a model, and prints its perplexity on held-out pairs.

    Args:
        arguments: the command line.
        cls: the application.
        advice: the commands to type next, with {model} for the file.
    """
    checkpoint = check_files(arguments)
    model, settings = started(arguments, checkpoint, cls, lambda m: {"level": m.target_vocabulary.level})
    pairs, kept = _divided(arguments, seed_of(settings, cls))
    if model is None:
        model = _new(arguments, cls, pairs)
    say(f"{model.parameters.size:,} parameters, {_tokens(model)}", arguments.quiet)
    sides = zip((model.source_vocabulary, model.target_vocabulary), zip(*pairs, strict=True), strict=True)
    tell_unknown(arguments, sides)
    settings |= examples(arguments, EXAMPLES, kept is not None)
    code = fit_or_stop(arguments, model, checkpoint, lambda **run: model.fit(pairs, kept, **settings, **run))
    if code:
        return code
    line, facts = None, None
    if kept is not None:
        result = model.likelihood(kept)
        facts = {"pairs": len(kept), **likelihood_facts(result)}
        line = (
            f"perplexity {result.perplexity:.3f} on {len(kept):,} held-out pairs "
            f"({result.loss:.4f} nats a token)"
        )
    return report(arguments, model, line, facts, advice)


def _tokens(model: TextToText) -> str:
    sizes = [f"{len(model.source_vocabulary):,}"]
    if not model.shared:
        sizes.append(f"{len(model.target_vocabulary):,}")
    return f"{' and '.join(sizes)} {model.source_vocabulary.level}s"


def _divided(arguments: argparse.Namespace, seed: int) -> tuple[Pairs, Pairs | None]:
    """Returns the pairs to train on and held-out ones, cleaned.

    Raises:
        CommandError: if no pair is left.
        ValueError: for an explicit share that cannot be held out.
    """
    from ...models.base.validation import chosen, divided

    validation = validation_of(arguments, SHARE, "files")
    pairs = read_clean(arguments, arguments.files)
    if validation.files:
        return pairs, read_clean(arguments, validation.files)

    def divide(share: float) -> tuple[Pairs, Pairs]:
        kept, out = divided(f"{arguments.command} train", len(pairs), share, seed, "pairs")
        return chosen(pairs, kept), chosen(pairs, out)

    return held_out(arguments, validation, pairs, divide)


def _new(arguments: argparse.Namespace, cls: type[TextToText], pairs: Pairs) -> TextToText:
    """Returns an untrained model.

    Raises:
        CommandError: for an option that the level's vocabulary does not have.
    """
    sizes = given(arguments, [*SIZES, "level", "seed"])
    level = sizes.get("level", defaults_of(cls.from_pairs)["level"])
    return cls.from_pairs(pairs, vocabulary=vocabulary_given(arguments, cls, level), **sizes)
