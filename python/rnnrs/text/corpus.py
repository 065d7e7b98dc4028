"""Texts from files, and those that come with the package."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path


def read_text(*paths: str | os.PathLike[str]) -> str:
    """The text of UTF-8 files, each begun on a line of its own, line ends made "\\n".

    Raises:
        OSError: if one cannot be read.
        ValueError: if one is empty, binary or no UTF-8 (the place is named).
    """
    if not paths:
        raise ValueError("read_text: paths: expected at least one file, got none")
    *texts, last = map(_read, paths)
    return "".join(text if text.endswith("\n") else text + "\n" for text in texts) + last


def _read(path: str | os.PathLike[str]) -> str:
    data = Path(path).read_bytes()
    if b"\0" in data:
        raise ValueError(f"{path}: expected a text, got a binary file (byte 0 at offset {data.index(0)})")
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")  # a byte order mark
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected UTF-8 text, got byte 0x{data[error.start]:02x} at offset {error.start}"
        ) from None
    if not text.strip():
        raise ValueError(f"{path}: expected a text, got {'only white space' if text else 'an empty file'}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def tiny_shakespeare() -> str:
    """The bundled text: 1,115,394 characters from Shakespeare's plays (see NOTICE)."""
    return _bundled("tiny_shakespeare.txt.gz")


def tatoeba_pairs() -> list[tuple[str, str]]:
    """16,000 short English sentences and their French translations, bundled, from Tatoeba (see NOTICE).

    In random order, of 2 to 7 words and signs (2 to 8 the translations) that are among the 1,000 (1,300) most frequent
    ones of such sentences; no English sentence occurs twice.
    """
    return _pairs("tatoeba_eng_fra.tsv.gz")


def debian_synopses() -> list[tuple[str, str]]:
    """8,000 first paragraphs of descriptions of Debian packages and their synopses, bundled (see NOTICE).

    Drawn in random order from paragraphs of 8 to 60 words with synopses of 3 to 14; none occurs twice.
    """
    return _pairs("debian_synopses.tsv.gz")


def chatterbot_dialogues() -> list[list[str]]:
    """2,025 short English dialogues, bundled, from the corpus of ChatterBot (see NOTICE), as lists of turns.

    Most are a question and an answer; the same question may come several times, with other answers.
    """
    return [json.loads(line)["turns"] for line in _bundled("chatterbot.jsonl.gz").splitlines()]


def _bundled(name: str) -> str:
    packed = resources.files(__package__).joinpath("data", name).read_bytes()
    return gzip.decompress(packed).decode("utf-8")


def _pairs(name: str) -> list[tuple[str, str]]:
    rows = (line.split("\t") for line in _bundled(name).splitlines())
    return [(source, target) for source, target in rows]


def split(text: str, shares: Sequence[float] = (0.9, 0.05, 0.05)) -> tuple[str, ...]:
    """Cuts a text into consecutive parts: to train on, to validate on, to test on.

    Args:
        text: the text.
        shares: of the parts; they add up to 1. Parts of a very short text may be empty.

    Raises:
        ValueError: if the shares are not positive or do not add up to 1.
    """
    if not shares or min(shares) <= 0 or not abs(sum(shares) - 1.0) <= 1e-9:
        raise ValueError(f"split: shares: expected positive numbers that add up to 1, got {tuple(shares)}")
    ends = [int(len(text) * sum(shares[: i + 1])) for i in range(len(shares) - 1)]
    starts = [0, *ends]
    return tuple(text[start:end] for start, end in zip(starts, [*ends, len(text)], strict=True))
