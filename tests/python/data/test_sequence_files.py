"""Sequences and series from files: every value is in its place; malformed files are refused by location."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnrs import FormatError
from rnnrs.data import read_csv_sequences, read_csv_series, read_ts

HEAD = b"""# A comment, in latin-1: caf\xe9
@problemName Tones
@timeStamps false
@univariate false
@dimensions 2
@equalLength false
@classLabel true low high

@data
"""
TONES = HEAD + b"1,2,3:10,20,30:high\n# between\n 4 , 5e-1 : -1,-2 : low \n6:7:high\n"


@pytest.fixture
def file(tmp_path):
    def write(data, name="file"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write


# --- .ts -----------------------------------------------------------------------------------------


def test_ts_files_become_padded_time_major_arrays(file):
    data = read_ts(file(TONES))
    assert data.x.shape == (3, 3, 2) and data.x.dtype == np.float32 and data.x.flags.c_contiguous
    np.testing.assert_array_equal(data.x[:, 0], [[1, 10], [2, 20], [3, 30]])
    np.testing.assert_array_equal(data.x[:, 1], [[4, -1], [0.5, -2], [0, 0]])
    np.testing.assert_array_equal(data.x[:, 2], [[6, 7], [0, 0], [0, 0]])
    assert data.lengths.tolist() == [3, 2, 1]
    assert data.labels.tolist() == [1, 0, 1] and data.classes == ("low", "high")


@pytest.mark.parametrize("change", ["gzip", "windows", "mark", "capitals"])
def test_ts_files_in_the_variants_that_occur(file, change):
    data = {
        "gzip": gzip.compress(TONES, mtime=0),
        "windows": TONES.replace(b"\n", b"\r\n"),
        "mark": b"\xef\xbb\xbf" + TONES,
        "capitals": TONES.replace(b"@classLabel true", b"@CLASSLABEL True").replace(b"@data", b"@DATA"),
    }[change]
    for array, same in zip(read_ts(file(data)), read_ts(file(TONES, "plain")), strict=True):
        np.testing.assert_array_equal(array, same)


def test_ts_targets_and_files_without_labels(file):
    data = read_ts(file("@targetLabel true\n@data\n1,2:0.25\n3,4:-7\n"), dtype="float64")
    assert data.labels.tolist() == [0.25, -7.0] and data.classes == () and data.x.dtype == np.float64
    np.testing.assert_array_equal(data.x[..., 0], [[1, 3], [2, 4]])
    data = read_ts(file("@classLabel false\n@data\n1,2:0.25,5\n"))
    assert data.labels is None and data.x.shape == (2, 1, 2)


def test_missing_values_are_replaced(file):
    path = file(HEAD + b"1,?,3:NaN,20,30:low\n")
    data = read_ts(path, missing=np.nan)
    np.testing.assert_array_equal(data.x[:, 0], [[1, np.nan], [np.nan, 20], [3, 30]])
    assert read_ts(path, missing=-1).x[1, 0, 0] == -1
    with pytest.raises(FormatError, match=r"line 10: dimension 1, value 2: expected a number, got '\?'"):
        read_ts(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected @data, got the file's end"),
        (HEAD, "expected at least one series after @data, got none"),
        (HEAD + b"1,2:3,4:high\n1,x:3,4:low", r"line 11: dimension 1, value 2: expected a number, got 'x'"),
        (HEAD + b"1,,2:1,2,3:low", "line 10: dimension 1, value 2: expected a number, got ''"),
        (HEAD + b"1,2:1,1_0:low", "line 10: dimension 2, value 2: expected a number, got '1_0'"),
        (HEAD + b"1,2:1,inf:low", "line 10: dimension 2, value 2: expected a finite number"),
        (HEAD + b"1,2:1,1e39:low", "line 10: dimension 2, value 2: expected a finite number"),
        (HEAD + b"1,2:1,2,3:low", "line 10: dimension 2: expected 2 values as in 1, got 3"),
        (HEAD + b"1,2:low", "line 10: expected 2 dimensions, got 1"),
        (HEAD + b"1,2", "line 10: expected dimensions and a label with ':' between them"),
        (HEAD + b"1:2:middle", "line 10: label: expected one of the classes low, high, got 'middle'"),
        (HEAD + b"1:2:\xff", "line 10: expected UTF-8 text, got byte 0xff"),
        ("1,2:a\n", r"line 1: expected a comment \(#\), a setting \(@…\) or @data, got '1,2:a'"),
        ("@timeStamps true\n", r"line 1: expected values at equal distances \(@timeStamps false\)"),
        ("@timeStamps perhaps\n", "line 1: expected @timestamps true or false, got 'perhaps'"),
        ("@classLabel true\n", "line 1: expected @classLabel true and each class once, got 'true'"),
        ("@classLabel true a a\n", "line 1: expected @classLabel true and each class once"),
        ("@classLabel\n", "line 1: expected @classlabel true or false, got 'nothing'"),
        ("@missing false\n@missing true\n", "line 2: expected one @missing, got another"),
        ("@data\n1:a\n", "line 1: expected @classLabel or @targetLabel before @data"),
        (
            "@classLabel true a\n@targetLabel true\n@data\n",
            "line 3: expected @classLabel or @targetLabel, got both",
        ),
        (
            "@classLabel true a\n@dimensions two\n@data\n",
            "expected @dimensions and a number from 1, got 'two'",
        ),
        ("@classLabel true a\n@univariate true\n@data\n1:2:a", "line 4: expected 1 dimensions, got 2"),
        ("@classLabel true a\n@data\n1:2:a\n1:a\n", "line 4: expected 2 dimensions, got 1"),
        (
            "@classLabel true a\n@equalLength true\n@seriesLength 3\n@data\n1,2:a\n",
            r"line 5: expected 3 values \(@equalLength true\), got 2",
        ),
        ("@classLabel true a\n@equalLength true\n@data\n1,2:a\n1:a", "line 5: expected 2 values"),
        ("@targetLabel true\n@data\n1:a\n", "line 3: label: expected a number, got 'a'"),
        (gzip.compress(TONES, mtime=0)[:-12], "damaged gzip file"),
        (gzip.compress(TONES, mtime=0)[:12] + b"\xff" * 30, "damaged gzip file"),
    ],
)
def test_malformed_ts_files_are_refused(file, data, message):
    path = file(data)
    with pytest.raises(FormatError, match=message) as caught:
        read_ts(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@given(
    st.lists(
        st.lists(st.tuples(*[st.floats(width=32, allow_nan=False, allow_infinity=False)] * 3), min_size=1),
        min_size=1,
    )
)
def test_ts_files_round_trip(tmp_path_factory, cases):
    lines = [":".join(",".join(map(repr, column)) for column in zip(*case, strict=True)) for case in cases]
    path = tmp_path_factory.mktemp("ts") / "file.ts"
    path.write_text("@classLabel false\n@data\n" + "\n".join(lines), "utf-8")
    data = read_ts(path)
    assert data.lengths.tolist() == list(map(len, cases))
    for b, case in enumerate(cases):
        np.testing.assert_array_equal(data.x[: len(case), b], np.array(case, np.float32))
        assert not data.x[len(case) :, b].any()


# --- CSV -----------------------------------------------------------------------------------------

SERIES = 'month,"passengers, all",freight\n1949-01,112,1.5\n1949-02,118,\n'
WIDE = "name,t1,t2,t3,kind\nx,1,2,3,up\ny,4,,,down\nz,5,6,,up\n"
LONG = "id,a,b,kind\nx,1,2,up\nx,3,4,up\ny,5,6,down\n"


def test_a_series_from_csv(file):
    path = file(SERIES)
    x, columns = read_csv_series(path, ["passengers, all"])
    assert x.dtype == np.float32 and columns == ("passengers, all",)
    np.testing.assert_array_equal(x, [[112], [118]])
    x, columns = read_csv_series(path, [-1, 1], missing=0, dtype="float64")
    assert x.dtype == np.float64 and columns == ("freight", "passengers, all")
    np.testing.assert_array_equal(x, [[1.5, 112], [0, 118]])
    x, columns = read_csv_series(file("\ufeff1;2\r\n\r\n3;4\r\n"), header=False, delimiter=";")
    assert columns == ()
    np.testing.assert_array_equal(x, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(read_csv_series(file(gzip.compress(b"a\n1\n"))).x, [[1]])


def test_one_row_per_sequence(file):
    data = read_csv_sequences(file(WIDE), "kind", columns=["t1", "t2", "t3"])
    np.testing.assert_array_equal(data.x[..., 0], [[1, 4, 5], [2, 0, 6], [3, 0, 0]])
    assert data.x.shape == (3, 3, 1) and data.lengths.tolist() == [3, 1, 2]
    assert data.labels.tolist() == [1, 0, 1] and data.classes == ("down", "up")
    data = read_csv_sequences(file("2\t0.5\t0.25\n1\t1\t2\n"), 0, header=False, delimiter="\t")
    assert data.labels.tolist() == [1, 0] and data.classes == ("1", "2")
    np.testing.assert_array_equal(data.x[..., 0], [[0.5, 1], [0.25, 2]])
    data = read_csv_sequences(file("a,b\n1,2\n"), None)
    assert data.labels is None and data.classes == () and data.x.shape == (2, 1, 1)


def test_one_row_per_step(file):
    data = read_csv_sequences(file(LONG), by="id")
    np.testing.assert_array_equal(data.x[:, 0], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(data.x[:, 1], [[5, 6], [0, 0]])
    assert data.lengths.tolist() == [2, 1] and data.labels.tolist() == [1, 0]
    data = read_csv_sequences(file(LONG), by="id", columns=["b"], classes=["up", "flat", "down"])
    assert data.labels.tolist() == [0, 2] and data.classes == ("up", "flat", "down")
    np.testing.assert_array_equal(data.x[..., 0], [[2, 6], [4, 0]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "expected at least one row of data, got none"),
        ("a,b\n", "expected at least one row of data, got none"),
        ("a,b\n1,2\n3\n", "line 3: expected 2 columns, got 1"),
        ("a,b\n1,2\n3,x\n", r"line 3, column 2 \('b'\): expected a number, got 'x'"),
        ("a,b\n1,2\n3,\n", r"line 3, column 2 \('b'\): expected a number, got '': a missing value"),
        ("a,b\n1,NA\n", r"line 2, column 2 \('b'\): expected a number, got 'NA': a missing value"),
        ('"a\nb",c\n1,"x"\n', r"line 3, column 2 \('c'\): expected a number, got 'x'"),
        ("a\n" + "9" * 50 + "x\n", r"line 2, column 1 \('a'\): expected a number, got '9{40}…'"),
        ("1,2\n3,4\n", r"line 1: expected the columns' names, got numbers \(header=False"),
        (b"a\n1\n\xff\n", "line 3: expected UTF-8 text, got byte 0xff"),
        ('a\n"1"2\n', "line 2: "),
    ],
)
def test_malformed_series_are_refused(file, data, message):
    path = file(data)
    with pytest.raises(FormatError, match=message) as caught:
        read_csv_series(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (
            "t1,t2,kind\n,,up\n",
            {},
            r"line 2, column 1 \('t1'\): expected at least one value, got an empty row",
        ),
        ("t1,t2,kind\n,2,up\n", {}, r"line 2, column 1 \('t1'\): expected a number, got ''"),
        ("t1,t2,kind\n1,2,\n", {}, r"line 2, column 3 \('kind'\): expected a label, got an empty cell"),
        (WIDE, {}, r"line 2, column 1 \('name'\): expected a number, got 'x'"),
        (
            "t,kind\n1,up\n2,flat\n",
            {"classes": ["up", "down"]},
            r"line 3, column 2 \('kind'\): expected one of the classes up, down, got 'flat'",
        ),
        (
            LONG + "x,7,8,up\n",
            {"by": "id"},
            r"line 5, column 1 \('id'\): expected consecutive rows for a sequence, got another run of 'x'",
        ),
        (
            LONG + "y,7,8,up\n",
            {"by": "id"},
            r"line 5, column 4 \('kind'\): expected one label for sequence 'y', 'down', got 'up'",
        ),
        (LONG + "y,7,,down\n", {"by": "id"}, r"line 5, column 3 \('b'\): expected a number, got ''"),
        ("1,x,up\n", {"header": False}, "line 1, column 2: expected a number, got 'x'"),
    ],
)
def test_malformed_sequences_are_refused(file, data, settings, message):
    path = file(data)
    with pytest.raises(FormatError, match=message) as caught:
        read_csv_sequences(path, **settings)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"label": "sort"}, ValueError, "label: expected one of the columns .*'kind'.*, got 'sort'"),
        ({"label": 4}, ValueError, "label: expected a column from -4 to 3, got 4"),
        ({"label": 1.5}, TypeError, "float"),
        ({"by": "time"}, ValueError, "by: expected one of the columns"),
        ({"columns": []}, ValueError, "columns: expected a list of at least one column, got"),
        ({"columns": "a"}, ValueError, "columns: expected a list of at least one column, got 'a'"),
        ({"columns": ["c"]}, ValueError, "columns: expected one of the columns"),
        ({"missing": "none"}, TypeError, "missing: expected a number or None, got str"),
        ({"dtype": "int32"}, ValueError, "dtype: expected float32 or float64, got int32"),
    ],
)
def test_invalid_arguments_are_refused(file, settings, error, message):
    with pytest.raises(error, match=message) as caught:
        read_csv_sequences(file(LONG), **settings)
    assert not isinstance(caught.value, FormatError)


def test_ambiguous_names_and_names_without_a_header_are_refused(file):
    with pytest.raises(ValueError, match=r"columns: expected one of the columns \('a', 'a'\), got 'a'"):
        read_csv_series(file("a,a\n1,2\n"), ["a"])
    with pytest.raises(ValueError, match=r"expected one of the columns \(no header\), got 'a'"):
        read_csv_series(file("1,2\n"), ["a"], header=False)


def test_unreadable_files_are_refused(tmp_path):
    for read in (read_ts, read_csv_series, read_csv_sequences):
        with pytest.raises(FileNotFoundError, match="missing"):
            read(tmp_path / "missing")
        with pytest.raises(OSError, match=tmp_path.name):
            read(tmp_path)
