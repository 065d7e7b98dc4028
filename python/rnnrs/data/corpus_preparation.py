"""Preparation of a corpus: a text of any size becomes token ids on disk, in two passes."""

from __future__ import annotations

import contextlib
import json
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks import check_text
from ..errors import FormatError
from ..files import claimed, write_atomically
from ..reading import STANDARD_INPUT, PathLike, check_encoding, name_of
from ..text import VOCABULARIES, Vocabulary, build_vocabulary, text_parts, vocabulary_from_config
from ..text.build import check_level
from ..text.corpus import chunks
from ..text.parallel import in_order
from ..text.sentences import LONGEST, look_like_sentences
from ..text.vocabulary import without_surrogates
from .array_file import ArrayWriter
from .batch import digest
from .corpus import BEGUN, FILES, HEADER, VERSION, Corpus, ids_dtype, json_of

#: What a preparation leaves in the folder until it has ended, besides `BEGUN`.
_VOCABULARY, _SPOOL = "vocabulary.json", "standard-input.txt"

#: Seconds after which the state is written, from which a preparation goes on.
_EVERY = 5.0

#: Called with the name of the pass and the number of characters that it has read.
Tell = Callable[[str, int], None]


def prepare_corpus(
    folder: PathLike,
    *paths: PathLike,
    texts: Iterable[str] | None = None,
    level: str = "char",
    vocabulary: Mapping[str, Any] | Vocabulary | None = None,
    encoding: str = "utf-8",
    force: bool = False,
    tell: Tell | None = None,
) -> Corpus:
    """Encodes a text of any size to a folder on disk; memory does not grow with the text.

    The first pass counts the tokens, the second one writes their ids. Vocabulary and ids are those of
    `LanguageModel.from_text` and `encode`. Of more than ten million different words, the rarest ones are
    dropped while they are counted; `Corpus.undercount` says how many occurrences of a word may be missing.
    If it is stopped, the same call goes on where it was; if the folder holds a corpus of these texts and
    options, that is returned.

    Args:
        folder: the folder to write.
        paths: the texts, compressed by gzip or zstd or not, read one after the other; "-": standard input,
            which is copied to the folder while it is read.
        texts: in place of files, the parts of a text, with "\\n" as its line ends, from any iterator: they
            are copied to the folder, too.
        level: "char", "word", "subword" or "token"; no effect if a vocabulary is given.
        vocabulary: the options of the vocabulary, see `text.build_vocabulary`; or a vocabulary, that of a
            model: then the first pass is left out.
        encoding: the encoding of the texts.
        force: whether a corpus of other texts or options, or a damaged one, is replaced.
        tell: called now and then with the name of the pass and the number of characters that it has read.

    Raises:
        OSError: if a text cannot be read or the folder cannot be written; FileExistsError if it holds
            something else.
        ValueError, TypeError: for a text that is empty, binary, or not in the encoding; for an unknown level
            or option.
        FormatError: if the texts change while they are read.

    Example:
        >>> import tempfile
        >>> lines = (f"{n} is {'even' if n % 2 == 0 else 'odd'}.\\n" for n in range(1000))
        >>> prepare_corpus(tempfile.mkdtemp(), texts=lines, level="word").sentences().places(0, 2)[1].tolist()
        [4, 4]
    """
    op = "prepare_corpus"
    check_encoding(op, encoding)
    check_level(op, level)
    place = Path(folder)
    if bool(paths) == (texts is not None):
        raise ValueError(f"{op}: paths: expected files or texts, got {'both' if paths else 'neither'}")
    request = _request(paths or [STANDARD_INPUT], encoding, level, vocabulary)
    place.mkdir(parents=True, exist_ok=True)
    with _named(place), claimed(place / HEADER):
        if _is_there(place, request, vocabulary, force):
            return Corpus(place)
        preparation = _Preparation(place, request, paths, encoding, tell or (lambda name, characters: None))
        if [STANDARD_INPUT] in request["texts"]:
            preparation.spool(text_parts(*paths, encoding=encoding) if texts is None else texts)
        preparation.find_vocabulary(op, level, vocabulary)
        preparation.write_ids()
    return Corpus(place)


@contextlib.contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Makes errors that name no file, such as that of a full disk, name the folder."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(folder)) from error


def _request(
    paths: Iterable[PathLike], encoding: str, level: str, vocabulary: Mapping[str, Any] | Vocabulary | None
) -> dict[str, Any]:
    """Returns what identifies a preparation: the texts' names, sizes and times, and the vocabulary."""
    texts: list[Any] = []
    for path in paths:
        if os.fspath(path) == STANDARD_INPUT:
            texts.append([STANDARD_INPUT])
            continue
        status = os.stat(path)
        texts.append([os.path.realpath(path), status.st_size, status.st_mtime_ns])
    request: dict[str, Any] = {"texts": texts, "encoding": encoding}
    if isinstance(vocabulary, Vocabulary):
        return request | {"vocabulary": digest(vocabulary.to_config())}
    return request | {"level": level, "options": dict(vocabulary or {})}


def _is_there(
    folder: Path, request: dict[str, Any], vocabulary: Mapping[str, Any] | Vocabulary | None, force: bool
) -> bool:
    """Returns whether a folder holds the corpus that is asked for; removes one that may be replaced.

    Raises:
        FileExistsError: if the folder holds something else.
    """
    ours = {HEADER, BEGUN, _VOCABULARY, _SPOOL, *FILES}
    others = [name for name in os.listdir(folder) if name not in ours and not name.startswith(".rnnrs-")]
    if others:
        raise FileExistsError(
            17, f"expected a corpus or an empty folder, got one with {others[0]}", str(folder)
        )
    found = folder / (HEADER if (folder / HEADER).exists() else BEGUN)
    if not found.exists():
        return False
    header = json_of(found)
    before = header.get("request") if isinstance(header, dict) else None
    same = before == request
    if isinstance(vocabulary, Vocabulary) and isinstance(before, dict) and found.name == HEADER:
        alike = all(before.get(name) == request[name] for name in ("texts", "encoding"))
        same = alike and header.get("vocabulary") == vocabulary.to_config()
    if same and [STANDARD_INPUT] not in request["texts"]:
        whole = _is_whole(folder, None if found.name == HEADER else header)
        if whole or (found.name == HEADER and not force):  # opening a damaged one says so
            return found.name == HEADER
    elif not force and not same:
        raise FileExistsError(
            17, "exists, and was prepared from other texts or with other options", str(folder)
        )
    _remove(folder, sorted(ours))
    return False


def _is_whole(folder: Path, begun: dict[str, Any] | None) -> bool:
    """Returns whether a corpus can be read, or whether a preparation that was stopped can go on.

    Args:
        folder: the folder.
        begun: the state of the preparation; None for a corpus.
    """
    try:
        if begun is None:
            Corpus(folder)
        elif "undercount" in begun:
            _Files(folder, vocabulary_from_config(json_of(folder / _VOCABULARY)), begun.get("done")).close()
    except (OSError, FormatError):
        return False
    return True


def _remove(folder: Path, names: Iterable[str]) -> None:
    """Removes files, where they exist."""
    for name in names:
        (folder / name).unlink(missing_ok=True)


class _Encoded(NamedTuple):
    """A chunk of text.

    Attributes:
        ids: the ids of its tokens.
        ends: the places of the line breaks among them.
        lengths: the number of characters of each line.
        full: whether each line has more than white space.
    """

    ids: NDArray[Any]
    ends: NDArray[np.int64]
    lengths: NDArray[np.int64]
    full: NDArray[np.bool_]


class _Preparation:
    """A preparation that is under way."""

    def __init__(
        self, folder: Path, request: dict[str, Any], paths: tuple[PathLike, ...], encoding: str, tell: Tell
    ) -> None:
        self.folder, self.request, self.tell = folder, request, tell
        self._paths, self._encoding = paths, encoding
        begun = folder / BEGUN
        #: What is known so far: the sum of the text after the first pass, the state of the second one.
        self.state: dict[str, Any] = json_of(begun) if begun.exists() else {}
        self.vocabulary: Vocabulary | None = None
        if "undercount" in self.state:
            self.vocabulary = vocabulary_from_config(json_of(folder / _VOCABULARY))

    def spool(self, parts: Iterable[str]) -> None:
        """Copies a text that can be read only once to the folder, as it comes.

        Raises:
            TypeError: if a part is not a string.
        """
        spool = self.folder / _SPOOL
        with open(spool, "w", encoding="utf-8", newline="") as file:
            for part in parts:
                file.write(without_surrogates(check_text("prepare_corpus", "texts", part)))
        self._paths, self._encoding = (spool,), "utf-8"

    def find_vocabulary(self, op: str, level: str, vocabulary: Mapping[str, Any] | Vocabulary | None) -> None:
        """Counts the tokens, unless that is done, or a vocabulary is given."""
        if self.vocabulary is not None:
            return
        if isinstance(vocabulary, Vocabulary):
            self.vocabulary = vocabulary
        else:
            text = self._read("counting", VOCABULARIES[level].divided)
            self.vocabulary = build_vocabulary(level, text, vocabulary, op=op)
        config = json.dumps(self.vocabulary.to_config())
        write_atomically(self.folder / _VOCABULARY, config.encode())
        self._keep({"undercount": self.vocabulary.undercount})

    def write_ids(self) -> None:
        """Writes the ids, and at last what describes the corpus."""
        assert self.vocabulary is not None
        done = self.state.get("done")
        files = _Files(self.folder, self.vocabulary, done)
        try:
            kept = time.monotonic()
            text = self._read("encoding", self.vocabulary.divided, 0 if done is None else done["chunks"])
            for chunk in in_order(files.encoded, text):
                files.append(chunk)
                if time.monotonic() - kept >= _EVERY:
                    self._keep({"done": files.state()})
                    kept = time.monotonic()
            counts, states = files.finish()
        except BaseException:
            files.close()
            raise
        header = {
            "format": "rnnrs corpus",
            "version": VERSION,
            "request": self.request,
            "vocabulary": self.vocabulary.to_config(),
            "counts": counts,
            "files": states,
            "sentence_like": look_like_sentences(_lines(text_parts(*self._paths, encoding=self._encoding))),
            "undercount": self.state["undercount"],
        }
        write_atomically(self.folder / HEADER, json.dumps(header).encode())
        _remove(self.folder, [BEGUN, _VOCABULARY, _SPOOL])

    def _read(self, name: str, divided: Callable[[str], int], skipped: int = 0) -> Iterator[str]:
        """Yields the chunks of the text after some, and checks that all of them are those of the last time.

        Raises:
            FormatError: if they are not.
        """
        checksum = characters = 0
        for number, chunk in enumerate(chunks(text_parts(*self._paths, encoding=self._encoding), divided)):
            checksum = zlib.crc32(chunk.encode("utf-8", "surrogatepass"), checksum)
            characters += len(chunk)
            if number >= skipped:
                yield chunk
            self.tell(name, characters)
        if self.state.setdefault("checksum", checksum) != checksum:
            names = ", ".join(name_of(path) for path in self._paths)
            raise FormatError(
                f"{names}: expected the same text in each pass, got another one the second time"
            )

    def _keep(self, news: dict[str, Any]) -> None:
        """Writes what is known to disk."""
        self.state |= news
        form = {"format": "rnnrs corpus, begun", "version": VERSION, "request": self.request}
        write_atomically(self.folder / BEGUN, json.dumps(self.state | form).encode())


class _Files:
    """The files of a corpus that is being written.

    Args:
        folder: the folder.
        vocabulary: encodes the text.
        state: where the work goes on, from `state`; None at the beginning.
    """

    def __init__(self, folder: Path, vocabulary: Vocabulary, state: Mapping[str, Any] | None) -> None:
        self._vocabulary, self._dtype = vocabulary, ids_dtype(len(vocabulary))
        self._done = {"chunks": 0, "characters": 0, "lines": 0, "full": False} | dict(state or {})
        states = (state or {}).get("files", {})
        self._writers = dict[str, ArrayWriter]()
        try:
            for name, (dtype, width) in FILES.items():
                self._writers[name] = ArrayWriter(
                    folder / name, dtype or self._dtype, width, states.get(name)
                )
        except BaseException:
            self.close()
            raise
        if state is None:
            self._writers["lines.npy"].append(np.zeros((1, 2)))

    def encoded(self, chunk: str) -> _Encoded:
        """Returns a chunk of text in numbers."""
        ids = self._vocabulary.encode(chunk)
        ends = np.flatnonzero(ids == self._vocabulary.end_id)
        lines = chunk.split("\n")
        lengths = np.fromiter(map(len, lines), np.int64, len(lines))
        full = np.fromiter(map(bool, map(str.strip, lines)), np.bool_, len(lines))
        if len(ends) != len(lines) - 1:
            raise RuntimeError(f"{self._vocabulary!r}: expected {len(lines) - 1} line ends, got {len(ends)}")
        return _Encoded(ids.astype(self._dtype), ends, lengths, full)

    def append(self, chunk: _Encoded) -> None:
        """Appends a chunk; its first line continues the last one before it, its last line may go on."""
        done, writers = self._done, self._writers
        begun = writers["ids.npy"].rows
        starts = np.stack(
            [begun + chunk.ends + 1, done["characters"] + np.cumsum(chunk.lengths[:-1] + 1)], axis=1
        )
        full = chunk.full.astype(np.uint8)
        full[0] |= done["full"]
        writers["ids.npy"].append(chunk.ids)
        writers["lines.npy"].append(starts)
        writers["sentences.npy"].append(full[:-1])
        done["chunks"] += 1
        done["characters"] += int(chunk.lengths.sum()) + len(chunk.ends)
        done["lines"] += len(chunk.ends)
        done["full"] = bool(full[-1])

    def state(self) -> dict[str, Any]:
        """Returns where the work goes on after a stop; all files have been synced to disk."""
        return self._done | {"files": {name: writer.state() for name, writer in self._writers.items()}}

    def finish(self) -> tuple[dict[str, int], dict[str, Any]]:
        """Ends the last line, closes the files, and returns counts and checksums."""
        tokens, characters = self._writers["ids.npy"].rows, self._done["characters"]
        self._writers["lines.npy"].append(np.array([[tokens + 1, characters + 1]]))
        self._writers["sentences.npy"].append(np.array([self._done["full"]]))
        counts = {"tokens": tokens, "characters": characters, "lines": self._done["lines"] + 1}
        return counts, {name: writer.finish() for name, writer in self._writers.items()}

    def close(self) -> None:
        """Closes the files as they are: the work may go on from the last state."""
        for writer in self._writers.values():
            with contextlib.suppress(OSError):  # of a full disk, which has been reported
                writer.close()


def _lines(parts: Iterable[str]) -> Iterator[str]:
    """Yields the lines of a text that comes in parts; the end of a very long one is left out."""
    rest = ""
    for part in parts:
        *lines, rest = (rest + part).split("\n")
        yield from lines
        rest = rest[:LONGEST]
    yield rest
