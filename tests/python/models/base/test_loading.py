"""`rnnrs.load` loads models of any kind."""

from pathlib import Path

import pytest

import rnnrs
from rnnrs import modelfile

GOLDEN = Path(__file__).parents[3] / "golden" / "models_v1"
FILES = [path for path in sorted(GOLDEN.glob("*.rnn")) if path.name != "checkpoint_network.rnn"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_kind_is_loaded_as_its_class_does(path):
    model = rnnrs.load(path)
    kind = modelfile.load(path).kind
    module, name = modelfile.KINDS[kind].application.split(":")
    assert (module, name) == ("rnnrs.models", type(model).__name__)
    assert kind == type(model).KIND
    again = type(model).load(path)
    assert model.parameters.flat.tobytes() == again.parameters.flat.tobytes()
    assert model.settings == again.settings


def test_every_application_is_registered():
    applications = {kind: entry.application for kind, entry in modelfile.KINDS.items() if entry.application}
    for kind, application in applications.items():
        assert kind == getattr(rnnrs.models, application.partition(":")[2]).KIND
    kinds = {getattr(rnnrs.models, name).__dict__.get("KIND") for name in rnnrs.models.__all__} - {None}
    assert kinds == set(applications)


def test_a_network_of_ones_own_is_refused(tmp_path):
    with pytest.raises(rnnrs.FormatError, match=r"got a checkpoint of a network .*Trainer"):
        rnnrs.load(GOLDEN / "checkpoint_network.rnn")


def test_nothing_that_a_file_names_is_imported(tmp_path):
    path = tmp_path / "model.rnn"
    modelfile.save(path, modelfile.ModelFile("os:system", {}, {}))
    with pytest.raises(
        rnnrs.FormatError, match=r"kind: expected one of assistant, captioner, .*, got 'os:system'"
    ):
        rnnrs.load(path)
    path.write_bytes(b"junk")
    with pytest.raises(rnnrs.FormatError, match=r"model\.rnn"):
        rnnrs.load(path)
    with pytest.raises(FileNotFoundError):
        rnnrs.load(tmp_path / "none.rnn")
