"""The worker of a model: batches, bounds, deadlines, errors, streams, and its end."""

import asyncio
import itertools
import threading
import time

import pytest
from served_models import refused

from rnnrs.decoding import check_stopped
from rnnrs.serve import Limits
from rnnrs.serve.batching import TOGETHER, ClientLeft, Worker
from rnnrs.serve.problems import Problem

#: The longest wait for another thread, in seconds; nothing takes nearly as long.
LONG = 30.0


class Gate:
    """A computation that waits until it may go on, and remembers its batches."""

    def __init__(self):
        self.batches, self.entered, self.opened = [], threading.Event(), threading.Event()

    def hold(self, items):
        self.batches.append(items)
        self.entered.set()
        assert self.opened.wait(LONG)
        return items

    def compute(self, items):
        self.batches.append(items)
        return [item * 2 for item in items]


def run(scenario, **limits):
    """Runs a coroutine function with a worker, which must end in time."""
    worker = Worker("m", Limits(**limits))

    async def ran():
        try:
            return await asyncio.wait_for(scenario(worker), LONG)
        finally:
            await asyncio.to_thread(worker.close)
            assert worker._thread is None or not worker._thread.is_alive()

    return asyncio.run(ran())


async def held(worker, gate):
    """Returns a request that the worker computes until the gate is opened."""
    first = asyncio.ensure_future(worker.submit("hold", gate.hold, 0))
    await asyncio.to_thread(gate.entered.wait, LONG)
    return first


def submitted(worker, gate, items, key="k", **options):
    return [asyncio.ensure_future(worker.submit(key, gate.compute, item, **options)) for item in items]


def test_requests_of_one_key_are_computed_together_in_order():
    gate = Gate()

    async def scenario(worker):
        first = await held(worker, gate)
        tasks = submitted(worker, gate, [1, 2], "a") + submitted(worker, gate, [3], "b")
        tasks += submitted(worker, gate, [4], "a")
        await asyncio.sleep(0)
        assert worker.waiting == 4
        gate.opened.set()
        assert await asyncio.gather(first, *tasks) == [0, 2, 4, 6, 8]
        assert (worker.batches, worker.computed, worker.waiting) == (3, 5, 0)

    run(scenario)
    assert gate.batches == [[0], [1, 2, 4], [3]]


def test_a_batch_is_bounded_in_number_and_in_size():
    gate = Gate()

    async def scenario(worker):
        first = await held(worker, gate)
        tasks = submitted(worker, gate, [1, 2, 3]) + submitted(worker, gate, [4], size=TOGETHER)
        tasks += submitted(worker, gate, [5], size=2 * TOGETHER)
        await asyncio.sleep(0)
        gate.opened.set()
        await asyncio.gather(first, *tasks)

    run(scenario, batch=2)
    assert gate.batches == [[0], [1, 2], [3], [4], [5]]


def test_a_full_queue_refuses_further_requests_and_forgets_those_that_left():
    gate = Gate()

    async def scenario(worker):
        first = await held(worker, gate)
        tasks = submitted(worker, gate, [1, 2])
        await asyncio.sleep(0)
        with refused(429) as found:
            await worker.submit("k", gate.compute, 3)
        assert int(found.value.headers["Retry-After"]) >= 1
        tasks.pop().cancel()
        await asyncio.sleep(0)
        tasks += submitted(worker, gate, [4])
        await asyncio.sleep(0)
        gate.opened.set()
        assert await asyncio.gather(first, *tasks) == [0, 2, 8]

    run(scenario, queue=2)
    assert gate.batches == [[0], [1, 4]]


def test_a_deadline_ends_the_wait_and_the_computation_at_its_next_step():
    ended = threading.Event()

    def endless(items):
        try:
            while True:
                check_stopped()
        finally:
            ended.set()

    async def scenario(worker):
        with refused(504):
            await worker.submit("k", endless, 1, seconds=0.05)
        assert await asyncio.to_thread(ended.wait, LONG)
        assert await worker.submit("k", lambda items: items, 2) == 2

    run(scenario)


def test_a_client_that_leaves_ends_its_computation_but_not_that_of_others():
    steps, ended = [], threading.Event()

    def slow(items):
        try:
            for _ in range(100_000):
                steps.append(len(items))
                check_stopped()
                if ended.wait(0.001):
                    return items
            raise AssertionError("nobody ended it")
        finally:
            ended.set()

    async def scenario(worker):
        left = asyncio.Event()
        alone = asyncio.ensure_future(worker.submit("k", slow, 1, gone=left.wait))
        await asyncio.sleep(0.1)
        left.set()
        with pytest.raises(ClientLeft):
            await alone
        assert await asyncio.to_thread(ended.wait, LONG)
        ended.clear()
        gate = Gate()
        first = await held(worker, gate)
        both = [asyncio.ensure_future(worker.submit("k", slow, item)) for item in (2, 3)]
        await asyncio.sleep(0)
        gate.opened.set()
        await asyncio.sleep(0.05)
        both[0].cancel()
        await asyncio.sleep(0.05)
        ended.set()
        assert await both[1] == 3
        assert await first == 0

    run(scenario)
    assert {*steps} == {1, 2}


@pytest.mark.parametrize("error", [ValueError("3 is wrong"), BaseException("a panic"), StopIteration(3)])
def test_an_error_is_that_of_its_own_request(error):
    gate = Gate()

    def compute(items):
        gate.batches.append(items)
        if 3 in items:
            raise error
        return items

    async def scenario(worker):
        first = await held(worker, gate)
        tasks = [asyncio.ensure_future(worker.submit("k", compute, item)) for item in range(1, 6)]
        await asyncio.sleep(0)
        gate.opened.set()
        found = await asyncio.gather(first, *tasks, return_exceptions=True)
        assert found[:3] + found[4:] == [0, 1, 2, 4, 5]
        assert isinstance(found[3], Exception) and str(error) in str(found[3])
        assert await worker.submit("k", compute, 6) == 6

    run(scenario)
    assert gate.batches[1:-1] == [[1, 2, 3, 4, 5], [1, 2], [3, 4, 5], [3], [4, 5]]


def test_an_answer_can_be_a_problem_of_one_request():
    async def scenario(worker):
        assert await worker.submit("k", lambda items: items, 1) == 1
        with refused(400):
            await worker.submit("k", lambda items: [Problem(400, "no") for _ in items], 2)

    run(scenario)


def test_a_wrong_number_of_answers_is_an_error_and_the_worker_goes_on():
    async def scenario(worker):
        with pytest.raises(RuntimeError, match="expected 1 answers, got 2"):
            await worker.submit("k", lambda items: [1, 2], 1)
        assert await worker.submit("k", lambda items: items, 2) == 2

    run(scenario)


class Counting:
    """A stream of some steps; it fails at one of them, if that is given."""

    def __init__(self, steps, fails_at=None, seen=None):
        self.left, self.fails_at, self.seen = steps, fails_at, [] if seen is None else seen
        self.done, self.error = threading.Event(), None

    def step(self):
        self.left -= 1
        self.seen.append(self)
        if self.left == self.fails_at:
            raise RuntimeError("a stream's error")
        if not self.left:
            self.done.set()
        return self.left > 0

    def fail(self, error):
        self.error = error
        self.done.set()


def test_streams_and_requests_take_turns():
    seen, gate = [], Gate()

    async def scenario(worker):
        first = await held(worker, gate)
        streams = [Counting(10**9, seen=seen) for _ in range(2)]
        for stream in streams:
            worker.run(stream)
        answers = [
            asyncio.ensure_future(
                worker.submit(key, lambda items: time.sleep(0.02) or seen.append("call") or items, key)
            )
            for key in "abc"
        ]
        await asyncio.sleep(0)
        gate.opened.set()
        await asyncio.gather(first, *answers)
        while seen.count(streams[0]) < 100:  # without requests, streams go on
            await asyncio.sleep(0.001)
        for stream in streams:
            stream.left = 1
        for stream in streams:
            assert await asyncio.to_thread(stream.done.wait, LONG)
        return streams

    one, two = run(scenario)
    places = [place for place, what in enumerate(seen) if what == "call"]
    assert len(places) == 3
    for begin, end in itertools.pairwise(places):  # as long as a call, which is many steps
        assert seen[begin:end].count(one) == seen[begin:end].count(two) > 5


class Stubborn(Counting):
    def fail(self, error):
        super().fail(error)
        raise RuntimeError("it cannot end, either")


@pytest.mark.parametrize("kind", [Counting, Stubborn])
def test_a_stream_that_fails_ends_alone(kind):
    async def scenario(worker):
        bad, good = kind(3, fails_at=1), Counting(5)
        worker.run(bad)
        worker.run(good)
        for stream in (bad, good):
            assert await asyncio.to_thread(stream.done.wait, LONG)
        assert str(bad.error) == "a stream's error" and good.error is None
        assert await worker.submit("k", lambda items: items, 1) == 1

    run(scenario)


def test_the_end_refuses_what_waits_and_stops_what_runs():
    entered = threading.Event()

    def endless(items):
        entered.set()
        while True:
            check_stopped()

    async def scenario(worker):
        running = asyncio.ensure_future(worker.submit("k", endless, 1))
        await asyncio.to_thread(entered.wait, LONG)
        waiting = asyncio.ensure_future(worker.submit("k", endless, 2))
        await asyncio.sleep(0)
        stream = Counting(10)
        worker.run(stream)
        await asyncio.to_thread(worker.close)
        for task in (running, waiting):
            with refused(503):
                await task
        assert stream.error.status == 503
        with refused(503):
            await worker.submit("k", endless, 3)
        with refused(503):
            worker.run(stream)

    run(scenario)


def test_an_event_loop_that_has_ended_does_not_end_the_worker():
    gate = Gate()
    worker = Worker("m", Limits())

    async def leaves():
        task = await held(worker, gate)
        task.cancel()

    asyncio.run(leaves())
    gate.opened.set()
    assert asyncio.run(worker.submit("k", lambda items: items, 1)) == 1
    worker.close()
