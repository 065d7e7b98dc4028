"""Subwords by byte-pair encoding (Sennrich, Haddow and Birch 2016), using Hugging Face's `tokenizers`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..checks import check_size, check_text
from ..errors import require
from ..types import Ids
from .lexicon import last_match
from .vocabulary import Vocabulary, parts_of, without_surrogates

#: The byte that each letter of a piece stands for (Radford et al. 2019): printable ones stand for themselves.
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = [byte for byte in range(0x100) if byte not in _PRINTABLE]
_BYTES = {chr(byte): byte for byte in _PRINTABLE} | {chr(0x100 + i): byte for i, byte in enumerate(_OTHERS)}

#: The number of previous ids that can affect the text of the next one.
MEMORY = 8


#: A place that no piece of byte-level encoding reaches over: before the space after a letter or sign, and
#: before the sign after a letter of a script without spaces between words.
_BORDER = re.compile(
    r"(?<=\S)(?=[ \n])|(?<=[\u3041-\u3096\u30a1-\u30fa\u3400-\u4db5\u4e00-\u9fcc\u0e01-\u0e2e])"
    r"(?=[\u3001\u3002\u300c-\u300f\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f,.:;!?()])"
)


def _is_byte_level(tokenizer: dict[str, Any]) -> bool:
    """Returns whether a tokenizer divides texts as those of `SubwordVocabulary.build` do."""
    divides = tokenizer.get("pre_tokenizer") or {}
    kinds = [(tokenizer.get(part) or {}).get("type") for part in ("normalizer", "model")]
    return (
        (divides.get("type"), divides.get("add_prefix_space"), divides.get("use_regex", True))
        == ("ByteLevel", False, True)
        and kinds[0] in (None, "Lowercase")
        and kinds[1] == "BPE"
        and not tokenizer["model"].get("dropout")
        and not any(tokenizer.get(part) for part in ("post_processor", "truncation", "padding"))
        and all(token["special"] for token in tokenizer.get("added_tokens", ()))
    )


class SubwordVocabulary(Vocabulary):
    """A vocabulary of byte-level word pieces; decoding restores every text. Needs the extra "subword".

    Args:
        tokenizer: the tokenizer in the JSON format of the package `tokenizers`.

    Raises:
        MissingExtraError: if that package is missing.
        ValueError: if `tokenizer` does not describe a tokenizer, or lacks "<eos>" or "<unk>".
    """

    level = "subword"

    def __init__(self, tokenizer: str) -> None:
        tokenizers = require("tokenizers", "subword")
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(tokenizer)
        except Exception as error:  # the package raises bare Exception
            raise ValueError(
                f"SubwordVocabulary: tokenizer: expected a tokenizer's JSON, got: {error}"
            ) from error
        self._tokenizer.encode_special_tokens = (
            True  # "<eos>" in a text is five characters, not the end token
        )
        ids = self._tokenizer.get_vocab()
        tokens = sorted(ids, key=lambda token: int(ids[token]))
        if "<eos>" not in ids or "<unk>" not in ids or [ids[t] for t in tokens] != list(range(len(tokens))):
            raise ValueError(
                'SubwordVocabulary: tokenizer: expected ids from 0 with "<eos>" and "<unk>" among them'
            )
        super().__init__(tokens, ids["<eos>"], ids["<unk>"])
        #: Whether text is converted to lower case before lookup.
        self.lowercase = self._tokenizer.normalizer is not None and "Lowercase" in str(
            self._tokenizer.normalizer
        )
        self._is_byte_level = _is_byte_level(json.loads(self._tokenizer.to_str()))
        if not self._is_byte_level:
            self.divided = super().divided  # type: ignore[method-assign]

    @property
    def spells_one_way(self) -> bool:
        """False: shorter pieces spell the same text."""
        return False

    @classmethod
    def build(
        cls, text: str | Iterable[str], *, max_size: int = 4000, lowercase: bool = False
    ) -> SubwordVocabulary:
        """Learns the pieces from a text.

        Args:
            text: the text, or a list of sentences; sentences of two languages give pieces that both languages
                share.
            max_size: the maximum number of tokens; at least 300 (256 bytes and some pieces).
            lowercase: whether to convert text to lower case.

        Raises:
            ValueError: for an empty text or a size that is too small.
            MissingExtraError: if the package `tokenizers` is missing.
        """
        check_size("SubwordVocabulary", "max_size", max_size, least=300)
        tokenizers = require("tokenizers", "subword")
        from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

        tokenizer = tokenizers.Tokenizer(models.BPE(unk_token="<unk>"))
        if lowercase:
            tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=max_size,
            special_tokens=["<eos>", "<unk>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        lines = (line for part in parts_of("SubwordVocabulary", text) for line in part.split("\n"))
        tokenizer.train_from_iterator(lines, trainer)
        return cls(tokenizer.to_str())

    def encode(self, text: str) -> Ids:
        """Returns the ids (N,) of a text; every line break becomes `<eos>`."""
        return self.encode_all([text])[0]

    def encode_all(self, sentences: Iterable[str]) -> list[Ids]:
        """Returns the ids of several sentences, one vector (N,) each.

        All lines are encoded in one call, on all cores.
        """
        lines: list[str] = []
        starts = [0]
        for text in sentences:
            check_text("SubwordVocabulary.encode", "text", text)
            lines += without_surrogates(text).split("\n")
            starts.append(len(lines))
        pieces = [line.ids for line in self._tokenizer.encode_batch(lines)]
        return [
            np.array([i for line in pieces[a:b] for i in (self.end_id, *line)][1:], np.int64)
            for a, b in pairwise(starts)
        ]

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of ids; `<eos>` becomes a line break."""
        lines: list[list[int]] = [[]]
        for token in self._known(ids):
            if token == self.end_id:
                lines.append([])
            else:
                lines[-1].append(token)
        return "\n".join(self._tokenizer.decode(line) for line in lines)

    def cut(self, text: str) -> int:
        """Returns the place before the last space after a letter or sign, see `Vocabulary.cut`.

        In a script without spaces, it may be that of a sign after a letter. No piece of byte-level encoding
        reaches over it, and what stands there depends on nothing before it. A tokenizer of another kind
        divides texts at line breaks only.
        """
        if not self._is_byte_level:
            return super().cut(text)
        *_, place = [0, *(match.start() for match in _BORDER.finditer(text))]
        return place or super().cut(text)

    @staticmethod
    def divided(text: str) -> int:
        """Returns a place between two lines, or one as `cut` returns it, see `Vocabulary.divided`."""
        return text.rfind("\n") + 1 or last_match(_BORDER, text)

    def piece(self, id: int) -> bytes:
        """Returns the bytes that a piece stands for; a line break for `<eos>`."""
        if id in (self.end_id, self.unknown_id):
            return b"\n" if id == self.end_id else b""
        return bytes(_BYTES[letter] for letter in self.tokens[id])

    def surface(self, piece: str) -> str:
        """Returns the text of a piece, whose letters stand for bytes; as it stands if it is unknown."""
        id = self.id_of(piece)
        return piece if id in (None, self.end_id, self.unknown_id) else self.decode([id])

    def join(self, pieces: Sequence[str]) -> str:
        """Returns the text of pieces of the vocabulary."""
        return self.decode(self.ids_of(pieces))

    def context(self, text: str) -> Ids:
        """Returns the ids (N,) of a text that goes on: the next piece brings the space before it."""
        return self.encode(text.rstrip(" "))

    def stream(self, ids: Iterable[int] = ()) -> Callable[[int], str]:
        """Returns a function from the next id to the text that it adds; empty until a character is complete.

        That is the difference between the decoded last ids with and without it.
        """
        last = list(ids)[-MEMORY:]
        given = len(self.decode(last))

        def add(id: int) -> str:
            nonlocal given
            last.append(id)
            text = self.decode(last)
            piece = text[given:]
            if not piece or piece.endswith("\ufffd"):
                return ""
            given = len(text)
            if len(last) >= 2 * MEMORY:
                del last[:-MEMORY]
                given = len(self.decode(last))
            return piece

        return add

    def to_config(self) -> dict[str, Any]:
        return {"level": self.level, "tokenizer": self._tokenizer.to_str()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SubwordVocabulary:
        return cls(str(config["tokenizer"]))
