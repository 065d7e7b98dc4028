"""The model of a chatbot: P(answer | context), learned from dialogues."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from ..._rnnrs import Decoder
from ...checks import check_size, check_text
from ...data import PairBatch
from ...data.dialogues import Dialogue, check_dialogues
from ...decoding import Constraints, Hypothesis, beam_search
from ...nn.guarded import reading
from ...text import Vocabulary, build_vocabulary
from ...text.build import check_level
from ...train import Callback, Communicator, History
from ...types import Floats
from ..base.training import TrainedModel, TrainingSettings, train
from ..base.validation import chosen, divided, held_out_share, spread
from ..text_to_text.seq2seq import Seq2Seq, check_arguments
from ..text_to_text.steps import Seq2SeqSteps
from ..writer.evaluation import PairEvaluation
from ..writer.examples import example_lines
from .contexts import answer_text, answered_contexts, check_turns, context_text, sampled, training_pairs
from .fitting import ChatbotTraining, ChatbotTrainingOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

M = TypeVar("M", bound="DialogueModel")

#: K of the beam search, and the maximum number of tokens of an answer.
BEAM, LONGEST = 4, 300

#: The number of consecutive tokens that never occur twice in an answer. This prevents loops; people's answers
#: hardly ever contain such repetitions.
REPEATED = 10


class _ContextSeq2Seq(Seq2Seq):
    """The encoder–decoder of a chatbot, from contexts to answers."""


# Errors name the class. This one is internal, so they name the class that the user called.
_ContextSeq2Seq.__name__ = "Chatbot"


class DialogueModel(TrainedModel):
    """P(answer | the last turns), learned from dialogues. `Chatbot` documents the arguments.

    Attributes:
        kept: dialogues of the last `fit`, which the model's file holds, see `ChatbotTraining.kept`.
    """

    TRAINING: ClassVar[type[TrainingSettings]] = ChatbotTraining
    #: The levels of the vocabulary, with the options that differ from the defaults of its `build`.
    LEVELS: ClassVar[dict[str, dict[str, Any]]] = {
        "word": {"min_count": 1},
        "char": {},
        "token": {"min_count": 1},
    }
    #: The defaults that differ from those of `Seq2Seq`.
    DEFAULTS: ClassVar[dict[str, Any]] = {"embedding_size": 128, "hidden_size": 256, "dropout": 0.1}

    def __init__(
        self,
        source_vocabulary: Vocabulary,
        target_vocabulary: Vocabulary | None = None,
        *,
        history: int = 3,
        max_length: int = LONGEST,
        **sizes: Any,
    ) -> None:
        op = type(self).__name__
        check_arguments(op, sizes)
        self.history = check_size(op, "history", history)
        self.max_length = check_size(op, "max_length", max_length)
        self.seq2seq: Seq2Seq = _ContextSeq2Seq(
            source_vocabulary, target_vocabulary, **(self.DEFAULTS | sizes)
        )
        self.parameters, self.gradients = self.seq2seq.parameters, self.seq2seq.gradients
        self.sizes = self.seq2seq.sizes
        self.kept: list[list[str]] = []

    @classmethod
    def from_dialogues(
        cls: type[M],
        dialogues: Sequence[Dialogue],
        *,
        history: int = 3,
        level: str = "word",
        vocabulary: dict[str, Any] | None = None,
        **sizes: Any,
    ) -> M:
        """Returns an untrained chatbot with the vocabularies of dialogues.

        Its answers will be no longer than the longest answer of the dialogues.

        Args:
            dialogues: lists of turns, the first of each the person's, the second the assistant's, and so on.
            history: the number of turns that are read.
            level: "word", "char", or "token" for turns that come in tokens separated by white space.
            vocabulary: options of the vocabularies: `min_count` (1 by default), `max_size`, `lowercase`; see
                `text.build_vocabulary`. With `lowercase`, answers are also learned in lower case, and their
                sentences are capitalized when they are written. With `copy`, the person's names and words can
                then be copied.
            sizes: the keyword arguments of the class.

        Raises:
            ValueError, TypeError: for dialogues that are not lists of turns; for an unknown level or option,
                or one out of range.
        """
        op = f"{cls.__name__}.from_dialogues"
        check_size(op, "history", history)
        check_level(op, level, cls.LEVELS)
        pairs = answered_contexts(check_dialogues(op, dialogues), history, tokens=level == "token")
        options = cls.LEVELS[level] | (vocabulary or {})
        # Contexts of words are in lower case anyway.
        reading = {k: value for k, value in options.items() if k != "lowercase" or level == "token"}
        sources = build_vocabulary(level, [context for context, _ in pairs], reading, op=op)
        targets = build_vocabulary(level, [answer for _, answer in pairs], options, op=op)
        longest = max(len(targets.pieces(answer)) for _, answer in pairs)
        return cls(sources, targets, history=history, **({"max_length": min(longest, LONGEST)} | sizes))

    @property
    def source_vocabulary(self) -> Vocabulary:
        """The vocabulary of the contexts."""
        return self.seq2seq.source_vocabulary

    @property
    def target_vocabulary(self) -> Vocabulary:
        """The vocabulary of the answers."""
        return self.seq2seq.target_vocabulary

    @property
    def stochastic(self) -> bool:
        """Whether `loss` uses noise, that is, whether there is dropout."""
        return self.seq2seq.stochastic

    def loss(
        self, batch: PairBatch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, None]:
        """Returns the loss of a batch, see `Seq2Seq.loss`."""
        return self.seq2seq.loss(batch, state, gradient=gradient, noise=noise)

    def fit(
        self,
        dialogues: Sequence[Dialogue],
        validation: Sequence[Dialogue] | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | str | None = "5m",
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        communicator: Communicator | None = None,
        **training: Unpack[ChatbotTrainingOptions],
    ) -> History:
        """Trains on the assistant's turns.

        With validation, training ends with the parameters of the lowest validation loss.

        Args:
            dialogues: lists of turns, the first of each the person's, the second the assistant's, and so on.
            validation: held-out dialogues, which get no noise, or the share of the dialogues to hold out,
                sampled by the seed.
            callbacks: see `rnnrs.train`.
            checkpoint, checkpoint_every, resume, progress, communicator: see `Seq2Seq.fit`.
            training: see below.

        Returns:
            The history of the losses.

        Raises:
            ValueError, TypeError: for dialogues that are not lists of turns, and for an option that is
                unknown or out of range.
            FormatError, NonFiniteError, KeyboardInterrupt: see `Seq2Seq.fit`.
        """
        op = f"{type(self).__name__}.fit"
        settings: ChatbotTraining = self.settings_of(training)
        share = held_out_share(op, validation)
        if share is not None:
            checked = check_dialogues(op, dialogues)
            kept, out = divided(op, len(checked), share, settings.seed, "dialogues")
            dialogues, validation = chosen(checked, kept), chosen(checked, out) or None
        pairs = training_pairs(self._pairs(op, dialogues), settings.noise, settings.forget, settings.seed)
        held_out = None if validation is None else self._pairs(f"{op}: validation", validation)
        batches = self.seq2seq.encoding.batches
        size, seed = settings.batch_size, settings.seed
        self.kept = sampled(dialogues, settings.kept, seed)
        return train(
            self,
            batches(op, pairs, size, seed),
            None if held_out is None else batches(op, held_out, size, seed),
            settings,
            perplexity=True,
            examples=lambda: self._examples(held_out or [], settings.examples),
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
            communicator=communicator,
        )

    def _examples(self, held_out: list[tuple[str, str]], count: int) -> list[str]:
        """Returns the lines of `fit(examples=…)`: answers to some held-out contexts, by greedy decoding."""
        lines = []
        for place in spread(len(held_out), count):
            context, wanted = held_out[place]
            steps, ((best, *_),) = self.search([context], beam=1)
            lines += example_lines(context, wanted, steps.text(best.tokens, 0))
        return lines

    def pairs(self, dialogues: Sequence[Dialogue]) -> list[tuple[str, str]]:
        """Returns (context, answer) for each of the assistant's turns, as the network reads and writes them.

        Raises:
            ValueError, TypeError: for dialogues that are not lists of turns.
        """
        return self._pairs(f"{type(self).__name__}.pairs", dialogues)

    def _pairs(self, op: str, dialogues: Any) -> list[tuple[str, str]]:
        dialogues = check_dialogues(op, dialogues)
        return answered_contexts(dialogues, self.history, tokens=self._reads_tokens)

    @property
    def _reads_tokens(self) -> bool:
        """Whether turns are taken as the tokens that they consist of."""
        return self.source_vocabulary.level == "token"

    def _context(self, turns: Sequence[str]) -> str:
        """Returns the last turns as the network reads them."""
        return context_text(turns, self.history, tokens=self._reads_tokens)

    @reading
    def evaluate(self, dialogues: Sequence[Dialogue]) -> PairEvaluation:
        """Computes the likelihood of the assistant's turns.

        Raises:
            ValueError, TypeError: for dialogues that are not lists of turns.
        """
        return self.seq2seq.evaluate(self._pairs(f"{type(self).__name__}.evaluate", dialogues))

    @reading
    def log_prob(self, conversation: str | Sequence[str], answer: str) -> float:
        """Returns ln P of an answer to a text, or to a conversation whose last turn is the person's.

        Raises:
            TypeError: for a conversation that is not a string or a list of strings; for an answer that is not
                a string.
            ValueError: for a conversation without turns.
        """
        op = f"{type(self).__name__}.log_prob"
        turns = check_turns(op, "conversation", conversation)
        return float(self._log_probs([(turns, check_text(op, "answer", answer))])[0])

    @reading
    def log_probs(self, answered: Sequence[tuple[str | Sequence[str], str]]) -> Floats:
        """Returns `log_prob` of several pairs (conversation, answer) (N,).

        Raises:
            TypeError, ValueError: see `log_prob`; without pairs.
        """
        op = f"{type(self).__name__}.log_probs"
        pairs = []
        for i, pair in enumerate(answered):
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise TypeError(f"{op}: answered[{i}]: expected (conversation, answer), got {pair!r}")
            turns = check_turns(op, f"answered[{i}]", pair[0])
            pairs.append((turns, check_text(op, f"answered[{i}]", pair[1])))
        if not pairs:
            raise ValueError(f"{op}: answered: expected at least one, got none")
        return self._log_probs(pairs)

    def _log_probs(self, answered: Sequence[tuple[list[str], str]]) -> Floats:
        """Returns ln P of answers to conversations, both checked (N,)."""
        pairs = [(self._context(turns), answer_text(answer)) for turns, answer in answered]
        return self.seq2seq.log_probs(pairs)

    @reading
    def decoder(self) -> Decoder:
        """Packs the decoder's weights, for several calls in turn."""
        return self.seq2seq.decoder()

    @reading
    def search(
        self,
        sources: Sequence[str],
        *,
        beam: int = BEAM,
        n_best: int | None = None,
        decoder: Decoder | None = None,
    ) -> tuple[Seq2SeqSteps, list[list[Hypothesis]]]:
        """Searches for the answers to contexts by beam search.

        Args:
            sources: contexts, as `contexts.context_text` returns them.
            beam: K.
            n_best: the number of answers to each context; by default K.
            decoder: a result of `decoder()`, to save packing the weights again.

        Returns:
            The decoder after its last step, and the hypotheses for each context, the best first.

        Raises:
            ValueError, TypeError: without contexts, or for one that is not a string; for a number out of
                range.
        """
        return self._search(f"{type(self).__name__}.search", sources, beam, n_best, decoder)

    def _search(
        self, op: str, sources: Sequence[str], beam: int, n_best: int | None, decoder: Decoder | None
    ) -> tuple[Seq2SeqSteps, list[list[Hypothesis]]]:
        n_best = beam if n_best is None else n_best
        seq2seq = self.seq2seq
        steps = Seq2SeqSteps(seq2seq.network, seq2seq.encoding, sources, decoder or self.decoder(), op)
        constraints = Constraints(
            max_length=self.max_length,
            no_repeat_ngram=REPEATED,
            forbidden=[self.target_vocabulary.unknown_id],
        )
        start = np.full(len(steps.sources), steps.end_id)
        found = beam_search(
            steps, start, steps.end_id, beam=beam, n_best=n_best, constraints=constraints, op=op
        )
        return steps, found
