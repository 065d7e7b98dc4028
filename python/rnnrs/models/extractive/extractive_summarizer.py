"""Summaries that choose sentences of the text, learned from texts and summaries."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from ... import modelfile
from ...checks import check_size, check_text
from ...metrics.words import Tokenize
from ...modelfile import ModelFile
from ...nn.guarded import reading
from ...text import Vocabulary, WordVocabulary, vocabulary_from_config
from ...train import Callback, Communicator, History
from ...types import Floats
from ..base.answers import answers
from ..base.saved import constructed, sizes_of
from ..base.sums import sigmoid
from ..base.training import TrainedModel, TrainingOptions, TrainingSettings, train
from ..base.validation import chosen, divided, held_out_share, spread
from ..text_to_text.pairs import check_texts
from .batches import DocumentBatch, DocumentBatches
from .choosing import check_length, choose
from .documents import Document, read_document
from .evaluation import ExtractEvaluation, evaluated
from .extracts import Extract, ScoredSentence
from .fitting import ExtractiveTraining, Pairs, labeled, usable, with_labels
from .network import PARTS, ExtractiveNetwork

if TYPE_CHECKING:
    from typing_extensions import Unpack

M = TypeVar("M", bound="ExtractiveSummarizer")

#: The most characters of a text that an example of `fit` shows.
SHOWN = 300


class ExtractiveSummarizer(TrainedModel):
    """Summarizes a text by the sentences that represent it best, in the text's order.

    A recurrent network reads the words of every sentence, a second one the sentences of the text; then each
    sentence is kept or not, by its content, its salience within the text, its novelty beside what was kept
    before it, its place and its length: SummaRuNNer (Nallapati, Zhai and Zhou 2017), with centralities that
    learn the weights of words. See `network` for the equations.

    Args:
        vocabulary: a `text.WordVocabulary`, the most frequent words first; `from_pairs` builds it.
        embedding_size: I, the size of a word's vector.
        hidden_size: H, of each direction of both networks.
        cell: "gru", "lstm" or "rnn".
        dropout: the dropout rate of the vectors of sentences, before and after the second network.
        seed: the seed of the initial weights.
        dtype: float32 or float64.

    Attributes:
        vocabulary: as given.
        network: the `ExtractiveNetwork`.
        parameters, gradients: those of the network.
        settings: the settings of the last `fit`, which the model's file holds; None before the first.

    Raises:
        ValueError, TypeError: for options out of range, or a vocabulary of another kind.
        MemoryError: if the weights do not fit into memory.

    Example:
        >>> from rnnrs.models import ExtractiveSummarizer
        >>> pairs = [(f"It was {day}. The {what} fell. We ate.", f"The {what} fell.")
        ...          for day in ("Monday", "Friday") for what in ("rain", "snow", "leaves")]
        >>> summarizer = ExtractiveSummarizer.from_pairs(pairs, embedding_size=8, hidden_size=8)
        >>> history = summarizer.fit(pairs, epochs=20, progress=False)
        >>> str(summarizer.summarize("It was Friday. The snow fell. We ate.", sentences=1))
        'The snow fell.'
    """

    KIND: ClassVar[str] = "extractive_summarizer"
    TRAINING: ClassVar[type[TrainingSettings]] = ExtractiveTraining
    #: The level of the vocabulary, with the options that differ from the defaults of its `build`.
    LEVELS: ClassVar[dict[str, dict[str, Any]]] = {"word": {"max_size": 20_000, "lowercase": True}}

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        embedding_size: int = 32,
        hidden_size: int = 32,
        cell: str = "gru",
        dropout: float = 0.5,
        seed: int = 0,
        dtype: DTypeLike = "float32",
    ) -> None:
        self.sizes = sizes_of(locals(), "vocabulary")
        op = type(self).__name__
        if not isinstance(vocabulary, WordVocabulary):
            raise TypeError(f"{op}: vocabulary: expected a WordVocabulary, got {type(vocabulary).__name__}")
        self.vocabulary = vocabulary
        self.network = ExtractiveNetwork(len(vocabulary), op=op, **self.sizes)
        self.parameters, self.gradients = self.network.parameters, self.network.gradients

    @classmethod
    def from_pairs(
        cls: type[M], pairs: Pairs, *, vocabulary: dict[str, Any] | None = None, **sizes: Any
    ) -> M:
        """Returns an untrained model with the vocabulary of the texts that it will learn from.

        Args:
            pairs: (text, summary) each.
            vocabulary: options of `WordVocabulary.build`: `max_size` (20,000), `min_count` (2), `lowercase`
                (true).
            sizes: the keyword arguments of the class.

        Raises:
            ValueError: if no pair has text on both sides, or no word is frequent enough; for an option out of
                range.
            TypeError: for a pair that is not two strings, or an unknown argument.
        """
        texts = [text for text, _ in usable(f"{cls.__name__}.from_pairs", pairs)]
        return cls(WordVocabulary.build(texts, **(cls.LEVELS["word"] | (vocabulary or {}))), **sizes)

    @property
    def stochastic(self) -> bool:
        """Whether `loss` uses noise, that is, whether there is dropout."""
        return self.network.stochastic

    def loss(
        self, batch: DocumentBatch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, None]:
        """Returns the mean of −ln P(label) over a batch's sentences, see `ExtractiveNetwork.loss`."""
        return self.network.loss(batch, state, gradient=gradient, noise=noise)

    def fit(
        self,
        pairs: Pairs,
        validation: Pairs | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | str | None = "5m",
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        communicator: Communicator | None = None,
        **training: Unpack[TrainingOptions],
    ) -> History:
        """Trains on texts and summaries; with validation, ends with the parameters of the lowest loss on it.

        The sentences that a summary consists of are found in it, in any order, with or without spaces between
        them. If less than half of its words are in such sentences, it was written freely: then those
        sentences are labels that together resemble it most, by ROUGE. Pairs with an empty side, or no word
        in common, are left out.

        Args:
            pairs: (text, summary), in any order; texts with similar numbers of sentences share a batch.
            validation: held-out pairs, or the share of the pairs to hold out, sampled by the seed.
            callbacks: see `rnnrs.train`.
            checkpoint: a file to resume from, written after every epoch, at the end, and at Ctrl-C, SIGTERM
                and SIGHUP. It can be loaded as a model. An existing file is replaced.
            checkpoint_every: when it is also written: after a number of steps, or a time such as "5m".
            resume: a checkpoint to continue from, of a run with the same pairs and settings; `epochs`,
                `time_limit` and `patience` may change, and count from that run's start.
            progress: whether to show progress on standard error.
            communicator: the processes that train together, such as `mpi4py.MPI.COMM_WORLD`; see `Trainer`.
            training: see below.

        Returns:
            The history of the losses.

        Raises:
            ValueError, TypeError: without usable pairs, for a pair that is not two strings, and for an option
                that is unknown or out of range.
            FormatError: if `resume` is not a checkpoint of such a run.
            NonFiniteError: if the loss or a gradient is NaN or infinite.
            KeyboardInterrupt: at Ctrl-C, after the checkpoint was written; the model can be used.
        """
        op = f"{type(self).__name__}.fit"
        settings: ExtractiveTraining = self.settings_of(training)
        pairs, held_out = self._divided(op, pairs, validation, settings.seed)

        def batches(some: Pairs) -> DocumentBatches:
            found = labeled(op, some, self.vocabulary)
            return DocumentBatches(*found, settings.batch_size, seed=settings.seed)

        return train(
            self,
            batches(pairs),
            None if held_out is None else batches(held_out),
            settings,
            unit="sentences",
            examples=lambda: self._examples(held_out or [], settings.examples),
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
            communicator=communicator,
        )

    def _divided(self, op: str, pairs: Pairs, validation: Any, seed: int) -> tuple[Pairs, Pairs | None]:
        """Returns the pairs for training and those for validation."""
        checked, share = usable(op, pairs), held_out_share(op, validation)
        if share is None:
            return checked, None if validation is None else usable(f"{op}: validation", validation)
        kept, held_out = divided(op, len(checked), share, seed, "pairs")
        return chosen(checked, kept), chosen(checked, held_out) or None

    def _examples(self, held_out: Pairs, count: int) -> list[str]:
        """Returns the lines of `fit(examples=…)`: what is kept of some held-out texts."""
        lines = []
        for place in spread(len(held_out), count):
            text, summary = held_out[place]
            kept = str(self.summarize(text, words=len(summary.split())))
            source, wanted, got = (
                textwrap.shorten(own, SHOWN, placeholder=" …") for own in (text, summary, kept)
            )
            lines += [f"  {source}", f"    wanted  {wanted}", f"    got     {got}"]
        return lines

    @answers
    def summarize(
        self,
        text: str,
        *,
        sentences: int | None = None,
        words: int | None = None,
        share: float | None = None,
        why: bool = False,
    ) -> Extract:
        """Returns the sentences of a text that represent it best, in the text's order, each with its score.

        Args:
            text: a text of any length; of an empty one, nothing is kept.
            sentences: how many to keep; 3 unless another length is given.
            words: instead, the most words that they have together; nothing is kept if every sentence is
                longer.
            share: instead, the share of the sentences to keep, above 0; at least one is kept.
            why: whether each sentence also has the parts of its score.

        Raises:
            TypeError: if the text is not a string, or a length not a number.
            ValueError: for a length that is out of range, or more than one.

        Example:
            >>> for sentence in summarizer.summarize(article, words=60, why=True):  # doctest: +SKIP
            ...     print(f"{sentence.score:.2f}", sentence, sentence.parts)
        """
        op = f"{type(self).__name__}.summarize"
        length = check_length(op, sentences, words, share)
        return self._extracts(op, [check_text(op, "text", text)], *length, why)[0]

    @answers
    def summarize_all(
        self,
        texts: Sequence[str],
        *,
        sentences: int | None = None,
        words: int | None = None,
        share: float | None = None,
        why: bool = False,
    ) -> list[Extract]:
        """Returns the summaries of several texts. The result for a text does not depend on the others.

        Args:
            texts: the texts.
            sentences, words, share, why: see `summarize`; the length of each summary.

        Raises:
            TypeError, ValueError: see `summarize`.
        """
        op = f"{type(self).__name__}.summarize_all"
        length = check_length(op, sentences, words, share)
        return self._extracts(op, check_texts(op, "texts", texts), *length, why)

    @answers
    def scores(self, text: str) -> tuple[ScoredSentence, ...]:
        """Returns all sentences of a text with their scores and the parts of these, in order.

        Raises:
            TypeError: if the text is not a string.
        """
        op = f"{type(self).__name__}.scores"
        document = read_document(check_text(op, "text", text), self.vocabulary)
        parts = self._parts(op, [document])[0]
        return tuple(_scored(document, i, parts[i], True) for i in range(len(document)))

    def _extracts(self, op: str, texts: Sequence[str], unit: str, length: float, why: bool) -> list[Extract]:
        """Returns the summaries of texts, of one length: unit and number, see `choose`."""
        documents = [read_document(text, self.vocabulary) for text in texts]
        found = []
        for document, parts in zip(documents, self._parts(op, documents), strict=True):
            kept = choose(sigmoid(parts.sum(axis=1)), document.words, unit, length)
            found.append(Extract(document.text, tuple(_scored(document, i, parts[i], why) for i in kept)))
        return found

    def _parts(self, op: str, documents: Sequence[Document]) -> list[Floats]:
        """Returns the parts of the scores of each document's sentences (N_b, 6)."""
        places = [i for i, document in enumerate(documents) if len(document)]
        found: list[Floats] = [np.zeros((0, len(PARTS)))] * len(documents)
        for i, parts in zip(places, self.network.scores([documents[i] for i in places]), strict=True):
            if not np.isfinite(parts).all():
                raise ValueError(f"{op}: expected a model with finite scores, got NaN: its training diverged")
            found[i] = parts
        return found

    @reading
    def evaluate(
        self,
        pairs: Pairs,
        *,
        sentences: int | None = None,
        words: int | None = None,
        share: float | None = None,
        tokenize: Tokenize | None = None,
    ) -> ExtractEvaluation:
        """Compares the chosen sentences of texts, and for comparison the first ones, with given summaries.

        Args:
            pairs: (text, summary) each, held out; those with an empty side are left out.
            sentences, words, share: the length, see `summarize`; by default, of each text the number of words
                of its given summary.
            tokenize: the tokenizer of ROUGE, see `metrics.rouge`.

        Raises:
            ValueError, TypeError: without pairs that have text on both sides, or for a pair that is not two
                strings.
        """
        op = f"{type(self).__name__}.evaluate"
        judged = usable(op, pairs)
        given = (sentences, words, share)
        length = None if given == (None, None, None) else check_length(op, *given)
        found = with_labels(judged, self.vocabulary)
        scores = [parts.sum(axis=1) for parts in self._parts(op, found.documents)]
        return evaluated(found, [summary for _, summary in judged], scores, length, tokenize)

    def _contents(self) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary.to_config()}

    @classmethod
    def _restored(cls: type[M], config: dict[str, Any], file: ModelFile, **given: Any) -> M:
        vocabulary = vocabulary_from_config(config.pop("vocabulary"))
        I, H = (check_size("sizes", name, config[name]) for name in ("embedding_size", "hidden_size"))
        modelfile.check_size(len(vocabulary) * I + 2 * H * (I + H), file)
        return constructed(cls, config, vocabulary)


def _scored(document: Document, i: int, parts: Floats, why: bool) -> ScoredSentence:
    """Returns the i-th sentence of a document with its score, and with `why` the parts of it."""
    begin, end = document.spans[i]
    named = dict(zip(PARTS, parts.tolist(), strict=True)) if why else None
    return ScoredSentence(document.text[begin:end], begin, end, i, float(sigmoid(parts.sum())), named)
