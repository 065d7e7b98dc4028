"""What every request passes before it reaches a model, and every answer after it has left one.

From the outside in: `Headers` of answers; `watch.Watch` (log, metrics, errors of the server); `Origins`, who
may ask from where; starlette's CORS for chosen origins; `Tokens`; `Sizes` of requests, and their pace.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .limits import Limits
from .problems import RETRY_AFTER, Problem
from .responses import problem_response

#: The headers of all answers. The page needs nothing but its own files.
SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

#: The beginning of the subprotocol that carries the token of a browser's WebSocket, which cannot set headers.
BEARER = "bearer."

#: The form of a token, which both a header and a subprotocol can carry.
TOKEN = re.compile(r"[A-Za-z0-9._~+-]{16,}")

#: A header Host: an address in brackets, or a name; then the port.
_HOST = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::\d*)?")

_NAME = re.compile(r"\*|[A-Za-z0-9._-]+")

_ORIGIN = re.compile(r"\*|https?://[A-Za-z0-9.-]+(:\d+)?|https?://\[[0-9a-fA-F:.]+\](:\d+)?")

#: The bodies of full size that the server holds at a time.
_BODIES = 32


def guards(
    watch: Middleware,
    limits: Limits,
    *,
    hosts: Collection[str] = (),
    cors: Collection[str] = (),
    tokens: Collection[str] = (),
) -> list[Middleware]:
    """Returns the chain, the outermost first; see the module.

    Raises:
        ValueError: for an invalid name, origin or token.
    """
    chain = [Middleware(Headers), watch, Middleware(Origins, hosts=check_names(hosts), cors=cors)]
    if cors:
        sent = ("authorization", "content-type", "x-request-id")
        seen = ("retry-after", "x-request-id")
        chain.append(
            Middleware(
                CORSMiddleware,
                allow_origins=check_origins(cors),
                allow_methods=("GET", "POST"),
                allow_headers=sent,
                expose_headers=seen,
            )
        )
    if tokens:
        chain.append(Middleware(Tokens, tokens=check_tokens("tokens", tokens)))
    return [*chain, Middleware(Sizes, limits=limits)]


def header(scope: Scope, name: bytes) -> str | None:
    """Returns the first header of a request with a name in lower case, or None."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


def path_of(scope: Scope) -> str:
    """Returns a request's path below the one where a proxy shows the server."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


class Headers:
    """Adds `SECURITY` to every answer, and forbids caches to keep it unless it says otherwise.

    A request that says in two ways where its body ends is the last one of its connection: a proxy that
    believes the other way would take a part of this request for the next one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._headers = [(name.encode(), value.encode()) for name, value in SECURITY.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_last = is_ambiguous(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = [*message.get("headers", ()), *self._headers]
                if all(name != b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                if is_last:
                    headers.append((b"connection", b"close"))
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, with_headers)


def is_ambiguous(scope: Scope) -> bool:
    """Returns whether a request has both headers that say where its body ends."""
    names = {name for name, _ in scope["headers"]} if scope["type"] == "http" else set()
    return {b"content-length", b"transfer-encoding"} <= names


class Origins:
    """Refuses requests that a page of another site made a browser send.

    A page can point its own name to this server (DNS rebinding): a request therefore has to call the server
    by an IP address, `localhost` or one of its names (421 otherwise). And it can send requests across sites,
    WebSockets included: the header Origin has to be the server itself, or a chosen one (403 otherwise).

    Args:
        app: the application.
        hosts: the server's names; "*" for any.
        cors: the chosen origins; "*" for any.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = (), cors: Collection[str] = ()) -> None:
        self.app = app
        self._hosts = {"localhost", *(name.lower().rstrip(".") for name in hosts)}
        self._cors = {origin.lower().rstrip("/") for origin in cors}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            problem = self._problem(scope)
            if problem is not None:
                await problem_response(scope, problem)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _problem(self, scope: Scope) -> Problem | None:
        host, origin = header(scope, b"host"), header(scope, b"origin")
        if host is not None and not self._is_own(name_of(host)):  # HTTP/1.0 may lack it, but browsers send it
            return Problem(
                421,
                f"Host: expected an IP address, localhost or a name of this server (--allow-host), got {host!r:.80}",
                expected=", ".join(["an IP address", *sorted(self._hosts)]),
                got=host[:80],
            )
        if origin is not None and not self._is_allowed(origin.lower(), host or ""):
            return Problem(
                403,
                f"Origin: expected this server or a chosen one (--cors), got {origin!r:.80}",
                expected=", ".join(["this server", *sorted(self._cors)]),
                got=origin[:80],
            )
        return None

    def _is_own(self, name: str) -> bool:
        return name in self._hosts or "*" in self._hosts or is_ip(name)

    def _is_allowed(self, origin: str, host: str) -> bool:
        if origin in self._cors or "*" in self._cors:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        default = {"http": ":80", "https": ":443"}.get(parts.scheme)
        if default is None:
            return False
        return parts.netloc.removesuffix(default) == host.lower().removesuffix(default)


@lru_cache(maxsize=64)
def is_ip(name: str) -> bool:
    """Returns whether a name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def name_of(host: str) -> str:
    """Returns the name in a header Host: without port and brackets, in lower case.

    Example:
        >>> name_of("Example.org:8080"), name_of("[::1]:8080")
        ('example.org', '::1')
    """
    found = _HOST.fullmatch(host)
    return (found[1] or found[2]).lower().rstrip(".") if found else ""


class Tokens:
    """Requires a token: `Authorization: Bearer TOKEN`, or the subprotocol `bearer.TOKEN` of a WebSocket.

    The page itself, `/health` and `/ready` are open.

    Args:
        app: the application.
        tokens: the valid ones.
    """

    def __init__(self, app: ASGIApp, tokens: Iterable[str]) -> None:
        self.app = app
        self._digests = [_digest(token) for token in tokens]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or _is_open(path_of(scope)):
            await self.app(scope, receive, send)
            return
        scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
        offered = [one for one in scope.get("subprotocols", ()) if one.startswith(BEARER)]
        if offered:
            scheme, token = "bearer", offered[0].removeprefix(BEARER)
        if scheme.lower() == "bearer" and self._is_valid(token.strip()):
            await self.app(scope, receive, _selecting(offered[0], send) if offered else send)
            return
        error = ', error="invalid_token"' if token else ""
        problem = Problem(
            401,
            "the token is not valid" if token else "expected a token: Authorization: Bearer TOKEN",
            expected="Authorization: Bearer TOKEN",
            headers={"WWW-Authenticate": f'Bearer realm="rnnrs"{error}'},
        )
        await problem_response(scope, problem)(scope, receive, send)

    def _is_valid(self, token: str) -> bool:
        digest = _digest(token)
        # All are compared, each in constant time: how long it takes says nothing about a token.
        return sum(hmac.compare_digest(digest, one) for one in self._digests) > 0


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _is_open(path: str) -> bool:
    return path in ("/", "/health", "/ready") or path.startswith("/page/")


def _selecting(subprotocol: str, send: Send) -> Send:
    """Returns `send` that selects a subprotocol, without which a browser closes the connection."""

    async def select(message: Message) -> None:
        if message["type"] == "websocket.accept" and not message.get("subprotocol"):
            message = {**message, "subprotocol": subprotocol}
        await send(message)

    return select


class Sizes:
    """Bounds heads (431), the size (413) and pace (408) of bodies, and the memory of all bodies (503).

    Args:
        app: the application.
        limits: `head` and `body`; a part of a body has to come within `header_seconds`, all within `seconds`.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self._limits = app, limits
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and head_size(scope) > self._limits.head:
            expected = f"at most {self._limits.head:,} bytes"
            problem = Problem(431, f"line and headers: expected {expected}, got more", expected=expected)
            await problem_response(scope, problem)(scope, receive, send)
            return
        length = header(scope, b"content-length") if scope["type"] == "http" else None
        if scope["type"] != "http" or (length in (None, "0") and header(scope, b"transfer-encoding") is None):
            await self.app(scope, receive, send)
            return
        if length is not None and length.isdecimal() and int(length) > self._limits.body:
            await problem_response(scope, self._too_large())(scope, receive, send)
            return
        body = _Body(receive, asyncio.get_running_loop().time() + self._limits.seconds)
        try:
            await self.app(scope, lambda: self._receive(body), send)
        finally:
            self._held -= body.size

    async def _receive(self, body: _Body) -> Message:
        """Returns the next part of a body.

        Raises:
            Problem: if there is too much of it, or too little at a time.
        """
        if body.is_complete:
            return await body.receive()
        rest = body.deadline - asyncio.get_running_loop().time()
        try:
            message = await asyncio.wait_for(body.receive(), min(self._limits.header_seconds, max(rest, 0.0)))
        except asyncio.TimeoutError:
            raise Problem(408, "the body of the request came too slowly") from None
        size = len(message.get("body", b""))
        body.size, self._held = body.size + size, self._held + size
        body.is_complete = not message.get("more_body", False)
        if body.size > self._limits.body:
            raise self._too_large()
        if self._held > _BODIES * self._limits.body:
            raise Problem(
                503, "too many request bodies are in memory", headers={"Retry-After": str(RETRY_AFTER)}
            )
        return message

    def _too_large(self) -> Problem:
        return Problem(
            413,
            f"body: expected at most {self._limits.body:,} bytes, got more",
            expected=f"at most {self._limits.body} bytes",
            field="body",
        )


def head_size(scope: Scope) -> int:
    """Returns the size of a request's line and headers, without what separates them."""
    size = len(scope["query_string"]) + len(scope.get("raw_path") or scope["path"])
    for name, value in scope["headers"]:
        size += len(name) + len(value)
    return size


class _Body:
    """A body that is being received."""

    def __init__(self, receive: Receive, deadline: float) -> None:
        self.receive, self.deadline = receive, deadline
        self.size, self.is_complete = 0, False


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """Returns names of a server that have the form of one.

    Raises:
        ValueError: for one that is never a name in a header Host, such as one with a port.
    """
    found = tuple(names)
    for name in found:
        if not (_NAME.fullmatch(name) or is_ip(name)):
            raise ValueError(
                f"hosts: expected a name such as example.org, without a port, or *, got {name!r}"
            )
    return found


def check_origins(origins: Iterable[str]) -> tuple[str, ...]:
    """Returns origins that have the form of one.

    Raises:
        ValueError: for one that a browser would never send.
    """
    found = tuple(origins)
    for origin in found:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"cors: expected an origin such as https://example.org, or *, got {origin!r}")
    return found


def check_tokens(source: str, tokens: Iterable[str]) -> tuple[str, ...]:
    """Returns tokens, if they can be used.

    Raises:
        ValueError: if there are none, or one is too short, or has other characters.
    """
    found = tuple(tokens)
    for number, token in enumerate(found, 1):
        if not TOKEN.fullmatch(token):
            raise ValueError(
                f"{source}: expected tokens of at least 16 of the characters A–Z a–z 0–9 . _ ~ + -, got another one "
                f"as number {number} ({len(token)} characters)"
            )
    if not found:
        raise ValueError(f"{source}: expected at least one token, got none")
    return found
