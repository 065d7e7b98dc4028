"""`rnnrs demo`: trains on bundled data and shows the result, in a minute or two."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from ..common import Parser, real, whole
from .output import free_paths

_EXAMPLES = """\
examples:
  rnnrs demo
  rnnrs demo --seconds 300 --hidden-size 512 -o shakespeare
  rnnrs demo translate           English into French, two minutes
  rnnrs demo summarize           descriptions of programs in one line, two minutes
  rnnrs demo extract             what each program is, from a catalog, less than a minute
  rnnrs demo chat                answers to questions, two minutes
  rnnrs demo assistant           finds restaurants in a table, three minutes
  rnnrs demo caption             names of emoji from their pictures, and in scenes, three minutes
"""


class Demo(NamedTuple):
    """One of the demos.

    Attributes:
        module: of this package; its `run` trains, evaluates and shows.
        picture: the name of the picture that it draws, or of the page that it writes.
        seconds: the time of training by default.
    """

    module: str
    picture: str
    seconds: float


#: The demos by name.
DEMOS = {
    "shakespeare": Demo("shakespeare", "loss.png", 60),
    "translate": Demo("pairs", "translate-attention.png", 100),
    "summarize": Demo("pairs", "summarize-attention.png", 100),
    "extract": Demo("extract", "extract-marked.html", 40),
    "chat": Demo("chat", "chat-loss.png", 100),
    "assistant": Demo("assistant", "assistant-loss.png", 150),
    "caption": Demo("caption", "caption-pictures.png", 160),
}


def add(demo: Parser) -> None:
    """Adds the arguments."""
    demo.description = "Trains a model on bundled data, evaluates it and shows its results."
    demo.epilog = _EXAMPLES
    demo.set_defaults(run=run)
    demo.add_argument(
        "what",
        nargs="?",
        choices=tuple(DEMOS),
        default="shakespeare",
        help="the demo (%(default)s)",
    )
    times = ", ".join(f"{name}: {one.seconds:g}" for name, one in DEMOS.items())
    demo.add_argument("--seconds", type=real(0, above=True), help=f"time of training ({times})")
    demo.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        default="demo-output",
        help="folder for model and picture (%(default)s)",
    )
    demo.add_argument(
        "--hidden-size", "--hidden", type=whole(1), metavar="H", help="size of the hidden state (the demo's)"
    )
    demo.add_argument(
        "--seed",
        type=whole(0),
        metavar="N",
        default=0,
        help="of the initial weights and the training (%(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs a demo, with files that do not exist yet."""
    demo = DEMOS[arguments.what]
    if arguments.seconds is None:
        arguments.seconds = demo.seconds
    with free_paths(Path(arguments.output), arguments.what, demo.picture) as paths:
        code: int = import_module(f".{demo.module}", __name__).run(arguments, *paths)
    return code
