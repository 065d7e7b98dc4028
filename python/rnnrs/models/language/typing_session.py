"""A text that is being typed, and the suggestions at its cursor."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ...checks import check_size, check_text
from ...decoding import check_stopped
from ...types import Array
from ..base.answers import answers
from .adaptive_stepper import AnyStepper
from .network import LanguageNetwork
from .phrases import check_wanted, suggest_phrases
from .suggestion import Reader, Suggestion, as_read, parts_of, suggest_each

#: The characters between two places at which the state is kept: what is encoded again at every keystroke.
_SPACING = 64

#: How far before the cursor, as a share of that distance, a state is kept at least.
_MARGIN = 4

#: The most bytes that the states of a session take.
_MEMORY = 12 << 20


class Kept(NamedTuple):
    """The state at a place of the text at which its tokens are divided.

    Attributes:
        place: the number of characters before it.
        needed: the number of characters, from the beginning of the text, for which it holds; above `place`.
        state: the state (1, S) there.
    """

    place: int
    needed: int
    state: Array


class TypingSession:
    """A text that is being typed, with a cursor; `suggest` answers in the time that the last edit takes.

    `suggest` returns exactly what `LanguageModel.suggest` does for the text before the cursor. It reads what
    was typed since, and at most some dozen tokens before it: the states of the network are kept at places all
    over the text, in at most 12 MB, where spaces and signs divide it; a run without them is read as a whole.
    After an edit far from the end, what follows it is read again when the cursor comes to it. Places and
    numbers count characters (Unicode code points).

    The answers are those of the model's present parameters. If they were changed (by `fit`, `load`, an
    assignment), the text is read again, with one exception: what is written into a parameter's array within
    no `parameters.changing` goes unnoticed.

    Args:
        model: a language model; `LanguageModel.session` returns its session.
        text: the text, with the cursor at its end.
        stepper: see `LanguageModel.session`.

    Raises:
        TypeError: if the text is not a string.

    Example:
        >>> from rnnrs.models import LanguageModel
        >>> text = "the cat sat on the mat.\\n" * 20
        >>> model = LanguageModel.from_text(text, hidden_size=32)
        >>> history = model.fit(text, epochs=20, batch_size=4, learning_rate=0.01, progress=False)
        >>> session = model.session("the cat")
        >>> session.insert(" s")
        >>> session.suggest(k=1)[0].word
        'sat'
        >>> session.replace(4, 7, "m")
        >>> session.text, session.cursor, session.suggest(k=1)[0].word
        ('the m s', 5, 'mat')
    """

    def __init__(self, model: LanguageNetwork, text: str = "", *, stepper: AnyStepper | None = None) -> None:
        self._text, self._cursor = check_text("LanguageModel.session", "text", text), len(text)
        self._spacing = _SPACING
        self._model = model
        self._version = self._present_version()  # first: a change between the two is noticed
        self._stepper = stepper or model.stepper()
        self._kept: list[Kept] = []  # by what they need
        self._base: Kept | None = None
        self._reader: Reader | None = None

    def __repr__(self) -> str:
        return f"TypingSession({len(self._text)} characters, cursor at {self._cursor})"

    @property
    def text(self) -> str:
        """The whole text."""
        return self._text

    @property
    def cursor(self) -> int:
        """The number of characters before the cursor."""
        return self._cursor

    def insert(self, text: str) -> None:
        """Inserts a text at the cursor, which moves behind it.

        Raises:
            TypeError: if the text is not a string.
        """
        check_text("TypingSession.insert", "text", text)
        self._edit(self._cursor, self._cursor, text)

    def erase(self, count: int = 1) -> None:
        """Erases characters before the cursor; as many as there are, if there are fewer.

        Raises:
            ValueError, TypeError: if count is not a whole number from 0.
        """
        check_size("TypingSession.erase", "count", count, least=0)
        self._edit(max(0, self._cursor - count), self._cursor, "")

    def replace(self, begin: int, end: int, text: str) -> None:
        """Replaces the characters from `begin` up to `end` by a text; the cursor moves behind it.

        Raises:
            ValueError, TypeError: if the places are not whole numbers with 0 ≤ begin ≤ end ≤ the length of
                the text, or the text is not a string.
        """
        op = "TypingSession.replace"
        self._check_place(op, "end", end)
        self._check_place(op, "begin", begin, most=end)
        self._edit(begin, end, check_text(op, "text", text))

    def move(self, cursor: int) -> None:
        """Moves the cursor behind this many characters.

        Raises:
            ValueError, TypeError: if that is not a whole number from 0 to the length of the text.
        """
        self._check_place("TypingSession.move", "cursor", cursor)
        self._cursor = int(cursor)

    def suggest(self, k: int = 3, *, words: int = 1) -> list[Suggestion]:
        """Returns what `LanguageModel.suggest` does for the text before the cursor.

        Args:
            k, words: see there.

        Raises:
            ValueError, TypeError: see there.
        """
        return suggest(self._model, self, k, words)

    def copy(self) -> TypingSession:
        """Returns a session of its own with the same text and cursor; it need not read the text again."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__, _kept=list(self._kept), _reader=None)
        return made

    __copy__ = copy

    def __reduce__(self) -> tuple[Callable[..., TypingSession], tuple[LanguageNetwork, str, int]]:
        """Deep copies and pickles contain the model, the text and the cursor; the text is read again."""
        return _session, (self._model, self._text, self._cursor)

    def _check_place(self, op: str, name: str, place: int, most: int | None = None) -> None:
        most = len(self._text) if most is None else most
        if check_size(op, name, place, least=0) > most:
            raise ValueError(f"{op}: {name}: expected a place from 0 to {most}, got {place}")

    def _edit(self, begin: int, end: int, text: str) -> None:
        if begin < end or text:
            self._text = f"{self._text[:begin]}{text}{self._text[end:]}"
            del self._kept[bisect_right(self._kept, begin, key=lambda kept: kept.needed) :]
            if self._base is not None and self._base.needed > begin:
                self._base = self._reader = None
        self._cursor = begin + len(text)

    def _present_version(self) -> tuple[int, bool]:
        return self._model.parameters.changes, self._model.by_sentence

    def _begun(self) -> tuple[Reader, str]:
        """Returns the reader of the text before the cursor, and what it reads, by the present weights."""
        model = self._model
        if self._version != self._present_version():
            self._version, self._stepper = self._present_version(), model.stepper()
            self._kept, self._base, self._reader = [], None, None
        base, reader = self._base_of(self._cursor), self._reader
        if reader is None or base is not self._base:
            reader = Reader(model, self._stepper, None if base is None else base.state)
        self._base, self._reader = base, reader
        reader.begin()
        begin = self._line() if base is None else base.place
        return reader, self._text[begin : self._cursor]

    def _line(self) -> int:
        """Returns the beginning of the part of the text that has an effect at the cursor."""
        return self._text.rfind("\n", 0, self._cursor) + 1 if self._model.by_sentence else 0

    def _base_of(self, cursor: int) -> Kept | None:
        """Returns the last state that is kept before the cursor; None: the text has to be read from its line.

        Reads what lies between that place and the cursor, if it is far.
        """
        line, found = self._line(), bisect_right(self._kept, cursor, key=lambda kept: kept.needed)
        base = self._kept[found - 1] if found else None
        if base is not None and base.place <= line and self._model.by_sentence:
            base = None
        while True:
            begin = line if base is None else base.place
            if cursor - begin <= self._spacing + self._spacing // _MARGIN:
                return base
            following = self._following(base, begin, cursor)
            if following is None:
                return base
            base = following
            self._keep(base)

    def _following(self, base: Kept | None, begin: int, cursor: int) -> Kept | None:
        """Returns the state at the next place that is to be kept; None if the text is not divided there."""
        size = self._spacing
        while begin + size < cursor:
            window = self._text[begin : begin + size]
            if place := self._model.vocabulary.cut(window):
                needed = max(size, place + 1)  # a sign before the cursor says whether a space follows
                return Kept(begin + place, begin + needed, self._state(base, window[:place]))
            size *= 2
        return None

    def _state(self, base: Kept | None, text: str) -> Array:
        """Returns the state after a part of the text."""
        check_stopped()
        vocabulary, stepper = self._model.vocabulary, self._stepper
        ids = vocabulary.encode(as_read(vocabulary, text))
        if base is None:
            stepper.state = np.zeros((1, self._model.rnn.state_size), self._model.parameters.dtype)
            ids = np.concatenate([[vocabulary.end_id], ids])
        else:
            stepper.state = base.state
        stepper.read(ids)
        return stepper.state

    def _keep(self, kept: Kept) -> None:
        """Keeps a state; if the states take too much memory, every second one is forgotten."""
        insort(self._kept, kept, key=lambda one: one.needed)
        if len(self._kept) * kept.state.nbytes > _MEMORY:
            del self._kept[::2]
            self._spacing *= 2


def _session(model: LanguageNetwork, text: str, cursor: int) -> TypingSession:
    """Returns a session with its cursor at a place."""
    session = TypingSession(model, text)
    session.move(cursor)
    return session


@answers
def suggest(model: LanguageNetwork, session: TypingSession, k: int, words: int) -> list[Suggestion]:
    """Returns the suggestions of a session, by the parameters of one moment."""
    check_wanted("TypingSession.suggest", k, words)
    return suggest_phrases(*session._begun(), k, words)


def suggest_together(
    op: str, model: LanguageNetwork, sessions: Sequence[TypingSession], k: int, words: int
) -> list[list[Suggestion]]:
    """Returns the suggestions of several sessions, which are computed side by side if they share a stepper.

    Raises:
        ValueError: for a session of another model; see `check_wanted`.
    """
    check_wanted(op, k, words)
    for i, session in enumerate(sessions):
        if session._model is not model:
            raise ValueError(f"{op}: texts[{i}]: expected a session of this model, got one of another model")
    begun = [session._begun() for session in sessions]
    readers = [reader for reader, _ in begun]
    if words > 1 or any(reader.stepper is not readers[0].stepper for reader in readers):
        return [suggest_phrases(reader, text, k, words) for reader, text in begun]
    return suggest_each(readers, [parts_of(model.vocabulary, text) for _, text in begun], k)
