"""What counts in losses and metrics: padding and what is not scored never does, whatever the batches."""

import copy

import numpy as np
import pytest
import small_applications as small

from rnnrs import Trainer, losses, nn, optim
from rnnrs.data import (
    ArrayBatches,
    Batch,
    PairBatches,
    SentenceBatches,
    SequenceBatches,
    TruncatedBPTT,
)
from rnnrs.models import JordanNetwork, LanguageModel, RecurrentNetwork, VectorToSequence
from rnnrs.text import CharVocabulary
from rnnrs.train import BestParameters, Callback, EarlyStopping

DRAW = np.random.default_rng(0)
T, N, O = 6, 9, 4
LENGTHS = DRAW.integers(1, T + 1, N)
LENGTHS[0], LENGTHS[1] = T, 1
X = DRAW.normal(size=(T, N, 3))
IDS = DRAW.integers(0, O, (T, N))
IDS[0, 1] = -1  # a sequence without any scored step
VALUES = DRAW.uniform(0, 1, size=(T, N, O))
INSIDE = np.arange(T)[:, None] < LENGTHS
WEIGHTS = np.array([0.5, 2.0, 0.0, 1.0])


def softmax_losses(o, y):
    o = o - o.max(axis=-1, keepdims=True)
    log_p = o - np.log(np.exp(o).sum(axis=-1, keepdims=True))
    return -np.take_along_axis(log_p, np.maximum(y, 0)[..., None], axis=-1)[..., 0]


def sigmoid_losses(o, y):
    return (np.maximum(o, 0) - o * y + np.log1p(np.exp(-np.abs(o)))).sum(axis=-1)


#: Each loss by name: how it is made, the targets, and NumPy's (losses of the positions, weights).
CASES = {
    "softmax": (losses.SoftmaxCrossEntropy, IDS, lambda o: (softmax_losses(o, IDS), (IDS >= 0) & INSIDE)),
    "class weights": (
        lambda r: losses.SoftmaxCrossEntropy(r, class_weights=WEIGHTS),
        IDS,
        lambda o: (softmax_losses(o, IDS), WEIGHTS[IDS] * ((IDS >= 0) & INSIDE)),
    ),
    "another ignored id": (
        lambda r: losses.SoftmaxCrossEntropy(r, ignore_id=2),
        np.maximum(IDS, 0),
        lambda o: (softmax_losses(o, np.maximum(IDS, 0)), (np.maximum(IDS, 0) != 2) & INSIDE),
    ),
    "no ignored id": (
        lambda r: losses.SoftmaxCrossEntropy(r, ignore_id=None),
        np.maximum(IDS, 0),
        lambda o: (softmax_losses(o, np.maximum(IDS, 0)), INSIDE),
    ),
    "squared": (losses.SquaredError, VALUES, lambda o: (np.square(o - VALUES).sum(axis=-1), INSIDE)),
    "sigmoid": (losses.SigmoidCrossEntropy, VALUES, lambda o: (sigmoid_losses(o, VALUES), INSIDE)),
}


def spoiled(array, filler):
    """Returns an array whose padding is something else."""
    inside = INSIDE.reshape(*INSIDE.shape, *[1] * (array.ndim - 2))
    return np.where(inside, array, np.asarray(filler, array.dtype))


def batches(x, y, size):
    """Divides the sequences into batches, each with its own T."""
    found = []
    for first in range(0, N, size):
        part = slice(first, first + size)
        most = LENGTHS[part].max()
        found.append(Batch(x[:most, part], y[:most, part], lengths=LENGTHS[part], keys=np.arange(N)[part]))
    return found


def recurrent(loss, tokens):
    rnn = nn.Bidirectional(nn.GRU(3, 5, seed=1, dtype="float64"), nn.GRU(3, 5, seed=2, dtype="float64"))
    embedding = nn.Embedding(O, 3, seed=4, dtype="float64") if tokens else None
    return RecurrentNetwork(rnn, nn.Linear(10, O, seed=3, dtype="float64"), loss, embedding=embedding)


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("case", CASES)
def test_losses_of_a_recurrent_network(case, reduction, tokens):
    make, y, expected = CASES[case]
    x = np.maximum(IDS, 0) if tokens else X
    network = recurrent(make(reduction), tokens)
    o, _ = network.forward(x, lengths=LENGTHS)
    each, weights = expected(o)
    total = float((each * weights).sum())
    wanted = total / weights.sum() if reduction == "mean" else total
    filler = 999 if y is not VALUES else np.nan
    whole = Batch(
        spoiled(x, 999 if tokens else 0.0), spoiled(y, 0.0 if y is VALUES else filler), lengths=LENGTHS
    )
    L, _ = network.loss(whole)
    assert float(L) == pytest.approx(wanted, rel=1e-12)
    gradient = network.gradients.flat.copy()
    trainer = Trainer(network, optim.SGD())
    for size in (1, 2, 4, N):
        parts = batches(whole.inputs, whole.targets, size)
        assert trainer.evaluate(parts) == pytest.approx(wanted, rel=1e-12), size
        network.gradients.fill(0.0)
        for part in parts:
            L, _ = network.loss(part)
            assert network.batch_weight(part) > 0 or L == 0.0
        if reduction == "sum":
            assert network.gradients.flat == pytest.approx(gradient, rel=1e-9, abs=1e-12)
    clean = Batch(spoiled(x, 0), spoiled(y, -1 if y is IDS else 0), lengths=LENGTHS)
    assert network.batch_weight(whole) == network.batch_weight(clean) == pytest.approx(weights.sum())


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kind", ["jordan of ids", "jordan of values", "vector"])
def test_losses_of_the_other_networks(kind, reduction):
    if kind == "jordan of values":
        network = JordanNetwork(nn.JordanRNN(3, 5, O, dtype="float64"), losses.SquaredError(reduction))
        o, _ = network.forward(X, VALUES, lengths=LENGTHS)
        each, weights, x, y = np.square(o - VALUES).sum(axis=-1), INSIDE, X, VALUES
    elif kind == "jordan of ids":
        jordan = nn.JordanRNN(3, 5, O, feedback="softmax", dtype="float64")
        network = JordanNetwork(jordan, losses.SoftmaxCrossEntropy(reduction))
        o, _ = network.forward(X, IDS, lengths=LENGTHS)
        each, weights, x, y = softmax_losses(o, IDS), (IDS >= 0) & INSIDE, X, IDS
    else:
        rnn, output = nn.GRU(6, 5, dtype="float64"), nn.Linear(5, O, dtype="float64")
        embedding = nn.Embedding(O, 3, dtype="float64")
        network = VectorToSequence(rnn, output, losses.SoftmaxCrossEntropy(reduction), embedding=embedding)
        o, _ = network.forward(X[0], T, IDS, lengths=LENGTHS)
        each, weights, x, y = softmax_losses(o, IDS), (IDS >= 0) & INSIDE, X[0], IDS
    total = float((each * weights).sum())
    wanted = total / weights.sum() if reduction == "mean" else total
    y = spoiled(y, 3 if y is IDS else 7.0)
    L, _ = network.loss(Batch(x, y, lengths=LENGTHS))
    assert float(L) == pytest.approx(wanted, rel=1e-12)
    for size in (1, 4):
        parts = [
            Batch(x[..., part, :], y[:, part], lengths=LENGTHS[part])
            for part in (slice(first, first + size) for first in range(0, N, size))
        ]
        assert Trainer(network, optim.SGD()).evaluate(parts) == pytest.approx(wanted, rel=1e-12)
        if kind != "vector":
            gap = network.exposure_gap(parts)
            assert gap.teacher_forced == pytest.approx(total / weights.sum(), rel=1e-12)
            assert gap.positions == weights.sum()


@pytest.mark.parametrize(
    "criterion", [losses.SoftmaxCrossEntropy, losses.AdaptiveCrossEntropy, losses.SampledSoftmax, losses.NCE]
)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_losses_through_an_output_layer(criterion, reduction):
    layer = nn.AdaptiveSoftmax(5, 8, cutoffs=[3, 5]) if "Adaptive" in criterion.__name__ else nn.Linear(5, 8)
    h, y = DRAW.normal(size=(T, N, 5)).astype(np.float32), DRAW.integers(0, 8, (T, N))
    y[~INSIDE] = -1
    w = DRAW.uniform(size=(T, N)).astype(np.float32)
    loss = criterion(reduction=reduction)
    for weights in (None, w):
        counts = (np.ones((T, N)) if weights is None else w) * (y >= 0)
        L, each, dh = loss.through(layer, h, y, weights)
        total = float((each.astype(np.float64) * counts).sum())
        assert float(L) == pytest.approx(total / counts.sum() if reduction == "mean" else total, rel=1e-5)
        assert not each[y < 0].any() and not dh[y < 0].any() and dh[y >= 0].any()


def text_network():
    return LanguageModel(CharVocabulary.build("abcdefgh"), embedding_size=4, hidden_size=5, seed=1)


@pytest.mark.parametrize("kind", ["ids", "values", "language"])
@pytest.mark.parametrize("carries", [False, True])
def test_a_batch_in_which_nothing_counts_contributes_nothing(kind, carries):
    def network():
        if kind == "language":
            return text_network()
        loss = losses.SoftmaxCrossEntropy() if kind == "ids" else losses.SquaredError()
        return RecurrentNetwork(nn.GRU(3, 5, seed=1), nn.Linear(5, O, seed=3), loss)

    x = DRAW.integers(0, 8, (T, 2)) if kind == "language" else X[:, :2]
    y = VALUES[:, :2] if kind == "values" else np.maximum(IDS[:, :2], 0)
    full = Batch(x, y)
    empty = Batch(x, y, lengths=[0, 0]) if kind == "values" else Batch(x, np.full((T, 2), -1))

    class Stream:
        carries_state = carries

        def __init__(self, *parts):
            self.parts = parts

        def __len__(self):
            return len(self.parts)

        def epoch(self, number):
            return self.parts

        def fingerprint(self):
            return "x"

    class Counting(Callback):
        def __init__(self):
            self.steps = []

        def on_step(self, run, record):
            self.steps.append((record.step, record.positions))

    trained = []
    for parts in ((full, empty, full), (full, full)) if not carries else ((full, empty, full),):
        model, counting = network(), Counting()
        rule = optim.AdamW(0.1, weight_decay=0.1)
        trainer = Trainer(model, rule, callbacks=[counting, EarlyStopping(9), BestParameters()])
        history = trainer.fit(Stream(*parts), epochs=2, validation=Stream(empty, full))
        assert counting.steps == [(step, 2 * T) for step in range(1, 5)] and len(history.validation) == 2
        trained.append(model.parameters.flat.tobytes())
    if carries:
        by_hand, rule = network(), optim.AdamW(0.1, weight_decay=0.1)
        for _ in range(2):
            state = None
            for part in (full, empty, full):
                by_hand.gradients.fill(0.0)
                L, state = by_hand.loss(part, state)
                if part is full:
                    rule.step(by_hand.parameters, by_hand.gradients)
                else:
                    assert L == 0.0 and not by_hand.gradients.flat.any()
        trained.append(by_hand.parameters.flat.tobytes())
    assert trained[0] == trained[1]
    with pytest.raises(ValueError, match=r"Trainer\.fit: data: expected at least one scored position"):
        Trainer(network(), optim.SGD()).fit([empty], max_steps=3)
    with pytest.raises(ValueError, match=r"Trainer\.evaluate: data: expected at least one scored position"):
        Trainer(network(), optim.SGD()).evaluate([empty])


@pytest.mark.parametrize("build", [small.translator, small.captioner])
def test_a_batch_of_an_application_in_which_nothing_counts(build):
    model, data, _ = build()
    kept = {}

    class Keeping(Callback):
        def on_start(self, run):
            kept["data"] = run

    model.fit(*data, epochs=1, progress=False)
    batch = (
        model.encoding.batches("test", data[0], 4, 0).epoch(0)[0]
        if build is small.translator
        else model._batches("test", *data, model.settings, changed=False).epoch(0)[0]
    )
    empty = batch._replace(targets=np.full_like(batch.targets, -1))
    before = copy.deepcopy(model.gradients)
    assert model.loss(empty)[0] == 0.0 and np.array_equal(before.flat, model.gradients.flat)
    trainer = Trainer(model, optim.SGD(0.1))
    trainer.fit([empty, batch], epochs=1)
    assert trainer.step == 1


def batchers():
    yield "sentences", SentenceBatches([[1, 2, 3], [4], [5, 6]], 2, 0), 9
    yield "pairs", PairBatches([[1, 2], [3]], [[1, 2, 3], [4]], 2, 0), 6
    steps = [DRAW.normal(size=(n, 2)) for n in (3, 1, 5)]
    yield (
        "ids of steps",
        SequenceBatches(steps, [np.array([0, -1, 1]), np.array([1]), np.zeros(5, int)], 2),
        8,
    )
    yield "values of steps", SequenceBatches(steps, [np.ones((len(x), 2)) for x in steps], 2), 9
    yield "ids of sequences", SequenceBatches(steps, np.array([0, -1, 1]), 2), 2
    yield "values of sequences", SequenceBatches(steps, np.ones((3, 2)), 2), 3
    yield "arrays", ArrayBatches(X, np.where(IDS == 2, -1, IDS), 4), int(np.isin(IDS, [0, 1, 3]).sum())
    ids = DRAW.integers(0, 4, (20, 2))
    yield "windows", TruncatedBPTT(ids, ids, window=3, stride=3), 40
    yield "overlapping windows", TruncatedBPTT(ids, ids, window=5, stride=2), 40
    yield "windows with gaps", TruncatedBPTT(ids, ids, window=2, stride=5), 16
    yield "windows of values", TruncatedBPTT(ids, ids[..., None] * 1.0, window=2, stride=5), 16


@pytest.mark.parametrize(
    ("name", "data", "positions"), list(batchers()), ids=lambda v: v if isinstance(v, str) else ""
)
def test_the_positions_of_every_batcher(name, data, positions):
    assert sum(batch.positions for batch in data.epoch(0)) == positions


def test_perplexity_does_not_depend_on_the_batches():
    model = text_network()
    lines = ["abc", "defgh", "a", "hgfedcba"]
    ids = [model.vocabulary.encode(line) for line in lines]
    model.by_sentence = True
    expected = float(np.exp(-np.concatenate([model.score(line).log_probs for line in lines]).mean()))
    assert model.perplexity("\n".join(lines)) == pytest.approx(expected, rel=1e-6)
    for size in (1, 3, 4):
        data = SentenceBatches(ids, size, model.vocabulary.end_id)
        assert np.exp(Trainer(model, optim.SGD()).evaluate(data)) == pytest.approx(expected, rel=1e-6)
