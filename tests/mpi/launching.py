"""Programs as ranks of a real MPI, and what each of them writes."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np

from rnnrs import modelfile

HERE = Path(__file__).parent

#: A wheel's launcher is beside the interpreter; the system's is on the path.
MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")

#: Open MPI asks for these where root starts more processes than there are processors; MPICH does not.
VARIABLES = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "RNNRS_NUM_THREADS": "1",
    "PYTHONUTF8": "1",
}


@cache
def forwards_interrupts():
    """Whether mpiexec hands Ctrl-C to the ranks and waits for them, as MPICH's does; Open MPI's kills them."""
    version = subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True, check=False).stdout
    return "HYDRA" in version


@contextlib.contextmanager
def started(N, program, *arguments, stdin=subprocess.DEVNULL):
    """Starts a program of this folder as N ranks; none of them outlives the context."""
    assert MPIEXEC, "mpiexec: not found; make test-mpi installs one"
    command = [MPIEXEC, "-n", str(N), sys.executable, str(HERE / program), *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=stdin, stdout=pipe, stderr=pipe, env=os.environ | VARIABLES, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def run(N, program, *arguments, seconds=100, stdin=subprocess.DEVNULL):
    """Runs a program as N ranks: (exit code, standard output, the lines of the command on standard error)."""
    with started(N, program, *arguments, stdin=stdin) as process:
        return ended(process, seconds)


def ended(process, seconds):
    """Waits for the end: (exit code, standard output, the lines of the command on standard error)."""
    out, error = process.communicate(timeout=seconds)
    lines = [line for line in error.splitlines() if line.startswith("rnnrs: ")]
    assert "Traceback" not in error, error
    return process.returncode, out, lines


def commands(N, folder, *commands, **options):
    """Runs commands `rnnrs …` one after the other, as N ranks; see `run`."""
    return run(N, "rank.py", folder, json.dumps([[*map(str, words)] for words in commands]), **options)


def processes(folder, N, seconds=60):
    """Waits until all ranks have noted their processes, and returns these."""
    files = [Path(folder) / f"{rank}.process" for rank in range(N)]
    limit = time.monotonic() + seconds
    while not all(file.exists() and file.read_text() for file in files):
        assert time.monotonic() < limit, "the ranks did not start"
        time.sleep(0.01)
    return [int(file.read_text()) for file in files]


def is_alive(process):
    """Whether a process runs; one that has ended, and waits for its parent, does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def same_parameters(*paths):
    """Whether the parameters in files have the same bits."""
    first, *others = [modelfile.load(path).tensors for path in paths]
    return all(
        first.keys() == other.keys()
        and all(np.asarray(first[name]).tobytes() == np.asarray(other[name]).tobytes() for name in first)
        for other in others
    )


def send(number, process):
    """Sends a signal, unless the process has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.Signals(number))
