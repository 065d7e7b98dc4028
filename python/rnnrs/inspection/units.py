"""The units of a language model while it reads a text, and the text properties that they follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..checks import as_array
from ..errors import ShapeError
from ..nn import GRU, LSTM, Embedding, Recurrent, Stack
from ..nn.recurrent_cache import RecurrentCache
from ..nn.stack import StackCache
from ..shown import short_repr
from ..text import Vocabulary
from ..types import Array, Ids
from .signals import SIGNALS, Signal

#: The number of tokens read at a time, which bounds the memory; the state is carried over.
WINDOW = 1024

#: The gates of each cell, and their blocks in `RecurrentCache.kept`.
_GATES = {LSTM: {"i": 0, "f": 1, "g": 2, "o": 3}, GRU: {"r": 0, "z": 1, "n": 3}}


class Reader(Protocol):
    """A network that reads text token by token, as `models.LanguageModel` does."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens."""
        ...

    @property
    def embedding(self) -> Embedding:
        """The embedding of token ids."""
        ...

    @property
    def rnn(self) -> Any:
        """The recurrence: an RNN, LSTM, GRU, or a `Stack` of these."""
        ...

    @property
    def by_sentence(self) -> bool:
        """Whether every line is a separate sequence."""
        ...


class Following(NamedTuple):
    """A unit, and its correlation with a property of the text.

    Attributes:
        unit: from 0.
        correlation: Pearson's, −1..1; below 0, the unit falls as the property rises.
    """

    unit: int
    correlation: float


@dataclass(frozen=True, eq=False)
class TextStates:
    """The values of a layer's units while a model reads a text.

    Attributes:
        tokens: the N tokens of the text, as they are written in it.
        values: (N, H), float32 or float64, after each token.
        of: the quantity of the cell.
    """

    tokens: list[str]
    values: Array
    of: str

    __repr__ = short_repr

    def __getitem__(self, part: slice) -> TextStates:
        """Returns a part of the text.

        Raises:
            TypeError: if `part` is not a slice.
        """
        if not isinstance(part, slice):
            raise TypeError(f"TextStates: expected a slice, got {type(part).__name__}")
        return TextStates(self.tokens[part], self.values[part], self.of)

    def unit(self, unit: int) -> Array:
        """Returns the values of one unit (N,).

        Raises:
            IndexError: if there is no such unit.
        """
        H = self.values.shape[1]
        if not 0 <= unit < H:
            raise IndexError(f"unit: expected 0 to {H - 1}, got {unit}")
        return np.asarray(self.values[:, unit])

    def correlations(self, signal: Signal | str | ArrayLike) -> Array:
        """Returns Pearson's correlation of every unit with a property of the text (H,), float64.

        It is 0 for a constant unit.

        Args:
            signal: a name from `SIGNALS`, a function of the tokens, or one number for every token (N,).

        Raises:
            ValueError: if the name is unknown, or the property is constant or not finite.
            ShapeError: if there is not one number for every token.
        """
        y = self._signal(signal)
        y = y - y.mean()
        h = self.values.astype(np.float64)
        h -= h.mean(axis=0)
        size = np.linalg.norm(h, axis=0) * np.linalg.norm(y)
        return np.asarray(np.divide(y @ h, size, out=np.zeros(h.shape[1]), where=size > 0))

    def following(self, signal: Signal | str | ArrayLike, k: int = 5) -> list[Following]:
        """Returns the k units most strongly correlated with a property, in either direction, in that order.

        Raises:
            ValueError: if k is below 1, or as in `correlations`.
            ShapeError: as in `correlations`.
        """
        if k < 1:
            raise ValueError(f"following: k: expected a whole number from 1, got {k}")
        r = self.correlations(signal)
        return [Following(int(unit), float(r[unit])) for unit in np.argsort(-np.abs(r), kind="stable")[:k]]

    def _signal(self, signal: Signal | str | ArrayLike) -> Array:
        """Returns the numbers of a signal (N,), checked."""
        if isinstance(signal, str):
            if signal not in SIGNALS:
                raise ValueError(f"signal: expected one of {', '.join(SIGNALS)}, got {signal!r}")
            signal = SIGNALS[signal]
        given = signal(self.tokens) if callable(signal) else signal
        y = as_array(type(self).__name__, "signal", given).astype(np.float64)
        if y.shape != (len(self.tokens),):
            raise ShapeError(
                f"signal: expected a number for each of {len(self.tokens)} tokens, got {y.shape}"
            )
        if not np.isfinite(y).all():
            raise ValueError("signal: expected finite numbers, got NaN or an infinite one")
        if not len(y) or (y == y[0]).all():
            raise ValueError(
                "signal: expected one that changes within the text, got the same value everywhere"
            )
        return y


def text_states(model: Reader, text: str, *, layer: int = -1, of: str | None = None) -> TextStates:
    """Lets a language model read a text, and returns the values of a layer's units.

    The text is read as in `LanguageModel.evaluate`: after an end of sentence, from the state zero; if every
    line is a separate sequence, each line starts over.

    Args:
        model: a model of characters, words or subwords.
        text: the text.
        layer: the layer of a stack; the highest by default.
        of: "h"; for an LSTM also "c", "tanh_c" (the default: the content of its memory) or a gate "i", "f",
            "g", "o"; for a GRU also "r", "z", "n".

    Raises:
        ValueError: if the text has no tokens, or the cell does not have the quantity.
        IndexError: if there is no such layer.
        TypeError: if the model's recurrence is not a forward layer of `rnnrs.nn`.
    """
    cell = _layer(model, layer)
    of = of or ("tanh_c" if isinstance(cell, LSTM) else "h")
    known = ["h", *(["c", "tanh_c"] if isinstance(cell, LSTM) else []), *_gates(cell)]
    if of not in known:
        raise ValueError(f"text_states: of: expected one of {', '.join(known)}, got {of!r}")
    with model.rnn.parameters.reading:
        tokens, ids, resets = _read(model, text)
    state, parts = None, []
    for window in _windows(len(ids)):
        begins = None if resets is None else resets[window, None]
        _, cache = model.rnn.forward_tokens(model.embedding, ids[window, None], state, resets=begins)
        state = cache.state
        caches = cache.layers if isinstance(cache, StackCache) else (cache,)
        parts.append(_quantity(cell, caches[layer], of))
    return TextStates(tokens, np.concatenate(parts)[1:], of)  # without the end of sentence before the text


def units_following(
    model: Reader,
    text: str,
    signal: Signal | str | ArrayLike,
    *,
    k: int = 5,
    layer: int = -1,
    of: str | None = None,
) -> list[Following]:
    """Returns the units of a model that follow a property of the text: which unit counts quotes, for example.

    Since the best of H units are selected, their correlation is slightly too high: measure it on another text
    (`text_states(…).correlations`). After Karpathy, Johnson and Fei-Fei (2015).

    Args:
        model: a model of characters, words or subwords.
        text: the text to read.
        signal: a name from `SIGNALS`, a function of the tokens that returns one number for each, or these
            numbers.
        k: the number of units.
        layer, of: see `text_states`.

    Raises:
        ValueError, ShapeError, IndexError, TypeError: see `text_states` and `TextStates.following`.
    """
    return text_states(model, text, layer=layer, of=of).following(signal, k)


def _layer(model: Reader, place: int) -> Recurrent:
    rnn: Any = model.rnn
    layers = rnn.layers if isinstance(rnn, Stack) else (rnn,)
    if not -len(layers) <= place < len(layers):
        raise IndexError(f"text_states: layer: expected {-len(layers)} to {len(layers) - 1}, got {place}")
    layer = layers[place]
    if not isinstance(layer, Recurrent):
        raise TypeError(f"text_states: model: expected an RNN, LSTM or GRU, got {type(layer).__name__}")
    return layer


def _gates(layer: Recurrent) -> dict[str, int]:
    return next((gates for kind, gates in _GATES.items() if isinstance(layer, kind)), {})


def _read(model: Reader, text: str) -> tuple[list[str], Array, Array | None]:
    """Returns the tokens (N), the ids to read (N + 1), and where to reset the state.

    The ids start with an end of sentence. The resets are None if lines are not separate sequences.
    """
    vocabulary = model.vocabulary
    if not model.by_sentence:
        ids = vocabulary.encode(text)
        tokens = list(text) if vocabulary.level == "char" else _surfaces(vocabulary, ids)
        before: list[Any] = [[vocabulary.end_id], ids]
    else:
        lines = [vocabulary.encode(line) for line in text.split("\n") if line.strip()]
        before = [part for line in lines for part in ([vocabulary.end_id], line)]
        ids = np.concatenate([*before, []]).astype(np.int64)[1:]
        surfaces = _surfaces(vocabulary, ids)
        tokens = ["\n" if i == vocabulary.end_id else s for i, s in zip(ids, surfaces, strict=True)]
    if not tokens:
        raise ValueError("text_states: text: expected at least one token, got none")
    whole = np.concatenate(before).astype(np.int64)
    return tokens, whole, whole == vocabulary.end_id if model.by_sentence else None


def _surfaces(vocabulary: Vocabulary, ids: Ids) -> list[str]:
    return [vocabulary.surface(vocabulary.tokens[i]) for i in ids]


def _windows(length: int) -> Iterator[slice]:
    for start in range(0, length, WINDOW):
        yield slice(start, start + WINDOW)


def _quantity(layer: Recurrent, cache: RecurrentCache, of: str) -> Array:
    """Returns one quantity of every step (T, H) of the only sequence."""
    if of in ("c", "tanh_c"):
        assert cache.c is not None  # an LSTM's
        rows = np.tanh(cache.c) if of == "tanh_c" else cache.c
    elif of == "h":
        rows = cache.h
    else:
        assert cache.kept is not None  # gradient is True
        rows = np.split(cache.kept, 4, axis=-1)[_gates(layer)[of]]
    whole = rows if cache.order is None else cache.order.unpack(rows)
    return np.asarray(whole[:, 0])
