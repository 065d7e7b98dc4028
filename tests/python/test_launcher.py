"""Processes that MPI started are known by the variables of its launchers; tests/mpi has real ones."""

import sys

import pytest

from rnnrs import MissingExtraError, launcher


@pytest.fixture
def launched(monkeypatch):
    """Sets the variables of a launcher."""
    for names in launcher.LAUNCHERS:
        for name in filter(None, names):
            monkeypatch.delenv(name, raising=False)

    def launch(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return launch


def test_a_process_that_mpi_did_not_start_has_no_communicator(launched):
    assert launcher.rank_in_environment() is None and launcher.from_environment("op") is None


@pytest.mark.parametrize("name", ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"])
def test_started_by_mpi_without_mpi4py_is_an_error(launched, monkeypatch, name):
    launched(**{name: "3"})
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert launcher.rank_in_environment() == 3
    with pytest.raises(MissingExtraError, match=r'op: started by MPI, which needs mpi4py: .* "rnnrs\[mpi\]"'):
        launcher.from_environment("op")


class World:
    """mpi4py.MPI with the library of another MPI, which sees one process."""

    class COMM_WORLD:
        @staticmethod
        def Get_size():
            return 1


def test_the_library_of_another_mpi_is_an_error(launched, monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", World)
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", World)
    launched(PMI_RANK="0", PMI_SIZE="2")
    with pytest.raises(MissingExtraError, match="op: expected 2 processes, as MPI started, got 1"):
        launcher.from_environment("op")
    launched(PMI_SIZE="1")
    assert launcher.from_environment("op") is World.COMM_WORLD
