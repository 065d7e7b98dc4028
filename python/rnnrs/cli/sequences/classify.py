"""`rnnrs classify`: classes of time series or texts."""

from __future__ import annotations

import argparse
import csv
import sys
from typing import TYPE_CHECKING, Any

from ..common import CommandError, Parser, add_json, add_model, add_verb, add_verbs, print_json, say
from ..options import RECURRENT, VOCABULARY, add_sizes, add_vocabulary, defaults_of, given, vocabulary_given
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
from .files import FORMS, Labeled, add_file, add_labeled, read_labeled

if TYPE_CHECKING:
    from ...models import ClassificationEvaluation, SequenceClassifier

_TRAIN = (
    FORMS
    + """
The model's file is also the checkpoint; the same command with --resume continues from it. With held-out sequences,
it ends with the parameters of the lowest loss on them.

examples:
  rnnrs classify train vowels.ts -o vowels.rnn --epochs 60
  rnnrs classify train steps.csv -o gait.rnn --by trial --label activity --pooling mean
  rnnrs classify train reviews.csv -o mood.rnn --text review --label stars --level word --epochs 5
"""
)
_EVALUATE = (
    FORMS
    + """
examples:
  rnnrs classify evaluate vowels.rnn held-out.ts
  rnnrs classify evaluate mood.rnn held-out.csv --text review --label stars --json
"""
)
_PREDICT = (
    FORMS
    + """
Prints CSV: the class of each sequence and its probability.

examples:
  rnnrs classify predict vowels.rnn new.ts
  rnnrs classify predict mood.rnn new.csv --text review --label none --probabilities > classes.csv
"""
)

#: The arguments of `SequenceClassifier` that are options.
SIZES = (*RECURRENT, "pooling", "embedding_size")

#: The share that is held out by default.
SHARE = 0.1


def add(group: Parser) -> None:
    """Adds the verbs."""
    verbs = add_verbs(group)
    add_verb(verbs, "train", "train a classifier on labeled sequences", _TRAIN, _add_train, _train)
    add_verb(verbs, "evaluate", "measure the accuracy of a model", _EVALUATE, _add_evaluate, _evaluate)
    add_verb(verbs, "predict", "predict the classes of new sequences", _PREDICT, _add_predict, _predict)


def _add_train(verb: Any) -> None:
    from ...models import SequenceClassifier

    add_file(verb, "sequences or texts with labels")
    add_output(verb)
    add_labeled(verb)
    model = verb.add_argument_group("model")
    add_sizes(
        model,
        SequenceClassifier,
        SIZES,
        docs={
            "embedding_size": "size of the tokens' embeddings",
            "hidden_size": "size of the hidden state in each direction",
        },
    )
    model.add_argument(
        "--unidirectional",
        "--one-way",
        dest="bidirectional",
        action="store_const",
        const=False,
        default=argparse.SUPPRESS,
        help="read forward only (by default in both directions)",
    )
    add_vocabulary(model, SequenceClassifier, SequenceClassifier.from_texts)
    training = add_training(verb, SequenceClassifier)
    doc = "held-out sequences, or the share of the sequences to hold out at random"
    add_validation(training, SHARE, doc, files="FILE")
    add_checkpoints(verb)


def _train(arguments: argparse.Namespace) -> int:
    """Trains and saves a model, and prints its accuracy on held-out sequences."""
    from ...models import SequenceClassifier

    checkpoint = check_files(arguments)
    model, settings = started(arguments, checkpoint, SequenceClassifier, _contents)
    validation = validation_of(arguments, SHARE, "a file")
    data = read_labeled(arguments, arguments.file).without_empty(arguments.file, arguments.quiet)
    data.classes_of(arguments.file)
    kept: Labeled | None
    if validation.files:
        kept = read_labeled(arguments, validation.files[0])
        kept = kept.without_empty(validation.files[0], arguments.quiet)
        kept.classes_of(validation.files[0])
    else:
        seed = seed_of(settings, SequenceClassifier)
        data, kept = held_out(arguments, validation, data, lambda share: _divided(data, share, seed))
    if model is None:
        model = _new(arguments, data, kept)
    labels = data.classes_of(arguments.file)
    say(f"{model.parameters.size:,} parameters, {len(model.classes)} classes", arguments.quiet)
    if model.vocabulary is not None:
        tell_unknown(arguments, [(model.vocabulary, data.sequences)])
    pair = None if kept is None else (kept.sequences, kept.labels or [])
    code = fit_or_stop(
        arguments,
        model,
        checkpoint,
        lambda **run: model.fit(data.sequences, labels, pair, **settings, **run),
    )
    return code or _report(arguments, model, kept)


def _contents(model: SequenceClassifier) -> dict[str, Any]:
    return {} if model.vocabulary is None else {"level": model.vocabulary.level}


def _divided(data: Labeled, share: float, seed: int) -> tuple[Labeled, Labeled]:
    from ...models.base.validation import divided

    kept, out = divided("classify train", len(data.sequences), share, seed, "sequences")
    return data.chosen(kept), data.chosen(out)


def _new(arguments: argparse.Namespace, data: Labeled, kept: Labeled | None) -> SequenceClassifier:
    """Returns an untrained model for all classes of the data.

    Raises:
        CommandError: for options of texts where there are none, or that the level's vocabulary does not have.
    """
    from ...models import SequenceClassifier

    sizes = given(arguments, [*SIZES, "bidirectional", "seed"])
    classes = sorted({*(data.labels or ()), *((kept.labels if kept else None) or ())})
    texts = given(arguments, ["level", "embedding_size", *VOCABULARY])
    if data.size is not None:
        if texts:
            raise CommandError(f"--{next(iter(texts)).replace('_', '-')}: has no meaning without --text")
        return SequenceClassifier(classes, input_size=data.size, **sizes)
    level = texts.get("level", defaults_of(SequenceClassifier.from_texts)["level"])
    vocabulary = vocabulary_given(arguments, SequenceClassifier, level)
    return SequenceClassifier.from_texts(data.sequences, classes, level=level, vocabulary=vocabulary, **sizes)


def _report(arguments: argparse.Namespace, model: SequenceClassifier, kept: Labeled | None) -> int:
    line, facts = None, None
    if kept is not None:
        result = model.evaluate(kept.sequences, kept.labels)
        facts = _facts(result)
        line = (
            f"accuracy {result.accuracy:.1%} on {result.count:,} held-out sequences "
            f"({result.loss:.4f} nats a sequence)"
        )
    return report(arguments, model, line, facts, ["rnnrs classify predict {model} FILE"])


def _add_reading(verb: Any) -> None:
    add_model(verb)
    add_file(verb, "sequences or texts")
    add_labeled(verb)


def _add_evaluate(verb: Any) -> None:
    _add_reading(verb)
    add_json(verb)


def _evaluate(arguments: argparse.Namespace) -> int:
    """Prints accuracy, F1, and recall and precision of each class."""
    from ...models import SequenceClassifier

    model = SequenceClassifier.load(arguments.model)
    data = read_labeled(arguments, arguments.file)
    result = model.evaluate(data.sequences, data.classes_of(arguments.file))
    if arguments.json:
        print_json({"file": arguments.file, **_facts(result)})
        return 0
    print(f"accuracy  {result.accuracy:.4f}  ({result.count:,} sequences)")
    print(f"macro F1  {result.macro_f1:.4f}")
    print(f"nats      {result.loss:.4f}")
    width = max(len(str(name)) for name in result.classes)
    print(f"\n{'class':{width}}  count  recall  precision")
    for name, count, recall, precision in zip(
        result.classes, result.confusion.sum(axis=1), result.recall, result.precision, strict=True
    ):
        print(f"{name!s:{width}}  {count:5}  {recall:6.3f}  {precision:9.3f}")
    return 0


def _facts(result: ClassificationEvaluation) -> dict[str, Any]:
    """Returns an evaluation for JSON."""
    return {
        "count": result.count,
        "accuracy": result.accuracy,
        "macro_f1": result.macro_f1,
        "nats": result.loss,
        "classes": result.classes,
        "confusion": result.confusion,
    }


def _add_predict(verb: Any) -> None:
    _add_reading(verb)
    verb.add_argument("--probabilities", action="store_true", help="also the probability of every class")
    add_json(verb, "JSON instead of CSV, one object per sequence")


def _predict(arguments: argparse.Namespace) -> int:
    """Prints the likeliest class of each sequence."""
    from ...models import SequenceClassifier

    model = SequenceClassifier.load(arguments.model)
    p = model.predict_proba(read_labeled(arguments, arguments.file).sequences)
    out = csv.writer(sys.stdout, lineterminator="\n")
    if not arguments.json:
        out.writerow(["class", "probability", *(model.classes if arguments.probabilities else ())])
    for row in p:
        best = int(row.argmax())
        if arguments.json:
            every = dict(zip(map(str, model.classes), row.tolist(), strict=True))
            more = {"probabilities": every} if arguments.probabilities else {}
            print_json({"class": model.classes[best], "probability": float(row[best]), **more})
        else:
            cells = [f"{value:.6f}" for value in row] if arguments.probabilities else []
            out.writerow([model.classes[best], f"{row[best]:.6f}", *cells])
    return 0
