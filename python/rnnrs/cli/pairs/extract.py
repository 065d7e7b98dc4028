"""`rnnrs summarize train --extract`, and `evaluate` and `run` of a model that chooses sentences."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...files import write_atomically
from ...reading import STANDARD_INPUT, read_text
from ..common import CommandError, joined_text, print_json, reads, real, say, whole, writes
from ..options import given, vocabulary_given
from ..training import check_files, fit_or_stop, report, started, tell_unknown
from ..validation import examples, held_out, seed_of, validation_of
from ..writing import SEARCH, search_of
from .files import Pairs, read

if TYPE_CHECKING:
    from ...models import Extract, ExtractiveSummarizer, Summarizer

#: The sizes that the model has, of those of the other summarizer.
SIZES = ("cell", "embedding_size", "hidden_size", "dropout")

#: The options of the other summarizer that this one does not have.
_OTHERS = ("layers", "attention", "recurrent_dropout", "label_smoothing", "tied", "copy", "level")

#: The ways to say how long a summary is.
LENGTHS = ("sentences", "words", "share")


def add_train(verb: Any) -> None:
    """Adds the option that selects this summarizer."""
    verb.add_argument(
        "--extract",
        action="store_true",
        help="learn to choose sentences of the text instead of writing a line; see docs/extractive.md",
    )


def add_run(verb: Any) -> None:
    """Adds the options of `run`."""
    group = add_lengths(verb, "3")
    group.add_argument("--why", action="store_true", help="with --json and --html: the parts of each score")
    writes(group.add_argument("--html", metavar="PAGE", help="write the text with the kept sentences marked"))
    then = "write a line from what was kept, with this model of one-line summaries"
    reads(group.add_argument("--then", metavar="MODEL", help=then))


def add_lengths(verb: Any, default: str) -> Any:
    """Adds the options of a summary's length.

    Args:
        verb: the parser.
        default: describes the number of sentences that are kept by default.

    Returns:
        The group, for further options.
    """
    group = verb.add_argument_group("summaries that choose sentences")
    length = group.add_mutually_exclusive_group()
    length.add_argument("--sentences", type=whole(1), metavar="N", help=f"how many to keep ({default})")
    length.add_argument("--words", type=whole(1), metavar="N", help="the most words to keep")
    share = "the share of the sentences to keep"
    length.add_argument("--share", type=real(0, 1, above=True), metavar="P", help=share)
    return group


def train(arguments: argparse.Namespace, advice: Sequence[str], share: float, shown: int) -> int:
    """Trains and saves a model, and prints its scores on held-out pairs.

    Args:
        arguments: the command line.
        advice: the commands to type next, with {model} for the file.
        share: the share that is held out by default.
        shown: the number of held-out examples that are shown by default.
    """
    from ...models import ExtractiveSummarizer

    _refuse_others(arguments)
    checkpoint = check_files(arguments)
    model, settings = started(arguments, checkpoint, ExtractiveSummarizer)
    pairs, kept = _divided(arguments, seed_of(settings, ExtractiveSummarizer), share)
    if model is None:
        vocabulary = vocabulary_given(arguments, ExtractiveSummarizer, "word")
        sizes = given(arguments, [*SIZES, "seed"])
        model = ExtractiveSummarizer.from_pairs(pairs, vocabulary=vocabulary, **sizes)
    say(f"{model.parameters.size:,} parameters, {len(model.vocabulary):,} words", arguments.quiet)
    tell_unknown(arguments, [(model.vocabulary, [text for text, _ in pairs])])
    settings |= examples(arguments, shown, kept is not None)
    code = fit_or_stop(arguments, model, checkpoint, lambda **run: model.fit(pairs, kept, **settings, **run))
    if code:
        return code
    line, facts = None, None
    if kept is not None:
        result = model.evaluate(kept)
        facts = {"pairs": len(kept), **scores(result)}
        line = f"sentence F1 {result.sentences.f1:.3f}, {result.rouge} on {len(kept):,} held-out pairs"
    return report(arguments, model, line, facts, advice)


def _refuse_others(arguments: argparse.Namespace) -> None:
    """Checks that no option is given that only the other summarizer has.

    Raises:
        CommandError: if one is.
    """
    cleaning = [name for name in ("max_ratio", "unique") if getattr(arguments, name)]
    if any(word.partition("=")[0] == "--max-words" for word in arguments.argv):  # it has a default
        cleaning.append("max_words")
    for name in [*given(arguments, _OTHERS), *cleaning]:
        raise CommandError(f"--{name.replace('_', '-')}: has no meaning with --extract")


def _divided(arguments: argparse.Namespace, seed: int, share: float) -> tuple[Pairs, Pairs | None]:
    """Returns the pairs to train on and held-out ones.

    Raises:
        ValueError: for an explicit share that cannot be held out.
    """
    from ...models.base.validation import chosen, divided

    validation = validation_of(arguments, share, "files")
    pairs = _read(arguments, arguments.files)
    if validation.files:
        return pairs, _read(arguments, validation.files)

    def divide(part: float) -> tuple[Pairs, Pairs]:
        kept, out = divided("summarize train", len(pairs), part, seed, "pairs")
        return chosen(pairs, kept), chosen(pairs, out)

    return held_out(arguments, validation, pairs, divide)


def _read(arguments: argparse.Namespace, files: Sequence[str]) -> Pairs:
    """Returns pairs with text on both sides; whole texts have no words too many."""
    from ...models.extractive.fitting import usable

    pairs = read(arguments, files)
    kept = usable("summarize train", pairs)
    say(f"{' '.join(files)}: {len(kept):,} of {len(pairs):,} pairs kept", arguments.quiet)
    return kept


def scores(result: Any) -> dict[str, Any]:
    """Returns the scores of an evaluation for JSON."""
    return {
        "sentences": asdict(result.sentences),
        "rouge": asdict(result.rouge),
        "first_sentences": {"sentences": asdict(result.lead_sentences), "rouge": asdict(result.lead_rouge)},
        "nats_per_sentence": result.loss,
    }


def evaluate(arguments: argparse.Namespace, model: ExtractiveSummarizer) -> int:
    """Prints the scores on held-out pairs."""
    for name in given(arguments, SEARCH):
        raise CommandError(f"--{name.replace('_', '-')}: has no meaning with a model that chooses sentences")
    pairs = read(arguments, arguments.files)
    length = {name: getattr(arguments, name) for name in LENGTHS}
    result = model.evaluate(pairs, **length, **given(arguments, ["tokenize"]))
    if arguments.json:
        print_json({"files": arguments.files, "pairs": len(pairs), **scores(result)})
    else:
        print(result)
    return 0


def check_writer(arguments: argparse.Namespace) -> None:
    """Checks that no option is given that a model of one-line summaries does not have.

    Raises:
        CommandError: if one is.
    """
    for name in (*LENGTHS, "why", "html", "then"):
        if getattr(arguments, name, None):
            raise CommandError(f"--{name}: has no meaning with a model that writes one line")


def run(arguments: argparse.Namespace, model: ExtractiveSummarizer) -> int:
    """Prints the kept sentences of a text, a line each, or the line that is written from them."""
    if arguments.why and not (arguments.json or arguments.html):
        raise CommandError("--why: has no meaning without --json or --html")
    writer = _writer(arguments)
    text = joined_text(arguments.text) if arguments.text else _whole(arguments)
    length = {name: getattr(arguments, name) for name in LENGTHS}
    extract = model.summarize(text, **length, why=arguments.why)
    line = None
    if writer is not None:
        line = writer.summarize(str(extract), search_of(arguments, writer))
    if arguments.html:
        write_atomically(arguments.html, extract.to_html().encode("utf-8", "replace"))
        say(f"marked sentences: {arguments.html}")
    _print(arguments, extract, line)
    return 0


def _print(arguments: argparse.Namespace, extract: Extract, line: str | None) -> None:
    if arguments.json:
        written = {} if line is None else {"written": line}
        kept = [sentence.to_config() for sentence in extract]
        print_json({"source": extract.source, "summary": str(extract), "sentences": kept, **written})
    elif line is not None:
        print(line)
    else:
        for sentence in extract:
            print(" ".join(sentence.text.split()))


def _writer(arguments: argparse.Namespace) -> Summarizer | None:
    """Returns the model of `--then`.

    Raises:
        CommandError: for options of a writing model without one, or an attention to draw.
    """
    if arguments.plot:
        raise CommandError("--plot: has no meaning with a model that chooses sentences; --html marks them")
    if arguments.then is None:
        for name in given(arguments, [*SEARCH, "n_best"]):
            raise CommandError(f"--{name.replace('_', '-')}: has no meaning without --then")
        return None
    from ...models import Summarizer

    return Summarizer.load(arguments.then)


def _whole(arguments: argparse.Namespace) -> str:
    """Returns the text of a file or of standard input."""
    return read_text(arguments.file or STANDARD_INPUT, encoding=arguments.encoding)
