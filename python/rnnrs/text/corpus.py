"""Texts from files, and the one that comes with the package."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path


def read_text(*paths: str | os.PathLike[str]) -> str:
    """The text of UTF-8 files, one after the other, line ends made "\\n".

    Raises:
        OSError: if one cannot be read.
        ValueError: if one is empty, binary or no UTF-8 (the place is named).
    """
    if not paths:
        raise ValueError("read_text: paths: expected at least one file, got none")
    return "".join(_read(path) for path in paths)


def _read(path: str | os.PathLike[str]) -> str:
    data = Path(path).read_bytes()
    if not data.strip():
        raise ValueError(
            f"{path}: expected a text, got {'an empty file' if not data else 'only white space'}"
        )
    if b"\0" in data:
        raise ValueError(f"{path}: expected a text, got a binary file (byte 0 at offset {data.index(0)})")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected UTF-8 text, got byte 0x{data[error.start]:02x} at offset {error.start}"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def tiny_shakespeare() -> str:
    """The bundled text: 1,115,394 characters from Shakespeare's plays (see NOTICE)."""
    packed = resources.files(__package__).joinpath("data", "tiny_shakespeare.txt.gz").read_bytes()
    return gzip.decompress(packed).decode("utf-8")


def split(text: str, shares: Sequence[float] = (0.9, 0.05, 0.05)) -> tuple[str, ...]:
    """Cuts a text into consecutive parts: to train on, to validate on, to test on.

    Args:
        text: the text.
        shares: of the parts; they add up to 1. The last part takes what is left over.

    Raises:
        ValueError: if the shares are not positive or do not add up to 1.
    """
    if not shares or min(shares) <= 0 or abs(sum(shares) - 1.0) > 1e-9:
        raise ValueError(f"split: shares: expected positive numbers that add up to 1, got {tuple(shares)}")
    ends = [int(len(text) * sum(shares[: i + 1])) for i in range(len(shares) - 1)]
    starts = [0, *ends]
    return tuple(text[start:end] for start, end in zip(starts, [*ends, len(text)], strict=True))
