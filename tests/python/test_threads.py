"""The number of threads: from the environment, and known to threadpoolctl."""

import os
import subprocess
import sys

import pytest
import threadpoolctl

import rnnrs


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"RNNRS_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3),
        ({"OMP_NUM_THREADS": "5"}, 5),
        ({"OMP_NUM_THREADS": "4,2"}, 4),
        ({"OMP_NUM_THREADS": "many"}, None),
        ({"OMP_NUM_THREADS": "0"}, None),
        ({}, None),
    ],
)
def test_the_number_of_threads_comes_from_the_environment(environment, wanted):
    kept = {k: v for k, v in os.environ.items() if k not in ("RNNRS_NUM_THREADS", "OMP_NUM_THREADS")}
    program = "import rnnrs; print(rnnrs.get_num_threads())"
    found = subprocess.run(
        [sys.executable, "-c", program], env=kept | environment, capture_output=True, text=True, check=True
    )
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if wanted is None:
        assert 1 <= int(found.stdout) <= processors
    else:
        assert int(found.stdout) == wanted


def test_the_threads_are_known_to_threadpoolctl():
    rnnrs.set_num_threads(2)
    (known,) = [entry for entry in threadpoolctl.threadpool_info() if entry["user_api"] == "rnnrs"]
    assert known["num_threads"] == 2 and known["version"] == rnnrs.__version__
    with threadpoolctl.threadpool_limits(1, user_api="rnnrs"):
        assert rnnrs.get_num_threads() == 1
    assert rnnrs.get_num_threads() == 2
