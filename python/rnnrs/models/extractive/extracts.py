"""The result of a summary that chooses: sentences of the text, with their scores."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...shown import short_repr


@dataclass(frozen=True)
class ScoredSentence:
    """A sentence of a text.

    Attributes:
        text: the sentence, as it stands in the text.
        begin, end: its place: `text[begin:end]`.
        number: its number among the text's sentences, from 0.
        score: P(the sentence belongs in the summary), 0..1.
        parts: the parts of ln P / (1 − P), which add up to it: "content", "salience" within the text,
            "novelty" beside what was kept before, "position", "length" and the "bias" of all; None unless
            asked for.
    """

    text: str
    begin: int
    end: int
    number: int
    score: float
    parts: Mapping[str, float] | None = None

    __repr__ = short_repr

    def __str__(self) -> str:
        return self.text

    def to_config(self) -> dict[str, Any]:
        """Returns the sentence as JSON types."""
        why = {} if self.parts is None else {"why": dict(self.parts)}
        place = {"number": self.number, "begin": self.begin, "end": self.end}
        return {"text": self.text, **place, "score": self.score, **why}


@dataclass(frozen=True)
class Extract:
    """A summary: sentences of a text, in the text's order. `str` joins them by spaces.

    Attributes:
        source: the text.
        sentences: the sentences that are kept.
    """

    source: str
    sentences: tuple[ScoredSentence, ...]

    __repr__ = short_repr

    def __str__(self) -> str:
        return " ".join(" ".join(sentence.text.split()) for sentence in self.sentences)

    def __iter__(self) -> Iterator[ScoredSentence]:
        return iter(self.sentences)

    def __len__(self) -> int:
        return len(self.sentences)

    def to_html(self, title: str = "Summary") -> str:
        """Returns a page with the whole text, in which the kept sentences are marked.

        The stronger the color, the higher the score; pointing at a sentence shows score and parts.
        """
        pieces, place = [], 0
        for sentence in self.sentences:
            pieces += [html.escape(self.source[place : sentence.begin]), _marked(sentence)]
            place = sentence.end
        pieces.append(html.escape(self.source[place:]))
        return _PAGE.format(title=html.escape(title), text="".join(pieces))


def _marked(sentence: ScoredSentence) -> str:
    """Returns a kept sentence as HTML."""
    parts = {} if sentence.parts is None else sentence.parts
    why = "".join(f"&#10;{name} {value:+.2f}" for name, value in parts.items())
    opacity = 0.25 + 0.75 * sentence.score
    return (
        f'<mark style="--strength: {opacity:.2f}" title="P {sentence.score:.3f}{why}">'
        f"{html.escape(sentence.text)}</mark>"
    )


_PAGE = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ max-width: 44em; margin: 2em auto; padding: 0 1em; font: 17px/1.6 Georgia, serif; white-space: pre-wrap; }}
mark {{ background: rgba(255, 200, 60, var(--strength)); color: inherit; border-radius: 3px; }}
</style>
</head>
<body dir="auto">{text}</body>
</html>
"""
