"""Training of a language model: its options, the batches of a text, and the loss that is minimized."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ...data import Corpus, Data, SentenceBatches, StreamBatches
from ...data.corpus import CorpusPart
from ...losses import NCE, SampledSoftmax
from ...nn import Linear
from ...text import Vocabulary
from ...text.sentences import look_like_sentences
from ..base.options import choice, option, whole
from ..base.training import TrainingOptions, TrainingSettings
from ..base.validation import divided, held_out_count
from .corpora import SHUFFLE_BLOCK, AnyText, hold_out_part, part_of
from .network import LanguageNetwork
from .objective import OBJECTIVES, sampled_criterion


class LanguageTrainingOptions(TrainingOptions, total=False):
    """The options of `LanguageModel.fit`, see `LanguageTraining`."""

    steps: int
    by_sentence: bool | None
    loss: str
    samples: int
    shuffle_block: int | None


def _flag(op: str, name: str, value: Any) -> bool | None:
    if value not in (None, True, False):
        raise TypeError(f"{op}: {name}: expected True, False or None, got {value!r}")
    return None if value is None else bool(value)


@dataclass(frozen=True)
class LanguageTraining(TrainingSettings):
    """The options of `LanguageModel.fit`."""

    batch_size: int = 50
    steps: int = option(
        50, "T, the number of tokens after which BPTT is truncated; no effect by sentence", whole(1)
    )
    by_sentence: bool | None = option(
        None,
        "True: every line is a separate sequence that starts from h_0 = 0; False: the text is one stream, cut "
        "into `batch_size` parallel streams that carry their state over; None: by sentence for words or subwords "
        "if the lines look like sentences",
        _flag,
    )
    loss: str = option(
        "full",
        'the loss that is minimized: "full", the cross-entropy over the vocabulary; for a large vocabulary also an '
        'estimate over sampled words, "sampled" (`losses.SampledSoftmax`) or "nce" (`losses.NCE`), with the words\' '
        "frequencies to the power of ¾ as the proposal. The validation loss is always the cross-entropy",
        choice(OBJECTIVES),
    )
    samples: int = option(
        1024, "the number of words that a sampled loss samples at each step, with replacement", whole(1)
    )
    shuffle_block: int | None = option(
        None,
        "by sentence, the number of sentences that are shuffled together; None: all of a text in memory, "
        f"{SHUFFLE_BLOCK:,} of a corpus on disk",
        whole(1, none=True),
    )


def reads_by_sentence(level: str, text: AnyText, by_sentence: bool | None) -> bool:
    """Returns whether every line of a text is a separate sequence.

    Args:
        level: the level of the vocabulary.
        text: the text.
        by_sentence: the option of `fit`; None: words and subwords are by sentence if lines look like one.
    """
    if by_sentence is not None:
        return by_sentence
    if level == "char":
        return False
    if isinstance(text, str):
        return look_like_sentences(text.split("\n"))
    return (text if isinstance(text, Corpus) else text.corpus).sentence_like


def hold_out(
    op: str, text: str | CorpusPart, share: float, by_sentence: bool, seed: int
) -> tuple[str | CorpusPart, str | CorpusPart | None]:
    """Divides a text. By sentence, random lines are held out; of a stream, the last part.

    Returns:
        (the text to train on, the held-out text or, if the share is 0, None).

    Raises:
        ValueError: if no text is left to train on.
    """
    if not share:
        return text, None
    if not isinstance(text, str):
        return hold_out_part(op, text, share, seed)
    if by_sentence:
        lines = [line for line in text.split("\n") if line.strip()]
        kept, held_out = divided(op, len(lines), share, seed, "lines")
        return "\n".join(lines[i] for i in kept), "\n".join(lines[i] for i in held_out)
    cut = len(text) - held_out_count(op, len(text), share, "characters")
    cut = text.rfind("\n", cut // 2, cut) + 1 or cut  # at the end of a line, if one is near
    if not text[cut:].strip() or not text[:cut].strip():
        raise ValueError(
            f"{op}: validation: expected a longer text to hold out a share of it, got {len(text)} characters"
        )
    return text[:cut], text[cut:]


def make_batches(
    op: str, argument: str, vocabulary: Vocabulary, text: str | CorpusPart, settings: LanguageTraining
) -> Data:
    """Returns a text as batches of sentences or of a stream, depending on `settings.by_sentence`.

    Args:
        op, argument: the names of the call and of the text, for error messages.
        vocabulary: the vocabulary.
        text: the text, or a part of a corpus of that kind.
        settings: the settings of the run.

    Raises:
        ValueError: for a text without sentences, or a stream of fewer than two tokens.
    """
    source: Any = text
    if settings.by_sentence:
        if isinstance(text, str):
            source = [vocabulary.encode(line) for line in text.split("\n") if line.strip()]
        if not len(source):
            raise ValueError(f"{op}: {argument}: expected at least one sentence, got none")
        return SentenceBatches(
            source,
            settings.batch_size,
            vocabulary.end_id,
            settings.seed,
            shuffle_block=settings.shuffle_block,
        )
    if isinstance(text, str):
        source = vocabulary.encode(text)
    if len(source) < 2:
        raise ValueError(f"{op}: {argument}: expected at least 2 tokens, got {len(source)}")
    fits = max(1, (len(source) - 1) // (2 * settings.steps))  # at least two windows in each stream
    return StreamBatches(source, min(settings.batch_size, fits), settings.steps)


def settled(
    op: str, vocabulary: Vocabulary, text: AnyText, settings: LanguageTraining
) -> tuple[str | CorpusPart, LanguageTraining]:
    """Returns a text as it will be read, and the settings with what depends on it: sentences or a stream.

    Raises:
        ValueError: for a corpus with another vocabulary.
    """
    by_sentence = reads_by_sentence(vocabulary.level, text, settings.by_sentence)
    settings = replace(settings, by_sentence=by_sentence)
    if isinstance(text, str):
        return text, settings
    if by_sentence and settings.shuffle_block is None:
        settings = replace(settings, shuffle_block=SHUFFLE_BLOCK)
    return part_of(op, "text", text, vocabulary, by_sentence), settings


@contextmanager
def minimizing(
    op: str, network: LanguageNetwork, data: Data, settings: LanguageTraining
) -> Iterator[SampledSoftmax | NCE | None]:
    """A context in which the network's objective is `settings.loss`; yields it if it is a sampled loss.

    Raises:
        ValueError: for a sampled loss of a network with an adaptive softmax.
    """
    if settings.loss == "full":
        yield None
        return
    if not isinstance(network.output, Linear):
        raise ValueError(f"{op}: loss: expected 'full' for an adaptive softmax, got {settings.loss!r}")
    V = len(network.vocabulary)
    criterion = sampled_criterion(settings.loss, settings.samples, data, V, settings.seed)
    network.objective = criterion
    try:
        yield criterion
    finally:
        network.objective = network.cross_entropy
