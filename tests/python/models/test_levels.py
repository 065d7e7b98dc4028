"""Texts as words with marks and as given tokens, in every application that reads or writes texts."""

import inspect

import numpy as np
import pytest

from rnnrs import models
from rnnrs.models import Captioner, Chatbot, LanguageModel, SequenceClassifier, Summarizer, Translator
from rnnrs.text import VOCABULARIES

SIZES = {"embedding_size": 16, "hidden_size": 48, "seed": 1}
TRAINING = {"epochs": 40, "batch_size": 2, "learning_rate": 0.02, "progress": False}
#: Texts whose spaces follow no rule of one language.
LINES = [
    'He paid "3.14" at 10:30 (see http://a.org/b) !',
    "她说：“你好，世界。”在 Linux 上",
    "l'eau ! C++, U.S.A. 👨\u200d👩\u200d👧🇫🇷",
]
MARKS = "￭␣"


@pytest.fixture(scope="module")
def language():
    model = LanguageModel.from_text(
        "\n".join(LINES), level="word", vocabulary={"min_count": 1}, dropout=0.0, cell="gru", **SIZES
    )
    model.fit("\n".join(LINES * 4), by_sentence=True, **TRAINING)
    return model


@pytest.mark.parametrize("line", LINES)
def test_a_text_is_generated_with_its_spaces_piece_by_piece(language, line):
    first = language.vocabulary.surface(language.vocabulary.pieces(line)[0])
    expected = line.removeprefix(first)
    pieces = list(language.stream(first, length=60, temperature=0, stop="\n"))
    assert "".join(pieces) == expected
    assert len(pieces) > 8
    (found,) = language.beam_search(first)
    assert found.text == expected
    assert not set(MARKS) & set("".join(language.score(line).tokens))
    assert "".join(language.score(line).tokens[:-1]) == line.replace(" ", "")


def test_an_open_quotation_mark_at_the_end_of_a_prompt_joins_the_next_word(language):
    assert language.generate('He paid "', length=2, temperature=0) == "3."


def test_suggestions_are_words_without_marks(language):
    words = [suggestion.word for suggestion in language.suggest("她", k=50)]
    assert len(set(words)) == len(words) and "说" in words
    assert all(word[:1].isalnum() and not set(MARKS) & set(word) for word in words)
    assert sum(s.probability for s in language.suggest("她", k=200)) == pytest.approx(1)
    assert language.suggest("He paid", k=1)[0].word == "paid"


@pytest.mark.parametrize("kind", [Translator, Summarizer])
@pytest.mark.parametrize("level", ["word", "char"])
def test_texts_are_written_with_their_spaces(kind, level):
    lines = LINES if level == "word" else ["a !", "你好", "abc abc abc"]
    pairs = list(zip(("one", "two", "three"), lines, strict=True))
    options = {"vocabulary": {"min_count": 1}} if level == "word" else {}
    model = kind.from_pairs(pairs, level=level, **options, **SIZES | {"dropout": 0.0})
    model.fit(pairs * 2, **TRAINING)
    written = model.write(["one", "two", "three"], model.search(max_length=60))
    assert [best.text for best, *_ in written] == lines
    for best, *_ in written:
        assert "".join(best.words).replace(" ", "") == best.text.replace(" ", "")


#: Texts that come in tokens: "n't" and "<unk>" are one each.
TOKENS = ["he did n't <unk> `` so '' .", "I ca n't say <unk> @-@ no ."]


def test_a_language_model_of_tokens():
    model = LanguageModel.from_text(
        "\n".join(TOKENS), level="token", vocabulary={"min_count": 1}, cell="gru", dropout=0.0, **SIZES
    )
    model.fit("\n".join(TOKENS * 4), by_sentence=True, **TRAINING)
    assert model.evaluate(TOKENS[0]).unknown == 1
    assert model.score(TOKENS[0]).tokens == [*TOKENS[0].split(), "<eos>"]
    assert model.generate("I", length=9, temperature=0, stop=" say") == " ca n't"
    assert model.suggest("I ca", k=1)[0].word == "ca"


@pytest.mark.parametrize("kind", [Translator, Summarizer])
def test_texts_of_tokens_for_texts_of_tokens(kind):
    pairs = [("do n't", "ne pas @@x ."), ("we '", "nous ' @@y")]
    model = kind.from_pairs(pairs, level="token", vocabulary={"min_count": 1}, dropout=0.0, **SIZES)
    model.fit(pairs * 4, **TRAINING)
    assert [best.text for best, *_ in model.write(["do n't", "we '"])] == ["ne pas @@x .", "nous ' @@y"]
    assert model.source_vocabulary.level == model.target_vocabulary.level == "token"


def test_a_chatbot_of_tokens_reads_turns_as_they_stand():
    dialogues = [["Do n't <unk> !", "I ca n't ."], ["the . end", "so it is @"]]
    bot = Chatbot.from_dialogues(dialogues, level="token", history=1, dropout=0.0, **SIZES)
    assert bot.pairs(dialogues) == [(a, b) for a, b in dialogues]
    assert (
        bot.source_vocabulary.encode("Do n't <unk> !").tolist().count(bot.source_vocabulary.unknown_id) == 1
    )
    bot.fit(dialogues * 4, noise=0.0, forget=0.0, **TRAINING)
    assert [bot.reply(turns[0]).text for turns in dialogues] == ["I ca n't .", "so it is @"]


def test_descriptions_in_tokens():
    pictures = np.stack([np.full((4, 4, 3), value, np.uint8) for value in (0, 255)])
    texts = ["a dark @-@ square", "a light n't"]
    model = Captioner.from_pairs(pictures, texts, level="token", channels=(4,), **SIZES)
    assert model.vocabulary.encode(texts[0]).shape == (4,)
    model.fit(pictures.repeat(4, axis=0), np.repeat(texts, 4).tolist(), **TRAINING | {"epochs": 20})
    assert [model.describe(picture) for picture in pictures] == texts


def test_a_classifier_of_tokens():
    model = SequenceClassifier.from_texts(
        TOKENS, ["a", "b"], level="token", vocabulary={"min_count": 1}, **SIZES
    )
    model.fit(TOKENS * 4, ["a", "b"] * 4, **TRAINING | {"epochs": 10})
    assert model.predict([TOKENS[1], TOKENS[0].split()]) == ["b", "a"]


def test_every_level_is_there_for_every_application_of_texts():
    for kind in (Translator, Summarizer, Captioner, SequenceClassifier, LanguageModel):
        assert set(kind.LEVELS) == set(VOCABULARIES), kind
    assert set(Chatbot.LEVELS) == set(VOCABULARIES) - {"subword"}
    for name, kind in inspect.getmembers(models, inspect.isclass):
        for method in ("from_text", "from_texts", "from_pairs", "from_dialogues"):
            if hasattr(kind, method):
                assert hasattr(kind, "LEVELS"), name
