"""Pictures and their descriptions from files, as the options say."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from ...terminal import is_terminal
from ..common import CommandError, add_encoding, reads, say, whole, writes
from ..options import defaults_of

if TYPE_CHECKING:
    from ...data import Captions, DescribedPictures, RegionPictures
    from ...interop.onnx import PictureFeatures
    from ...models import Captioner
    from ..files import Files

FORMS = """\
CAPTIONS is one of these; it may be compressed by gzip (.gz), or be standard input (-):
  lines with a picture's file and its description, separated by tabs (.tsv, .txt, …) or commas (.csv): the first two
  columns, or --columns; Flickr8k's token files are of this kind
  a JSON object on each line (.json, .jsonl): its "file" and "description", or --fields
  COCO's captions (.json), or Karpathy's dataset_*.json, of it one --split or all
A picture may have several descriptions. If --pictures is an array (.npy, .npz), each line describes a row of it and
holds the description alone: the first column, "description", or the one that --columns or --fields name.
"""

#: The files of regions.
REGION_FORMS = """\
With --regions, CAPTIONS is one of these:
  lines with a picture's file, x, y, w, h and a phrase, separated by tabs (.tsv, .txt, …) or commas (.csv): the first
  six columns, or --columns
  a JSON object on each line (.json, .jsonl) with these names, or --fields, or with a list of "regions"
  Visual Genome's region descriptions, or COCO's instances (.json)
x and y are the top left corner of the box in pixels of the picture, w and h its width and height.
"""

#: The number of pictures that are read at a time.
BATCH = 64

#: The maximum size in bytes of a picture on standard input.
MOST_BYTES = 1 << 28

_ARRAYS = (".npy", ".npz")

#: Y and X of the pictures for another network that accepts any size, where no option says otherwise.
FEATURES_SIZE = (224, 224)

Array = Any


def add_captions(verb: Any) -> None:
    """Adds the file of descriptions, the pictures, and how both are read."""
    reads(verb.add_argument("captions", metavar="CAPTIONS", help="a file of descriptions; -: standard input"))
    reading = verb.add_argument_group("files")
    reads(
        reading.add_argument(
            "--pictures",
            metavar="FOLDER|ARRAY",
            help="the folder of the pictures (that of CAPTIONS), or an array of pictures or features",
        )
    )
    reading.add_argument("--columns", type=whole(0), nargs="+", metavar="N", help="columns, from 0 (0 1)")
    reading.add_argument("--fields", nargs="+", metavar="NAME", help="JSON names (file description)")
    reading.add_argument("--split", metavar="NAME", help="the split of a file of Karpathy's (all)")
    add_encoding(reading)
    add_pictures(reading)


def add_pictures(reading: Any) -> None:
    """Adds the options of how pictures are read."""
    reading.add_argument("--array", metavar="NAME", help="array of a .npz file that holds several")
    reading.add_argument(
        "--fit",
        choices=("pad", "crop"),
        default="pad",
        help="fit to the size: pad with white, or crop to the middle (%(default)s)",
    )
    cache = "keep decoded pictures in this file (.npz)"
    writes(reading.add_argument("--cache", metavar="FILE", help=cache), updates=True)
    onnx = 'use features of this network instead of pictures (extra "onnx")'
    reads(reading.add_argument("--onnx", metavar="FILE", help=onnx))
    reading.add_argument("--onnx-output", metavar="NAME", help="the network's output to use (the first)")


class Reader:
    """Reads pictures of one size, or the features that another network computes from them.

    Args:
        arguments: the command line.
        model: the model that receives them; None for one that is yet to be trained.
        size: of the pictures, where neither model nor network determines it.

    Attributes:
        size: (Y, X).
        features: the other network; None if the model receives the pictures themselves.
        problems: a line for each file and description that was left out.
        source: the bytes of the picture on standard input, if it is read.

    Raises:
        CommandError: for options that do not fit the model.
    """

    def __init__(
        self, arguments: argparse.Namespace, model: Captioner | None, size: tuple[int, int] | None = None
    ) -> None:
        from ...models import Captioner

        self._fit, self._cache, self._array = arguments.fit, arguments.cache, arguments.array
        self._guard: Files = arguments.guard
        self.problems: list[str] = []
        self.source: BinaryIO | None = None
        self.features: PictureFeatures | None = None
        wanted = model.picture_size if model else size
        self.size: tuple[int, int] = wanted or defaults_of(Captioner)["picture_size"]
        self._wants_features = model is not None and model.features is not None
        if arguments.onnx is not None:
            from ...interop.onnx import PictureFeatures

            if model is not None and model.features is None:
                raise CommandError("--onnx: has no meaning with a model of pictures")
            self.features = PictureFeatures(arguments.onnx, output=arguments.onnx_output)
            self.size = self.features.size or wanted or FEATURES_SIZE
            if size is not None and size != self.size:
                raise CommandError(
                    f"--picture-size: expected {self.size[0]} {self.size[1]}, as the network takes, "
                    f"got {size[0]} {size[1]}"
                )
        elif arguments.onnx_output is not None:
            raise CommandError("--onnx-output: has no meaning without --onnx")

    def array(self, path: str) -> Array:
        """Returns the rows of an array's file."""
        from ...data import read_array

        if self.features is not None:
            raise CommandError(f"--onnx: expected files of pictures, got an array ({path})")
        return read_array(path, self._array)

    def inputs(self, pictures: Sequence[Array]) -> Array:
        """Returns the model's inputs for pictures (Y, X, 3): the pictures, or their features."""
        import numpy as np

        stacked = np.stack(pictures)
        return stacked if self.features is None else self.features(stacked)

    def read_one(self, file: BinaryIO) -> Array:
        """Returns a picture (Y, X, 3) from an open file."""
        from ...data import read_picture

        self._check_pictures()
        return read_picture(file, self.size, fit=self._fit)

    def read(self, files: Iterable[str]) -> Iterator[tuple[list[str], list[Array], Array]]:
        """Yields names, pictures, and the model's inputs, some at a time.

        Files that cannot be read are reported and left out.

        Args:
            files: pictures, folders of pictures, or arrays. Rows of arrays have inputs, but no pictures.

        Raises:
            CommandError: if none can be read.
        """
        from ...data.picture_cache import PictureCache
        from ...data.pictures import try_picture

        cache = PictureCache(self._cache, self.size, self._fit)
        count, waiting = 0, iter(_found(files))
        while batch := list(islice(waiting, BATCH)):
            names: list[str] = []
            pictures: list[Array] = []
            for file in batch:
                self._guard.read(file)
                if file.lower().endswith(_ARRAYS):
                    rows = self.array(file)
                    count += len(rows)
                    yield [f"{file}[{i}]" for i in range(len(rows))], [], rows
                    continue
                self._check_pictures()
                picture, problem = try_picture(file, self.size, self._fit, cache)
                if picture is None:
                    self._leave_out(f"{file}: {problem}")
                else:
                    names.append(file)
                    pictures.append(picture)
            count += len(names)
            if names:
                yield names, pictures, self.inputs(pictures)
        cache.write()
        if not count:
            raise CommandError(f"none of {len(self.problems):,} files could be read as a picture")

    def described(self, captions: str, arguments: argparse.Namespace, where: str | None) -> DescribedPictures:
        """Returns pictures with their descriptions; reports those that are left out.

        Args:
            captions: the file of descriptions.
            arguments: the command line.
            where: the pictures' folder, or an array; None for the folder of `captions`.

        Raises:
            CommandError: if nothing is left.
        """
        from ... import data

        before = len(self.problems)
        if where is not None and where.lower().endswith(_ARRAYS):
            if arguments.split is not None:
                raise CommandError("--split: has no meaning with an array of pictures")
            (column,), (field,) = _several(arguments, (0,), ("description",))
            listed = data.read_descriptions(captions, column=column, field=field, encoding=arguments.encoding)
            found = data.described_arrays(self.array(where), listed)
        else:
            columns, fields = _several(arguments, (0, 1), ("file", "description"))
            listed = data.read_captions(
                captions,
                columns=(columns[0], columns[1]),
                fields=(fields[0], fields[1]),
                encoding=arguments.encoding,
                split=arguments.split,
            )
            folder = os.path.dirname(captions) if where is None else where
            if not os.path.isdir(folder or "."):
                raise CommandError(f"--pictures: expected a folder, or an array (.npy, .npz), got {folder}")
            found = self._join(listed, folder)
        for problem in listed.problems:
            self._leave_out(problem)
        return replace(found, problems=tuple(self.problems[before:]))

    def regions(self, file: str, arguments: argparse.Namespace, where: str | None) -> RegionPictures:
        """Returns pictures with their regions; reports those that are left out.

        Args:
            file: the file of regions.
            arguments: the command line.
            where: the pictures' folder; None for the folder of the file.

        Raises:
            CommandError: for options that do not fit regions.
        """
        from ... import data
        from ...data.region_files import FIELDS

        if self.features is not None:
            raise CommandError("--onnx: has no meaning with --regions")
        if arguments.split is not None:
            raise CommandError("--split: has no meaning with --regions")
        if where is not None and not os.path.isdir(where):
            raise CommandError(f"--pictures: expected a folder, got {where}")
        columns, fields = _several(arguments, range(len(FIELDS)), FIELDS)
        problems: list[str] = []
        examples = data.read_regions(
            file, where, columns=columns, fields=fields, encoding=arguments.encoding, problems=problems
        )
        found = data.read_region_pictures(examples, self.size, fit=self._fit, cache=self._cache)
        problems += found.problems
        for problem in problems:
            self._leave_out(problem)
        return replace(found, problems=tuple(problems))

    def _join(self, captions: Captions, folder: str) -> DescribedPictures:
        import numpy as np

        from ...data import DescribedPictures
        from ...data.captions import by_picture

        own = by_picture(captions, folder)
        files: list[str] = []
        rows: list[Array] = []
        for names, _, inputs in self.read(own):
            files += names
            rows.append(inputs)
        kept = [own[file] for file in files]
        return DescribedPictures(np.concatenate(rows), kept, tuple(files), ())

    def _check_pictures(self) -> None:
        if self._wants_features and self.features is None:
            raise CommandError(
                "the model takes features of another network: name it with --onnx, or give an array of features"
            )

    def _leave_out(self, problem: str) -> None:
        self.problems.append(problem)
        say(f"rnnrs: {problem}")


def standard_input() -> BinaryIO:
    """Returns the bytes of one picture from standard input.

    Raises:
        CommandError: if there are none, or too many.
    """
    if sys.stdin is None or is_terminal(sys.stdin):
        raise CommandError("PICTURE: expected a file, or a picture on standard input, got none")
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    if not data or len(data) > MOST_BYTES:
        raise CommandError(
            f"standard input: expected a picture of 1 to {MOST_BYTES:,} bytes, got {'more' if data else 'none'}"
        )
    return io.BytesIO(data)


def _found(files: Iterable[str]) -> Iterator[str]:
    """Yields files, and the pictures in folders.

    Raises:
        OSError, ValueError: for a folder that cannot be read, or has no pictures.
    """
    from ...data import find_pictures

    for file in files:
        if os.path.isdir(file):
            yield from find_pictures(file)
        else:
            yield file


def _several(
    arguments: argparse.Namespace, columns: Sequence[int], fields: tuple[str, ...]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Returns the columns, and the JSON names, of the parts of a line, as given or by default."""
    for option in ("columns", "fields"):
        given = getattr(arguments, option)
        if given is not None and len(given) != len(fields):
            raise CommandError(f"--{option}: expected {len(fields)} ({', '.join(fields)}), got {len(given)}")
    return tuple(arguments.columns or columns), tuple(arguments.fields or fields)
