"""The network of summaries that choose: gradients, centrality, scores sentence by sentence, memory."""

import numpy as np
import pytest

from rnnrs.gradcheck import gradient_check
from rnnrs.models.extractive import network as room
from rnnrs.models.extractive.batches import DocumentBatches, batch_of
from rnnrs.models.extractive.bilinear import Bilinear
from rnnrs.models.extractive.centrality import DAMPING, SMALL, STEPS, Centrality
from rnnrs.models.extractive.documents import MAX_WORDS, read_document, words_of
from rnnrs.models.extractive.network import PARTS, ExtractiveNetwork
from rnnrs.models.extractive.novelty import Novelty, sigmoid
from rnnrs.text import WordVocabulary

TEXTS = [
    "A cat sat on it. The dog ran away! A cat ran; the dog sat. Who sat on a mat?",
    "Only one sentence is here.",
    "The rain fell. The cat sat in the rain. *** The dog fell and the cat sat.",
]
LABELS = [np.array(own, float) for own in ([1, 0, 1, 0], [1], [0, 1, 0])]
VOCABULARY = WordVocabulary.build(TEXTS, lowercase=True, min_count=1)
DOCUMENTS = [read_document(text, VOCABULARY) for text in TEXTS]


def network(dropout=0.0, size=3, dtype="float64", cell="gru"):
    made = ExtractiveNetwork(
        len(VOCABULARY),
        embedding_size=4,
        hidden_size=size,
        cell=cell,
        dropout=dropout,
        seed=1,
        dtype=dtype,
        op="test",
    )
    draw = np.random.default_rng(0)
    made.parameters["centrality.u"] = draw.normal(scale=0.5, size=made.centrality.vocabulary_size)
    return made


@pytest.mark.parametrize(("noise", "cell"), [(None, "gru"), (3, "lstm")])
def test_the_gradient_of_the_whole_loss(noise, cell):
    batch = batch_of(DOCUMENTS, LABELS, np.arange(3))
    found = gradient_check(network(0.3, 2, cell=cell), batch, noise=noise, step=1e-3, samples=6)
    assert found.worst < 1e-6, found.relative_error


def test_the_gradient_of_a_bilinear_layer():
    layer, draw = Bilinear(3, 4, dtype="float64"), np.random.default_rng(0)
    h, a, dy = draw.normal(size=(5, 3)), draw.normal(size=(5, 4)), draw.normal(size=5)
    y, cache = layer.forward(h, a)
    np.testing.assert_allclose(y, np.einsum("mi,ij,mj->m", h, layer.parameters["W"], a))
    dh, da = layer.backward(cache, dy)
    np.testing.assert_allclose(dh, dy[:, None] * (a @ layer.parameters["W"].T))
    np.testing.assert_allclose(da, dy[:, None] * (h @ layer.parameters["W"]))
    np.testing.assert_allclose(layer.gradients["W"], np.einsum("m,mi,mj->ij", dy, h, a))


def dense_centrality(document, weights):
    """PageRank over the matrix of all pairs of sentences."""
    sentence, word, id, count = document.terms
    x = np.zeros((len(document), word.max() + 1))
    x[sentence, word] = count * np.exp(weights[id])
    total = np.zeros(x.shape[1])
    np.add.at(total, word, count)
    frequency = x @ total
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)
    s = x @ x.T
    np.fill_diagonal(s, 0)
    d, r = s.sum(axis=1), np.ones(len(s))
    for _ in range(STEPS):
        r = 1 - DAMPING + DAMPING * s @ (r / (d + SMALL))
    columns = []
    for values in (np.log(r), np.log(d + 0.1), np.log(frequency + 0.1)):
        deviation = np.sqrt(values.var() + 1e-12)
        columns.append((values - values.mean()) / (deviation + SMALL))
    return np.stack(columns, axis=1)


def test_centrality_is_pagerank_and_its_gradient_that_of_differences():
    layer, draw = Centrality(len(VOCABULARY), dtype="float64"), np.random.default_rng(0)
    layer.parameters["u"] = draw.normal(size=len(VOCABULARY))
    words = batch_of(DOCUMENTS, None, np.arange(3)).words
    g, cache = layer.forward(words)
    expected = [dense_centrality(document, layer.parameters["u"]) for document in DOCUMENTS]
    np.testing.assert_allclose(g, np.concatenate(expected), atol=1e-9)
    dg = draw.normal(size=g.shape)
    layer.backward(cache, dg)
    for k in range(len(VOCABULARY)):
        around = []
        for step in (1e-5, -1e-5):
            layer.parameters["u"][k] += step
            around.append(float((layer.forward(words)[0] * dg).sum()))
            layer.parameters["u"][k] -= step
        slope = (around[0] - around[1]) / 2e-5
        assert layer.gradients["u"][k] == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_novelty_is_that_of_the_equations_and_its_gradient_that_of_differences():
    draw, (N, B, H) = np.random.default_rng(0), (5, 2, 3)
    layer = Novelty(H, dtype="float64")
    h, o, weights = draw.normal(size=(N, B, H)), draw.normal(size=(N, B)), draw.normal(size=(N, B))
    layer.parameters["W"] = W = draw.normal(size=(H, H))
    r, cache = layer.forward(h, o)
    for b in range(B):
        s = np.zeros(H)
        for j in range(N):
            expected = -h[j, b] @ W @ np.tanh(s)
            assert r[j, b] == pytest.approx(expected)
            s += sigmoid(o[j, b] + expected) * h[j, b]

    def L():
        return float((weights * np.sin(o + layer.forward(h, o)[0])).sum())

    dh, do = layer.backward(cache, weights * np.cos(o + r))
    for array, gradient in ((h, dh), (o, do), (layer.parameters["W"], layer.gradients["W"])):
        for place in np.ndindex(array.shape):
            around = []
            for step in (1e-5, -1e-5):
                array[place] += step
                around.append(L())
                array[place] -= step
            assert gradient[place] == pytest.approx((around[0] - around[1]) / 2e-5, rel=1e-6, abs=1e-8)


def test_scores_are_those_of_the_loss():
    made = network()
    parts = made.scores(DOCUMENTS)
    o, y = np.concatenate([own.sum(axis=1) for own in parts]), np.concatenate(LABELS)
    assert [own.shape for own in parts] == [(len(d), len(PARTS)) for d in DOCUMENTS]
    batch = batch_of(DOCUMENTS, LABELS, np.arange(3))
    expected = np.mean(np.logaddexp(0, o) - y * o)
    assert made.loss(batch, gradient=False)[0] == pytest.approx(expected, rel=1e-12)
    assert np.abs(parts[0][1:, 2]).min() > 0 and parts[0][0, 2] == 0  # nothing is kept before the first one


def test_a_document_does_not_depend_on_its_mates(monkeypatch):
    made = network(dtype="float32", size=8)
    together = made.scores(DOCUMENTS)
    monkeypatch.setattr(room, "SENTENCES", 2)
    monkeypatch.setattr(room, "POSITIONS", 8)
    for alone, document, beside in zip(made.scores(DOCUMENTS), DOCUMENTS, together, strict=True):
        np.testing.assert_array_equal(alone, beside)
        np.testing.assert_array_equal(made.scores([document])[0], beside)


def test_a_text_of_ten_thousand_sentences():
    made = network(dtype="float32")
    document = read_document(" ".join(TEXTS) * 1500, VOCABULARY)
    assert len(document) > 10_000
    assert np.isfinite(made.scores([document])[0]).all()


def test_words_and_documents():
    assert words_of("It's well-known—e.g. 1,000 «Ёлки-палки»!") == [
        ("its", "it's"), ("wellknown", "well-known"), ("eg", "e.g"), ("1000", "1,000"), ("ёлкипалки", "ёлки-палки"),
    ]  # fmt: skip
    assert [key for key, _ in words_of("天气很好 हिन्दी -- *** \u0301")] == ["天", "气", "很", "好", "हिन्दी"]
    document = read_document("word " * 300 + ". *** ...\n\nB.", VOCABULARY)
    assert len(document.ids[0]) == MAX_WORDS and document.words[0] == 301
    assert all(len(ids) for ids in document.ids)
    empty = read_document(" ", VOCABULARY)
    assert len(empty) == 0 and empty.place.shape == (0, 5) and empty.size.shape == (0, 9)


def test_batches_hold_every_document_once_and_are_the_same_again():
    batches = DocumentBatches(DOCUMENTS, LABELS, 2, seed=1)
    assert (
        len(batches) == 2
        and batches.fingerprint() == DocumentBatches(DOCUMENTS, LABELS, 2, seed=1).fingerprint()
    )
    members = np.concatenate([batch.keys for batch in batches.epoch(0)])
    assert sorted(members.tolist()) == [0, 1, 2]
    for again, batch in zip(batches.epoch(3), batches.epoch(3), strict=True):
        np.testing.assert_array_equal(again.ids, batch.ids)
    assert sum(batch.positions for batch in batches.epoch(0)) == 8


def test_places():
    place = read_document("One. Two.\n\nThree. Four.", VOCABULARY).place
    np.testing.assert_array_equal(place[:, 0], [1, 0, 0, 0])
    np.testing.assert_array_equal(place[:, 1], [0, 0, 0, 1])
    np.testing.assert_allclose(place[:, 2:4].T, [[1, 1 / 2, 1 / 3, 1 / 4], [0, 1 / 3, 2 / 3, 1]])
    np.testing.assert_array_equal(place[:, 4], [1, 0, 1, 0])
