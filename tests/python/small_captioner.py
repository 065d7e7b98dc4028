"""A small captioner with parameters sampled at random, pictures and texts for it."""

import numpy as np

from rnnrs.models import Captioner
from rnnrs.text import WordVocabulary

VOCABULARY = WordVocabulary.build("a red green dot left of right : square , two", min_count=1)
TEXTS = [
    "a red dot",
    "green : two dot , square",
    "square",
    "a red dot left of a green square",
    "two red , two",
]
PICTURES = np.random.default_rng(2).integers(0, 256, (5, 8, 6, 3), np.uint8)


def model(cell="gru", attention="additive", tied=False, layers=1, *, dtype="float64", **options):
    sizes = {
        "picture_size": (8, 6),
        "channels": (3, 4),
        "embedding_size": 4,
        "hidden_size": 5,
        "dropout": 0.0,
        "label_smoothing": 0.0,
        "seed": 3,
    }
    found = Captioner(
        VOCABULARY,
        cell=cell,
        attention=attention,
        tied=tied,
        layers=layers,
        dtype=dtype,
        **sizes | options,
    )
    draw = np.random.default_rng(1)
    for name, array in found.parameters.items():
        low = 0.5 if name.endswith("variance") else -0.6
        array[...] = draw.uniform(low, 0.8, array.shape)
    return found
