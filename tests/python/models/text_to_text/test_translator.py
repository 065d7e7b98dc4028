"""Translator: translations learned from pairs, of any text."""

import io

import numpy as np
import pytest

import rnnrs
from rnnrs.errors import FormatError
from rnnrs.models import LanguageModel, Search, Seq2Seq, Summarizer, TextToText, Translator
from rnnrs.models.writer.examples import written_lines
from rnnrs.text import SubwordVocabulary, WordVocabulary
from rnnrs.train import Examples

NOUNS = {"cat": "chat", "dog": "chien", "bird": "oiseau", "man": "homme", "king": "roi", "horse": "cheval"}
VERBS = {"sees": "voit", "likes": "aime", "hears": "entend", "finds": "trouve"}
PAIRS = [
    (f"The {a} {verb} a {b}.", f"Le {NOUNS[a]} {VERBS[verb]} un {NOUNS[b]}.")
    for a in NOUNS
    for b in NOUNS
    for verb in VERBS
    if a != b
]
ORDER = np.random.default_rng(0).permutation(len(PAIRS))
HELD_OUT, TRAINING = [PAIRS[i] for i in ORDER[:12]], [PAIRS[i] for i in ORDER[12:]]
SMALL = {"embedding_size": 16, "hidden_size": 32}
QUICK = {"batch_size": 8, "learning_rate": 1e-2, "progress": False}


@pytest.fixture(scope="module")
def translator():
    found = Translator.from_pairs(TRAINING, **SMALL)
    found.fit(TRAINING, HELD_OUT, epochs=12, **QUICK)
    return found


def test_it_translates_unseen_sentences(translator):
    right = sum(translator.translate(source) == target for source, target in HELD_OUT)
    assert right >= 10
    result = translator.evaluate(HELD_OUT)
    assert result.bleu.score > 80 and result.chrf.score > 80
    assert "tok:13a" in str(result) and "case:mixed" in result.bleu.signature
    assert result.tokens == sum(len(translator.target_vocabulary.encode(t)) + 1 for _, t in HELD_OUT)
    assert list(result.translations) == translator.translate_all([source for source, _ in HELD_OUT])


def test_a_translation_does_not_depend_on_threads_or_batch(translator):
    texts = ["The cat sees a dog.", "a", "", "The king Zorro likes a horse.", "the the the"]
    together = translator.write(texts, translator.search(n_best=2))
    threads = rnnrs.get_num_threads()
    rnnrs.set_num_threads(1)
    try:
        for text, found in zip(texts, together, strict=True):
            (alone,) = translator.write([text], translator.search(n_best=2))
            assert [(w.text, w.score, w.words) for w in alone] == [(w.text, w.score, w.words) for w in found]
    finally:
        rnnrs.set_num_threads(threads)


def test_a_translation_has_scores_words_and_attention(translator):
    ((best, second),) = translator.write(["The cat sees a dog."], Search(n_best=2))
    assert best.text == "Le chat voit un chien."
    assert best.source == ("The", "cat", "sees", "a", "dog", ".", "<eos>")
    assert best.words == ("Le", "chat", "voit", "un", "chien", ".")
    assert best.attention.shape == (6, 7)
    np.testing.assert_allclose(best.attention.sum(axis=1), 1, atol=1e-5)
    assert best.score > second.score
    # Without length penalty, the score is the model's ln P.
    ((best,),) = translator.write(["The cat sees a dog."], Search(length_penalty=0.0))
    own = translator.log_prob("The cat sees a dog.", best.text)
    assert best.score == best.log_prob == pytest.approx(own, abs=1e-3)


def test_unknown_words_are_copied_from_the_source():
    draw, nouns = np.random.default_rng(1), list(NOUNS)

    def word():
        """Returns a noun and its translation, or twice a name that occurs nowhere else."""
        if draw.random() < 0.6:
            noun = nouns[draw.integers(len(nouns))]
            return noun, NOUNS[noun]
        return ("".join(draw.choice(list("bdfglmnprt"), 6)),) * 2

    words = [(word(), word()) for _ in range(600)]
    pairs = [(f"{a} sees {b}", f"{c} voit {d}") for (a, c), (b, d) in words]
    found = Translator.from_pairs(pairs, vocabulary={"min_count": 3}, **SMALL)
    assert len(found.target_vocabulary) == len(NOUNS) + 3
    found.fit(pairs, epochs=6, **QUICK)
    assert found.translate("cat sees Zorro") == "chat voit Zorro"
    assert found.translate("Zorro sees dog") == "Zorro voit chien"
    assert found.translate("Zorro sees Quux") == "Zorro voit Quux"


@pytest.mark.parametrize("text", ["", "   ", "\x00\x07", "\n\n"])
def test_an_empty_text_has_an_empty_translation(translator, text):
    assert translator.translate(text) == ""


@pytest.mark.parametrize(
    "text", ["猫が犬を見る", "qqq zzz", "\x1b[31mThe\x00cat", "😀" * 50, "a\nb\tc", "\ud800"]
)
def test_any_text_gets_a_translation_of_one_line(translator, text):
    found = translator.translate(text)
    assert found and "\n" not in found and "<unk>" not in found and "\x00" not in found


def test_a_text_of_10_000_words_is_cut_and_its_translation_ends(translator):
    ((found,),) = translator.write(["The cat sees " * 3334])
    assert found.cut and len(found.source) == translator.MAX_SOURCE + 1
    assert 1 <= len(found.words) <= 500
    ((found,),) = translator.write(["The cat sees a dog."], Search(max_length=2))
    assert len(found.words) <= 2 and not found.cut


def test_lower_case_models_capitalize_sentences():
    pairs = [(s.upper(), t) for s, t in TRAINING[:40]]
    found = Translator.from_pairs(pairs, vocabulary={"lowercase": True}, **SMALL)
    assert all(token == token.lower() for token in found.target_vocabulary.tokens)
    assert found.readable("le chat. un chien", "The cat") == "Le chat. Un chien"
    assert found.readable("le chat", "the cat") == "le chat"
    assert "case:lc" in found.evaluate(HELD_OUT[:2]).bleu.signature


def test_subwords_share_one_vocabulary():
    found = Translator.from_pairs(TRAINING, level="subword", vocabulary={"max_size": 300}, **SMALL)
    assert isinstance(found.source_vocabulary, SubwordVocabulary) and found.shared
    found.fit(TRAINING, epochs=1, **QUICK)
    ((best,),) = found.write(["The cat sees Žofie."])
    assert "".join(best.source[:-1]).startswith("The cat")
    assert len(best.words) == len(best.attention)


def test_without_attention_no_unknown_word_is_written():
    found = Translator.from_pairs(TRAINING, attention=None, **SMALL)
    ((best,),) = found.write(["qqq zzz"])
    assert best.attention is None and "<unk>" not in best.text


def test_a_file_restores_the_model_and_only_its_class_loads_it(translator, tmp_path):
    path = tmp_path / "model"
    translator.save(path)
    again = Translator.load(path)
    assert again.translate("The cat sees a dog.") == translator.translate("The cat sees a dog.")
    for other in (Summarizer, Seq2Seq, LanguageModel):
        with pytest.raises(FormatError, match=r"holds a translator \(rnnrs translate\), expected"):
            other.load(path)


#: Pairs whose likelihood falls as training proceeds.
WRONG = [("The cat sees a dog.", "chien chien chien Le un"), ("A", "un un")]


def test_training_ends_with_the_best_parameters(tmp_path):
    found = Translator.from_pairs(TRAINING, **SMALL)
    history = found.fit(TRAINING, WRONG, epochs=4, checkpoint=tmp_path / "c", **QUICK)
    losses = [loss for _, loss in history.validation]
    assert min(losses) < losses[-1]
    assert found.likelihood(WRONG).loss == pytest.approx(min(losses), rel=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_a_resumed_run_ends_with_the_same_parameters(tmp_path):
    class Break(rnnrs.train.Callback):
        def on_step(self, trainer, record):
            if record.step == 14:  # in the fourth epoch, after the best one
                raise KeyboardInterrupt

    def fit(model, **more):
        model.fit(TRAINING[:30], WRONG, epochs=6, **QUICK, **more)

    whole, broken = (Translator.from_pairs(TRAINING, **SMALL) for _ in range(2))
    fit(whole)
    with pytest.raises(KeyboardInterrupt):
        fit(broken, checkpoint=tmp_path / "c", callbacks=[Break()])
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
    again = Translator.load(tmp_path / "c")
    fit(again, checkpoint=tmp_path / "c", resume=tmp_path / "c")
    np.testing.assert_array_equal(again.parameters.flat, whole.parameters.flat)


def test_examples_are_shown_after_every_validation(translator, capsys):
    out = io.StringIO()
    sources, targets = zip(*HELD_OUT, strict=True)
    shown = Examples(lambda: written_lines(translator, sources, targets, 3), out)
    translator.fit(TRAINING, HELD_OUT, epochs=1, callbacks=[shown], **QUICK | {"learning_rate": 1e-9})
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("epoch 1, held out ")
    assert lines[1] == f"  {HELD_OUT[0][0]}" and lines[2] == f"    wanted  {HELD_OUT[0][1]}"
    assert [line.strip() for line in lines[1::3]] == [HELD_OUT[i][0] for i in (0, 5, 11)]
    assert len(lines) == 1 + 3 * 3
    translator.fit(TRAINING, HELD_OUT, epochs=1, examples=3, **QUICK | {"learning_rate": 1e-9})
    assert capsys.readouterr().err.splitlines()[1:] == lines[1:]


@pytest.mark.parametrize(
    ("pairs", "error", "message"),
    [
        ([], ValueError, "from_pairs: pairs: expected at least one, got none"),
        ([("a", ""), (" ", "b")], ValueError, "expected at least one with text on both sides, got 2 without"),
        ([("a", "b")], ValueError, "expected a word that occurs 2 times"),
        (["ab"], TypeError, r"pairs\[0\]: expected two strings"),
        ([("a", 1)], TypeError, r"pairs\[0\]: expected two strings"),
    ],
)
def test_invalid_pairs_are_refused(pairs, error, message):
    with pytest.raises(error, match=message):
        Translator.from_pairs(pairs)


def test_invalid_settings_are_refused(translator):
    with pytest.raises(ValueError, match="level: expected one of word, char, subword, token, got 'line'"):
        Translator.from_pairs(TRAINING, level="line")
    with pytest.raises(TypeError, match="sources: expected several strings"):
        translator.write("The cat")
    with pytest.raises(TypeError, match=r"sources\[1\]: expected a string, got int"):
        translator.write(["a", 1])
    with pytest.raises(ValueError, match=r"Translator\.translate: n_best: expected at most beam, 5, got 6"):
        translator.translate("The cat", n_best=6)
    with pytest.raises(TypeError, match="beams"):
        translator.translate("The cat", beams=6)
    with pytest.raises(ValueError, match="examples"):
        translator.fit(TRAINING, HELD_OUT, examples=-1, progress=False)


def test_it_learns_from_one_word():
    found = Translator.from_pairs([("a", "b")] * 2, **SMALL)
    found.fit([("a", "b")] * 2, epochs=20, **QUICK)
    assert found.translate("a") == "b"


def test_a_subclass_is_an_application_with_its_own_kind(tmp_path):
    class Echo(TextToText):
        KIND = "echo"
        SHARED = True

    found = Echo.from_pairs([("a b", "b a")] * 2, **SMALL)
    assert found.shared and isinstance(found.source_vocabulary, WordVocabulary)
    found.save(tmp_path / "echo")
    with pytest.raises(FormatError, match="a model of the kind 'echo'"):
        Translator.load(tmp_path / "echo")
