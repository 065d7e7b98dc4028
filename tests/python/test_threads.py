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


class Machines:
    """A communicator of processes, each on a machine and with the processors that it may run on."""

    def __init__(self, *processes):
        self.processes = processes

    def allgather(self, own):
        assert own == self.processes[0]
        return list(self.processes)


@pytest.mark.parametrize(
    "processes, threads",
    [
        ([("a", range(8))], 8),
        ([("a", range(8))] * 4, 2),
        ([("a", range(8))] * 3, 2),
        ([("a", range(2))] * 4, 1),
        ([("a", range(2)), ("a", range(2, 4))], 2),
        ([("a", range(4)), ("a", range(2)), ("b", range(4))], 3),
        ([("a", range(8)), ("b", range(8))], 8),
    ],
)
def test_processes_on_one_machine_share_its_processors(processes, threads, monkeypatch):
    processes = [(machine, list(own)) for machine, own in processes]
    monkeypatch.setattr(rnnrs.threads.platform, "node", lambda: processes[0][0])
    monkeypatch.setattr(rnnrs.threads.os, "sched_getaffinity", lambda _: set(processes[0][1]), raising=False)
    for name in ("RNNRS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    before = rnnrs.get_num_threads()
    try:
        rnnrs.set_num_threads(16)
        assert rnnrs.threads.share_processors(Machines(*processes)) == threads == rnnrs.get_num_threads()
        rnnrs.set_num_threads(5)
        monkeypatch.setenv("OMP_NUM_THREADS", "5")
        assert rnnrs.threads.share_processors(Machines(*processes)) == 5
        monkeypatch.delenv("OMP_NUM_THREADS")
        rnnrs.set_num_threads(1)  # as a quota leaves
        assert rnnrs.threads.share_processors(Machines(*processes)) == 1
    finally:
        rnnrs.set_num_threads(before)
