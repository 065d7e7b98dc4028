"""`rnnrs demo translate` and `rnnrs demo summarize`: an encoder–decoder in about two minutes."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..common import ending, say
from .output import announce

if TYPE_CHECKING:
    from ...models import TextToText

#: The numbers of pairs for validation, of pairs held out for the scores, and of pairs that are shown.
VALIDATION, HELD_OUT, SHOWN = 300, 500, 8


class Recipe(NamedTuple):
    """The data and settings of a demo.

    Attributes:
        title: describes the data.
        kind: the application, of `rnnrs.models`.
        data: returns the pairs, of `rnnrs.text`.
        sizes: arguments of `from_pairs`.
        training: options of `fit`.
        text: the text whose attention is drawn.
    """

    title: str
    kind: str
    data: str
    sizes: dict[str, Any]
    training: dict[str, Any]
    text: str


#: Small networks, small batches, high rates: they learn most in so short a time.
RECIPES = {
    "translate": Recipe(
        "short English sentences and their French translations (Tatoeba)",
        "Translator",
        "tatoeba_pairs",
        {"embedding_size": 128, "hidden_size": 256, "dropout": 0.2, "label_smoothing": 0.0},
        {"batch_size": 32, "learning_rate": 3e-3},
        "I'd like to see your new house.",
    ),
    "summarize": Recipe(
        "descriptions of Debian packages and their synopses",
        "Summarizer",
        "debian_synopses",
        {"vocabulary": {"max_size": 4000}},
        {"batch_size": 32, "learning_rate": 2e-3},
        "This package provides a library to read and write pictures in many formats.",
    ),
}


def run(arguments: argparse.Namespace, model_path: Path, picture: Path) -> int:
    """Trains, evaluates, writes, saves, and prints what to type next."""
    from ... import models, text

    recipe = RECIPES[arguments.what]
    pairs = getattr(text, recipe.data)()
    cut = len(pairs) - HELD_OUT
    training, validation, held_out = pairs[: cut - VALIDATION], pairs[cut - VALIDATION : cut], pairs[cut:]
    sizes = recipe.sizes | ({"hidden_size": arguments.hidden_size} if arguments.hidden_size else {})
    model = getattr(models, recipe.kind).from_pairs(training, seed=arguments.seed, **sizes)
    print(f"Data      {recipe.title}: {len(training):,} of training data, {len(held_out):,} held out")
    print(f"Network   {model.parameters.size:,} parameters: {_shapes(model)}")
    print(f"Before    {_likelihood(model, held_out)}")
    announce(arguments.seconds)
    start = time.monotonic()
    run = {"time_limit": arguments.seconds, "seed": arguments.seed, "checkpoint": model_path}
    try:
        model.fit(training, validation, **recipe.training, **run)
    except KeyboardInterrupt as interrupt:
        word, code = ending(interrupt)
        say(f"rnnrs: {word}; try rnnrs {arguments.what} run {shlex.quote(str(model_path))}")
        return code
    print(f"After     {_likelihood(model, held_out)}; {time.monotonic() - start:.0f} s")
    model.save(model_path)
    _evaluate(model, held_out)
    _picture(model, recipe.text, picture)
    path = shlex.quote(str(model_path))
    print(
        f"\nSaved     {model_path}\n\nNext, type:\n"
        f"  rnnrs {arguments.what} run {path} {shlex.quote(recipe.text)} --n-best 3\n"
        f"  rnnrs {arguments.what} train your-pairs.tsv -o your-model.rnn"
    )
    return 0


def _shapes(model: TextToText) -> str:
    read, written = len(model.source_vocabulary), len(model.target_vocabulary)
    I, H = model.sizes["embedding_size"], model.sizes["hidden_size"]
    copying = " or a word of the text" if model.network.copy else ""
    return (
        f"{read:,} words -> embedding of {I} -> GRU of {H}, bidirectional -> attention -> GRU of {H} -> "
        f"softmax over {written:,} words{copying}"
    )


def _likelihood(model: TextToText, held_out: list[tuple[str, str]]) -> str:
    result = model.likelihood(held_out)
    return (
        f"perplexity {result.perplexity:,.1f} on the targets of {len(held_out)} held-out pairs "
        f"({result.loss:.3f} nats a token)"
    )


def _evaluate(model: Any, held_out: list[tuple[str, str]]) -> None:
    """Prints scores on the held-out pairs, and the results for some of them."""
    from ...errors import MissingExtraError

    try:
        result = model.evaluate(held_out)
    except MissingExtraError as error:
        say(f"No scores: {error}")
    else:
        print("\nHeld out, by beam search:")
        print("".join(f"    {line}\n" for line in str(result).splitlines()), end="")
    some = held_out[:SHOWN]
    print("\nIt writes, for texts that it has not seen:")
    for (source, target), (best, *_) in zip(some, model.write([source for source, _ in some]), strict=True):
        print(f"    {source}\n      wanted  {target}\n      got     {best.text}")


def _picture(model: TextToText, text: str, path: Path) -> None:
    """Draws the attention of each word, if matplotlib is installed."""
    from ...errors import MissingExtraError
    from ...plot import attention

    ((best, *_),) = model.write([text])
    print(f"\n    {text}\n      got     {best.text}")
    assert best.attention is not None  # the recipes' models have it
    try:
        attention(best.attention, best.source, best.words, path)
        print(f"\nPicture   {path}: the attention of each word")
    except MissingExtraError as error:
        say(f"No picture of the attention: {error}")
