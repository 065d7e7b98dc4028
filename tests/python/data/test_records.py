"""Tables of records, annotated dialogues, and the bundled ones."""

import datetime
import gzip
import json
import sqlite3
from decimal import Decimal

import numpy as np
import pytest

from rnnrs import FormatError
from rnnrs.data import AnnotatedTurn, Records, as_records, camrest, read_annotated_dialogues, read_records
from rnnrs.data.annotated_dialogues import check_annotated

ROWS = [{"name": "Älma", "stars": 4.0, "phone": "12"}, {"name": "Bor", "stars": np.int64(3), "phone": None}]
CELLS = [{"name": "Älma", "stars": "4", "phone": "12"}, {"name": "Bor", "stars": "3", "phone": ""}]


def sqlite_file(path, *tables):
    base = sqlite3.connect(path)
    for name in tables:
        base.execute(f'CREATE TABLE "{name}" (name TEXT, stars REAL, phone TEXT)')
        base.executemany(f'INSERT INTO "{name}" VALUES (?, ?, ?)', [("Älma", 4.0, "12"), ("Bor", 3.0, None)])
    base.commit()
    base.close()
    return path


def test_a_table_is_the_same_from_every_kind_of_file(tmp_path):
    (tmp_path / "a.csv").write_text("name,stars,phone\nÄlma,4,12\n\nBor,3\n")
    (tmp_path / "a.tsv").write_text("name\tstars\tphone\nÄlma\t4\t12\nBor\t3\t\n")
    (tmp_path / "a.json").write_text(json.dumps(CELLS))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, CELLS)).encode()))
    sqlite_file(tmp_path / "a.data", 'odd "name"'.replace('"', ""))
    for name in ("a.csv", "a.tsv", "a.json", "a.jsonl.gz", "a.data"):
        assert read_records(tmp_path / name).rows == CELLS, name


def test_a_table_may_be_separated_by_semicolons(tmp_path):
    (tmp_path / "a.csv").write_bytes("\ufeffname;food\nÄlma;thai, and more\n".encode())
    assert read_records(tmp_path / "a.csv").rows == [{"name": "Älma", "food": "thai, and more"}]
    (tmp_path / "a.JSON").write_text(json.dumps(CELLS))
    assert read_records(tmp_path / "a.JSON").rows == CELLS


def test_cells_of_every_type_are_written_as_texts():
    class Timestamp(datetime.datetime):  # as pandas has it
        pass

    row = {"a": Timestamp(2020, 1, 2), "b": Timestamp(2020, 1, 2, 3), "c": np.datetime64("2020-01-02", "ns"),
           "d": np.datetime64("NaT"), "e": Decimal("sNaN"), "f": np.array([1, 2]), "g": np.float32(1.5)}  # fmt: skip
    expected = ["2020-01-02", "2020-01-02 03:00:00", "2020-01-02", "", "", "1, 2", "1.5"]
    assert list(Records([row]).rows[0].values()) == expected


def test_a_table_of_an_sqlite_file_is_chosen_by_name(tmp_path):
    path = sqlite_file(tmp_path / "two.db", "first", "second")
    assert read_records(path, table="second").rows == CELLS
    with pytest.raises(FormatError, match=r"two.db: table: expected one of first, second, got None"):
        read_records(path)
    with pytest.raises(FormatError, match=r"expected one of first, second, got 'third'"):
        read_records(path, table="third")
    (tmp_path / "bad.db").write_bytes(b"SQLite format 3\0" + b"x" * 200)
    with pytest.raises(FormatError, match=r"bad.db: expected an SQLite file"):
        read_records(tmp_path / "bad.db")


def test_a_table_of_a_data_frame_is_taken_by_what_it_offers():
    class Pandas:
        columns = ("name",)

        def to_dict(self, orient):
            assert orient == "records"
            return ROWS

    class Polars:
        def to_dicts(self):
            return ROWS

    for frame in (Pandas(), Polars(), ROWS, Records(ROWS)):
        assert as_records("f", frame).rows == CELLS


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([], ValueError, "at least one"),
        ([3], TypeError, r"rows\[0\]: expected a mapping, got 3"),
        ([{"a": b"x"}], TypeError, r"rows\[0\]\['a'\]: expected a text, a number or None, got bytes"),
    ],
)
def test_a_table_that_is_not_one_is_refused(rows, error, message):
    with pytest.raises(error, match=message):
        Records(rows)


def test_files_without_a_table_are_named(tmp_path):
    for name, text in [("a.csv", "a,a\n1,2\n"), ("b.csv", ""), ("c.json", "{"), ("d.csv", "a\n1,2\n")]:
        (tmp_path / name).write_text(text)
        with pytest.raises(FormatError, match=name):
            read_records(tmp_path / name)
    (tmp_path / "e.csv").write_text("a\n1\n")
    with pytest.raises(ValueError, match="which is not SQLite"):
        read_records(tmp_path / "e.csv", table="x")
    with pytest.raises(TypeError, match="f: table: expected rows, a data frame or a file, got int"):
        as_records("f", 3)


TURN = {
    "user": "Thai?",
    "system": "Where?",
    "state": {"food": "thai"},
    "requests": ["phone"],
    "asks": ["area"],
}
CAMREST = {
    "dial": [
        {
            "usr": {
                "transcript": "Thai?",
                "slu": [
                    {"act": "inform", "slots": [["food", "thai"]]},
                    {"act": "request", "slots": [["slot", "phone"]]},
                ],
            },
            "sys": {"sent": "Where?", "DA": ["area", ["x"]]},
        }
    ]
}


def test_annotated_dialogues_are_read_in_both_notations(tmp_path):
    expected = [[AnnotatedTurn("Thai?", "Where?", {"food": "thai"}, ("phone",), ("area",))]]
    for name, content in [("a.json", [[TURN]]), ("b.json", [{"turns": [TURN]}]), ("c.json", [CAMREST])]:
        (tmp_path / name).write_text(json.dumps(content))
        assert read_annotated_dialogues(tmp_path / name) == expected
    (tmp_path / "d.jsonl").write_text(json.dumps([TURN]) + "\n" + json.dumps(CAMREST) + "\n")
    assert read_annotated_dialogues(tmp_path / "d.jsonl") == expected * 2


@pytest.mark.parametrize(
    "dialogues",
    ["text", [3], [["hello"]], [[{"user": 3}]], [[TURN | {"state": {"food": [3]}}]], [[TURN | {"requests": [3]}]],
     [[TURN | {"requests": "x"}]],
     [{"dial": [{"usr": {}}]}]],
)  # fmt: skip
def test_dialogues_without_annotations_are_refused(dialogues):
    with pytest.raises(TypeError, match="f: dialogues"):
        check_annotated("f", dialogues)


def test_states_may_hold_numbers_as_the_table_does():
    ((turn,),) = check_annotated("f", [[TURN | {"state": {"stars": 4.0, "wifi": True, "food": None}}]])
    assert turn.state == {"stars": "4", "wifi": "yes"}


def test_no_dialogues_are_refused(tmp_path):
    for given in ([], [[]]):
        with pytest.raises(ValueError, match="expected at least one"):
            check_annotated("f", given)
    (tmp_path / "a.json").write_text('[["hi"]]')
    with pytest.raises(FormatError, match=r"a.json: expected annotated dialogues"):
        read_annotated_dialogues(tmp_path / "a.json")
    (tmp_path / "b.jsonl").write_text(json.dumps([TURN]) + "\n\n{{\n")
    with pytest.raises(FormatError, match=r"b.jsonl: expected annotated dialogues: line 3: expected JSON"):
        read_annotated_dialogues(tmp_path / "b.jsonl")


def test_the_bundled_dialogues_are_complete():
    found = camrest()
    assert (len(found.dialogues), sum(map(len, found.dialogues)), len(found.table)) == (676, 2744, 110)
    turn = found.dialogues[0][2]
    assert turn.user == "What is their address?" and turn.requests == ("address",)
    assert turn.state == {"pricerange": "expensive", "area": "south", "food": "dontcare"}
    assert "afghan" in found.values["food"] and "afghan" not in found.table.values("food")
