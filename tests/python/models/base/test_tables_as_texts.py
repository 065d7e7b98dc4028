"""Tables, and texts where lists of texts belong, are refused; columns are taken."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import small_applications as small
from small_applications import as_trained

from rnnrs import metrics

TEXTS = ["the cat", "a dog"] * 4
TABLES = [pd.DataFrame({"en": TEXTS, "fr": TEXTS}), pl.DataFrame({"en": TEXTS, "fr": TEXTS})]
COLUMNS = [pd.Series(TEXTS, index=range(5, 13)), pl.Series(TEXTS), pd.Series(TEXTS, dtype=object)]


def calls():
    language, translator = (as_trained(make()[0]) for make in (small.language, small.translator))
    chatbot, captioner = (as_trained(make()[0]) for make in (small.chatbot, small.captioner))
    return {
        "LanguageModel.log_probs": language.log_probs,
        "Translator.translate_all": lambda texts: translator.translate_all(texts, beam=1, max_length=3),
        "Translator.fit": lambda pairs: translator.fit(pairs, epochs=1, progress=False),
        "Translator.evaluate": translator.evaluate,
        "Chatbot.reply_all": chatbot.reply_all,
        "Chatbot.rank": lambda texts: chatbot.rank("hello", texts),
        "Captioner.fit": lambda texts: captioner.fit(small.PICTURES, texts, epochs=1, progress=False),
        "rouge": lambda texts: metrics.rouge(texts, texts),
        "caption_scores": lambda texts: metrics.caption_scores(texts, texts),
        "chrf": lambda texts: metrics.chrf(texts, texts),
    }


CALLS = calls()


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("wrong", [*TABLES, "the cat"], ids=["pandas", "polars", "text"])
def test_tables_and_texts_are_refused(name, wrong):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: .*expected"):
        CALLS[name](wrong)


@pytest.mark.parametrize(
    "name", [name for name in CALLS if name not in ("Translator.fit", "Translator.evaluate")]
)
@pytest.mark.parametrize("column", COLUMNS, ids=["pandas", "polars", "objects"])
def test_columns_are_taken(name, column):
    known, found = CALLS[name](TEXTS), CALLS[name](column)
    if name == "Captioner.fit":  # it went on training
        assert len(found) == len(known)
    else:
        assert np.array_equal(known, found) if isinstance(known, np.ndarray) else str(known) == str(found)


def test_references_in_another_order_are_refused():
    texts = pd.Series(TEXTS)
    with pytest.raises(
        ValueError, match=r"rouge: references: expected the index of candidates, got .* \(row 0\)"
    ):
        metrics.rouge(texts, texts[::-1])
