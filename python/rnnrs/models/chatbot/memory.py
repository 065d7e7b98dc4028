"""What a model was taught: a log of who said what when, in a file beside the model."""

from __future__ import annotations

import json
import os
import secrets
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import Any

from ...checks import check_repeatable, check_text
from ...errors import FormatError
from ...files import claimed, write_atomically
from ...reading import read_lines
from ...shown import short_repr
from .contexts import normalize

#: The most characters of a turn, of an answer, and of a name.
LONGEST, LONGEST_NAME = 1_000, 100

#: The most answers that are taught at a time, that wait to be accepted, and the most entries of a log.
MOST, MOST_WAITING, MOST_ENTRIES = 10_000, 1_000, 100_000

#: What is appended to a model's path for the file of its memory.
SUFFIX = ".taught.jsonl"

#: The kinds of entries: an answer taught, an answer that is wrong, and what happened to such an entry later.
TEACH, WRONG, ACCEPT, UNDO = KINDS = ("teach", "wrong", "accept", "undo")

#: Who can say something: the owner of the model, whom it believes, and a user.
OWNER, USER = SOURCES = ("owner", "user")

#: How long to wait for another process or thread that writes the file, in seconds.
PATIENCE = 10.0


@dataclass(frozen=True)
class Entry:
    """An entry of the log: one line of the file, as JSON.

    Attributes:
        id: identifies the entry.
        what: "teach" for an answer, "wrong" for an answer that is not to be given, "accept" and "undo" for
            what happens to an earlier entry.
        who: the name of the person.
        source: "owner" or "user".
        when: the time in UTC, as ISO 8601.
        turn, answer: what was taught, or is wrong; for "accept" and "undo", those of the earlier entry.
        context: the turns before it.
        session: identifies the conversation; None outside of one.
        accepted: whether it took effect at once. Otherwise it waits to be accepted.
        of: the `id` of the earlier entry; None for "teach" and "wrong".
    """

    id: str
    what: str
    who: str
    source: str
    when: str
    turn: str
    answer: str
    context: tuple[str, ...] = ()
    session: str | None = None
    accepted: bool = True
    of: str | None = None

    __repr__ = short_repr

    def to_json(self) -> str:
        """Returns the entry as one line."""
        return json.dumps(asdict(self), ensure_ascii=False)


class Memory:
    """The log of a model, and what is in force of it: nothing is ever removed from the log.

    The file is written as a whole, and replaced only once it is complete (`files.write_atomically`), by one
    process or thread at a time, which reads before what others have written.

    Args:
        path: the file, which need not exist; None: the log is kept in memory alone.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is not a log; names the line.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = None if path is None else os.fspath(path)
        self._stamp: tuple[int, ...] | None = None
        self._set([])
        self.refresh()

    __repr__ = short_repr

    def _set(self, entries: list[Entry]) -> None:
        """Replaces the log, and works out what is in force: later entries first undo, then accept."""
        self.entries = entries
        undone = {entry.of for entry in entries if entry.what == UNDO}
        accepted = {entry.of for entry in entries if entry.what == ACCEPT and entry.id not in undone}
        made = [entry for entry in entries if entry.of is None and entry.id not in undone]
        self._waiting = [entry for entry in made if not entry.accepted and entry.id not in accepted]
        self._in_force = [entry for entry in made if entry.accepted or entry.id in accepted]
        self._undone = undone
        self._standing = _standing(self._in_force, entries)

    @property
    def taught(self) -> list[Entry]:
        """The accepted answers that were neither undone nor marked as wrong later, in order."""
        self.refresh()
        return [entry for entry in self._standing if entry.what == TEACH]

    @property
    def wrong(self) -> list[Entry]:
        """The accepted marks of wrong answers that were not undone, nor the answer taught later, in order."""
        self.refresh()
        return [entry for entry in self._standing if entry.what == WRONG]

    @property
    def waiting(self) -> list[Entry]:
        """The entries that are not accepted, in order."""
        self.refresh()
        return list(self._waiting)

    def refresh(self) -> None:
        """Reads the file again if another process has written it.

        Raises:
            OSError, FormatError: see `Memory`.
        """
        if self.path is None:
            return
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            stamp = None
        else:
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._set([] if stamp is None else read_entries(self.path))
            self._stamp = stamp

    def bind(self, path: str | os.PathLike[str]) -> None:
        """Moves on to another file: the entries that it lacks are added to it; later ones go there.

        Raises:
            OSError, FormatError: see `Memory`; if the file cannot be written.
        """
        self.refresh()
        before = self.entries, self.path, self._stamp
        self.path, self._stamp = os.fspath(path), None
        self._set([])
        try:
            with self._writing():
                there = {entry.id for entry in self.entries}
                if lacking := [entry for entry in before[0] if entry.id not in there]:
                    self._write([*self.entries, *lacking])
        except BaseException:
            entries, self.path, self._stamp = before
            self._set(entries)
            raise

    def add(
        self,
        op: str,
        what: str,
        said: Sequence[tuple[Any, Any, Any]],
        *,
        who: Any,
        source: Any = OWNER,
        **more: Any,
    ) -> list[Entry]:
        """Adds entries of the kind "teach" or "wrong": all of them or, if one is invalid, none.

        Args:
            op: the caller's name, for error messages.
            what: the kind.
            said: the turn, the answer and the turns before, for each; white space becomes single spaces.
            who, source: the person, see `Entry`.
            more: `session` and `accepted` of the entries.

        Raises:
            TypeError: for a turn, answer, name or context that is not a string.
            ValueError: for an empty or too long one, or one with control characters; if the log is full.
            OSError, FormatError: see `bind`.
        """
        more |= _person(op, who, source)
        if not isinstance(more.get("session", ""), (str, type(None))):
            raise TypeError(f"{op}: session: expected a string or None, got {more['session']!r:.80}")
        texts = [
            (checked(op, "turn", turn), checked(op, "answer", answer), _cleaned(op, context))
            for turn, answer, context in said
        ]
        return self._append(
            op,
            lambda: [_entry(what, turn, answer, context=context, **more) for turn, answer, context in texts],
        )

    def accept(self, op: str, id: Any, who: Any) -> Entry:
        """Accepts an entry that waits, and returns it.

        Raises:
            ValueError: if no entry of this `id` waits; see `add` for other errors.
        """
        return self._refer(op, ACCEPT, id, who, OWNER, lambda: self._waiting)

    def undo(self, op: str, id: Any, who: Any, source: Any = OWNER) -> Entry:
        """Undoes an entry, in force or waiting, and returns it.

        Args:
            op: the caller's name, for error messages.
            id: its `id`; None: the last one.
            who, source: the person, see `Entry`.

        Raises:
            ValueError: if there is no such entry; see `add` for other errors.
        """
        made = lambda: [e for e in self.entries if e.of is None and e.id not in self._undone]  # noqa: E731
        return self._refer(op, UNDO, id, who, source, made)

    def _refer(
        self, op: str, what: str, id: Any, who: Any, source: Any, among: Callable[[], list[Entry]]
    ) -> Entry:
        """Adds an entry about an earlier one, and returns the earlier one."""
        person = _person(op, who, source)
        found: list[Entry] = []

        def made() -> list[Entry]:
            there = among()
            found.extend([entry for entry in there if entry.id == id] if id is not None else there[-1:])
            if not found:
                expected = f"an entry that {'waits to be accepted' if what == ACCEPT else 'is not undone'}"
                raise ValueError(f"{op}: id: expected {expected}, got {'none' if id is None else repr(id)}")
            return [_entry(what, found[0].turn, found[0].answer, of=found[0].id, **person)]

        self._append(op, made)
        return found[0]

    def _append(self, op: str, made: Callable[[], list[Entry]]) -> list[Entry]:
        """Appends entries that are made once nobody else writes."""
        with self._writing():
            entries = made()
            self._check_room(op, entries)
            self._write([*self.entries, *entries])
        return entries

    def _check_room(self, op: str, entries: Sequence[Entry]) -> None:
        """Checks that the limits leave room for entries.

        Raises:
            ValueError: if they do not.
        """
        made = [entry for entry in entries if entry.of is None]
        accepted = sum(entry.accepted for entry in made)
        accepted += sum(entry.what == ACCEPT for entry in entries)
        for there, more, most, what in (
            (self.entries, len(entries), MOST_ENTRIES, "entries in the log"),
            (self._in_force, accepted, MOST, "answers taught"),
            (self._waiting, sum(not entry.accepted for entry in made), MOST_WAITING, "answers that wait"),
        ):
            if more and len(there) + more > most:
                raise ValueError(f"{op}: memory: expected at most {most:,} {what}, got {len(there) + more:,}")

    def _write(self, entries: list[Entry]) -> None:
        """Writes the log, and then takes it as this one."""
        if self.path is not None:
            lines = "".join(f"{entry.to_json()}\n" for entry in entries)
            write_atomically(self.path, lines.encode())
            status = os.stat(self.path)
            self._stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        self._set(entries)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The context in which no other run of this package writes the file; reads it on entry."""
        if self.path is None:
            yield
            return
        end = time.monotonic() + PATIENCE
        while True:
            claim = claimed(self.path)
            try:
                claim.__enter__()
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)
        try:
            self.refresh()
            yield
        finally:
            claim.__exit__(None, None, None)


def _standing(in_force: list[Entry], entries: Sequence[Entry]) -> list[Entry]:
    """Returns the entries that no later one about the same answer to the same turn contradicts."""
    if not any(entry.what == WRONG for entry in in_force):
        return in_force
    moments = {entry.id: i for i, entry in enumerate(entries)}
    moments |= {entry.of: i for i, entry in enumerate(entries) if entry.what == ACCEPT and entry.of}
    last: dict[tuple[str, str], Entry] = {}
    for entry in sorted(in_force, key=lambda entry: moments[entry.id]):
        last[normalize(entry.turn), entry.answer] = entry
    return [entry for entry in in_force if last[normalize(entry.turn), entry.answer].what == entry.what]


def beside(path: str | os.PathLike[str]) -> str:
    """Returns the path of the memory of a model's file."""
    return os.fspath(path) + SUFFIX


def read_entries(path: str | os.PathLike[str]) -> list[Entry]:
    """Reads a log.

    Raises:
        OSError: if it cannot be read.
        FormatError: if it is not a log; names the line.
    """
    entries = []
    for number, line in enumerate(read_lines(path), 1):
        try:
            given = json.loads(line)
            entry = Entry(**{**given, "context": tuple(given.get("context", ()))})
            texts = (entry.id, entry.who, entry.when, entry.turn, entry.answer, *entry.context)
            known = entry.what in KINDS and entry.source in SOURCES and isinstance(entry.accepted, bool)
            optional = all(isinstance(text, (str, type(None))) for text in (entry.session, entry.of))
            if not known or not optional or not all(isinstance(text, str) for text in texts):
                raise ValueError("unknown kind of entry")
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise FormatError(
                f"{os.fspath(path)}: line {number}: expected an entry of a log of what was taught, got {line:.80}"
            ) from None
        entries.append(entry)
    return entries


def dialogues_of(entries: Sequence[Entry]) -> list[list[str]]:
    """Returns what was taught as dialogues, as `data.read_dialogues` reads them from a file.

    A dialogue has an even number of turns: of an odd context, the first turn is left out.
    """
    return [[*entry.context[len(entry.context) % 2 :], entry.turn, entry.answer] for entry in entries]


def checked(op: str, name: str, text: Any, most: int = LONGEST) -> str:
    """Returns a text with single spaces as white space.

    Raises:
        TypeError: if it is not a string.
        ValueError: if it is empty or too long, or contains control characters.
    """
    if len(check_text(op, name, text)) > most:  # before any work is done on it
        raise ValueError(f"{op}: {name}: expected at most {most:,} characters, got {len(text):,}")
    line = " ".join(text.split())
    if not line:
        raise ValueError(f"{op}: {name}: expected a text, got an empty one")
    if wrong := [c for c in line if unicodedata.category(c) in ("Cc", "Cs")]:
        raise ValueError(f"{op}: {name}: expected no control characters, got {wrong[0]!r}")
    return line


def _person(op: str, who: Any, source: Any) -> dict[str, str]:
    """Returns the fields of an entry that say who said it.

    Raises:
        TypeError, ValueError: for an invalid name or source.
    """
    if source not in SOURCES:
        raise ValueError(f"{op}: source: expected one of {', '.join(SOURCES)}, got {source!r}")
    return {"who": checked(op, "who", who, LONGEST_NAME), "source": str(source)}


def _cleaned(op: str, context: Any) -> tuple[str, ...]:
    """Returns the turns before, each on one line and cut to the length of a turn: they are only a record.

    Raises:
        TypeError: if they are not a list of strings.
    """
    check_repeatable(op, "context", context)
    if isinstance(context, str) or not isinstance(context, Sequence):
        raise TypeError(f"{op}: context: expected a list of turns, got {context!r:.80}")
    if wrong := [turn for turn in context if not isinstance(turn, str)]:
        raise TypeError(f"{op}: context: expected strings, got {wrong[0]!r:.80}")
    lines = (" ".join(turn[:LONGEST].split()) for turn in context)
    return tuple("".join(c for c in line if unicodedata.category(c) not in ("Cc", "Cs")) for line in lines)


def _entry(what: str, turn: str, answer: str, **more: Any) -> Entry:
    """Returns a new entry, with the time of now."""
    more = {"source": OWNER} | more
    when = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    return replace(Entry(secrets.token_hex(4), what, "", "", when, turn, answer), **more)
