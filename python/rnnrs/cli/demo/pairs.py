"""`rnnrs demo translate` and `rnnrs demo summarize`: from nothing to a network that writes, in about two minutes."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .common import say

if TYPE_CHECKING:
    from ..models import TextToText
    from ..train import History

#: Of training.
SECONDS = 100.0

#: Pairs that the best parameters are found by, those that are held out to judge on, and those of these that are shown.
VALIDATION, HELD_OUT, SHOWN = 300, 500, 8


class Recipe(NamedTuple):
    """What one of the demos does."""

    title: str
    kind: str
    data: str
    sizes: dict[str, Any]
    batch: int
    learning_rate: float
    asked: str


#: Small networks, small batches, high rates: what learns most in so short a time.
RECIPES = {
    "translate": Recipe(
        "short English sentences and their French translations (Tatoeba)",
        "Translator",
        "tatoeba_pairs",
        {"embedding_size": 128, "hidden_size": 256, "dropout": 0.2, "label_smoothing": 0.0},
        32,
        3e-3,
        "I'd like to see your new house.",
    ),
    "summarize": Recipe(
        "descriptions of Debian packages and their synopses",
        "Summarizer",
        "debian_synopses",
        {"embedding_size": 128, "hidden_size": 256, "vocabulary_size": 4000},
        32,
        2e-3,
        "This package provides a library to read and write pictures in many formats.",
    ),
}


def run(arguments: argparse.Namespace, model_path: Path, picture: Path) -> int:
    """Trains, judges, shows, saves, and says what to type next."""
    from .. import models, text

    recipe = RECIPES[arguments.what]
    pairs = getattr(text, recipe.data)()
    cut = len(pairs) - HELD_OUT
    training, validation, held_out = pairs[: cut - VALIDATION], pairs[cut - VALIDATION : cut], pairs[cut:]
    sizes = recipe.sizes | ({"hidden_size": arguments.hidden} if arguments.hidden else {})
    model = getattr(models, recipe.kind).from_pairs(training, seed=arguments.seed, **sizes)
    print(f"Data      {recipe.title}: {len(training):,} to learn from, {len(held_out):,} held out")
    print(f"Network   {model.parameters.size:,} parameters: {_shapes(model)}")
    print(f"Before    {_likelihood(model, held_out)}")
    print(
        f"Training  for {arguments.seconds:g} seconds; Ctrl-C stops and keeps what has been learned",
        flush=True,
    )
    start = time.monotonic()
    try:
        _train(model, (training, validation), arguments, recipe, model_path)
    except KeyboardInterrupt:
        Path(f"{model_path}.best").unlink(missing_ok=True)  # nobody goes on from here
        say(f"rnnrs: interrupted; try rnnrs {arguments.what} run {shlex.quote(str(model_path))}")
        return 130
    print(f"After     {_likelihood(model, held_out)}; {time.monotonic() - start:.0f} s")
    model.save(model_path)
    _judge(model, held_out)
    _picture(model, recipe.asked, picture)
    path = shlex.quote(str(model_path))
    print(
        f"\nSaved     {model_path}\n\nNext, type:\n"
        f"  rnnrs {arguments.what} run {path} {shlex.quote(recipe.asked)} --n-best 3\n"
        f"  rnnrs {arguments.what} train your-pairs.tsv -o your-model.rnn"
    )
    return 0


def _train(
    model: TextToText,
    pairs: tuple[list[tuple[str, str]], list[tuple[str, str]]],
    arguments: argparse.Namespace,
    recipe: Recipe,
    checkpoint: Path,
) -> History:
    return model.fit(
        *pairs,
        time_limit=arguments.seconds,
        batch_size=recipe.batch,
        learning_rate=recipe.learning_rate,
        seed=arguments.seed,
        checkpoint=checkpoint,
    )


def _shapes(model: TextToText) -> str:
    read, written = len(model.source_vocabulary), len(model.target_vocabulary)
    I, H = model.sizes["embedding_size"], model.sizes["hidden_size"]
    copying = " or a word of the text" if model.network.copy else ""
    return (
        f"{read:,} words -> embedding of {I} -> GRU of {H}, both ways -> attention -> GRU of {H} -> "
        f"softmax over {written:,} words{copying}"
    )


def _likelihood(model: TextToText, held_out: list[tuple[str, str]]) -> str:
    result = model.likelihood(held_out)
    return (
        f"it is left to guess among {result.perplexity:,.1f} words at each place of the {len(held_out)} held-out "
        f"targets ({result.loss:.3f} nats)"
    )


def _judge(model: Any, held_out: list[tuple[str, str]]) -> None:
    """Scores on the held-out pairs, and what is written for some of them."""
    from ..errors import MissingExtraError

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
    """What was looked at for which word, where matplotlib is installed."""
    from ..errors import MissingExtraError
    from ..plot import attention

    ((best, *_),) = model.write([text])
    print(f"\n    {text}\n      got     {best.text}")
    assert best.attention is not None  # the recipes' models have it
    try:
        attention(best.attention, best.source, best.words, path)
        print(f"\nPicture   {path}: what it looked at for each word")
    except MissingExtraError as error:
        say(f"No picture of the attention: {error}")
