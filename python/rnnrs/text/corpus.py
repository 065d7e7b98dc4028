"""Texts from files, and the texts bundled with the package."""

from __future__ import annotations

import bz2
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import resources

from .. import reading


def read_text(*paths: str | os.PathLike[str], encoding: str = "utf-8") -> str:
    """Reads files into one text; each file starts on a new line.

    Line ends become "\n"; a byte order mark is removed.

    Args:
        paths: the files, compressed by gzip or zstd or not; "-": standard input.
        encoding: the encoding of the texts.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if a file is empty, binary or not in the encoding (the message names line and column); if
            no file is given; for an unknown encoding.
    """
    if not paths:
        raise ValueError("read_text: paths: expected at least one file, got none")
    *texts, last = (_read(path, encoding) for path in paths)
    return "".join(text if text.endswith("\n") else text + "\n" for text in texts) + last


def _read(path: str | os.PathLike[str], encoding: str) -> str:
    name, text = reading.name_of(path), reading.read_text(path, encoding)
    if "\0" in text:
        offset = len(text[: text.index("\0")].encode(encoding, "replace"))
        raise ValueError(f"{name}: expected a text, got a binary file (byte 0 at offset {offset})")
    if not text.strip():
        raise ValueError(f"{name}: expected a text, got {'only whitespace' if text else 'an empty file'}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def text_parts(*paths: str | os.PathLike[str], encoding: str = "utf-8") -> Iterator[str]:
    """Yields the text that `read_text` returns part by part, so that memory does not grow with it.

    Args:
        paths: the files, compressed or not; "-": standard input.
        encoding: the encoding of the texts.

    Raises:
        OSError, ValueError: see `read_text`; while the parts are read.
    """
    if not paths:
        raise ValueError("text_parts: paths: expected at least one file, got none")
    for number, path in enumerate(paths):
        end = ""
        for part in _checked_parts(path, encoding):
            yield part
            end = part[-1]
        if end != "\n" and number + 1 < len(paths):
            yield "\n"


def _checked_parts(path: str | os.PathLike[str], encoding: str) -> Iterator[str]:
    """Yields the parts of a file that are not empty."""
    name, blank, before = reading.name_of(path), True, 0
    for part in reading.text_parts(path, encoding):
        if "\0" in part:
            place = before + part.index("\0")
            raise ValueError(
                f"{name}: expected a text, got a binary file (byte 0 after {place:,} characters)"
            )
        before += len(part)
        blank = blank and not part.strip()
        if part:
            yield part
    if blank:
        raise ValueError(f"{name}: expected a text, got {'only whitespace' if before else 'an empty file'}")


def chunks(parts: Iterable[str], divided: Callable[[str], int]) -> Iterator[str]:
    """Yields a text in chunks that can be encoded one by one; they end where a line ends, if possible.

    Args:
        parts: the parts of the text, divided anywhere.
        divided: see `Vocabulary.divided`.

    Example:
        >>> list(chunks(["on", "e\\ntwo\\nth", "ree"], lambda text: text.rfind("\\n") + 1))
        ['one\\ntwo\\n', 'three']
    """
    waiting = list[str]()
    for part in parts:
        place = part.rfind("\n") + 1
        if not place:  # rare: a line that is longer than a part
            part = "".join([*waiting, part])
            waiting, place = [], divided(part)
        if place:
            yield "".join([*waiting, part[:place]])
            waiting = []
        waiting.append(part[place:])
    if rest := "".join(waiting):
        yield rest


def tiny_shakespeare() -> str:
    """Returns the bundled text: 1,115,394 characters from Shakespeare's plays (see NOTICE)."""
    return _bundled("tiny_shakespeare.txt.bz2")


def tatoeba_pairs() -> list[tuple[str, str]]:
    """Returns 16,000 short English sentences with French translations, bundled, from Tatoeba (see NOTICE).

    The pairs are in random order. A sentence has 2 to 7 words and symbols, all among the 1,000 most frequent
    ones of such sentences; a translation has 2 to 8, among the 1,300 most frequent ones. No English sentence
    occurs twice.
    """
    return _pairs("tatoeba_eng_fra.tsv.bz2")


def debian_synopses() -> list[tuple[str, str]]:
    """Returns 8,000 first paragraphs of Debian package descriptions and their synopses, bundled (see NOTICE).

    They are sampled, in random order, from paragraphs of 8 to 60 words with synopses of 3 to 14 words; none
    occurs twice.
    """
    return _pairs("debian_synopses.tsv.bz2")


def chatterbot_dialogues() -> list[list[str]]:
    """Returns 2,025 short English dialogues of the ChatterBot corpus, bundled (see NOTICE); lists of turns.

    Most dialogues are a question and an answer. A question may occur several times with different answers.
    """
    return [json.loads(line)["turns"] for line in _bundled("chatterbot.jsonl.bz2").splitlines()]


def _bundled(name: str) -> str:
    packed = resources.files(__package__).joinpath("data", name).read_bytes()
    return bz2.decompress(packed).decode("utf-8")


def _pairs(name: str) -> list[tuple[str, str]]:
    rows = (line.split("\t") for line in _bundled(name).splitlines())
    return [(source, target) for source, target in rows]


def split(text: str, shares: Sequence[float] = (0.9, 0.05, 0.05)) -> tuple[str, ...]:
    """Splits a text into consecutive parts: for training, validation and testing.

    Args:
        text: the text.
        shares: the fraction of the text in each part; they add up to 1. Parts of a very short text may be
            empty.

    Raises:
        ValueError: if the shares are not positive or do not add up to 1.
    """
    if not shares or min(shares) <= 0 or not abs(sum(shares) - 1.0) <= 1e-9:
        raise ValueError(f"split: shares: expected positive numbers that add up to 1, got {tuple(shares)}")
    ends = [int(len(text) * sum(shares[: i + 1])) for i in range(len(shares) - 1)]
    starts = [0, *ends]
    return tuple(text[start:end] for start, end in zip(starts, [*ends, len(text)], strict=True))
