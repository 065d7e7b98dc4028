"""Sums over ranks have one order; ranks agree on errors and signals. Ranks are threads here; tests/mpi has MPI."""

import contextlib
import signal

import numpy as np
import pytest
from thread_ranks import on_ranks

from rnnrs import RankError, Trainer
from rnnrs.data import StreamBatches
from rnnrs.models import LanguageModel
from rnnrs.optim import SGD
from rnnrs.signals import Terminated
from rnnrs.text import WordVocabulary
from rnnrs.train import rank_sums
from rnnrs.train.ranks import Ranks

#: Ranks and micro-batches: whole subtrees for each rank, and shares that are none.
CASES = [
    (1, 1),
    (1, 6),
    (2, 2),
    (2, 6),
    (2, 8),
    (2, 10),
    (3, 3),
    (3, 9),
    (4, 8),
    (4, 12),
    (5, 5),
    (5, 35),
    (8, 8),
]


def tree(leaves):
    """The sum along the tree, level by level."""
    row = [leaf.copy() for leaf in leaves]
    while len(row) > 1:
        row = [a + b for a, b in zip(row[::2], row[1::2], strict=False)] + row[len(row) // 2 * 2 :]
    return row[0]


def partials(share, leaves):
    """{(level, index): sum} of the maximal nodes within a share, by trying all."""
    M = len(leaves)
    found = {}
    for level in range((M - 1).bit_length(), -1, -1):
        for index in range(M):
            first, end = index << level, min((index + 1) << level, M)
            inside = share.start <= first < end <= share.stop
            if inside and not any(a << n <= first and end <= min((a + 1) << n, M) for n, a in found):
                found[level, index] = tree(leaves[first:end])
    return found


def summed(size, leaves):
    """The results of `total` on all ranks."""
    M = len(leaves)

    def work(communicator):
        here = Ranks("test", communicator if size > 1 else None)
        out = np.full_like(leaves[0], np.nan)
        here.total(partials(here.share(M), leaves), M, out)
        return out

    return on_ranks(size, work)


@pytest.mark.parametrize("size, M", CASES)
@pytest.mark.parametrize("n", [1, 7, 1000])
def test_a_sum_over_ranks_has_the_bits_of_the_tree_in_one_process(size, M, n):
    leaves = np.random.default_rng(M * n).standard_normal((M, n)).astype(np.float32)
    leaves *= 10.0 ** np.arange(M, dtype=np.float32).reshape(-1, 1)  # another order gives other bits
    for out in summed(size, leaves):
        assert out.tobytes() == tree(leaves).tobytes()


def test_a_vector_of_several_blocks(monkeypatch):
    monkeypatch.setattr(rank_sums, "SEGMENT", 64)
    leaves = np.random.default_rng(0).standard_normal((6, 1000))
    for out in summed(3, leaves):
        assert out.tobytes() == tree(leaves).tobytes()


def test_the_result_may_replace_a_partial_sum_and_the_others_stay():
    leaves = np.random.default_rng(0).standard_normal((6, 100))

    def work(communicator):
        here = Ranks("test", communicator)
        given = partials(here.share(6), leaves)
        first, *others = given.values()
        kept = [vector.copy() for vector in others]
        here.total(given, 6, first)
        return first, [a.tobytes() == b.tobytes() for a, b in zip(kept, others, strict=True)]

    for out, same in on_ranks(2, work):
        assert out.tobytes() == tree(leaves).tobytes() and same == [True]


def test_sums_go_on_while_the_ranks_compute():
    leaves = np.random.default_rng(0).standard_normal((4, 5, 300))

    def work(communicator):
        here = Ranks("test", communicator)
        outs = np.zeros((5, 300))
        for bucket in range(5):
            here.begin(partials(here.share(4), leaves[:, bucket]), 4, outs[bucket])
            here.gather([1.0])
        here.finish()
        return outs

    for outs in on_ranks(2, work):
        assert all(out.tobytes() == tree(leaves[:, i]).tobytes() for i, out in enumerate(outs))


@pytest.fixture
def sizes(monkeypatch):
    """The numbers of every sum, by every rank."""
    found = []
    block = rank_sums.RankSums._total_block

    def counted(self, vectors, M, out, pause):
        found.append(out.size)
        block(self, vectors, M, out, pause)

    monkeypatch.setattr(rank_sums.RankSums, "_total_block", counted)
    return found


@pytest.mark.parametrize("known", [True, False])
def test_rows_that_no_rank_has_touched_are_not_sent(known, sizes):
    V, H = 90, 4
    draw = np.random.default_rng(1)
    touched = draw.random((6, V)) < 0.05
    leaves = np.concatenate([draw.standard_normal((6, 10)), np.zeros((6, V * H)), np.ones((6, 1))], axis=1)
    for leaf, rows in zip(leaves, touched, strict=True):
        leaf[10:-1].reshape(V, H)[rows] = draw.standard_normal((rows.sum(), H))

    def work(communicator):
        here = Ranks("test", communicator)
        share = here.share(6)
        rows = touched[share.start : share.stop].any(axis=0) if known or here.rank else None
        pieces = [(slice(0, 10), None), (slice(10, 10 + V * H), rows), (slice(10 + V * H, 11 + V * H), None)]
        out = np.zeros(11 + V * H)
        here.begin(partials(share, leaves), 6, out, pieces)
        here.finish()
        return out

    for out in on_ranks(2, work):
        assert out.tobytes() == tree(leaves).tobytes()
    some = H * touched.any(axis=0).sum()
    assert 0 < some < V * H and sorted(sizes) == (sorted([1, 10, some] * 2) if known else [11 + V * H] * 2)


def test_a_large_vocabulary_has_the_same_bits_for_any_number_of_ranks(sizes):
    vocabulary = WordVocabulary.build(" ".join(f"w{i}" for i in range(17_000)), min_count=1, max_size=None)
    ids = np.random.default_rng(0).integers(0, len(vocabulary), 4 * 8 * 5)

    def train(communicator):
        model = LanguageModel(vocabulary, cell="rnn", hidden_size=4, embedding_size=16, seed=1)
        data = StreamBatches(ids, batch_size=4, steps=8)
        Trainer(model, SGD(0.1), micro_batches=4, communicator=communicator).fit(data, max_steps=3)
        return model.parameters.flat.copy()

    alone = train(None)
    assert [found.tobytes() for found in on_ranks(2, train)] == [alone.tobytes()] * 2
    assert sum(sizes) < 2 * 3 * (alone.size - 15 * len(vocabulary))  # few rows of the embedding were sent


@pytest.mark.parametrize("N, M", [(2, 8), (3, 9), (2, 6)])
def test_sums_of_bfloat16_messages_are_the_same_on_all_ranks_and_nearly_exact(N, M):
    leaves = np.random.default_rng(M).uniform(1, 2, (M, 300)).astype(np.float32)

    def work(communicator):
        here = Ranks("test", communicator, "bfloat16")
        out = np.empty(300, np.float32)
        here.total(partials(here.share(M), leaves), M, out)
        return out

    first, *others = on_ranks(N, work)
    assert all(out.tobytes() == first.tobytes() for out in others)
    assert not np.any(first.view(np.uint32) & 0xFFFF)  # a bfloat16
    assert np.abs(first / leaves.sum(axis=0, dtype=float) - 1).max() <= 2.0**-7 + 1e-6
    assert np.any(first != tree(leaves))


def test_bfloat16_leaves_float64_gradients_as_they_are():
    leaves = np.random.default_rng(0).standard_normal((4, 30))

    def work(communicator):
        here, out = Ranks("test", communicator, "bfloat16"), np.empty(30)
        here.total(partials(here.share(4), leaves), 4, out)
        return out.tobytes()

    assert on_ranks(2, work) == [tree(leaves).tobytes()] * 2
    with pytest.raises(
        ValueError, match="op: gradient_precision: expected one of float32, bfloat16, got 'int8'"
    ):
        Ranks("op", None, "int8")


def test_a_failure_between_the_sums_of_a_step_leaves_no_rank_waiting():
    def work(communicator):
        here = Ranks("test", communicator)
        for buckets in (3, 1):  # of another step, after the first one failed
            with contextlib.suppress(OverflowError, RankError), here.together():
                for bucket in range(buckets):
                    if buckets == 3 and here.rank == 1 and bucket == 2:
                        raise OverflowError
                    here.begin(
                        partials(here.share(4), np.full((4, 10), bucket + 1.0)), 4, out := np.zeros(10)
                    )
        here.finish()
        return out

    for out in on_ranks(2, work):
        assert out.tolist() == [4.0] * 10


def test_other_partial_sums_than_the_ranks_own_are_refused():
    with pytest.raises(ValueError, match=r"op: partials: expected sums of \[\(0, 4\)\]"):
        Ranks("op", None).total({(0, 0): np.ones(3)}, 4, np.empty(3))
    with pytest.raises(ValueError, match="op: partials"):
        Ranks("op", None).total({(2, 0): np.ones(3)}, 4, np.empty(2))


def test_shares_are_runs_of_equally_many_micro_batches():
    def shares(communicator):
        return Ranks("op", communicator).share(12)

    assert on_ranks(3, shares) == [range(4), range(4, 8), range(8, 12)]
    with pytest.raises(ValueError, match="op: micro_batches: expected a multiple of the 5 ranks, got 12"):
        raise on_ranks(5, shares)[2]


def test_numbers_of_all_ranks_come_in_their_order():
    gathered = on_ranks(3, lambda c: Ranks("op", c).gather([c.Get_rank(), 0.5]))
    assert gathered == [[0.0, 0.5, 1.0, 0.5, 2.0, 0.5]] * 3
    assert Ranks("op", None).gather([1, 2]) == [1.0, 2.0]


def test_values_of_all_ranks_come_in_their_order():
    values = [{"a": np.arange(3)}, None, "x" * 1000]
    for collected in on_ranks(3, lambda c: Ranks("op", c).collect(values[c.Get_rank()])):
        assert collected[1:] == values[1:] and collected[0]["a"].tolist() == [0, 1, 2]
    assert Ranks("op", None).collect("alone") == ["alone"]


def test_after_an_error_within_a_context_no_rank_goes_on():
    def work(communicator):
        with Ranks("op", communicator).together():
            if communicator.Get_rank() == 2:
                raise ValueError("here")

    assert [type(error) for error in on_ranks(3, work)] == [RankError, RankError, ValueError]
    assert on_ranks(1, work) == [None]


def test_without_a_problem_the_ranks_go_on():
    assert on_ranks(3, lambda c: Ranks("op", c).agree(None, None)) == [None] * 3


def test_an_error_on_some_ranks_stops_all():
    problems = [None, ArithmeticError("too large"), OSError("full")]
    raised = on_ranks(3, lambda c: Ranks("op", c).agree(problems[c.Get_rank()], signal.SIGTERM))
    assert raised[1:] == problems[1:]
    assert isinstance(raised[0], RankError) and raised[0].rank == 1
    assert str(raised[0]) == "op: stopped by rank 1: ArithmeticError: too large"


@pytest.mark.parametrize("number, kind", [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_signal_to_one_rank_stops_all(number, kind):
    raised = on_ranks(2, lambda c: Ranks("op", c).agree(None, [None, number][c.Get_rank()]))
    assert [type(error) for error in raised] == [kind] * 2
    assert all(getattr(error, "number", signal.SIGINT) == number for error in raised)


def test_an_interrupt_counts_as_its_signal():
    problems = [Terminated(signal.SIGTERM), None]
    raised = on_ranks(2, lambda c: Ranks("op", c).agree(problems[c.Get_rank()], None))
    assert [error.number for error in raised] == [signal.SIGTERM] * 2
    with pytest.raises(ValueError, match="here"):
        Ranks("op", None).agree(ValueError("here"), None)


def test_values_that_differ_between_ranks_are_refused_on_all():
    assert on_ranks(2, lambda c: Ranks("op", c).check_same("data", "a")) == [None, None]
    for error in on_ranks(3, lambda c: Ranks("op", c).check_same("data", "aab"[c.Get_rank()])):
        with pytest.raises(
            ValueError, match="op: data: expected the same on all ranks, got a on rank 0, b on rank 2"
        ):
            raise error


def test_what_is_not_a_communicator_is_refused():
    with pytest.raises(TypeError, match="op: communicator: expected an mpi4py communicator, got int"):
        Ranks("op", 4)
