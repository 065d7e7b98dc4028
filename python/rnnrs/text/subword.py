"""Subwords by byte-pair encoding (Sennrich, Haddow and Birch 2016), using Hugging Face's `tokenizers`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from ..checks import check_size
from ..errors import require
from ..types import Ids
from .vocabulary import Vocabulary, as_text, check_text


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
        text = as_text("SubwordVocabulary", text)
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
        tokenizer.train_from_iterator(text.split("\n"), trainer)
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
            check_text("SubwordVocabulary.encode", text)
            # A lone surrogate cannot be encoded as UTF-8: it becomes U+FFFD.
            lines += text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").split("\n")
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

    def to_config(self) -> dict[str, Any]:
        return {"level": self.level, "tokenizer": self._tokenizer.to_str()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SubwordVocabulary:
        return cls(str(config["tokenizer"]))
