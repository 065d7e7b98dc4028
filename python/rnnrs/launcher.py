"""Processes that MPI starts: whether this is one of them, and the communicator of all."""

from __future__ import annotations

import os
from typing import Any

from .errors import MissingExtraError, require

#: The variables in which the launchers of Open MPI, of MPICH and its descendants, and of PMIx give a process
#: its rank and, if at all, the number of processes.
LAUNCHERS = (("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"), ("PMIX_RANK", ""))


def rank_in_environment() -> int | None:
    """Returns the rank that a launcher gave this process, without MPI; None if MPI did not start it."""
    numbers = (os.environ.get(rank, "") for rank, _ in LAUNCHERS)
    return next((int(number) for number in numbers if number.isdecimal()), None)


def from_environment(op: str) -> Any:
    """Returns mpi4py's communicator of all processes that MPI started; None if it did not start this one.

    Initializes MPI, unless the program has done so.

    Args:
        op: the caller's name, for error messages.

    Raises:
        MissingExtraError: if MPI started this process, but mpi4py or the library of that MPI is missing. Each
            process would otherwise train alone.
    """
    if rank_in_environment() is None:
        return None
    try:
        world = require("mpi4py.MPI", "mpi").COMM_WORLD
    except MissingExtraError as error:
        raise MissingExtraError(f"{op}: started by MPI, which needs mpi4py: {error}") from None
    except (ImportError, RuntimeError) as error:  # importing mpi4py.MPI loads the library
        raise MissingExtraError(f"{op}: started by MPI, but mpi4py finds no MPI library: {error}") from error
    sizes = [os.environ[size] for _, size in LAUNCHERS if os.environ.get(size, "").isdecimal()]
    if sizes and int(sizes[0]) != world.Get_size():
        raise MissingExtraError(
            f"{op}: expected {sizes[0]} processes, as MPI started, got {world.Get_size()}: "
            "mpi4py has loaded the library of another MPI than the launcher's"
        )
    return world
