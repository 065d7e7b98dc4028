"""The cells of tables: quotes in CSV, quotes as text between tabs, cells of any length."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnrs.data import read_captions, read_csv_texts, read_tsv_pairs
from rnnrs.data.cells import read_cells, tab_rows
from rnnrs.errors import FormatError

PLAIN = [
    'text\tkind\n"Great" movie\tgood\n',
    'text\tkind\n5" disk\tgood\n',
    'text\tkind\n"Hello\tgood\nBye"\tbad\n',
    'text\tkind\n"Hello"\tgood\n',
    'text\tkind\nsaid "no"\tgood\n"\tbad\n',
    'text\tkind\n""\tgood\n',
]


@pytest.mark.parametrize("text", PLAIN)
def test_quotes_between_tabs_are_text(text, tmp_path):
    rows = [(n, line.split("\t")) for n, line in enumerate(text.rstrip("\n").split("\n"), 1)]
    assert tab_rows(text) == tab_rows(text, even=True) == rows
    path = tmp_path / "a.tsv"
    path.write_text(text)
    assert read_cells(path, "\t") == rows
    texts, labels = read_csv_texts(path, "text", "kind", delimiter="\t")
    assert [[a, b] for a, b in zip(texts, labels, strict=True)] == [cells for _, cells in rows[1:]]
    assert read_tsv_pairs(path) == [tuple(cells) for _, cells in rows]
    assert read_captions(path).files == tuple(cells[0] for _, cells in rows)


cells = st.text(st.sampled_from('ab" \tc\u2028'), min_size=1, max_size=6)


@given(st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=6))
def test_a_table_that_was_written_with_quotes_is_read_as_it_was(rows):
    out = io.StringIO()
    csv.writer(out, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    assert [row for _, row in tab_rows(out.getvalue(), even=True)] == rows


def test_a_doubled_quote_or_a_line_within_a_cell_shows_that_quotes_are_no_text():
    text = 'text\tkind\nplain\tgood\n"she said ""hi"", twice"\tbad\n'
    assert tab_rows(text)[-1] == (3, ['she said "hi", twice', "bad"])
    text = 'text\tkind\n"two\nlines"\tbad\n'
    assert tab_rows(text, even=True)[-1] == (3, ["two\nlines", "bad"])


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_cell_may_be_longer_than_the_limit_of_csv(tmp_path, delimiter):
    before = csv.field_size_limit()
    long = "word " * 60_000
    path = tmp_path / "a.csv"
    path.write_text(f'text{delimiter}kind\n"{long}"{delimiter}a\n{long}{delimiter}b\n')
    texts, labels = read_csv_texts(path, "text", "kind", delimiter=delimiter)
    assert labels == ["a", "b"] and texts[1] == long and texts[0].strip('"') == long
    assert csv.field_size_limit() == before


def test_csv_with_quotes_that_do_not_end_names_the_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,kind\n"a" b,c\n')
    with pytest.raises(FormatError, match=r"a\.csv: line 2: "):
        read_cells(path, ",")
