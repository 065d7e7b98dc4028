"""A small model of each kind that can be served, with parameters that count as trained."""

import contextlib

import pytest
import small_applications as small
import small_regions
from starlette.testclient import TestClient

from rnnrs.serve import create_app
from rnnrs.serve.problems import Problem


def _trained(make):
    return small.as_trained(make()[0])


#: Name → how it is made.
MADE = {
    "letters": lambda: _trained(small.language),
    "words": lambda: _trained(small.language_by_sentence),
    "translator": lambda: _trained(small.translator),
    "summarizer": lambda: _trained(small.summarizer),
    "extractive": lambda: _trained(small.extractive_summarizer),
    "captioner": lambda: _trained(small.captioner),
    "regions": lambda: small.as_trained(_captioner_of_regions()),
    "chatbot": lambda: _trained(small.chatbot),
    "assistant": lambda: _trained(small.assistant),
    "classifier": lambda: _trained(small.classifier),
    "texts": lambda: _trained(small.classifier_of_texts),
    "tagger": lambda: _trained(small.tagger),
    "tagged_texts": lambda: small.as_trained(_tagger_of_texts()),
    "forecaster": lambda: _trained(small.forecaster),
}


def _captioner_of_regions():
    made = small_regions.small(*small_regions.scenes(2, 0))
    made.parameters["localization.finder.c"][:13] = 1.0  # it sees objects everywhere
    return made


def _tagger_of_texts():
    from rnnrs.models import SequenceTagger
    from rnnrs.text import WordVocabulary

    vocabulary = WordVocabulary.build("the a dog cat runs barks sleeps", min_count=1)
    return SequenceTagger(["article", "noun", "verb"], vocabulary=vocabulary, hidden_size=6)


def models(*names):
    """Returns models by name; without names, one of each."""
    return {name: MADE[name]() for name in names or MADE}


@contextlib.contextmanager
def refused(status, field=None):
    """Expects a problem of a status, about a field."""
    with pytest.raises(Problem) as found:
        yield found
    assert (found.value.status, found.value.field) == (status, field), found.value


def client(models, **options):
    """Returns a client of an application that serves models; used in a `with`, it ends it."""
    return TestClient(create_app(models, **options), base_url="http://localhost")
