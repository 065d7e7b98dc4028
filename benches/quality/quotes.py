"""Finds units that track quotes in a network trained on Shakespeare with every speech in quotation marks.

    python benches/quality/quotes.py [--seconds 60] [--hidden 256] [--seed 0] [--output FOLDER]

The bundled text has no quotation marks, so the script encloses each speech in a pair. Nothing else tells the
network whether a mark opens or closes. Units are chosen on one half of the held-out text and evaluated on the
other. After Karpathy, Johnson and Fei-Fei (2015), who found such units in LSTMs.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from rnnrs import inspection, plot
from rnnrs.models import LanguageModel
from rnnrs.text import split, tiny_shakespeare

#: A speaker's name and the speech up to the next empty line.
SPEECH = re.compile(r"^([A-Z][^\n:]*:)\n((?:.+\n?)+)", re.M)


def with_quotes(text: str) -> str:
    """Returns the text with every speech in quotation marks."""
    return SPEECH.sub(lambda speech: f'{speech[1]}\n"{speech[2].rstrip()}"\n', text)


def chosen(seen: inspection.TextStates, other: inspection.TextStates) -> dict[int, str]:
    """Returns the unit that follows each signal best, with a label; prints its correlations on both texts.

    No unit is chosen twice.
    """
    best: dict[int, str] = {}
    print("| signal | unit | correlation | on the other half |\n|---|---|---|---|")
    for name in ("quotes", "word", "line", "capitals"):
        found = next(found for found in seen.following(name, 20) if found.unit not in best)
        again = other.correlations(name)[found.unit]
        best[found.unit] = f"{name}: unit {found.unit}, r = {again:+.2f}"
        print(f"| {name} | {found.unit} | {found.correlation:+.2f} | {again:+.2f} |")
    return best


def main() -> None:
    """Trains the network, finds the units, and draws them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="folder for the model and the figures")
    arguments = parser.parse_args()
    training, held_out, test = map(with_quotes, split(tiny_shakespeare()))
    model = LanguageModel.from_text(training, hidden_size=arguments.hidden, seed=arguments.seed)
    model.fit(training, time_limit=arguments.seconds, batch_size=32, learning_rate=5e-3)
    print(f"{model.evaluate(test).nats_per_character:.3f} nats per character on the test text\n")
    seen, other = inspection.text_states(model, held_out), inspection.text_states(model, test)
    best = chosen(seen, other)
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        model.save(arguments.output / "quotes.rnn")
        other = other["".join(other.tokens).index("\n\n") + 2 :]  # from the beginning of a speech
        path, title = (
            arguments.output / "units.png",
            "Units, and what they follow (↵ is a line end, · a space)",
        )
        plot.states(other[:320], list(best), path, labels=list(best.values()), title=title)
        unit = next(iter(best))
        title = f"Unit {unit} over a text that the network was not trained on (↵ is a line end, · a space)"
        plot.colored_text(other[:560], unit, arguments.output / "quotes.png", title=title)
        (arguments.output / "quotes.html").write_text(inspection.to_html(other[:2000], unit), "utf-8")


if __name__ == "__main__":
    main()
