"""The server as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware

from ..checks import check_size
from . import listing, metrics, routes
from .endpoint import Endpoint
from .guards import guards
from .hosting import Host
from .keystrokes import keystroke_route
from .limits import Limits
from .openai import ENDPOINTS as OPENAI_ENDPOINTS
from .openai import openai_routes
from .openapi import openapi_route
from .responses import HANDLERS
from .static import page_routes
from .watch import Watch, paths_of

#: What `/openapi.json` describes.
ENDPOINTS: tuple[Endpoint, ...] = (
    *listing.ENDPOINTS,
    *routes.ENDPOINTS,
    *OPENAI_ENDPOINTS,
    *metrics.ENDPOINTS,
)


def create_app(
    models: Mapping[str, Any] | Host,
    *,
    limits: Limits | None = None,
    hosts: Collection[str] = (),
    cors: Collection[str] = (),
    tokens: Collection[str] = (),
    workers: int = 1,
    log_texts: bool = False,
) -> Any:
    """Returns an ASGI application that serves models.

    Args:
        models: a model, or the path of its file, by name.
        limits: what requests may ask for.
        hosts: the names by which clients call the server, besides IP addresses and `localhost`; "*" for any.
        cors: the other origins whose pages may use it, such as "https://example.org"; "*" for all.
        tokens: the valid tokens, of which a request needs one; none if anyone may ask.
        workers: the number of processes that are forked from this one. Each of them then calls
            `app.state.metrics.become(number)`, so that `/metrics` covers all of them.
        log_texts: whether the log (logger "rnnrs.serve") holds queries and bodies.

    Raises:
        OSError, FormatError: for a file that cannot be read, or is not a model's.
        TypeError: for arguments of other types, such as a text in place of a list of texts.
        ValueError: for a model of a kind that cannot be served, or an invalid name, origin or token.
        MissingExtraError: if the extra "serve" is missing; at the first use of the name.
    """
    _check(models, limits, {"hosts": hosts, "cors": cors, "tokens": tokens})
    check_size("create_app", "workers", workers)
    host = models if isinstance(models, Host) else Host(models, limits)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        host.close()

    all_routes = [
        *listing.listing_routes(host),
        *routes.verb_routes(host),
        *openai_routes(host),
        keystroke_route(host),
        openapi_route(ENDPOINTS, host),
        metrics.ROUTE,
        *page_routes(),
    ]
    numbers = metrics.Metrics([one.name for one in host], paths_of(all_routes), workers)
    watch = Middleware(Watch, routes=all_routes, metrics=numbers, log_texts=log_texts)
    app = Starlette(
        routes=all_routes,
        middleware=guards(watch, host.limits, hosts=hosts, cors=cors, tokens=tokens),
        lifespan=lifespan,
        exception_handlers=HANDLERS,
    )
    app.router.redirect_slashes = False
    app.state.host, app.state.metrics = host, numbers
    return app


def _check(models: Any, limits: Any, lists: Mapping[str, Any]) -> None:
    """Checks the types of arguments: a text would be taken for the list of its letters.

    Raises:
        TypeError: for other types.
    """
    if not isinstance(models, (Mapping, Host)) or (
        isinstance(models, Mapping) and any(model is None for model in models.values())
    ):
        raise TypeError(
            f"create_app: models: expected models, or paths of files, by name, got {models!r:.80}"
        )
    if not isinstance(limits, (Limits, type(None))):
        raise TypeError(f"create_app: limits: expected rnnrs.serve.Limits, got {limits!r:.80}")
    for name, texts in lists.items():
        if not isinstance(texts, (list, tuple, set, frozenset)) or not all(
            isinstance(one, str) for one in texts
        ):
            # Not what came: it may be a token.
            raise TypeError(f"create_app: {name}: expected a list of texts, got {type(texts).__name__}")
