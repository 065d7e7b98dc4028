"""`train` started by MPI where mpi4py is missing; tests/mpi has what happens with it."""

import sys

import pytest
from rnnrs_command import call
from small_trainings import training


@pytest.fixture
def launched(monkeypatch, tmp_path):
    """Runs a training as one of the processes of a launcher, without mpi4py."""

    def launch(rank, *options):
        monkeypatch.setenv("PMI_RANK", str(rank))
        monkeypatch.setitem(sys.modules, "mpi4py", None)
        return call(*training(tmp_path, "lm"), "-o", tmp_path / "lm.rnn", *options)

    return launch


def test_without_mpi4py_the_first_process_says_so_and_none_trains(launched, tmp_path):
    code, out, error = launched(0)
    message = 'rnnrs: train: started by MPI, which needs mpi4py: mpi4py is not installed: pip install "rnnrs[mpi]"\n'
    assert (code, out, error) == (1, "", message)
    assert launched(1) == (1, "", "")
    assert not (tmp_path / "lm.rnn").exists()


def test_wrong_usage_is_told_once(launched):
    code, out, error = launched(0, "--fly")
    assert (code, out) == (2, "") and error.count("\n") == 1
    assert launched(1, "--fly") == (2, "", "")
