"""Columns of tables are found by their names; an index shows whether rows are successive steps."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

import rnnrs
from rnnrs.data import LabeledSequences, Series
from rnnrs.models import Forecaster, SequenceClassifier, SequenceTagger

DRAW = np.random.default_rng(5)
QUICK = {"progress": False, "epochs": 2}

#: The kinds of tables: each takes names and a list of columns.
TABLES = {
    "pandas": lambda names, columns: pd.DataFrame(dict(zip(names, columns, strict=True))),
    "polars": lambda names, columns: pl.DataFrame(dict(zip(names, columns, strict=True))),
    "Series": lambda names, columns: Series(np.stack(columns, axis=1), tuple(names)),
}


@pytest.fixture(params=TABLES, ids=str)
def table(request):
    return TABLES[request.param]


def forecaster(columns=2):
    return Forecaster(columns, horizon=2, hidden_size=4)


def ready(model):
    """Returns a model that may predict: parameters were assigned to it."""
    name = next(iter(model.parameters))
    model.parameters[name] = model.parameters[name]
    return model


class TestForecaster:
    X = np.cumsum(DRAW.normal(size=(40, 2)), axis=0) * [1, 100]

    def tables(self, table):
        return table(["a", "b"], list(self.X.T)), table(["b", "a"], list(self.X.T[::-1]))

    @pytest.mark.parametrize("columns", [["a", "b"], np.array(["a", "b"]), pd.Index(["a", "b"]), 2])
    def test_columns_in_another_order(self, table, columns):
        ahead, swapped = self.tables(table)
        model = forecaster(columns)
        model.fit(ahead, swapped, **QUICK)
        assert model.columns == ("a", "b")
        assert np.array_equal(model.predict(swapped), model.predict(ahead))
        assert np.array_equal(model.predict(swapped), model.predict(self.X))
        assert np.array_equal(model.evaluate(swapped).mae, model.evaluate(ahead).mae)
        again = forecaster(["b", "a"])
        again.fit(swapped, **QUICK)
        assert np.array_equal(again.predict(ahead), again.predict(self.X[:, ::-1]))

    def test_names_are_in_the_file(self, table, tmp_path):
        ahead, swapped = self.tables(table)
        model = forecaster()
        model.fit(ahead, **QUICK)
        model.save(tmp_path / "m")
        again = Forecaster.load(tmp_path / "m")
        assert again.columns == ("a", "b") and np.array_equal(again.predict(swapped), model.predict(ahead))

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (["a", "c"], r"series: expected the columns 'a', 'b', got 'a', 'c' \(without 'b'; also 'c'\)"),
            (["a"], r"expected the columns 'a', 'b', got 'a' \(without 'b'\)"),
            (["a", "b", "date"], r"got 'a', 'b', 'date' \(also 'date'\)"),
        ],
    )
    def test_other_columns_are_refused(self, table, names, message):
        given = table(names, [self.X[:, 0]] * len(names))
        model = ready(forecaster(["a", "b"]))
        for call in (model.fit, model.predict, model.evaluate):
            with pytest.raises(ValueError, match=message):
                call(given)

    def test_names_that_occur_twice_are_refused(self):
        twice = pd.DataFrame(self.X, columns=["a", "a"])
        for model in (forecaster(["a", "b"]), forecaster(2)):
            with pytest.raises(ValueError, match="series: expected different names, got two of 'a'"):
                model.fit(twice, **QUICK)
        with pytest.raises(ValueError, match="columns: expected different names, got two of 'a'"):
            forecaster(["a", "a"])

    @pytest.mark.parametrize("columns", [{"a", "b"}, "ab"])
    def test_names_without_an_order_are_refused(self, columns):
        with pytest.raises(TypeError, match="Forecaster: columns: expected names or their number"):
            forecaster(columns)

    def test_names_after_a_training_without_names_are_refused(self, table):
        model = forecaster()
        model.fit(self.X, **QUICK)
        with pytest.raises(ValueError, match="trained on columns without names, got columns b, a"):
            model.predict(self.tables(table)[1])
        assert model.columns == ("0", "1")

    def test_numbers_as_names(self):
        model = forecaster()
        model.fit(pd.DataFrame(self.X), **QUICK)
        assert np.array_equal(model.predict(pd.DataFrame(self.X)[[1, 0]]), model.predict(self.X))

    @pytest.mark.parametrize("kind", [pd.Series, pl.Series])
    def test_one_column(self, kind):
        column = kind("sales", self.X[:, 0]) if kind is pl.Series else kind(self.X[:, 0], name="sales")
        model = forecaster(1)
        model.fit(column, **QUICK)
        assert model.columns == ("sales",)
        assert np.array_equal(model.predict(column), model.predict(self.X[:, 0]))
        other = column.rename("price")
        with pytest.raises(ValueError, match=r"expected the columns 'sales', got 'price'"):
            model.predict(other)

    def test_a_refused_fit_takes_no_names(self, table):
        model = forecaster()
        with pytest.raises(ValueError, match="steps"):
            model.fit(table(["a", "b"], list(self.X[:3].T)), **QUICK)
        assert model.columns == ("0", "1")

    def test_kinds_of_numbers(self):
        x = np.arange(40)
        mixed = pd.DataFrame({"b": x % 2 == 0, "i": x, "f": x / 7, "n": pd.array(x, "Int64")})
        plain = np.stack([x % 2 == 0, x, x / 7, x], axis=1).astype(float)
        model = forecaster(["b", "i", "f", "n"])
        model.fit(mixed, **QUICK)
        assert np.array_equal(model.predict(mixed), model.predict(plain))
        with pytest.raises(rnnrs.DTypeError, match=r"series\['i'\]: expected real numbers"):
            model.predict(mixed.assign(i="x"))
        with pytest.raises(
            ValueError, match=r"series: expected finite numbers, got \[1.0, 0.0, 0.0, nan\] at step 0"
        ):
            model.predict(mixed.assign(n=pd.array([None, *x[1:]], "Int64")))
        with pytest.raises(ValueError, match="expected finite numbers"):
            model.predict(pl.DataFrame(mixed.drop(columns="n")).with_columns(n=pl.Series([None, *x[1:]])))


DAYS = pd.date_range("2020-01-01", periods=12, freq="D")


def without(index, row):
    return index.delete(row)


class TestIndex:
    @pytest.mark.parametrize(
        "index",
        [
            pd.RangeIndex(12),
            pd.RangeIndex(100, 112),
            pd.date_range("2020-01-01", periods=12, freq="MS"),
            pd.date_range("2020-01-31", periods=12, freq="ME"),
            pd.date_range("2020-01-01", periods=12, freq="QS"),
            pd.date_range("2020-01-01", periods=12, freq="YS"),
            pd.date_range("2020-01-03", periods=12, freq="B"),
            pd.date_range("2020-01-03", periods=12, freq="W"),
            pd.date_range("2020-03-28", periods=12, freq="6h", tz="Europe/Oslo"),
            pd.date_range("2020-01-01", periods=12, freq="10ns"),
            pd.period_range("2020-01", periods=12, freq="M"),
            pd.timedelta_range("1s", periods=12, freq="250ms"),
            pd.Index([f"{2000 + y}-{m:02}" for y in range(3) for m in (3, 6, 9, 12)]),
            pd.Index([str(day.date()) for day in DAYS]),
            pd.Index([day.date() for day in DAYS], dtype=object),
            pd.Index([f"step {i}" for i in range(12)]),
            pd.Index(np.arange(12) * 0.1),
            pd.Index(np.arange(12)[::-1] * -2),
        ],
    )
    def test_successive_steps_are_taken(self, index):
        model = ready(Forecaster(1, hidden_size=4))
        values = np.arange(12.0)
        assert np.array_equal(model.predict(pd.Series(values, index=index)), model.predict(values))

    @pytest.mark.parametrize(
        ("index", "message"),
        [
            (without(DAYS, 5), "got 2020-01-07 after 2020-01-05: a gap"),
            (DAYS[::-1], "got 2020-01-11 after 2020-01-12: it goes backward"),
            (DAYS[[0, 1, 1, 2]], "got 2020-01-02 after 2020-01-02: it repeats"),
            (DAYS[[0, 1, 2]].append(DAYS[[0, 1, 2]]), "got 2020-01-01 after 2020-01-03: it goes backward"),
            (
                without(pd.date_range("2020-01-01", periods=12, freq="MS"), 5),
                "got 2020-07-01 after 2020-05-01",
            ),
            (
                without(pd.date_range("2020-01-01", periods=12, freq="B"), 7),
                "got 2020-01-13 after 2020-01-09",
            ),
            (without(pd.period_range("2020", periods=9, freq="Y"), 3), "got 2024-01-01 after 2022-01-01"),
            (without(pd.date_range("2020-01-01", periods=9, freq="h"), 3), "got 2020-01-01T04:00:00 after"),
            (pd.DatetimeIndex(["2020-01-01", None, "2020-01-03"]), "got no date after 2020-01-01: a missing"),
            (pd.Index(["2020-01", "2020-02", "2020-04"]), "got 2020-04 after 2020-02: a gap"),
            (pd.Index([datetime.date(2020, 1, d) for d in (1, 2, 2)]), "got 2020-01-02 after 2020-01-02"),
            (pd.Index([0, 1, 3, 4]), "got 3 after 1: a gap"),
            (pd.Index([3, 2, 1]), "got 2 after 3: it goes backward"),
            (pd.Index(["x", "y", "x"]), "got x after y: it repeats"),
            (pd.MultiIndex.from_product([["x"], range(3)]), "one series, got an index of 2 levels"),
        ],
    )
    @pytest.mark.parametrize("as_table", [False, True])
    def test_others_are_refused(self, index, message, as_table):
        values = pd.Series(np.arange(float(len(index))), index=index, name="0")
        given = values.to_frame() if as_table else values
        model = ready(Forecaster(1, hidden_size=4))
        for name in ("fit", "predict", "evaluate"):
            with pytest.raises(ValueError, match=f"Forecaster.{name}: series: .*{message}"):
                getattr(model, name)(given)

    def test_rows_in_another_order_are_refused_by_date_in_sequences_too(self):
        model = ready(SequenceClassifier(["a", "b"], input_size=2))
        sequence = pd.DataFrame({"x": range(12), "y": range(12)}, index=DAYS)
        assert model.predict([without_some := sequence.iloc[[0, 1, 5]]])[0] in "ab" and len(without_some) == 3
        with pytest.raises(
            ValueError, match=r"sequences\[1\]: .*got 2020-01-11 after 2020-01-12: it goes back"
        ):
            model.predict([sequence, sequence[::-1]])


LENGTHS = [3, 4, 5] * 4
X = [DRAW.normal(size=(n, 2)) * [1, 50] for n in LENGTHS]
LABELS = ["no", "yes"] * 6

MODELS = [
    (SequenceClassifier, lambda labels, lengths: labels),
    (SequenceTagger, lambda labels, lengths: [[a] * n for a, n in zip(labels, lengths, strict=True)]),
]


@pytest.mark.parametrize(("kind", "targets"), MODELS)
class TestSequences:
    def test_columns_in_another_order(self, kind, targets, table, tmp_path):
        ahead = [table(["a", "b"], list(x.T)) for x in X]
        swapped = [table(["b", "a"], list(x.T[::-1])) for x in X]
        y = targets(LABELS, LENGTHS)
        models = []
        for data in (ahead, [*ahead[:1], *swapped[1:]]):  # the names of the first one are the order
            model = kind(["no", "yes"], input_size=2, hidden_size=4)
            model.fit(data, y, (swapped, y), **QUICK)
            assert model.columns == ("a", "b")
            models.append(model)
        models[1].save(tmp_path / "m")
        models.append(kind.load(tmp_path / "m"))
        for model in models:
            for data in (ahead, swapped, X):
                p, known = model.predict_proba(data), models[0].predict_proba(X)
                assert all(map(np.array_equal, p, known))
            assert model.evaluate(swapped, y).loss == models[0].evaluate(ahead, y).loss

    def test_other_columns_are_refused(self, kind, targets, table):
        model = kind(["no", "yes"], input_size=2, hidden_size=4)
        x = [table(["a", "b"], list(x.T)) for x in X]
        x[3] = table(["a", "c"], list(X[3].T))
        with pytest.raises(
            ValueError, match=r"fit: sequences\[3\]: expected the columns 'a', 'b', got 'a', 'c'"
        ):
            model.fit(x, targets(LABELS, LENGTHS), **QUICK)
        assert model.columns == ()
        model.fit(X, targets(LABELS, LENGTHS), **QUICK)
        with pytest.raises(ValueError, match=r"sequences\[0\]: .*trained on columns without names"):
            model.predict(x)

    @pytest.mark.parametrize(
        ("names", "labels"),
        [
            (["no", "yes"], [0, 1] * 6),
            (["no", "yes"], np.array(LABELS)),
            (["no", "yes"], np.array(LABELS, object)),
            (np.array(["no", "yes"]), pd.Series(LABELS, index=range(7, 19))),
            (pd.Index(["no", "yes"]), pd.Series(LABELS, dtype="category")),
            (pl.Series(["no", "yes"]), pl.Series(LABELS)),
            (["no", "yes"], np.array([False, True] * 6)),
            ([False, True], [False, True] * 6),
            (np.array([False, True]), pd.Series([False, True] * 6)),
            (["False", "True"], np.array([False, True] * 6)),
            (["0", "1"], np.array([False, True] * 6)),
            ([0, 1], np.array([0, 1] * 6, np.int8)),
            (np.array([0, 1]), pd.DataFrame({"label": ["0", "1"] * 6})),
            ([3, 7], pl.Series([3, 7] * 6)),
        ],
    )
    def test_kinds_of_labels(self, kind, targets, names, labels):
        known = kind(["no", "yes"], input_size=2, hidden_size=4)
        known.fit(X, targets(LABELS, LENGTHS), **QUICK)
        model = kind(names, input_size=2, hidden_size=4)
        each = labels if kind is SequenceClassifier else np.asarray(labels).ravel().tolist()
        model.fit(X, targets(each, LENGTHS), 0.0, **QUICK)
        assert np.array_equal(model.parameters.flat, known.parameters.flat)
        assert model.evaluate(X, targets(each, LENGTHS)).loss == pytest.approx(
            known.evaluate(X, targets(LABELS, LENGTHS)).loss
        )
        assert model.labels == tuple(np.asarray(names).tolist())
        found = np.ravel(model.predict(X[:1])[0])[0]
        assert type(found.item() if hasattr(found, "item") else found) is type(np.asarray(names).tolist()[0])

    @pytest.mark.parametrize(
        ("names", "labels"),
        [(["a", "b", "c"], [True]), (["7", "8"], [True]), (["a", "b"], [1.0]), (["a", "b"], [2])],
    )
    def test_other_labels_are_refused(self, kind, targets, names, labels):
        model = kind(names, input_size=2, hidden_size=4)
        with pytest.raises(ValueError, match=r"\[0\]: expected one of (a|7), "):
            model.fit(X[:1], targets(labels, LENGTHS[:1]), **QUICK)

    @pytest.mark.parametrize(
        ("names", "error"),
        [
            ("ab", TypeError),
            ({"a", "b"}, TypeError),
            (["a", 1], TypeError),
            ([1.0, 2.0], TypeError),
            (["a", "a"], ValueError),
            ([1, 1], ValueError),
            (np.ma.array([1, 2]), ValueError),
        ],
    )
    def test_other_names_are_refused(self, kind, targets, names, error):
        with pytest.raises(error, match=rf"{kind.__name__}: (classes|tags): expected"):
            kind(names, input_size=2)


def test_names_of_other_types_are_in_the_file(tmp_path):
    model = ready(SequenceClassifier(np.array([3, 7]), input_size=1, hidden_size=4))
    model.save(tmp_path / "m")
    again = rnnrs.load(tmp_path / "m")
    assert again.classes == (3, 7) and again.predict([[1.0]]) == model.predict([[1.0]])


def test_a_table_of_texts_and_labels():
    frame = pd.DataFrame({"text": ["ping", "pong"] * 8, "label": ["i", "o"] * 8}, index=range(50, 66))
    model = SequenceClassifier.from_texts(frame["text"], frame["label"], hidden_size=8, embedding_size=4)
    model.fit(frame["text"], frame["label"], 0.25, epochs=30, learning_rate=0.02, progress=False)
    assert model.predict(frame["text"]) == list(frame["label"])
    shuffled = frame["label"].sort_values()
    for call in (model.fit, model.evaluate):  # both name the first row that differs
        with pytest.raises(ValueError, match=r"labels: expected the index of sequences, got .* \(row 1\)"):
            call(frame["text"], shuffled)


def test_a_readers_columns_are_found_by_their_names():
    x = np.stack(X[:3:3] * 6, axis=1)
    data = LabeledSequences(x, np.full(6, 3), np.array([0, 1] * 3), ("no", "yes"), ("a", "b"))
    swapped = data._replace(x=x[..., ::-1], columns=("b", "a"))
    model = SequenceClassifier.from_data(data, hidden_size=4)
    model.fit(data, validation=swapped, **QUICK)
    assert np.array_equal(model.predict_proba(swapped), model.predict_proba(data))
    assert model.evaluate(swapped).loss == model.evaluate(data).loss
