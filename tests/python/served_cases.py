"""Requests of every verb, with the answers of the models called directly."""

import base64
import io

import numpy as np
from PIL import Image

from rnnrs.data import placement, read_picture


def picture(size=(30, 20), kind="PNG", **options):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def written(one, attention=False, source=True):
    facts = {"text": one.text, "score": one.score, "log_prob": one.log_prob, "words": list(one.words)}
    if attention:
        facts["attention"] = one.attention.astype(float).round(4).tolist()
    return facts | ({"source": list(one.source), "cut": one.cut} if source else {})


def suggested(model, text, k=3, words=1):
    found = model.suggest(text, k, words=words)
    return {"suggestions": [{"word": one.word, "probability": one.probability} for one in found]}


def scored(model, text, **options):
    found = model.score(text, **options)
    pairs = zip(found.tokens, found.log_probs.tolist(), strict=True)
    return {
        "log_prob": found.total,
        "perplexity": found.perplexity,
        "is_bound": found.is_bound,
        "tokens": [{"token": token, "log_prob": log_prob} for token, log_prob in pairs],
    }


def rewritten(model, text, name, attention=False, **search):
    (found,) = model.write([text], model.search(**search))
    return {name: [written(one, attention) for one in found]}


def extracted(model, text, why=False, **length):
    found = model.summarize(text, why=why, **length)
    names = ("text", "begin", "end", "number", "score")
    sentences = [{name: getattr(one, name) for name in names} for one in found]
    for sentence, one in zip(sentences, found, strict=True):
        sentence |= {"parts": dict(one.parts)} if why else {}
    return {"summary": str(found), "sentences": sentences}


def classified(model, sequence):
    p = model.predict_proba([sequence])[0]
    pairs = sorted(zip(model.classes, p.tolist(), strict=True), key=lambda pair: -pair[1])
    return {"classes": [{"class": name, "probability": value} for name, value in pairs]}


def tagged(model, sequence, words=None):
    (p,), (tags,) = model.predict_proba([sequence]), model.predict([sequence])
    found = [{"tag": tag, "probability": float(row.max())} for tag, row in zip(tags, p, strict=True)]
    return {"tokens": [({} if words is None else {"token": words[t]}) | one for t, one in enumerate(found)]}


def described(model, file, attention=False, regions=None, **search):
    (found,) = model.write([read_picture(io.BytesIO(file), model.picture_size)], model.search(**search))
    where = placement(30, 20, model.picture_size)
    height, width = model.picture_size
    area = where.to_original([[0, 0, width, height]])[0].tolist()
    return {
        "descriptions": [written(one, attention, source=False) for one in found],
        "grid": list(model.grid),
        "area": dict(zip("xywh", area, strict=True)),
    }


ROWS, TEXT = [[0.5, -1.0], [2, 3]], "The cat sees a dog."
SENTENCES = "The cat sees a dog. It rains.\n\nWho the bird sees a man?"

#: (model, verb, request, the answer of the model called directly)
CASES = [
    ("words", "suggest", {"text": "The cat "}, lambda m, text: suggested(m, text)),
    ("words", "suggest", {"text": "The c", "k": 2, "words": 2}, suggested),
    ("letters", "suggest", {}, lambda m: suggested(m, "")),
    ("letters", "score", {"text": "The cat"}, scored),
    ("words", "score", {"text": "sees a", "after": "The cat", "end": False}, scored),
    ("words", "score", {"text": "", "all_spellings": True}, scored),
    ("translator", "translate", {"text": TEXT}, lambda m, text: rewritten(m, text, "translations")),
    ("translator", "translate", {"text": ""}, lambda m, text: rewritten(m, text, "translations")),
    (
        "translator",
        "translate",
        {"text": TEXT, "beam": 3, "n_best": 2, "length_penalty": 1, "max_length": 4, "attention": True},
        lambda m, text, **search: rewritten(m, text, "translations", **search),
    ),
    ("summarizer", "summarize", {"text": TEXT}, lambda m, text: rewritten(m, text, "summaries")),
    ("extractive", "summarize", {"text": SENTENCES, "sentences": 2, "why": True}, extracted),
    ("extractive", "summarize", {"text": SENTENCES, "words": 6}, extracted),
    ("extractive", "summarize", {"text": SENTENCES, "share": 0.5}, extracted),
    ("extractive", "summarize", {"text": ""}, extracted),
    ("classifier", "classify", {"sequence": ROWS}, classified),
    ("texts", "classify", {"text": "a red dog"}, lambda m, text: classified(m, text)),
    ("tagger", "tag", {"sequence": ROWS}, tagged),
    (
        "tagged_texts",
        "tag",
        {"text": "the dog barks."},
        lambda m, text: tagged(m, text, [m.vocabulary.surface(one) for one in m.vocabulary.pieces(text)]),
    ),
    (
        "forecaster",
        "forecast",
        {"series": [1, 2.5, 4]},
        lambda m, series: {"forecast": m.predict(series).tolist()},
    ),
    (
        "forecaster",
        "forecast",
        {"series": [[1], [2]], "steps": 7},
        lambda m, series, steps: {"forecast": m.predict(series, steps).tolist()},
    ),
    (
        "captioner",
        "describe",
        {"picture": base64.b64encode(picture()).decode(), "attention": True, "beam": 2, "n_best": 2},
        lambda m, picture, **search: described(m, base64.b64decode(picture), **search),
    ),
]


def expected(models, name, request, direct):
    """Returns the whole answer to a case of `CASES`, given the models by name."""
    return {"model": name, **direct(models[name], **request)}
