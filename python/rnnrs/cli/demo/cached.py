"""The models of demos in a cache folder, trained one after the other, each in a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..._rnnrs import __version__
from . import DEMOS

#: The share of a demo's own time that its training has here: all together take about nine minutes.
SHARE = 0.75

#: The seconds between two looks at a process.
_PAUSE = 0.25

#: The models of each demo that are kept, in the order of training; the first is what its name stands for.
FILES: dict[str, tuple[str, ...]] = {
    "shakespeare": ("shakespeare",),
    "chat": ("chat",),
    "translate": ("translate",),
    "summarize": ("summarize",),
    "extract": ("extract",),
    "caption": ("caption", "caption-regions"),
    "assistant": ("assistant",),
}


class Progress(NamedTuple):
    """How far a demo is.

    Attributes:
        demo: its name.
        share: the share of its training that is done (0..1).
        path: the files of its models by name, once they are there.
        error: the reason why there are none, for people.
    """

    demo: str
    share: float
    paths: dict[str, Path]
    error: str | None = None


def cache_folder() -> Path:
    """Returns the folder of the models that this version trained: in XDG_CACHE_HOME, by default ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "rnnrs" / f"demos-{__version__}"


class CachedDemos:
    """Finds the models of demos in a folder, and trains those that are missing.

    Args:
        demos: the names of demos, keys of `FILES`.
        folder: the folder; it is made if it does not exist.
        report: called with the progress of each demo, by the thread that `start` starts.
        seconds: the time of each training; by default a share of the demo's own.
    """

    def __init__(
        self,
        demos: Sequence[str],
        folder: Path,
        report: Callable[[Progress], None],
        seconds: float | None = None,
    ) -> None:
        self._demos, self._folder, self._report, self._seconds = list(demos), folder, report, seconds
        self._process: subprocess.Popen[str] | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._make_all, name="rnnrs demos", daemon=True)

    def found(self, demo: str) -> dict[str, Path]:
        """Returns the files of a demo's models by name; none unless all are there."""
        paths = {name: self._folder / f"{name}.rnn" for name in FILES[demo]}
        return paths if all(path.is_file() for path in paths.values()) else {}

    def __enter__(self) -> CachedDemos:
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def start(self) -> None:
        """Starts to train the demos that are missing, one after the other.

        Raises:
            OSError: if the folder cannot be made.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the training; what has been finished is kept."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()

    def _make_all(self) -> None:
        for demo in self._demos:
            if self._closed.is_set():
                return
            if not self.found(demo):
                try:
                    self._make(demo)
                except (OSError, subprocess.SubprocessError) as error:
                    self._report(Progress(demo, 0.0, {}, str(error)))
                    continue
            if paths := self.found(demo):
                self._report(Progress(demo, 1.0, paths))

    def _make(self, demo: str) -> None:
        """Trains a demo in a folder of its own, from which its models come to their place as a whole."""
        seconds = DEMOS[demo].seconds * SHARE if self._seconds is None else self._seconds
        with tempfile.TemporaryDirectory(prefix=".making-", dir=self._folder) as made:
            with self._running(demo, seconds, made) as process:
                start = time.monotonic()
                while process.poll() is None and not self._closed.wait(_PAUSE):
                    self._report(Progress(demo, min((time.monotonic() - start) / seconds, 0.99), {}))
            if self._closed.is_set():
                return
            if process.returncode:
                last = (Path(made) / "log").read_text("utf-8", "replace").strip().rpartition("\n")[2]
                last = last.removeprefix("rnnrs: ")
                raise subprocess.SubprocessError(last or f"ended with {process.returncode}")
            for name in FILES[demo]:
                os.replace(Path(made) / f"{name}.rnn", self._folder / f"{name}.rnn")

    @contextlib.contextmanager
    def _running(self, demo: str, seconds: float, folder: str) -> Iterator[subprocess.Popen[str]]:
        """Returns a context with the process that trains; it ends with the context."""
        command = [sys.executable, "-m", "rnnrs.cli", "demo", demo, "--seconds", f"{seconds:g}", "-o", folder]
        with open(Path(folder) / "log", "w", encoding="utf-8") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, text=True
            )
            try:
                yield process
            finally:
                process.terminate()
                process.wait()
