"""Served models: suggestions while typing, chat, translation and more, in a browser and over HTTP.

`rnnrs serve MODEL…` starts a server; `create_app` makes the same as an ASGI application, for another server.
Needs `pip install "rnnrs[serve]"`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import require
from .limits import Limits

if TYPE_CHECKING:
    from .app import create_app

__all__ = ["Limits", "create_app"]


def __getattr__(name: str) -> Any:
    """Returns `create_app`; only it needs the extra.

    Raises:
        MissingExtraError: if a package of it is missing.
    """
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for module in ("starlette", "python_multipart", "PIL"):
        require(module, "serve")
    from .app import create_app

    return create_app
