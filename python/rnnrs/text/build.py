"""Building vocabularies from text and restoring them from model files, by level."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import FormatError
from .earlier import EarlierWordVocabulary
from .lexicon import TokenVocabulary
from .subword import SubwordVocabulary
from .vocabulary import CharVocabulary, Vocabulary
from .words import WordVocabulary

_Kind = type[CharVocabulary] | type[WordVocabulary] | type[SubwordVocabulary] | type[TokenVocabulary]

#: The vocabulary class of each level.
VOCABULARIES: dict[str, _Kind] = {
    "char": CharVocabulary,
    "word": WordVocabulary,
    "subword": SubwordVocabulary,
    "token": TokenVocabulary,
}


def build_vocabulary(
    level: str,
    text: str | Iterable[str],
    options: Mapping[str, Any] | None = None,
    *,
    op: str = "build_vocabulary",
) -> Vocabulary:
    """Builds the vocabulary of a text.

    Args:
        level: "char", "word", "subword" (which needs the extra "subword"), or "token" for text that comes in
            tokens separated by white space.
        text: the text, or a list of sentences.
        options: keyword arguments of the class's `build`: `max_size` and `lowercase` except for characters,
            `min_count` for words and tokens.
        op: the caller's name, for error messages.

    Raises:
        ValueError: for an unknown level, an option that this level does not have, or an empty text.
        TypeError: for text that is not a string or a list of strings.
        MissingExtraError: for subwords, if the package tokenizers is missing.

    Example:
        >>> build_vocabulary("word", "so be it, be it so", {"min_count": 1}).tokens
        ['<eos>', '<unk>', '￭', '␣', 'be', 'it', 'so', ',']
    """
    check_level(op, level)
    known = [name for name in inspect.signature(VOCABULARIES[level].build).parameters if name != "text"]
    for name in options or {}:
        if name not in known:
            expected = f"one of {', '.join(known)}" if known else "no options"
            raise ValueError(f"{op}: vocabulary: expected {expected} with level {level!r}, got {name!r}")
    return VOCABULARIES[level].build(text, **(options or {}))


def check_level(op: str, level: str, levels: Iterable[str] = VOCABULARIES) -> None:
    """Checks the name of a level.

    Raises:
        ValueError: if it is not one of `levels`.
    """
    known = list(levels)
    if level not in known:
        raise ValueError(f"{op}: level: expected one of {', '.join(known)}, got {level!r}")


def vocabulary_from_config(config: dict[str, Any]) -> Vocabulary:
    """Returns the vocabulary that `Vocabulary.to_config` described.

    Raises:
        FormatError: if `config` does not describe a vocabulary.
        MissingExtraError: for subwords, if the package tokenizers is missing.
    """
    try:
        level = config["level"]
        if level == "word" and "reversible" not in config:
            return EarlierWordVocabulary.from_config(config)
        if level in VOCABULARIES:
            return VOCABULARIES[level].from_config(config)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"vocabulary: damaged: {error}") from error
    raise FormatError(f"vocabulary: level: expected one of {', '.join(VOCABULARIES)}, got {level!r}")
