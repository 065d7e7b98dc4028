"""Files of regions and of descriptions of all kinds, as the command reads them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rnnrs_command import call, refused

Image = pytest.importorskip("PIL.Image")

TINY = [
    *(
        "--channels",
        "4",
        "8",
        "8",
        "--embedding",
        "4",
        "--hidden",
        "8",
        "--batch",
        "4",
        "--epochs",
        "1",
        "--quiet",
    ),
    *("--validation", "0", "--force"),
]
REGIONS = [
    ("1.jpg", 2, 2, 10, 12, "a red box"),
    ("2.jpg", 0, 5, 20, 20, "a blue box"),
    ("2.jpg", 4, 4, 8, 8, "a hole"),
]
FIELDS = ("picture", "x", "y", "w", "h", "phrase")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("files")
    draw = np.random.default_rng(0)
    for name in ("1.jpg", "2.jpg"):
        Image.fromarray(draw.integers(0, 255, (40, 48, 3), np.uint8)).save(found / name)
    return found


def region_files():
    """Returns the content of each kind of file, by name."""
    lines = "\n".join(json.dumps(dict(zip(FIELDS, row, strict=True))) for row in REGIONS)
    genome = [
        {
            "id": number,
            "regions": [
                {"image_id": number, "x": x, "y": y, "width": w, "height": h, "phrase": phrase}
                for name, x, y, w, h, phrase in REGIONS
                if name == f"{number}.jpg"
            ],
        }
        for number in (1, 2)
    ]
    kinds = {row[5]: i for i, row in enumerate(REGIONS)}
    coco = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 48, "height": 40} for i in (1, 2)],
        "annotations": [
            {"image_id": int(row[0][0]), "bbox": row[1:5], "category_id": kinds[row[5]]} for row in REGIONS
        ],
        "categories": [{"id": i, "name": phrase} for phrase, i in kinds.items()],
    }
    return {
        "r.tsv": "\n".join("\t".join(map(str, row)) for row in REGIONS),
        "r.csv": "\n".join(",".join(map(str, row)) for row in [FIELDS, *REGIONS]),
        "r.jsonl": lines,
        "genome.json": json.dumps(genome),
        "coco.json": json.dumps(coco, indent=1),
    }


@pytest.mark.parametrize("name", region_files())
def test_regions_of_every_kind_are_learned_from(folder, tmp_path, name):
    (tmp_path / name).write_text(region_files()[name], "utf-8")
    arguments = (
        "caption",
        "train",
        tmp_path / name,
        "--regions",
        "--pictures",
        folder,
        "-o",
        tmp_path / "m.rnn",
    )
    code, out, error = call(*arguments, *TINY, "--size", "32", "32")
    assert (code, error) == (0, ""), error
    code, out, error = call(
        "caption", "evaluate", tmp_path / "m.rnn", tmp_path / name, "--pictures", folder, "--json"
    )
    assert code == 0 and json.loads(out)["tokens"] == 4 + 4 + 3  # words and ends


def test_regions_that_are_left_out_are_reported_by_line(folder, tmp_path):
    rows = [
        *REGIONS,
        ("1.jpg", 47, 2, 10, 10, "outside"),
        ("3.jpg", 1, 1, 2, 2, "lost"),
        ("2.jpg", 1, 1, 0, 2, "thin"),
    ]
    path = tmp_path / "r.tsv"
    path.write_text("\n".join("\t".join(map(str, row)) for row in rows), "utf-8")
    arguments = ("caption", "train", path, "--regions", "--pictures", folder, "-o", tmp_path / "m.rnn")
    code, _, error = call(*arguments, *TINY, "--size", "32", "32")
    assert code == 0
    assert error.splitlines() == [
        f"rnnrs: {path}: line 4: 1.jpg: the box 47 2 10 10 is outside the picture (48 × 40)",
        f"rnnrs: {path}: line 5: expected a picture, got no such file: {folder / '3.jpg'}",
        f"rnnrs: {path}: line 6: 2.jpg: expected w and h above 0, got 0 and 2",
    ]
    path.write_text("1.jpg\t1\t2\n", "utf-8")
    refused("line 1: expected at least 6 columns, got 3", *arguments, *TINY)
    (tmp_path / "c.json").write_text('{"images": [], "annotations": [{"caption": "a"}]}', "utf-8")
    refused("expected regions, got captions", *arguments[:2], tmp_path / "c.json", *arguments[3:], *TINY)
    refused("--split: has no meaning with --regions", *arguments, "--split", "val", *TINY)


def caption_files():
    """Returns files of the same three descriptions, by name, and the options that they need."""
    rows = [("1.jpg", "a box"), ("1.jpg", "one box"), ("2.jpg", "two boxes")]
    coco = {
        "images": [{"id": i, "file_name": f"{i}.jpg"} for i in (1, 2)],
        "annotations": [{"image_id": int(name[0]), "caption": text} for name, text in rows],
    }
    splits = {
        "images": [
            {
                "filename": f"{i}.jpg",
                "split": split,
                "sentences": [{"raw": t} for n, t in rows if n == f"{i}.jpg"],
            }
            for i, split in ((1, "val"), (2, "val"), (2, "train"))
        ]
    }
    return {
        "captions_val2014.json": (json.dumps(coco), ()),
        "dataset_flickr8k.json": (json.dumps(splits), ("--split", "val")),
        "Flickr8k.token.txt": ("".join(f"{name}#{i}\t{text}\n" for i, (name, text) in enumerate(rows)), ()),
        "captions.csv": ("".join(f'{name},"{text}"\n' for name, text in [("image", "caption"), *rows]), ()),
    }


@pytest.mark.parametrize("name", caption_files())
def test_descriptions_of_every_kind_are_learned_from(folder, tmp_path, name):
    content, options = caption_files()[name]
    (tmp_path / name).write_text(content, "utf-8")
    arguments = (
        "caption",
        "train",
        tmp_path / name,
        "--pictures",
        folder,
        "-o",
        tmp_path / "m.rnn",
        *options,
    )
    code, _, error = call(*arguments, *TINY, "--size", "16", "16")
    assert (code, error) == (0, ""), error
    code, out, _ = call(
        *("caption", "evaluate", tmp_path / "m.rnn", tmp_path / name, "--pictures", folder, "--json"),
        *options,
    )
    assert code == 0 and json.loads(out)["tokens"] == 3 * 3
    refused("split: expected", *arguments, "--split", "nowhere", *TINY)
