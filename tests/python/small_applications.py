"""One small untrained model of every application, its training data and held-out data."""

import copy
import functools
from itertools import product

import numpy as np

from rnnrs import models
from rnnrs.data import AnnotatedTurn

SIZES = {"embedding_size": 4, "hidden_size": 6, "seed": 1}
TEXT = (
    "\n".join(f"The {a} sees a {b}." for a in ("cat", "dog", "bird") for b in ("man", "king", "horse")) + "\n"
)
PAIRS = [(line, line.upper()) for line in TEXT.split("\n") if line]
DIALOGUES = [["hello", "good day"], ["who are you", "a bot"], ["bye", "see you"], ["why", "because"]] * 2
ANNOTATED = [
    [
        AnnotatedTurn(f"{food} food", f"Which area{mark}", {"food": food}),
        AnnotatedTurn("north", "Place 0.", {"food": food, "area": "north"}),
    ]
    for food, mark in (("thai", "?"), ("greek", "!"))
] * 4
RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, (8, 4, 4, 3), dtype=np.uint8)
TEXTS = ["a red dog", "a blue cat"] * 4
SEQUENCES = [RANDOM.normal(size=(t, 2)) for t in range(3, 11)]
LABELS = ["odd", "even"] * 4
TAGS = [[LABELS[i]] * len(x) for i, x in enumerate(SEQUENCES)]
SERIES = np.cumsum(RANDOM.normal(size=60))


def as_trained(model):
    """Returns a model whose initial parameters count as trained, so that it answers."""
    model.parameters.copy_from(model.parameters)
    return model


def language():
    return models.LanguageModel.from_text(TEXT, **SIZES), (TEXT,), (TEXT[:60],)


def language_by_sentence():
    words = {"level": "word", "vocabulary": {"min_count": 1}}
    return models.LanguageModel.from_text(TEXT, **words, **SIZES), (TEXT,), ("The cat sees a king.\n",)


def translator():
    return models.Translator.from_pairs(PAIRS, **SIZES), (PAIRS,), (PAIRS[:2],)


def summarizer():
    return models.Summarizer.from_pairs(PAIRS, **SIZES), (PAIRS,), (PAIRS[:2],)


def extractive_summarizer():
    pairs = [(f"{line} It rains. Who {line.lower()}", line) for line, _ in PAIRS]
    return models.ExtractiveSummarizer.from_pairs(pairs, **SIZES), (pairs,), (pairs[:2],)


def seq2seq():
    made = models.Seq2Seq(*[models.Translator.from_pairs(PAIRS, **SIZES).source_vocabulary] * 2, **SIZES)
    return made, (PAIRS,), (PAIRS[:2],)


def chatbot():
    return models.Chatbot.from_dialogues(DIALOGUES, **SIZES), (DIALOGUES,), (DIALOGUES[:2],)


@functools.cache
def _assistant():
    table = [
        {"name": f"Place {n}", "food": f, "area": a}
        for n, (f, a) in enumerate(product(["thai", "greek"], ["north", "south"]))
    ]
    return models.Assistant.from_dialogues(
        table, ANNOTATED, tracker_size=6, tracker_embedding=4, generated=2, **SIZES
    )


def assistant():
    return copy.deepcopy(_assistant()), (ANNOTATED,), (ANNOTATED[:2],)


def captioner():
    made = models.Captioner.from_pairs(PICTURES, TEXTS, channels=[4], **SIZES)
    return made, (PICTURES, TEXTS), ((PICTURES[:2], TEXTS[:2]),)


def classifier():
    made = models.SequenceClassifier(["even", "odd"], input_size=2, hidden_size=6)
    return made, (SEQUENCES, LABELS), ((SEQUENCES[:2], LABELS[:2]),)


def classifier_of_texts():
    made = models.SequenceClassifier.from_texts(TEXTS, LABELS, **SIZES)
    return made, (TEXTS, LABELS), ((TEXTS[:2], LABELS[:2]),)


def tagger():
    made = models.SequenceTagger(["even", "odd"], input_size=2, hidden_size=6)
    return made, (SEQUENCES, TAGS), ((SEQUENCES[:2], TAGS[:2]),)


def forecaster():
    return models.Forecaster(1, horizon=2, hidden_size=6), (SERIES,), (SERIES[:20],)


APPLICATIONS = [
    language,
    language_by_sentence,
    translator,
    summarizer,
    extractive_summarizer,
    seq2seq,
    chatbot,
    assistant,
    captioner,
    classifier,
    classifier_of_texts,
    tagger,
    forecaster,
]
