"""Regions of pictures from files of all kinds, their pictures in one size, and where boxes come to lie."""

import gzip
import io
import json

import numpy as np
import pytest

import rnnrs
from rnnrs import data
from rnnrs.data import Region, RegionExample, placement, read_region_pictures, read_regions
from rnnrs.data.picture_decoding import decode, measure, place
from rnnrs.data.placement import clip_boxes

Image = pytest.importorskip("PIL.Image")

#: Pillow's transpositions that store an upright picture by an EXIF orientation.
STORED = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}


@pytest.fixture
def folder(tmp_path):
    for name, size in (("a.png", (40, 30)), ("b.png", (20, 20)), ("7.jpg", (50, 50))):
        Image.new("RGB", size, "teal").save(tmp_path / name)
    (tmp_path / "VG_100K_2").mkdir()
    Image.new("RGB", (50, 50)).save(tmp_path / "VG_100K_2" / "8.jpg")
    return tmp_path


def written(folder, name, content):
    path = folder / name
    content = content if isinstance(content, (str, bytes)) else json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def expected(folder):
    return [
        RegionExample(
            str(folder / "a.png"), (Region(1, 2, 30, 20, "a kite"), Region(0, 0, 40, 30, "sky, blue"))
        ),
        RegionExample(str(folder / "b.png"), (Region(3.5, 0, 4, 20, "ein Baum"),)),
    ]


def test_tables_and_json_lines(folder):
    rows = [
        ("a.png", 1, 2, 30, 20, "a kite"),
        ("b.png", 3.5, 0, 4, 20, " ein\u00a0 Baum"),
        ("./a.png", 0, 0, 40, 30, "sky, blue"),
    ]
    tabs = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    assert read_regions(written(folder, "r.tsv", tabs)) == expected(folder)
    headed = "picture\tx\ty\tw\th\tphrase\n" + tabs
    assert read_regions(written(folder, "r.tsv.gz", gzip.compress(headed.encode()))) == expected(folder)
    commas = "image,x,y,w,h,phrase\r\n" + "".join(
        ",".join(map(str, row[:5])) + f',"{row[5]}"\r\n' for row in rows
    )
    assert read_regions(written(folder, "r.csv", commas)) == expected(folder)
    names = ("picture", "x", "y", "w", "h", "phrase")
    lines = "\n\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows)
    assert read_regions(written(folder, "r.jsonl", lines)) == expected(folder)
    listed = [
        {"file": "a.png", "regions": [{"l": 1, "t": 2, "w": 30, "h": 20, "p": "a kite"}]},
        {"file": "b.png", "l": 3.5, "t": 0, "w": 4, "h": 20, "p": "ein Baum"},
        {"file": "a.png", "regions": [{"l": 0, "t": 0, "w": 40, "h": 30, "p": "sky, blue"}]},
        {"file": "a.png", "regions": []},
    ]
    path = written(folder, "r.json", "\n".join(map(json.dumps, listed)))
    assert read_regions(path, fields=("file", "l", "t", "w", "h", "p")) == expected(folder)
    turned = "".join("\t".join(map(str, row[::-1])) + "\n" for row in rows)
    elsewhere = written(folder / "VG_100K_2", "r.txt", turned)
    assert read_regions(elsewhere, folder, columns=(5, 4, 3, 2, 1, 0)) == expected(folder)


def test_standard_input(folder, monkeypatch):
    line = {"picture": "a.png", "x": 1, "y": 2, "w": 3, "h": 4, "phrase": "a dot"}
    for text in (json.dumps(line), "a.png\t1\t2\t3\t4\ta dot"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert read_regions("-", folder)[0].regions == (Region(1, 2, 3, 4, "a dot"),)


def visual_genome(**changes):
    region = {"region_id": 1, "image_id": 7, "x": 1, "y": 2, "width": 30, "height": 20, "phrase": "a cat"}
    second = {**region, "image_id": 8, "x": -1, "width": 51, "phrase": "two\n cats"}
    return [{"id": 7, "regions": [{**region, **changes}]}, {"id": 8, "regions": [second]}]


@pytest.mark.parametrize("indent", [None, 2])
def test_visual_genome(folder, indent):
    found = read_regions(written(folder, "vg.json", json.dumps(visual_genome(), indent=indent)))
    assert found == [
        RegionExample(str(folder / "7.jpg"), (Region(1, 2, 30, 20, "a cat"),)),
        RegionExample(str(folder / "VG_100K_2" / "8.jpg"), (Region(0, 2, 50, 20, "two cats"),)),  # clipped
    ]
    older = [{"image_id": 7, "regions": visual_genome()[0]["regions"]}, {"id": 8, "regions": []}]
    found = read_regions(written(folder, "vg.json", older))
    assert [len(example.regions) for example in found] == [1, 0]


def coco(**changes):
    annotation = {"id": 5, "image_id": 2, "bbox": [1, 2, 30, 20.5], "category_id": 90, "iscrowd": 0}
    return {
        "info": {},
        "images": [
            {"id": 1, "file_name": "b.png", "width": 20, "height": 20},
            {"id": 2, "file_name": "a.png", "width": 40, "height": 30},
        ],
        "annotations": [{**annotation, **changes}, {**annotation, "iscrowd": 1}],
        "categories": [{"id": 90, "name": "toothbrush"}],
    }


@pytest.mark.parametrize("indent", [None, 1])
def test_coco_instances(folder, indent):
    assert read_regions(written(folder, "coco.json", json.dumps(coco(), indent=indent))) == [
        RegionExample(str(folder / "b.png"), ()),
        RegionExample(str(folder / "a.png"), (Region(1, 2, 30, 20.5, "toothbrush"),)),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.png\t1\t2\t3\t4\t \n", r"line 2: a.png: an empty phrase"),
        ("a.png\t1\t2\t0\t4\ta dot\n", r"line 2: a.png: expected w and h above 0, got 0 and 4"),
        ("a.png\t1\t2\t3\t-4\ta dot\n", r"line 2: a.png: expected w and h above 0, got 3 and -4"),
        (
            "a.png\t35\t2\t11\t4\ta dot\n",
            r"line 2: a.png: the box 35 2 11 4 is outside the picture \(40 × 30\)",
        ),
        ("a.png\t-90\t2\t3\t4\ta dot\n", r"line 2: a.png: the box -90 2 3 4 is outside"),
        ("lost.png\t1\t2\t3\t4\ta dot\n", r"line 2: expected a picture, got no such file: .*lost.png"),
        ("\t1\t2\t3\t4\ta dot\n", r"line 2: expected a picture, got no such file"),
        ("r.tsv\t1\t2\t3\t4\ta dot\n", r"line 2: .*r.tsv: not a picture, or of an unsupported format"),
    ],
)
def test_bad_records_are_refused_or_left_out(folder, line, message):
    good = "a.png\t1\t2\t3\t4\ta dot\n"
    path = written(folder, "r.tsv", good + line + good)
    with pytest.raises(rnnrs.FormatError, match=rf"r\.tsv: {message}"):
        read_regions(path)
    problems = []
    (found,) = read_regions(path, problems=problems)
    assert found.regions == (Region(1, 2, 3, 4, "a dot"),) * 2
    assert len(problems) == 1
    with pytest.raises(rnnrs.FormatError, match="expected pictures with boxes and phrases, got none; "):
        read_regions(written(folder, "r.tsv", line), problems=[])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.tsv", "", "expected pictures with boxes and phrases, got none"),
        ("r.tsv", "a.png\t1\t2\t3\t4\n", "line 1: expected at least 6 columns, got 5: 'a.png'"),
        ("r.tsv", "a.png\t1\tx\t3\t4\ta\n", "line 1: y: expected a number, got 'x'"),
        ("r.tsv", "a.png\t1\t2\tnan\t4\ta\n", "line 1: w: expected a number, got nan"),
        ("r.tsv", b"a.png\t1\t2\t3\t4\t\xff\n", "line 1: expected UTF-8 text"),
        ("r.csv", 'a.png,1,2,3,4,"a\n', "line 1: "),
        ("r.jsonl", "{\n", "r.jsonl: line 1: expected JSON"),
        ("r.jsonl", '{"picture": "a.png"}\n{"picture": "a.png"}', "line 1: x: expected a number, got None"),
        ("r.jsonl", '{"picture": 3}', "line 1: expected an object with a text 'picture'"),
        ("r.jsonl", "[1, 2]", "line 1: expected an object with a text 'picture'"),
        (
            "r.jsonl",
            {"picture": "a.png", "regions": [3]},
            r"line 1: regions\[0\]: expected an object, got '3'",
        ),
        (
            "r.jsonl",
            {"picture": "a.png", "x": True, "y": 1, "w": 1, "h": 1, "phrase": "a"},
            "line 1: x: expected a number, got True",
        ),
        (
            "r.jsonl",
            {"picture": "a.png", "x": 1, "y": 1, "w": 1, "h": 1, "phrase": None},
            "line 1: expected a phrase, got None",
        ),
        ("vg.json", '[\n{"id": 7, "regions": [}\n]', "vg.json: expected JSON: .*line 2"),
        ("vg.json", visual_genome(x="1"), r"\[0\].regions\[0\]: x: expected a number, got '1'"),
        ("vg.json", visual_genome(phrase=None), r"\[0\].regions\[0\]: expected a phrase, got None"),
        ("vg.json", [{"id": 7}], r"\[0\]: expected a list 'regions', got 'None'"),
        ("vg.json", [{"id": "x", "regions": []}], r"\[0\]: expected an id, got 'x'"),
        ("coco.json", coco(bbox=[1, 2]), r"annotations\[0\]: expected a bbox of 4 numbers, got \[1, 2\]"),
        ("coco.json", coco(image_id=9), r"annotations\[0\]: expected a known image_id, got 9"),
        ("coco.json", coco(category_id=9), r"annotations\[0\]: expected a known category_id, got 9"),
        (
            "coco.json",
            {**coco(), "annotations": None},
            "coco.json: expected a list 'annotations', got 'None'",
        ),
        ("coco.json", {**coco(), "images": [{"id": 1}]}, r"images\[0\]: expected a text 'file_name'"),
        ("coco.json", {**coco(), "images": [{"file_name": "a"}]}, r"images\[0\]: expected an id, got None"),
        ("coco.json", {**coco(), "images": [3]}, r"images\[0\]: expected an object, got '3'"),
        (
            "coco.json",
            {**coco(), "annotations": [{"image_id": 1, "caption": "a"}]},
            r"expected regions, got captions \(read_captions reads these\)",
        ),
    ],
)
def test_files_that_are_not_of_regions_are_refused(folder, name, content, message):
    with pytest.raises(rnnrs.FormatError, match=message):
        read_regions(written(folder, name, content), problems=[])


def test_invalid_arguments_are_refused(folder):
    path = written(folder, "r.tsv", "a.png\t1\t2\t3\t4\ta dot\n")
    with pytest.raises(ValueError, match="read_regions: columns: expected 6, of picture, x, y, w, h, phrase"):
        read_regions(path, columns=(0, 1))
    with pytest.raises(ValueError, match="read_regions: columns: expected a whole number from 0, got -1"):
        read_regions(path, columns=(0, 1, 2, 3, 4, -1))
    with pytest.raises(ValueError, match="read_regions: fields: expected 6"):
        read_regions(path, fields="xywhpq")
    with pytest.raises(FileNotFoundError):
        read_regions(folder / "none.tsv")


@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_where_the_picture_is_placed(fit, orientation):
    draw = np.random.default_rng(orientation)
    seen = 0
    for _ in range(12):
        width, height, rows, columns = draw.integers(24, 120, 4).tolist()
        w, h = draw.integers(8, width // 2), draw.integers(8, height // 2)
        x, y = draw.integers(0, width - w + 1), draw.integers(0, height - h + 1)
        pixels = np.full((height, width, 3), 90, np.uint8)
        pixels[y : y + h, x : x + w] = (255, 0, 0)
        image, exif, file = Image.fromarray(pixels), Image.Exif(), io.BytesIO()
        exif[0x112] = orientation
        turn = STORED[orientation]
        (image if turn is None else image.transpose(Image.Transpose(turn))).save(file, "PNG", exif=exif)
        file.seek(0)
        assert measure(file) == (width, height)
        file.seek(0)
        where = place(file, (rows, columns), fit)
        assert where == placement(width, height, (rows, columns), fit, orientation)
        box = np.array([[x, y, w, h]], float)
        np.testing.assert_allclose(where.to_original(where.to_fitted(box)), box, atol=1e-9)
        file.seek(0)
        fitted = decode(file, (rows, columns), fit).astype(int)
        red = fitted[..., 0] - fitted[..., 1] >= 128
        clipped, within = clip_boxes(where.to_fitted(box), (rows, columns))
        if not within[0] or clipped[0, 2:].min() < 2:
            continue
        seen += 1
        ys, xs = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
        left, top, wide, high = clipped[0]
        np.testing.assert_allclose(
            [xs[0], ys[0], xs[-1] + 1, ys[-1] + 1], [left, top, left + wide, top + high], atol=0.9
        )
    assert seen >= 4


def test_boxes_are_clipped_unless_too_little_is_left():
    boxes = np.array(
        [[1, 1, 2, 2], [-1, 0, 2, 4], [-1.1, 0, 2, 4], [8, 8, 4, 4], [0.1, 0.2, 0.3, 0.4], [0, 20, 2, 2]]
    )
    clipped, within = clip_boxes(boxes, (10, 10))
    assert within.tolist() == [True, True, False, False, True, False]
    np.testing.assert_array_equal(clipped[[0, 1, 4]], [[1, 1, 2, 2], [0, 0, 1, 4], [0.1, 0.2, 0.3, 0.4]])
    assert clip_boxes(np.zeros((0, 4)), (3, 3))[0].shape == (0, 4)


def test_pictures_in_one_size_with_their_regions(folder):
    wide = np.zeros((20, 40, 3), np.uint8)
    examples = [
        RegionExample(str(folder / "a.png"), (Region(0, 0, 40, 30, "all"), Region(0, 10, 9, 10, "left"))),
        RegionExample("lost.png", (Region(0, 0, 1, 1, "lost"),)),
        RegionExample(wide, (Region(10, 5, 20, 10, "middle"),)),
        RegionExample(wide[:10, :10] + 0.25, ()),
    ]
    found = read_region_pictures(examples, (20, 20))
    assert found.pictures.shape == (3, 20, 20, 3) and found.pictures.dtype == np.uint8
    assert found.regions[0][0] == Region(0, 2, 20, 15, "all")  # 20 of 30 rows, between 2 and 3 white ones
    np.testing.assert_allclose(found.regions[0][1][:4], [0, 7, 4.5, 5])
    assert found.regions[1:] == [(Region(5, 7.5, 10, 5, "middle"),), ()]
    assert found.files == (str(folder / "a.png"), "", "")
    assert found.problems == ("lost.png: No such file or directory",)
    assert (found.pictures[2] == 64).all()  # 0.25
    assert str(found) == "3 pictures with 3 regions, 1 left out" and len(found) == 3
    cut = read_region_pictures(examples[::2], (20, 20), fit="crop", cache=folder / "cache.npz")
    assert [region.phrase for region in cut.regions[0]] == ["all"]  # the left part is cut off
    assert cut.regions[0][0] == Region(0, 0, 20, 20, "all") and cut.regions[1] == (
        Region(0, 5, 20, 10, "middle"),
    )
    (problem,) = cut.problems
    assert problem.endswith("a.png: 'left': less than half of the box 0 10 9 10 is within the picture")
    again = read_region_pictures(examples[::2], (20, 20), fit="crop", cache=folder / "cache.npz")
    np.testing.assert_array_equal(again.pictures, cut.pictures)
    assert again.regions == cut.regions
    one = found[[1]]
    assert one.regions == [found.regions[1]] and one.files == ("",) and len(one) == 1


def test_a_picture_of_another_size_than_its_file_says_is_refused(folder):
    document = coco()
    document["images"][1].update(width=80, height=60)  # the picture was made smaller after it was annotated
    path, problems = written(folder, "coco.json", document), []
    with pytest.raises(rnnrs.FormatError, match=r"a\.png: expected a picture of 80 × 60 pixels"):
        read_regions(path)
    with pytest.raises(rnnrs.FormatError, match=r"got none; .*got 40 × 30"):
        read_regions(path, problems=problems)


def test_boxes_of_ones_own_are_clipped_to_the_picture_not_to_what_it_is_padded_with():
    wide = np.zeros((20, 40, 3))
    boxes = [(0, -8, 9, 7, "above"), (0, -4, 10, 8, "top"), (35, 15, 10, 10, "corner")]
    found = read_region_pictures([RegionExample(wide, tuple(Region(*box) for box in boxes))], (40, 40))
    assert found.regions == [(Region(0, 10, 10, 4, "top"),)]
    assert [problem.split(":")[1] for problem in found.problems] == [" 'above'", " 'corner'"]


@pytest.mark.parametrize(
    ("regions", "error", "message"),
    [
        (None, TypeError, "regions: expected a list of regions, got None"),
        ([(1, 2, 3, 4)], TypeError, r"regions\[0\]: expected \(x, y, w, h, phrase\)"),
        ([(1, 2, 3, 4, None)], TypeError, r"regions\[0\]: expected \(x, y, w, h, phrase\)"),
        ([("1", 2, 3, 4, "a")], TypeError, r"regions\[0\]: x: expected a number"),
        ([(1, np.nan, 3, 4, "a")], ValueError, r"regions\[0\]: y: expected a finite number, got nan"),
        ([(1, 2, -3, 4, "a")], ValueError, r"regions\[0\]: w: expected a finite number above 0, got -3"),
        ([(1, 2, 3, 4, " ")], ValueError, r"regions\[0\]: phrase: expected some text, got ' '"),
    ],
)
def test_invalid_regions_of_ones_own_are_refused(regions, error, message):
    with pytest.raises(error, match=rf"read_region_pictures: examples\[0\]: {message}"):
        read_region_pictures([RegionExample(np.zeros((9, 9, 3)), regions)], (9, 9))


@pytest.mark.parametrize("value", [255.0, -0.5, np.nan])
def test_numbers_that_are_not_from_0_to_1_are_refused(value):
    with pytest.raises(ValueError, match=r"examples\[0\]: picture: expected numbers from 0 to 1, got"):
        read_region_pictures([RegionExample(np.full((9, 9, 3), value), ())], (9, 9))


def test_pictures_that_are_none_are_refused(folder):
    with pytest.raises(ValueError, match="read_region_pictures: examples: expected at least one, got none"):
        read_region_pictures([], (8, 8))
    with pytest.raises(ValueError, match="read_region_pictures: fit: expected one of pad, crop"):
        read_region_pictures(expected(folder), (8, 8), fit="x")
    with pytest.raises(rnnrs.FormatError, match="none of 1 files could be read as a picture; lost"):
        read_region_pictures([RegionExample("lost.png", ())], (8, 8))
    with pytest.raises(rnnrs.ShapeError, match=r"examples\[0\]: picture: expected \(Y, X, 3\), got \(8, 8\)"):
        read_region_pictures([RegionExample(np.zeros((8, 8)), ())], (8, 8))
    with pytest.raises(rnnrs.DTypeError, match=r"examples\[0\]: picture: expected uint8 or floating-point"):
        read_region_pictures([RegionExample(np.zeros((8, 8, 3), int), ())], (8, 8))
    with pytest.raises(rnnrs.ShapeError, match=r"Placement.to_fitted: boxes: expected an \(N, 4\) array"):
        placement(8, 8, (4, 4)).to_fitted([1, 2, 3])


def test_regions_are_exported():
    assert data.Region is Region and Region(1, 2, 3, 4, "x") == (1, 2, 3, 4, "x")
