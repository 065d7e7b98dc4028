"""The command that describes pictures, as a user calls it."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from rnnrs import data
from rnnrs.cli import main
from rnnrs.cli.demo import caption as demo_caption
from rnnrs.cli.demo import regions as demo_regions
from rnnrs.models import Captioner

Image = pytest.importorskip("PIL.Image")

COLORS = {"red": (220, 30, 30), "green": (30, 180, 60), "blue": (30, 60, 220)}
FORMS = ("square", "bar", "pole")
SMALL = [
    *(
        "--channels",
        "8",
        "16",
        "--embedding",
        "16",
        "--hidden",
        "32",
        "--batch",
        "8",
        "--learning-rate",
        "0.01",
    ),
    *("--size", "16", "16", "--dropout", "0", "--label-smoothing", "0", "--quiet"),
]


def drawn(color, form, draw):
    """A picture (32, 32, 3) of a form, somewhere."""
    height, width = {"square": (12, 12), "bar": (5, 18), "pole": (18, 5)}[form]
    picture = np.full((32, 32, 3), 255, np.uint8)
    y, x = draw.integers(0, 32 - height), draw.integers(0, 32 - width)
    picture[y : y + height, x : x + width] = COLORS[color]
    return picture


def run(*arguments, text="", data=None):
    """In this process: dozens of them would take long to start."""
    out, error, stdin = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(text.encode() if data is None else data), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as end:
                code = end.code
    finally:
        sys.stdin = stdin
    return code, out.getvalue(), error.getvalue()


def fails(code, pattern, *arguments, **given):
    """One line on standard error, and nothing on standard output."""
    found, out, error = run(*arguments, **given)
    assert found == code and out == "", (out, error)
    assert re.fullmatch(rf"rnnrs: .*{pattern}.*\n", error), error


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("pictures")
    draw = np.random.default_rng(0)
    rows, pictures = [], []
    (found / "photos").mkdir()
    for i in range(108):
        color, form = list(COLORS)[i % 3], FORMS[i // 3 % 3]
        pictures.append(drawn(color, form, draw))
        Image.fromarray(pictures[-1]).save(found / "photos" / f"{i:03}.png")
        rows.append((f"{i:03}.png", f"a {color} {form}"))
    (found / "train.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows[:90]), "utf-8")
    held = [json.dumps({"image": a, "text": [b, b.replace("a ", "the ")]}) for a, b in rows[90:]]
    (found / "held.jsonl").write_text("\n".join(held), "utf-8")
    (found / "texts.txt").write_text("".join(f"{b}\n" for _, b in rows), "utf-8")
    np.savez(found / "arrays.npz", pictures=np.stack(pictures)[:, ::2, ::2], other=np.zeros(3))
    return found


@pytest.fixture(scope="module")
def model(folder):
    path = folder / "forms.rnn"
    code, out, error = run(
        *("caption", "train", folder / "train.tsv", "--pictures", folder / "photos", "-o", path, *SMALL),
        *("--epochs", "40", "--cache", folder / "kept.npz", "--shift", "1"),
        *("--validation", "0.1"),
    )
    assert (code, error) == (0, "")
    assert re.match(r".*forms\.rnn: on 9 held-out pictures\nexact \d+\.\d %, right picture first", out)
    return path


def wanted(i):
    return f"a {list(COLORS)[i % 3]} {FORMS[i // 3 % 3]}"


def test_help_shows_examples():
    for verb in ("train", "evaluate", "describe", "rank"):
        code, out, _ = run("caption", verb, "--help")
        assert code == 0 and f"examples:\n  rnnrs caption {verb}" in out


def test_files_folders_and_standard_input(folder, model):
    photos = [folder / "photos" / f"{i:03}.png" for i in range(90, 108)]
    lines = [f"{path}\t{wanted(i)}\n" for i, path in enumerate(photos, 90)]
    assert run("caption", "describe", model, *photos) == (0, "".join(lines), "")
    code, out, error = run("caption", "describe", model, folder / "photos", "--beam", "1")
    assert (code, error) == (0, "") and len(out.splitlines()) == 108
    content = photos[0].read_bytes()
    for place in ([], ["-"]):
        assert run("caption", "describe", model, *place, data=content) == (0, f"{wanted(90)}\n", "")
    names = "".join(f"{path}\n" for path in photos)
    assert run("caption", "describe", model, "--names", text=names) == (0, "".join(lines), "")
    code, out, _ = run("caption", "describe", model, folder / "arrays.npz", "--array", "pictures")
    assert code == 0 and out.splitlines()[5].startswith(f"{folder / 'arrays.npz'}[5]\ta ")


def test_scores_json_and_the_drawing(folder, model):
    pytest.importorskip("matplotlib")
    photo = folder / "photos" / "090.png"
    code, out, _ = run("caption", "describe", model, photo, "--n-best", "3")
    rows = [line.split("\t") for line in out.splitlines()]
    assert code == 0 and len(rows) == 3 and rows[0][0] == str(photo) and rows[0][2] == wanted(90)
    assert [float(row[1]) for row in rows] == sorted((float(row[1]) for row in rows), reverse=True)
    facts = json.loads(run("caption", "describe", model, photo, "--json")[1])
    assert facts["picture"] == str(photo) and facts["written"][0]["text"] == wanted(90)
    drawing = folder / "where.png"
    code, out, error = run("caption", "describe", model, photo, "--plot", drawing)
    assert (code, error) == (0, f"drawing: {drawing}\n") and drawing.read_bytes().startswith(b"\x89PNG")
    one = "--plot: expected one picture to draw"
    fails(1, one, "caption", "describe", model, photo, photo, "--plot", drawing)
    fails(1, one, "caption", "describe", model, folder, "--plot", drawing)
    fails(1, one, "caption", "describe", model, "--names", "--plot", drawing, text=f"{photo}\n")


def test_rank(folder, model):
    code, out, error = run("caption", "rank", model, "a blue bar", folder / "photos", "--n-best", "12")
    assert (code, error) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert {wanted(int(Path(name).stem)) for _, name in rows[:10]} == {"a blue bar"}
    assert [float(score) for score, _ in rows] == sorted((float(score) for score, _ in rows), reverse=True)
    rows_of_rank = rows
    code, out, error = run(
        *("caption", "rank", model, "a yellow bar", "--json", "--n-best", "1", folder / "photos")
    )
    assert code == 0 and set(json.loads(out)) == {"picture", "log_prob"}
    assert error == "rnnrs: no description of the training data has 'yellow'\n"
    search = ("caption", "search", model, "a blue bar", folder / "photos", "--top", "12")
    assert run(*search)[1].splitlines() == ["\t".join(row) for row in rows_of_rank]
    fails(1, "PICTURE: expected at least one picture or folder", "caption", "search", model, "a bar")
    fails(1, "sentence: expected some text", "caption", "search", model, " ", folder / "photos")


def test_evaluate(folder, model):
    command = ("caption", "evaluate", model, folder / "held.jsonl", "--fields", "image", "text")
    command = (*command, "--pictures", folder / "photos")
    code, out, error = run(*command)
    assert (code, error) == (0, "")
    assert re.match(r"exact 100\.0 %, right picture first among 10 \d+\.\d %\nBLEU-1/2/3/4 100\.0", out)
    facts = json.loads(run(*command, "--json", "--beam", "2")[1])
    assert (facts["pictures"], facts["left_out"], facts["exact"]) == (18, 0, 1)
    assert facts["bleu_1"] == facts["rouge_l"] == 1 and facts["tokens"] == 18 * 2 * 4
    assert facts["cider"] > 5 and facts["perplexity"] > 1


def test_bad_pictures_are_named_and_the_others_described(folder, model, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes((folder / "photos" / "000.png").read_bytes()[:60])
    good, missing = folder / "photos" / "090.png", tmp_path / "missing.png"
    code, out, error = run(
        "caption", "describe", model, tmp_path / "text.png", good, missing, tmp_path / "cut.png"
    )
    assert (code, out) == (0, f"{good}\t{wanted(90)}\n")
    lines = error.splitlines()
    assert lines[0] == f"rnnrs: {tmp_path / 'text.png'}: not a picture, or of an unsupported format"
    assert lines[1] == f"rnnrs: {missing}: No such file or directory"
    assert lines[2].startswith(f"rnnrs: {tmp_path / 'cut.png'}: truncated or damaged: ") and len(lines) == 3
    code, out, error = run("caption", "describe", model, missing)
    assert (code, out) == (1, "") and error.endswith("none of 1 files could be read as a picture\n")
    fails(1, "the picture: not a picture", "caption", "describe", model, data=b"no picture")
    fails(1, "standard input: expected a picture of 1 to .* bytes, got none", "caption", "describe", model)
    (tmp_path / "none").mkdir()
    fails(1, "none: expected a folder with pictures", "caption", "describe", model, tmp_path / "none")
    fails(1, "--names: has no meaning with a PICTURE", "caption", "describe", model, good, "--names")
    fails(1, "--onnx-output: has no meaning", "caption", "describe", model, good, "--onnx-output", "x")
    fails(
        1,
        "--onnx: has no meaning with a model of pictures",
        "caption",
        "describe",
        model,
        good,
        "--onnx",
        "a.onnx",
    )
    np.save(tmp_path / "wide.npy", np.zeros((2, 16, 17, 3), np.uint8))
    fails(1, r"pictures: expected \(N, 16, 16, 3\)", "caption", "describe", model, tmp_path / "wide.npy")


def test_what_is_left_out_of_training_is_named(folder, tmp_path):
    rows = [f"{i:03}.png\t{wanted(i)}\n" for i in range(20)]
    (tmp_path / "d.tsv").write_text("".join([*rows, "lost.png\tlost\n", "001.png\t \n"]), "utf-8")
    train = ["caption", "train", tmp_path / "d.tsv", "-o", tmp_path / "d.rnn", "--epochs", "1", *SMALL[:-1]]
    code, out, error = run(*train, "--pictures", folder / "photos", "--examples", "1")
    assert code == 0 and "on 1 held-out pictures" in out
    assert "lost.png: No such file or directory\n" in error
    assert f"rnnrs: {tmp_path / 'd.tsv'}: line 22: 001.png: an empty description\n" in error
    assert f"{tmp_path / 'd.tsv'}: 20 pictures with 20 descriptions, 2 left out" in error
    assert "    wanted  a " in error and f"next: rnnrs caption describe {tmp_path / 'd.rnn'}" in error


def test_files_that_cannot_be_learned_from(folder, tmp_path):
    def train(pattern, captions, *more, pictures=folder / "photos"):
        command = ("caption", "train", captions, "--pictures", pictures, "-o", tmp_path / "never.rnn", *SMALL)
        code, out, error = run(*command, *more)
        assert (code, out) == (1, "")
        assert re.search(rf"rnnrs: .*{pattern}.*\n$", error), error

    (tmp_path / "lost.tsv").write_text("lost.png\ta cat\n", "utf-8")
    (tmp_path / "one.tsv").write_text("000.png a cat\n", "utf-8")
    (tmp_path / "empty.tsv").write_text("", "utf-8")
    (tmp_path / "few.txt").write_text("a cat\n", "utf-8")
    train("none of 1 files could be read as a picture", tmp_path / "lost.tsv")
    train("line 1: expected at least 2 columns between tabs, got 1", tmp_path / "one.tsv")
    train("expected files and their descriptions, got none", tmp_path / "empty.tsv")
    train("missing.tsv: No such file", tmp_path / "missing.tsv")
    train("--pictures: expected a folder, or an array", folder / "train.tsv", pictures=tmp_path / "nowhere")
    train("expected a cache of pictures", folder / "train.tsv", "--cache", folder / "arrays.npz")
    train(r"--columns: expected 2 \(file, description\), got 1", folder / "train.tsv", "--columns", "1")
    train("--validation: expected a file or a share", folder / "train.tsv", "--validation", "1.5")
    train("--validation: expected a share, or a file", folder / "train.tsv", "--validation", "a", "b", "c")
    arrays = folder / "arrays.npz"
    train(r"expected one of .*\(pictures, other\), got none", folder / "texts.txt", pictures=arrays)
    more = ("--array", "pictures")
    train("expected a line for each of 108 rows, got 1", tmp_path / "few.txt", *more, pictures=arrays)
    train(
        r"--fields: expected 1 \(description\), got 2",
        folder / "texts.txt",
        *more,
        "--fields",
        "a",
        "b",
        pictures=arrays,
    )
    train("array.npy: No such file", folder / "texts.txt", pictures=tmp_path / "array.npy")
    assert not (tmp_path / "never.rnn").exists()


def test_arrays_of_features(folder, tmp_path):
    places = [i % 9 for i in range(108)]
    np.save(tmp_path / "features.npy", np.eye(9, 5)[places] + np.eye(9, 5, -4)[places] * 2)
    path = tmp_path / "f.rnn"
    train = ["caption", "train", folder / "texts.txt", "--pictures", tmp_path / "features.npy", "-o", path]
    small = [*SMALL[3:11], "--dropout", "0", "--quiet", "--attention", "none", "--epochs", "25"]
    code, out, error = run(*train, *small)
    assert (code, error) == (0, "") and "exact 100.0 %" in out
    assert Captioner.load(path).features == (5,) and Captioner.load(path).sizes["attention"] is None
    code, out, _ = run("caption", "describe", path, tmp_path / "features.npy")
    assert code == 0 and out.splitlines()[4] == f"{tmp_path / 'features.npy'}[4]\t{wanted(4)}"
    photo = folder / "photos" / "000.png"
    fails(1, "takes features of another network: name it with --onnx", "caption", "describe", path, photo)
    np.save(tmp_path / "one.npy", np.ones((1, 5)))
    drawing = ("--plot", tmp_path / "a.png")
    found, _, error = run("caption", "describe", path, tmp_path / "one.npy", *drawing)
    assert found == 1 and "--plot: expected a picture, got an array of features" in error
    for option in (("--picture-size", "16", "16"), ("--channels", "8"), ("--shift", "1"), ("--flip",)):
        code, _, error = run(*train, "--force", *small, *option)
        assert code == 1 and f"{option[0]}: has no meaning with features of another network" in error


@pytest.mark.parametrize("size", [(16, 16), ("Y", "X")])
def test_features_by_an_onnx_file(folder, tmp_path, size):
    pytest.importorskip("onnxruntime")
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Transpose", ["p"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["last", "W"], ["h"]),
        helper.make_node("Transpose", ["h"], ["grid"], perm=[0, 3, 1, 2]),
    ]
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "features",
        [helper.make_tensor_value_info("x", kind, ["N", 3, *size])],
        [helper.make_tensor_value_info("grid", kind, None)],
        [numpy_helper.from_array(weights, "W")],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    network.ir_version = 8
    onnx.save(network, tmp_path / "cnn.onnx")
    path, onnx_file = tmp_path / "o.rnn", ("--onnx", tmp_path / "cnn.onnx")
    train = [
        "caption",
        "train",
        folder / "train.tsv",
        "--pictures",
        folder / "photos",
        "-o",
        path,
        *onnx_file,
    ]
    small = ["--epochs", "30", *SMALL[3:11], "--dropout", "0", "--quiet"]
    code, out, error = run(*train, *small, "--size", "16", "16")
    assert (code, error) == (0, "") and "held-out pictures" in out
    loaded = Captioner.load(path)
    assert loaded.features == (4, 4, 8) and loaded.grid == (4, 4) and loaded.picture_size == (16, 16)
    photo = folder / "photos" / "090.png"
    code, out, error = run("caption", "describe", path, photo, *onnx_file, "--plot", tmp_path / "a.png")
    assert code == 0 and out == f"{photo}\t{wanted(90)}\n" and (tmp_path / "a.png").exists()
    code, out, _ = run("caption", "describe", path, *onnx_file, data=photo.read_bytes())
    assert (code, out) == (0, f"{wanted(90)}\n")
    fails(1, "expected an ONNX file", "caption", "describe", path, photo, "--onnx", folder / "train.tsv")
    if size == (16, 16):
        fails(
            1,
            "--picture-size: expected 16 16, as the network takes, got 8 8",
            *train,
            "--force",
            *small,
            "--size",
            "8",
            "8",
        )


def test_a_model_of_another_application(folder, model, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("a cat sat on the mat. " * 40)
    letters = tmp_path / "letters.rnn"
    code, _, error = run(
        *(
            "lm",
            "train",
            text,
            "-o",
            letters,
            "--epochs",
            "1",
            "--hidden",
            "8",
            "--validation",
            "0",
            "--quiet",
        )
    )
    assert code == 0, error
    photo = folder / "photos" / "000.png"
    pattern = r"holds a language model \(rnnrs lm\), expected .* \(rnnrs caption\)"
    fails(1, pattern, "caption", "describe", letters, photo)
    fails(1, r"holds .* \(rnnrs caption\), expected a translator", "translate", "run", model, "a")
    code, out, _ = run("info", model)
    assert code == 0 and "(rnnrs caption)" in out and "vocabulary: size 9," in out


def test_a_run_is_resumed_by_its_own_options(folder, tmp_path):
    path = tmp_path / "resumed.rnn"
    command = ["caption", "train", folder / "train.tsv", "--pictures", folder / "photos", "-o", path, *SMALL]
    command += ["--shift", "1", "--epochs"]
    assert run(*command, "1")[0] == 0
    resume = [*command, "2", "--resume"]
    code, out, error = run(*resume)
    assert (code, error) == (0, "") and "held-out pictures" in out
    fails(1, "was started with shift 1, which cannot become 3", *resume, "--shift", "3")
    fails(1, "was started with attention additive, which cannot become none", *resume, "--attention", "none")
    fails(1, "was started with cell gru", *resume, "--cell", "lstm")
    fails(1, "exists; --resume continues", *command, "1")


def test_the_demo(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_caption, "EVERY", 40)
    monkeypatch.setattr(demo_regions, "SCENES", 64)
    monkeypatch.setattr(demo_regions, "JUDGED", 4)
    code, out, error = run("demo", "caption", "--seconds", "3", "--hidden-size", "16", "-o", tmp_path)
    assert code == 0, error
    before, after = (float(re.search(rf"{word} .*\(([\d.]+) nats", out)[1]) for word in ("Before", "After"))
    assert after < before and "BLEU-1/2/3/4" in out and out.count("wanted") == out.count("got") == 8
    assert f"rnnrs caption describe {tmp_path / 'caption.rnn'}" in out
    assert (tmp_path / "caption-pictures.png").read_bytes().startswith(b"\x89PNG")
    assert Captioner.load(tmp_path / "caption.rnn").sizes["hidden_size"] == 16
    assert "Regions   64 scenes of 122 emoji" in out and "found boxes, exact phrases: mAP" in out
    assert "What it finds in one of them" in out and "Where it finds" in out
    assert Captioner.load(tmp_path / "caption-regions.rnn").regions
    assert (tmp_path / "caption-regions.png").read_bytes().startswith(b"\x89PNG")
    assert len(data.noto_emoji().pictures) == 3110
