"""Words as they are compared while somebody types: without regard to case and to the kind of apostrophe."""

from __future__ import annotations

import unicodedata

#: Signs that are typed instead of a straight apostrophe.
APOSTROPHES = "\u2019\u2018\u02bc\uff07"

_STRAIGHT = str.maketrans(dict.fromkeys(APOSTROPHES, "'"))


def with_straight_apostrophes(text: str) -> str:
    """Returns a text with composed letters, and with straight apostrophes."""
    return unicodedata.normalize("NFC", text).translate(_STRAIGHT)


def folded(text: str) -> str:
    """Returns the letters of a text, whatever their case and the kind of its apostrophes.

    İ, whose lower case has a dot above that no other letter has, is i.

    Example:
        >>> folded("İSTANBUL\u2019da") == folded("istanbul'da")
        True
    """
    return with_straight_apostrophes(text.lower().replace("i\u0307", "i"))
