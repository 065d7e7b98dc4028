"""`rnnrs demo caption`: from nothing to a network that says what a picture shows, in about two minutes."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .common import say

if TYPE_CHECKING:
    from ..data import Emoji
    from ..models import Captioner
    from ..models.captions.evaluation import CaptionEvaluation

#: Of every so many emoji one is learned from; 1 but for tests.
EVERY = 1

#: Pictures that are shown, and those in the drawing.
SHOWN, DRAWN = 8, 24

#: What is looked for among the held-out pictures.
SOUGHT = "woman farmer: medium-dark skin tone"


def run(arguments: argparse.Namespace, model_path: Path, drawing: Path) -> int:
    """Trains, judges, describes, searches, saves, and says what to type next."""
    from ..data import noto_emoji
    from ..models import Augmentation, Captioner

    emoji = noto_emoji()
    names = np.array(emoji.names["en"], object)
    learned = np.flatnonzero(~emoji.held_out)[::EVERY]
    pictures, texts = emoji.pictures[learned], names[learned].tolist()
    sizes = {"hidden_size": arguments.hidden} if arguments.hidden else {}
    model = Captioner.from_pairs(pictures, texts, seed=arguments.seed, **sizes)
    judged = np.flatnonzero(emoji.held_out)
    print(
        f"Data      {len(texts):,} emoji and their names to learn from, {len(judged)} held out: other skin tones"
    )
    print(f"Network   {model.parameters.size:,} parameters: {_shapes(model)}")
    print(f"Before    {_likelihood(_judge(model, emoji, beam=1))}")
    print(
        f"Training  for {arguments.seconds:g} seconds; Ctrl-C stops and keeps what has been learned",
        flush=True,
    )
    start = time.monotonic()
    try:
        model.fit(
            pictures,
            texts,
            augmentation=Augmentation(),
            time_limit=arguments.seconds,
            seed=arguments.seed,
            checkpoint=model_path,
        )
    except KeyboardInterrupt:
        Path(f"{model_path}.best").unlink(missing_ok=True)  # nobody goes on from here
        say(f"rnnrs: interrupted; try rnnrs caption describe {shlex.quote(str(model_path))} a-picture.png")
        return 130
    result = _judge(model, emoji)
    print(f"After     {_likelihood(result)}; {time.monotonic() - start:.0f} s")
    model.save(model_path)
    print("\nHeld out, by beam search:")
    print("".join(f"    {line}\n" for line in str(result).splitlines()), end="")
    _show(emoji, result)
    _search(model, emoji)
    _draw(emoji, result, drawing)
    path = shlex.quote(str(model_path))
    print(
        f"\nSaved     {model_path}\n\nNext, type:\n"
        f"  rnnrs caption describe {path} a-picture.png --n-best 3 --plot where.png\n"
        f"  rnnrs caption search {path} 'red heart' folder-of-pictures\n"
        f"  rnnrs caption train your-descriptions.tsv --pictures your-folder -o your-model.rnn"
    )
    return 0


def _judge(model: Captioner, emoji: Emoji, **search: Any) -> CaptionEvaluation:
    names = [name for name, out in zip(emoji.names["en"], emoji.held_out, strict=True) if out]
    return model.evaluate(emoji.pictures[emoji.held_out], names, **search)


def _shapes(model: Captioner) -> str:
    channels = ", ".join(map(str, model.channels))
    rows, columns = model.grid or (1, 1)
    return (
        f"convolutions of {channels} channels -> {rows} x {columns} places -> attention -> "
        f"GRU of {model.sizes['hidden_size']} -> softmax over {len(model.vocabulary):,} words"
    )


def _likelihood(result: CaptionEvaluation) -> str:
    return (
        f"it is left to guess among {result.perplexity:,.1f} words at each place of the {len(result.descriptions)} "
        f"held-out names ({result.loss:.3f} nats)"
    )


def _held_out(emoji: Emoji, count: int) -> list[int]:
    """The places of some of the held-out emoji, among them."""
    total = int(emoji.held_out.sum())
    return sorted({n * (total - 1) // max(count - 1, 1) for n in range(count)})


def _show(emoji: Emoji, result: CaptionEvaluation) -> None:
    print("\nIt says of pictures that it has not seen:")
    judged = np.flatnonzero(emoji.held_out)
    for place in _held_out(emoji, SHOWN):
        i = int(judged[place])
        print(f"    {emoji.characters[i]}\n      wanted  {emoji.names['en'][i]}")
        print(f"      got     {result.descriptions[place]}")


def _search(model: Captioner, emoji: Emoji) -> None:
    judged = np.flatnonzero(emoji.held_out)
    print(f'\nIt finds by "{SOUGHT}", among the held-out pictures:')
    for place, log_prob in model.rank(SOUGHT, emoji.pictures[judged])[:3]:
        i = int(judged[place])
        print(f"    {log_prob:8.2f}  {emoji.characters[i]}  {emoji.names['en'][i]}")


def _draw(emoji: Emoji, result: CaptionEvaluation, path: Path) -> None:
    """Pictures with what was said of them, where matplotlib is installed."""
    from ..errors import MissingExtraError
    from ..plot import pictures

    judged = np.flatnonzero(emoji.held_out)
    places = _held_out(emoji, DRAWN)
    said = [result.descriptions[place] for place in places]
    right = [text == emoji.names["en"][int(judged[place])] for place, text in zip(places, said, strict=True)]
    try:
        pictures(list(emoji.pictures[judged[places]]), said, path, right=right)
        print(f"\nDrawing   {path}: right descriptions blue, wrong ones orange")
    except MissingExtraError as error:
        say(f"No drawing: {error}")
