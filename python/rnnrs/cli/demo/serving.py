"""`rnnrs serve --demo`: the models of demos, served as soon as each of them is trained."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..common import one_line, say
from .cached import FILES, CachedDemos, Progress

if TYPE_CHECKING:
    from ...serve.hosting import Host, Served

#: The choice that stands for all demos.
ALL = "all"


def add_demos(host: Host, demo: str, folder: Path, seconds: float | None = None) -> CachedDemos:
    """Adds the models of demos to a host: those in a folder at once, the others when they are trained.

    Args:
        host: the served models.
        demo: a key of `FILES`, or `ALL`.
        folder: the folder of the demos' models.
        seconds: the time of each training; by default a share of the demo's own.

    Returns:
        What trains the demos that are missing, not started yet.

    Raises:
        ValueError: for a model of the host with the same name.
    """
    demos: Sequence[str] = tuple(FILES) if demo == ALL else (demo,)
    for name in (name for one in demos for name in FILES[one]):
        host.add(name).status = "waiting"
    cached = CachedDemos(demos, folder, lambda progress: _follow(host, progress), seconds)
    for one in demos:
        if paths := cached.found(one):
            _follow(host, Progress(one, 1.0, paths))
    return cached


def _follow(host: Host, progress: Progress) -> None:
    """Shows how far a demo is, and serves its models once they are there."""
    for name in FILES[progress.demo]:
        one = host.served[name]
        if progress.error is not None:
            _fail(one, progress.error)
        elif name in progress.paths:
            if one.status != "ready":
                _serve(one, progress.paths[name])
        else:
            one.status, one.progress = "training", progress.share


def _serve(one: Served, path: Path) -> None:
    waited = one.status == "training"
    try:
        one.become_file(path)
    except (OSError, ValueError) as error:  # another file than a model; FormatError is a ValueError
        _fail(one, f"{one_line(error)} (a new one is trained if the file is removed)")
    else:
        if waited:
            say(f"rnnrs: {one.name} is trained: {', '.join(one.verbs)}")


def _fail(one: Served, reason: str) -> None:
    one.status, one.progress, one.message = "failed", None, reason
    say(f"rnnrs: {one.name}: {reason}")


def open_page(url: str) -> None:
    """Opens a page in the browser of a desktop; a browser in the terminal would take the terminal over."""
    desktop = (
        sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if desktop:
        webbrowser.open(url)
