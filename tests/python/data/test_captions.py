"""Descriptions from files, pictures with their descriptions, arrays from files, the bundled emoji."""

from __future__ import annotations

import json

import numpy as np
import pytest

import rnnrs
from rnnrs import data

Image = pytest.importorskip("PIL.Image")
#: 4 × 6 pixels, all of different colors.
PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3


def saved(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image if mode is None else image.convert(mode)).save(path, **options)
    return path


def test_descriptions_in_tab_separated_and_json_files(tmp_path):
    rows = [("a.png", "a cat"), ("b.png", "a\x07  dog "), ("a.png", "the cat"), ("c.png", " "), ("", "x")]
    (tmp_path / "c.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows) + "\n", "utf-8")
    found = data.read_captions(tmp_path / "c.tsv")
    assert found.files == ("a.png", "b.png")
    assert found.descriptions == (("a cat", "the cat"), ("a dog",))
    assert found.problems == (
        f"{tmp_path / 'c.tsv'}: line 4: c.png: an empty description",
        f"{tmp_path / 'c.tsv'}: line 5: no file",
    )
    lines = [{"f": "a.png", "t": ["a cat", "the cat"]}, {"f": "b.png", "t": "a dog"}, {"f": "c.png", "t": []}]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    same = data.read_captions(tmp_path / "c.jsonl", fields=("f", "t"))
    assert (same.files, same.descriptions, len(same.problems)) == (found.files, found.descriptions, 1)
    (tmp_path / "d.tsv").write_text("x\ta cat\ta.png\n", "utf-8")
    assert data.read_captions(tmp_path / "d.tsv", columns=(2, 1)).files == ("a.png",)


def test_files_without_descriptions_are_refused(tmp_path):
    def refused(content, message, name="c.tsv", read=data.read_captions):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(rnnrs.FormatError, match=message):
            read(tmp_path / name)

    refused(b"a.png a cat\n", "line 1: expected at least 2 columns between tabs, got 1: 'a.png a cat'")
    refused(b"a\tb\n\xff\tb\n", "line 2: expected UTF-8 text")
    refused(b"", "expected files and their descriptions, got none")
    refused(b"a.png\t \n", "expected files and their descriptions, got none")
    refused(b"{", "line 1: expected JSON", "c.jsonl")
    refused(b'["a"]', "expected an object with a text 'file'", "c.jsonl")
    refused(b'{"file": "a", "description": [3]}', "expected an object with a text 'description'", "c.jsonl")
    refused(b'{"file": ["a"], "description": "b"}', "expected an object with a text 'file'", "c.jsonl")
    refused(b"\n\n", "expected descriptions, got none", "c.txt", data.read_descriptions)


def test_pictures_with_their_descriptions(tmp_path):
    for i, name in enumerate(("a.png", "b.png")):
        saved(tmp_path / name, PIXELS + i)
    rows = "b.png\tsecond\n./a.png\tfirst\nlost.png\tlost\na.png\t\na.png\tone\n"
    (tmp_path / "c.tsv").write_text(rows, "utf-8")
    found = data.read_described_pictures(data.read_captions(tmp_path / "c.tsv"), tmp_path, (4, 6))
    np.testing.assert_array_equal(found.pictures, [PIXELS + 1, PIXELS])
    assert found.descriptions == [["second"], ["first", "one"]] and len(found) == 2
    assert str(found) == "2 pictures with 3 descriptions, 2 left out"
    assert [line.rpartition(": ")[2] for line in found.problems] == [
        "an empty description",
        "No such file or directory",
    ]


def test_rows_of_arrays_with_their_descriptions(tmp_path):
    (tmp_path / "c.txt").write_text("a cat\n\na dog\n", "utf-8")
    captions = data.read_descriptions(tmp_path / "c.txt")
    found = data.described_arrays(np.arange(6).reshape(3, 2), captions)
    assert found.pictures.tolist() == [[0, 1], [4, 5]] and found.descriptions == [["a cat"], ["a dog"]]
    assert found.problems == (f"{tmp_path / 'c.txt'}: line 2: an empty description",)
    with pytest.raises(rnnrs.ShapeError, match="expected a line for each of 2 rows, got 3"):
        data.described_arrays(np.zeros((2, 2)), captions)
    (tmp_path / "c.jsonl").write_text('{"de": ["eins", "zwei"]}\n', "utf-8")
    assert data.read_descriptions(tmp_path / "c.jsonl", field="de").descriptions == (("eins", "zwei"),)


def test_arrays_from_files(tmp_path):
    rows = np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "a.npy", rows)
    np.savez(tmp_path / "one.npz", features=rows)
    np.savez_compressed(tmp_path / "two.npz", a=rows, b=rows + 1)
    for name in ("a.npy", "one.npz"):
        np.testing.assert_array_equal(data.read_array(tmp_path / name), rows)
    np.testing.assert_array_equal(data.read_array(tmp_path / "two.npz", "b"), rows + 1)
    for which, got in ((None, "none"), ("c", "'c'")):
        with pytest.raises(
            ValueError, match=rf"name: expected one of .*two.npz's arrays \(a, b\), got {got}"
        ):
            data.read_array(tmp_path / "two.npz", which)
    np.save(tmp_path / "texts.npy", np.array(["a"]))
    np.save(tmp_path / "number.npy", np.array(3.0))
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    (tmp_path / "text.npz").write_text("no array")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "two.npz").read_bytes()[:150])
    (tmp_path / "cut.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-5])
    (tmp_path / "empty.npy").write_bytes(b"")
    for name in ("texts.npy", "number.npy"):
        with pytest.raises(rnnrs.FormatError, match=f"{name}: expected rows of numbers, got"):
            data.read_array(tmp_path / name)
    for name in ("objects.npy", "text.npz", "cut.npz", "cut.npy", "empty.npy"):
        with pytest.raises(
            rnnrs.FormatError, match=rf"{name}: expected an array \(.npy or .npz\), got another"
        ):
            data.read_array(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        data.read_array(tmp_path / "missing.npy")


def test_the_bundled_emoji():
    emoji = data.noto_emoji()
    assert emoji.pictures.shape == (3110, 32, 32, 3) and emoji.pictures.dtype == np.uint8
    assert emoji.pictures[0, 0, 0].tolist() == [255] * 3
    assert len(set(emoji.names["en"])) == 3110 and emoji.held_out.sum() == 76
    heart = emoji.characters.index("💙")
    assert [names[heart] for names in emoji.names.values()] == ["blue heart", "blaues Herz", "cœur bleu"]
    middle = emoji.pictures[heart, 16, 16].astype(int)
    assert middle[2] > 200 and middle[0] < 120
