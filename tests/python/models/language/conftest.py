"""Trained language models that several tests share, trained once per session."""

from __future__ import annotations

import pytest
from small_language_models import SENTENCES, VERSES, char_model, word_model


@pytest.fixture(scope="session")
def trained_words():
    model = word_model(hidden_size=24, dtype="float32")
    model.fit(SENTENCES, epochs=40, batch_size=10, learning_rate=1e-2, progress=False)
    return model


@pytest.fixture(scope="session")
def trained_characters():
    model = char_model(hidden_size=48, dtype="float32")
    model.fit(VERSES, epochs=60, batch_size=4, steps=25, learning_rate=1e-2, progress=False)
    return model
