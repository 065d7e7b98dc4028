"""One rank that sums random micro-batches and writes the digests of the results.

Usage: sums.py FOLDER SEED; the sizes follow from the seed, the same on all ranks.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from rnnrs.launcher import from_environment
from rnnrs.train import rank_sums
from rnnrs.train.ranks import Ranks


def sums(here, seed):
    """Digests of random sums, by name: over the ranks, or by this process alone if `here` has one rank."""
    draw, found = np.random.default_rng(seed), {}
    for _ in range(6):
        M = 4 * int(draw.integers(1, 9))
        size = int(draw.choice([1, 5, 1000, 300_000]))
        dtype = draw.choice(["float32", "float64"])
        rank_sums.SEGMENT = int(draw.choice([1 << 12, 1 << 17]))
        leaves = [(draw.standard_normal(size) * 10.0 ** draw.integers(-9, 9)).astype(dtype) for _ in range(M)]
        out = np.empty(size, dtype)
        here.total(partials(here.share(M), leaves), M, out)
        found[f"{M} × {size} {dtype}"] = hashlib.sha256(out).hexdigest()
    return found


def partials(share, leaves):
    """{(level, index): sum} of the maximal nodes within a share, by trying all."""
    M, found, covered = len(leaves), {}, set()
    for level in range((M - 1).bit_length(), -1, -1):
        for index in range(M):
            node = range(index << level, min((index + 1) << level, M))
            if node and node[0] in share and node[-1] in share and not covered & set(node):
                found[level, index] = tree([leaves[m] for m in node])
                covered |= set(node)
    return found


def tree(row):
    """The sum along the tree, level by level."""
    while len(row) > 1:
        row = [a + b for a, b in zip(row[::2], row[1::2], strict=False)] + row[len(row) // 2 * 2 :]
    return row[0].copy()


if __name__ == "__main__":
    folder, seed = sys.argv[1], int(sys.argv[2])
    world = from_environment("sums")
    here = Ranks("sums", world)
    facts = {
        "sums": sums(here, seed),
        "gathered": here.gather([here.rank, 0.5]),
        "collected": here.collect({"rank": here.rank, "text": "x" * here.rank}),
    }
    here.agree(None)
    try:
        here.agree(ValueError("too large") if here.rank == here.size - 1 else None)
    except Exception as error:
        facts["error"] = f"{type(error).__name__}: {error}"
    Path(folder, f"{here.rank}.json").write_text(json.dumps(facts))
