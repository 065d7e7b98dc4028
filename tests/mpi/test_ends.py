"""Ranks that are killed, that fail or that get a signal: all end, with one message and a whole checkpoint."""

import json
import os
import random
import re
import signal
import time

import pytest
from launching import (
    commands,
    ended,
    forwards_interrupts,
    is_alive,
    processes,
    same_parameters,
    send,
    started,
)
from small_trainings import training

from rnnrs import modelfile
from rnnrs.cli import main
from rnnrs.models import LanguageModel

#: How often ranks are killed in all; RNNRS_KILLS=50 for more.
KILLS = int(os.environ.get("RNNRS_KILLS", "5"))

#: Micro-batches that are computed together, so that the sum of one layer's gradients begins before the others'.
TOGETHER = ["--batch-size", "8", "--no-by-sentence"]

#: A run of some seconds, which writes a checkpoint every other step.
LONG = [*TOGETHER, "--epochs", "40", "--checkpoint-every", "2"]

#: A run that only a signal ends.
ENDLESS = [*TOGETHER, "--epochs", "1000000", "--checkpoint-every", "2"]


def long_training(folder, *more):
    return [*training(folder, "lm"), "-o", str(folder / "lm.rnn"), *more]


def begin(folder, N, words, *failing):
    """Starts a training."""
    for file in folder.glob("*.process"):
        file.unlink()
    return started(N, "rank.py", folder, json.dumps([words]), *failing)


def wait_for_checkpoint(path, seconds=60):
    limit = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < limit, "no checkpoint"
        time.sleep(0.01)


def test_killed_ranks_end_the_job_and_the_same_command_goes_on_with_another_number(tmp_path):
    draw = random.Random(20)
    alone = tmp_path / "alone.rnn"
    assert main([*training(tmp_path, "lm"), "-o", str(alone), *LONG, "--micro-batches", "8"]) == 0
    words = long_training(tmp_path, *LONG, "--resume=auto")
    for _ in range(KILLS):
        N = draw.choice([2, 4])
        with begin(tmp_path, N, words) as job:
            ranks = processes(tmp_path, N)
            time.sleep(draw.uniform(0.0, 4.0))
            send(signal.SIGKILL, draw.choice(ranks))
            kill = time.monotonic()
            code, _, _ = ended(job, 30)
            assert time.monotonic() - kill < 30
            assert not any(is_alive(rank) for rank in ranks)
        if code == 0:  # the run was faster than the kill: begin anew
            assert same_parameters(tmp_path / "lm.rnn", alone)
            (tmp_path / "lm.rnn").unlink()
        elif (tmp_path / "lm.rnn").exists():
            LanguageModel.load(tmp_path / "lm.rnn").evaluate("the cat sees a dog.\n")
    assert commands(1, tmp_path, words)[0] == 0
    assert same_parameters(tmp_path / "lm.rnn", alone)


@pytest.mark.parametrize(
    "number, code, word", [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_signal_to_one_rank_ends_all_with_a_checkpoint(number, code, word, tmp_path):
    with begin(tmp_path, 2, long_training(tmp_path, *ENDLESS)) as job:
        ranks = processes(tmp_path, 2)
        wait_for_checkpoint(tmp_path / "lm.rnn")
        send(number, ranks[1])
        found = ended(job, 30)
    check_continued(tmp_path, found, code, word)


def test_ctrl_c_ends_all_with_a_checkpoint(tmp_path):
    if not forwards_interrupts():
        pytest.skip("this MPI's launcher kills its processes a moment after Ctrl-C")
    with begin(tmp_path, 2, long_training(tmp_path, *ENDLESS)) as job:
        wait_for_checkpoint(tmp_path / "lm.rnn")
        send(signal.SIGINT, job.pid)
        found = ended(job, 30)
    check_continued(tmp_path, found, 130, "interrupted")


def check_continued(folder, found, code, word):
    """Checks how a signal ended a run, and that with 4 ranks it goes on to the bits of a run without a break."""
    lines = [line for line in found[1].splitlines() if not line.startswith("[mpiexec")]  # by the launcher
    assert (found[0], lines) == (code, []), found
    (line,) = found[2]
    means = f"rnnrs: {word}; .*lm.rnn can be used as it is; to continue: mpiexec -n 2 rnnrs lm train"
    assert re.match(means, line)
    bound = [*TOGETHER, "--epochs", str(modelfile.load(folder / "lm.rnn").run["epoch"] + 1)]
    alone = folder / "alone.rnn"
    assert main([*training(folder, "lm"), "-o", str(alone), *bound, "--micro-batches", "8"]) == 0
    assert commands(4, folder, long_training(folder, *bound, "--resume"))[0] == 0
    assert same_parameters(folder / "lm.rnn", alone)


@pytest.mark.parametrize("place", ["step", "sum"])
def test_an_error_in_a_step_of_one_rank_ends_all_with_a_checkpoint(place, tmp_path):
    with begin(tmp_path, 2, long_training(tmp_path, *ENDLESS), 1, place) as job:
        found = ended(job, 60)
    assert found == (1, "", [f"rnnrs: rank 1: this rank fails at its {place}"])
    run = modelfile.load(tmp_path / "lm.rnn").run
    assert run["step"] == 2  # the last whole one


def test_an_error_of_one_rank_before_the_training_ends_all(tmp_path):
    with begin(tmp_path, 2, long_training(tmp_path, *ENDLESS), 1, "start") as job:
        code, out, lines = ended(job, 60)
    assert code != 0 and (out, lines) == ("", ["rnnrs: rank 1: this rank fails at its start"])
    assert not (tmp_path / "lm.rnn").exists()
