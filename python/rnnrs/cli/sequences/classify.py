"""`rnnrs classify`: classes of time series or texts, from files and into files."""

from __future__ import annotations

import argparse
import csv
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .common import CommandError, VerbParser, print_json, say, whole
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
    from ..models import SequenceClassifier

_FORMS = """\
A FILE is of the UEA and UCR archives' format (.ts, .ts.gz), or CSV (also packed by gzip) of one of three forms:
  a row for each sequence: its values from left to right, and its label in the last column
  --by COLUMN: a row for each step; consecutive rows with the same cell in that column are a sequence
  --text COLUMN: a row for each text
"""
_TRAIN = (
    _FORMS
    + """
examples:
  rnnrs classify train vowels.ts -o vowels.rnn --epochs 60
  rnnrs classify train steps.csv -o gait.rnn --by trial --label activity --pooling mean
  rnnrs classify train reviews.csv -o mood.rnn --text review --label stars --level word --epochs 5
"""
)
_EVALUATE = """\
examples:
  rnnrs classify evaluate vowels.rnn held-out.ts
  rnnrs classify evaluate mood.rnn held-out.csv --text review --label stars --json
"""
_PREDICT = """\
prints CSV: the class of each sequence and its probability

examples:
  rnnrs classify predict vowels.rnn new.ts
  rnnrs classify predict mood.rnn new.csv --text review --label none --probabilities > classes.csv
"""

_SIZES = NETWORK | {"pooling": "pooling", "embedding_size": "embedding"}


def add(commands: Any) -> None:
    """Adds the group to the parser."""
    group = commands.add_parser("classify", help="classes of time series or texts: train, evaluate, predict")
    verbs = group.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=VerbParser)
    _add_train(verbs)
    for name, summary, epilog, run in (
        ("evaluate", "how many classes a model gets right", _EVALUATE, _evaluate),
        ("predict", "the classes of new sequences", _PREDICT, _predict),
    ):
        verb = verbs.add_parser(
            name, help=summary, description=summary.capitalize() + ".", epilog=_FORMS + "\n" + epilog
        )
        verb.set_defaults(run=run)
        verb.add_argument("model", metavar="MODEL", help="a model's file")
        verb.add_argument("file", metavar="FILE", help="sequences or texts")
        _add_reading(verb)
        if name == "evaluate":
            verb.add_argument("--json", action="store_true", help="as JSON")
        else:
            verb.add_argument(
                "--probabilities", action="store_true", help="of all classes, a column for each"
            )


def _add_train(verbs: Any) -> None:
    verb = verbs.add_parser(
        "train",
        help="learn from sequences with labels",
        description="Trains a classifier of sequences.",
        epilog=_TRAIN,
    )
    verb.set_defaults(run=_train)
    verb.add_argument("file", metavar="FILE", help="sequences or texts with labels")
    add_output(verb)
    _add_reading(verb)
    model = add_network(verb, hidden=64)
    model.add_argument(
        "--one-way", action="store_true", help="read from the beginning only, not from both ends"
    )
    model.add_argument(
        "--pooling",
        choices=("last", "mean", "max", "attention"),
        help="what becomes of a sequence's states (last)",
    )
    model.add_argument(
        "--level", choices=("char", "word", "subword"), help="what a token of a text is (char)"
    )
    model.add_argument("--embedding", type=whole(1), metavar="I", help="size of a token's embedding (64)")
    training = add_training(verb)
    training.add_argument(
        "--validation",
        metavar="FILE|SHARE",
        default="0.1",
        help="to judge on, or the share of the sequences to hold out; 0: none (%(default)s)",
    )
    add_checkpoints(verb)


def _add_reading(verb: Any) -> None:
    reading = verb.add_argument_group("the file")
    reading.add_argument("--label", metavar="COLUMN", help="the labels' (the last); none: there is none")
    reading.add_argument("--by", metavar="COLUMN", help="that tells sequences of several rows apart")
    reading.add_argument("--text", metavar="COLUMN", help="that of the texts")
    reading.add_argument("--columns", metavar="COLUMN", nargs="+", help="the values' (all the others)")
    reading.add_argument(
        "--no-header", action="store_true", help="the first row is data; columns are 0, 1, …"
    )
    reading.add_argument("--delimiter", default=",", help="what stands between cells (a comma); \\t: a tab")


class _Data(NamedTuple):
    """Sequences as a model takes them, and the names of their classes, where there are labels."""

    sequences: Sequence[Any]
    labels: list[str] | None
    size: int | None  #: I; None for texts


def _read(arguments: argparse.Namespace, path: str) -> _Data:
    """A file as the options say.

    Raises:
        CommandError: for options that the file's format has not.
        OSError, FormatError, ValueError: see `rnnrs.data`.
    """
    from ..data import read_csv_sequences, read_csv_texts, read_ts

    options = [name for name in ("label", "by", "text", "columns") if getattr(arguments, name) is not None]
    if path.endswith((".ts", ".ts.gz")):
        if options:
            raise CommandError(
                f"{path}: --{options[0]}: has no meaning with a .ts file, which names its parts"
            )
        data = read_ts(path)
    else:
        header = not arguments.no_header
        how: dict[str, Any] = {"header": header, "delimiter": arguments.delimiter.replace("\\t", "\t")}
        label: str | int | None = -1
        if arguments.label is not None:
            label = None if arguments.label == "none" else _column(arguments.label, header)
        if arguments.text is not None:
            if clash := [name for name in ("by", "columns") if name in options]:
                raise CommandError(f"--{clash[0]}: has no meaning with --text")
            return _Data(*read_csv_texts(path, _column(arguments.text, header), label, **how), None)
        columns = None if arguments.columns is None else [_column(c, header) for c in arguments.columns]
        by = None if arguments.by is None else _column(arguments.by, header)
        data = read_csv_sequences(path, label, by=by, columns=columns, **how)
    if data.labels is not None and not data.classes:
        raise CommandError(f"{path}: expected classes, got numbers to predict")
    sequences = [data.x[:length, b] for b, length in enumerate(data.lengths)]
    labels = None if data.labels is None else [data.classes[k] for k in data.labels]
    return _Data(sequences, labels, data.x.shape[2])


def _column(name: str, header: bool) -> str | int:
    """A column's name, or without a header its place.

    Raises:
        CommandError: for a name without a header.
    """
    if header:
        return name
    try:
        return int(name)
    except ValueError:
        raise CommandError(f"--no-header: expected a column's place, got {name!r}") from None


def _with_labels(data: _Data, path: str) -> list[str]:
    if data.labels is None:
        raise CommandError(f"{path}: expected labels, got none")
    return data.labels


def _train(arguments: argparse.Namespace) -> int:
    from ..models import SequenceClassifier

    checkpoint = arguments.checkpoint or arguments.output
    check_files(arguments, checkpoint)
    data, held_out = _split(arguments)
    labels = _with_labels(data, arguments.file)
    if arguments.resume:
        model = SequenceClassifier.load(checkpoint)
        settings = resumed(arguments, checkpoint, model, (_SIZES, TRAINING))
    else:
        model = _new(arguments, data, labels, held_out)
        settings = given(arguments, TRAINING)
    say(f"{model.parameters.flat.size:,} parameters, {len(model.classes)} classes", arguments.quiet)
    validation = (
        None if held_out is None else (held_out.sequences, _with_labels(held_out, arguments.validation))
    )
    code = fit_or_stop(
        arguments,
        model,
        checkpoint,
        lambda **more: model.fit(data.sequences, labels, validation=validation, **settings, **more),
    )
    if code:
        return code
    if validation is None:
        print(f"{arguments.output}: trained")
    else:
        result = model.evaluate(*validation)
        print(
            f"{arguments.output}: accuracy {result.accuracy:.1%} on {result.count:,} held-out sequences "
            f"({result.loss:.4f} nats a sequence)"
        )
    say(f"next: rnnrs classify predict {shlex.quote(arguments.output)} FILE", arguments.quiet)
    return 0


def _new(
    arguments: argparse.Namespace, data: _Data, labels: list[str], held_out: _Data | None
) -> SequenceClassifier:
    from ..models import SequenceClassifier

    sizes = given(arguments, _SIZES | {"seed": "seed"}) | {"bidirectional": not arguments.one_way}
    classes = sorted({*labels, *((held_out.labels if held_out else None) or ())})
    if data.size is not None:
        if arguments.level or arguments.embedding:
            raise CommandError(
                f"--{'level' if arguments.level else 'embedding'}: has no meaning without --text"
            )
        return SequenceClassifier(classes, input_size=data.size, **sizes)
    texts = SequenceClassifier.from_texts(data.sequences, classes, level=arguments.level or "char", **sizes)
    return texts


def _split(arguments: argparse.Namespace) -> tuple[_Data, _Data | None]:
    """What to train on, and what to judge on.

    Raises:
        CommandError: for a share outside 0..1.
    """
    import numpy as np

    data = _read(arguments, arguments.file)
    try:
        share = float(arguments.validation)
    except ValueError:
        return data, _read(arguments, arguments.validation)
    if not 0 <= share < 1:
        raise CommandError(
            f"--validation: expected a file or a share from 0, below 1, got {arguments.validation}"
        )
    count = int(len(data.sequences) * share)
    if not count:
        return data, None
    order = np.random.default_rng(arguments.seed or 0).permutation(len(data.sequences)).tolist()
    return _some(data, sorted(order[count:])), _some(data, sorted(order[:count]))


def _some(data: _Data, which: list[int]) -> _Data:
    labels = None if data.labels is None else [data.labels[i] for i in which]
    return _Data([data.sequences[i] for i in which], labels, data.size)


def _evaluate(arguments: argparse.Namespace) -> int:
    from ..models import SequenceClassifier

    model = SequenceClassifier.load(arguments.model)
    data = _read(arguments, arguments.file)
    result = model.evaluate(data.sequences, _with_labels(data, arguments.file))
    if arguments.json:
        print_json(
            {
                "file": arguments.file,
                "count": result.count,
                "accuracy": result.accuracy,
                "macro_f1": result.macro_f1,
                "nats": result.loss,
                "classes": list(result.classes),
                "confusion": result.confusion.tolist(),
            }
        )
        return 0
    print(f"accuracy  {result.accuracy:.4f}  ({result.count:,} sequences)")
    print(f"macro F1  {result.macro_f1:.4f}")
    print(f"nats      {result.loss:.4f}")
    width = max(map(len, result.classes))
    print(f"\n{'class':{width}}  count  recall  precision")
    for name, count, recall, precision in zip(
        result.classes, result.confusion.sum(axis=1), result.recall, result.precision, strict=True
    ):
        print(f"{name:{width}}  {count:5}  {recall:6.3f}  {precision:9.3f}")
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    from ..models import SequenceClassifier

    model = SequenceClassifier.load(arguments.model)
    p = model.predict_proba(_read(arguments, arguments.file).sequences)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["class", "probability", *(model.classes if arguments.probabilities else ())])
    for row in p:
        best = int(row.argmax())
        every = [f"{value:.6f}" for value in row] if arguments.probabilities else []
        out.writerow([model.classes[best], f"{row[best]:.6f}", *every])
    return 0
