"""Frozen parameters, and learning rates of groups."""

import copy
import pickle

import numpy as np
import pytest
import small_applications as small

from rnnrs import Trainer, losses, nn, optim
from rnnrs.data import Batch
from rnnrs.models import LanguageModel, RecurrentNetwork
from rnnrs.text import CharVocabulary
from rnnrs.train import Callback

DRAW = np.random.default_rng(0)


def networks():
    """Yields (name, network, batch): every kind of recurrence, with and without tokens."""
    ids = Batch(DRAW.integers(0, 9, (5, 3)), DRAW.integers(0, 4, (5, 3)), lengths=[5, 2, 4])
    x = Batch(DRAW.normal(size=(5, 3, 6)).astype(np.float32), DRAW.integers(0, 4, (5, 3)))
    layers = {
        "rnn": lambda: nn.RNN(6, 7, seed=1),
        "lstm": lambda: nn.LSTM(6, 7, seed=1),
        "gru": lambda: nn.GRU(6, 7, learn_state=True, seed=1),
        "layer_norm": lambda: nn.GRU(6, 7, layer_norm=True, seed=1),
        "weight_drop": lambda: nn.LSTM(6, 7, weight_drop=0.3, input_dropout=0.2, seed=1),
        "bidirectional": lambda: nn.Bidirectional(nn.GRU(6, 4), nn.GRU(6, 4, seed=2)),
        "stack": lambda: nn.Stack(nn.GRU(6, 7), nn.RNN(7, 7, seed=3), nn.LSTM(7, 7, seed=4), dropout=0.2),
        "residual": lambda: nn.Stack(nn.LSTM(6, 6), nn.LSTM(6, 6, seed=3), residual=True),
    }
    for name, build in layers.items():
        for batch, embedding in ((x, None), (ids, nn.Embedding(9, 6, row_dropout=0.1))):
            rnn = build()
            output = nn.Linear(rnn.hidden_size, 4, seed=5)
            network = RecurrentNetwork(rnn, output, losses.SoftmaxCrossEntropy(), embedding=embedding)
            yield f"{name}-{'tokens' if embedding else 'values'}", network, batch


def language(cutoffs=None, **sizes):
    vocabulary = CharVocabulary.build("abcdefgh")
    model = LanguageModel(vocabulary, embedding_size=6, hidden_size=6, cutoffs=cutoffs, seed=1, **sizes)
    ids = DRAW.integers(0, 8, (7, 4))
    return model, Batch(ids[:-1], ids[1:])


class Keeping(Callback):
    """Keeps the gradients of the first step."""

    def __init__(self):
        self.gradients = None

    def on_step(self, run, record):
        self.gradients = self.gradients or copy.deepcopy(run.model.gradients)


def gradients(network, batch):
    network.gradients.fill(0.0)
    noise = {"noise": 5} if network.stochastic else {}
    network.loss(batch, **noise)
    return {name: array.copy() for name, array in network.gradients.items()}


CASES = [
    *networks(),
    *(
        (name, *language(**options))
        for name, options in {
            "language": {},
            "language of layers": {"layers": 3, "cell": "gru", "dropout": 0.1},
            "tied": {"tied": True},
            "adaptive": {"cutoffs": (3, 5)},
        }.items()
    ),
]


@pytest.mark.parametrize(("name", "network", "batch"), CASES, ids=[case[0] for case in CASES])
def test_the_other_gradients_are_those_without_freezing_bit_for_bit(name, network, batch):
    expected = gradients(network, batch)
    prefixes = sorted({n.rpartition(".")[0] for n in network.parameters})
    groups = [[p] for p in prefixes] + [prefixes[:i] for i in range(1, len(prefixes))]
    groups += [[p for p in prefixes if p != kept] for kept in prefixes]
    for group in groups:
        network.parameters.unfreeze()
        network.parameters.freeze(*(f"{prefix}.*" for prefix in group))
        got = gradients(network, batch)
        for n in set(expected) - set(network.parameters.frozen):
            assert got[n].tobytes() == expected[n].tobytes(), (n, group)
    network.parameters.unfreeze()
    assert network.parameters.frozen == []


def test_nothing_is_computed_for_frozen_layers(monkeypatch):
    from rnnrs import _rnnrs

    calls = []

    def counted(name):
        original = getattr(_rnnrs, name)

        def call(*arguments, **options):
            calls.append(name)
            return original(*arguments, **options)

        monkeypatch.setattr(_rnnrs, name, call)

    products = ["recurrent_gradient", "recurrent_input_gradients", "embedding_backward", "linear_backward"]
    for name in [*products, "recurrent_backward"]:
        counted(name)
    rnn = nn.Stack(nn.GRU(6, 7), nn.RNN(7, 7, seed=3), nn.LSTM(7, 7, seed=4))
    network = RecurrentNetwork(
        rnn, nn.Linear(7, 4), losses.SoftmaxCrossEntropy(), embedding=nn.Embedding(9, 6)
    )
    batch = Batch(DRAW.integers(0, 9, (5, 3)), DRAW.integers(0, 4, (5, 3)))

    def work(*patterns):
        network.parameters.unfreeze()
        network.parameters.freeze(*patterns)
        calls.clear()
        gradients(network, batch)
        return {name: calls.count(name) for name in dict.fromkeys(calls)}

    assert work("embedding.*", "rnn.*") == {"linear_backward": 1}
    assert work("embedding.*", "rnn.0.*", "rnn.1.*", "output.*") == {
        "recurrent_backward": 1, "recurrent_input_gradients": 1, "recurrent_gradient": 1
    }  # fmt: skip
    assert work("rnn.*", "output.*") == {"recurrent_backward": 3, "embedding_backward": 1}
    language_model, batch = language(layers=2)
    network = language_model
    assert work("embedding.*", "rnn.*") == {}
    assert work("embedding.*", "rnn.0.*") == {
        "recurrent_backward": 1, "recurrent_input_gradients": 1, "recurrent_gradient": 1
    }  # fmt: skip


@pytest.mark.parametrize("build", small.APPLICATIONS)
def test_a_fit_leaves_frozen_parameters_unchanged(build):
    (model, data, _), first = build(), Keeping()
    model.fit(*data, epochs=1, progress=False, callbacks=[first])
    names = list(model.parameters)
    for frozen in (names[: len(names) // 2], names[len(names) // 2 :], names[::2]):
        (model, data, _), kept = build(), Keeping()
        before = {name: array.copy() for name, array in model.parameters.items()}
        model.parameters.freeze(*frozen)
        model.fit(*data, epochs=2, progress=False, clip_norm=None, callbacks=[kept])
        for name, array in model.parameters.items():
            unchanged = array.tobytes() == before[name].tobytes()
            assert unchanged == (name in frozen or not array.any()), name
            if name not in frozen:
                assert kept.gradients[name].tobytes() == first.gradients[name].tobytes(), name


@pytest.mark.parametrize("rule", sorted(optim.OPTIMIZERS))
def test_an_optimizer_skips_what_is_frozen_and_scales_the_rates(rule):
    make = {"sgd": {"momentum": 0.9, "weight_decay": 0.1}, "adamw": {"weight_decay": 0.1}}
    options = make.get(rule, {"weight_decay": 0.1})
    shapes = {"a": (3, 2), "b": (5,), "c": (4,), "d": (2,)}
    g = DRAW.normal(size=17).astype(np.float32)
    whole, expected = nn.Parameters(shapes, flat=np.arange(17, dtype=np.float32)), {}
    for factor in (1.0, 0.25):
        alone = nn.Parameters(shapes, flat=whole.flat.copy())
        optimizer = optim.OPTIMIZERS[rule](0.1 * factor, **options)
        for _ in range(3):
            optimizer.step(alone, nn.Parameters(shapes, flat=g), scale=0.5)
        expected[factor] = alone
    whole.freeze("b")
    whole.scale_learning_rate("[cd]", 0.25)
    gradients = whole.zeros_like()
    gradients.flat[...] = g
    optimizer = optim.OPTIMIZERS[rule](0.1, **options)
    for _ in range(3):
        optimizer.step(whole, gradients, scale=0.5)
    assert whole["a"].tobytes() == expected[1.0]["a"].tobytes()
    for name in "cd":
        assert whole[name] == pytest.approx(expected[0.25][name], rel=1e-6)
    assert whole["b"].tolist() == [6, 7, 8, 9, 10]
    assert all(not vector[6:11].any() for vector in optimizer.state().values())
    norm = float(np.sqrt(np.sum(np.square(np.delete(g, range(6, 11)), dtype=np.float64))))
    assert optim.clip_norm(gradients, 1e9) == pytest.approx(norm, rel=1e-6)
    assert optim.clip_factor(gradients, 1.0)[1] == pytest.approx(norm, rel=1e-6)


def test_tracked_rows_of_large_tables_are_clipped_and_trained_beside_frozen_arrays():
    layers = {"table": nn.Embedding(3000, 50), "other": nn.Linear(50, 3000, seed=1), "last": nn.Linear(2, 2)}
    parameters, gradients = nn.join(**layers)
    ids = np.array([3, 2999, 3])
    layers["table"].backward(layers["table"].forward(ids)[1], np.ones((3, 50), np.float32))
    layers["last"].gradients.touch("V", [0])[...] = 2.0
    assert gradients.spans() is not None
    before = parameters._flat.copy()
    parameters.freeze("other.*", "last.V")
    assert optim.clip_norm(gradients, 1e9) == pytest.approx(np.sqrt(50 * (4 + 1)))
    optim.SGD(1.0).step(parameters, gradients)
    changed = np.flatnonzero(parameters._flat != before)
    assert set(changed // 50) == {3, 2999}


def test_copies_pickles_joined_layers_and_new_gradients_keep_it():
    layer = nn.GRU(3, 4)
    layer.parameters.freeze("U")
    layer.parameters.scale_learning_rate("W", 0.5)
    network = RecurrentNetwork(nn.Stack(layer, nn.GRU(4, 4)), nn.Linear(4, 1), losses.SquaredError())
    network.parameters.freeze("output.c")
    for each in (network, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert each.parameters.frozen == each.gradients.frozen == ["rnn.0.U", "output.c"]
        assert each.parameters.learning_rate_factors == {"rnn.0.W": 0.5}
        assert each.rnn.layers[0].parameters.frozen == ["U"]
        assert each.rnn.layers[0].parameters.zeros_like().frozen == ["U"]
        each.rnn.layers[0].parameters.unfreeze()
        assert each.parameters.frozen == ["output.c"]


@pytest.mark.parametrize("verb", ["freeze", "unfreeze", "scale_learning_rate"])
def test_a_pattern_without_a_name_is_refused(verb):
    parameters = nn.GRU(3, 4).parameters
    more = (0.5,) if verb == "scale_learning_rate" else ("U",)
    with pytest.raises(ValueError, match=rf"Parameters.{verb}: .* names U, W, b, b_h; got 'rnn.\*'"):
        getattr(parameters, verb)("rnn.*", *more)
    assert parameters.frozen == [] and parameters.learning_rate_factors == {}


@pytest.mark.parametrize(
    ("factor", "error"),
    [(0.0, ValueError), (-1.0, ValueError), (np.inf, ValueError), (np.nan, ValueError), ("1", TypeError),
     (True, TypeError)],
)  # fmt: skip
def test_a_factor_is_a_finite_number_above_0(factor, error):
    with pytest.raises(error, match=r"Parameters\.scale_learning_rate: factor: expected"):
        nn.GRU(3, 4).parameters.scale_learning_rate("U", factor)


@pytest.mark.parametrize("build", [small.classifier, small.language, small.captioner])
def test_a_resumed_run_is_the_run_without_a_break(build, tmp_path):
    (whole, data, _), (part, _, _), (resumed, _, _) = build(), build(), build()
    for model in (whole, part):
        model.parameters.freeze("rnn.*" if "rnn.U" in model.parameters else next(iter(model.parameters)))
        model.parameters.scale_learning_rate("output.*", 0.3)
    options = {"progress": False, "schedule": "constant", "optimizer": "adamw"}
    whole.fit(*data, epochs=4, **options)
    part.fit(*data, epochs=2, checkpoint=tmp_path / "run.rnn", **options)
    resumed.fit(*data, epochs=4, resume=tmp_path / "run.rnn", **options)
    assert resumed.parameters.flat.tobytes() == whole.parameters.flat.tobytes()
    assert resumed.parameters.learning == whole.parameters.learning != {}


def test_everything_frozen_is_no_training():
    network = RecurrentNetwork(nn.GRU(3, 4), nn.Linear(4, 1), losses.SquaredError())
    network.parameters.freeze("*")
    with pytest.raises(ValueError, match=r"Trainer\.fit: model: .* all are frozen"):
        Trainer(network, optim.Adam()).fit([Batch(np.zeros((2, 1, 3)), np.zeros((2, 1, 1)))], epochs=1)
