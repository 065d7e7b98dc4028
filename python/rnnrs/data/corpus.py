"""A text on disk as token ids, for texts that are too large for memory.

A corpus is a folder: `corpus.json` describes it and holds the vocabulary, and three files can also be read
by `numpy.load(…, mmap_mode="r")`. `ids.npy` has the ids (N,) of the text as uint16, or uint32 for more than
65,536 tokens. `lines.npy` has a row for each line, and one more: its place among the ids, and among the
characters. `sentences.npy` tells which lines are not blank. Nothing in a corpus is ever executed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..text import Vocabulary, vocabulary_from_config
from .array_file import BLOCK, ArrayFile
from .batch import digest
from .selection import GROUP, Selection

#: The version of the format that this library writes, and the newest that it reads.
VERSION = 1

#: What describes a corpus, and what a preparation that was stopped leaves in its place.
HEADER, BEGUN = "corpus.json", "begun.json"

#: The files of a corpus: the type of their numbers, and the numbers in a row.
FILES: dict[str, tuple[str, int | None]] = {
    "ids.npy": ("", None),
    "lines.npy": ("<u8", 2),
    "sentences.npy": ("|u1", None),
}

#: The most bytes that are compared with their checksums whenever a corpus is opened.
CHEAP = 1 << 26

#: The number of lines that are looked at together: a bound of the memory.
_LINES = 1 << 18


class Corpus:
    """A text on disk as token ids, made by `prepare_corpus` or `rnnrs lm prepare`.

    Args:
        folder: the folder.
        verify: whether all files are compared with their checksums; by default, if they have at most 64 MB.

    Attributes:
        folder: the folder.
        vocabulary: the vocabulary that encoded the text.
        tokens, characters, lines: their numbers; a line break is a token, too.
        sentence_like: whether most lines look like sentences.
        undercount: how often a token may have occurred without being counted, because the text has more than
            ten million different ones; 0 if all have been counted.

    Raises:
        OSError: if a file cannot be read.
        FormatError: if it is not a corpus, is half prepared, damaged, or of a newer version.

    Example:
        >>> import pathlib, tempfile
        >>> from rnnrs.data import prepare_corpus
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> written = (folder / "text.txt").write_text("so be it.\\nbe it so.\\n")
        >>> corpus = prepare_corpus(folder / "corpus", folder / "text.txt", level="word")
        >>> corpus.tokens, len(corpus.sentences())
        (10, 2)
        >>> corpus.vocabulary.decode(corpus.ids(0, 4))
        'so be it.'
    """

    def __init__(self, folder: str | os.PathLike[str], *, verify: bool | None = None) -> None:
        self.folder = Path(folder)
        header = read_header(self.folder)
        self.request: dict[str, Any] = header["request"]
        counts = header["counts"]
        self.tokens, self.characters, self.lines = (
            counts[name] for name in ("tokens", "characters", "lines")
        )
        self.sentence_like, self.undercount = bool(header["sentence_like"]), int(header["undercount"])
        self.vocabulary: Vocabulary = vocabulary_from_config(header["vocabulary"])
        self._sums: dict[str, list[int]] = {name: header["files"][name]["sums"] for name in FILES}
        self._files = {name: ArrayFile(self.folder / name) for name in FILES}
        self._check_shapes()
        if verify or (verify is None and sum(os.path.getsize(f.path) for f in self._files.values()) <= CHEAP):
            self.verify()
        self._fingerprint = digest(header["vocabulary"], counts, sorted(self._sums.items()))
        self._whole: Selection | None = None

    def __repr__(self) -> str:
        return f"Corpus({os.fspath(self.folder)!r}, {self.tokens:,} tokens, {self.vocabulary!r})"

    def ids(self, start: int, stop: int) -> NDArray[Any]:
        """Returns the token ids from `start` to `stop`, as they are stored.

        Raises:
            IndexError: if there are no such tokens.
            OSError, FormatError: if they cannot be read.
        """
        return self._files["ids.npy"].read(start, stop)

    def verify(self) -> None:
        """Compares all files with their checksums.

        Raises:
            OSError: if a file cannot be read.
            FormatError: if one has changed; names it and the place.
        """
        for name, file in self._files.items():
            expected, got = self._sums[name], file.checksums()
            if expected != got:
                place = next((i for i, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b), 0)
                raise FormatError(
                    f"{file.path}: damaged: expected the recorded checksum, got another one for the "
                    f"{BLOCK:,} bytes after row byte {place * BLOCK:,}"
                )

    def fingerprint(self) -> str:
        """Returns a short hash of vocabulary and text, by the checksums with which they were written."""
        return self._fingerprint

    @property
    def sums(self) -> NDArray[np.int64]:
        """The checksums of the ids, one for each block."""
        return np.array(self._sums["ids.npy"], np.int64)

    def stream(self, start: int = 0, stop: int | None = None) -> CorpusStream:
        """Returns the text, or the tokens from `start` to `stop`, as one stream."""
        return CorpusStream(self, start, self.tokens if stop is None else stop)

    def sentences(self, which: Selection | None = None) -> CorpusSentences:
        """Returns the lines that are not blank, or some of them, as separate sequences."""
        if self._whole is None:
            flags, count = self._files["sentences.npy"], self.lines
            self._whole = Selection(
                flags.read(first, min(first + GROUP, count)).astype(np.bool_)
                for first in range(0, count, GROUP)
            )
        return CorpusSentences(self, self._whole if which is None else which)

    def places(self, first: int, last: int) -> NDArray[np.int64]:
        """Returns where the lines from `first` to `last` begin (n, 2), among the ids and the characters.

        The line after the last one would begin after another line break.
        """
        return self._files["lines.npy"].read(first, last).astype(np.int64)

    def line_at(self, character: int) -> int:
        """Returns the number of the last line that begins at a character or before it."""
        return self._line(character, 1)

    def line_of(self, token: int) -> int:
        """Returns the number of the last line that begins at a token or before it."""
        return self._line(token, 0)

    def character_at(self, token: int) -> int:
        """Returns the place of a token among the characters; between two lines' beginnings by proportion."""
        return self._across(token, 0)

    def token_at(self, character: int) -> int:
        """Returns the place of a character among the tokens; between two lines' beginnings by proportion."""
        return self._across(character, 1)

    def has_text(self, first: int, last: int) -> bool:
        """Returns whether one of the lines from `first` to `last` is not blank."""
        flags = self._files["sentences.npy"]
        return any(flags.read(n, min(n + _LINES, last)).any() for n in range(first, last, _LINES))

    def _line(self, place: int, column: int) -> int:
        """Returns the number of the last line that begins at a token or character, or before it."""
        low, high = 0, self.lines
        while high - low > 1:
            middle = (low + high) // 2
            before = self.places(middle, middle + 1)[0, column] <= place
            low, high = (middle, high) if before else (low, middle)
        return low

    def _across(self, place: int, column: int) -> int:
        line = self._line(place, column)
        # From where the line begins to its end, which is one token and one character.
        (a, b), (c, d) = (row[:: 1 - 2 * column].tolist() for row in self.places(line, line + 2))
        return int(b + (place - a) * (d - 1 - b) // max(c - 1 - a, 1))

    def _check_shapes(self) -> None:
        """Checks that the files have as many rows as the header says.

        Raises:
            FormatError: if they have not.
        """
        dtype = ids_dtype(len(self.vocabulary))
        wanted = [(dtype, (self.tokens,)), ("<u8", (self.lines + 1, 2)), ("|u1", (self.lines,))]
        for file, (kind, shape) in zip(self._files.values(), wanted, strict=True):
            if file.dtype != np.dtype(kind) or file.shape != shape:
                got = f"{file.dtype} of shape {file.shape}"
                raise FormatError(f"{file.path}: expected {np.dtype(kind)} of shape {shape}, got {got}")


class CorpusStream:
    """A part of a corpus, or all of it, as one stream of tokens.

    Args:
        corpus: the corpus.
        start, stop: its tokens.
    """

    def __init__(self, corpus: Corpus, start: int, stop: int) -> None:
        self.corpus, self.start, self.stop = corpus, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __repr__(self) -> str:
        return f"CorpusStream({self.corpus!r}, {self.start:,} to {self.stop:,})"

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Returns the ids of tokens, counted from the start of the part."""
        return self.corpus.ids(self.start + start, self.start + stop)

    def characters(self) -> int:
        """Returns the number of characters, line ends included."""
        return self.corpus.character_at(self.stop) - self.corpus.character_at(self.start)

    def has_text(self) -> bool:
        """Returns whether the part has anything but white space."""
        first, last = self.corpus.line_of(self.start), self.corpus.line_of(max(self.stop - 1, 0))
        return len(self) > 0 and self.corpus.has_text(first, last + 1)

    def lines(self) -> CorpusSentences:
        """Returns the lines that begin within the part and are not blank."""
        first, last = self.corpus.line_of(self.start), self.corpus.line_of(max(self.stop - 1, 0))
        if self.corpus.places(first, first + 1)[0, 0] < self.start:
            first += 1
        return CorpusSentences(self.corpus, self.corpus.sentences().which.within(first, last + 1))

    def fingerprint(self) -> str:
        """Returns a short hash."""
        return digest(self.corpus.fingerprint(), self.start, self.stop)


class CorpusSentences:
    """Lines of a corpus as separate sequences.

    Args:
        corpus: the corpus.
        which: the numbers of the lines.
    """

    def __init__(self, corpus: Corpus, which: Selection) -> None:
        self.corpus, self.which = corpus, which

    def __len__(self) -> int:
        return len(self.which)

    def __repr__(self) -> str:
        return f"CorpusSentences({self.corpus!r}, {len(self):,} sentences)"

    def number(self, rank: int) -> int:
        """Returns the number of the line of a sentence."""
        return int(self.which.numbers(rank, rank + 1)[0])

    def places(self, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns where some sentences, given by rank, begin among the ids, and their numbers of tokens."""
        found = [(begin[:, 0], end[:, 0] - 1 - begin[:, 0]) for begin, end in self._rows(first, last)]
        if not found:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        starts, lengths = (np.concatenate(part) for part in zip(*found, strict=True))
        return starts, lengths

    def characters(self) -> int:
        """Returns the number of characters, line ends included."""
        blocks = range(0, len(self), _LINES)
        rows = (row for first in blocks for row in self._rows(first, min(first + _LINES, len(self))))
        return sum(int((end[:, 1] - begin[:, 1]).sum()) for begin, end in rows)

    def fingerprint(self) -> str:
        """Returns a short hash."""
        return digest(self.corpus.fingerprint(), self.which.digest())

    def _rows(self, first: int, last: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yields the places of some sentences and those of the lines after them, a few at a time."""
        numbers = self.which.numbers(first, last)
        while len(numbers):
            low = int(numbers[0])
            count = int(np.searchsorted(numbers, low + _LINES))
            rows = self.corpus.places(low, int(numbers[count - 1]) + 2)
            yield rows[numbers[:count] - low], rows[numbers[:count] - low + 1]
            numbers = numbers[count:]


#: A part of a corpus: one stream, or lines as separate sequences.
CorpusPart = CorpusStream | CorpusSentences


def ids_dtype(tokens: int) -> str:
    """Returns the type of the ids of a vocabulary with this many tokens."""
    return "<u2" if tokens <= 1 << 16 else "<u4"


def read_header(folder: Path) -> dict[str, Any]:
    """Returns the description of a corpus.

    Raises:
        OSError: if it cannot be read.
        FormatError: if the folder is not a corpus of this version, or is half prepared.
    """
    path = folder / HEADER
    if not path.exists() and folder.is_dir():
        if (folder / BEGUN).exists():
            raise FormatError(
                f"{folder}: expected a corpus, got one that is half prepared; prepare it again with the same "
                "texts and options, and it goes on"
            )
        raise FormatError(f"{folder}: expected a corpus, got a folder without {HEADER}")
    return checked_header(path, json_of(path), "rnnrs corpus")


def json_of(path: Path) -> Any:
    """Returns the contents of a JSON file.

    Raises:
        OSError: if it cannot be read.
        FormatError: if it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: damaged: {error}") from None


#: What a description holds, with its types.
_KEYS: dict[str, type | tuple[type, ...]] = {
    "request": dict,
    "vocabulary": dict,
    "counts": dict,
    "files": dict,
    "sentence_like": bool,
    "undercount": int,
}


def checked_header(path: Path, header: Any, form: str) -> dict[str, Any]:
    """Returns a description whose parts are there, and of their types.

    Raises:
        FormatError: if it is not one.
    """
    if not isinstance(header, dict) or header.get("format") != form:
        raise FormatError(f"{path}: expected the description of a corpus, got something else")
    version = header.get("version")
    if type(version) is not int or version < 1:
        raise FormatError(f"{path}: version: expected a whole number from 1, got {version!r}")
    if version > VERSION:
        raise FormatError(
            f"{path}: written by a newer rnnrs (version {version}); this one reads versions up to {VERSION}"
        )
    wrong = [name for name, kind in _KEYS.items() if not isinstance(header.get(name), kind)]
    if wrong or not _is_counted(header):
        raise FormatError(f"{path}: damaged: {(wrong or ['counts or files'])[0]} is not as expected")
    return header


def _is_counted(header: dict[str, Any]) -> bool:
    """Returns whether a description has all counts and checksums."""
    counts = [header["counts"].get(name) for name in ("tokens", "characters", "lines")]
    files = [header["files"].get(name) for name in FILES]
    return all(type(count) is int and count >= 0 for count in counts) and all(
        isinstance(file, dict)
        and isinstance(file.get("sums"), list)
        and all(type(number) is int for number in file["sums"])
        for file in files
    )
