"""One way to read bytes, texts and lines, from files and from standard input."""

import gzip
import io
import sys

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from rnnrs import reading
from rnnrs.data import (
    read_captions,
    read_csv_sequences,
    read_csv_series,
    read_csv_texts,
    read_dialogue_acts,
    read_dialogues,
    read_json_pairs,
    read_parallel_pairs,
    read_ts,
    read_tsv_pairs,
)
from rnnrs.errors import FormatError, MissingExtraError
from rnnrs.text import read_text


class Piped:
    """Standard input whose bytes come in pieces."""

    closed = False

    def __init__(self, *pieces):
        self._pieces = [*pieces]
        self.buffer = self

    def read1(self, most):
        return self._pieces.pop(0) if self._pieces else b""


def lines(monkeypatch, *pieces, **options):
    monkeypatch.setattr(sys, "stdin", Piped(*pieces))
    return list(reading.input_lines(**options))


TEXT = "\ufeffone\r\ntwo\rthree\u2028still\x85three\n\n\x0bfive"
LINES = ["one", "two", "three\u2028still\x85three", "", "\x0bfive"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_files_and_standard_input_have_the_same_lines(tmp_path, monkeypatch, encoding, packed, size):
    data = TEXT.encode(encoding)
    data = gzip.compress(data[:9]) + gzip.compress(data[9:]) if packed else data
    path = tmp_path / "text"
    path.write_bytes(data)
    assert reading.read_lines(path, encoding) == LINES
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    assert lines(monkeypatch, *pieces, encoding=encoding) == LINES
    monkeypatch.setattr(sys, "stdin", Piped(*pieces))
    assert reading.read_lines("-", encoding) == LINES


@given(st.text(st.sampled_from("a\r\n\u2028é")), st.integers(1, 4))
def test_lines_do_not_depend_on_the_pieces(text, size):
    data = text.encode()
    found = reading._Lines("standard input", "utf-8")
    got = [line for i in range(0, len(data), size) for line in found.take(data[i : i + size])]
    assert [*got, *found.finish()] == reading.split_lines(text)


def test_a_line_comes_before_the_next_one_is_complete(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Piped(b"a\nb", b"c\r", b"\nd"))
    found = reading.input_lines()
    assert [next(found) for _ in range(2)] == ["a", "bc"]


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"caf\xe9 au lait", r"line 1: expected UTF-8 text, got byte 0xe9 at offset 3, column 4"),
        (b"\xef\xbb\xbfab\xff", "line 1: .* 0xff at offset 5, column 3"),
        (b"a\r\nb\rc\xe9d", "line 3: .* 0xe9 at offset 6, column 2"),
        ("a\u2028é".encode() + b"\xe9", "line 1: .* 0xe9 at offset 6, column 4"),
        (b"a\n" * 100_000 + b"bb\xe9\n", "line 100001: .* 0xe9 at offset 200002, column 3"),
        (b"a\xc3", "line 1: .* 0xc3 at offset 1, column 2"),
    ],
)
def test_a_bad_byte_is_named_by_line_and_column(tmp_path, monkeypatch, data, place):
    path = tmp_path / "text"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=f"^{path}: {place}"):
        reading.read_text(path)
    for pieces in ([data], [data[:-2], data[-2:]], [data[:7], data[7:]]):
        with pytest.raises(FormatError, match=f"^standard input: {place}"):
            lines(monkeypatch, *filter(None, pieces))


def test_the_likely_encoding_is_named(tmp_path, monkeypatch):
    path = tmp_path / "text"
    for data, hint in (
        ("Schön ist es.\n".encode("latin-1"), "Latin-1 or Windows-1252, name the encoding: cp1252"),
        ("hello\n".encode("utf-16"), "it looks like UTF-16, name the encoding: utf-16$"),
        ("hello\n".encode("utf-16-le"), "it looks like UTF-16, name the encoding: utf-16-le"),
        ("hello\n".encode("utf-16-be"), "it looks like UTF-16, name the encoding: utf-16-be"),
    ):
        path.write_bytes(data)
        with pytest.raises(FormatError, match=hint):
            reading.read_text(path)
        with pytest.raises(FormatError, match=hint):
            lines(monkeypatch, data)
    path.write_bytes(b"\xff\x9d\x80" * 9)
    with pytest.raises(FormatError, match=r"got byte 0xff at offset 0, column 1$"):
        reading.read_text(path)


@pytest.mark.parametrize("name", ["nope", "base64", "rot13", ""])
def test_an_unknown_encoding_is_refused(tmp_path, name):
    (tmp_path / "a").write_text("a")
    with pytest.raises(ValueError, match="encoding: expected one that Python knows"):
        read_text(tmp_path / "a", encoding=name)
    with pytest.raises(TypeError, match="encoding: expected a name"):
        read_text(tmp_path / "a", encoding=8)


def test_damaged_gzip_and_closed_input_are_errors(monkeypatch):
    packed = gzip.compress(b"abc\n" * 99)
    for data in (packed[:-5], packed[:20] + b"\xff" + packed[21:]):
        with pytest.raises(FormatError, match="standard input: damaged gzip file"):
            lines(monkeypatch, data[:7], data[7:])
    for stdin in (None, io.StringIO()):
        if stdin is not None:
            stdin.close()
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(OSError, match="is closed"):
            list(reading.input_lines())


CAFE = "café"
#: reader → a text with `CAFE` in it, and the way to it in the result.
READERS = {
    read_text: (f"{CAFE}\n", lambda found: found.strip()),
    read_tsv_pairs: (f"a\t{CAFE}\n", lambda found: found[0][1]),
    read_json_pairs: (f'{{"source": "a", "target": "{CAFE}"}}\n', lambda found: found[0][1]),
    read_dialogues: (f"hello\n{CAFE}\n", lambda found: found[0][1]),
    read_dialogue_acts: (f"inform(a='b')\t{CAFE}\n", lambda found: found[0][1]),
    read_captions: (f"a.png\t{CAFE}\n", lambda found: found.descriptions[0][0]),
    read_csv_texts: (f"text,kind\na,{CAFE}\n", lambda found: found[1][0]),
    read_csv_sequences: (f"x,kind\n1,{CAFE}\n", lambda found: found.classes[0]),
    read_csv_series: (f"{CAFE}\n1\n2\n", lambda found: found.columns[0]),
}


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_every_reader_takes_encodings_gzip_marks_and_standard_input(reader, tmp_path, monkeypatch):
    text, way = READERS[reader]
    path = tmp_path / "file"
    for data, options in (
        (text.encode(), {}),
        (text.replace("\n", "\r").encode(), {}),
        (("\ufeff" + text).encode(), {}),
        (gzip.compress(text.encode()), {}),
        (text.encode("cp1252"), {"encoding": "cp1252"}),
        (text.encode("utf-16"), {"encoding": "utf-16"}),
    ):
        path.write_bytes(data)
        monkeypatch.setattr(sys, "stdin", Piped(data))
        assert way(reader(path, **options)) == way(reader("-", **options)) == CAFE
    path.write_bytes(b"\r".join(text.encode("latin-1").split(b"\n")))
    line = text.split(CAFE)[0].count("\n") + 1
    with pytest.raises(FormatError, match=rf"file: line {line}: expected UTF-8 text, got byte 0xe9"):
        reader(path)


def test_two_files_and_ts_from_standard_input(tmp_path, monkeypatch):
    (tmp_path / "b").write_bytes("é\n".encode("cp1252"))
    monkeypatch.setattr(sys, "stdin", Piped("á\n".encode("cp1252")))
    assert read_parallel_pairs("-", tmp_path / "b", encoding="cp1252") == [("á", "é")]
    monkeypatch.setattr(sys, "stdin", Piped(gzip.compress(b"@classLabel true a\r@data\r1,2:a\r")))
    assert read_ts("-").x[:, 0, 0].tolist() == [1, 2]


def test_the_form_of_standard_input_follows_from_its_first_line(monkeypatch):
    for data in (b'["a", "b"]\n', b'{"turns": ["a", "b"]}\n', b"a\tb\n", b"a\nb\n"):
        monkeypatch.setattr(sys, "stdin", Piped(data))
        assert read_dialogues("-") == [["a", "b"]]
    monkeypatch.setattr(sys, "stdin", Piped(b'{"file": "a", "description": "b"}\n'))
    assert read_captions("-").descriptions == (("b",),)


def packed(data, *places):
    """Returns bytes as several frames of zstd."""
    parts = [data[a:b] for a, b in zip((0, *places), (*places, len(data)), strict=True)]
    return b"".join(zstandard.ZstdCompressor().compress(part) for part in parts)


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("places", [(), (9, 20)])
def test_zstd_is_decompressed(tmp_path, monkeypatch, size, places):
    data = packed(TEXT.encode(), *places)
    path = tmp_path / "text.zst"
    path.write_bytes(data)
    assert reading.read_lines(path) == LINES
    monkeypatch.setattr(reading, "_PART", size)
    monkeypatch.setattr(reading, "_SAMPLE", max(size // 2, 2))
    assert "".join(reading.text_parts(path)).split("\n") == LINES
    assert lines(monkeypatch, *(data[i : i + size] for i in range(0, len(data), size))) == LINES


@pytest.mark.parametrize(("compress", "kind"), [(gzip.compress, "gzip"), (packed, "zstd")])
def test_damaged_compressed_files_are_refused_in_parts(tmp_path, compress, kind):
    data = compress(bytes(range(65, 91)) * 40)
    path = tmp_path / "text"
    path.write_bytes(data[:-3])
    with pytest.raises(FormatError, match=f"text: damaged {kind} file: it ends too early"):
        list(reading.text_parts(path))
    path.write_bytes(data[:9] + b"\xff\xff\xff" + data[12:])
    with pytest.raises(FormatError, match=f"text: damaged {kind} file"):
        list(reading.text_parts(path))


def test_a_missing_zstandard_is_named(tmp_path, monkeypatch):
    (tmp_path / "text").write_bytes(packed(b"text"))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingExtraError, match=r"rnnrs\[zstd\]"):
        reading.read_text(tmp_path / "text")


def test_gzip_is_decompressed_little_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_PART", 1000)
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"a" * 50_000) + gzip.compress(b"b" * 10) + b"\0" * 9)
    parts = list(reading.text_parts(tmp_path / "text.gz"))
    assert max(map(len, parts)) == 1000
    assert "".join(parts) == "a" * 50_000 + "b" * 10


def test_parts_name_the_place_of_a_bad_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_PART", 4)
    (tmp_path / "text").write_bytes("one\r\ntwo\rthré".encode() + b"e\xff")
    with pytest.raises(
        FormatError, match="line 3: expected UTF-8 text, got byte 0xff at offset 15, column 6"
    ):
        list(reading.text_parts(tmp_path / "text"))
