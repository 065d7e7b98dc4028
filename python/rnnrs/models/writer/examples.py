"""The lines that `fit(examples=…)` prints: what a model writes for some held-out sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..base.validation import chosen, spread
from .search import Search, Written


class Writer(Protocol):
    """A model that writes texts: `TextToText` and `Captioner` are two."""

    def write(self, sources: Any, search: Search | None = None) -> list[list[Written]]:
        """Writes for several sources; the best first for each."""
        ...


def written_lines(
    model: Writer, sources: Sequence[Any], wanted: Sequence[str], count: int, kind: str = "source"
) -> list[str]:
    """What a model writes by greedy decoding for some sources, beside what was wanted.

    Args:
        model: the model.
        sources: texts, or pictures, which are named by their index.
        wanted: a right text for each source.
        count: the number of sources: the first, the last and some between.
        kind: the name of a source that is not a text.
    """
    places = spread(len(wanted), count)
    written = model.write(chosen(sources, places), Search(beam=1))
    lines = []
    for place, (best, *_) in zip(places, written, strict=True):
        source = sources[place]
        name = source if isinstance(source, str) else f"{kind} {place}"
        lines += [f"  {name}", f"    wanted  {wanted[place]}", f"    got     {best.text}"]
    return lines
