"""`rnnrs caption train`."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any

from .caption_files import FEATURES_SIZE, FORMS, SIZE, Reader, add_captions
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
    share_held_out,
)

if TYPE_CHECKING:
    from ..data import DescribedPictures
    from ..models import Captioner

_EXAMPLES = """\
The model's file is also the checkpoint: it is written at the end of every epoch and when you press Ctrl-C,
can be used at once, and the same command with --resume goes on from it. In the end it holds the parameters
for which the loss on the held-out pictures was lowest.

examples:
  rnnrs caption train album/descriptions.tsv -o album.rnn --epochs 30
  rnnrs caption train descriptions.jsonl --pictures photos -o album.rnn --size 48 64 --time-limit 900
  rnnrs caption train texts.txt --pictures images.npz -o album.rnn
  rnnrs caption train texts.txt --pictures resnet-features.npy -o album.rnn
  rnnrs caption train descriptions.tsv --pictures photos --onnx resnet.onnx --onnx-output features -o album.rnn
  rnnrs caption train album/descriptions.tsv -o album.rnn --resume
"""

#: What a model has where nothing is said; `Captioner`'s, which is not imported only to tell of them.
DEFAULTS: dict[str, Any] = {
    "channels": (32, 64, 128, 256),
    "convolutions": 1,
    "cell": "gru",
    "embedding_size": 128,
    "hidden_size": 256,
    "layers": 1,
    "attention": "additive",
    "dropout": 0.2,
    "recurrent_dropout": 0.0,
    "label_smoothing": 0.1,
    "tied": True,
}
#: What `Captioner` calls its sizes, and the command its options.
SIZES = {
    "picture_size": "size",
    "channels": "channels",
    "convolutions": "convolutions",
    "cell": "cell",
    "embedding_size": "embedding",
    "hidden_size": "hidden",
    "layers": "layers",
    "attention": "attention",
    "dropout": "dropout",
    "recurrent_dropout": "recurrent_dropout",
    "label_smoothing": "label_smoothing",
    "tied": "tied",
}
SETTINGS = TRAINING | {"patience": "patience"}


def add(verbs: Any) -> None:
    """The verb `train` with its options, which are the checkpoint's on --resume where not given."""
    what = "learn from pictures and descriptions"
    verb = verbs.add_parser(
        "train", help=what, description=what.capitalize() + ".", epilog=FORMS + "\n" + _EXAMPLES
    )
    add_captions(verb)
    add_output(verb)
    _add_model(verb)
    training = add_training(verb, batch=32, rate=3e-3)
    training.add_argument(
        "--patience", type=whole(1), metavar="N", help="stop after so many epochs without a better loss"
    )
    training.add_argument(
        "--validation",
        metavar="CAPTIONS|SHARE",
        nargs="+",
        default=["0.05"],
        help="pictures to judge on: a file of descriptions, and where its pictures are if elsewhere; or the share of "
        "the pictures to hold out; 0: none (0.05)",
    )
    training.add_argument(
        "--examples",
        type=whole(0),
        metavar="N",
        default=2,
        help="held-out pictures to describe after every epoch (%(default)s)",
    )
    changes = verb.add_argument_group(
        "how pictures are changed at every epoch, so that it learns what is the same"
    )
    changes.add_argument(
        "--shift", type=whole(0), metavar="N", help="moved by up to N pixels (2; with features 0)"
    )
    changes.add_argument(
        "--noise",
        type=real(0),
        metavar="P",
        help="of this deviation, of colors 0 to 1 (0.02; with features 0)",
    )
    changes.add_argument(
        "--flip",
        action="store_true",
        default=None,
        help="half of them mirrored, where the description has no left and right, or the like",
    )
    add_checkpoints(verb)
    verb.set_defaults(run=_train)


def _add_model(verb: Any) -> None:
    model = verb.add_argument_group("the model")
    model.add_argument("--level", choices=("word", "subword", "char"), help="what a token is (word)")
    model.add_argument("--vocabulary", type=whole(3), metavar="V", help="the most tokens (all words)")
    model.add_argument("--min-count", type=whole(1), metavar="N", help="leave out words that are rarer (1)")
    model.add_argument(
        "--lowercase", action="store_true", default=None, help="upper and lower case are the same"
    )
    model.add_argument(
        "--size",
        type=whole(1),
        nargs=2,
        metavar=("Y", "X"),
        help=f"of pictures, in pixels ({SIZE[0]} {SIZE[1]})",
    )
    channels = f"by the size; for 32 32: {' '.join(map(str, DEFAULTS['channels']))}"
    model.add_argument(
        "--channels", type=whole(1), nargs="+", metavar="C", help=f"of the CNN's stages ({channels})"
    )
    model.add_argument("--convolutions", type=whole(1), metavar="N", help="of each stage (1)")
    model.add_argument("--cell", choices=("rnn", "lstm", "gru"), help=f"of the decoder ({DEFAULTS['cell']})")
    for option, letter, what in (
        ("embedding", "I", "size of the words' embeddings"),
        ("hidden", "H", "size of the decoder's state"),
        ("layers", "N", "of the decoder, on top of each other"),
    ):
        name = option if option == "layers" else f"{option}_size"
        model.add_argument(f"--{option}", type=whole(1), metavar=letter, help=f"{what} ({DEFAULTS[name]})")
    model.add_argument(
        "--attention",
        choices=("additive", "general", "dot", "none"),
        help=f"how the picture is looked at; none: once, before the first word ({DEFAULTS['attention']})",
    )
    for option, what in (
        ("dropout", "of what the CNN gives, and of what goes into a layer"),
        ("recurrent-dropout", "of the state before W, the same for a description"),
        ("label-smoothing", "for all words but the wanted one"),
    ):
        default = DEFAULTS[option.replace("-", "_")]
        model.add_argument(f"--{option}", type=real(0), metavar="P", help=f"{what} ({default:g})")
    model.add_argument(
        "--tied",
        action=argparse.BooleanOptionalAction,
        help=f"the words' embedding is the output layer's matrix, too ({'yes' if DEFAULTS['tied'] else 'no'})",
    )


def _train(arguments: argparse.Namespace) -> int:
    checkpoint = arguments.checkpoint or arguments.output
    check_files(arguments, checkpoint)
    model, settings = None, given(arguments, SETTINGS)
    if arguments.resume:
        model, settings = _resumed(arguments, checkpoint)
    reader = Reader(arguments, model, tuple(arguments.size) if arguments.size else None)
    found, held_out = _split(arguments, reader)
    if model is None:
        model = _new(arguments, found, reader.size if reader.features else None)
        settings["augmentation"] = _augmentation(arguments, model)
    say(
        f"{model.parameters.size:,} parameters, {len(model.vocabulary):,} {model.vocabulary.level}s",
        arguments.quiet,
    )
    trained, examples = model, 0 if arguments.quiet else arguments.examples
    validation = None if held_out is None else (held_out.pictures, held_out.descriptions)
    code = fit_or_stop(
        arguments,
        trained,
        checkpoint,
        lambda **more: trained.fit(
            found.pictures, found.descriptions, validation, examples=examples, **settings, **more
        ),
    )
    if code:
        return code
    if held_out is None:
        print(f"{arguments.output}: trained")
    else:
        print(f"{arguments.output}: on {len(held_out):,} held-out pictures\n{trained.evaluate(*validation)}")  # type: ignore[misc]
    path = shlex.quote(arguments.output)
    say(f"next: rnnrs caption describe {path} a-picture.png", arguments.quiet)
    return 0


def _split(
    arguments: argparse.Namespace, reader: Reader
) -> tuple[DescribedPictures, DescribedPictures | None]:
    """The pictures to train on and those to judge on.

    Raises:
        CommandError: for a share outside 0..1.
    """
    found = reader.described(arguments.captions, arguments, arguments.pictures)
    say(f"{arguments.captions}: {found}", arguments.quiet)
    if len(arguments.validation) > 2:
        raise CommandError(
            f"--validation: expected a share, or a file and where its pictures are, got {len(arguments.validation)}"
        )
    share = share_held_out(arguments.validation, "a file")
    if share is None:
        captions, *where = arguments.validation
        return found, reader.described(captions, arguments, where[0] if where else arguments.pictures)
    training, kept = divided(len(found), share)
    return (found[training], found[kept]) if kept else (found, None)


def _new(arguments: argparse.Namespace, found: DescribedPictures, size: tuple[int, int] | None) -> Captioner:
    """An untrained model for pictures, or for features, as the rows are.

    Args:
        arguments: the command line.
        found: what it is to be trained on.
        size: that of the pictures that another network looks at, if one does.

    Raises:
        CommandError: for options that do not go together.
    """
    from ..models import Captioner

    options = given(arguments, SIZES | {"seed": "seed", "level": "level", "lowercase": "lowercase"})
    options |= given(arguments, {"vocabulary_size": "vocabulary", "min_count": "min_count"})
    if options.get("attention") == "none":
        options["attention"] = None
    rows = found.pictures
    if arguments.onnx is not None or rows.ndim != 4 or rows.shape[3] != 3:
        for option in ("channels", "convolutions", "size"):
            if getattr(arguments, option) is not None and not (option == "size" and arguments.onnx):
                raise CommandError(f"--{option}: has no meaning with features of another network")
        options["picture_size"] = size or FEATURES_SIZE
        options["features"] = rows.shape[1:]
    return Captioner.from_pairs(rows, found.descriptions, **options)


def _augmentation(arguments: argparse.Namespace, model: Captioner) -> Any:
    """How pictures are changed; None for features: not at all."""
    from ..models import Augmentation

    asked = given(arguments, {"shift": "shift", "noise": "noise", "flip": "flip"})
    if model.features is not None:
        if asked:
            raise CommandError(f"--{next(iter(asked))}: has no meaning with features of another network")
        return None
    return Augmentation(**asked)


def _resumed(arguments: argparse.Namespace, checkpoint: str) -> tuple[Captioner, dict[str, Any]]:
    """The checkpoint's model and settings; epochs and time limit may be new ones, the rest must stay.

    Raises:
        CommandError: if an option contradicts the checkpoint.
    """
    from ..models import Augmentation, Captioner

    model = Captioner.load(checkpoint)
    for option, there in (("attention", model.sizes["attention"]), ("level", model.vocabulary.level)):
        asked = getattr(arguments, option)
        if asked is not None and asked != (there or "none"):
            raise CommandError(f"{checkpoint}: was begun with {option} {there or 'none'}, not {asked}")
        setattr(arguments, option, None)
    settings = resumed(arguments, checkpoint, model, (SIZES, SETTINGS))
    changes = settings["augmentation"]
    for option in ("shift", "noise", "flip"):
        asked = getattr(arguments, option)
        if asked is not None and asked != (changes or {}).get(option):
            raise CommandError(
                f"{checkpoint}: was begun with {option} {(changes or {}).get(option)}, not {asked}"
            )
    return model, settings | {"augmentation": None if changes is None else Augmentation(**changes)}
