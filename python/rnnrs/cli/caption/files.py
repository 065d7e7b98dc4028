"""Pictures and their descriptions from files, as the commands' options say."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from ..common import CommandError, say, whole

if TYPE_CHECKING:
    from ...data import Captions, DescribedPictures
    from ...interop.onnx import PictureFeatures
    from ...models import Captioner

FORMS = """\
CAPTIONS is one of these, packed by gzip (.gz) or not:
  lines with the picture's file and a description between tabs (.tsv, .txt, …): the first two columns, or --columns
  a JSON object in each line (.json, .jsonl): its "file" and "description", or --fields
A picture may have several descriptions. Where --pictures is an array (.npy, .npz), a line describes a row of it, and
holds the description alone: the first column, "description", or what --columns or --fields say.
"""

#: Pictures that are read and looked at at a time.
BATCH = 64

#: The most bytes of a picture on standard input.
MOST_BYTES = 1 << 28

_ARRAYS = (".npy", ".npz")

#: Y and X where nothing says otherwise: of pictures, and for another network.
SIZE, FEATURES_SIZE = (32, 32), (224, 224)

Array = Any


def add_captions(verb: Any) -> None:
    """The file of descriptions, the pictures, and how both are read."""
    verb.add_argument("captions", metavar="CAPTIONS", help="a file of descriptions")
    reading = verb.add_argument_group("the files")
    reading.add_argument(
        "--pictures",
        metavar="FOLDER|ARRAY",
        help="where the pictures are (the folder of CAPTIONS), or an array of pictures or features",
    )
    reading.add_argument("--columns", type=whole(0), nargs="+", metavar="N", help="places from 0 (0 1)")
    reading.add_argument("--fields", nargs="+", metavar="NAME", help="names in JSON (file description)")
    add_pictures(reading)


def add_pictures(reading: Any) -> None:
    """How pictures are read."""
    reading.add_argument("--array", metavar="NAME", help="which array of a .npz file, if there are several")
    reading.add_argument(
        "--fit",
        choices=("pad", "crop"),
        default="pad",
        help="what fills the size: white, or their middle (%(default)s)",
    )
    reading.add_argument(
        "--cache", metavar="FILE", help="keep decoded pictures here (.npz) for the next time"
    )
    reading.add_argument(
        "--onnx", metavar="FILE", help='look at features by this network instead of pictures (extra "onnx")'
    )
    reading.add_argument("--onnx-output", metavar="NAME", help="which of its outputs (the first)")


class Reader:
    """Reads pictures of one size, or what another network makes of them.

    Args:
        arguments: the command line.
        model: the model that is to look at them; None: one that is to be trained.
        size: of pictures, where no model and no network says so.

    Attributes:
        size: (Y, X).
        features: the other network; None: pictures are looked at themselves.
        problems: a line for each file and description that was left out.

    Raises:
        CommandError: for options that do not fit the model.
    """

    def __init__(
        self, arguments: argparse.Namespace, model: Captioner | None, size: tuple[int, int] | None = None
    ) -> None:
        self._fit, self._cache, self._array = arguments.fit, arguments.cache, arguments.array
        self.problems: list[str] = []
        self.features: PictureFeatures | None = None
        self.size = (model.picture_size if model else size) or SIZE
        self._wants_features = model is not None and model.features is not None
        if arguments.onnx is not None:
            from ...interop.onnx import PictureFeatures

            if model is not None and model.features is None:
                raise CommandError("--onnx: the model looks at pictures themselves")
            self.features = PictureFeatures(arguments.onnx, output=arguments.onnx_output)
            wanted = model.picture_size if model else size
            self.size = self.features.size or wanted or FEATURES_SIZE
            if size is not None and size != self.size:
                raise CommandError(f"--size: the network takes pictures of {self.size[0]} {self.size[1]}")
        elif arguments.onnx_output is not None:
            raise CommandError("--onnx-output: has no meaning without --onnx")

    def array(self, path: str) -> Array:
        """The rows of an array's file."""
        from ...data import read_array

        if self.features is not None:
            raise CommandError(f"--onnx: expected files of pictures, got an array ({path})")
        return read_array(path, self._array)

    def look(self, pictures: Sequence[Array]) -> Array:
        """Pictures (Y, X, 3) as the model takes them."""
        import numpy as np

        stacked = np.stack(pictures)
        return stacked if self.features is None else self.features(stacked)

    def read_one(self, file: BinaryIO) -> Array:
        """A picture (Y, X, 3) from an open file."""
        from ...data import read_picture

        self._check_pictures()
        return read_picture(file, self.size, fit=self._fit)

    def read(self, files: Iterable[str]) -> Iterator[tuple[list[str], list[Array], Array]]:
        """Names, pictures, and they as the model takes them, some at a time.

        Files are pictures, folders of them, or arrays, for whose rows there are no pictures. What cannot be read is
        said, and left out.

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
                yield names, pictures, self.look(pictures)
        cache.write()
        if not count:
            raise CommandError(f"none of {len(self.problems):,} files could be read as a picture")

    def described(self, captions: str, arguments: argparse.Namespace, where: str | None) -> DescribedPictures:
        """Pictures with their descriptions; what was left out is said.

        Raises:
            CommandError: if nothing is left.
        """
        from ... import data

        before = len(self.problems)
        if where is not None and where.lower().endswith(_ARRAYS):
            column, field = _one(arguments)
            listed = data.read_descriptions(captions, column=column, field=field)
            found = data.described_arrays(self.array(where), listed)
        else:
            columns, fields = _two(arguments)
            listed = data.read_captions(captions, columns=columns, fields=fields)
            folder = os.path.dirname(captions) if where is None else where
            if not os.path.isdir(folder or "."):
                raise CommandError(f"--pictures: expected a folder, or an array (.npy, .npz), got {folder}")
            found = self._join(listed, folder)
        for problem in listed.problems:
            self._leave_out(problem)
        return replace(found, problems=tuple(self.problems[before:]))

    def _join(self, captions: Captions, folder: str) -> DescribedPictures:
        import numpy as np

        from ...data import DescribedPictures

        own: dict[str, list[str]] = {}
        for file, texts in zip(captions.files, captions.descriptions, strict=True):
            own.setdefault(os.path.join(folder, file), []).extend(texts)
        files: list[str] = []
        rows: list[Array] = []
        for names, _, looked in self.read(own):
            files += names
            rows.append(looked)
        kept = [own[file] for file in files]
        return DescribedPictures(np.concatenate(rows), kept, tuple(files), ())

    def _check_pictures(self) -> None:
        if self._wants_features and self.features is None:
            raise CommandError(
                "the model looks at features of another network: --onnx names it, or give an array of them"
            )

    def _leave_out(self, problem: str) -> None:
        self.problems.append(problem)
        say(f"rnnrs: {problem}")


def standard_input() -> BinaryIO:
    """The bytes of one picture from standard input.

    Raises:
        CommandError: if nobody sends any, or too many.
    """
    if sys.stdin.isatty():
        raise CommandError("expected a PICTURE, or one on standard input")
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    if not data or len(data) > MOST_BYTES:
        raise CommandError(
            f"standard input: expected a picture of 1 to {MOST_BYTES:,} bytes, got {'more' if data else 'none'}"
        )
    return io.BytesIO(data)


def _found(files: Iterable[str]) -> Iterator[str]:
    """Files, and those of folders.

    Raises:
        OSError, ValueError: for a folder that cannot be read, or has no pictures.
    """
    from ...data import find_pictures

    for file in files:
        if os.path.isdir(file):
            yield from find_pictures(file)
        else:
            yield file


def _two(arguments: argparse.Namespace) -> tuple[tuple[int, int], tuple[str, str]]:
    for option in ("columns", "fields"):
        given = getattr(arguments, option)
        if given is not None and len(given) != 2:
            raise CommandError(f"--{option}: expected two, of file and description, got {len(given)}")
    columns, fields = arguments.columns or (0, 1), arguments.fields or ("file", "description")
    return (columns[0], columns[1]), (fields[0], fields[1])


def _one(arguments: argparse.Namespace) -> tuple[int, str]:
    for option in ("columns", "fields"):
        given = getattr(arguments, option)
        if given is not None and len(given) != 1:
            raise CommandError(f"--{option}: expected one, of the description of a row, got {len(given)}")
    return (arguments.columns or [0])[0], (arguments.fields or ["description"])[0]
