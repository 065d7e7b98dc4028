"""Training of a language model: batches of the text, as a stream or by sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...data import Data, SentenceBatches, StreamBatches
from ...nn import Linear
from ...text import Vocabulary
from ...train import History
from ..base.options import choice, option, whole
from ..base.training import Lines, TrainingOptions, TrainingSettings, train
from ..base.validation import divided, held_out_count, spread
from .network import LanguageNetwork
from .objective import OBJECTIVES, SampleCounter, sampled_criterion


class LanguageTrainingOptions(TrainingOptions, total=False):
    """The options of `LanguageModel.fit`, see `LanguageTraining`."""

    steps: int
    by_sentence: bool | None
    loss: str
    samples: int


def _flag(op: str, name: str, value: Any) -> bool | None:
    if value not in (None, True, False):
        raise TypeError(f"{op}: {name}: expected True, False or None, got {value!r}")
    return None if value is None else bool(value)


@dataclass(frozen=True)
class LanguageTraining(TrainingSettings):
    """The options of `LanguageModel.fit`."""

    batch_size: int = 50
    steps: int = option(
        50, "T, the tokens after which BPTT is truncated; without effect by sentence", whole(1)
    )
    by_sentence: bool | None = option(
        None,
        "True: every line is a sequence of its own that starts from h_0 = 0; False: the text is one stream, cut into "
        "`batch_size` parallel ones whose state is carried over; None: by sentence for words or subwords where "
        "lines look like sentences",
        _flag,
    )
    loss: str = option(
        "full",
        'the loss that is minimized: "full", the cross-entropy over the vocabulary; or, for a large one, an estimate '
        'over a sample of its words, "sampled" (`losses.SampledSoftmax`) or "nce" (`losses.NCE`), with the words\' '
        "frequencies to the power of ¾ as the proposal. The validation loss is always the cross-entropy",
        choice(OBJECTIVES),
    )
    samples: int = option(1024, "words that a sampled loss draws at each step, with replacement", whole(1))


def lines_are_sentences(text: str) -> bool:
    """Whether nearly every line (at least 4 of 5) is short (at most 60 words) and ends as a sentence does."""
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    ends = sum(line.rstrip("\"'”’»)")[-1:] in tuple(".!?…。！？") and line.count(" ") < 60 for line in lines)
    return ends >= 0.8 * len(lines)


def reads_by_sentence(level: str, text: str, by_sentence: bool | None) -> bool:
    """Whether every line of a text is a sequence of its own, as the option says or the text looks."""
    if by_sentence is not None:
        return by_sentence
    return level != "char" and lines_are_sentences(text)


def hold_out(op: str, text: str, share: float, by_sentence: bool, seed: int) -> tuple[str, str | None]:
    """Divides a text: of sentences, lines drawn by the seed are held out; of a stream, its last part.

    Returns:
        (the text to train on, the held-out text; None where the share is 0).

    Raises:
        ValueError: if nothing were left to train on.
    """
    if not share:
        return text, None
    if by_sentence:
        lines = [line for line in text.split("\n") if line.strip()]
        kept, held_out = divided(op, len(lines), share, seed, "lines")
        return "\n".join(lines[i] for i in kept), "\n".join(lines[i] for i in held_out)
    cut = len(text) - held_out_count(op, len(text), share, "characters")
    cut = text.rfind("\n", cut // 2, cut) + 1 or cut  # a whole line, if a line ends nearby
    if not text[cut:].strip() or not text[:cut].strip():
        raise ValueError(
            f"{op}: validation: expected a text of which a share can be held out, got {len(text)} characters"
        )
    return text[:cut], text[cut:]


def make_batches(op: str, vocabulary: Vocabulary, text: str, settings: LanguageTraining) -> Data:
    """A text as batches of sentences or of a stream, as `settings.by_sentence` says.

    Raises:
        ValueError: for a text without tokens, or a stream of fewer than two.
    """
    if settings.by_sentence:
        sentences = [vocabulary.encode(line) for line in text.split("\n") if line.strip()]
        return SentenceBatches(sentences, settings.batch_size, vocabulary.end_id, settings.seed)
    ids = vocabulary.encode(text)
    if len(ids) < 2:
        raise ValueError(f"{op}: text: expected at least 2 tokens, got {len(ids)}")
    fits = max(1, (len(ids) - 1) // (2 * settings.steps))  # at least two windows for each stream
    return StreamBatches(ids, min(settings.batch_size, fits), settings.steps)


def fit_language_model(
    model: Any, text: str, validation: str | None, settings: LanguageTraining, lines: Lines | None, **run: Any
) -> History:
    """See `LanguageModel.fit`; `run` holds the arguments of `train`."""
    op = f"{type(model).__name__}.fit"
    network: LanguageNetwork = model
    data = make_batches(op, network.vocabulary, text, settings)
    held_out = make_batches(op, network.vocabulary, validation, settings) if validation else None
    network.by_sentence = bool(settings.by_sentence)
    run |= {"perplexity": True, "examples": lines}
    if settings.loss == "full":
        return train(model, data, held_out, settings, **run)
    if not isinstance(network.output, Linear):
        raise ValueError(f"{op}: loss: expected 'full' for an adaptive softmax, got {settings.loss!r}")
    size = len(network.vocabulary)
    criterion = sampled_criterion(settings.loss, settings.samples, data, size, settings.seed)
    run["callbacks"] = [*run["callbacks"], SampleCounter(criterion)]
    network.objective = criterion
    try:
        return train(model, data, held_out, settings, loss_name=criterion.name, **run)
    finally:
        network.objective = network.cross_entropy


def settled(network: LanguageNetwork, text: str, settings: LanguageTraining) -> LanguageTraining:
    """The settings with `by_sentence` decided."""
    level = network.vocabulary.level
    return replace(settings, by_sentence=reads_by_sentence(level, text, settings.by_sentence))


def example_lines(held_out: str, count: int) -> list[tuple[str, str]]:
    """(the first half, the second half) of some lines of a held-out text, by words."""
    lines = [line for line in held_out.split("\n") if line.strip()]
    found = []
    for place in spread(len(lines), count):
        words = lines[place].split(" ")
        half = len(words) // 2
        found.append((" ".join(words[:half]), " ".join(words[half:])))
    return found
