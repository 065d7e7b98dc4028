"""`mpiexec -n N rnnrs … train`: the same bits for any N, also where a run is resumed with another N."""

import re

import pytest
from launching import commands, same_parameters
from small_trainings import TRAININGS, training

from rnnrs.cli import main

#: Those of the tests; the others of `TRAININGS` share their code.
COMMANDS = ["lm", "translate", "classify", "caption"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Returns the folder of the models that one process trains with 8 micro-batches, without MPI."""
    folder = tmp_path_factory.mktemp("alone")
    for name in TRAININGS:
        assert main([*training(folder, name), "-o", str(folder / f"{name}.rnn"), "--micro-batches", "8"]) == 0
    return folder


def trainings(folder, names, *more):
    return [[*training(folder, name), "-o", folder / f"{name}.rnn", *more] for name in names]


@pytest.mark.parametrize("N", [1, 2, 4])
def test_the_parameters_have_the_same_bits_for_any_number_of_ranks(N, alone, tmp_path):
    names = list(TRAININGS) if N == 2 else COMMANDS
    code, out, _ = commands(N, tmp_path, *trainings(tmp_path, names))
    assert code == 0
    assert [out.count(f"{name}.rnn: ") for name in names] == [1] * len(names), out
    for name in names:
        assert same_parameters(tmp_path / f"{name}.rnn", alone / f"{name}.rnn"), name


def test_a_run_may_be_resumed_with_other_numbers_of_ranks(alone, tmp_path):
    first = [[*words, "--epochs", "1"] for words in trainings(tmp_path, COMMANDS)]
    assert commands(2, tmp_path, *first)[0] == 0
    assert commands(4, tmp_path, *trainings(tmp_path, COMMANDS, "--resume"))[0] == 0
    for name in COMMANDS:
        assert same_parameters(tmp_path / f"{name}.rnn", alone / f"{name}.rnn"), name


def test_errors_are_told_once(tmp_path):
    words = [*training(tmp_path, "lm"), "-o", str(tmp_path / "lm.rnn")]
    for wrong, message, code in [
        (
            ["--micro-batches", "5"],
            "micro_batches: expected a multiple of the 2 ranks, got 5",
            1,
        ),
        (["--hidden-size", "0"], "argument --hidden-size", 2),
        (["--from", str(tmp_path / "none.rnn")], "none.rnn: No such file or directory", 1),
        (["-o", str(tmp_path / "none" / "lm.rnn")], "the folder .*none does not exist", 1),
        (["--checkpoint", "-"], "expected a file to write, got -", 1),
    ]:
        found = commands(2, tmp_path, [*words, *wrong])
        assert found[:2] == (code, "") and len(found[2]) == 1, found
        assert re.search(message, found[2][0]), found


def test_standard_input_of_a_language_model_is_spooled(tmp_path):
    words = training(tmp_path, "lm")
    assert main(["lm", "prepare", words[2], "-o", str(tmp_path / "corpus"), "--quiet"]) == 0
    alone = tmp_path / "alone.rnn"
    corpus = [*words[:2], str(tmp_path / "corpus"), *words[3:]]
    assert main([*corpus, "-o", str(alone), "--micro-batches", "8"]) == 0
    with open(words[2]) as text:
        words[2] = "-"
        assert commands(2, tmp_path, [*words, "-o", tmp_path / "lm.rnn"], stdin=text)[0] == 0
    assert same_parameters(tmp_path / "lm.rnn", alone)


def test_standard_input_of_other_models_is_refused(tmp_path):
    words = [*training(tmp_path, "translate"), "-o", str(tmp_path / "translate.rnn")]
    words[2] = "-"
    assert commands(2, tmp_path, words)[2] == [
        "rnnrs: -: expected a file, which all processes can read, got -"
    ]
