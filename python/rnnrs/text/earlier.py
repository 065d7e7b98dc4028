"""The vocabulary of words in files of earlier versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..checks import check_text
from ..types import Ids
from .lexicon import Lexicon
from .rules import Spacing, split_words
from .vocabulary import strings


class EarlierWordVocabulary(Lexicon):
    """A vocabulary of words from a file of an earlier version, which is not reversible.

    Its words are those of `rules.split_words`; `decode` inserts spaces by the rules of European languages.

    Args:
        tokens: the tokens by id; "<eos>" and "<unk>" first.
        lowercase: whether text is converted to lower case before lookup.
        marks: whether combining marks belong to the letter before them. In the first files they did not.

    Raises:
        ValueError: if the first two tokens are others, or a token occurs twice.
    """

    level = "word"

    def __init__(self, tokens: Sequence[str], *, lowercase: bool = False, marks: bool = True) -> None:
        super().__init__(tokens, lowercase=lowercase)
        self.marks = marks

    def encode(self, text: str) -> Ids:
        """Returns the ids (N,) of a text's words; every line break becomes `<eos>`."""
        return self.ids_of(self._split("EarlierWordVocabulary.encode", text))

    def pieces(self, text: str) -> list[str]:
        """Returns the words and symbols of a text, with `<eos>` for every line break."""
        return self._split("EarlierWordVocabulary.pieces", text)

    def _split(self, op: str, text: str) -> list[str]:
        check_text(op, "text", text)
        lines = (text.lower() if self.lowercase else text).split("\n")
        words = [word for line in lines for word in (self.SPECIAL[0], *split_words(line, marks=self.marks))]
        return words[1:]

    def _adding(self) -> Callable[[str], str]:
        """Returns a function from the next word to the text that it adds."""
        spacing = Spacing()

        def add(word: str) -> str:
            nonlocal spacing
            if word == self.SPECIAL[0]:
                spacing = Spacing()
                return "\n"
            return spacing.add(word)

        return add

    def to_config(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "tokens": self.tokens,
            "lowercase": self.lowercase,
            "marks": self.marks,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> EarlierWordVocabulary:
        tokens, lowercase = strings(config["tokens"]), bool(config["lowercase"])
        return cls(tokens, lowercase=lowercase, marks=bool(config.get("marks", False)))
