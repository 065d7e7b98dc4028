"""`rnnrs caption train`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..common import CommandError, real, say, whole
from ..options import (
    add_option,
    add_sizes,
    add_vocabulary,
    defaults_of,
    given,
    shown,
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
from ..validation import add_validation, examples, held_out, seed_of, validation_of
from .files import FORMS, REGION_FORMS, Reader, add_captions
from .verbs import evaluation_facts, known_of

if TYPE_CHECKING:
    from ...data import DescribedPictures, RegionPictures
    from ...models import Captioner

    #: Pictures with their descriptions, or with their regions.
    Known = DescribedPictures | RegionPictures

EPILOG = (
    FORMS
    + REGION_FORMS
    + """
The model's file is also the checkpoint: it is written at the end of every epoch, every five minutes and at Ctrl-C,
can be used at once, and the same command with --resume continues from it, also after its end, with more --epochs.
With held-out pictures, it ends with the parameters of the lowest loss on them.

examples:
  rnnrs caption train album/descriptions.tsv -o album.rnn --epochs 30
  rnnrs caption train descriptions.jsonl --pictures photos -o album.rnn --picture-size 48 64 --time-limit 900
  rnnrs caption train texts.txt --pictures images.npz -o album.rnn
  rnnrs caption train texts.txt --pictures resnet-features.npy -o album.rnn
  rnnrs caption train descriptions.tsv --pictures photos --onnx resnet.onnx --onnx-output features -o album.rnn
  rnnrs caption train regions.tsv --regions --pictures photos -o places.rnn --epochs 30
  rnnrs caption train album/descriptions.tsv -o album.rnn --resume
"""
)

#: The arguments of `Captioner` that are options.
SIZES = (
    "picture_size",
    "channels",
    "convolutions",
    "regions",
    "cell",
    "embedding_size",
    "hidden_size",
    "layers",
    "attention",
    "dropout",
    "recurrent_dropout",
    "label_smoothing",
    "tied",
)

#: Y and X of pictures with regions, where no option says otherwise: their objects are a part of them.
REGION_SIZE = (96, 96)

#: The share that is held out by default, and the number of held-out examples that are shown.
SHARE, EXAMPLES = 0.05, 2

#: The parts of `Augmentation`: description, and how the command line reads them.
AUGMENTATION: dict[str, tuple[str, dict[str, Any]]] = {
    "shift": ("move by up to N pixels", {"type": whole(0), "metavar": "N"}),
    "noise": (
        "standard deviation of the noise added to colors from 0 to 1",
        {"type": real(0), "metavar": "P"},
    ),
    "crop": (
        "crop away up to this share of height and width, and enlarge the rest",
        {"type": real(0, 0.9), "metavar": "P"},
    ),
    "flip": ("mirror half of the pictures, where the description has no left and right or the like", {}),
}


def add(verb: Any) -> None:
    """Adds the arguments."""
    from ...models import Augmentation, Captioner

    add_captions(verb)
    add_output(verb)
    _add_model(verb)
    training = add_training(verb, Captioner, examples=EXAMPLES)
    doc = (
        "held-out pictures: a file of descriptions, and the place of its pictures if it is another; or the share of "
        "the pictures to hold out at random"
    )
    add_validation(training, SHARE, doc, files="CAPTIONS", nargs="+")
    changes = verb.add_argument_group(
        "augmentation: changes to the pictures in every epoch; none for features"
    )
    defaults = defaults_of(Augmentation)
    for name, (doc, reading) in AUGMENTATION.items():
        add_option(changes, name, doc, defaults[name], **reading)
    add_checkpoints(verb)


def _add_model(verb: Any) -> None:
    from ...models import Captioner
    from ...models.base.options import argument_defaults
    from ...models.captions.network import default_channels

    model = verb.add_argument_group("model")
    size = argument_defaults(Captioner)["picture_size"]
    add_sizes(
        model,
        Captioner,
        SIZES,
        docs={
            "attention": "score of the attention; none: the picture is seen once, before the first word",
            "dropout": "dropout rate of the CNN's output and of each layer's input",
            "embedding_size": "size of the words' embeddings",
            "hidden_size": "size of the decoder's hidden state",
            "layers": "number of recurrent layers of the decoder",
            "recurrent_dropout": "dropout rate of the state before W, one mask per description",
            "tied": "the words' embedding is also the output layer's matrix",
        },
        default_docs={
            "channels": f"by the size; for {shown(size)}: {shown(default_channels(size))}",
            "picture_size": f"{shown(size)}; {shown(REGION_SIZE)} with --regions",
        },
    )
    add_vocabulary(model, Captioner, Captioner.from_pairs)


def run(arguments: argparse.Namespace) -> int:
    """Trains and saves a model, and prints the scores on held-out pictures."""
    from ...models import Captioner

    checkpoint = check_files(arguments)
    parts = {"augmentation": tuple(AUGMENTATION)}
    model, settings = started(arguments, checkpoint, Captioner, _contents, parts)
    reader = Reader(arguments, model, _size(arguments))
    reads_regions = model.regions if model is not None else getattr(arguments, "regions", False)
    found, kept = _divided(arguments, reader, seed_of(settings, Captioner), reads_regions)
    if model is None:
        model = _new(arguments, found, reader.size if reader.features or reads_regions else None)
    if not arguments.resume:
        settings["augmentation"] = _augmentation(arguments, model)
    tell_unknown(arguments, [(model.vocabulary, _texts(found))])
    tokens = f"{len(model.vocabulary):,} {model.vocabulary.level}s"
    say(f"{model.parameters.size:,} parameters, {tokens}", arguments.quiet)
    settings |= examples(arguments, EXAMPLES, kept is not None)
    validation = None if kept is None else (kept.pictures, known_of(kept))
    code = fit_or_stop(
        arguments,
        model,
        checkpoint,
        lambda **run: model.fit(found.pictures, known_of(found), validation, **settings, **run),
    )
    if code:
        return code
    line, facts = None, None
    if kept is not None:
        result = model.evaluate(kept.pictures, known_of(kept))
        line = f"on {len(kept):,} held-out pictures\n{result}"
        facts = {"pictures": len(kept), **evaluation_facts(result)}
    return report(arguments, model, line, facts, ["rnnrs caption describe {model} a-picture.png"])


def _size(arguments: argparse.Namespace) -> tuple[int, int] | None:
    """Returns the size of the pictures that the options determine; None for the API's default."""
    size = given(arguments, ["picture_size"]).get("picture_size")
    if size is not None:
        return size[0], size[1]
    return REGION_SIZE if getattr(arguments, "regions", False) else None


def _texts(found: Known) -> Iterator[str]:
    """Yields all descriptions, or phrases."""
    for own in known_of(found):
        for text in own:
            yield text if isinstance(text, str) else text.phrase


def _contents(model: Captioner) -> dict[str, Any]:
    return {"level": model.vocabulary.level}


def _divided(
    arguments: argparse.Namespace, reader: Reader, seed: int, regions: bool
) -> tuple[Known, Known | None]:
    """Returns the pictures to train on, and held-out ones.

    Raises:
        CommandError: for a --validation that is neither a share nor files.
        ValueError: for an explicit share that cannot be held out.
    """
    from ...models.base.validation import divided

    validation = validation_of(arguments, SHARE, "a file")
    if len(validation.files) > 2:
        raise CommandError(
            "--validation: expected a share, or a file and the place of its pictures, "
            f"got {len(validation.files)} words"
        )
    read = reader.regions if regions else reader.described
    found: Known = read(arguments.captions, arguments, arguments.pictures)
    say(f"{arguments.captions}: {found}", arguments.quiet)
    if validation.files:
        captions, *where = validation.files
        return found, read(captions, arguments, where[0] if where else arguments.pictures)

    def divide(share: float) -> tuple[Known, Known]:
        kept, out = divided("caption train", len(found), share, seed, "pictures")
        return found[kept], found[out]

    return held_out(arguments, validation, found, divide)


def _new(arguments: argparse.Namespace, found: Known, size: tuple[int, int] | None) -> Captioner:
    """Returns an untrained model for pictures, or for features, whichever the rows are.

    Args:
        arguments: the command line.
        found: the training data.
        size: the size of the pictures, where it is neither that of the rows nor the API's default.

    Raises:
        CommandError: for options that contradict each other.
    """
    from ...models import Captioner
    from .files import FEATURES_SIZE

    sizes = given(arguments, [*SIZES, "level", "seed"])
    rows = found.pictures
    if arguments.onnx is not None or rows.ndim != 4 or rows.shape[3] != 3:
        for name in ("channels", "convolutions", "picture_size"):
            if name in sizes and not (name == "picture_size" and arguments.onnx):
                raise _meaningless(name)
        sizes["picture_size"] = size or FEATURES_SIZE
        sizes["features"] = rows.shape[1:]
    elif size is not None:
        sizes["picture_size"] = size
    level = sizes.get("level", defaults_of(Captioner.from_pairs)["level"])
    vocabulary = vocabulary_given(arguments, Captioner, level)
    return Captioner.from_pairs(rows, known_of(found), vocabulary=vocabulary, **sizes)


def _augmentation(arguments: argparse.Namespace, model: Captioner) -> Any:
    """Returns the changes to pictures in every epoch; None for features.

    Raises:
        CommandError: for changes to features.
    """
    from ...models import Augmentation

    parts = given(arguments, AUGMENTATION)
    if model.features is None:
        return Augmentation(**parts)
    if parts:
        raise _meaningless(next(iter(parts)))
    return None


def _meaningless(name: str) -> CommandError:
    return CommandError(f"--{name.replace('_', '-')}: has no meaning with features of another network")
