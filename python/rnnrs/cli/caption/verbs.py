"""`rnnrs caption describe` and `search`: pictures in, sentences out; and the other way round."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import writing
from .caption_files import Reader, add_pictures, standard_input
from .common import CommandError, input_lines, print_json, say, whole

if TYPE_CHECKING:
    from ..models import Captioner
    from ..models.writer.search import Written

_DESCRIBE = """\
A line out for each picture: its name, a tab, its description; of a picture on standard input the description alone.
A PICTURE is a file, a folder (the pictures in it), or an array of them (.npy, .npz). What cannot be read is named on
standard error, and the others are described.

examples:
  rnnrs caption describe album.rnn photo.jpg
  rnnrs caption describe album.rnn photos/ more/*.png > descriptions.tsv
  rnnrs caption describe album.rnn photo.jpg --plot where.png --n-best 3
  curl -s https://example.org/photo.jpg | rnnrs caption describe album.rnn
  find . -name '*.jpg' | rnnrs caption describe album.rnn --names
"""
_SEARCH = """\
A line out for each picture, the likeliest first: ln P of the sentence as its description, a tab, its name.

examples:
  rnnrs caption search album.rnn "a dog on a beach" photos/
  rnnrs caption search album.rnn "red heart" photos/ --top 3 --cache photos.npz
"""


def load(path: str) -> Captioner:
    """The model of a file."""
    from ..models import Captioner

    return Captioner.load(path)


def add_describe(verbs: Any) -> None:
    """The verb `describe`."""
    verb = verbs.add_parser(
        "describe", help="describe pictures", description="Describe pictures.", epilog=_DESCRIBE
    )
    verb.add_argument("model", metavar="MODEL", help="a model's file")
    verb.add_argument(
        "pictures",
        metavar="PICTURE",
        nargs="*",
        help="files, folders; without, one is read from standard input",
    )
    verb.add_argument("--names", action="store_true", help="standard input names a picture in every line")
    add_pictures(verb.add_argument_group("the files"))
    writing.add_search(verb, source=False)
    output = verb.add_argument_group("what is shown")
    output.add_argument("--n-best", type=whole(1), metavar="N", default=1, help="so many for each (1)")
    output.add_argument("--json", action="store_true", help="as JSON with scores, one object a picture")
    output.add_argument(
        "--plot", metavar="DRAWING", help="draw where was looked at for each word; of one picture"
    )
    verb.set_defaults(run=_describe)


def add_search(verbs: Any) -> None:
    """The verb `search`."""
    verb = verbs.add_parser(
        "search",
        help="find pictures by a sentence",
        description="Find pictures by a sentence.",
        epilog=_SEARCH,
    )
    verb.add_argument("model", metavar="MODEL", help="a model's file")
    verb.add_argument("sentence", metavar="SENTENCE", help="what to see in a picture")
    verb.add_argument("pictures", metavar="PICTURE", nargs="*", help="files, folders, arrays")
    verb.add_argument("--top", type=whole(1), metavar="N", default=10, help="so many pictures (%(default)s)")
    verb.add_argument("--json", action="store_true", help="as JSON, one object a picture")
    add_pictures(verb.add_argument_group("the files"))
    verb.set_defaults(run=_search)


def _describe(arguments: argparse.Namespace) -> int:
    if arguments.pictures and arguments.names:
        raise CommandError("--names: has no meaning with a PICTURE")
    many = arguments.names or len(arguments.pictures) > 1 or any(map(os.path.isdir, arguments.pictures))
    if arguments.plot and many:
        raise CommandError("--plot: expected one picture to draw")
    model = load(arguments.model)
    search = writing.search_of(arguments, model, n_best=arguments.n_best)
    decoder, drawn = model.decoder(), 0
    for names, pictures, looked in _read(arguments, Reader(arguments, model)):
        for i, found in enumerate(model.write(looked, search, decoder=decoder)):
            _show(arguments, names[i] if names else None, found)
            if arguments.plot:
                drawn += 1
                _plot(arguments, model, drawn, pictures[i] if pictures else None, found[0])
        sys.stdout.flush()
    return 0


def _read(arguments: argparse.Namespace, reader: Reader) -> Iterator[tuple[list[str], list[Any], Any]]:
    """Names (none of a picture on standard input), pictures, and they as the model takes them."""
    if arguments.pictures and arguments.pictures != ["-"]:
        yield from reader.read(arguments.pictures)
    elif not arguments.names:
        picture = reader.read_one(standard_input())
        yield [], [picture], reader.look([picture])
    else:
        yield from reader.read(line for line in input_lines() if line)


def _show(arguments: argparse.Namespace, name: str | None, found: list[Written]) -> None:
    if arguments.json:
        facts = [{"text": w.text, "score": w.score, "log_prob": w.log_prob} for w in found]
        print_json({"picture": name, "written": facts})
        return
    for written in found:
        cells = [] if name is None else [name]
        cells += [f"{written.score:.4f}"] if arguments.n_best > 1 else []
        print(*cells, written.text, sep="\t")


def _plot(
    arguments: argparse.Namespace, model: Captioner, number: int, picture: Any, written: Written
) -> None:
    """The attention over the picture, as a drawing.

    Raises:
        CommandError: for more than one picture, or none.
        MissingExtraError: if matplotlib is missing.
    """
    from ..plot import description

    if number > 1:
        raise CommandError("--plot: expected one picture to draw, got an array of more")
    if picture is None:
        raise CommandError("--plot: expected a picture, got an array of features")
    description(picture, written.words, written.attention, model.grid, arguments.plot, title=written.text)
    say(f"drawing: {arguments.plot}")


def _search(arguments: argparse.Namespace) -> int:
    import numpy as np

    if not arguments.pictures:
        raise CommandError("expected at least one PICTURE or folder to search in")
    model = load(arguments.model)
    lacking = _lacking(model, arguments.sentence)
    if lacking:
        say(f"rnnrs: no description that was learned from has {', '.join(map(repr, lacking))}")
    names: list[str] = []
    rows: list[Any] = []
    for found, _, looked in Reader(arguments, model).read(arguments.pictures):
        names += found
        rows.append(looked)
    for place, log_prob in model.rank(arguments.sentence, np.concatenate(rows))[: arguments.top]:
        if arguments.json:
            print_json({"picture": names[place], "log_prob": log_prob})
        else:
            print(f"{log_prob:.4f}", names[place], sep="\t")
    return 0


def _lacking(model: Captioner, sentence: str) -> list[str]:
    """The words of a sentence that the vocabulary lacks."""
    vocabulary = model.vocabulary
    if vocabulary.level != "word":
        return []
    ids = vocabulary.encode(sentence).tolist()
    pieces = zip(vocabulary.pieces(sentence), ids, strict=True)
    return [piece for piece, id in pieces if id == vocabulary.unknown_id]
