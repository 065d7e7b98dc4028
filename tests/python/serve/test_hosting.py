"""The served models: names, verbs, kinds, and loading them again."""

import numpy as np
import pytest
import small_applications as small
from served_models import models, refused

from rnnrs.errors import FormatError
from rnnrs.models import Captioner
from rnnrs.serve.hosting import VERBS, Host, named
from rnnrs.text import CharVocabulary


@pytest.fixture(scope="module")
def host():
    made = Host(models("letters", "words", "forecaster", "chatbot"))
    yield made
    made.close()


def test_a_model_is_found_by_name_and_verb(host):
    assert host.find("words", "suggest").name == "words"
    assert host.find(None, "forecast").name == "forecaster"
    with refused(404, "model") as found:
        host.find("other", "suggest")
    assert "expected one of letters, words, forecaster, chatbot, got 'other'" in str(found.value)
    with refused(400, "model") as found:
        host.find("words", "forecast")
    assert found.value.expected == "a model that can forecast: forecaster"
    with refused(400, "model") as found:
        host.find(None, "suggest")
    assert found.value.expected == "one of letters, words"
    with refused(404, "model"):
        host.find(None, "describe")


def test_a_model_that_is_still_made(host):
    own = Host({})
    place = own.add("later")
    place.progress, place.message = 0.25, "epoch 2 of 8"
    assert place.facts() == {"status": "training", "progress": 0.25, "message": "epoch 2 of 8"}
    for name in ("later", None):
        with refused(503) as found:
            own.find(name, "suggest")
        assert found.value.headers == {"Retry-After": "5"}
    place.become(models("words")["words"])
    assert place.facts() == {"status": "ready"} and own.find(None, "suggest") is place


def test_every_kind_that_can_be_served_is():
    assert {model.KIND for model in models().values()} == set(VERBS)


def test_other_kinds_are_refused():
    for model, expected in (
        (small.seq2seq()[0], "got an encoder–decoder"),
        (object(), "got a model of the kind 'object'"),
        (Captioner(CharVocabulary.build("a"), features=4), "expected a captioner of pictures"),
    ):
        with pytest.raises(ValueError, match=expected):
            Host({"m": model})


@pytest.mark.parametrize("name", ["", "a/b", "a\nb", "x" * 101, 3])
def test_names_that_no_path_can_hold_are_refused(name):
    with pytest.raises(ValueError, match="expected 1 to 100 printable characters without /"):
        Host({name: models("words")["words"]})


def test_two_models_of_one_name_are_refused(host):
    with pytest.raises(ValueError, match="expected a name of its own for each model, got 'words' twice"):
        host.add("words", models("words")["words"])


def test_files_are_loaded_again(tmp_path):
    path, other = tmp_path / "m.rnn", tmp_path / "other.rnn"
    made = models("letters", "words")
    made["letters"].save(path)
    made["words"].save(other)
    host = Host({"m": path, "other": str(other), "own": made["words"]})
    one, before = host.served["m"], host.served["m"].loaded
    answer = before.model.suggest("The ", 3)

    made["letters"].parameters["output.c"][...] = np.arange(len(made["letters"].vocabulary))
    made["letters"].save(path)
    assert host.reload() == (["m", "other"], {})
    assert one.loaded is not before and one.loaded.model.suggest("The ", 3) != answer
    assert before.model.suggest("The ", 3) == answer  # requests that are being answered keep it

    path.write_bytes(b"no model")
    kept, again = one.loaded, host.served["other"].loaded
    names, errors = host.reload()
    assert names == ["other"] and list(errors) == ["m"] and isinstance(errors["m"], FormatError)
    assert one.loaded is kept and one.status == "ready"
    assert host.served["other"].loaded is not again  # the others are loaded nevertheless


def test_files_that_cannot_be_loaded(tmp_path):
    with pytest.raises(FileNotFoundError):
        Host({"m": tmp_path / "none.rnn"})
    (tmp_path / "bad.rnn").write_bytes(b"no model")
    with pytest.raises(FormatError):
        Host({"m": tmp_path / "bad.rnn"})


def test_names_of_files(tmp_path):
    odd = tmp_path / "a=b.rnn"
    odd.write_bytes(b"")
    assert named(["x/letters.rnn", "de=y.rnn", str(odd)]) == {
        "letters": "x/letters.rnn",
        "de": "y.rnn",
        "a=b": str(odd),
    }
    with pytest.raises(ValueError, match="got 'm' twice"):
        named(["a/m.rnn", "b/m.rnn"])


def test_what_is_made_once_is_kept_until_the_model_changes(host):
    loaded = host.served["words"].loaded
    made = []
    for count in (1, 1, 2):
        if count == 2:
            loaded.model.parameters.copy_from(loaded.model.parameters)
        assert loaded.kept("a thing", lambda: made.append(1) or made) is made
        assert len(made) == count
