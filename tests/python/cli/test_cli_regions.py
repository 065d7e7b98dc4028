"""The commands for regions of pictures, as a user calls them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rnnrs_command import call, refused
from small_regions import scenes

from rnnrs.cli.caption.regions import _original
from rnnrs.data import placement
from rnnrs.models import Captioner, FoundRegion

Image = pytest.importorskip("PIL.Image")

SMALL = [
    *(
        "--channels",
        "8",
        "16",
        "32",
        "--embedding",
        "16",
        "--hidden",
        "32",
        "--batch",
        "16",
        "--size",
        "32",
        "32",
    ),
    *("--learning-rate", "0.006", "--dropout", "0.1", "--shift", "1", "--quiet"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of twice the model's size, and wider, with their regions in three files."""
    found = tmp_path_factory.mktemp("regions")
    pictures, regions = scenes(130, 0)
    (found / "photos").mkdir()
    lines = []
    for i, (picture, own) in enumerate(zip(pictures, regions, strict=True)):
        wide = np.full((64, 96, 3), 230, np.uint8)
        wide[:, 16:80] = picture.repeat(2, 0).repeat(2, 1)
        Image.fromarray(wide).save(found / "photos" / f"{i:03}.png")
        boxes = [(2 * r.x + 16, 2 * r.y, 2 * r.w, 2 * r.h, r.phrase) for r in own]
        lines += ["\t".join(map(str, (f"{i:03}.png", *box))) for box in boxes]
    (found / "train.tsv").write_text("\n".join(lines[:-20]), "utf-8")
    (found / "held.tsv").write_text("\n".join(lines[-20:]), "utf-8")
    np.save(found / "rows.npy", pictures[:2])
    return found


@pytest.fixture(scope="module")
def model(folder):
    path = folder / "places.rnn"
    code, out, error = call(
        *("caption", "train", folder / "train.tsv", "--regions", "--pictures", folder / "photos", "-o", path),
        *(*SMALL, "--fit", "crop", "--epochs", "8", "--validation", folder / "held.tsv", folder / "photos"),
    )
    assert (code, error) == (0, "")
    assert "held-out pictures\nknown boxes: exact " in out and "found boxes, exact phrases: mAP " in out
    return path


def first_box(folder):
    name, *box, phrase = (folder / "train.tsv").read_text("utf-8").splitlines()[0].split("\t")
    return folder / "photos" / name, box, phrase


def test_a_given_box_is_described_in_pixels_of_the_file(folder, model):
    picture, box, phrase = first_box(folder)
    arguments = ("caption", "describe", model, picture, "--fit", "crop", "--box", *box)
    code, out, error = call(*arguments)
    name, x, y, w, h, said, score = out.rstrip("\n").split("\t")
    assert (code, error, name, said) == (0, "", str(picture), phrase) and float(score) < 0
    assert [float(v) for v in (x, y, w, h)] == [float(v) for v in box]
    code, out, _ = call(*arguments, "--box", *box, "--json", "--beam", "1")
    found = json.loads(out)
    assert code == 0 and found["picture"] == str(picture) and len(found["regions"]) == 2
    assert set(found["regions"][0]) == {"x", "y", "w", "h", "phrase", "score"}


def test_regions_are_found_in_files_arrays_and_standard_input(folder, model):
    picture, *_ = first_box(folder)
    code, out, error = call("caption", "describe", model, picture, "--fit", "crop", "--regions=1")
    (line,) = out.splitlines()
    assert (code, error) == (0, "")
    found = np.array(line.split("\t")[1:5], float)
    known = [
        np.array(row.split("\t")[1:5], float) for row in (folder / "train.tsv").read_text().splitlines()[:2]
    ]
    assert min(np.abs(found - one).max() for one in known) < 12
    code, piped, _ = call(
        "caption", "describe", model, "--fit", "crop", "--regions=1", stdin=picture.read_bytes()
    )
    assert code == 0 and piped.split("\t") == f"{line}\n".split("\t")[1:]
    code, out, _ = call("caption", "describe", model, folder / "rows.npy", "--json")
    assert code == 0 and [json.loads(line)["picture"][-3:] for line in out.splitlines()] == ["[0]", "[1]"]


def test_evaluate_and_rank(folder, model):
    arguments = (
        "caption",
        "evaluate",
        model,
        folder / "held.tsv",
        "--pictures",
        folder / "photos",
        "--fit",
        "crop",
    )
    code, out, error = call(*arguments, "--json", "--beam", "1")
    found = json.loads(out)
    assert (code, error) == (0, "") and found["exact"] >= 0.8 and 0 < found["map"] <= found["map_boxes"] <= 1
    assert set(found["map_by_iou"]) == {"0.3", "0.4", "0.5", "0.6", "0.7"} and 0 <= found["grounded"] <= 1
    picture, _, phrase = first_box(folder)
    arguments = ("caption", "rank", model, phrase, picture, folder / "rows.npy", "--fit", "crop")
    code, out, _ = call(*arguments)
    rows = [line.split("\t") for line in out.splitlines()]
    assert code == 0 and len(rows) == 3 and all(len(row) == 6 for row in rows)
    code, out, _ = call(*arguments, "--json", "--n-best", "1")
    assert code == 0 and len(json.loads(out)["box"]) == 4


def test_the_drawing_shows_the_boxes(folder, model, tmp_path):
    pytest.importorskip("matplotlib")
    picture, *_ = first_box(folder)
    for source in ([picture], [folder / "rows.npy"]):
        path = tmp_path / f"{len(source[0].name)}.png"
        arguments = ("caption", "describe", model, *source, "--fit", "crop", "--plot", path)
        code, _, error = call(*arguments)
        if source[0] == picture:
            assert code == 0 and error == f"drawing: {path}\n" and path.stat().st_size > 1000
        else:
            assert code == 1 and "expected one picture to draw" in error


def test_a_resumed_run_keeps_its_regions(folder, tmp_path):
    path = tmp_path / "run.rnn"
    arguments = ("caption", "train", folder / "held.tsv", "--pictures", folder / "photos", "-o", path)
    code, _, error = call(*arguments, "--regions", *SMALL, "--epochs", "1", "--validation", "0")
    assert (code, error) == (0, "")
    code, _, error = call(*arguments, "--resume", "--epochs", "2", "--quiet")
    assert (code, error) == (0, "") and Captioner.load(path).regions
    refused(
        "was started with regions True, which cannot become False",
        *arguments,
        "--resume",
        "--epochs",
        "3",
        "--no-regions",
    )


def test_boxes_beside_the_picture_do_not_count(folder, model, tmp_path):
    path = tmp_path / "wide.png"
    Image.new("RGB", (100, 50), "white").save(path)  # a quarter of what the model sees is above it
    refused("--box: expected a box at least half of which is within .*wide.png, got 10 -20 20 15",
          "caption", "describe", model, path, "--box", "10", "-20", "20", "15")  # fmt: skip
    code, out, _ = call("caption", "describe", model, path, "--box", "10", "-4", "20", "14")
    assert code == 0 and out.split("\t")[1:5] == ["10.0", "0.0", "20.0", "10.0"]
    where = placement(100, 50, (32, 32))
    boxes = [[0, 0, 8, 6], [16, 4, 8, 12], [0, 26, 32, 6]]
    found = [FoundRegion(*box, str(i), -1.0) for i, box in enumerate(boxes)]
    assert _original(found, where) == [FoundRegion(50, 0, 25, 25, "1", -1.0)]
    code, out, _ = call("caption", "rank", model, "a red square", path, "--json")
    x, y, w, h = json.loads(out)["box"]
    assert code == 0 and 0 <= x < x + w <= 100 and 0 <= y < y + h <= 50


def test_options_that_have_no_meaning(folder, model):
    picture, box, _ = first_box(folder)
    describe = ("caption", "describe", model, picture)
    refused("--regions: has no meaning with --box", *describe, "--regions", "--box", *box)
    refused("--box: expected a width and height above 0", *describe, "--box", "1", "2", "0", "4")
    refused("--box: expected a box at least half of which is within .*000.png, got 95 1 9 9", *describe,
          "--box", "95", "1", "9", "9")  # fmt: skip
    refused("--n-best: has no meaning with regions", *describe, "--n-best", "2")
    whole = folder / "whole.rnn"
    Captioner.from_pairs(np.zeros((1, 8, 8, 3)), ["nothing"], channels=(4,)).save(whole)
    refused(
        "--regions: .*whole.rnn describes whole pictures",
        "caption",
        "describe",
        whole,
        picture,
        "--regions",
    )
    train = ("caption", "train", folder / "train.tsv", "--regions", "-o", folder / "none.rnn", "--quiet")
    refused("--pictures: expected a folder", *train, "--pictures", folder / "missing")
    refused("--columns: expected 6", *train, "--columns", "0", "1")
