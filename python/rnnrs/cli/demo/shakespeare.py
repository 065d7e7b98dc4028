"""`rnnrs demo`: a language model of Shakespeare's characters, in a minute."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common import ending, say
from .output import announce, save_curve

if TYPE_CHECKING:
    from ...models import LanguageModel

#: Options for so short a training: small batches, and so more and noisier steps, and a high rate. A network
#: larger than the default would see too little text, above all on a slow or busy machine.
TRAINING: dict[str, Any] = {"batch_size": 32, "learning_rate": 5e-3}

_OPENINGS = ("I will go to the k", "Good morrow, my ", "What is thy n")


def run(arguments: argparse.Namespace, model_path: Path, curve_path: Path) -> int:
    """Trains, evaluates, generates, saves, and prints what to type next."""
    from ...models import LanguageModel
    from ...text import split, tiny_shakespeare

    training, held_out, _ = split(tiny_shakespeare())
    sizes = {"hidden_size": arguments.hidden_size} if arguments.hidden_size else {}
    model = LanguageModel.from_text(training, seed=arguments.seed, **sizes)
    print(f"Text      Shakespeare, {len(training):,} characters of training data, {len(held_out):,} held out")
    print(f"Network   {model.parameters.size:,} parameters: {_shapes(model)}")
    print(f"Before    {model.evaluate(held_out).nats_per_character:.3f} nats per character on held-out text")
    announce(arguments.seconds)
    start = time.monotonic()
    try:
        history = model.fit(
            training, time_limit=arguments.seconds, seed=arguments.seed, checkpoint=model_path, **TRAINING
        )
    except KeyboardInterrupt as interrupt:
        word, code = ending(interrupt)
        say(f"rnnrs: {word}; try rnnrs lm generate {shlex.quote(str(model_path))}")
        return code
    seconds = time.monotonic() - start
    after = model.evaluate(held_out)
    print(
        f"After     {after.nats_per_character:.3f} nats per character ({after.bits_per_character:.2f} bits): "
        f"perplexity {after.perplexity:.1f}, {len(model.vocabulary)} before any training; {seconds:.0f} s"
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


def _shapes(model: LanguageModel) -> str:
    V, I, H = len(model.vocabulary), model.embedding.embedding_size, model.rnn.hidden_size
    return f"{V} characters -> embedding of {I} -> tanh, {H} hidden units -> softmax over {V}"


def _show(model: LanguageModel) -> None:
    """Prints generated text at three temperatures, and suggestions."""
    for temperature in (0.5, 0.8, 1.0):
        print(f"\nIt writes, at temperature {temperature}:")
        text = "ROMEO:\n" + model.generate("ROMEO:\n", length=250, temperature=temperature, seed=1)
        print("".join(f"    {line}\n" for line in text.split("\n")), end="")
    print("\nIt suggests, as a phone's keyboard:")
    stepper = model.stepper()
    for opening in _OPENINGS:
        words = ", ".join(f"{s.word} ({s.probability:.0%})" for s in model.suggest(opening, stepper=stepper))
        print(f'    "{opening}"  ->  {words or "nothing"}')
