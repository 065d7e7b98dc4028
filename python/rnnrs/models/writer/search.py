"""What a model writes for texts: beam search over many of them, and the words that come out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..._rnnrs import Decoder
from ...data import clean_text
from ...decoding import Constraints, Hypothesis, beam_search
from ...text import Vocabulary
from ...types import Array
from ..text_to_text.steps import Seq2SeqSteps
from .steps import DecoderSteps

if TYPE_CHECKING:
    from ..text_to_text.text_to_text import TextToText


#: The most texts side by side, and the most places of their table (S, B): what bounds the memory that writing takes.
SIDE_BY_SIDE, PLACES = 64, 16_384


@dataclass(frozen=True)
class Search:
    """How to look for what to write, see `decoding.beam_search`.

    Attributes:
        beam: K; 1 is greedy decoding.
        n_best: how many are wanted for each text.
        length_penalty, coverage_penalty: α and β.
        max_length: the most tokens to write; None: as the application's `longest` says.
        no_repeat_ngram: n: no n tokens in a row are written twice; 0: they may be.
    """

    beam: int = 5
    n_best: int = 1
    length_penalty: float = 0.6
    coverage_penalty: float = 0.0
    max_length: int | None = None
    no_repeat_ngram: int = 0


@dataclass(frozen=True, eq=False)
class Written:
    """A text that a model wrote.

    Attributes:
        text: as one reads it.
        score, log_prob: see `decoding.Hypothesis`.
        source: the S words, or other tokens, that were read, the end among them; of pictures none.
        words: the n that were written.
        attention: α (n, S), of what was read at each word, for `plot.attention`; None without attention.
        cut: whether the text was longer than what is read, see `TextToText.MAX_SOURCE`.
    """

    text: str
    score: float
    log_prob: float
    source: tuple[str, ...]
    words: tuple[str, ...]
    attention: Array | None
    cut: bool


def write(
    model: TextToText, sources: Sequence[str], search: Search, decoder: Decoder | None
) -> list[list[Written]]:
    """For each text what the model writes, the best first; for one without words the empty text."""
    op = f"{type(model).__name__}.write"
    if isinstance(sources, (str, bytes)):
        raise TypeError(f"{op}: sources: expected several strings, got {sources!r}")
    texts = [_prepared(op, model, i, text) for i, text in enumerate(sources)]
    found = [[Written("", 0.0, 0.0, (), (), None, prepared.cut)] for prepared in texts]
    decoder = decoder or model.decoder()
    for members in _groups([prepared.length for prepared in texts]):
        steps = model.step_model([texts[i].text for i in members], decoder=decoder)
        for b, (i, hypotheses) in enumerate(zip(members, _search(model, steps, search), strict=True)):
            found[i] = [_written(model, steps, b, h, texts[i]) for h in hypotheses]
    return found


class _Prepared(NamedTuple):
    """A text as it is read, of how many tokens, and whether that is not all of it."""

    text: str
    length: int
    cut: bool


def _prepared(op: str, model: TextToText, i: int, text: Any) -> _Prepared:
    if not isinstance(text, str):
        raise TypeError(f"{op}: sources[{i}]: expected a string, got {type(text).__name__}")
    text, vocabulary, most = clean_text(text), model.source_vocabulary, model.MAX_SOURCE
    ids = vocabulary.encode(text)
    if len(ids) <= most:
        return _Prepared(text, len(ids), False)
    if vocabulary.level == "subword":
        text = vocabulary.decode(ids[:most])
    else:
        text = vocabulary.join(vocabulary.pieces(text)[:most])
    return _Prepared(text, len(vocabulary.encode(text)), True)


def _groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Texts of like lengths, by number; those without tokens are left out."""
    group: list[int] = []
    for i in sorted((i for i, length in enumerate(lengths) if length), key=lambda i: lengths[i]):
        if group and (len(group) == SIDE_BY_SIDE or (len(group) + 1) * (lengths[i] + 1) > PLACES):
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def _search(model: TextToText, steps: Seq2SeqSteps, search: Search) -> list[list[Hypothesis]]:
    longest = [model.longest(int(length) - 1) for length in steps.lengths]
    unknown = [] if _says_unknown(model) else [model.target_vocabulary.unknown_id]
    return search_steps(steps, search, longest, unknown, steps.lengths)


def search_steps(
    steps: DecoderSteps,
    search: Search,
    longest: list[int] | int,
    forbidden: Sequence[int],
    source_lengths: Array | None = None,
) -> list[list[Hypothesis]]:
    """What a search finds for each source.

    Args:
        steps: before their first step.
        search: how to look.
        longest: the most tokens, of all sources or of each, where the search does not say.
        forbidden: ids that are not to be written.
        source_lengths: see `decoding.beam_search`.
    """
    constraints = Constraints(
        max_length=longest if search.max_length is None else search.max_length,
        min_length=1,
        no_repeat_ngram=search.no_repeat_ngram,
        forbidden=np.array(forbidden, np.int64),
    )
    return beam_search(
        steps,
        np.full(len(steps.sources), steps.end_id),
        steps.end_id,
        beam=search.beam,
        n_best=search.n_best,
        length_penalty=search.length_penalty,
        coverage_penalty=search.coverage_penalty,
        constraints=constraints,
        source_lengths=source_lengths,
    )


def _says_unknown(model: TextToText) -> bool:
    """Whether an unknown word may be written: for it stands the word of the source that was looked at most."""
    return (
        model.target_vocabulary.level == "word"
        and model.network.attention is not None
        and not model.network.copy
    )


def _written(
    model: TextToText, steps: Seq2SeqSteps, b: int, found: Hypothesis, prepared: _Prepared
) -> Written:
    text = prepared.text
    source = _words(model.source_vocabulary, text)
    alpha, vocabulary = found.attention, model.target_vocabulary
    ids = found.tokens.tolist()
    words = [steps.text([id], b) if vocabulary.level == "subword" else _word(steps, b, id) for id in ids]
    written = vocabulary.decode(ids) if vocabulary.level == "subword" else None
    if alpha is not None and _says_unknown(model):
        looked = alpha[:, : len(source)].argmax(axis=1) if len(ids) else []
        words = [
            source[place] if id == vocabulary.unknown_id else word
            for id, word, place in zip(ids, words, looked, strict=True)
        ]
    written = model.readable(vocabulary.join(words) if written is None else written, text)
    read = (*source, model.source_vocabulary.tokens[model.source_vocabulary.end_id])
    return Written(written, found.score, found.log_prob, read, tuple(words), alpha, prepared.cut)


def _word(steps: Seq2SeqSteps, b: int, id: int) -> str:
    """A token as its vocabulary has it, or as the source has it."""
    tokens = steps.vocabulary.tokens
    return tokens[id] if id < len(tokens) else steps.lacking[b][id - len(tokens)]


def _words(vocabulary: Vocabulary, text: str) -> list[str]:
    """A text's tokens as one reads them."""
    if vocabulary.level == "subword":
        return [vocabulary.decode([id]) for id in vocabulary.encode(text)]
    return vocabulary.pieces(text)
