"""Summaries that choose sentences: learning, lengths, scores and parts, files, bad input."""

import numpy as np
import pytest

import rnnrs
from rnnrs import FormatError, modelfile
from rnnrs.models import Extract, ExtractiveSummarizer

NAMES = ("rain", "snow", "hail", "fog")
DAYS = ("Monday", "Tuesday", "Friday")


def story(day, name):
    return (
        f'It was {day}. "Look," he said, "at it!" The {name} fell on the town all day. We ate bread.\n\n'
        f"The {name} was gone by then. Who knew?"
    )


PAIRS = [
    (story(day, name), f"The {name} was gone by then.The {name} fell on the town all day.")
    for day in DAYS
    for name in NAMES
]
TEXT = story("Sunday", "ash")


@pytest.fixture(scope="module")
def model():
    made = ExtractiveSummarizer.from_pairs(PAIRS, embedding_size=8, hidden_size=8, dropout=0.1)
    made.fit(PAIRS, validation=PAIRS[:2], epochs=25, progress=False)
    return made


def test_it_learns_to_choose(model):
    assert (
        str(model.summarize(TEXT, sentences=2))
        == "The ash fell on the town all day. The ash was gone by then."
    )
    result = model.evaluate(PAIRS)
    assert result.sentences.f1 == result.rouge.rouge_1.f1 == 1.0
    assert result.lead_sentences.f1 < 0.5 and result.count == 6 * len(PAIRS) and result.loss < 0.2
    assert "chosen                  1.0000" in str(result)


def test_sentences_are_spans_of_the_text_in_its_order_with_scores_and_parts(model):
    extract = model.summarize(TEXT, sentences=4, why=True)
    assert isinstance(extract, Extract) and len(extract) == len(list(extract)) == 4
    numbers = [sentence.number for sentence in extract]
    assert numbers == sorted(numbers)
    for sentence in extract:
        assert sentence.text == str(sentence) == TEXT[sentence.begin : sentence.end]
        odds = sum(sentence.parts.values())
        assert sentence.score == pytest.approx(1 / (1 + np.exp(-odds)))
        assert set(sentence.parts) == {"content", "salience", "novelty", "position", "length", "bias"}
    every = model.scores(TEXT)
    assert len(every) == 6
    assert sorted(every, key=lambda s: -s.score)[:4] == sorted(extract, key=lambda s: -s.score)
    assert model.summarize(TEXT, sentences=4).sentences[0].parts is None


def test_lengths(model):
    words = lambda extract: len(str(extract).split())  # noqa: E731
    assert len(model.summarize(TEXT)) == 3
    assert len(model.summarize(TEXT, share=0.3)) == 2 and len(model.summarize(TEXT, share=1)) == 6
    for budget in (1, 2, 5, 9, 13, 14, 20, 99):
        assert words(model.summarize(TEXT, words=budget)) <= budget
    assert len(model.summarize(TEXT, words=1)) == 0 and len(model.summarize(TEXT, words=99)) == 6
    assert str(model.summarize(TEXT, words=14)) == str(model.summarize(TEXT, sentences=2))


def test_texts_do_not_depend_on_each_other(model):
    texts = [TEXT, "", "One.", TEXT * 3, "   \n"]
    together = model.summarize_all(texts, share=0.5)
    assert together == [model.summarize(text, share=0.5) for text in texts]
    assert [len(extract) for extract in together] == [3, 0, 1, 9, 0]
    assert model.summarize_all([]) == []


def test_other_scripts_and_odd_texts(model):
    for text in (
        "你好。再见！是吗？",
        "سلام. هل أنت بخير؟",
        "***\n\n...\n\n!!!",
        "a" * 100_000,
        "\ud800. \0.",
        "🙂. 🙃.",
    ):
        extract = model.summarize(text, sentences=2)
        assert "".join(str(extract).split()) in "".join(text.split())


def test_lines_of_signs_are_not_kept(model):
    post = "---\n\nThe rain fell.\n\n```\n\nWe ate.\n\n***\n"
    assert [str(sentence) for sentence in model.summarize(post, sentences=2)] == ["The rain fell.", "We ate."]
    assert len(model.summarize(post, sentences=9)) == len(model.scores(post)) == 5


def test_a_file_holds_the_whole_model(model, tmp_path):
    path = tmp_path / "keep.rnn"
    model.save(path)
    loaded = rnnrs.load(path)
    assert type(loaded) is ExtractiveSummarizer and loaded.settings == model.settings
    assert loaded.scores(TEXT) == model.scores(TEXT)
    file = modelfile.load(path)
    for change, match in (
        ({"hidden_size": 10**9}, "sizes"),
        ({"cell": "x"}, "cell"),
        ({"more": 1}, "unknown key 'more'"),
    ):
        modelfile.save(path, modelfile.ModelFile(file.kind, file.config | change, file.tensors))
        with pytest.raises(FormatError, match=match):
            rnnrs.load(path)
    with pytest.raises(
        FormatError, match=r"holds a summarizer that chooses sentences \(rnnrs summarize\), expected"
    ):
        rnnrs.models.Summarizer.load(path)


def test_written_summaries_are_learned_from_too():
    pairs = [
        (text, f"On the town fell {name} all day") for (text, _), name in zip(PAIRS, NAMES * 3, strict=True)
    ]
    made = ExtractiveSummarizer.from_pairs(pairs, embedding_size=8, hidden_size=8)
    made.fit([*pairs, ("No word.", "zebra"), ("", "empty"), ("a", " ")], epochs=20, progress=False)
    assert str(made.summarize(TEXT, sentences=1)) == "The ash fell on the town all day."


def test_a_page_marks_the_kept_sentences(model):
    text = TEXT.replace("bread", "<b>bread & butter</b>")
    page = model.summarize(text, sentences=7, why=True).to_html("a < b")
    assert "<title>a &lt; b</title>" in page and page.count("<mark ") == 6
    assert "We ate &lt;b&gt;bread &amp; butter&lt;/b&gt;." in page and "salience +" in page
    assert model.summarize("").to_html().count("<mark") == 0


def test_bad_input(model):
    summarize = model.summarize
    for call, kind, match in (
        (lambda: summarize(3), TypeError, "^ExtractiveSummarizer.summarize: text: expected a string, got int"),
        (lambda: summarize(TEXT, words=3, share=0.1), ValueError, "^ExtractiveSummarizer.summarize: expected one of"),
        (lambda: summarize(TEXT, words=0), ValueError, "^ExtractiveSummarizer.summarize: words: expected"),
        (lambda: summarize(TEXT, share=True), (TypeError, ValueError), "share: expected"),
        (lambda: model.summarize_all(TEXT), TypeError, "^ExtractiveSummarizer.summarize_all: texts: expected"),
        (lambda: model.scores(None), TypeError, "^ExtractiveSummarizer.scores: text: expected"),
        (lambda: model.evaluate([]), ValueError, "^ExtractiveSummarizer.evaluate: pairs: expected at least one"),
        (lambda: model.evaluate([("a", "")]), ValueError, "pairs: expected at least one with text on both sides"),
        (lambda: model.fit([("a", "b")], progress=False), ValueError, "^ExtractiveSummarizer.fit: pairs: expected a"),
        (lambda: model.fit([("a", 3)], progress=False), TypeError, r"pairs\[0\]: expected two strings"),
        (lambda: model.fit(PAIRS, beam=3), TypeError, "unexpected option 'beam'"),
        (lambda: ExtractiveSummarizer.from_pairs(PAIRS, sizes=3), TypeError, "sizes"),
        (lambda: ExtractiveSummarizer(["a"]), TypeError, "^ExtractiveSummarizer: vocabulary: expected a WordVoc"),
        (lambda: ExtractiveSummarizer(model.vocabulary, dropout=1.0), ValueError, "dropout|rate"),
        (lambda: ExtractiveSummarizer(model.vocabulary, hidden_size=0), ValueError, "Summarizer: hidden_size"),
    ):  # fmt: skip
        with pytest.raises(kind, match=match):
            call()
