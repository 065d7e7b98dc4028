"""One small training by each command, with its files."""

import numpy as np

TEXT = "".join(f"the {a} sees a {b}.\n" for a in ("cat", "dog", "bird") for b in ("man", "king", "horse")) * 2
WORDS = [line.rstrip(".") for line in TEXT.splitlines()]
OPTIONS = ["--hidden-size", "6", "--batch-size", "4", "--epochs", "2", "--quiet", "--schedule", "constant"]

#: Command → (its file, the text of the file, further options).
TRAININGS = {
    "lm": ("text.txt", TEXT, ["--embedding-size", "4", "--steps", "8"]),
    "classify": (
        "rows.csv",
        "text,kind\n" + "".join(f"{w},{len(w) % 2}\n" for w in WORDS),
        ["--text", "text"],
    ),
    "forecast": (
        "series.csv",
        "value\n" + "".join(f"{n * n % 7}\n" for n in range(60)),
        ["--horizon", "2", "--steps", "3"],
    ),
    "translate": ("pairs.tsv", "".join(f"{w}\t{w.upper()}\n" for w in WORDS), ["--min-count", "1"]),
    "summarize": ("texts.tsv", "".join(f"{w} and so on\t{w}\n" for w in WORDS), ["--min-count", "1"]),
    "chat": ("talks.tsv", "".join(f"{w}?\tyes, {w}.\n" for w in WORDS), ["--min-count", "1"]),
    "caption": ("lines.txt", "".join(f"{w}\n" for w in WORDS), ["--min-count", "1", "--channels", "4"]),
}


def training(folder, command, *more):
    """Writes the files of a training, and returns its command line without `-o`."""
    name, text, options = TRAININGS[command]
    path = folder / name
    if not path.exists():
        path.write_text(text)
    if command == "caption":
        pictures = folder / "pictures.npy"
        if not pictures.exists():
            np.save(pictures, np.random.default_rng(0).integers(0, 256, (len(WORDS), 8, 8, 3), np.uint8))
        options = [*options, "--pictures", str(pictures), "--picture-size", "8", "8"]
    return [command, "train", str(path), *OPTIONS, *options, *more]
