"""Output for people: nothing stops the work, and no text commands a terminal."""

import errno
import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnrs.terminal import Output, Screen, escaped, is_terminal, plain, standard_streams


class Broken(io.StringIO):
    """A stream on which nothing can be written."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error

    def flush(self):
        raise self.error


class Tty(io.StringIO):
    def isatty(self):
        return True


class Bare:
    """A stream that can only write."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "full"), BrokenPipeError(), OSError(errno.EIO, "gone"), ValueError("closed file")],
)
def test_a_screen_that_cannot_be_written_takes_nothing(error):
    screen = Screen(Broken(error))
    print("a", file=screen, flush=True)
    screen.flush()
    screen.write("b")
    assert not screen.isatty()


def test_a_screen_may_be_none_closed_bare_or_of_another_encoding():
    Screen(None).write("a")
    Screen(None).flush()
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(None) and not is_terminal(closed) and not is_terminal(Bare())
    Screen(closed).write("a")
    bare = Bare()
    print("a·b", file=Screen(bare), flush=True)
    assert bare.text == "a·b\n"
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    print("a·b", file=Screen(stream), flush=True)
    assert raw.getvalue() == b"a\\xb7b\n"
    with pytest.raises(OSError):
        Screen(bare).fileno()


HOSTILE = "\x1b[2J\x07\x9b1m\x7f\r\x00\u202eevil\u2066\u2069\u202c"


def test_controls_are_escaped_on_a_terminal_and_unchanged_elsewhere():
    terminal, file = Tty(), io.StringIO()
    for stream in (terminal, file):
        print(HOSTILE, "é\t\u200f\u2028", file=Output(stream, "standard output"))
    assert file.getvalue() == HOSTILE + " é\t\u200f\u2028\n"
    shown = "\\u001b[2J\\u0007\\u009b1m\\u007f\\u000d\\u0000\\u202eevil\\u2066\\u2069\\u202c"
    assert terminal.getvalue() == shown + " é\t\u200f\u2028\n"
    Output(terminal, "standard output").command("\x1b[0m")
    assert terminal.getvalue().endswith("\x1b[0m")
    assert plain(Output(terminal, "x")) is terminal and plain(terminal) is terminal


@given(st.text())
def test_nothing_that_commands_is_left(text):
    found = escaped(text)
    assert found == escaped(found)
    assert all(c in "\t\n" or (ord(c) >= 32 and not 127 <= ord(c) < 160) for c in found)


def test_an_output_names_itself_in_errors():
    with pytest.raises(OSError, match="full") as caught:
        Output(Broken(OSError(errno.ENOSPC, "full")), "standard output").write("a")
    assert caught.value.filename == "standard output"
    with pytest.raises(BrokenPipeError):
        Output(Broken(BrokenPipeError()), "standard output").flush()
    with pytest.raises(OSError, match="is closed"):
        Output(None, "standard output").write("a")


def test_streams_come_back(monkeypatch):
    before = sys.stdout, sys.stderr
    with standard_streams():
        assert isinstance(sys.stdout, Output)
    assert (sys.stdout, sys.stderr) == before
    monkeypatch.setattr(sys, "stdout", None)
    with standard_streams():
        assert plain(sys.stdout) is None
