"""`rnnrs caption evaluate`, `describe` and `rank`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..common import (
    CommandError,
    add_encoding,
    add_json,
    add_model,
    input_lines,
    print_json,
    reads,
    say,
    whole,
)
from ..options import given
from ..writing import SEARCH, add_output, add_search, add_tokenize, likelihood_facts, search_of, written_facts
from . import regions
from .files import Reader, add_captions, add_pictures, standard_input

if TYPE_CHECKING:
    from ...data import DescribedPictures, RegionPictures
    from ...models import Captioner, CaptionEvaluation, RegionEvaluation, Written

#: The number of pictures that `rank` prints by default.
N_BEST = 10

_LONGEST = "by the kind of token"


def _load(path: str) -> Captioner:
    from ...models import Captioner

    return Captioner.load(path)


def add_evaluate(verb: Any) -> None:
    """Adds the arguments of `evaluate`."""
    from ...models import Captioner

    add_model(verb)
    add_captions(verb)
    add_json(verb)
    add_search(verb, Captioner, _LONGEST)
    add_tokenize(verb, "BLEU", "ascii, unicode, char")


def evaluate(arguments: argparse.Namespace) -> int:
    """Prints the scores of descriptions."""
    model = _load(arguments.model)
    reader = Reader(arguments, model)
    read = reader.regions if model.regions else reader.described
    found: DescribedPictures | RegionPictures = read(arguments.captions, arguments, arguments.pictures)
    result = model.evaluate(found.pictures, known_of(found), **given(arguments, [*SEARCH, "tokenize"]))
    if arguments.json:
        counts = {"pictures": len(found), "left_out": len(found.problems)}
        print_json({"captions": arguments.captions, **counts, **evaluation_facts(result)})
    else:
        print(result)
    return 0


def known_of(found: DescribedPictures | RegionPictures) -> Any:
    """Returns the regions, or descriptions, of each picture."""
    from ...data import RegionPictures

    return found.regions if isinstance(found, RegionPictures) else found.descriptions


def evaluation_facts(result: CaptionEvaluation | RegionEvaluation) -> dict[str, Any]:
    """Returns an evaluation for JSON."""
    from ...models import RegionEvaluation

    facts: dict[str, Any] = {"exact": result.exact}
    if isinstance(result, RegionEvaluation):
        dense = result.dense
        facts |= {
            "map": dense.mean,
            "map_by_iou": dict(zip(map(str, dense.iou), dense.precisions.mean(axis=1).tolist(), strict=True)),
            "map_cider": result.dense_cider.mean,
            "map_boxes": float(dense.boxes_alone.mean()),
            "grounded": result.grounded,
        }
    else:
        facts["right_among_10"] = result.right_among_10
    return facts | asdict(result.scores) | likelihood_facts(result)


def add_describe(verb: Any) -> None:
    """Adds the arguments of `describe`."""
    from ...models import Captioner

    add_model(verb)
    reads(
        verb.add_argument(
            "pictures",
            metavar="PICTURE",
            nargs="*",
            help="files, folders; without any, one picture is read from standard input",
        )
    )
    verb.add_argument("--names", action="store_true", help="each line of standard input names a picture")
    add_encoding(verb)
    add_pictures(verb.add_argument_group("files"))
    regions.add(verb)
    add_search(verb, Captioner, _LONGEST)
    add_output(verb, Captioner, "picture", "DRAWING")


def check(arguments: argparse.Namespace) -> None:
    """Checks that the options of `describe` fit together.

    Raises:
        CommandError: if they contradict each other.
    """
    if arguments.pictures and arguments.names:
        raise CommandError("--names: has no meaning with a PICTURE")
    several = arguments.names or len(arguments.pictures) > 1 or any(map(os.path.isdir, arguments.pictures))
    if arguments.plot and several:
        raise CommandError("--plot: expected one picture to draw")
    regions.check(arguments)


def describe(arguments: argparse.Namespace) -> int:
    """Prints descriptions of pictures, or of their regions."""
    model = _load(arguments.model)
    reader = Reader(arguments, model)
    if regions.wanted(arguments, model):
        return regions.describe(arguments, model, reader, _read(arguments, reader))
    search = search_of(arguments, model)
    decoder, drawn = model.decoder(), 0
    for names, pictures, inputs in _read(arguments, reader):
        for i, found in enumerate(model.write(inputs, search, decoder=decoder)):
            name = names[i] if names else None
            _show(name, found, scored=search.n_best > 1, as_json=arguments.json)
            if arguments.plot:
                drawn += 1
                _plot(arguments.plot, model, drawn, pictures[i] if pictures else None, found[0])
        sys.stdout.flush()
    return 0


def _read(arguments: argparse.Namespace, reader: Reader) -> Iterator[tuple[list[str], list[Any], Any]]:
    """Yields names (none for a picture on standard input), pictures, and the model's inputs."""
    if arguments.pictures and arguments.pictures != ["-"]:
        yield from reader.read(arguments.pictures)
    elif not arguments.names:
        reader.source = standard_input()
        picture = reader.read_one(reader.source)
        yield [], [picture], reader.inputs([picture])
    else:
        yield from reader.read(line for line in input_lines(encoding=arguments.encoding) if line)


def _show(name: str | None, found: list[Written], *, scored: bool, as_json: bool) -> None:
    if as_json:
        print_json({"picture": name, "written": written_facts(found)})
        return
    for written in found:
        cells = [] if name is None else [name]
        cells += [f"{written.score:.4f}"] if scored else []
        print(*cells, written.text, sep="\t")


def _plot(path: str, model: Captioner, number: int, picture: Any, written: Written) -> None:
    """Draws the attention over a picture.

    Raises:
        CommandError: for more than one picture, or features.
        MissingExtraError: if matplotlib is missing.
    """
    from ...plot import description

    if number > 1:
        raise CommandError("--plot: expected one picture to draw, got an array of more")
    if picture is None:
        raise CommandError("--plot: expected a picture, got an array of features")
    description(picture, written.words, written.attention, model.grid, path, title=written.text)
    say(f"drawing: {path}")


def add_rank(verb: Any) -> None:
    """Adds the arguments of `rank`."""
    add_model(verb)
    verb.add_argument("sentence", metavar="SENTENCE", help="a description")
    reads(verb.add_argument("pictures", metavar="PICTURE", nargs="*", help="files, folders, arrays"))
    verb.add_argument(
        "--n-best",
        "--top",
        type=whole(1),
        metavar="N",
        default=N_BEST,
        help="number of pictures (%(default)s)",
    )
    add_json(verb, "JSON, one object per picture")
    add_pictures(verb.add_argument_group("files"))


def rank(arguments: argparse.Namespace) -> int:
    """Prints the pictures that a sentence describes best."""
    import numpy as np

    if not arguments.pictures:
        raise CommandError("PICTURE: expected at least one picture or folder, got none")
    model = _load(arguments.model)
    unknown = _unknown_words(model, arguments.sentence)
    if unknown:
        say(f"rnnrs: no description of the training data has {', '.join(map(repr, unknown))}")
    names: list[str] = []
    rows: list[Any] = []
    for found, _, inputs in Reader(arguments, model).read(arguments.pictures):
        names += found
        rows.append(inputs)
    for picture in model.rank(arguments.sentence, np.concatenate(rows))[: arguments.n_best]:
        name = names[picture.place]
        box = None if len(picture) == 2 else regions.own_box(arguments, model, name, picture.region)
        if arguments.json:
            print_json(
                {"picture": name, "log_prob": picture.log_prob} | ({} if box is None else {"box": box})
            )
        else:
            place = [] if box is None else regions.numbers(box)
            print(f"{picture.log_prob:.4f}", name, *place, sep="\t")
    return 0


def _unknown_words(model: Captioner, sentence: str) -> list[str]:
    """Returns the words of a sentence that are not in the vocabulary."""
    from ...models.captions.inputs import as_known

    vocabulary = model.vocabulary
    if not vocabulary.whole_words:
        return []
    sentence = as_known(vocabulary, sentence)
    ids = vocabulary.encode(sentence).tolist()
    pieces = zip(vocabulary.pieces(sentence), ids, strict=True)
    return [vocabulary.surface(piece) for piece, id in pieces if id == vocabulary.unknown_id]
