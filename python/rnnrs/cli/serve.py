"""`rnnrs serve`: models in a browser and over HTTP."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import require
from ..signals import noted_early
from .common import CommandError, Parser, real, say, whole
from .demo.cached import FILES, CachedDemos, cache_folder
from .demo.serving import ALL, add_demos, open_page
from .options import add_option, given, one_of

if TYPE_CHECKING:
    from ..serve.hosting import Host

_EXAMPLES = """\
examples:
  rnnrs serve letters.rnn                              then open http://127.0.0.1:8080/
  rnnrs serve german=de-en.rnn bot.rnn --port 80 --host 0.0.0.0 --token-file tokens.txt
  curl 'http://127.0.0.1:8080/suggest?text=Dear'
  rnnrs serve --demo                                   every demo, trained within ten minutes
  rnnrs serve --demo chat                              one of them

signals: SIGTERM and Ctrl-C end the server, with 0, once it has answered its requests; a second one ends it at once.
SIGUSR1 loads all files again, and so does SIGHUP where there is no controlling terminal.
"""

#: What the limits mean; their names and values are those of `rnnrs.serve.Limits`.
LIMITS = {
    "head": "size of a request's line and headers in bytes",
    "body": "size of a request's body in bytes",
    "message": "size of a WebSocket's message in bytes",
    "text": "length of a text in characters",
    "numbers": "numbers of a sequence",
    "tokens": "tokens to generate",
    "beam": "beam width",
    "pixels": "pixels of a picture",
    "seconds": "time for an answer",
    "queue": "requests that wait for one model",
    "batch": "requests that are computed together",
    "sessions": "open WebSockets",
    "connections": "open connections",
    "header_seconds": "time for which the server waits for a client",
}


def add(serve: Parser) -> None:
    """Adds the arguments."""
    from ..serve.limits import Limits
    from ..serve.logs import FORMATS

    serve.description = "Serves models in a browser and over HTTP."
    serve.epilog = _EXAMPLES
    serve.add_argument(
        "models", metavar="MODEL", nargs="*", help="a model's file, which gives it its name; or NAME=FILE"
    )
    _add_demo(serve)
    _add_places(serve)
    _add_access(serve)
    log = serve.add_argument_group("log, on standard error")
    log.add_argument("--log-format", default="line", help="form of the log (%(default)s)", **one_of(FORMATS))
    log.add_argument("--log-texts", action="store_true", help="log queries and bodies, too")
    bounds = serve.add_argument_group("limits; further requests are refused")
    for field in fields(Limits):
        number = real(0, above=True) if isinstance(field.default, float) else whole(1)
        add_option(bounds, field.name, LIMITS[field.name], field.default, type=number, metavar="N")
    serve.set_defaults(run=run, parser=serve)


def _add_demo(serve: Parser) -> None:
    demo = serve.add_argument_group("demos")
    demo.add_argument(
        "--demo",
        nargs="?",
        const=ALL,
        metavar="NAME",
        choices=(ALL, *FILES),
        help="open the page, and train all demos for it, or one of " + ", ".join(FILES),
    )
    demo.add_argument(
        "--demo-folder", metavar="DIR", help="where their models are kept (rnnrs in the user's cache folder)"
    )
    demo.add_argument(
        "--demo-seconds", type=real(0, above=True), metavar="S", help="time of each training (the demo's)"
    )


def _add_places(serve: Parser) -> None:
    serve.add_argument(
        "--host",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="address to listen at (%(default)s); 0.0.0.0 for all",
    )
    serve.add_argument(
        "--port", type=_port, metavar="N", default=8080, help="port (%(default)s); 0 for any free one"
    )
    serve.add_argument(
        "--workers", type=whole(1), metavar="N", default=1, help="number of processes (%(default)s)"
    )
    serve.add_argument(
        "--root-path",
        type=_root_path,
        metavar="PATH",
        default="",
        help="path below which a proxy shows the server",
    )


def _add_access(serve: Parser) -> None:
    group = serve.add_argument_group("who may ask")
    group.add_argument(
        "--token-file", metavar="FILE", help="require one of the tokens in FILE, which has one per line"
    )
    group.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name of this server, besides IP addresses and localhost; * for any",
    )
    group.add_argument(
        "--cors",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let the pages of another site use the server, such as https://example.org; * for all",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serves until a signal ends the server."""
    with noted_early():
        for module in ("starlette", "uvicorn", "websockets", "python_multipart", "PIL"):
            require(module, "serve")
        return _serve(arguments)


def _serve(arguments: argparse.Namespace) -> int:
    from ..serve import logs, server, workers
    from ..serve.hosting import Host, named
    from ..serve.limits import Limits

    tokens = read_tokens(arguments.token_file) if arguments.token_file else ()
    limits = Limits(**given(arguments, LIMITS))
    host = Host(named(arguments.models), limits)
    demos = _demos(arguments, host)
    settings = server.Settings(
        address=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        root_path=arguments.root_path,
        hosts=tuple(arguments.allow_host),
        cors=tuple(arguments.cors),
        tokens=tokens,
        log_texts=arguments.log_texts,
    )
    logs.start(arguments.log_format)
    app, listening = server.application(host, settings), server.listen(settings.address, settings.port)
    url = server.url_of(listening, settings.address, settings.root_path)
    _announce(host, settings, url)
    if settings.workers > 1:
        return workers.Supervisor(app, settings, listening).run()
    with demos or contextlib.nullcontext():
        if demos is not None:
            open_page(url)
        server.Server(app, settings).run(sockets=[listening])
    return 0


def _demos(arguments: argparse.Namespace, host: Host) -> CachedDemos | None:
    """Adds the demos that were asked for, and returns what trains them.

    Raises:
        CommandError: without a model and a demo; for demos of several workers.
    """
    if arguments.demo is None:
        if not arguments.models:
            raise CommandError("MODEL: expected at least one, or --demo")
        return None
    if arguments.workers > 1:
        raise CommandError(f"--workers: expected 1 with --demo, got {arguments.workers}")
    folder = Path(arguments.demo_folder) if arguments.demo_folder else cache_folder()
    return add_demos(host, arguments.demo, folder, arguments.demo_seconds)


def _announce(host: Host, settings: Any, url: str) -> None:
    for one in host:
        if one.verbs:
            say(f"rnnrs: serves {one.name}: {', '.join(one.verbs)}")
        else:
            say(f"rnnrs: {one.name} is {one.status}: it is served once it is trained")
    if not (settings.tokens or is_loopback(settings.address)):
        say("rnnrs: whoever reaches this address can use the models; --token-file requires a token")
    say(f"rnnrs: {url} (Ctrl-C ends the server)")


def read_tokens(path: str) -> tuple[str, ...]:
    """Returns the tokens of a file; says so if other users of the system can read it.

    Raises:
        OSError, FormatError: if the file cannot be read, or is not in UTF-8.
        ValueError: if it has no tokens, or some that cannot be used.
    """
    from ..reading import read_text
    from ..serve.guards import check_tokens

    lines = [line.strip() for line in read_text(path).splitlines()]
    if os.name == "posix" and os.stat(path).st_mode & 0o077:
        say(f"rnnrs: {path}: other users can read the tokens (chmod 600)")
    return check_tokens(path, [line for line in lines if line and not line.startswith("#")])


def is_loopback(address: str) -> bool:
    """Returns whether only this machine reaches an address."""
    return address == "localhost" or address.startswith("127.") or address == "::1"


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 65536:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text}")
    return port


_port.__name__ = "port"


def _root_path(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", text):
        raise argparse.ArgumentTypeError(f"expected a path such as /models, got {text}")
    return text.rstrip("/")
