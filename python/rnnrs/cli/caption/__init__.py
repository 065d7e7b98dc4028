"""`rnnrs caption`: descriptions of pictures."""

from __future__ import annotations

from ..common import Parser, add_verb, add_verbs
from . import train, verbs
from .files import FORMS, REGION_FORMS

_EVALUATE = (
    FORMS
    + REGION_FORMS
    + """
Prints the share of descriptions that match word for word, how often a description's own picture is the likeliest of
ten, BLEU-1 to 4, ROUGE-L, CIDEr and the perplexity. Of a model of regions: the share of phrases of known boxes that
match, the average precision of the boxes that it finds, and the share of phrases that it finds in the right place.

examples:
  rnnrs caption evaluate album.rnn held-out.tsv --pictures photos
  rnnrs caption evaluate album.rnn held-out.jsonl --fields image text --beam 10 --json
"""
)
_DESCRIBE = """\
Prints a line for each picture: its name, a tab, its description; for a picture on standard input the description
alone. A PICTURE is a file, a folder of pictures, or an array of them (.npy, .npz). Files that cannot be read are named
on standard error, and the others are described. Of a model of regions, a line for each region: the picture's name, x,
y, w and h of its box in pixels of the file, its phrase and its score, separated by tabs.

examples:
  rnnrs caption describe album.rnn photo.jpg
  rnnrs caption describe album.rnn photos/ more/*.png > descriptions.tsv
  rnnrs caption describe album.rnn photo.jpg --plot where.png --n-best 3
  curl -s https://example.org/photo.jpg | rnnrs caption describe album.rnn
  find . -name '*.jpg' | rnnrs caption describe album.rnn --names
  rnnrs caption describe places.rnn photo.jpg --regions=5 --plot regions.png
  rnnrs caption describe places.rnn photo.jpg --box 10 20 64 48 --json
"""
_RANK = """\
Prints a line for each picture, the likeliest first: ln P of the sentence as its description, a tab, its name.
Of a model of regions, also x, y, w and h of the box that it describes best.

examples:
  rnnrs caption rank album.rnn "a dog on a beach" photos/
  rnnrs caption rank album.rnn "red heart" photos/ --n-best 3 --cache photos.npz
"""


def add(group: Parser) -> None:
    """Adds the verbs."""
    found = add_verbs(group)
    summary = "train a captioner on pictures and descriptions"
    add_verb(found, "train", summary, train.EPILOG, train.add, train.run)
    summary = "measure the quality of descriptions"
    add_verb(found, "evaluate", summary, _EVALUATE, verbs.add_evaluate, verbs.evaluate)
    add_verb(
        found,
        "describe",
        "describe pictures",
        _DESCRIBE,
        verbs.add_describe,
        verbs.describe,
        check=verbs.check,
    )
    summary = "rank pictures by how well a sentence describes them"
    add_verb(found, "rank", summary, _RANK, verbs.add_rank, verbs.rank, aliases=["search"])
