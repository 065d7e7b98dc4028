"""`rnnrs demo extract`: from a catalog of programs, what each of them is, in less than a minute."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ...files import write_atomically
from ..common import ending, say
from .output import announce

if TYPE_CHECKING:
    from ...models import ExtractiveSummarizer

Pairs = list[tuple[str, str]]

#: The number of descriptions on a page, and the least number of sentences of each, so that there is a choice.
DESCRIPTIONS, SENTENCES = 5, 2

#: The numbers of pages for validation, of pages held out for the scores, and of those that are shown.
VALIDATION, HELD_OUT, SHOWN = 50, 100, 2


def run(arguments: argparse.Namespace, model_path: Path, page: Path) -> int:
    """Trains, evaluates, chooses, saves, and prints what to type next."""
    from ...models import ExtractiveSummarizer

    pages = _pages()
    cut = len(pages) - HELD_OUT
    training, validation, held_out = pages[: cut - VALIDATION], pages[cut - VALIDATION : cut], pages[cut:]
    sizes = {"hidden_size": arguments.hidden_size} if arguments.hidden_size else {}
    model = ExtractiveSummarizer.from_pairs(training, seed=arguments.seed, **sizes)
    print(
        f"Data      {len(training):,} pages of {DESCRIPTIONS} descriptions of Debian packages, {HELD_OUT} held out; "
        "to keep: what each package is"
    )
    print(f"Network   {model.parameters.size:,} parameters, {len(model.vocabulary):,} words")
    announce(arguments.seconds)
    start = time.monotonic()
    run = {"time_limit": arguments.seconds, "seed": arguments.seed, "checkpoint": model_path}
    try:
        model.fit(training, validation, **run)
    except KeyboardInterrupt as interrupt:
        word, code = ending(interrupt)
        say(f"rnnrs: {word}; try rnnrs summarize run {shlex.quote(str(model_path))} TEXT")
        return code
    model.save(model_path)
    print(f"After     {time.monotonic() - start:.0f} s; held out, {DESCRIPTIONS} sentences of each page:")
    result = str(model.evaluate(held_out, sentences=DESCRIPTIONS))
    print("".join(f"    {line}\n" for line in result.splitlines()), end="")
    _show(model, held_out, page)
    path = shlex.quote(str(model_path))
    print(
        f"\nSaved     {model_path}\n\nNext, type:\n"
        f"  rnnrs summarize run {path} --file a-text.txt --words 60 --html marked.html\n"
        f"  rnnrs summarize train --extract your-pairs.jsonl --fields text summary -o your-model.rnn"
    )
    return 0


def _pages() -> Pairs:
    """Returns pages of descriptions, each with the sentences that are most like the packages' synopses."""
    from ...models.extractive.labels import labels_of
    from ...text import debian_synopses, find_sentences

    entries = []
    for text, synopsis in debian_synopses():
        sentences = [text[begin:end] for begin, end in find_sentences(text)]
        kept = [s for s, keeps in zip(sentences, labels_of(sentences, synopsis), strict=True) if keeps]
        if len(sentences) >= SENTENCES and kept:
            entries.append((text, kept[0]))
    pages = [entries[i : i + DESCRIPTIONS] for i in range(0, len(entries), DESCRIPTIONS)]
    return [
        ("\n\n".join(texts), " ".join(kept)) for texts, kept in (zip(*page, strict=True) for page in pages)
    ]


def _show(model: ExtractiveSummarizer, held_out: Pairs, path: Path) -> None:
    """Prints what is kept of some pages, and writes one with the kept sentences marked."""
    print("\nKept of pages that it has not seen:")
    for text, _ in held_out[:SHOWN]:
        for sentence in model.summarize(text, sentences=DESCRIPTIONS):
            print(f"    {sentence.score:.2f}  {sentence}")
        print()
    marked = model.summarize(held_out[0][0], sentences=DESCRIPTIONS, why=True)
    write_atomically(path, marked.to_html().encode())
    print(f"Marked    {path}: the first of these pages")
