"""`rnnrs classify` and `rnnrs forecast`, as a user calls them."""

import csv
import io
import json

import numpy as np
import pytest
from rnnrs_command import call, refused

from rnnrs.models import Forecaster, SequenceClassifier

QUICK = ["--hidden", "12", "--quiet"]


def table(out):
    return list(csv.reader(io.StringIO(out)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Series to classify in every form, and one to forecast."""
    folder = tmp_path_factory.mktemp("sequences")
    draw = np.random.default_rng(0)
    rising = [[round(t * slope + draw.normal(0, 0.1), 3) for t in range(6)] for slope in [1, -1] * 20]
    names = ["up", "down"] * 20
    by_row = [[*values, name] for values, name in zip(rising, names, strict=True)]
    by_step = [[i, v, -v, n] for i, (x, n) in enumerate(zip(rising, names, strict=True)) for v in x]
    texts = [[name, f"{'yes' if name == 'up' else 'no'} it is {i}"] for i, name in enumerate(names)]
    wave = [[t, 100 + 10 * np.sin(t / 2)] for t in range(120)]
    for file, header, rows in (
        ("rows.csv", ["t0", "t1", "t2", "t3", "t4", "t5", "way"], by_row),
        ("steps.csv", ["trial", "a", "b", "way"], by_step),
        ("texts.csv", ["way", "text"], texts),
        ("wave.csv", ["t", "level"], wave),
    ):
        with open(folder / file, "w", newline="") as out:
            csv.writer(out).writerows([header, *rows])
    lines = ["@dimensions 1", "@classLabel true down up", "@data"]
    lines += [f"{','.join(map(str, values))}:{name}" for values, name in zip(rising, names, strict=True)]
    (folder / "series.ts").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(
    ("file", "reading"),
    [
        ("rows.csv", []),
        ("steps.csv", ["--by", "trial", "--label", "way"]),
        ("texts.csv", ["--text", "text", "--label", "way"]),
        ("series.ts", []),
    ],
)
def test_classify(folder, file, reading):
    model, data = folder / f"{file}.rnn", folder / file
    code, out, error = call("classify", "train", data, "-o", model, *reading, *QUICK, "--epochs", "15")
    assert code == 0, error
    assert out.startswith(f"{model}: accuracy 100.0% on 4 held-out sequences")
    code, out, _ = call("classify", "evaluate", model, data, *reading, "--json")
    facts = json.loads(out)
    assert (
        code == 0
        and facts["accuracy"] >= 0.95
        and facts["count"] == 40
        and facts["classes"] == ["down", "up"]
    )
    code, out, _ = call("classify", "evaluate", model, data, *reading)
    assert "accuracy" in out and "recall" in out
    code, out, _ = call("classify", "predict", model, data, *reading, "--probabilities")
    rows = table(out)
    assert rows[0] == ["class", "probability", "down", "up"] and len(rows) == 41
    right = [name == row[0] for name, row in zip(["up", "down"] * 20, rows[1:], strict=True)]
    assert np.mean(right) == facts["accuracy"]
    assert all(abs(float(row[2]) + float(row[3]) - 1) < 1e-5 for row in rows[1:])
    code, out, _ = call("classify", "predict", model, data, *reading, "--probabilities", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [one["class"] for one in found] == [row[0] for row in rows[1:]]
    assert all(one["probabilities"][one["class"]] == one["probability"] for one in found)
    assert call("info", model)[1].startswith(f"{model}: a classifier of sequences (rnnrs classify)")


def test_classify_without_labels_or_header(folder):
    rows = (folder / "rows.csv").read_text().splitlines()[1:]
    bare, model = folder / "bare.tsv", folder / "bare.rnn"
    bare.write_text("\n".join(row.replace(",", "\t") for row in rows))
    reading = ["--no-header", "--delimiter", "\\t"]
    code, _, error = call(
        "classify", "train", bare, "-o", model, *reading, "--label", "6", *QUICK, "--epochs", "2"
    )
    assert code == 0, error
    unknown = folder / "unknown.tsv"
    unknown.write_text("\n".join(row.rpartition("\t")[0] for row in bare.read_text().splitlines()))
    code, out, error = call("classify", "predict", model, unknown, *reading, "--label", "none")
    assert code == 0 and len(table(out)) == 41, error
    refused("expected labels, got none", "classify", "evaluate", model, unknown, *reading, "--label", "none")


def test_forecast(folder):
    model, data = folder / "wave.rnn", folder / "wave.csv"
    options = ["--horizon", "4", "--season", "13", "--epochs", "60", "--learning-rate", "0.01"]
    code, out, error = call("forecast", "train", data, "-o", model, *options, *QUICK)
    assert code == 0, error
    assert "mean absolute error" in out and "(21 forecasts of held-out steps)" in out
    assert Forecaster.load(model).columns == ("level",)
    code, out, _ = call("forecast", "evaluate", model, data, "--start", "96", "--season", "13", "--json")
    facts = json.loads(out)
    assert facts["skill"][0] > 0 and facts["origins"] == 21 and len(facts["mae"]) == 4
    code, out, _ = call("forecast", "evaluate", model, data, "--start", "96")
    assert "naïve MAE" in out
    code, out, _ = call("forecast", "predict", model, data, "--steps", "6", "--plot", folder / "f.png")
    rows = table(out)
    assert rows[0] == ["step", "level"] and [row[0] for row in rows[1:]] == list("123456")
    right = [100 + 10 * np.sin(t / 2) for t in range(120, 126)]
    assert np.allclose([float(row[1]) for row in rows[1:]], right, atol=5)
    assert (folder / "f.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = call("forecast", "predict", model, data, "--json")
    ahead = json.loads(out)
    assert code == 0 and ahead["columns"] == ["level"] and len(ahead["forecast"]) == 4
    assert np.allclose(np.ravel(ahead["forecast"]), [float(row[1]) for row in rows[1:5]], atol=1e-3)


def test_resume_and_what_it_refuses(folder, tmp_path):
    model, data, kept = tmp_path / "m.rnn", folder / "wave.csv", tmp_path / "m.checkpoint"
    train = ["forecast", "train", data, "-o", model, *QUICK, "--checkpoint", kept]
    assert call(*train, "--epochs", "2")[0] == 0
    refused("exists; --resume continues", *train, "--epochs", "2")
    refused("was started with hidden_size 12, which cannot become 13", *train, "--resume", "--hidden", "13")
    refused("was started with batch_size 32, which cannot become 8", *train, "--resume", "--batch", "8")
    code, _, error = call(*train, "--resume", "--epochs", "4")
    assert code == 0, error
    assert Forecaster.load(model).settings.epochs == 4
    classes = tmp_path / "c.rnn"
    train = [
        "classify",
        "train",
        folder / "rows.csv",
        "-o",
        classes,
        *QUICK,
        "--checkpoint",
        tmp_path / "c.checkpoint",
    ]
    assert call(*train, "--epochs", "2")[0] == 0
    assert call(*train, "--resume", "--epochs", "4")[0] == 0
    refused(
        "was started with pooling last, which cannot become mean", *train, "--resume", "--pooling", "mean"
    )
    assert SequenceClassifier.load(classes).settings.epochs == 4


@pytest.mark.parametrize(
    ("code", "message", "arguments"),
    [
        (1, "No such file", ["classify", "train", "{}/none.csv", "-o", "{}/x"]),
        (1, "No such file", ["forecast", "predict", "{}/none.rnn", "{}/wave.csv"]),
        (
            1,
            "label: expected one of the columns",
            ["classify", "train", "{}/rows.csv", "-o", "{}/x", "--label", "z"],
        ),
        (1, "expected a number", ["classify", "train", "{}/texts.csv", "-o", "{}/x"]),
        (
            1,
            "--by: has no meaning with a .ts file",
            ["classify", "train", "{}/series.ts", "-o", "{}/x", "--by", "a"],
        ),
        (
            1,
            "--level: has no meaning without --text",
            ["classify", "train", "{}/rows.csv", "-o", "{}/x", "--level", "word"],
        ),
        (
            1,
            "--by: has no meaning with --text",
            ["classify", "train", "{}/texts.csv", "-o", "{}/x", "--text", "text", "--by", "way"],
        ),
        (
            1,
            "expected a column's index, got 'way'",
            ["classify", "train", "{}/rows.csv", "-o", "{}/x", "--no-header", "--label", "way"],
        ),
        (
            1,
            "expected a file or a share",
            ["classify", "train", "{}/rows.csv", "-o", "{}/x", "--validation", "1.5"],
        ),
        (1, "expected a share", ["forecast", "train", "{}/wave.csv", "-o", "{}/x", "--validation", "half"]),
        (
            1,
            "numbers above 0",
            [
                "forecast",
                "train",
                "{}/wave.csv",
                "-o",
                "{}/x",
                "--columns",
                "t",
                "--transform",
                "log",
                "--quiet",
            ],
        ),
        (1, "at least", ["forecast", "train", "{}/wave.csv", "-o", "{}/x", "--difference", "200", "--quiet"]),
        (
            2,
            "--horizon: expected a whole number from 1",
            ["forecast", "train", "{}/wave.csv", "-o", "{}/x", "--horizon", "0"],
        ),
        (2, "required: VERB", ["classify"]),
    ],
)
def test_wrong_use(folder, code, message, arguments):
    refused(message, *[word.format(folder) for word in arguments], code=code)


def test_a_model_of_another_application(folder):
    Forecaster(hidden_size=4).save(folder / "other.rnn")
    refused(
        r"holds a forecaster \(rnnrs forecast\), expected a classifier",
        "classify",
        "predict",
        folder / "other.rnn",
        folder / "rows.csv",
    )
