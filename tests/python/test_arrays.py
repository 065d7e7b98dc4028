"""Arrays that come in: masks, uneven lists and numbers beyond int64 are refused wherever they are."""

import numpy as np
import pytest
from small_applications import LABELS, PICTURES, SEQUENCES, SERIES, TEXTS

import rnnrs
from rnnrs import data, losses, models, nn
from rnnrs.checks import as_array, as_ids
from rnnrs.text import CharVocabulary

F = np.float32
T, B, I, H, O = 3, 2, 4, 5, 6
X, STATES, OUTPUTS, IMAGES = (
    np.random.default_rng(0).normal(size=shape).astype(F)
    for shape in ((T, B, I), (T, B, H), (T, B, O), (B, 6, 6, 3))
)
IDS = np.array([[1, 0], [2, 3], [5, 4]])
LENGTHS = np.array([3, 2])


def recurrent(layer, size=None):
    """Calls of a recurrent layer, with each array that it takes."""
    size = size or layer.hidden_size
    S = layer.state_size
    state, dh, embedding = np.zeros((B, S), F), np.ones((T, B, size), F), nn.Embedding(O, I)
    return {
        "forward": (lambda x, state, lengths: layer.forward(x, state, lengths=lengths), (X, state, LENGTHS)),
        "backward": (lambda dh, dstate: layer.backward(layer.forward(X)[1], dh, dstate), (dh, state)),
        "tokens": (lambda ids: layer.forward_tokens(embedding, ids), (IDS,)),
    }


def layer(layer, x, **more):
    """Calls of a layer with one input."""
    y, cache = layer.forward(x, **more)
    return {
        "forward": (lambda x: layer.forward(x, **more), (x,)),
        "backward": (lambda dy: layer.backward(cache, dy), (np.ones_like(y),)),
    }


def loss(made, o, y, output=None):
    """Calls of a loss."""
    weights = np.ones(IDS.shape, F)
    calls = {}
    if hasattr(made, "evaluate"):
        calls["evaluate"] = made.evaluate, (o, y, weights)
    if output is not None:
        calls["through"] = lambda h, y, weights: made.through(output, h, y, weights), (STATES, y, weights)
    return calls


def jordan():
    made = nn.JordanRNN(I, H, O)
    fed = np.zeros((T, B, O), F)
    return {
        "forward": (made.forward, (X, fed)),
        "ids": (lambda targets: made.forward(X, targets), (IDS,)),
    }


def attention():
    made = nn.Attention(H, H)
    context, cache = made.forward(STATES, STATES)[0], made.forward(STATES, STATES)[-1]
    return {
        "forward": (
            lambda h, memory, lengths: made.forward(h, memory, lengths=lengths),
            (STATES, STATES, LENGTHS),
        ),
        "backward": (lambda d: made.backward(cache, d), (np.ones_like(context),)),
    }


def trained(model, *arguments):
    model.fit(*arguments, epochs=1, progress=False)
    return model


OUTPUT = nn.Linear(H, O)
NETWORK = models.RecurrentNetwork(nn.RNN(I, H), nn.Linear(H, O), losses.SoftmaxCrossEntropy())
TIMES = np.array([0, 1] * 4)
CLASSIFIER = trained(
    models.SequenceClassifier(["even", "odd"], input_size=2, hidden_size=4), SEQUENCES, LABELS
)
CALLS = {
    "RNN": recurrent(nn.RNN(I, H)),
    "LSTM": recurrent(nn.LSTM(I, H)),
    "GRU": recurrent(nn.GRU(I, H)),
    "Stack": recurrent(nn.Stack(nn.GRU(I, H), nn.GRU(H, H))),
    "Bidirectional": recurrent(nn.Bidirectional(nn.GRU(I, H), nn.GRU(I, H)), 2 * H),
    "JordanRNN": jordan(),
    "Linear": layer(nn.Linear(H, O), STATES),
    "Embedding": {"forward": (nn.Embedding(O, I).forward, (IDS,))},
    "Dropout": layer(nn.Dropout(0.5), STATES, noise=1),
    "Pooling": layer(nn.Pooling("mean"), STATES),
    "AttentionPooling": layer(nn.AttentionPooling(H, 3), STATES),
    "Attention": attention(),
    "AdaptiveSoftmax": layer(nn.AdaptiveSoftmax(H, O, cutoffs=[3]), STATES),
    "Conv2d": layer(nn.Conv2d(3, 2, 3), IMAGES),
    "BatchNorm": layer(nn.BatchNorm(3), IMAGES),
    "MaxPool2d": layer(nn.MaxPool2d(2), IMAGES),
    "MeanPool2d": layer(nn.MeanPool2d(2), IMAGES),
    "GlobalPool2d": layer(nn.GlobalPool2d(), IMAGES),
    "Sequential": layer(nn.Sequential(nn.Conv2d(3, 2, 3)), IMAGES),
    "Parameters": {
        "set": (lambda V: OUTPUT.parameters.__setitem__("V", V), (OUTPUT.parameters["V"].copy(),))
    },
    "SoftmaxCrossEntropy": loss(losses.SoftmaxCrossEntropy(), OUTPUTS, IDS, OUTPUT),
    "SigmoidCrossEntropy": loss(losses.SigmoidCrossEntropy(), OUTPUTS, np.ones_like(OUTPUTS)),
    "SquaredError": loss(losses.SquaredError(), OUTPUTS, OUTPUTS),
    "SampledSoftmax": loss(losses.SampledSoftmax(3), None, IDS, OUTPUT),
    "NCE": loss(losses.NCE(3), None, IDS, OUTPUT),
    "AdaptiveCrossEntropy": loss(
        losses.AdaptiveCrossEntropy(), None, IDS, nn.AdaptiveSoftmax(H, O, cutoffs=[3])
    ),
    "Proposal": {"": (losses.Proposal, (np.ones(O),)), "unigram": (losses.Proposal.unigram, (np.ones(O),))},
    "class weights": {"": (lambda w: losses.SoftmaxCrossEntropy(class_weights=w), (np.ones(O),))},
    "StreamBatches": {"": (lambda ids: data.StreamBatches(ids, 2, 3), (IDS.ravel(),))},
    "SentenceBatches": {"": (lambda ids: data.SentenceBatches([ids], 2, 0), (IDS.ravel(),))},
    "ArrayBatches": {"": (lambda x, y: data.ArrayBatches(x, y, 2), (X, IDS))},
    "SequenceBatches": {
        "": (lambda x, y: data.SequenceBatches([x], [y], 2), (X[:, 0], IDS[:, 0])),
        "one each": (lambda y: data.SequenceBatches([X[:, 0], X[:, 1]], y, 2), (IDS[0],)),
    },
    "WindowBatches": {"": (lambda series: data.WindowBatches(series, 2, 1, 2), (X[:, 0],))},
    "TruncatedBPTT": {"": (lambda x, y: data.TruncatedBPTT(x, y, window=2), (X, IDS))},
    "CharVocabulary": {"decode": (CharVocabulary.build("abcdef").decode, (IDS.ravel(),))},
    "RecurrentNetwork": {
        "loss": (lambda x, y: NETWORK.loss(data.Batch(x, y)), (X, IDS)),
        "unfold": (lambda x, y: rnnrs.unfold(NETWORK, data.Batch(x, y)), (X, IDS)),
    },
    "Forecaster": {
        name: (getattr(trained(models.Forecaster(hidden_size=4), SERIES), name), (SERIES,))
        for name in ("fit", "predict", "evaluate")
    },
    "SequenceClassifier": {
        "fit": (lambda x, y: CLASSIFIER.fit([x] * 8, y, epochs=1, progress=False), (SEQUENCES[0], TIMES)),
        "predict": (lambda x: CLASSIFIER.predict([x] * 8), (SEQUENCES[0],)),
        "evaluate": (lambda x, y: CLASSIFIER.evaluate([x] * 8, y), (SEQUENCES[0], TIMES)),
    },
    "Captioner": {
        "fit": (
            lambda x: models.Captioner.from_pairs(PICTURES, TEXTS, channels=[4], hidden_size=4).fit(
                x, TEXTS, epochs=1, progress=False
            ),
            (PICTURES,),
        ),
    },
}
CASES = [
    (name, call, i) for name, calls in CALLS.items() for call in calls for i in range(len(calls[call][1]))
]


@pytest.mark.parametrize(("name", "call", "i"), CASES)
def test_masks_are_refused(name, call, i):
    function, given = CALLS[name][call]
    function(*given)
    for mask in (np.ma.nomask, np.arange(given[i].size).reshape(given[i].shape) == 1):
        arguments = list(given)
        arguments[i] = np.ma.array(given[i], mask=mask)
        with pytest.raises(ValueError, match=r"without missing values, got a masked array"):
            function(*arguments)


UNEVEN = [case for case in CASES if not case[0].startswith(("Parameters",))]


@pytest.mark.parametrize(("name", "call", "i"), UNEVEN)
def test_uneven_lists_are_refused(name, call, i):
    function, given = CALLS[name][call]
    arguments = list(given)
    arguments[i] = [*given[i].tolist(), [1, [2]]] if given[i].ndim == 1 else given[i].tolist()
    if given[i].ndim > 1:
        arguments[i][1] = arguments[i][1][:-1]
    with pytest.raises((rnnrs.ShapeError, rnnrs.DTypeError, TypeError, ValueError)) as caught:
        function(*arguments)
    assert "inhomogeneous" not in str(caught.value)
    assert isinstance(caught.value, (rnnrs.ShapeError, rnnrs.DTypeError)) or ": expected " in str(
        caught.value
    )


HAVE_IDS = [case for case in CASES if CALLS[case[0]][case[1]][1][case[2]] is IDS]
HAVE_IDS += [(name, "", 0) for name in ("StreamBatches", "SentenceBatches")] + [
    ("CharVocabulary", "decode", 0)
]


@pytest.mark.parametrize(("name", "call", "i"), HAVE_IDS)
@pytest.mark.parametrize("number", [2**64 - 1, 2**63, 2**64, -(2**63) - 1])
def test_numbers_beyond_int64_are_reported_as_they_came(name, call, i, number):
    function, given = CALLS[name][call]
    arguments = list(given)
    flat = given[i].ravel().tolist()
    flat[1] = number
    forms = [np.array(flat, object).reshape(given[i].shape).tolist()]
    if 0 <= number < 2**64:
        forms.append(np.array(forms[0], np.uint64))
    for form in forms:
        arguments[i] = form
        with pytest.raises((IndexError, ValueError, rnnrs.DTypeError), match=f"got {number}"):
            function(*arguments)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1, 2], [3]], r"x\[1\]: expected 2 values, as \[0\] has, got 1 values"),
        ([[[1], [2, 3]], [[1], [2]]], r"x\[0\]\[1\]: expected 1 values, as \[0\] has, got 2 values"),
        ([[1, 2], 3], r"x\[1\]: expected 2 values, as \[0\] has, got a single value"),
        (
            [np.zeros((2, 3)), np.zeros((2, 2))],
            r"x\[1\]: expected the shape \(2, 3\), as \[0\] has, got \(2, 2\)",
        ),
    ],
)
def test_the_first_uneven_place_is_named(value, message):
    with pytest.raises(rnnrs.ShapeError, match=f"^op: {message}$"):
        as_array("op", "x", value)


@pytest.mark.parametrize("value", [[1.0, np.ma.masked], [[np.ma.array([1, 2])]], (np.ma.array(1),)])
def test_masks_within_lists_are_refused(value):
    with pytest.raises(ValueError, match=r"op: x: .* got a masked array"):
        as_array("op", "x", value)


def test_other_arrays_are_taken_as_they_are():
    x = np.arange(3, dtype=np.uint64)
    assert as_array("op", "x", x) is x and as_ids("op", "x", x) is x
    assert np.array_equal(as_ids("op", "x", [1.5, 1e30]), [1.5, 1e30])
    with pytest.raises(IndexError, match=rf"^op: x: expected from 0 to 6, got {2**64 - 1} at position 1$"):
        as_ids("op", "x", [1, 2**64 - 1], 7)
