"""`--micro-batches`: as `fit` has it, kept by the checkpoint, taken over by `--resume`."""

import pytest
from rnnrs_command import call
from small_trainings import training

from rnnrs import modelfile


def tensors(path):
    return {name: array.tobytes() for name, array in modelfile.load(path).tensors.items()}


@pytest.mark.parametrize("command", ["lm", "caption"])
def test_a_run_keeps_its_number_of_micro_batches(command, tmp_path):
    def run(name, *options):
        code, _, error = call(*training(tmp_path, command, "-o", tmp_path / name, *options))
        return code, error

    assert run("whole", "--micro-batches", "4", "--epochs", "3") == (0, "")
    assert run("run", "--micro-batches", "4") == (0, "")
    code, error = run("run", "--resume", "--epochs", "3", "--micro-batches", "2")
    assert code == 1 and "micro_batches: expected 4, as when the run began, got 2" in error
    assert run("run", "--resume", "--epochs", "3") == (0, "")
    assert tensors(tmp_path / "run") == tensors(tmp_path / "whole")
    code, error = run("none", "--micro-batches", "0")
    assert code == 2 and "--micro-batches" in error
