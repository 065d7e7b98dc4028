"""The lines that `fit(examples=…)` prints: the model's output for some held-out sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..base.validation import chosen, spread
from .search import Search, Written


class Writer(Protocol):
    """A model that writes texts, such as `TextToText` and `Captioner`."""

    def write(self, sources: Any, search: Search | None = None) -> list[list[Written]]:
        """Writes texts for several sources; the best first for each."""
        ...


def example_lines(source: str, wanted: str, got: str) -> list[str]:
    """Returns the lines of one example."""
    return [f"  {source}", f"    wanted  {wanted}", f"    got     {got}"]


def written_lines(
    model: Writer, sources: Sequence[Any], wanted: Sequence[str], count: int, kind: str = "source"
) -> list[str]:
    """Returns lines that compare the model's texts, by greedy decoding, with the reference texts.

    Args:
        model: the model.
        sources: texts; or pictures, which are named by their index.
        wanted: a reference text for each source.
        count: the number of examples: the first source, the last, and some between.
        kind: the name for a source that is not a text.
    """
    places = spread(len(wanted), count)
    written = model.write(chosen(sources, places), Search(beam=1))
    lines = []
    for place, (best, *_) in zip(places, written, strict=True):
        source = sources[place]
        name = source if isinstance(source, str) else f"{kind} {place}"
        lines += example_lines(name, wanted[place], best.text)
    return lines
