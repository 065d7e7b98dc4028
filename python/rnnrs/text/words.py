"""Words and symbols of texts in any script (Unicode Standard Annex #29), and vocabularies of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import _rnnrs
from ..checks import check_size, check_text
from ..types import Ids
from .lexicon import Lexicon, last_match, too_rare
from .parallel import in_order
from .vocabulary import MOST_TYPES, parts_of, strings, without_surrogates

#: A sign at the end of a text to which the next word will be joined.
_OPEN_END = re.compile(r"""(?:(?:^|[\s(\[{«“‘„])["']|[/@#])\Z""")

#: A letter of a script without spaces between two of them: the border before it is one between two tokens.
_UNSPACED = "\u3041-\u3096\u3400-\u4dbf\u4e00-\u9fff\u0e01-\u0e2e\u0e81-\u0eae\u1000-\u1020\u1780-\u17a2"
_BORDER = re.compile(f"(?<=[{_UNSPACED}])[{_UNSPACED}](?=[{_UNSPACED}])")

#: A letter of a script with spaces between words; a place where neither word has a mark for the space.
_SPACED = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0391-\u03a9\u03b1-\u03c9\u0410-\u044f\uac00-\ud7a3"
_DIVIDING = re.compile(f"(?<=[{_SPACED}]) (?=[{_SPACED}][ -~{_SPACED}])|{_BORDER.pattern}")


def space_between(word: str, following: str) -> str:
    """Returns what stands between two words or signs that follow each other: a space, or nothing."""
    joiner = _rnnrs.WordJoiner()
    joiner.add(word)
    return " " if joiner.add(following).startswith(" ") else ""


def find_words(text: str) -> list[str]:
    """Returns the words and symbols of a text, in order; white space is dropped.

    A word is a run of letters and digits with their marks that may contain apostrophes and hyphens (`don't`,
    `well-known`). Soft hyphens, marks of direction and the like belong to their word. In scripts without
    spaces between words (Chinese, Japanese hiragana, Thai, Lao, Khmer, Myanmar) each character with its marks
    is a word. Any other symbol is a token by itself: an emoji with joiners, a flag.

    Raises:
        TypeError: if `text` is not a string.

    Example:
        >>> find_words("Don't say 你好!")
        ["Don't", 'say', '你', '好', '!']
    """
    return _rnnrs.find_words(without_surrogates(check_text("find_words", "text", text)))


def first_words(text: str, count: int = 12) -> str:
    """Returns the beginning of a text up to the end of its `count`-th word or symbol.

    Example:
        >>> first_words("One, two, three.", 3)
        'One, two'
    """
    return _rnnrs.first_words(without_surrogates(text), count)


def is_word(text: str) -> bool:
    """Returns whether a text is exactly one word, in the sense of `find_words`."""
    return _rnnrs.is_word(without_surrogates(text))


class WordVocabulary(Lexicon):
    """A vocabulary with one token per word or symbol (`text.find_words`); a line break ends a sentence.

    `decode(encode(text))` restores every text whose tokens are known, except which white space stands between
    two tokens, and how much; white space at the ends of lines is dropped. Words are expected to stand apart,
    a comma to join the word before it, and so on. Where a text differs, the token says so by a mark: `￭`
    (U+FFED) for no white space, `␣` (U+2423) for white space, on its left or right. So `"￭` opens a quotation
    and `￭"` closes it. The marks are also tokens by themselves, beside a word or symbol whose form with
    marks is not in the vocabulary; only a vocabulary of plain words has no use for them. `surface` returns a
    token without its marks.

    Args:
        tokens: the tokens by id; "<eos>" and "<unk>" first.
        lowercase: whether text is converted to lower case before lookup.

    Raises:
        ValueError: if the first two tokens are others, or a token occurs twice.

    Example:
        >>> vocabulary = WordVocabulary.build('"3.14," she said.', min_count=1)
        >>> vocabulary.pieces('"3.14," she said.')
        ['"￭', '3', '.￭', '14', ',', '￭"', 'she', 'said', '.']
        >>> vocabulary.decode(vocabulary.encode('"3.14," she said.'))
        '"3.14," she said.'
    """

    level = "word"

    def __init__(self, tokens: Sequence[str], *, lowercase: bool = False) -> None:
        super().__init__(tokens, lowercase=lowercase)
        self._codec = _rnnrs.WordCodec(self.tokens)

    @classmethod
    def build(
        cls,
        text: str | Iterable[str],
        *,
        min_count: int = 2,
        max_size: int | None = None,
        lowercase: bool = False,
    ) -> WordVocabulary:
        """Collects the words of a text, the most frequent first.

        Args:
            text: the text, or a list of sentences.
            min_count: the minimum number of occurrences; rarer words are left out and become unknown. A rare
                form with marks counts as its word or symbol without them. A symbol that is listed with marks
                is listed without them, too.
            max_size: the maximum number of tokens.
            lowercase: whether to convert text to lower case.

        Raises:
            ValueError: for an empty text, a text without any word that frequent, or a size that is not
                positive.
        """
        check_size("WordVocabulary", "min_count", min_count)
        if max_size is not None:
            check_size("WordVocabulary", "max_size", max_size, least=3)

        def counted(part: str) -> _rnnrs.WordCounts:
            counts = _rnnrs.WordCounts()
            counts.read(without_surrogates(part.lower() if lowercase else part))
            return counts

        parts = in_order(counted, parts_of("WordVocabulary", text))
        counts, undercount = next(parts), 0
        for more in parts:
            counts.merge(more)
            if len(counts) > MOST_TYPES:
                undercount += counts.prune(MOST_TYPES * 3 // 4)
        tokens = counts.tokens(min_count, max_size)
        if len(tokens) == len(cls.SPECIAL):
            raise too_rare("WordVocabulary", min_count)
        vocabulary = cls(tokens, lowercase=lowercase)
        vocabulary.undercount = undercount
        return vocabulary

    def encode(self, text: str) -> Ids:
        """Returns the ids (N,) of a text's words; every line break becomes `<eos>`."""
        return self._codec.encode(self._prepared("WordVocabulary.encode", text))

    @property
    def spells_one_way(self) -> bool:
        """Whether no other tokens spell a text: where there are no marks, which are also tokens alone."""
        first = self.tokens[len(self.SPECIAL) :][:1]  # the marks are the first tokens, if there are any
        return all(map(self.surface, first))

    def pieces(self, text: str) -> list[str]:
        """Returns the tokens of a text, one for each id; an unknown word or symbol as it stands there.

        If the vocabulary has no tokens for marks, an unknown symbol keeps its own. Pieces are in lower case
        if the vocabulary is.
        """
        return self._codec.pieces(self._prepared("WordVocabulary.pieces", text))

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of ids; a line break for `<eos>`."""
        return self._codec.decode(self._known(ids))

    def _adding(self) -> Callable[[str], str]:
        """Returns a function from the next token to the text that it adds to the text so far."""
        joiner = _rnnrs.WordJoiner()
        return lambda piece: joiner.add(without_surrogates(piece))

    def surface(self, piece: str) -> str:
        """Returns a piece without its marks; empty for a mark by itself."""
        return _rnnrs.word_surface(without_surrogates(piece))

    def context(self, text: str) -> Ids:
        """Returns the ids (N,) of a text that goes on: an opening quotation mark joins what follows."""
        # A word after it shows how the sign is written before one.
        return self.encode(text + "a")[:-1] if _OPEN_END.search(text) else self.encode(text)

    def cut(self, text: str) -> int:
        """Returns a late place between two words or letters, see `Vocabulary.cut`."""
        *_, place = [0, *(match.start() for match in _BORDER.finditer(text))]
        return place or super().cut(text)

    @staticmethod
    def divided(text: str) -> int:
        """Returns a place between two lines, words or letters, see `Vocabulary.divided`."""
        return text.rfind("\n") + 1 or last_match(_DIVIDING, text)

    def unfinished(self, text: str) -> str:
        """Returns the word, or the beginning of one, at the end of a text; empty after a space or symbol."""
        return _rnnrs.last_word(without_surrogates(text))

    def to_config(self) -> dict[str, Any]:
        return {"level": self.level, "tokens": self.tokens, "lowercase": self.lowercase, "reversible": True}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WordVocabulary:
        if config["reversible"] is not True:
            raise ValueError(f"reversible: expected true, got {config['reversible']!r}")
        return cls(strings(config["tokens"]), lowercase=bool(config["lowercase"]))

    def _prepared(self, op: str, text: str) -> str:
        text = without_surrogates(check_text(op, "text", text))
        return text.lower() if self.lowercase else text


def capitalize(text: str) -> str:
    """Capitalizes the sentences of a lower-case text: at the start of a line, and after . ! ? and a space.

    Names stay in lower case, since nothing here tells which words are names.
    """
    return re.sub(
        r"(^|[.!?…][\"'”“’»)]*\s+)([\"'“„«»¿¡(\[]*)(\w)",
        lambda match: match[1] + match[2] + match[3].upper(),
        text,
        flags=re.M,
    )
