"""Reading texts: files are read whole, and files that are not text are refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnrs.text import read_text, split, tiny_shakespeare


def test_files_are_concatenated_in_order(tmp_path):
    files = []
    for name, data in (("a", b"\xef\xbb\xbfone\r\ntwo"), ("b", "drei\rvïer\n".encode()), ("c", b"five")):
        (tmp_path / name).write_bytes(data)
        files.append(tmp_path / name)
    assert read_text(*files) == "one\ntwo\ndrei\nvïer\nfive"
    assert read_text(str(files[2])) == "five"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a text, got an empty file"),
        (b"\xef\xbb\xbf", "got an empty file"),
        (b" \n\t", "got only whitespace"),
        ("\u2003\n".encode(), "got only whitespace"),
        (b"text\0", r"got a binary file \(byte 0 at offset 4\)"),
        ("text".encode("utf-16"), "got a binary file"),
        ("café".encode("latin-1"), "expected UTF-8 text, got byte 0xe9 at offset 3"),
        (b"\xef\xbb\xbfab\xff", "got byte 0xff at offset 5"),
        (b"a\xed\xa0\x80", "got byte 0xed at offset 1"),
    ],
)
def test_files_that_are_not_text_are_refused(tmp_path, data, message):
    path = tmp_path / "file.txt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_text(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        read_text(tmp_path / "missing")
    with pytest.raises(OSError, match=tmp_path.name):
        read_text(tmp_path)
    with pytest.raises(ValueError, match="paths: expected at least one"):
        read_text()


def test_the_bundled_text_and_its_parts():
    text = tiny_shakespeare()
    assert len(text) == 1_115_394 and len(set(text)) == 65
    assert text.startswith("First Citizen:\nBefore we proceed any further, hear me speak.\n")
    train, valid, test = split(text)
    assert (len(train), len(valid), len(test)) == (1_003_854, 55_770, 55_770)
    assert train + valid + test == text


@given(st.text(max_size=30), st.integers(1, 5))
def test_parts_concatenate_to_the_text(text, count):
    parts = split(text, [1 / count] * count)
    assert len(parts) == count and "".join(parts) == text


@pytest.mark.parametrize("shares", [(), (0.5,), (0.5, 0.6), (1.5, -0.5), (1.0, 0.0), (float("nan"), 1.0)])
def test_shares_that_do_not_add_up_are_refused(shares):
    with pytest.raises(ValueError, match="split: shares: expected positive numbers that add up to 1"):
        split("text", shares)
