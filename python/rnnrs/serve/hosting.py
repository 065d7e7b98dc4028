"""The served models: their names, kinds and verbs, and how they are loaded again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from .. import modelfile
from ..models.base.loading import load
from .batching import Worker
from .limits import Limits
from .problems import Problem, shortened

T = TypeVar("T")

#: The verbs of each kind of model. A new kind that can be served adds a line.
VERBS: dict[str, tuple[str, ...]] = {
    "language_model": ("suggest", "score", "completions"),
    "translator": ("translate",),
    "summarizer": ("summarize",),
    "extractive_summarizer": ("summarize",),
    "captioner": ("describe",),
    "chatbot": ("chat",),
    "assistant": ("chat",),
    "sequence_classifier": ("classify",),
    "sequence_tagger": ("tag",),
    "forecaster": ("forecast",),
}


class Loaded:
    """A loaded model, with what is made of it once: packed weights, say.

    Attributes:
        model: the model.
        limits: the server's limits.
    """

    def __init__(self, model: Any, limits: Limits) -> None:
        self.model, self.limits = model, limits
        self._kept: dict[str, tuple[int, Any]] = {}

    def kept(self, name: str, make: Callable[[], T]) -> T:
        """Returns what `make` returned at the first call with this name since the parameters changed last.

        Only the model's thread calls it.
        """
        changes = self.model.parameters.changes
        if self._kept.get(name, (None,))[0] != changes:
            self._kept[name] = changes, make()
        found: T = self._kept[name][1]
        return found


class Served:
    """One served model.

    Args:
        name: its name in requests.
        limits: the server's limits.
        model: the model; None for one that is still being made.
        path: its file, from which it is loaded again.

    Attributes:
        status: "ready", "waiting" (for its training), "training" or "failed".
        message: what is going on, for people.
        progress: the share of the training that is done (0..1), or None.
        created: when the model was loaded, in seconds since 1970.
        worker: its thread.

    Raises:
        ValueError: for a model of a kind that cannot be served.
    """

    def __init__(self, name: str, limits: Limits, model: Any = None, path: str | None = None) -> None:
        self.name, self.path, self._limits = name, path, limits
        self.status, self.message = "training", ""
        self.progress: float | None = None
        self.created, self.worker = int(time.time()), Worker(name, limits)
        self._loaded: Loaded | None = None
        if model is not None:
            self.become(model)

    @property
    def loaded(self) -> Loaded:
        """The model of this moment.

        Raises:
            Problem: 503 while there is none.
        """
        if self._loaded is None:
            state = f"is {self.status}" + (f": {self.message}" if self.message else "")
            raise Problem(503, f"{self.name}: the model {state}", headers={"Retry-After": "5"})
        return self._loaded

    @property
    def kind(self) -> str | None:
        """The kind of the model, a key of `modelfile.KINDS`; None while there is none."""
        return None if self._loaded is None else str(self._loaded.model.KIND)

    @property
    def verbs(self) -> tuple[str, ...]:
        """The verbs of the model."""
        return VERBS.get(self.kind or "", ())

    def become(self, model: Any) -> None:
        """Serves a model from now on; requests that are being answered keep the one before.

        Raises:
            ValueError: for a model of a kind that cannot be served.
        """
        kind = getattr(model, "KIND", type(model).__name__)
        if kind not in VERBS:
            raise ValueError(
                f"{self.name}: expected a model of one of the kinds {', '.join(VERBS)}, got "
                f"{modelfile.describe(kind)}"
            )
        if getattr(model, "features", None) is not None:
            raise ValueError(f"{self.name}: expected a captioner of pictures, got one of features")
        self.created, self._loaded = int(time.time()), Loaded(model, self._limits)
        self.status, self.message, self.progress = "ready", "", None

    def become_file(self, path: str | os.PathLike[str]) -> None:
        """Serves the model of a file from now on, also when the models are loaded again.

        Raises:
            OSError, FormatError, ValueError: see `Host`.
        """
        self.become(load(path))
        self.path = os.fspath(path)

    def facts(self) -> dict[str, Any]:
        """Returns the state of the model, as `/ready` shows it."""
        facts = {"status": self.status, "progress": self.progress, "message": self.message or None}
        return {name: value for name, value in facts.items() if value is not None}


class Host:
    """All served models by name.

    Args:
        models: a model, or the path of its file, by name.
        limits: the server's limits.

    Raises:
        OSError: for a file that cannot be read.
        FormatError: for a file that is not a model's.
        ValueError: for a model of a kind that cannot be served, or an invalid name.
    """

    def __init__(self, models: Mapping[str, Any], limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.served: dict[str, Served] = {}
        self._reloading = threading.Lock()
        for name, model in models.items():
            self.add(name, model)

    def __iter__(self) -> Iterator[Served]:
        return iter(list(self.served.values()))

    def add(self, name: str, model: Any = None) -> Served:
        """Adds a model, the path of a model's file, or, without either, a place for one that is to come.

        Raises:
            See the class.
        """
        if not isinstance(name, str) or not name or not name.isprintable() or "/" in name or len(name) > 100:
            raise ValueError(f"Host: name: expected 1 to 100 printable characters without /, got {name!r}")
        if name in self.served:
            raise ValueError(f"Host: name: expected a name of its own for each model, got {name!r} twice")
        path = os.fspath(model) if isinstance(model, (str, os.PathLike)) else None
        one = Served(name, self.limits, model if path is None else load(path), path)
        self.served[name] = one
        return one

    def find(self, name: str | None, verb: str) -> Served:
        """Returns the model of a request.

        Args:
            name: its name; None for the only one with the verb.
            verb: what it is to do.

        Raises:
            Problem: 404 for an unknown name; 400 if the model lacks the verb, or several have it; 503 for a
                model that is not ready.
        """
        if name is not None:
            one = self.named(name)
            _ = one.loaded  # 503 while there is none
            if verb not in one.verbs:
                others = ", ".join(self._able(verb)) or "there is none"
                raise Problem(
                    400,
                    f"model: expected one that can {verb}, got {name}, {modelfile.describe(str(one.kind))}",
                    expected=f"a model that can {verb}: {others}",
                    got=name,
                    field="model",
                )
            return one
        able = self._able(verb)
        if len(able) == 1:
            return self.served[able[0]]
        if not able and any(one.kind is None for one in self):
            raise Problem(503, "the models are not ready yet", headers={"Retry-After": "5"})
        expected = f"one of {', '.join(able)}" if able else f"a server with a model that can {verb}"
        raise Problem(
            400 if able else 404, f"model: expected {expected}, got none", expected=expected, field="model"
        )

    def named(self, name: str) -> Served:
        """Returns the model of a name.

        Raises:
            Problem: 404 for an unknown name.
        """
        if name not in self.served:
            expected = f"one of {', '.join(self.served)}"
            got = shortened(name)
            raise Problem(
                404, f"model: expected {expected}, got {got}", expected=expected, got=got, field="model"
            )
        return self.served[name]

    def _able(self, verb: str) -> list[str]:
        return [one.name for one in self if verb in one.verbs]

    def reload(self) -> tuple[list[str], dict[str, Exception]]:
        """Loads all models from their files again.

        Returns:
            The names of the models that were loaded; the errors of the others by name: these models stay as
            they are.
        """
        done: list[str] = []
        errors: dict[str, Exception] = {}
        with self._reloading:
            for one in self:
                if one.path is None:
                    continue
                try:
                    one.become(load(one.path))
                    done.append(one.name)
                except Exception as error:
                    errors[one.name] = error
        return done, errors

    def close(self) -> None:
        """Ends the models' threads; requests that wait are refused."""
        for one in self:
            one.worker.close(0)
        for one in self:
            one.worker.close()


def named(arguments: list[str]) -> dict[str, str]:
    """Returns the files of models by name, from `FILE` or `NAME=FILE`; a file's name is its stem.

    Raises:
        ValueError: for two models of the same name.

    Example:
        >>> named(["german=models/de-en.rnn", "letters.rnn"])
        {'german': 'models/de-en.rnn', 'letters': 'letters.rnn'}
    """
    found: dict[str, str] = {}
    for argument in arguments:
        name, equals, path = argument.partition("=")
        if not equals or Path(argument).exists():
            name, path = Path(argument).stem, argument
        if name in found:
            raise ValueError(f"expected a name of its own for each model, got {name!r} twice (NAME=FILE)")
        found[name] = path
    return found
