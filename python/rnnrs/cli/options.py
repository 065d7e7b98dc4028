"""Options that mirror the API: their names and defaults are those of the application's class.

An option that was not given is absent from the parsed arguments, so the class's own default applies. No
default is written down here a second time.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from .common import CommandError, real, whole


def shown(value: Any) -> str:
    """Returns a default as help texts show it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return " ".join(map(shown, value))
    return str(value)


def add_option(
    group: Any, name: str, doc: str, default: Any, *spellings: str, default_doc: str = "", **reading: Any
) -> None:
    """Adds an option that mirrors an argument of the API.

    Args:
        group: an argument group, or a parser.
        name: the argument's name in the API; `hidden_size` becomes `--hidden-size`.
        doc: describes it.
        default: the API's default; a bool makes it a pair of flags, `--tied` and `--no-tied`.
        spellings: further spellings.
        default_doc: describes the default where its value does not: None, or one that depends on something.
        reading: arguments of argparse: `type`, `metavar`, `nargs`.
    """
    if isinstance(default, bool):
        reading = {"action": argparse.BooleanOptionalAction} | reading
    text = f"{doc} ({default_doc or shown(default)})".replace("%", "%%")
    action = group.add_argument(f"--{name.replace('_', '-')}", *spellings, dest=name, help=text, **reading)
    action.default = argparse.SUPPRESS


def given(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """Returns the options among `names` that were given, by their names in the API."""
    return {name: value for name, value in vars(arguments).items() if name in set(names)}


def defaults_of(call: Callable[..., Any]) -> dict[str, Any]:
    """Returns the arguments of a call that have defaults, and the defaults."""
    parameters = inspect.signature(call).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def one_of(names: Collection[str], *, none: bool = False) -> dict[str, Any]:
    """Returns how an option reads one of several names; with `none`, also "none" for None."""
    known = [*names, "none"] if none else [*names]

    def parse(text: str) -> str | None:
        if text not in known:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(known)}, got {text}")
        return None if none and text == "none" else text

    return {"type": parse, "metavar": f"{{{','.join(known)}}}"}


class Size(NamedTuple):
    """How the command line reads an argument of a model's constructor.

    Attributes:
        doc: describes it.
        reading: `type`, `metavar`, `nargs` of argparse; empty for flags, and for the names of a registry.
        spelling: a second spelling; empty for none.
    """

    doc: str
    reading: Mapping[str, Any] = {}
    spelling: str = ""


_COUNT = {"type": whole(1), "metavar": "N"}
_RATE = {"type": real(0), "metavar": "P"}

#: The constructors' arguments that the commands offer.
SIZES = {
    "activation": Size("activation function of an rnn"),
    "attention": Size("score of the attention"),
    "cell": Size("type of recurrent layer"),
    "channels": Size("channels of the CNN's stages", {"type": whole(1), "nargs": "+", "metavar": "C"}),
    "convolutions": Size("convolutions per stage of the CNN", _COUNT),
    "copy": Size("words can be copied from the source"),
    "cutoffs": Size(
        "adaptive softmax: the C most frequent tokens in the head, clusters up to each further C",
        {"type": whole(1), "nargs": "+", "metavar": "C"},
    ),
    "difference": Size(
        "learn differences from the value D steps before: 1 against a trend, 12 for months",
        {"type": whole(0), "metavar": "D"},
    ),
    "dropout": Size("dropout rate of each layer's input", _RATE),
    "embedding_size": Size("size of the embeddings", {"type": whole(1), "metavar": "I"}, "--embedding"),
    "hidden_size": Size("size of the hidden state", {"type": whole(1), "metavar": "H"}, "--hidden"),
    "history": Size("number of turns that are read", _COUNT),
    "horizon": Size("number of steps forecast at once", {"type": whole(1), "metavar": "K"}),
    "label_smoothing": Size("label smoothing", {"type": real(0), "metavar": "E"}),
    "layer_norm": Size("layer normalization within the recurrence"),
    "layers": Size("number of recurrent layers", _COUNT),
    "picture_size": Size(
        "height and width of the pictures in pixels",
        {"type": whole(1), "nargs": 2, "metavar": ("Y", "X")},
        "--size",
    ),
    "pooling": Size("pooling of a sequence's states"),
    "regions": Size("describe regions of pictures: CAPTIONS has boxes with phrases"),
    "recurrent_dropout": Size("dropout rate of the state before W, one mask per sequence", _RATE),
    "row_dropout": Size("dropout rate of whole tokens", _RATE),
    "tied": Size("the embedding is also the output layer's matrix"),
    "transform": Size("transform of the numbers: log for growth, sqrt for counts"),
    "weight_drop": Size("dropout rate of the weights W", _RATE),
    "zoneout": Size("probability that a unit keeps its state", _RATE),
}

#: The arguments of the recurrent layers, where all are offered.
RECURRENT = (
    "cell",
    "hidden_size",
    "layers",
    "activation",
    "dropout",
    "recurrent_dropout",
    "zoneout",
    "weight_drop",
    "layer_norm",
)


def names_of(argument: str) -> dict[str, Any]:
    """Returns how an option reads an argument whose values are the names of a registry."""
    from ..models.language.objective import OBJECTIVES
    from ..models.sequences.scaling import TRANSFORMS
    from ..nn import ACTIVATIONS, ATTENTIONS, POOLINGS
    from ..nn.build import CELLS
    from ..optim import OPTIMIZERS, SCHEDULES
    from ..train.ranks import PRECISIONS

    registries: dict[str, Collection[str]] = {
        "activation": ACTIVATIONS,
        "attention": ATTENTIONS,
        "cell": CELLS,
        "gradient_precision": PRECISIONS,
        "loss": OBJECTIVES,
        "optimizer": OPTIMIZERS,
        "pooling": POOLINGS,
        "schedule": SCHEDULES,
        "transform": TRANSFORMS,
    }
    return one_of(registries[argument], none=argument == "attention")


def add_sizes(
    group: Any,
    cls: type[Any],
    names: Iterable[str],
    *,
    docs: Mapping[str, str] | None = None,
    default_docs: Mapping[str, str] | None = None,
) -> None:
    """Adds options for arguments of an application's constructor.

    Args:
        group: an argument group.
        cls: the application.
        names: the arguments, keys of `SIZES`.
        docs: descriptions that differ from those of `SIZES`.
        default_docs: descriptions of defaults, see `add_option`.
    """
    from ..models.base.options import argument_defaults

    defaults = argument_defaults(cls)
    for name in names:
        size, default = SIZES[name], defaults[name]
        reading = size.reading
        if not reading and not isinstance(default, bool):
            reading = names_of(name)
        spellings = [size.spelling] if size.spelling else []
        doc = (docs or {}).get(name, size.doc)
        default_doc = (default_docs or {}).get(name, "")
        add_option(group, name, doc, default, *spellings, default_doc=default_doc, **reading)


#: The options of a vocabulary, how the command line reads them, and what they mean.
VOCABULARY: dict[str, tuple[str, dict[str, Any]]] = {
    "max_size": ("the maximum number of tokens", {"type": whole(3), "metavar": "V"}),
    "min_count": ("leave out words with fewer occurrences", {"type": whole(1), "metavar": "N"}),
    "lowercase": ("convert the text to lower case", {"action": argparse.BooleanOptionalAction}),
}


def vocabulary_defaults(cls: Any) -> dict[str, dict[str, Any]]:
    """Returns the options of the vocabulary at each of an application's levels, and their defaults."""
    from ..text import VOCABULARIES

    return {level: defaults_of(VOCABULARIES[level].build) | changed for level, changed in cls.LEVELS.items()}


def add_vocabulary(group: Any, cls: type[Any], build: Callable[..., Any]) -> None:
    """Adds `--level` and the options of the vocabulary.

    Args:
        group: an argument group.
        cls: the application, with `LEVELS`.
        build: the method that builds an untrained model, `from_text` or the like.
    """
    levels = vocabulary_defaults(cls)
    add_option(group, "level", "kind of token", defaults_of(build)["level"], **one_of(levels))
    for name, (doc, reading) in VOCABULARY.items():
        values = {level: shown(options[name]) for level, options in levels.items() if name in options}
        alike = len(set(values.values())) == 1
        text = next(iter(values.values())) if alike else ", ".join(f"{k}: {v}" for k, v in values.items())
        spellings = ["--vocabulary"] if name == "max_size" else []
        add_option(group, name, doc, None, *spellings, default_doc=text, **reading)


def vocabulary_given(arguments: argparse.Namespace, cls: type[Any], level: str) -> dict[str, Any]:
    """Returns the options of the vocabulary that were given.

    Raises:
        CommandError: for one that this level does not have.
    """
    options = given(arguments, VOCABULARY)
    known = vocabulary_defaults(cls)[level]
    for name in options:
        if name not in known:
            raise CommandError(f"--{name.replace('_', '-')}: has no meaning with --level {level}")
    return options


def check_unchanged(arguments: argparse.Namespace, what: str, there: Mapping[str, Any]) -> None:
    """Checks that no option contradicts what a file holds.

    Args:
        arguments: the command line.
        what: the beginning of the message.
        there: the values in the file.

    Raises:
        CommandError: if one does.
    """
    for name, value in given(arguments, there).items():
        if value != there[name]:
            raise CommandError(f"{what} {name} {_word(there[name])}, which cannot become {_word(value)}")


def _word(value: Any) -> Any:
    return "none" if value is None else value
