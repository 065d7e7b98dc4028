"""Ranks as threads of one process: a communicator with the methods that a training calls."""

import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np


class Mail(dict):
    """(source, destination, tag) → messages, in their order."""

    def __init__(self):
        super().__init__()
        self._guard = threading.Lock()

    def __missing__(self, key):
        with self._guard:
            return self.setdefault(key, SimpleQueue())


class Arrived:
    """A request whose messages have arrived."""

    def Test(self):
        return True


class Expected:
    """A request for a message, which may arrive later."""

    def __init__(self, mail, received):
        self._mail, self._received, self._is_here = mail, received, False

    def Test(self):
        if not self._is_here and not self._mail.empty():
            self._received[...] = self._mail.get()
            self._is_here = True
        return self._is_here


class ThreadCommunicator:
    """One of several threads' communicators, with mpi4py's signatures."""

    def __init__(self, rank, barrier, posts, mail):
        self._rank, self._barrier, self._posts, self._mail = rank, barrier, posts, mail

    def Get_rank(self):
        return self._rank

    def Get_size(self):
        return self._barrier.parties

    def _exchange(self, sent):
        self._posts[self._rank] = sent
        self._barrier.wait()
        posted = list(self._posts)
        self._barrier.wait()  # before anyone posts again
        return posted

    def Iallgather(self, sent, received):
        received.reshape(self.Get_size(), -1)[:] = self._exchange(np.array(sent))
        return Arrived()

    def Iallgatherv(self, sent, received):
        vector, (counts, places) = received
        for part, count, place in zip(self._exchange(np.array(sent)), counts, places, strict=True):
            assert part.size == count
            vector[place : place + count] = part
        return Arrived()

    def Isend(self, sent, dest, tag):
        self._mail[self._rank, dest, tag].put(np.array(sent))
        return Arrived()

    def Irecv(self, received, source, tag):
        return Expected(self._mail[source, self._rank, tag], received)


def on_ranks(size, work):
    """Runs work(communicator) in a thread for each rank; returns the results, or raises the first error."""
    barrier, posts, mail = threading.Barrier(size, timeout=60), [None] * size, Mail()

    def one(rank):
        try:
            return work(ThreadCommunicator(rank, barrier, posts, mail))
        except BaseException as error:
            return error

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, range(size)))
