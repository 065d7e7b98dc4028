"""`rnnrs classify` and `rnnrs forecast`: columns by their names, one series of a table of several."""

import json

import pytest
from rnnrs_command import call, refused

QUICK = ["--hidden", "4", "--quiet", "--epochs", "2"]


def write(path, names, rows):
    """Writes a CSV file from dicts, with columns in this order."""
    path.write_text(
        "\n".join([",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)])
    )
    return path


@pytest.fixture
def shops(tmp_path):
    rows = [
        {
            "shop": shop,
            "date": f"2020-{1 + i // 28:02}-{1 + i % 28:02}",
            "sales": 100 * n + i % 7,
            "price": i % 5,
        }
        for n, shop in enumerate(("Oslo", "Rome"))
        for i in range(28)
    ]
    return write(tmp_path / "shops.csv", ["shop", "date", "price", "sales"], rows), rows


def test_forecasts_of_one_of_several_series(shops, tmp_path):
    path, rows = shops
    model = tmp_path / "m"
    refused("got 2 series in column 'shop'.*", "forecast", "train", path, "-o", model, *QUICK)
    assert not model.exists()
    oslo = ["--by", "shop", "--series", "Oslo"]
    code, _, error = call(
        "forecast", "train", path, "-o", model, "--columns", "sales", "price", *oslo, *QUICK
    )
    assert code == 0, error
    code, together, error = call("forecast", "predict", model, path, *oslo, "--json")
    assert code == 0, error
    alone = write(tmp_path / "oslo.csv", ["sales", "date", "price"], rows[:28])
    code, by_itself, _ = call("forecast", "predict", model, alone, "--json")
    assert json.loads(together)["forecast"] == json.loads(by_itself)["forecast"]
    gap = write(tmp_path / "gap.csv", ["sales", "date", "price"], rows[:5] + rows[6:28])
    for verb in ("predict", "evaluate"):
        refused("got 2020-01-07 after 2020-01-05: a gap.*", "forecast", verb, model, gap)
    assert call("forecast", "predict", model, gap, "--time", "none")[0] == 0


def test_classes_of_steps_with_columns_in_another_order(tmp_path):
    rows = [{"id": i, "x": i % 2 + t, "y": 50 * t, "kind": "ab"[i % 2]} for i in range(12) for t in range(3)]
    first = write(tmp_path / "first.csv", ["id", "x", "y", "kind"], rows)
    other = write(tmp_path / "other.csv", ["y", "id", "x", "kind"], rows)
    lacking = write(tmp_path / "lacking.csv", ["id", "y", "kind"], rows)
    model, by = tmp_path / "m", ["--by", "id"]
    code, _, error = call("classify", "train", first, "-o", model, *by, "--validation", other, *QUICK)
    assert code == 0, error
    outputs = [call("classify", "predict", model, path, *by, "--probabilities") for path in (first, other)]
    assert outputs[0][0] == 0 and outputs[0][1] == outputs[1][1]
    refused(
        r"expected the columns 'x', 'y', got 'y' \(without 'x'\)",
        "classify",
        "predict",
        model,
        lacking,
        *by,
    )
