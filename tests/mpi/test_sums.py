"""Sums, agreements and errors over a real MPI: every rank's results against those of one process."""

import json

import pytest
from launching import run
from sums import sums

from rnnrs.train.ranks import Ranks


@pytest.mark.parametrize("N", [1, 2, 4])
def test_every_rank_has_the_sums_of_one_process(N, tmp_path):
    seed = 20 + N
    code, out, _ = run(N, "sums.py", tmp_path, seed)
    assert (code, out) == (0, "")
    expected = sums(Ranks("alone", None), seed)
    facts = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(N)]
    for rank, fact in enumerate(facts):
        assert fact["sums"] == expected
        assert fact["gathered"] == [number for other in range(N) for number in (other, 0.5)]
        assert fact["collected"] == [{"rank": other, "text": "x" * other} for other in range(N)]
        own = "ValueError: too large"
        others = f"RankError: sums: stopped by rank {N - 1}: {own}"
        assert fact["error"] == (own if rank == N - 1 else others)
