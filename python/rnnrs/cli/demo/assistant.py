"""`rnnrs demo assistant`: an assistant for Cambridge's restaurants in about three minutes."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import Any

from ..common import ending, say
from .output import announce, save_curve

#: What the assistant is told of the restaurants besides table and dialogues.
DOMAIN: dict[str, Any] = {
    "noun": "restaurant",
    "said": {
        "pricerange": ["price range", "price", "price ranges"],
        "phone": ["phone number", "phone", "telephone number", "number"],
        "postcode": ["postcode", "post code", "postal code"],
        "food": ["type of food", "kind of food", "food", "cuisine", "type of cuisine", "kind of cuisine"],
        "area": ["area", "part of town", "location", "side of town"],
    },
    "synonyms": {
        "pricerange": {
            "cheap": ["inexpensive", "low cost", "budget"],
            "moderate": [
                "moderately",
                "mid-range",
                "medium",
                "reasonable",
                "reasonably",
                "not too expensive",
            ],
            "expensive": ["upscale", "fancy", "high-end"],
        },
        "area": {"centre": ["center", "downtown"]},
    },
    "phrases": {
        "food": ["{value} food", "serving {value} food"],
        "area": ["in the {value}", "in the {value} of town"],
        "pricerange": ["in the {value} price range", "{value}"],
    },
}

#: A rule of one's own.
RULES = [(r"\b(menu|vegan)\b", "I do not know that. Please call {name}: {phone}.")]

#: The number of generated dialogues that the tracker learns from, too.
GENERATED = 400

#: What is said to it.
_CONVERSATION = (
    "Hello, I am looking for an expensive restaurant in the south",
    "Not expensive, cheap please! Chinese food",
    "What is the phone number, and the postcode?",
    "Do they have a vegan menu?",
    "How about klingon food?",
    "then italian",
    "Thank you, goodbye",
)


def run(arguments: argparse.Namespace, model_path: Path, picture: Path) -> int:
    """Trains, evaluates, talks, saves, and prints what to type next."""
    from ...data import camrest
    from ...models import Assistant

    found = camrest()
    fifth = len(found.dialogues) // 5
    train, test = found.dialogues[: 4 * fifth], found.dialogues[4 * fifth :]
    sizes = {"hidden_size": arguments.hidden_size} if arguments.hidden_size else {}
    domain = DOMAIN | {"values": found.values}
    bot = Assistant.from_dialogues(
        found.table, train, domain=domain, rules=RULES, generated=GENERATED, seed=arguments.seed, **sizes
    )
    print(f"Data      {len(train)} dialogues (CamRest676), a table of {len(found.table)} restaurants")
    print(f"Network   {bot.parameters.size:,} parameters: a tracker of states, a writer of answers")
    announce(arguments.seconds)
    start = time.monotonic()
    try:
        history = bot.fit(train, time_limit=arguments.seconds, seed=arguments.seed, checkpoint=model_path)
    except KeyboardInterrupt as interrupt:
        word, code = ending(interrupt)
        say(f"rnnrs: {word}; try rnnrs chat talk {shlex.quote(str(model_path))}")
        return code
    print(f"After     {time.monotonic() - start:.0f} s, on {len(test)} held-out dialogues:")
    print("    " + str(bot.evaluate(test)).replace("\n", "\n    "))
    print("\nA conversation, with the state after each turn:")
    session = bot.session()
    for text in _CONVERSATION:
        reply = session.say(text)
        known = ", ".join(f"{slot} {value}" for slot, value in reply.state.values.items())
        print(f"    you> {text}\n    bot> {reply}  ({known or 'nothing known'}; {reply.matches} fit)")
    bot.save(model_path)
    print(f"\nSaved     {model_path}")
    save_curve(history, picture)
    path = shlex.quote(str(model_path))
    print(
        f"\nNext, type:\n  rnnrs chat talk {path}\n  rnnrs chat train --table your-table.csv -o your-guide.rnn"
    )
    return 0
