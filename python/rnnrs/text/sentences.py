"""Sentences of texts in any script, as spans of the text.

The rules follow those of Unicode Standard Annex #29 for sentence boundaries, with abbreviations added: the
annex alone ends a sentence after "Mr.". Line breaks are read as people write them: a blank line ends a
paragraph, a list item and a heading end with their line, and a line that was wrapped goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice, pairwise

from ..checks import check_text

#: What ends a sentence in any context, beside ".": STerm of the annex, with the ellipsis.
_TERMINATORS = (
    "!?‼‽⁇⁈⁉…\u0589\u061d\u061e\u061f\u06d4\u0700\u0701\u0702\u07f9\u0837\u0839\u083d\u083e\u0964\u0965\u104a\u104b"
    "\u1362\u1367\u1368\u166e\u1735\u1736\u17d4\u17d5\u1803\u1809\u1944\u1945\u1aa8-\u1aab\u1b5a\u1b5b\u1b5e\u1b5f"
    "\u1c3b\u1c3c\u1c7e\u1c7f\u2cf9-\u2cfb\u2e2e\u2e3c\u3002\ua4ff\ua60e\ua60f\ua6f3\ua6f7\ua876\ua877\ua8ce\ua8cf"
    "\ua92f\ua9c8\ua9c9\uaa5d-\uaa5f\uaaf0\uaaf1\uabeb\ufe52\ufe56\ufe57\uff01\uff0e\uff1f\uff61"
)
#: Terminators of scripts in which no space follows a sentence.
_UNSPACED = "。！？．｡…"
_CLOSING = "\"'”’»›)\\]}」』）】〉》］｝＂＇*_"
_OPENING = "\"'“‘„‚«‹(\\[{「『（【〈《［｛¿¡*_"
_BULLETS = "–—•‣◦*·\\-"

#: Terminators, among them the Greek question mark, with the signs that close quotations or brackets after
#: them. Before a space, “ ‘ « ‹ close as well: „Ja.“ »Ja.«
_END = re.compile(
    rf"(?:(?:[.{_TERMINATORS}]|(?<=[\u0370-\u03ff\u1f00-\u1fff]);)+[{_CLOSING}]*)+"
    r"(?:(?:[ \xa0\u202f]»|[“‘«‹])(?=\s|\Z))?"
)
#: A single dot, which may belong to an abbreviation.
_DOT = re.compile(rf"\.[{_CLOSING}“‘«‹ \xa0\u202f]*\Z")
#: What ends a sentence before a lower-case letter, in a text that is written without capitals.
_PLAIN = re.compile(r"\.|[!?]+")
#: A word that ends in a terminator, and the letter after it: what most sentences of a text begin with.
_BEGUN = re.compile(r"(?<![^\W_])([^\W_]+)[.!?]+\s+([^\W\d_])")
#: What may stand between a terminator and the first letter of the next sentence.
_LEAD = re.compile(rf"[\s{_OPENING}{_BULLETS}]*")
#: The word, with the dots in it, before a terminator.
_BEFORE = re.compile(r"[^\W_]+(?:[.’'-][^\W_]+)*\Z")
_WORD = re.compile(r"[^\W_]+")
#: One letter of a script with upper and lower case, or several with dots: "J", "U.S".
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]|[a-zà-öø-ÿα-ωа-яё]")
#: What marks a line of a quoted letter.
_QUOTED = re.compile(r"(?:[ \t]*>)*[ \t]*")
#: A blank line, or several.
_PARAGRAPH = re.compile(r"\n(?:[ \t\r\v]*\n)+|[\u2029\f]")
#: An item of a list, by its bullet, number or letter.
_ITEM = re.compile(
    rf"\s*(?:[{_BULLETS}+]\s|\(?(?:\d{{1,3}}|[^\W\d_]|[ivxIVX]{{2,4}})[.)]\s|\[[^\W_]{{0,3}}\]\s)"
)
#: A heading, a row of a table, or the border of code, in Markdown.
_ALONE = re.compile(r"\s*(?:#{1,6}\s|\||```|~~~)")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Abbreviations after which the sentence goes on, in lower case and without their last dot.
_INSIDE = _words(
    """mr mrs ms messrs dr prof st rev hon gen col sgt capt cpl lt cmdr adm maj gov sen rep pres supt insp
    mt ft vs cf ca approx viz e.g i.e eg ie dept univ assn
    hr fr bzw z.b d.h u.a v.a s.o s.u o.ä bspw ggf evtl inkl zzgl vgl mme mlle mgr pr av p.ex env éd
    sra srta avda sig sigg sig.ra dott avv ing dhr mevr bijv m.b.t o.a t.ex bl.a
    им ул т.е проф акад см рис стр руб тыс г-н г-жа np tzn ul inż hab tzw např tj"""
)
#: Abbreviations after which it goes on if a number follows: "No. 5", "Jan. 5".
_BEFORE_NUMBERS = _words(
    """no nos nr fig figs eq eqs vol vols pp abs art bd tel pag pág págs núm nº cap
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun"""
)
#: Abbreviations that may also end a sentence: it ends where a word follows that often begins one.
_EITHER = _words("inc ltd co corp plc llc bros jr sr esq ed eds al am pm gmbh ph.d s.a")
#: Others, before a lower-case letter.
_BEFORE_LOWER = _INSIDE | _BEFORE_NUMBERS | _EITHER | _words("etc usw etcetera т.д т.п")
#: Words that often begin a sentence, in lower case: what else follows "U.S." or "J." is part of a name.
_STARTERS = _words(
    """the a an he she it they we i you in on at but and this that these those there however his her its their our
    my as if when while after before since for with by from to all some no not so then what who why how
    der die das ein eine er sie es wir ich im am und aber le la les il elle ils nous je et mais el los las un una
    en y pero lo gli e ma het de een он она оно они мы я вы это в на но и"""
)
#: Before these, a number with a dot is an ordinal.
_MONTHS = _words(
    """januar jänner februar märz april mai juni juli august september oktober november dezember jahrhundert
    jahrhunderts januari februari mars maj augusti kapitel"""
)

#: The least width, in characters, of a paragraph whose lines are taken to be wrapped.
_WRAPPED = 40


def find_sentences(text: str) -> list[tuple[int, int]]:
    """Returns the span (begin, end) of every sentence of a text, in order.

    A sentence is `text[begin:end]`; only white space is between two of them, so nothing of the text is lost.
    It ends after a terminator of any script (`. ! ? … 。 ؟ । ։` …) with the quotation marks and brackets
    that close after it, but not after an abbreviation ("Mr.", "e.g.", "z. B.", "т. е."), an initial or a
    list's number, nor before a lower-case letter, unless most sentences of the text begin with one; and at
    the end of a paragraph, a list item or a heading. Signs of quoted letters (">") are part of the lines. A
    text in a script without terminators, such as Thai, is divided by lines alone.

    Args:
        text: the text.

    Raises:
        TypeError: if `text` is not a string.

    Example:
        >>> text = 'Mr. Fox paid $3.50. "Too much!" he said.\\nمرحبا؟ 你好。再见！'
        >>> [text[begin:end] for begin, end in find_sentences(text)]
        ['Mr. Fox paid $3.50.', '"Too much!" he said.', 'مرحبا؟', '你好。', '再见！']
    """
    check_text("find_sentences", "text", text)
    spans, small = [], _is_small(text)
    for begin, end in _lines(text, small):
        cuts = [begin, *_cuts(text, begin, end, small), end]
        spans += [_trimmed(text, first, last) for first, last in pairwise(cuts)]
    return [(first, last) for first, last in spans if first < last]


def _is_small(text: str) -> bool:
    """Returns whether a text is written without capitals: most sentences begin with a lower-case letter."""
    letters = [*filter(str.isalpha, text[:200])][:1] + [
        found[2]
        for found in _BEGUN.finditer(text)
        if len(found[1]) > 1 and found[1].lower() not in _BEFORE_LOWER
    ]
    return sum(map(str.islower, letters)) > sum(map(str.isupper, letters))


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int]:
    """Returns a span without white space at its ends."""
    part = text[begin:end]
    return begin + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())


def _lines(text: str, small: bool) -> list[tuple[int, int]]:
    """Returns the spans that no sentence crosses: paragraphs, or lines in them that were not wrapped."""
    spans, begin = [], 0
    for border in _PARAGRAPH.finditer(text):
        spans += _unwrapped(text, begin, border.start(), small)
        begin = border.end()
    return spans + _unwrapped(text, begin, len(text), small)


def _unwrapped(text: str, begin: int, end: int, small: bool) -> list[tuple[int, int]]:
    """Returns the spans of a paragraph's lines; lines that were wrapped are one span.

    A line was wrapped if the first word of the next one did not fit: the longest line is the width, of those
    with as many signs of a quoted letter.
    """
    lines = text[begin:end].split("\n")
    depths = [line.count(">", 0, _quoted(line)) for line in lines]
    widths: dict[int, int] = {}
    for line, depth in zip(lines, depths, strict=True):
        widths[depth] = max(widths.get(depth, 0), len(line))
    spans, place, start = [], begin, begin
    for i, line in enumerate(lines, 1):
        place += len(line) + 1
        if (
            i == len(lines)
            or depths[i] != depths[i - 1]
            or not _goes_on(line, lines[i], widths[depths[i]], small)
        ):
            spans.append((start, place - 1))
            start = place
    return spans


def _quoted(line: str) -> int:
    """Returns where a line begins after the signs of a quoted letter."""
    found = _QUOTED.match(line)
    assert found is not None  # it may be empty
    return found.end()


def _goes_on(line: str, following: str, width: int, small: bool) -> bool:
    """Returns whether a line of a paragraph with this width goes on in the following one."""
    own, rest = (part[_quoted(part) :] for part in (line, following))
    if width < _WRAPPED or _ITEM.match(rest) or any(_ALONE.match(x) or not x.strip() for x in (own, rest)):
        return False
    first = rest.split(maxsplit=1)[0]
    return len(line.rstrip()) + 1 + len(first) > width or (first[:1].islower() and not small)


def _cuts(text: str, begin: int, end: int, small: bool) -> list[int]:
    """Returns the places within a span at which a sentence ends."""
    start, cuts = begin, []
    for found in _END.finditer(text, begin, end):
        if found.end() < end and _ends(text, start, found, end, small):
            start = found.end()
            cuts.append(start)
    return cuts


def _ends(text: str, start: int, found: re.Match[str], end: int, small: bool) -> bool:
    """Returns whether a sentence that began at `start` ends with this terminator."""
    signs, after = found[0], found.end()
    spaced = text[after].isspace()
    if (
        not spaced
        and ("." in signs or not text[after].isalpha())
        and not any(sign in _UNSPACED for sign in signs)
    ):
        return False  # as in "rnnrs.models", "3.5", "(!)"
    lead = _LEAD.match(text, after, end)
    assert lead is not None  # it may be empty
    first = text[lead.end()] if lead.end() < end else ""
    if first.islower() and not (small and _ends_before_lower(text, start, found)):
        return False  # rule SB8: "etc. and so on", "Really?" he asked
    return not _DOT.match(signs) or _dot_ends(text, start, found.start(), lead.end(), end)


def _ends_before_lower(text: str, start: int, found: re.Match[str]) -> bool:
    """Returns whether a terminator may end a sentence before a lower-case letter, without capitals."""
    if found[0] != ".":
        return _PLAIN.fullmatch(found[0]) is not None  # not "well... yes", nor "really?" he asked
    before = _BEFORE.search(text, max(start, found.start() - 24), found.start())
    word = "" if before is None else before[0].lower()
    return word not in _BEFORE_LOWER and not _INITIALS.fullmatch(word)


def _dot_ends(text: str, start: int, dot: int, following: int, end: int) -> bool:
    """Returns whether a single dot ends the sentence, by the words before and after it."""
    before = _BEFORE.search(text, max(start, dot - 24), dot)
    if before is None:
        return True
    word, found = before[0].lower(), _WORD.match(text, following, end)
    after = found[0].lower() if found is not None else ""
    if word in _INSIDE or (word in _BEFORE_NUMBERS and after.isdigit()):
        return False
    if word.isdigit():
        is_marker = len(word) <= 3 and before.start() - start <= 2  # "1. First"
        return not is_marker and not (len(word) <= 2 and after in _MONTHS)
    if word in _EITHER or _INITIALS.fullmatch(word):
        return after in _STARTERS
    return True


#: The number of lines by which a text is judged, and the length from which a line is not a sentence.
JUDGED, LONGEST = 100_000, 10_000


def look_like_sentences(lines: Iterable[str]) -> bool:
    """Returns whether at least 4 of 5 lines are short (at most 60 words) and end as a sentence does.

    The first 100,000 lines that are not blank decide.

    Example:
        >>> look_like_sentences(["So be it.", "", "Be it so!"])
        True
    """
    judged = like = 0
    for line in islice((line.rstrip() for line in lines if line.strip()), JUDGED):
        ends = line.rstrip("\"'”’»)")[-1:] in tuple(".!?…。！？")
        judged, like = judged + 1, like + (ends and line.count(" ") < 60 and len(line) < LONGEST)
    return like >= 0.8 * judged
