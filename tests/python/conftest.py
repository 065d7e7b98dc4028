import os
import signal
import sys
from collections.abc import Iterator

# Workers side by side (`pytest -n`) compute with one thread each: more than cores would only wait for each other.
# NumPy's BLAS reads its number when it is loaded, so this comes before any import of it.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("RNNRS_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# The tests start hundreds of processes, and pytest rewrites their assertions: with bytecode, all that is compiled
# only once, whatever PYTHONDONTWRITEBYTECODE says.
if sys.dont_write_bytecode:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False

import pytest
from hypothesis import HealthCheck, settings

import rnnrs

# Modules shared by tests are beside this file (`pythonpath` in pyproject.toml). Failed assertions in them are explained
# as those in tests are.
pytest.register_assert_rewrite("finite_differences", "interrupts", "rnnrs_command")

# How long an example takes says nothing on a machine that does other things, too. `timeout` in pyproject.toml remains.
settings.register_profile("rnnrs", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rnnrs")

# A shell that starts the tests in the background makes them ignore SIGINT, and every process they start inherits that.
# The tests check what happens at Ctrl-C, so the default is restored.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def same_number_of_threads() -> Iterator[None]:
    """Restores the number of threads that a test changed."""
    before = rnnrs.get_num_threads()
    yield
    if rnnrs.get_num_threads() != before:
        rnnrs.set_num_threads(before)
