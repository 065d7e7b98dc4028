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


def test_flickr8k_and_tables_between_commas(tmp_path):
    tokens = "1_a.jpg#0\tA child .\n1_a.jpg#1\tA girl , in pink .\n2_b.jpg#0\tA #1 dog\n"
    (tmp_path / "Flickr8k.token.txt").write_text(tokens, "utf-8")
    found = data.read_captions(tmp_path / "Flickr8k.token.txt")
    assert found.files == ("1_a.jpg", "2_b.jpg")
    assert found.descriptions == (("A child .", "A girl , in pink ."), ("A #1 dog",))
    rows = 'image,caption\r\n1_a.jpg,A child .\r\n1_a.jpg,"A girl , in pink ."\r\n2_b.jpg,A #1 dog\r\n'
    (tmp_path / "captions.csv").write_bytes(rows.encode())
    assert data.read_captions(tmp_path / "captions.csv") == found
    (tmp_path / "captions.txt").write_bytes(rows.encode())  # Flickr8k, as it is often passed on
    assert data.read_captions(tmp_path / "captions.txt") == found
    (tmp_path / "bare.csv").write_bytes(rows.encode().partition(b"\n")[2])
    assert data.read_captions(tmp_path / "bare.csv") == found
    (tmp_path / "some.tsv").write_text(
        "a.jpg#0\ta cat\nb.jpg\ta dog\n", "utf-8"
    )  # a name with a number in it
    assert data.read_captions(tmp_path / "some.tsv").files == ("a.jpg#0", "b.jpg")
    (tmp_path / "tabs.csv").write_text("a.jpg\ta cat, a dog\n", "utf-8")
    assert data.read_captions(tmp_path / "tabs.csv").descriptions == (("a cat, a dog",),)
    (tmp_path / "bad.csv").write_text('a.jpg,a cat\nb.jpg,"a dog\n', "utf-8")
    with pytest.raises(rnnrs.FormatError, match=r"bad\.csv: line [23]: unexpected end"):
        data.read_captions(tmp_path / "bad.csv")


def coco_captions(**changes):
    captions = [
        {"id": 1, "image_id": 7, "caption": "a cat\n"},
        {"id": 2, "image_id": 7, "caption": "the cat"},
    ]
    images = [{"id": 7, "file_name": "a.jpg", "width": 3, "height": 3}, {"id": 8, "file_name": "b.jpg"}]
    return {"info": {}, "images": images, "annotations": [{**captions[0], **changes}, captions[1]]}


def karpathy(**changes):
    def image(name, split, *raws):
        sentences = [{"raw": raw, "tokens": raw.split(), "imgid": 0} for raw in raws]
        return {"filename": name, "split": split, "sentences": sentences, "imgid": 0, **changes}

    images = [
        image("a.jpg", "train", "a cat", "the cat"),
        image("b.jpg", "val", "a dog"),
        image("c.jpg", "test", " "),
    ]
    return {"images": images, "dataset": "coco"}


@pytest.mark.parametrize("indent", [None, 2])
def test_captions_of_coco_and_of_karpathys_splits(tmp_path, indent):
    def read(content, **options):
        (tmp_path / "c.json").write_text(json.dumps(content, indent=indent), "utf-8")
        return data.read_captions(tmp_path / "c.json", **options)

    found = read(coco_captions())
    assert (found.files, found.descriptions, found.problems) == (("a.jpg",), (("a cat", "the cat"),), ())
    every = read(karpathy())
    assert every.files == ("a.jpg", "b.jpg") and every.descriptions == (("a cat", "the cat"), ("a dog",))
    assert every.problems == (f"{tmp_path / 'c.json'}: images[2]: c.jpg: an empty description",)
    assert read(karpathy(), split="val").files == ("b.jpg",)
    assert read(karpathy(filepath="val2014"), split="train").files == ("val2014/a.jpg",)
    with pytest.raises(ValueError, match="read_captions: split: expected one of test, train, val, got 'dev'"):
        read(karpathy(), split="dev")
    with pytest.raises(
        ValueError, match=r"read_captions: split: expected none, since .*c\.json has no splits"
    ):
        read(coco_captions(), split="train")
    (tmp_path / "c.tsv").write_text("a.png\ta cat\n", "utf-8")
    with pytest.raises(ValueError, match=r"split: expected none, since .*c\.tsv has no splits, got 'train'"):
        data.read_captions(tmp_path / "c.tsv", split="train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (coco_captions(image_id=3), r"c.json: annotations\[0\]: expected a known image_id, got 3"),
        (coco_captions(caption=None), r"annotations\[0\]: expected a text 'caption', got 'None'"),
        (
            {"images": [], "annotations": [{"bbox": [1, 2, 3, 4], "image_id": 1}]},
            r"annotations\[0\]: expected a caption, got a region \(read_regions reads these\)",
        ),
        ({"images": []}, "expected a list 'annotations', got 'None'"),
        ({"images": 3}, "expected a list 'images', got '3'"),
        (karpathy(filename=None), r"images\[0\]: expected a text 'filename', got 'None'"),
        (karpathy(sentences=[{}]), r"images\[0\].sentences\[0\]: expected a text 'raw', got 'None'"),
        (karpathy(sentences=3), r"images\[0\]: expected a list 'sentences', got '3'"),
    ],
)
def test_documents_that_are_not_of_captions_are_refused(tmp_path, content, message):
    (tmp_path / "c.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(rnnrs.FormatError, match=message):
        data.read_captions(tmp_path / "c.json")


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
