"""Letters that a figure's font does not have: from another installed font, else spelled in Latin letters."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ..errors import require

_LOG = logging.getLogger("rnnrs.plot")

#: Fonts that have a box for every letter, or only colored pictures, which matplotlib cannot draw.
_UNSUITABLE = ("Last Resort", "Adobe Blank", "Emoji")

#: The scripts whose missing font was reported.
_reported: set[str] = set()


def make_legible(figure: Any) -> None:
    """Gives each text of a figure fonts that have its letters; spells others, see `spelled`.

    Says once for each script that no font was found. A figure whose labels become longer grows.
    """
    text_class = require("matplotlib.text", "plot").Text
    ticks = [
        (axis, [label.get_text() for label in axis.get_ticklabels()])
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
    ]
    lacking: set[str] = set()
    longer = 1.0
    for text in figure.findobj(text_class):
        own = _letters_of_family(tuple(text.get_fontfamily()))
        missing = frozenset(
            c for c in text.get_text() if ord(c) > 127 and not c.isspace() and ord(c) not in own
        )
        if missing:
            families, beyond = _fonts_with(missing)
            lacking |= beyond
            text.set_fontfamily([*text.get_fontfamily(), *families])
            shown = spelled(text.get_text(), beyond)
            longer = max(longer, len(shown) / max(len(text.get_text()), 12))
            text.set_text(shown)
    if lacking:
        figure.set_size_inches(figure.get_size_inches() * min(longer, 3.0))
        for axis, labels in ticks:
            _spell_ticks(axis, labels, lacking)
        _report(lacking)


def spelled(text: str, lacking: Iterable[str]) -> str:
    """Returns a text with some letters spelled by their names in Unicode, or as their numbers without one.

    Example:
        >>> spelled("न 世", "न世")
        'na <4e16>'
    """
    return "".join(_spelling(c) if c in lacking else c for c in text)


def _spelling(c: str) -> str:
    name = unicodedata.name(c, "")
    if "VIRAMA" in name or name.startswith("VARIATION SELECTOR"):
        return ""
    for kind in (" LETTER ", " VOWEL SIGN ", " SYLLABLE ", " SIGN "):
        if kind in name:
            return name.partition(kind)[2].replace(" ", "").lower()
    return f"<{ord(c):x}>"


def _spell_ticks(axis: Any, labels: list[str], lacking: set[str]) -> None:
    """Sets the labels of an axis, which are written anew at every drawing."""
    if lacking & set("".join(labels)):
        axis.set_ticks(axis.get_ticklocs(), [spelled(label, lacking) for label in labels])


def _report(lacking: set[str]) -> None:
    """Says which scripts no installed font has, each once."""
    scripts = {unicodedata.name(c, "OTHER").split()[0].title() for c in lacking if c.isalpha()} or {
        "these signs"
    }
    if new := sorted(scripts - _reported):
        _reported.update(new)
        _LOG.warning(
            "no installed font has letters of %s: a figure spells them in Latin letters", ", ".join(new)
        )


@lru_cache(maxsize=256)
def _fonts_with(missing: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Returns the names of installed fonts that have these letters, and the letters that none has."""
    manager = require("matplotlib.font_manager", "plot").fontManager
    families: list[str] = []
    left = set(missing)
    fonts = sorted(
        manager.ttflist, key=lambda f: (f.style != "normal", str(f.weight) not in ("400", "normal"), f.name)
    )
    for font in fonts:
        if not left:
            break
        if any(word in font.name for word in _UNSUITABLE) or font.name in families:
            continue
        found = {c for c in left if ord(c) in _letters(font.fname)}
        if found:
            families.append(font.name)
            left -= found
    return tuple(families), frozenset(left)


@lru_cache(maxsize=64)
def _letters_of_family(family: tuple[str, ...]) -> frozenset[int]:
    manager = require("matplotlib.font_manager", "plot")
    return _letters(manager.findfont(manager.FontProperties(family=list(family))))


@lru_cache(maxsize=1024)
def _letters(path: str) -> frozenset[int]:
    """Returns the letters that a font has; none if matplotlib cannot read it."""
    try:
        return frozenset(require("matplotlib.font_manager", "plot").get_font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
