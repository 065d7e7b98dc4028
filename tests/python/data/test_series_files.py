"""Tables of one series: dates, times and names of series in the other columns show whether rows are its steps."""

import numpy as np
import pytest

from rnnrs import FormatError
from rnnrs.data import read_csv_sequences, read_csv_series
from rnnrs.data.dates import parsed


@pytest.fixture
def write(tmp_path):
    def write(header, *rows):
        path = tmp_path / "table.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    return write


def dated(*dates):
    return [f"{date},{i}" for i, date in enumerate(dates)]


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("date,y", dated("1949-01", "1949-02", "1949-03")),
        ("date,y", dated("2020-01-30", "2020-01-31", "2020-02-01")),
        ("date,y", dated("2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07")),  # business days
        ("date,y", dated("2020/1/9", "2020/1/10", "2020/1/11")),
        ("date,y", dated("2020-01-01 22:00", "2020-01-01 23:00", "2020-01-02 00:00")),
        ("date,y", dated("2020-01-01T22:00:00Z", "2020-01-01T23:00:00Z", "2020-01-02T01:00:00+01:00")),
        ("date,y", dated("31.12.2019", "01.01.2020", "02.01.2020")),
        ("date,y", dated("12/31/2019", "1/1/2020", "1/2/2020")),
        ("date,y", dated("1/1/2020", "2/1/2020", "3/1/2020")),  # in either order
        ("date,y", dated("Nov 2019", "Dec 2019", "Jan 2020")),
        (",y", dated("0", "1", "2")),
        ("year,y", dated("1700", "1701", "1702")),
        ("year,month,y", ["1999,11,1", "1999,12,2", "2000,1,3"]),
        ("year,month,day,y", ["2000,2,28,1", "2000,2,29,2", "2000,3,1,3"]),
        ("Year,Quarter,y", ["1999,3,1", "1999,4,2", "2000,1,3"]),
        ("date,hour,y", ["2020-01-01,22,1", "2020-01-01,23,2", "2020-01-02,0,3"]),
        ("date,time,y", ["2020-01-01,22:30,1", "2020-01-01,23:30,2", "2020-01-02,0:30,3"]),
        ("updated,date,y", ["2024-01-01,2020-01-01,1", "2024-01-01,2020-01-02,2", "2024-01-01,2020-01-03,3"]),
        ("t,y", dated("0.1", "0.2", "0.3")),
        ("weather,y", ["sun,1", "rain,2", "sun,3", "sun,4", "rain,5", "rain,6"]),
        ("store_id,y", ["7,1", "7,2", "7,3"]),
        ("other,y", ["3,1", "1,2", "1,3"]),
        ("name,y", ["one,1", "two,2", "three,3"]),
    ],
)
def test_one_series_is_read(write, header, rows):
    x, columns = read_csv_series(write(header, *rows), ["y"])
    np.testing.assert_array_equal(x[:, 0], [float(row.split(",")[-1]) for row in rows])
    assert columns == ("y",)


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (
            "date,y",
            dated("2020-01-01", "2020-01-02", "2020-01-04"),
            r"line 4, column 1 \('date'\): expected the next "
            "step, got 2020-01-04 after 2020-01-02: a gap",
        ),
        ("date,y", dated("1949-01", "1949-02", "1949-04"), "got 1949-04 after 1949-02: a gap"),
        (
            "date,y",
            dated("2020-01-03", "2020-01-02", "2020-01-01"),
            "line 3, .* got 2020-01-02 after 2020-01-03: it goes",
        ),
        (
            "date,y",
            dated("2020-01-01", "2020-01-01", "2020-01-02"),
            "got 2020-01-01 after 2020-01-01: it repeats",
        ),
        (
            "date,y",
            dated("2020-01-01", "2020-01-02") * 3,
            "line 4, .* got 2020-01-01 after 2020-01-02: it goes back",
        ),
        ("ds,y", dated("30.12.2019", "31.12.2019", "02.01.2020"), "got 02.01.2020 after 31.12.2019: a gap"),
        ("year,month,y", ["1999,11,1", "1999,12,2", "2000,2,3"], "got 2000 2 after 1999 12: a gap"),
        ("year,y", dated("1999", "1999", "2000"), "got 1999 after 1999: it repeats"),
        (
            "date,hour,y",
            ["2020-01-01,22,1", "2020-01-01,23,2", "2020-01-02,1,3"],
            "got 2020-01-02 1 after 2020-01-01 23",
        ),
        ("t,y", dated("0", "1", "2", "0", "1", "2"), "got 0 after 2: it goes backward"),
        (",y", dated("0", "1", "3"), "got 3 after 1: a gap"),
        (
            "shop,y",
            ["a,1", "a,2", "b,3", "b,4", "c,5", "c,6"],
            r"line 4, column 1 \('shop'\): expected one series, got 3 "
            r"series in column 'shop': 'a', 'b', 'c'",
        ),
        ("unique_id,y", ["3,1", "3,2", "4,3"], "got 2 series in column 'unique_id': '3', '4'"),
        ("shop_id,y", ["3,1", "4,2", "3,3"], "got 2 series in column 'shop_id': '3', '4'"),
    ],
)
def test_others_are_refused(write, header, rows, message):
    path = write(header, *rows)
    with pytest.raises(FormatError, match=message) as caught:
        read_csv_series(path, ["y"])
    assert str(caught.value).startswith(f"{path}: ")
    assert len(read_csv_series(path, ["y"], time=False, by=False).x) == len(rows)


LONG = [
    f"{shop},2020-01-{day:02},{value}" for day, value in ((1, 1), (2, 2), (3, 3)) for shop in ("Oslo", "Rome")
]


def test_one_of_several_series(write):
    path = write("shop,date,y", *LONG)
    with pytest.raises(FormatError, match=r"line 3, .*got 2020-01-01 after 2020-01-01: it repeats"):
        read_csv_series(path, ["y"])
    with pytest.raises(
        FormatError, match="expected one series, got 2 series in column 'shop': 'Oslo', 'Rome'"
    ):
        read_csv_series(path, ["y"], by="shop")
    with pytest.raises(FormatError, match="expected 2 series in column 'shop': 'Oslo', 'Rome', got 'Bergen'"):
        read_csv_series(path, ["y"], by="shop", series="Bergen")
    with pytest.raises(ValueError, match="series: expected None without by, got 'Oslo'"):
        read_csv_series(path, ["y"], series="Oslo")
    x, columns = read_csv_series(path, by="shop", series="Rome", time="date")
    assert columns == ("y",)
    np.testing.assert_array_equal(x, [[1], [2], [3]])


def test_a_column_of_times_that_holds_none_is_refused(write):
    with pytest.raises(FormatError, match=r"line 2, column 1 \('a'\): expected dates or numbers, got others"):
        read_csv_series(write("a,y", "x,1", "z,2"), ["y"], time="a")
    with pytest.raises(FormatError, match="got 1 after 3: it goes backward"):
        read_csv_series(write("a,y", "3,1", "1,2"), ["y"], time="a")


def test_dates():
    assert [str(d) for d in parsed(["2020-01-02T03:04:05.25+02:00"])[0]] == ["2020-01-02T01:04:05.250000"]
    assert [str(d)[:10] for d in parsed(["1949-01", "1949-12"])[0]] == ["1949-01-01", "1949-12-01"]
    assert parsed(["2020-13-01"]) == parsed(["1949"]) == parsed(["x"]) == []
    assert len(parsed(["1/2/2020"])) == 2


def test_names_that_occur_twice_are_refused(write):
    for read in (read_csv_series, read_csv_sequences):
        with pytest.raises(ValueError, match="columns: expected different names, got two of 'a'"):
            read(write("a,a,b", "1,2,3"))
        with pytest.raises(ValueError, match=r"columns: expected different names, got two of '?a|0'?"):
            read(write("a,b,c", "1,2,3"), columns=["a", 0])


@pytest.mark.parametrize("classes", [{"u", "d"}, "ud"])
def test_classes_without_an_order_are_refused(write, classes):
    with pytest.raises(TypeError, match="read_csv_sequences: classes: expected names in an order"):
        read_csv_sequences(write("a,kind", "1,u", "2,d"), classes=classes)


def test_labels_as_values_are_refused(write):
    path = write("id,a,kind", "1,2,0", "2,3,1")
    with pytest.raises(ValueError, match="columns: expected other columns than label, got 'kind'"):
        read_csv_sequences(path, columns=["a", "kind"])
    with pytest.raises(ValueError, match="columns: expected other columns than by, got 'id'"):
        read_csv_sequences(path, by="id", columns=["a", "id"])


def test_columns_of_steps_in_the_order_of_texts_are_refused(write):
    path = write("t1,t10,t2,kind", "1,10,2,u", "1,10,2,d")
    with pytest.raises(FormatError, match="in the order of their numbers, got 't2' after 't10'"):
        read_csv_sequences(path)
    data = read_csv_sequences(path, columns=["t1", "t2", "t10"])
    np.testing.assert_array_equal(data.x[:, 0, 0], [1, 2, 10])


def test_the_names_of_columns_of_steps_and_of_variables(write):
    assert read_csv_sequences(write("id,a,b,kind", "1,2,0,u", "2,3,1,d"), by="id").columns == ("a", "b")
    assert read_csv_sequences(write("t1,t2,kind", "1,2,u", "3,4,d")).columns == ()
