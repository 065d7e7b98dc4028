"""Draws docs/speed.png, the picture of the README, from a CSV of `make bench-peers`.

python docs/speed.py benches/results/2026-11-24-024941-peers.csv docs/speed.png
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence

from rnnrs.plot.figure import finish, new_figure

#: The libraries in the order of the bars: their names in the legend and their colors.
LIBRARIES = {
    "torch": ("PyTorch", "#9BB7D4"),
    "jax": ("JAX", "#56B4E9"),
    "numpy": ("NumPy", "#0072B2"),
    "rnnrs": ("rnnrs", "#D55E00"),
}
#: (kind, task) of each row, and its label.
ROWS = {
    ("train", "I=64 H=64 B=32 T=100"): "recurrence\nH = 64, B = 32",
    ("train", "I=256 H=256 B=32 T=100"): "recurrence\nH = 256, B = 32",
    ("train", "I=512 H=512 B=1 T=100"): "recurrence\nH = 512, B = 1",
    ("step", "V=65 E=256 H=512 B=50 T=50"): "language model\n65 characters",
    ("step", "V=33278 E=200 H=200 B=20 T=35"): "language model\n33,278 words",
    ("next", "V=65 E=128 H=256"): "next character\nfrom Python",
}


def read(path: str) -> dict[tuple[str, str, str], float]:
    """Seconds by (kind, task, library)."""
    with open(path, encoding="utf-8", newline="") as file:
        return {
            (row["kind"], row["task"], row["library"]): float(row["seconds"]) for row in csv.DictReader(file)
        }


def draw(seconds: dict[tuple[str, str, str], float], path: str) -> None:
    """Bars of each library's time relative to the time of rnnrs, in groups by row."""
    figure = new_figure(9.2, 3.6)
    axes = figure.subplots()
    width = 0.8 / len(LIBRARIES)
    for place, (library, (name, color)) in enumerate(LIBRARIES.items()):
        ratios = [seconds[(*row, library)] / seconds[(*row, "rnnrs")] for row in ROWS]
        x = [row + (place - (len(LIBRARIES) - 1) / 2) * width for row in range(len(ROWS))]
        bars = axes.bar(x, ratios, 0.92 * width, color=color, label=name)
        axes.bar_label(bars, [f"{ratio:.1f}" for ratio in ratios], fontsize=7, padding=1)
    axes.set_xticks(range(len(ROWS)), list(ROWS.values()), fontsize=8)
    axes.set(ylabel="time relative to rnnrs (log scale)", yscale="log", ylim=(0.8, 20))
    axes.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    axes.minorticks_off()
    axes.set_title(
        "Time of a training step, and of generating a character, on two CPU cores: lower is faster",
        fontsize=10,
    )
    axes.legend(frameon=False, ncols=len(LIBRARIES), fontsize=8, loc="upper center")
    axes.spines[["top", "right"]].set_visible(False)
    finish(figure, path)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    draw(read(arguments[0]), arguments[1])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
