"""Texts, and small language models of them of every level of vocabulary."""

from __future__ import annotations

import math

import numpy as np
from small_applications import as_trained

from rnnrs.models import LanguageModel

SENTENCES = "\n".join(
    f"{who} {verb} {what}."
    for who in ("I", "You", "We", "They", "The men")
    for verb in ("like", "want", "wanted", "see", "don't see")
    for what in ("tea", "the sea", "apples", "an apple", "you")
)


WANTS = "I want to go home. I want to eat, she said.\nThey want to go to the king!\n" * 4

LEVELS = ("char", "word", "token", "subword")

VERSES = "To be, or not to be,\nthat is the question:\n" * 12


def word_model(**sizes):
    sizes = {"embedding_size": 6, "hidden_size": 9, "dtype": "float64", **sizes}
    return LanguageModel.from_text(SENTENCES, level="word", vocabulary={"min_count": 1}, **sizes)


def char_model(**sizes):
    sizes = {"embedding_size": 5, "hidden_size": 8, "dtype": "float64", **sizes}
    return LanguageModel.from_text(VERSES, **sizes)


def as_if_trained(level, **options):
    """A model of a level's vocabulary, which answers like a trained one."""
    vocabulary = {
        "char": {},
        "word": {"min_count": 1},
        "token": {"min_count": 1},
        "subword": {"max_size": 320},
    }
    made = LanguageModel.from_text(
        WANTS, level=level, vocabulary=vocabulary[level], hidden_size=12, dtype="float64", seed=3, **options
    )
    return as_trained(made)


def numpy_log_probs(model, inputs):
    """ln softmax(c + V h_t) for every step (T, V), by the equations."""
    p = model.parameters
    h = np.zeros(model.rnn.hidden_size)
    rows = []
    for token in inputs:
        h = np.tanh(p["rnn.b"] + p["rnn.W"] @ h + p["rnn.U"] @ p["embedding.E"][token])
        o = p["output.c"] + p["output.V"] @ h
        rows.append(o - o.max() - math.log(np.exp(o - o.max()).sum()))
    return np.array(rows)
