"""`rnnrs demo caption`: names of emoji, from their pictures and in scenes, in about three minutes."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..common import ending, say
from . import regions
from .output import announce

if TYPE_CHECKING:
    from ...data import Emoji
    from ...models import Captioner, CaptionEvaluation

#: Every n-th emoji is training data; more than 1 only in tests.
EVERY = 1

#: The number of pictures that are shown, and of those in the drawing.
SHOWN, DRAWN = 8, 24

#: The share of the time that the regions have.
REGIONS = 0.4

#: The sentence by which the held-out pictures are ranked.
SENTENCE = "woman farmer: medium-dark skin tone"


def run(arguments: argparse.Namespace, model_path: Path, drawing: Path) -> int:
    """Trains, evaluates, describes, ranks, saves, and prints what to type next."""
    from ...data import noto_emoji
    from ...models import Augmentation, Captioner

    emoji = noto_emoji()
    names = np.array(emoji.names["en"], object)
    learned = np.flatnonzero(~emoji.held_out)[::EVERY]
    pictures, texts = emoji.pictures[learned], names[learned].tolist()
    sizes = {"hidden_size": arguments.hidden_size} if arguments.hidden_size else {}
    model = Captioner.from_pairs(pictures, texts, seed=arguments.seed, **sizes)
    held_out = int(emoji.held_out.sum())
    print(f"Data      {len(texts):,} emoji with their names, {held_out} held out: other skin tones")
    print(f"Network   {model.parameters.size:,} parameters: {_shapes(model)}")
    print(f"Before    {_likelihood(_evaluate(model, emoji, beam=1))}")
    seconds = (1 - REGIONS) * arguments.seconds
    announce(seconds)
    start = time.monotonic()
    run = {"time_limit": seconds, "seed": arguments.seed, "checkpoint": model_path}
    try:
        model.fit(pictures, texts, augmentation=Augmentation(), **run)
    except KeyboardInterrupt as interrupt:
        word, code = ending(interrupt)
        say(f"rnnrs: {word}; try rnnrs caption describe {shlex.quote(str(model_path))} a-picture.png")
        return code
    result = _evaluate(model, emoji)
    print(f"After     {_likelihood(result)}; {time.monotonic() - start:.0f} s")
    model.save(model_path)
    print("\nHeld out, by beam search:")
    print("".join(f"    {line}\n" for line in str(result).splitlines()), end="")
    _show(emoji, result)
    _rank(model, emoji)
    _draw(emoji, result, drawing)
    code = regions.run(arguments, REGIONS * arguments.seconds, model_path.parent, model_path.stem)
    if not code:
        _advise(model_path)
    return code


def _advise(model_path: Path) -> None:
    path = shlex.quote(str(model_path))
    print(
        f"\nSaved     {model_path}\n\nNext, type:\n"
        f"  rnnrs caption describe {path} a-picture.png --n-best 3 --plot where.png\n"
        f"  rnnrs caption rank {path} 'red heart' folder-of-pictures\n"
        f"  rnnrs caption train your-descriptions.tsv --pictures your-folder -o your-model.rnn"
    )


def _evaluate(model: Captioner, emoji: Emoji, **search: Any) -> CaptionEvaluation:
    names = [name for name, out in zip(emoji.names["en"], emoji.held_out, strict=True) if out]
    return cast("CaptionEvaluation", model.evaluate(emoji.pictures[emoji.held_out], names, **search))


def _shapes(model: Captioner) -> str:
    channels = ", ".join(map(str, model.channels))
    rows, columns = model.grid or (1, 1)
    return (
        f"convolutions of {channels} channels -> {rows} x {columns} places -> attention -> "
        f"GRU of {model.sizes['hidden_size']} -> softmax over {len(model.vocabulary):,} words"
    )


def _likelihood(result: CaptionEvaluation) -> str:
    return (
        f"perplexity {result.perplexity:,.1f} on {len(result.descriptions)} held-out names "
        f"({result.loss:.3f} nats a token)"
    )


def _spread(emoji: Emoji, count: int) -> list[int]:
    """Returns the indices of some of the held-out emoji, among these."""
    from ...models.base.validation import spread

    return spread(int(emoji.held_out.sum()), count)


def _show(emoji: Emoji, result: CaptionEvaluation) -> None:
    print("\nIts descriptions of pictures that it has not seen:")
    held_out = np.flatnonzero(emoji.held_out)
    for place in _spread(emoji, SHOWN):
        i = int(held_out[place])
        print(f"    {emoji.characters[i]}\n      wanted  {emoji.names['en'][i]}")
        print(f"      got     {result.descriptions[place]}")


def _rank(model: Captioner, emoji: Emoji) -> None:
    held_out = np.flatnonzero(emoji.held_out)
    print(f'\nThe held-out pictures that "{SENTENCE}" describes best:')
    for picture in model.rank(SENTENCE, emoji.pictures[held_out])[:3]:
        i = int(held_out[picture.place])
        print(f"    {picture.log_prob:8.2f}  {emoji.characters[i]}  {emoji.names['en'][i]}")


def _draw(emoji: Emoji, result: CaptionEvaluation, path: Path) -> None:
    """Draws pictures with their descriptions, if matplotlib is installed."""
    from ...errors import MissingExtraError
    from ...plot import pictures

    held_out = np.flatnonzero(emoji.held_out)
    places = _spread(emoji, DRAWN)
    said = [result.descriptions[place] for place in places]
    right = [
        text == emoji.names["en"][int(held_out[place])] for place, text in zip(places, said, strict=True)
    ]
    try:
        pictures(list(emoji.pictures[held_out[places]]), said, path, right=right)
        print(f"\nDrawing   {path}: right descriptions blue, wrong ones orange")
    except MissingExtraError as error:
        say(f"No drawing: {error}")
