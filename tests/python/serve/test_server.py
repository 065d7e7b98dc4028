"""The server's process: its socket, its signals, and its end."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from running_server import Process, answer_of, connected, wait
from small_applications import TEXT, as_trained

from rnnrs import signals
from rnnrs.models import LanguageModel
from rnnrs.serve import create_app, server

POST = b"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
posix = pytest.mark.skipif(os.name != "posix", reason="the system has other signals")


def model(seed):
    return as_trained(LanguageModel.from_text(TEXT, embedding_size=4, hidden_size=6, seed=seed))


@pytest.fixture
def file(tmp_path):
    model(1).save(tmp_path / "letters.rnn")
    return tmp_path / "letters.rnn"


BODY = b'{"text": "The cat", "end": false}'


def score(seed):
    """The answer to `BODY` of the model of that seed."""
    return model(seed).score("The cat", end=False).total


class Asking(threading.Thread):
    """Asks for a score again and again, on one connection."""

    def __init__(self, port):
        super().__init__()
        self.port, self.stopped, self.found, self.errors = port, threading.Event(), [], []
        self.start()

    def run(self):
        try:
            with connected(self) as client:
                while not self.stopped.is_set():
                    client.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
                    status, _, answer = answer_of(client)
                    assert status == 200
                    self.found.append(json.loads(answer)["log_prob"])
        except Exception as error:
            self.errors.append(error)

    def stop(self):
        self.stopped.set()
        self.join(20)
        assert not self.errors


@posix
def test_signals(tmp_path, file):
    """SIGUSR1 and SIGHUP load the file again without a dropped request; SIGTERM answers what was asked."""
    scores = [score(seed) for seed in (1, 2, 3)]
    with Process(tmp_path, file) as process:
        asking = [Asking(process.port) for _ in range(2)]
        try:
            for number, (sign, expected) in enumerate(
                zip((None, signal.SIGUSR1, signal.SIGHUP), scores, strict=True), 1
            ):
                if sign is not None:
                    model(number).save(file)
                    process.send(sign)
                wait(
                    lambda expected=expected: all(
                        one.found[-1:] == [expected] or one.errors for one in asking
                    )
                )
            file.write_bytes(b"no model")
            process.send(signal.SIGUSR1)
            wait(lambda: "the old model stays" in process.log)
            counts = [len(one.found) for one in asking]
            wait(
                lambda: all(
                    len(one.found) > count or one.errors for one, count in zip(asking, counts, strict=True)
                )
            )
        finally:
            for one in asking:
                one.stop()
        for one in asking:
            assert set(one.found) == set(scores) and one.found == sorted(one.found, key=scores.index)
        assert process.log.count("reload: letters\n") == 2 and "letters.rnn" in process.log
        with connected(process) as client:
            client.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[:5])
            process.get("/health")  # the first request has arrived before
            process.send(signal.SIGTERM)
            process.send(signal.SIGTERM)  # shells and service managers often send it twice
            wait(lambda: refuses(process.port))
            client.sendall(BODY[5:])
            assert json.loads(answer_of(client)[2])["log_prob"] == scores[2]
        assert process.ends() == 0
    assert "Traceback" not in process.log


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionError:
        return True
    return False


def test_a_second_signal_ends_it_at_once(monkeypatch):
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    made = server.Server(create_app({}), server.Settings())
    made.handle_end(signal.SIGTERM)
    made.handle_end(signal.SIGINT)  # a signal soon after another is the same one
    assert made.should_exit and codes == []
    time.sleep(0.6)
    made.handle_end(signal.SIGINT)
    assert codes == [128 + signal.SIGINT]


@posix
@pytest.mark.parametrize(
    ("terminal", "ignored", "hangup"),
    [(True, False, "ends"), (False, False, "again"), (True, True, None), (False, True, "again")],
)
def test_what_signals_mean(monkeypatch, terminal, ignored, hangup):
    monkeypatch.setattr(server, "has_terminal", lambda: terminal)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    called = []
    try:
        with server.handled(lambda number: called.append("ends"), lambda: called.append("again")):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
                signal.raise_signal(number)
        assert signal.getsignal(signal.SIGHUP) is (signal.SIG_IGN if ignored else signal.SIG_DFL)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert called == ["ends", "ends", "again", *([hangup] if hangup else [])]


@posix
def test_what_a_shell_ignores_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with server.handled(lambda number: pytest.fail("ends"), lambda: pytest.fail("again")):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


@posix
@pytest.mark.parametrize("name", ["SIGUSR1", "SIGHUP"])
def test_a_reload_before_the_server_runs_waits_for_it(monkeypatch, name):
    """By default the signal would end the process, which is still loading its models."""
    monkeypatch.setattr(signals, "has_terminal", lambda: False)
    monkeypatch.setattr(server, "has_terminal", lambda: False)
    number = getattr(signal, name)
    called, before = [], signal.getsignal(number)
    with signals.noted_early():
        signal.raise_signal(number)
        with server.handled(pytest.fail, lambda: called.append("again")):
            assert called == ["again"]
        signal.raise_signal(number)  # while the process ends
    assert called == ["again"] and signal.getsignal(number) == before


def test_all_files_that_cannot_be_loaded_are_logged(tmp_path, caplog):
    caplog.set_level("INFO", "rnnrs.serve")
    paths = {name: tmp_path / f"{name}.rnn" for name in ("a", "b", "c")}
    for path in paths.values():
        model(1).save(path)
    host = create_app(paths).state.host
    paths["a"].write_bytes(b"no model")
    paths["b"].unlink()
    server.reload(host)
    first, second, third = (record.getMessage() for record in caplog.records)
    assert first.startswith("reload: a: ") and "a.rnn" in first and first.endswith("(the old model stays)")
    assert second.startswith("reload: b: ") and "b.rnn" in second and third == "reload: c"


WITHOUT = """
import os, signal
for name in ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGKILL", "pthread_sigmask"):
    delattr(signal, name)
del os.fork
from rnnrs.serve import create_app, server, workers
with server.handled(print, print):
    pass
app, settings = create_app({}), server.Settings(workers=2)
server.Server(app, settings)
try:
    workers.Supervisor(app, settings, None)
except ValueError as error:
    print(error)
"""


@posix
def test_systems_with_fewer_signals():
    """Windows has neither these signals nor `fork`: it serves with one process."""
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.stderr) == ("serve: workers: expected 1 on this system, got 2\n", "")


def test_a_port_that_is_taken_and_an_address_that_is_unknown():
    with server.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            server.listen("127.0.0.1", port)
    for unknown in ("192.0.2.1", "x" * 70):  # an address of no machine, and a name that cannot be one
        with pytest.raises(OSError, match=f"{unknown}:8080"):
            server.listen(unknown, 8080)
    with pytest.raises(OSError, match=r"\[2001:db8::1\]:8080"):
        server.listen("2001:db8::1", 8080)


def test_urls():
    with server.listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        assert server.url_of(listening, "localhost", "/models") == f"http://localhost:{port}/models/"
        assert server.url_of(listening, "::1") == f"http://[::1]:{port}/"


@pytest.mark.skipif(
    not os.path.exists("/proc/self/task"), reason="the system does not list a process's children"
)
def test_workers(tmp_path, file):
    """Two processes answer, and one that dies starts again; a second signal ends them at once."""
    with Process(tmp_path, file, "--workers", 2) as process:
        wait(lambda: len(children(process)) == 2)
        workers = children(process)
        for _ in range(6):
            assert process.get("/health")[0] == 200
        counted = 'rnnrs_requests_total{path="/health",method="GET",status="200"} 6\n'
        wait(lambda: counted in process.get("/metrics")[2].decode())  # a request counts once it is answered
        os.kill(workers[0], signal.SIGKILL)
        wait(lambda: len(set(children(process)) - {workers[0]}) == 2)
        model(2).save(file)
        process.send(signal.SIGUSR1)
        wait(lambda: process.log.count("reload: letters\n") == 3)  # the workers and their supervisor
        for _ in range(6):
            with connected(process) as client:
                client.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
                assert json.loads(answer_of(client)[2])["log_prob"] == score(2)
        assert counted in process.get("/metrics")[2].decode()
        assert f"worker 0 (process {workers[0]}) ended by SIGKILL" in process.log
        with connected(process) as client:
            client.sendall(POST + b"Content-Length: 10\r\n\r\n")
            process.get("/health")  # the first request has arrived before
            process.send(signal.SIGTERM)
            wait(lambda: refuses(process.port))
            time.sleep(0.6)  # a signal soon after another is the same one
            process.send(signal.SIGTERM)
            assert process.ends() == 128 + signal.SIGTERM


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_worker_ends_when_its_supervisor_is_gone():
    lifeline, other = os.pipe()
    made = server.Server(create_app({}), server.Settings(), lifeline=lifeline)
    with server.listen("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=made.run, kwargs={"sockets": [listening]})
        thread.start()
        wait(lambda: made.started)
        os.close(other)
        thread.join(20)
    os.close(lifeline)
    assert made.should_exit and not thread.is_alive()


def children(process):
    """The processes that a process has started."""
    pid = process.process.pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]
