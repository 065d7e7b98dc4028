"""`rnnrs demo`: from nothing to a network that writes, in a minute or two."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import demo_caption, demo_chat, demo_pairs
from .common import CommandError, real, say, whole

if TYPE_CHECKING:
    from ..models import LanguageModel
    from ..train import History

_EXAMPLES = """\
examples:
  rnnrs demo
  rnnrs demo --seconds 300 --hidden 512 -o shakespeare
  rnnrs demo translate           English into French, two minutes
  rnnrs demo summarize           descriptions of programs into one line, two minutes
  rnnrs demo chat                answers to questions, two minutes
  rnnrs demo caption             names of emoji from their pictures, two minutes
"""

#: A larger network would see too little text in a minute, more so on a slow or busy machine; a smaller batch, and so
#: more and noisier steps, pays in so short a time, as does a rate above the usual 2e-3.
HIDDEN, EMBEDDING, BATCH, STEPS, LEARNING_RATE = 256, 64, 32, 50, 5e-3
SECONDS = 60.0

_OPENINGS = ("I will go to the k", "Good morrow, my ", "What is thy n")


def add(commands: Any) -> None:
    """Adds the command to the parser."""
    demo = commands.add_parser(
        "demo",
        help="train on bundled data for a minute or two and see what comes out",
        description="Trains a model on bundled data, judges it, lets it write.",
        epilog=_EXAMPLES,
    )
    demo.set_defaults(run=run)
    demo.add_argument(
        "what",
        nargs="?",
        choices=("shakespeare", "translate", "summarize", "chat", "caption"),
        default="shakespeare",
        help="what is learned (%(default)s)",
    )
    demo.add_argument(
        "--seconds",
        type=real(0, above=True),
        help=f"of training ({SECONDS:g}; the others: {demo_pairs.SECONDS:g})",
    )
    demo.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        default="demo-output",
        help="folder for model and picture (%(default)s)",
    )
    demo.add_argument("--hidden", type=whole(1), metavar="H", help=f"hidden size ({HIDDEN})")
    demo.add_argument(
        "--seed", type=whole(0), metavar="N", default=0, help="of the first weights (%(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains, judges, writes, saves, and says what to type next."""
    pictures = {"shakespeare": "loss", "chat": "chat-loss", "caption": "caption-pictures"}
    picture = pictures.get(arguments.what, f"{arguments.what}-attention")
    paths = _free_paths(Path(arguments.output), arguments.what, picture)
    if arguments.seconds is None:
        arguments.seconds = SECONDS if arguments.what == "shakespeare" else demo_pairs.SECONDS
    runs = {"shakespeare": _shakespeare, "chat": demo_chat.run, "caption": demo_caption.run}
    return runs.get(arguments.what, demo_pairs.run)(arguments, *paths)


def _shakespeare(arguments: argparse.Namespace, model_path: Path, curve_path: Path) -> int:
    from ..models import LanguageModel
    from ..text import split, tiny_shakespeare

    training, held_out, _ = split(tiny_shakespeare())
    model = LanguageModel.from_text(
        training, embedding_size=EMBEDDING, hidden_size=arguments.hidden or HIDDEN, seed=arguments.seed
    )
    print(f"Text      Shakespeare, {len(training):,} characters to learn from, {len(held_out):,} held out")
    print(f"Network   {model.parameters.flat.size:,} parameters: {_shapes(model)}")
    print(f"Before    {model.evaluate(held_out).nats_per_character:.3f} nats per character on held-out text")
    print(
        f"Training  for {arguments.seconds:g} seconds; Ctrl-C stops and keeps what has been learned",
        flush=True,
    )
    start = time.monotonic()
    try:
        history = _train(model, training, arguments, model_path)
    except KeyboardInterrupt:
        say(f"rnnrs: interrupted; try rnnrs lm generate {shlex.quote(str(model_path))}")
        return 130
    seconds = time.monotonic() - start
    after = model.evaluate(held_out)
    print(
        f"After     {after.nats_per_character:.3f} nats per character ({after.bits_per_character:.2f} bits): "
        f"it is left to guess among {after.perplexity:.1f} characters, {len(model.vocabulary)} at the start; "
        f"{seconds:.0f} s"
    )
    _show(model)
    model.save(model_path)
    print(f"\nSaved     {model_path}")
    save_curve(history, curve_path)
    path = shlex.quote(str(model_path))
    print(
        "\nNext, type:\n"
        f'  rnnrs lm generate {path} --prompt "JULIET:" --temperature 0.7\n'
        f'  rnnrs lm suggest {path} "What is thy "\n'
        f"  rnnrs lm train your-text.txt -o your-model.rnn"
    )
    return 0


def _free_paths(folder: Path, model: str, picture: str) -> tuple[Path, Path]:
    """Where model and picture go: what an earlier run left stays.

    Raises:
        CommandError, OSError: if the folder cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise CommandError(f"{folder}: is not a folder")
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        suffix = "" if number == 1 else f"-{number}"
        paths = folder / f"{model}{suffix}.rnn", folder / f"{picture}{suffix}.png"
        if not any(path.exists() for path in paths):
            return paths
        number += 1


def _train(model: LanguageModel, training: str, arguments: argparse.Namespace, checkpoint: Path) -> History:
    """The recipe: truncated BPTT, Adam, a learning rate that falls along a cosine while the time goes by."""
    return model.fit(
        training,
        time_limit=arguments.seconds,
        batch_size=BATCH,
        steps=STEPS,
        learning_rate=LEARNING_RATE,
        clip_norm=1.0,
        seed=arguments.seed,
        checkpoint=checkpoint,
    )


def _shapes(model: LanguageModel) -> str:
    V, I, H = len(model.vocabulary), model.embedding.embedding_size, model.rnn.hidden_size
    return f"{V} characters -> embedding of {I} -> tanh, {H} hidden units -> softmax over {V}"


def _show(model: LanguageModel) -> None:
    """What it writes at three temperatures, and what it suggests."""
    for temperature in (0.5, 0.8, 1.0):
        print(f"\nIt writes, at temperature {temperature}:")
        text = "ROMEO:\n" + model.generate("ROMEO:\n", length=250, temperature=temperature, seed=1)
        print("".join(f"    {line}\n" for line in text.split("\n")), end="")
    print("\nIt suggests, as a phone's keyboard:")
    stepper = model.stepper()
    for opening in _OPENINGS:
        words = ", ".join(f"{s.word} ({s.probability:.0%})" for s in model.suggest(opening, stepper=stepper))
        print(f'    "{opening}"  ->  {words or "nothing"}')


def save_curve(history: History, path: Path) -> None:
    """The loss over the steps as a picture, where matplotlib is installed."""
    from ..errors import MissingExtraError

    try:
        history.plot(path)
        print(f"          {path}")
    except MissingExtraError as error:
        say(f"No picture of the loss: {error}")
