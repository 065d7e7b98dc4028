"""How long a keystroke takes in a long text: `python benches/keystrokes.py [KIND …] [--characters N]`.

A text of N characters (100,000 by default) of Tiny Shakespeare is open in a `TypingSession`. Then 80 characters
are typed at its end and erased again, typed in its middle and erased again, with k = 3 suggestions after each.
Models have H = 256 and are trained for some steps only: what is suggested hardly affects the time. KIND is any of

    char       characters
    subwords   4,000 pieces
    subwords8  8,000 pieces
    words      all words that occur twice

and defaults to all of them. The result is a line of JSON for each: the median and the 95th percentile of a
keystroke, in milliseconds of processor time of one core; how many times as long `LanguageModel.suggest` takes
for the text before the cursor; and the seconds of the first reading.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import rnnrs
from rnnrs.models import LanguageModel
from rnnrs.models.language.typing_session import TypingSession
from rnnrs.text import tiny_shakespeare

KINDS = {
    "char": ("char", {}),
    "subwords": ("subword", {"max_size": 4000}),
    "subwords8": ("subword", {"max_size": 8000}),
    "words": ("word", {}),
}
TYPED = " and the king of England shall have his crown, my lord. What say you to this now?"


def trained(kind: str) -> LanguageModel:
    level, vocabulary = KINDS[kind]
    model = LanguageModel.from_text(tiny_shakespeare(), level=level, vocabulary=vocabulary, hidden_size=256)
    text = tiny_shakespeare()[:100_000]
    model.fit(text, epochs=1, batch_size=8, steps=30, learning_rate=3e-3, progress=False)
    return model


def seconds(act: Callable[[], object]) -> float:
    begin = time.thread_time()
    act()
    return time.thread_time() - begin


def keystrokes(session: TypingSession) -> list[float]:
    """Returns the seconds of each keystroke: typing, and erasing what was typed."""
    edits: list[Callable[[], None]] = [lambda c=c: session.insert(c) for c in TYPED]
    edits += [session.erase] * len(TYPED)
    return [seconds(lambda edit=edit: (edit(), session.suggest())) for edit in edits]


def measure(kind: str, characters: int) -> dict[str, object]:
    model, text = trained(kind), tiny_shakespeare()[:characters]
    stepper = model.stepper()
    session = model.session(text, stepper=stepper)
    found: dict[str, object] = {"kind": kind, "characters": characters}
    found["first reading, s"] = round(seconds(session.suggest), 3)
    for name, place in (("end", characters), ("middle", characters // 2)):
        session.move(place)
        session.suggest()
        times = sorted(keystrokes(session))
        whole = seconds(lambda: model.suggest(session.text[: session.cursor], stepper=stepper))
        found[name] = {
            "median, ms": round(1e3 * median(times), 2),
            "95%, ms": round(1e3 * times[int(0.95 * len(times))], 2),
            "suggest ÷ keystroke": round(whole / median(times)),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="default: all")
    parser.add_argument("--characters", type=int, default=100_000, metavar="N")
    a = parser.parse_args()
    rnnrs.set_num_threads(1)
    for kind in a.kinds or KINDS:
        print(json.dumps(measure(kind, a.characters), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
