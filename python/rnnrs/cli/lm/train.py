"""`rnnrs lm train`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..common import add_encoding, say
from ..options import (
    RECURRENT,
    add_sizes,
    add_vocabulary,
    given,
    vocabulary_given,
)
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
from ..validation import Validation, add_validation, held_out, seed_of, validation_of
from . import texts
from .verbs import evaluation_facts

if TYPE_CHECKING:
    from ...data.corpus import CorpusPart
    from ...models import LanguageModel
    from ...models.language.corpora import AnyText

EPILOG = """\
The model's file is also the checkpoint: it is written at the end of every epoch, every five minutes and at Ctrl-C,
can be used at once, and the same command with --resume continues from it, also after its end, with more --epochs.

FILE may also be a corpus that rnnrs lm prepare has made. A text of more than 33 million characters becomes one:
MODEL.corpus, which is not removed, so that --resume need not make it again. Its vocabulary is that of the whole text,
held-out lines included.

examples:
  rnnrs lm train letters.txt -o letters.rnn
  rnnrs lm train sentences.txt -o keyboard.rnn --level word --lowercase --epochs 5
  rnnrs lm train *.txt -o big.rnn --hidden-size 512 --time-limit 600 --validation held-out.txt
  rnnrs lm train letters.txt -o letters.rnn --resume
  rnnrs lm train new.txt -o mine.rnn --from letters.rnn --learning-rate 5e-4
"""

#: The arguments of `LanguageModel` that are options.
SIZES = (*RECURRENT, "embedding_size", "row_dropout", "tied", "cutoffs")

#: The share that is held out by default, and the shortest text, in characters, of which it is.
SHARE, SHORTEST = 0.05, 200


def add(verb: Any) -> None:
    """Adds the arguments."""
    from ...models import LanguageModel

    texts.add_texts(verb, "; or a corpus")
    verb.set_defaults(spools=True)  # so that all processes can read standard input
    add_encoding(verb)
    add_output(verb)
    model = verb.add_argument_group("model")
    add_sizes(
        model,
        LanguageModel,
        SIZES,
        docs={
            "tied": "the embedding is also the output layer's matrix; sets --embedding-size to --hidden-size"
        },
    )
    add_vocabulary(model, LanguageModel, LanguageModel.from_text)
    training = add_training(verb, LanguageModel)
    add_validation(
        training,
        SHARE,
        "held-out text, or the share of the text to hold out: random lines where every line is a separate sequence, "
        "else the end",
        files="FILE",
    )
    add_checkpoints(verb)


def run(arguments: argparse.Namespace) -> int:
    """Trains and saves a model, and prints its perplexity on held-out text."""
    from ...models import LanguageModel
    from ...models.language.fitting import reads_by_sentence

    checkpoint = check_files(arguments)
    model, settings = started(arguments, checkpoint, LanguageModel, lambda m: {"level": m.vocabulary.level})
    validation = validation_of(arguments, SHARE, "a file")
    level = model.vocabulary.level if model else texts.level_of(arguments)
    own = model.vocabulary if model else lambda: vocabulary_given(arguments, LanguageModel, level)
    found = texts.read(arguments, arguments.files, f"{arguments.output}.corpus", own, level)
    if not isinstance(found, str):
        level = found.vocabulary.level
    by_sentence = settings.get("by_sentence", model.by_sentence if model else None)
    by_sentence = settings["by_sentence"] = reads_by_sentence(level, found, by_sentence)
    whole = found if isinstance(found, str) else found.sentences() if by_sentence else found.stream()
    text, kept = _divided(arguments, validation, whole, settings)
    if model is None:
        model = _new(arguments, text, level)
    held_out_text: AnyText | None = kept
    if validation.files:
        folder = f"{arguments.output}.validation.corpus"
        held_out_text = texts.read(arguments, validation.files, folder, model.vocabulary)
    say(f"{model.parameters.size:,} parameters, {len(model.vocabulary):,} tokens", arguments.quiet)
    tell_unknown(arguments, [(model.vocabulary, [text] if isinstance(text, str) else text)])
    code = fit_or_stop(
        arguments, model, checkpoint, lambda **run: model.fit(text, held_out_text, **settings, **run)
    )
    return code or _report(arguments, model, held_out_text)


def _divided(
    arguments: argparse.Namespace, validation: Validation, text: str | CorpusPart, settings: dict[str, Any]
) -> tuple[str | CorpusPart, str | CorpusPart | None]:
    """Returns the text to train on, and the held-out share of it.

    Raises:
        ValueError: for an explicit share that cannot be held out.
    """
    from ...models import LanguageModel
    from ...models.language.fitting import hold_out

    if validation.files:
        return text, None
    if not validation.explicit and isinstance(text, str) and len(text) < SHORTEST:
        say(f"rnnrs: no held-out data: the text has {len(text)} characters", arguments.quiet)
        return text, None

    def divide(share: float) -> tuple[str | CorpusPart, str | CorpusPart]:
        seed = seed_of(settings, LanguageModel)
        kept, out = hold_out("lm train", text, share, settings["by_sentence"], seed)
        assert out is not None  # the share is above 0
        return kept, out

    return held_out(arguments, validation, text, divide)


def _new(arguments: argparse.Namespace, text: str | CorpusPart, level: str) -> LanguageModel:
    """Returns an untrained model.

    Raises:
        CommandError: for an option that the level's vocabulary does not have.
    """
    from ...models import LanguageModel
    from ...models.base.options import argument_defaults

    sizes = given(arguments, [*SIZES, "seed"])
    if sizes.get("tied") and "embedding_size" not in sizes:
        sizes["embedding_size"] = (argument_defaults(LanguageModel) | sizes)["hidden_size"]
    vocabulary = vocabulary_given(arguments, LanguageModel, level)
    if isinstance(text, str):
        return LanguageModel.from_text(text, level=level, vocabulary=vocabulary, **sizes)
    return LanguageModel(text.corpus.vocabulary, **sizes)


def _report(arguments: argparse.Namespace, model: LanguageModel, kept: AnyText | None) -> int:
    line, facts = None, None
    if kept is not None:
        result = model.evaluate(kept)
        facts = evaluation_facts(result)
        line = (
            f"perplexity {result.perplexity:.3f} on held-out text "
            f"({result.nats_per_token:.4f} nats a token, {result.bits_per_character:.3f} bits a character)"
        )
    advice = ["rnnrs lm generate {model}", "rnnrs lm suggest {model}"]
    return report(arguments, model, line, facts, advice)
