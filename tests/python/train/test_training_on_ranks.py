"""Training over several ranks, which are threads here: the same bits for any number, and one end for all."""

import copy
import time

import numpy as np
import pytest
import small_applications
from caught_trainings import training
from thread_ranks import on_ranks

from rnnrs import NonFiniteError, RankError, Trainer, losses, nn, optim
from rnnrs.data import ArrayBatches, StreamBatches
from rnnrs.models import RecurrentNetwork
from rnnrs.models.language.network import LanguageNetwork
from rnnrs.signals import Terminated
from rnnrs.text import TokenVocabulary
from rnnrs.train import BestParameters, Callback, CSVLog, EarlyStopping
from rnnrs.train import checkpoint as checkpoints

IDS = np.random.default_rng(0).integers(0, 9, 700)


def network(seed=1):
    return RecurrentNetwork(
        nn.LSTM(6, 8, recurrent_dropout=0.2, seed=seed),
        nn.Linear(8, 9, seed=seed + 1),
        losses.SoftmaxCrossEntropy(),
        embedding=nn.Embedding(9, 6, seed=seed + 2),
        output_dropout=0.1,
    )


def data():
    return StreamBatches(IDS, batch_size=6, steps=10)


def ended(N, options=None, bounds=None, *, model=None, resume=None, batches=None, M=4):
    """The trainers of N ranks after a run, or their errors; for N = 1, of a run without a communicator."""
    model, batches = model or network(), batches or data()

    def work(communicator):
        own = {name: value() if callable(value) else value for name, value in (options or {}).items()}
        many = {} if N == 1 else {"communicator": communicator}
        trainer = Trainer(
            copy.deepcopy(model), optim.Adam(0.01), clip_norm=1.0, micro_batches=M, seed=3, **many, **own
        )
        if resume is not None:
            trainer.resume(resume)
        trainer.fit(batches, **(bounds or {"epochs": 2, "validation": batches}))
        return trainer

    return on_ranks(N, work)


def bits(trainer):
    parts = [trainer.model.parameters.flat, *trainer.optimizer.state().values(), trainer.history.losses]
    carried = [] if trainer.state is None else [trainer.state]
    return [part.tobytes() for part in [*parts, *carried]], trainer.history.validation


@pytest.mark.parametrize("make", small_applications.APPLICATIONS, ids=lambda make: make.__name__)
def test_any_number_of_ranks_gives_the_same_bits(make):
    model, batches = training(make)
    every = [
        bits(t) for N in (1, 2, 4) for t in ended(N, None, {"max_steps": 3}, model=model, batches=batches)
    ]
    assert len(every) == 7 and all(one == every[0] for one in every)


@pytest.mark.parametrize("V, layers", [(9, 1), (60, 2)])
def test_a_language_model_that_reads_all_runs_at_once_has_the_same_bits(V, layers):
    vocabulary = TokenVocabulary.build(" ".join(f"w{i}" for i in range(V - 2)), min_count=1)
    model = LanguageNetwork(vocabulary, embedding_size=5, hidden_size=6, layers=layers, dropout=0.1)
    stream = StreamBatches(np.random.default_rng(1).integers(0, V, 900), 10, 8)
    every = [
        bits(t) for N in (1, 2, 4) for t in ended(N, None, {"max_steps": 6}, model=model, batches=stream)
    ]
    assert all(one == every[0] for one in every)


def test_state_validation_and_early_stopping_are_those_of_one_process():
    shuffled = ArrayBatches(IDS[:690].reshape(10, 69), IDS[1:691].reshape(10, 69), 6)
    for batches, held_out in ((data(), data()), (shuffled, shuffled)):
        found = [
            ended(
                N,
                {"callbacks": lambda: [EarlyStopping(2, least=0.5), BestParameters()]},
                {"epochs": 9, "validation": held_out},
                batches=batches,
            )
            for N in (1, 4)
        ]
        assert all(bits(t) == bits(found[0][0]) for run in found for t in run)
        assert {t.step for run in found for t in run} == {3 * len(batches)}
        assert all("no validation loss" in t.stopped for run in found for t in run)


@pytest.mark.parametrize("numbers", [(4, 2, 1), (1, 4, 2)])
def test_a_run_goes_on_with_another_number_of_ranks(numbers, tmp_path):
    path, bound = tmp_path / "run", 0
    options = {"checkpoint": path, "checkpoint_every": 3}
    for N in numbers:
        bound += 5
        run = ended(N, options, {"max_steps": bound}, resume=path if bound > 5 else None)
        assert all(t.step == bound for t in run)
    (whole,) = ended(1, None, {"max_steps": bound})
    assert all(bits(t) == bits(whole) for t in run)


def test_the_number_of_micro_batches_is_that_of_the_run(tmp_path):
    path = tmp_path / "run"
    ended(2, {"checkpoint": path}, {"max_steps": 2}, M=4)
    assert checkpoints.read(path, "network").run["micro_batches"] == 4
    refused = Trainer(network(), optim.Adam(0.01), micro_batches=8)
    before = refused.model.parameters.flat.copy()
    message = "Trainer.resume: micro_batches: expected 4, as when the run began, got 8"
    with pytest.raises(ValueError, match=message):
        refused.resume(path)
    assert refused.step == 0 and refused.model.parameters.flat.tobytes() == before.tobytes()
    adopting = Trainer(network(), optim.Adam(0.01))
    assert adopting.micro_batches == 1
    adopting.resume(path)
    assert (adopting.micro_batches, adopting.step) == (4, 2)
    for error in ended(3, None, None, M=4):
        assert "Trainer: micro_batches: expected a multiple of the 3 ranks, got 4" in str(error)
    assert on_ranks(2, lambda c: Trainer(network(), optim.Adam(), communicator=c).micro_batches) == [8, 8]


class At(Callback):
    """Does something on one rank, after a step."""

    def __init__(self, what, step=3):
        self.what, self.step = what, step

    def on_step(self, run, record):
        if run._ranks.rank == 1 and record.step == self.step:
            self.what(run)


def raising(error):
    def what(run):
        raise error

    return what


@pytest.mark.parametrize(
    "error, others, step",
    [
        (ValueError("bad"), RankError, 3),
        (OSError("full"), RankError, 3),
        (KeyboardInterrupt(), KeyboardInterrupt, 3),
        (Terminated(15), Terminated, 3),
        (SystemExit(3), RankError, 3),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_error_on_one_rank_ends_all_after_the_same_step(error, others, step, tmp_path):
    path = tmp_path / "run"
    run = ended(2, {"checkpoint": path, "callbacks": lambda: [At(raising(error))]}, {"max_steps": 9})
    assert type(run[1]) is type(error) and type(run[0]) is others
    if others is RankError:
        assert f"Trainer: stopped by rank 1: {type(error).__name__}" in str(run[0])
    assert checkpoints.read(path, "network").run["step"] == step
    ends = ended(2, None, {"max_steps": 9}, resume=path), ended(1, None, {"max_steps": 9})
    assert bits(ends[0][0]) == bits(ends[0][1]) == bits(ends[1][0])


class FullOptimizer(optim.Adam):
    """An optimizer that fails on one rank."""

    fails = False

    def step(self, *arguments, **options):
        if self.fails:
            raise MemoryError("no room")
        super().step(*arguments, **options)


def test_an_optimizer_or_a_schedule_that_fails_on_one_rank_ends_all(tmp_path):
    path = tmp_path / "run"

    def trained(communicator, rank, where):
        failing = communicator.Get_rank() == rank
        optimizer = FullOptimizer(0.01)
        optimizer.fails = failing and where == "optimizer"

        def schedule(step):
            return 1 / 0 if failing and where == "schedule" and step == 2 else 1.0

        trainer = Trainer(
            network(),
            optimizer,
            schedule=schedule,
            micro_batches=4,
            communicator=communicator,
            checkpoint=path,
            seed=3,
        )
        trainer.fit(data(), max_steps=9)

    first, second = on_ranks(2, lambda communicator: trained(communicator, 1, "schedule"))
    assert type(second) is ZeroDivisionError and type(first) is RankError and first.rank == 1
    assert (
        checkpoints.read(path, "network").run["step"]
        == checkpoints.read(path, "network").run["position"]
        == 3
    )
    first, second = on_ranks(2, lambda communicator: trained(communicator, 0, "optimizer"))
    assert type(first) is MemoryError and type(second) is RankError and second.rank == 0


def test_an_interrupted_step_is_repeated_with_the_same_sampled_words():
    vocabulary = TokenVocabulary.build(" ".join(f"w{i}" for i in range(58)), min_count=1)
    stream = StreamBatches(np.random.default_rng(1).integers(0, 60, 300), 6, 10)

    class Interrupted(losses.SampledSoftmax):
        left = 3

        def through(self, *arguments, **options):
            found = super().through(*arguments, **options)
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
            return found

    def run(M, kind):
        model = LanguageNetwork(vocabulary, embedding_size=5, hidden_size=6)
        model.objective = kind(7, seed=1)
        trainer = Trainer(model, optim.Adam(0.01), micro_batches=M)
        if kind is Interrupted:
            with pytest.raises(KeyboardInterrupt):
                trainer.fit(stream, max_steps=4)
            assert model.objective.step == trainer.step < 3
        trainer.fit(stream, max_steps=4)
        return bits(trainer)

    for M in (1, 2):
        assert run(M, Interrupted) == run(M, losses.SampledSoftmax)


class Breaks(RecurrentNetwork):
    """A network that cannot compute the last column of the third batch."""

    calls = 0

    def loss(self, batch, state=None, **options):
        self.calls += 5 in batch.keys
        if self.calls == 3:
            raise ArithmeticError("a bad column")
        return super().loss(batch, state, **options)


def test_a_bad_input_on_one_rank_ends_all(tmp_path):
    path = tmp_path / "run"
    layers = nn.RNN(6, 8), nn.Linear(8, 9), losses.SoftmaxCrossEntropy()
    model = Breaks(*layers, embedding=nn.Embedding(9, 6))
    first, second = ended(2, {"checkpoint": path}, {"epochs": 1}, model=model)
    assert type(second) is ArithmeticError and type(first) is RankError and first.rank == 1
    assert checkpoints.read(path, "network").run["step"] == 2


def test_numbers_that_are_not_finite_end_all_ranks(tmp_path):
    path = tmp_path / "run"
    big = ArrayBatches(np.float32(IDS[:600].reshape(10, 60, 1)), np.full((10, 60, 1), 1e25, np.float32), 6)
    model = RecurrentNetwork(nn.RNN(1, 4), nn.Linear(4, 1), losses.SquaredError())
    run = ended(2, {"checkpoint": path}, {"epochs": 1}, model=model, batches=big)
    assert [type(error) for error in run] == [NonFiniteError] * 2 and str(run[0]) == str(run[1])
    assert not path.exists()


def test_one_rank_may_stop_all_and_the_first_ones_time_counts():
    run = ended(2, {"callbacks": lambda: [At(lambda run: run.stop("enough"), 4)]}, {"max_steps": 9})
    assert [(t.step, t.stopped) for t in run] == [(4, "enough")] * 2

    class Never(Callback):
        def on_start(self, run):
            if run._ranks.rank:
                run.stop("no need")

    run = ended(2, {"callbacks": lambda: [Never()]}, {"max_steps": 9})
    assert [(t.step, t.stopped) for t in run] == [(0, "no need")] * 2

    class Slow(Callback):
        def on_step(self, run, record):
            time.sleep(0.02 * run._ranks.rank)
            run.seconds += 100.0 * run._ranks.rank

    run = ended(2, {"callbacks": lambda: [Slow()]}, {"time_limit": 90.0, "max_steps": 4})
    assert run[0].step == run[1].step == 4 and run[0].seconds == run[1].seconds < 90.0


def test_the_first_rank_alone_writes(tmp_path, capsys):
    path = tmp_path / "log.csv"
    run = ended(2, {"callbacks": lambda: [CSVLog(path)], "checkpoint": tmp_path / "run"}, {"max_steps": 4})
    assert not any(isinstance(t, BaseException) for t in run), run
    assert len(path.read_text().splitlines()) == 5


def test_ranks_that_begin_with_different_things_are_refused():
    def work(communicator):
        model = network(seed=communicator.Get_rank())
        return Trainer(model, optim.Adam(), communicator=communicator).fit(data(), epochs=1)

    for error in on_ranks(2, work):
        assert "Trainer: model: expected the same on all ranks" in str(error)

    def more(communicator):
        trainer = Trainer(network(), optim.Adam(), communicator=communicator)
        return trainer.fit(StreamBatches(IDS, 6, 5 + communicator.Get_rank()), epochs=1)

    for error in on_ranks(2, more):
        assert "Trainer: data: expected the same on all ranks" in str(error)

    def other(communicator, what):
        model, rank = network(), communicator.Get_rank()
        if rank and what == "learning":
            model.parameters.freeze("rnn.*")
        limit = 1.0 + rank if what == "clipping" else None
        precision = "bfloat16" if rank and what == "gradient_precision" else "float32"
        options = {"clip_norm": limit, "gradient_precision": precision, "communicator": communicator}
        return Trainer(model, optim.Adam(), **options).fit(data(), epochs=1)

    for what in ("clipping", "learning", "gradient_precision"):
        for error in on_ranks(2, lambda communicator, what=what: other(communicator, what)):
            assert f"Trainer: {what}: expected the same on all ranks" in str(error)


def test_a_captioner_moves_its_averages_by_the_mean_of_its_micro_batches():
    model, batches = training(small_applications.captioner)
    (batch,) = batches.epoch(0)[:1]
    before, expected = [average.copy() for average in model.averages], 0.0
    for m in range(4):
        part = batch.part(m, 4)
        if len(part.keys):
            model.loss(part, noise=1)
            expected = expected + len(part.keys) / 5 * np.concatenate(model.averages)
            for average, was in zip(model.averages, before, strict=True):
                average[...] = was
    (run,) = ended(1, None, {"max_steps": 1}, model=model, batches=[batch])
    np.testing.assert_allclose(np.concatenate(run.model.averages), expected, rtol=1e-12)


def test_fit_passes_on_its_communicator_and_the_number(tmp_path):
    def work(communicator):
        model, texts, _ = small_applications.translator()
        model.fit(*texts, epochs=1, progress=True, communicator=communicator, checkpoint=tmp_path / "c")
        return model.parameters.flat.tobytes()

    model, texts, _ = small_applications.translator()
    model.fit(*texts, epochs=1, progress=False, micro_batches=8)
    assert on_ranks(2, work) == [model.parameters.flat.tobytes()] * 2
    with pytest.raises(
        ValueError, match=r"Translator\.fit: micro_batches: expected 8, as when the run began, got 4"
    ):
        model.fit(*texts, epochs=2, progress=False, micro_batches=4, resume=tmp_path / "c")
    model.fit(*texts, epochs=2, progress=False, resume=tmp_path / "c")
    with pytest.raises(ValueError, match="micro_batches: expected a whole number from 1, got 0"):
        model.fit(*texts, epochs=1, micro_batches=0)
