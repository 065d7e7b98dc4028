"""Micro-batches: their gradients and losses add up to the whole batch's, for every kind of batch and model."""

import numpy as np
import pytest
import small_applications
import small_regions
from caught_trainings import caught, training

from rnnrs import Trainer, losses, nn, optim
from rnnrs.data import Batch, StreamBatches
from rnnrs.data.batch import positions
from rnnrs.errors import ShapeError
from rnnrs.models import JordanNetwork, LanguageModel, RecurrentNetwork, VectorToSequence
from rnnrs.models.language.network import LanguageNetwork
from rnnrs.text import TokenVocabulary
from rnnrs.train import ScheduledSampling
from rnnrs.train.micro_batches import MicroBatches
from rnnrs.train.ranks import Ranks
from rnnrs.train.tree_sum import TreeSum

RNG = np.random.default_rng(0)
IDS = RNG.integers(0, 9, 300)
RIGHT, INPUTS = RNG.integers(0, 4, (6, 5)), RNG.normal(size=(6, 5, 3))
LENGTHS = np.array([6, 2, 5, 1, 4])


def step(model, batch, M, state=None, carries=False, noise=7):
    """Returns loss, gradient and state of a batch that consists of M micro-batches."""
    parts, counts = MicroBatches(model, M, Ranks("test", None)), positions(batch)
    options = {"noise": noise} if getattr(model, "stochastic", False) else {}
    L, after = parts.total(parts.compute(batch, counts, state, carries, options), counts)
    return L, model.gradients.flat.copy(), after


def assert_whole(model, batch, state=None, carries=False, counts=(2, 3, 8), close=1e-12):
    L, g, after = step(model, batch, 1, state, carries)
    assert np.abs(g).max() > 0
    for M in counts:
        L_M, g_M, after_M = step(model, batch, M, state, carries)
        assert abs(L_M - L) <= close * abs(L)
        np.testing.assert_allclose(g_M, g, rtol=0, atol=close * np.abs(g).max())
        assert not carries or after_M.tobytes() == after.tobytes()


#: All but the captioner, whose batch normalization sees a micro-batch alone.
WHOLE = [make for make in small_applications.APPLICATIONS if make is not small_applications.captioner]


@pytest.mark.parametrize("make", WHOLE, ids=lambda make: make.__name__)
def test_the_gradient_of_every_application_is_that_of_the_whole_batch(make):
    model, data = training(make)
    batches = data.epoch(0)
    for batch in (batches[0], batches[len(batches) - 1]):
        close = 1e-12 if model.parameters.dtype == np.float64 else 1e-5
        assert_whole(model, batch, carries=data.carries_state, close=close)


def network(loss=None, **options):
    loss = losses.SoftmaxCrossEntropy() if loss is None else loss
    return RecurrentNetwork(nn.GRU(3, 5, dtype="float64"), nn.Linear(5, 4, dtype="float64"), loss, **options)


def dropping():
    rnn = nn.GRU(3, 5, recurrent_dropout=0.3, zoneout=0.2, weight_drop=0.2, dtype="float64")
    output = nn.Linear(5, 4, dtype="float64")
    return RecurrentNetwork(rnn, output, losses.SoftmaxCrossEntropy(), output_dropout=0.4)


BATCHES = {
    "plain": Batch(INPUTS, RIGHT),
    "lengths": Batch(INPUTS, RIGHT, lengths=LENGTHS),
    "keys": Batch(INPUTS, RIGHT, keys=np.array([3, 1, 4, 1, 5])),
    "resets": Batch(INPUTS, RIGHT, resets=RNG.random((6, 5)) < 0.3),
    "warm": Batch(INPUTS, RIGHT, warm=2),
    "carry": Batch(INPUTS, RIGHT, carry=4),
    "some": Batch(INPUTS, np.where(RNG.random((6, 5)) < 0.7, -1, RIGHT)),
    "one column": Batch(INPUTS, np.where(np.arange(5) == 2, RIGHT, -1)),
}


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("make", [network, dropping])
def test_every_part_of_a_batch_is_divided(make, name):
    state = RNG.normal(size=(5, 5))
    assert_whole(make(), BATCHES[name], state, carries=True, counts=(2, 5, 7))
    assert_whole(make(), BATCHES[name], None, carries=False, counts=(2,))


@pytest.mark.parametrize(
    "loss, targets",
    [
        (losses.SoftmaxCrossEntropy("sum"), RIGHT),
        (losses.SoftmaxCrossEntropy(class_weights=[0.5, 0.0, 3.0, 1.0], label_smoothing=0.1), RIGHT),
        (
            losses.SoftmaxCrossEntropy(class_weights=[0.5, 0.0, 3.0, 1.0]),
            np.where(np.arange(5) < 2, 1, RIGHT),
        ),
        (losses.SoftmaxCrossEntropy(ignore_id=2), RIGHT),
        (losses.SquaredError(), RNG.normal(size=(6, 5, 4))),
        (losses.SquaredError("sum"), RNG.normal(size=(6, 5, 4))),
        (losses.SigmoidCrossEntropy(), RNG.random((6, 5, 4))),
    ],
)
def test_losses_are_scaled_by_what_counts(loss, targets):
    assert_whole(network(loss), Batch(INPUTS, targets, lengths=LENGTHS))


def test_one_target_for_each_sequence():
    pooled = network(pooling=nn.Pooling("mean"))
    assert_whole(pooled, Batch(INPUTS, RIGHT[0], lengths=LENGTHS))
    assert_whole(
        network(losses.SquaredError(), pooling=nn.Pooling("max")), Batch(INPUTS, RNG.normal(size=(5, 4)))
    )


@pytest.mark.parametrize("B", [8, 9])
def test_as_many_values_as_sequences_are_still_one_target_each(B):
    x, y = RNG.normal(size=(4, B, 3)), RNG.normal(size=(B, 4))  # T = O = 4, and so many sequences in a run
    lengths = RNG.integers(1, 5, B)
    for model in (network(losses.SquaredError(), pooling=nn.Pooling(kind)) for kind in ("mean", "max")):
        assert_whole(model, Batch(x, y), counts=(2, 3))
        assert_whole(model, Batch(x, y, lengths=lengths), counts=(2, 3))
        four = Batch(x[:, :4], y[:4], lengths=lengths[:4])
        o = model.forward(four.inputs, lengths=four.lengths)[0]
        assert model.loss(four, gradient=False)[0] == model.loss_function(o, y[:4])[0]


def test_vectors_are_inputs_of_whole_sequences():
    def model(C):
        return VectorToSequence(
            nn.GRU(C, 5, dtype="float64"), nn.Linear(5, 4, dtype="float64"), losses.SoftmaxCrossEntropy()
        )

    assert_whole(model(3), Batch(INPUTS[0], RIGHT))
    square = Batch(np.arange(25).reshape(5, 5), RIGHT[:5])  # could be ids (T, B)
    assert_whole(model(5), square)


def test_plain_tuples_and_models_of_ones_own():
    assert_whole(network(), (INPUTS, RIGHT))
    assert_whole(network(), (INPUTS, RIGHT, LENGTHS))
    assert_whole(dropping(), (INPUTS, RIGHT))

    class Own:
        """o = c + V x, with a mean over steps and sequences."""

        def __init__(self):
            self.layer = nn.Linear(3, 2, dtype="float64")
            self.parameters, self.gradients = self.layer.parameters, self.layer.gradients

        def loss(self, batch, state=None, *, gradient=True):
            x, y = batch
            o, cache = self.layer.forward(x)
            L, do = losses.SquaredError()(o, y)
            if gradient:
                self.layer.backward(cache, do)
            return L, None

    assert_whole(Own(), (INPUTS, INPUTS[..., :2]))
    with pytest.raises(
        TypeError, match=r"micro_batches: expected batches that can be divided, .* got Strange"
    ):
        step(Own(), type("Strange", (), {"positions": 3})(), 2)


class Scaled:
    """o = w (x + state), of numbers (T, B) without an axis of their own; the state is that of `carry`."""

    def __init__(self, carry):
        self.parameters = nn.Parameters({"w": (1,)}, "float64")
        self.gradients = nn.Parameters({"w": (1,)}, "float64")
        self.parameters["w"][...] = 0.3
        self.carry = carry

    def loss(self, batch, state=None, *, gradient=True):
        x, y = batch
        x = x if state is None else x + np.ravel(state)
        error = x * self.parameters["w"] - y
        if gradient:
            self.gradients["w"][...] += 2 * (x * error).mean()
        return float((error**2).mean()), self.carry(x[-1])


def test_numbers_without_an_axis_of_their_own_are_divided_by_sequences():
    for B in (5, 6):  # 6 steps
        x, y = RNG.normal(size=(2, 6, B))
        assert_whole(Scaled(lambda last: last), (x, y), y[0], carries=True)


@pytest.mark.parametrize(
    "carry, given, error, message",
    [
        (lambda last: last[None, :], None, ShapeError, r"\(B, …\), got \(1, 2\)"),
        (lambda last: {"h": last}, None, TypeError, "states of B = 2 sequences, arrays .*, got dict"),
        (lambda last: last, np.zeros((6, 1)), ShapeError, r"states of B = 5 .*, got \(6, 1\)"),
    ],
)
def test_a_state_that_cannot_be_divided_is_refused(carry, given, error, message):
    with pytest.raises(error, match=message):
        step(Scaled(carry), (INPUTS[..., 0], INPUTS[..., 1]), 2, given, True)


def test_a_batch_of_classes_that_are_ignored_changes_nothing():
    ignoring = network(losses.SoftmaxCrossEntropy(ignore_id=2))
    for M in (1, 3):
        L, g, _ = step(ignoring, Batch(INPUTS, np.full((6, 5), 2)), M)
        assert L == 0.0 and not g.any()


def test_a_batch_whose_arrays_differ_is_refused():
    with pytest.raises(
        ShapeError, match=r"Batch: inputs: expected B = 5 sequences on axis 1, got \(6, 4, 3\)"
    ):
        Batch(INPUTS[:, :4], RIGHT).part(0, 2)
    with pytest.raises(ShapeError, match="Batch: lengths: expected B = 5 sequences on axis 0"):
        Batch(INPUTS, RIGHT, lengths=LENGTHS[:3]).part(0, 2)


def test_more_micro_batches_than_sequences_and_nothing_scored():
    assert_whole(network(), Batch(INPUTS[:, :1], RIGHT[:, :1]), counts=(2, 4))
    nothing = Batch(INPUTS, np.full((6, 5), -1))
    model, first = network(), RNG.normal(size=(5, 5))
    results = [step(model, nothing, M, first, True) for M in (1, 3)]
    assert results[0][0] == results[1][0] == 0.0
    assert results[0][2].tobytes() == results[1][2].tobytes()


def language(V, cell="gru", layers=1, **options):
    vocabulary = TokenVocabulary.build(" ".join(f"w{i}" for i in range(V - 2)), min_count=1)
    sizes = {"embedding_size": 5, "hidden_size": 6, "cell": cell, "layers": layers, "dtype": "float64"}
    return LanguageNetwork(vocabulary, **sizes | options)


DROPPING = {
    "dropout": 0.3,
    "recurrent_dropout": 0.2,
    "zoneout": 0.1,
    "weight_drop": 0.2,
    "row_dropout": 0.1,
}


UNEVEN = {
    "even": {},
    "lengths": {"lengths": np.array([7, 3, 7, 1, 5, 0, 2, 7, 6, 4, 4])},
    "resets": {"resets": np.random.default_rng(1).random((7, 11)) < 0.3},
}
UNEVEN["both"] = UNEVEN["lengths"] | UNEVEN["resets"]
UNEVEN["a run of no steps"] = {"lengths": np.array([7, 3, 7, 1, 0, 0, 2, 7, 6, 4, 4])}


@pytest.mark.parametrize("V", [3, 15, 200])  # below the steps of a run, of the batch, and above
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("options", [{"layers": 1}, {"layers": 2}, {"layers": 2} | DROPPING], ids=len)
@pytest.mark.parametrize("uneven", UNEVEN)
def test_a_language_model_reads_all_runs_at_once(V, cell, options, uneven, monkeypatch):
    model = language(V, cell, **options)
    ids = RNG.integers(0, V, (8, 11))
    targets = np.where(RNG.random((7, 11)) < 0.8, ids[1:], -1)
    targets[:, :2] = -1  # nothing counts in the first of 5 runs
    batch = Batch(ids[:-1], targets, **UNEVEN[uneven])
    state = RNG.normal(size=(11, model.rnn.state_size))
    assert_whole(model, batch, state, carries=True, counts=(2, 5))
    together = step(model, batch, 5, state, True)
    monkeypatch.setattr(MicroBatches, "_add_together", lambda *_: False)
    apart = step(model, batch, 5, state, True)
    assert (together[0], together[2].tobytes()) == (apart[0], apart[2].tobytes())
    np.testing.assert_allclose(together[1], apart[1], rtol=0, atol=1e-14)
    if V > 3:  # no sum of projected embeddings
        assert together[1].tobytes() == apart[1].tobytes()


@pytest.mark.parametrize(
    "options", [{"tied": True, "embedding_size": 6}, {"layer_norm": True}, {"cutoffs": [5, 9]}], ids=str
)
def test_other_language_models_are_divided_too(options):
    model = language(15, **options)
    ids = RNG.integers(0, 15, (8, 11))
    assert_whole(model, Batch(ids[:-1], ids[1:]))
    model.parameters.freeze("rnn.*")
    _, g, _ = step(model, Batch(ids[:-1], ids[1:]), 3)
    (start, end) = model.parameters._places()["rnn.W"]
    assert not g[start:end].any() and g.any()


def test_a_subclass_with_its_own_loss_keeps_it():
    class Doubled(LanguageNetwork):
        def loss(self, batch, state=None, *, gradient=True, noise=None):
            L, after = super().loss(batch, state, gradient=gradient, noise=noise)
            return 2 * L, after

    model = Doubled(language(15).vocabulary, hidden_size=4, embedding_size=3, dtype="float64")
    ids = RNG.integers(0, 15, (8, 11))
    batch = Batch(ids[:-1], ids[1:])
    assert np.isclose(step(model, batch, 4)[0], step(model, batch, 1)[0], rtol=1e-12)


def test_sampled_losses_draw_the_same_words_whatever_the_number():
    text = small_applications.TEXT
    words = {"level": "word", "vocabulary": {"min_count": 1}}
    model = LanguageModel.from_text(text, **words, **small_applications.SIZES, dtype="float64")
    batch = StreamBatches(model.vocabulary.encode(text), 4, 5).epoch(0)[0]
    assert batch.sequences == 4
    for kind in (losses.SampledSoftmax, losses.NCE):
        found = []
        for M in (1, 3, 6):
            model.objective = kind(4, seed=1)
            model.objective.step = 5
            found.append(step(model, batch, M, None, True))
            assert model.objective.step == 6
        for L, g, _ in found[1:]:
            assert np.isclose(L, found[0][0], rtol=1e-12)
            np.testing.assert_allclose(g, found[0][1], rtol=0, atol=1e-12)


def test_scheduled_sampling_draws_the_same_whatever_the_number():
    def run(M):
        jordan = nn.JordanRNN(3, 6, 4, feedback="sample", dtype="float64")
        model = JordanNetwork(jordan, teacher_forcing=0.5, seed=3)
        trainer = Trainer(
            model, optim.SGD(0.1), micro_batches=M, callbacks=[ScheduledSampling(lambda i: 0.6)]
        )
        trainer.fit([(INPUTS, RIGHT)], max_steps=5)
        return model.parameters.flat

    np.testing.assert_allclose(run(3), run(1), rtol=0, atol=1e-12)


def test_rows_of_a_large_embedding_are_added_as_rows():
    def make(tracked):
        embedding = nn.Embedding(50, 3, dtype="float32")
        if tracked:
            embedding.gradients.track_rows("E")
        return RecurrentNetwork(
            nn.RNN(3, 4), nn.Linear(4, 50), losses.SoftmaxCrossEntropy(), embedding=embedding
        )

    plain, sparse = make(False), make(True)
    data = StreamBatches(RNG.integers(0, 50, 400), 7, 3)
    assert sparse.gradients.spans() is not None
    for batch in data.epoch(0)[:5]:
        for M in (2, 5, 8):
            whole, rows = step(plain, batch, M), None
            parts = MicroBatches(sparse, M, Ranks("test", None))
            parts.total(parts.compute(batch, positions(batch), None, False, {}), positions(batch))
            rows = sparse.gradients._flat.copy()
            assert sparse.gradients.spans() is not None  # still tracked
            assert rows.tobytes() == (whole[1] + 0.0).tobytes()
            sparse.gradients.fill(0.0)
            assert not sparse.gradients._flat.any()


@pytest.mark.parametrize("M", range(1, 10))
def test_the_tree_adds_siblings_whatever_the_first_leaf(M):
    layer = nn.Linear(4, 30)
    leaves = RNG.standard_normal((M, layer.gradients.size)).astype(np.float32)
    level, nodes = 0, {(0, m): leaf * np.float32(0.3) for m, leaf in enumerate(leaves)}
    while len(nodes) > 1:
        level, before = level + 1, nodes
        nodes = {
            (level, i): before[level - 1, 2 * i] + before[level - 1, 2 * i + 1]
            if (level - 1, 2 * i + 1) in before
            else before[level - 1, 2 * i]
            for i in range(-(-len(before) // 2))
        }
    tree = TreeSum(M)
    for _ in range(2):  # the vectors are used again
        tree.clear(0)
        for leaf in leaves:
            layer.gradients.flat[...] = leaf
            tree.take(layer.gradients, 0.3)
            assert not layer.gradients.flat.any()
        (root,) = tree.partials().values()
        assert root.tobytes() == nodes[level, 0].tobytes()


def test_a_tree_keeps_few_vectors():
    layer, tree = nn.Linear(2, 2), TreeSum(64)
    for _ in range(64):
        tree.take(layer.gradients)
        assert len(tree._nodes) + len(tree._free) <= 7


def test_regions_and_batch_normalization_learn_from_all_parts():
    pictures, regions = small_regions.scenes(5, 1)
    regions[3] = []  # its picture alone is a micro-batch without words
    model = small_regions.small(pictures, regions, dtype="float64", channels=(2, 3, 4), dropout=0.2)
    _, data = caught(model.fit, pictures, regions, batch_size=len(pictures))
    batch = data.epoch(0)[0]
    parts = [batch.part(m, 5) for m in range(5)]
    (silent,) = (m for m, part in enumerate(parts) if len(part.pictures) and not len(part.boxes))
    check_slopes(model, batch, M=5)
    with pytest.raises(AssertionError):
        check_slopes(model, batch, M=5, without=silent)


def check_slopes(model, batch, M, without=None):
    """Compares the gradient's slope along each parameter with the micro-batches' losses."""
    _, g, _ = step(model, batch, M)
    shares = [
        lambda m=m: model.loss(batch.part(m, M), noise=7, whole=batch)[0] for m in range(M) if m != without
    ]
    kept = [average.copy() for average in model.averages]

    def total():
        found = sum(share() for share in shares)
        for average, was in zip(model.averages, kept, strict=True):
            average[...] = was
        return found

    theta, draw, eps = model.parameters.flat, np.random.default_rng(1), 1e-5
    here = theta.copy()
    for _ in range(4):
        random = draw.standard_normal(theta.shape)
        direction = g / np.linalg.norm(g) + random / np.linalg.norm(random)
        theta[...] = here + eps * direction
        above = total()
        theta[...] = here - eps * direction
        slope = (above - total()) / (2 * eps)
        theta[...] = here
        assert abs((g * direction).sum() - slope) <= 1e-5 * abs(slope)
