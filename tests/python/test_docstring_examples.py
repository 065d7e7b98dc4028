"""The examples in the package's docstrings run and give the output that they show."""

import doctest
import importlib
import pkgutil

import pytest

import rnnrs

MODULES = [m.name for m in pkgutil.walk_packages(rnnrs.__path__, "rnnrs.") if not m.name.endswith("__main__")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name, tmp_path, monkeypatch):
    """In an empty working directory, so that an example can write files."""
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.parametrize("name", ["LanguageModel", "SequenceClassifier", "SequenceTagger", "Forecaster"])
def test_applications_show_an_example(name):
    assert ">>> " in getattr(rnnrs.models, name).__doc__
