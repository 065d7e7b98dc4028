"""Paths in the form of OpenAI's API, so that its clients work: `/v1/completions`, `/v1/chat/completions`."""

from __future__ import annotations

from starlette.routing import Route

from ..endpoint import Endpoint
from ..hosting import Host
from . import chat, completions

#: What OpenAPI says about them.
ENDPOINTS: tuple[Endpoint, ...] = (completions.ENDPOINT, chat.ENDPOINT)


def openai_routes(host: Host) -> list[Route]:
    """Returns the routes."""
    made = ((completions.ENDPOINT, completions.endpoint(host)), (chat.ENDPOINT, chat.endpoint(host)))
    return [Route(one.path, endpoint, methods=list(one.methods)) for one, endpoint in made]


__all__ = ["ENDPOINTS", "openai_routes"]
