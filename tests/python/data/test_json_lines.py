"""JSON in text files: what every reader refuses, and names."""

import pytest

from rnnrs.data import (
    read_annotated_dialogues,
    read_captions,
    read_dialogues,
    read_json_pairs,
    read_records,
    read_regions,
)
from rnnrs.data.json_lines import json_of
from rnnrs.errors import FormatError

READERS = (
    read_annotated_dialogues,
    read_captions,
    read_dialogues,
    read_json_pairs,
    read_records,
    read_regions,
)


@pytest.mark.parametrize("line", ("{bad}", "[" * 100_000))
@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_a_line_that_is_not_json_is_named(read, line, tmp_path):
    (tmp_path / "a.jsonl").write_text(f"\n{line}\n")
    with pytest.raises(FormatError, match=r"a\.jsonl: .*line 2: expected JSON, got "):
        read(tmp_path / "a.jsonl")


def test_a_document_or_the_values_of_its_lines():
    assert json_of("a", '[{"b": 1},\n 2]') == [{"b": 1}, 2]
    assert json_of("a", '{"b": 1}\n\n2\n') == [{"b": 1}, 2]


def test_a_cell_may_be_as_long_as_the_file(tmp_path):
    (tmp_path / "a.csv").write_text("b,c\n" + "x" * 200_000 + ",1\n")
    assert read_records(tmp_path / "a.csv").rows == [{"b": "x" * 200_000, "c": "1"}]
