"""Language models and corpora on disk: training, evaluation and held-out data are those of the text in memory."""

import numpy as np
import pytest
from small_language_models import SENTENCES, VERSES

from rnnrs.data import Corpus, prepare_corpus
from rnnrs.models import ContinuousCache, LanguageModel
from rnnrs.models.base import validation
from rnnrs.models.language import corpora, fitting
from rnnrs.seeds import derive_seed
from rnnrs.text import build_vocabulary
from rnnrs.train.checkpoint import ChangedData

TEXTS = {
    "sentences": SENTENCES,
    "verses": VERSES,
    "blank": "\n\n".join(SENTENCES.split("\n")[:30]) + "\n \n\n",
}
FIT = {"batch_size": 4, "steps": 10, "learning_rate": 0.01, "progress": False}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Returns the corpus of a text at a level."""
    found = {}

    def corpus(name, level="word"):
        if (name, level) not in found:
            folder = tmp_path_factory.mktemp("corpora")
            found[name, level] = prepare_corpus(folder, texts=[TEXTS[name]], level=level)
        return found[name, level]

    return corpus


def small(vocabulary):
    return LanguageModel(vocabulary, embedding_size=4, hidden_size=6, dropout=0.2)


@pytest.mark.parametrize(("name", "level", "by_sentence"), [
    ("sentences", "word", None), ("sentences", "word", True), ("verses", "word", False), ("verses", "char", None),
])  # fmt: skip
def test_training_has_the_same_bits(tmp_path, capsys, prepared, name, level, by_sentence):
    corpus = prepared(name, level)
    models, histories, shown = [], [], []
    for text in (TEXTS[name], corpus):
        model = small(corpus.vocabulary)
        settings = {
            **FIT,
            "by_sentence": by_sentence,
            "shuffle_block": 50 if by_sentence else None,
            "examples": 2,
        }
        histories.append(model.fit(text, 0.1, epochs=2, **settings))
        models.append(model)
        shown.append(capsys.readouterr().err)
    one, other = models
    np.testing.assert_array_equal(one.parameters.flat, other.parameters.flat)
    assert histories[0].validation == histories[1].validation
    assert one.by_sentence == other.by_sentence
    assert shown[0].count("wanted") == shown[1].count("wanted") == 4
    if by_sentence is None and one.by_sentence:
        assert (one.settings.shuffle_block, other.settings.shuffle_block) == (None, corpora.SHUFFLE_BLOCK)


@pytest.mark.parametrize(("by_sentence", "most"), [(False, 11), (True, 8)])
def test_no_more_is_read_than_a_batch_needs(monkeypatch, prepared, by_sentence, most):
    corpus, ids, sizes = prepared("sentences"), Corpus.ids, []

    def counted(self, start, stop):
        sizes.append(stop - start)
        return ids(self, start, stop)

    monkeypatch.setattr(Corpus, "ids", counted)
    small(corpus.vocabulary).fit(corpus, 0.1, epochs=1, by_sentence=by_sentence, **FIT)
    assert 0 < max(sizes) <= most


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("level", ["char", "word"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
@pytest.mark.parametrize("by_sentence", [False, True])
def test_the_same_text_is_held_out(prepared, name, level, share, by_sentence):
    corpus, text = prepared(name, level), TEXTS[name]
    whole = corpus.sentences() if by_sentence else corpus.stream()
    try:
        expected = fitting.hold_out("op", text, share, by_sentence, 3)
    except ValueError as error:
        with pytest.raises(ValueError, match="expected a longer text") as caught:
            fitting.hold_out("op", whole, share, by_sentence, 3)
        assert str(caught.value) == str(error)
        return
    for part, found in zip(expected, fitting.hold_out("op", whole, share, by_sentence, 3), strict=True):
        if not by_sentence:
            np.testing.assert_array_equal(found.read(0, len(found)), corpus.vocabulary.encode(part))
            assert found.characters() == len(part)
            continue
        places = zip(*found.places(0, len(found)), strict=True)
        ids = [corpus.ids(start, start + length).tolist() for start, length in places]
        assert ids == [corpus.vocabulary.encode(line).tolist() for line in part.split("\n")]
        assert corpora.example_texts(found, 2)[-1] == corpus.vocabulary.decode(ids[-1])


@pytest.mark.parametrize("by_sentence", [False, True])
@pytest.mark.parametrize("positions", [1 << 16, 30])
def test_evaluation_is_that_of_the_text(monkeypatch, prepared, by_sentence, positions):
    monkeypatch.setattr("rnnrs.models.language.scoring.POSITIONS", positions)
    corpus = prepared("blank")
    model = small(corpus.vocabulary)
    model.by_sentence = by_sentence
    assert model.evaluate(corpus) == model.evaluate(TEXTS["blank"])
    assert model.perplexity(corpus) == model.perplexity(TEXTS["blank"])
    cache = ContinuousCache(size=50)
    assert model.evaluate(corpus, cache=cache) == model.evaluate(TEXTS["blank"], cache=cache)
    kept, _ = fitting.hold_out(
        "op", corpus.sentences() if by_sentence else corpus.stream(), 0.3, by_sentence, 0
    )
    assert model.evaluate(kept).tokens < model.evaluate(corpus).tokens


def test_a_run_is_resumed_with_its_corpus(tmp_path, prepared):
    corpus, whole = prepared("sentences"), small(prepared("sentences").vocabulary)
    whole.fit(corpus, epochs=3, shuffle_block=40, schedule="constant", **FIT)
    model, path = small(corpus.vocabulary), tmp_path / "run.rnn"
    options = {"shuffle_block": 40, "schedule": "constant", **FIT}
    model.fit(corpus, epochs=1, checkpoint=path, **options)
    again = LanguageModel.load(path)
    again.fit(corpus, epochs=3, resume=path, **options)
    np.testing.assert_array_equal(again.parameters.flat, whole.parameters.flat)
    changed = prepare_corpus(tmp_path / "other", texts=[SENTENCES + "the\n"], vocabulary=corpus.vocabulary)
    with pytest.raises(ChangedData, match="expected the data with which the run began: 1 block, got others"):
        LanguageModel.load(path).fit(changed, epochs=3, resume=path, **options)
    with pytest.raises(ValueError, match="shuffle_block: expected 40, as when the run began, got 1000000"):
        LanguageModel.load(path).fit(corpus, epochs=3, resume=path, **options | {"shuffle_block": None})


def test_sampled_losses_count_the_words_of_a_corpus(prepared):
    corpus, losses = prepared("sentences"), []
    for text in (SENTENCES, corpus):
        history = small(corpus.vocabulary).fit(text, epochs=1, loss="sampled", samples=9, **FIT)
        losses.append(history.losses.tolist())
    assert losses[0] == losses[1]


def test_a_model_takes_the_vocabulary_of_a_corpus(prepared):
    corpus = prepared("verses")
    model = LanguageModel.from_corpus(corpus, hidden_size=5)
    assert model.vocabulary is corpus.vocabulary
    assert model.rnn.hidden_size == 5
    with pytest.raises(TypeError, match=r"LanguageModel\.from_corpus: corpus: expected a Corpus, got str"):
        LanguageModel.from_corpus("corpus")


def test_other_corpora_are_refused(prepared):
    corpus, other = prepared("sentences"), prepared("verses")
    model = LanguageModel.from_corpus(corpus, hidden_size=5)
    for call in (
        lambda: model.fit(other, epochs=1),
        lambda: model.fit(SENTENCES, other, epochs=1),
        lambda: model.evaluate(other),
    ):
        with pytest.raises(ValueError, match="expected a corpus with the model's vocabulary"):
            call()
    with pytest.raises(ValueError, match="text: expected sentences of a corpus, got a stream"):
        model.fit(corpus.stream(), by_sentence=True)
    with pytest.raises(ValueError, match="validation: expected a stream of a corpus, got sentences"):
        model.fit(corpus, corpus.sentences(), by_sentence=False)
    with pytest.raises(TypeError, match="text: expected a text or a corpus, got list"):
        model.fit(["a"])
    with pytest.raises(TypeError, match="validation: expected a text, a share of the text or None, got list"):
        model.fit(corpus, ["a"])


def test_many_examples_are_divided_some_at_a_time(monkeypatch):
    order = np.random.default_rng(derive_seed(4, validation.STREAM)).permutation(100)
    assert np.flatnonzero(validation.held_out_flags(100, 30, 4)).tolist() == sorted(order[:30])
    monkeypatch.setattr(validation, "DIVIDED", 40)
    flags = validation.held_out_flags(100, 30, 4)
    assert flags.sum() == 30
    assert [int(flags[i : i + 40].sum()) for i in (0, 40, 80)] == [12, 12, 6]
    assert flags[:40].tolist() != flags[40:80].tolist()


def test_words_are_divided_by_proportion_where_no_line_ends(tmp_path):
    text = "one two three four five six seven eight nine ten " * 8
    corpus = prepare_corpus(tmp_path, texts=[text], level="word")
    kept, out = fitting.hold_out("op", corpus.stream(), 0.25, False, 0)
    assert (len(kept), len(out)) == (60, 20)
    assert build_vocabulary("word", text).decode(out.read(0, 2)) == "one two"
