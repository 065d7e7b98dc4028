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


def worst_slope(found, batch, **options):
    """Returns the largest relative error of the training loss's slope, along one direction per parameter.

    The direction is the gradient's plus half of a random one: half, so that the sum is never 0, not even in a
    parameter of one number.
    """
    draw, worst, step = np.random.default_rng(0), 0.0, 1e-5
    found.gradients.fill(0.0)
    found.loss(batch, **options)
    gradients = {name: np.array(g) for name, g in found.gradients.items()}
    largest = max(np.linalg.norm(g) for g in gradients.values())
    for name, g in gradients.items():
        random = draw.standard_normal(g.shape)
        d = g / (np.linalg.norm(g) + 1e-300) + random / (2 * np.linalg.norm(random))
        theta, losses = found.parameters[name], []
        here = theta.copy()
        for sign in (1, -1):
            theta[...] = here + sign * step * d
            losses.append(found.loss(batch, **options)[0])
            theta[...] = here
        numeric = (losses[0] - losses[1]) / (2 * step)
        worst = max(worst, abs((g * d).sum() - numeric) / max(abs(numeric), 1e-3 * largest))
    return worst, gradients
