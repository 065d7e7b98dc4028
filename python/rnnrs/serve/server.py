"""The server's process: its socket, its signals, and its end.

SIGTERM, SIGINT (Ctrl-C) and, at a terminal, SIGHUP end the server: it accepts no more connections, answers
the requests that it has, for at most `Limits.seconds`, and exits with 0. A second signal ends it at once,
with 128 + its number. SIGUSR1 loads all model files again, and so does SIGHUP where there is no
controlling terminal.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from ..signals import HANGUP, RELOADS, Early, Terminator, has_terminal
from .app import create_app
from .connections import Connection, Socket, close_overdue
from .hosting import Host

LOGGER = logging.getLogger("rnnrs.serve")

#: The signals that end a server; see the module.
ENDS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name))


@dataclass(frozen=True)
class Settings:
    """How a server is reached, by whom, and what it writes down.

    Attributes:
        address, port: where it listens; with port 0 the system chooses one.
        workers: the number of processes.
        root_path: the path below which a proxy shows the server.
        hosts: further names of the server, in the header Host.
        cors: the other origins whose pages may use it; "*" for all.
        tokens: the valid tokens, of which a request needs one; none if anyone may ask.
        log_texts: whether the log holds the texts of requests.
    """

    address: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    root_path: str = ""
    hosts: tuple[str, ...] = ()
    cors: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    log_texts: bool = False


def listen(address: str, port: int) -> socket.socket:
    """Returns a socket that listens.

    Raises:
        OSError: if the address is unknown, or the port is taken; names both.
    """
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        made = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise OSError(f"{where}: {getattr(error, 'strerror', None) or error}") from None
    try:
        if os.name == "posix":  # elsewhere the option lets two servers share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen(1024)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise OSError(error.errno, error.strerror, where) from None
    return made


def url_of(listening: socket.socket, address: str, root_path: str = "") -> str:
    """Returns the URL of a socket that listens; `address` is how the user called it."""
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{listening.getsockname()[1]}{root_path}/"


def application(host: Host, settings: Settings) -> Any:
    """Returns the application of a server with these settings."""
    return create_app(
        host,
        hosts=(*settings.hosts, settings.address),
        cors=settings.cors,
        tokens=settings.tokens,
        workers=settings.workers,
        log_texts=settings.log_texts,
    )


class Server(uvicorn.Server):
    """uvicorn's server, with this package's connections and signals.

    Args:
        app: from `create_app`.
        settings: how the server is reached.
        lifeline: for a worker, the end of a pipe that becomes readable when its supervisor is gone. The
            supervisor handles the terminal's signals, and decides whether a worker ends at once.
    """

    def __init__(self, app: Any, settings: Settings, *, lifeline: int | None = None) -> None:
        self.host: Host = app.state.host
        limits = self.host.limits
        http: Any = partial(Connection, limits=limits)  # uvicorn calls it as it calls a class
        ws: Any = partial(Socket, limits=limits)
        super().__init__(
            uvicorn.Config(
                app,
                http=http,
                ws=ws,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                root_path=settings.root_path,
                timeout_keep_alive=limits.header_seconds,
                timeout_graceful_shutdown=math.ceil(limits.seconds),
                h11_max_incomplete_event_size=limits.head,
                ws_max_size=limits.message,
                ws_per_message_deflate=False,  # it would cost more than it saves: messages are short
            )
        )
        self._metrics, self._lifeline = app.state.metrics, lifeline
        self._terminator = Terminator()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to accept connections."""
        await super().startup(sockets)
        if self._lifeline is not None:
            asyncio.get_running_loop().add_reader(self._lifeline, self._orphaned, self._lifeline)

    def _orphaned(self, lifeline: int) -> None:
        asyncio.get_running_loop().remove_reader(lifeline)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answers the requests that have come, and closes all connections."""
        LOGGER.info("the server ends")
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Closes connections that wait for their client, and returns whether the server is to end."""
        close_overdue(self.server_state.connections, asyncio.get_running_loop().time())
        if counter % 10 == 0:
            self._metrics.publish(self.host)
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Returns a context in which signals end the server, or make it load its models again."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        with handled(self.handle_end, self.reload, supervised=self._lifeline is not None):
            yield

    def reload(self) -> None:
        """Loads all model files again, in a thread of its own; the old models answer meanwhile."""
        threading.Thread(target=reload, args=(self.host,), name="rnnrs reload", daemon=True).start()

    def handle_end(self, number: int) -> None:
        """Ends the server in order; at once if asked again, unless its supervisor decides about that."""
        if self._lifeline is not None:
            self.should_exit = True
        elif not self._terminator.repeats():
            if self.should_exit:
                os._exit(128 + number)
            self._terminator.note()
            self.should_exit = True


def reload(host: Host) -> None:
    """Loads all model files again; a file that cannot be loaded is logged, and its model stays as it is."""
    names, errors = host.reload()
    for name, error in errors.items():
        reason = " ".join(str(error).split()) or type(error).__name__
        LOGGER.error("reload: %s: %s (the old model stays)", name, reason)
    if names or not errors:
        LOGGER.info("reload: %s", ", ".join(names) or "no model is from a file")


@contextlib.contextmanager
def handled(end: Any, again: Any, *, supervised: bool = False) -> Iterator[None]:
    """Returns a context in which signals call functions.

    Args:
        end: called with the signal's number when the server is to end.
        again: called when models are to be loaded again.
        supervised: whether a supervisor handles Ctrl-C and the closing of the terminal.
    """

    def handler(number: int, frame: FrameType | None) -> None:
        end(number) if number in ends else again()

    ends: Sequence[int] = ENDS
    numbers = [*ENDS, *RELOADS]
    if HANGUP is not None and has_terminal():
        numbers.append(HANGUP)
        ends = (*ENDS, HANGUP)
    # What is ignored stays so: SIGHUP by `nohup`, SIGINT by shells that start a command in the background.
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    if HANGUP is not None and not has_terminal():
        numbers.append(HANGUP)
    ignored = [number for number in (signal.SIGINT, HANGUP) if supervised and number is not None]
    before = {number: signal.signal(number, handler) for number in numbers if number not in ignored}
    before |= {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    if hasattr(signal, "pthread_sigmask"):  # they wait since the fork of a worker
        signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
    if any(isinstance(previous, Early) and previous.is_asked for previous in before.values()):
        again()
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
