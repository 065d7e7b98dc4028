"""Summarizer: summaries learned from pairs, with words copied from the text."""

import numpy as np
import pytest

from rnnrs.errors import FormatError
from rnnrs.metrics import rouge
from rnnrs.models import Search, Summarizer, Translator
from rnnrs.models.text_to_text.summarizer import first_words
from rnnrs.text import debian_synopses, tatoeba_pairs

SMALL = {"embedding_size": 16, "hidden_size": 32}
QUICK = {"batch_size": 16, "learning_rate": 1e-2, "progress": False}
KINDS = ("library", "game", "editor", "server")


def descriptions(count, seed):
    """Returns texts that begin with a name that occurs nowhere else, and their summaries."""
    draw = np.random.default_rng(seed)
    pairs = []
    for _ in range(count):
        name = "".join(draw.choice(list("bdfgklmnprstvz"), 6))
        kind = KINDS[draw.integers(4)]
        pairs.append((f"{name} is a small {kind} that many people use every day.", f"{kind} {name}"))
    return pairs


TRAINING, HELD_OUT = descriptions(400, 0), descriptions(20, 1)


@pytest.fixture(scope="module")
def summarizer():
    found = Summarizer.from_pairs(TRAINING, **SMALL)
    found.fit(TRAINING, HELD_OUT, epochs=8, **QUICK)
    return found


def test_it_copies_unseen_names(summarizer):
    assert summarizer.network.copy and summarizer.shared
    right = sum(summarizer.summarize(text) == wanted for text, wanted in HELD_OUT)
    assert right >= 17
    name = HELD_OUT[0][0].split()[0]
    assert summarizer.target_vocabulary.id_of(name) is None


def test_evaluation_compares_with_the_first_words(summarizer):
    result = summarizer.evaluate(HELD_OUT)
    wanted = [target for _, target in HELD_OUT]
    assert result.rouge == rouge(result.summaries, wanted)
    assert result.first_words == rouge([first_words(text) for text, _ in HELD_OUT], wanted)
    assert result.rouge.rouge_1.f1 > 0.8 > result.first_words.rouge_1.f1
    assert str(result).count("\n") == 3
    assert first_words("One, two; three four five six seven eight nine ten eleven") == (
        "One, two; three four five six seven eight nine ten"
    )


def test_a_summary_does_not_depend_on_the_batch(summarizer):
    """In particular, no words of other texts are copied."""
    texts = [text for text, _ in HELD_OUT[:6]] + ["zzyzx " * 30, "", "qqq"]
    together = summarizer.write(texts)
    for text, (best,) in zip(texts, together, strict=True):
        ((alone,),) = summarizer.write([text])
        assert (best.text, best.score, best.words) == (alone.text, alone.score, alone.words)
        assert set(best.text.split()) <= {
            *text.replace(".", " .").split(),
            *summarizer.target_vocabulary.tokens,
        }


def test_any_text_gets_a_summary_of_one_line(summarizer):
    assert summarizer.summarize_all(["", " \n ", "\x00"]) == ["", "", ""]
    for text in ["猫が犬を見る", "qqq zzz", "a\x00b\nc", "😀" * 40, "one"]:
        found = summarizer.summarize(text)
        assert found and "\n" not in found and "<unk>" not in found
    ((found,),) = summarizer.write(["brf is a small game " * 2000])
    assert found.cut and 1 <= len(found.words) <= 60


def test_three_consecutive_words_are_not_repeated(summarizer):
    assert summarizer.search() == Search(no_repeat_ngram=3)
    assert summarizer.search(no_repeat_ngram=0, beam=2) == Search(beam=2)
    ((found,),) = summarizer.write(["game game game game game game"], summarizer.search(beam=2))
    triples = list(zip(found.words, found.words[1:], found.words[2:], strict=False))
    assert len(triples) == len(set(triples))


def test_subwords_are_not_copied():
    found = Summarizer.from_pairs(TRAINING, level="subword", vocabulary={"max_size": 300}, **SMALL)
    assert not found.network.copy and found.shared
    with pytest.raises(ValueError, match="copy: expected vocabularies of words or characters"):
        Summarizer.from_pairs(TRAINING, level="subword", vocabulary={"max_size": 300}, copy=True, **SMALL)


def test_a_file_restores_the_model_and_only_its_class_loads_it(summarizer, tmp_path):
    summarizer.save(tmp_path / "model")
    again = Summarizer.load(tmp_path / "model")
    texts = [text for text, _ in HELD_OUT]
    assert again.summarize_all(texts) == summarizer.summarize_all(texts)
    message = r"holds a summarizer \(rnnrs summarize\), expected a translator"
    with pytest.raises(FormatError, match=message):
        Translator.load(tmp_path / "model")


def test_the_bundled_pairs():
    for pairs, count, longest in ((tatoeba_pairs(), 16_000, 10), (debian_synopses(), 8_000, 120)):
        assert len(pairs) == count == len({source for source, _ in pairs})
        assert all(0 < len(text.split()) <= longest for pair in pairs for text in pair)
