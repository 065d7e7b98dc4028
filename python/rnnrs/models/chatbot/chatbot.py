"""A chatbot: it reads the last turns of a conversation and writes the next."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..._rnnrs import Decoder
from ...checks import check_size
from ...data import DialogueAct, PairBatch
from ...data.dialogues import Dialogue, check_dialogues
from ...decoding import Constraints, Hypothesis, beam_search
from ...modelfile import ModelFile
from ...text import Vocabulary, build_vocabulary, capitalize
from ...text.build import check_level
from ...train import Callback, History
from ...types import Floats
from ..base.options import with_sizes
from ..base.training import TrainedModel, TrainingSettings, train
from ..base.validation import chosen, divided, held_out_share, spread
from ..text_to_text.seq2seq import Seq2Seq
from ..text_to_text.steps import Seq2SeqSteps
from ..writer.evaluation import PairEvaluation
from .acts import BEAM as BEAM_OF_ACTS
from .acts import Utterance, best_sentence
from .contexts import answered_contexts, context_text, training_pairs
from .fitting import ChatbotTraining, ChatbotTrainingOptions
from .replies import (
    Conversation,
    Ranked,
    Reply,
    choose_canned,
    confidence,
    own_turns,
    without_repetition,
)
from .threshold import Threshold, best_threshold, recorded_answers, right_answers

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: The answers that replace one of the model's own that is too unlikely.
CANNED = (
    "Sorry, I did not understand that.",
    "Could you say that in other words?",
    "I am not sure what to say to that.",
)

#: Contexts that are answered side by side, acts too; K of beam search; the longest answer in tokens.
BATCH, ACTS, BEAM, LONGEST = 64, 32, 4, 300

#: The number of tokens in a row that do not occur twice in an answer: it cannot run in circles, and people's hardly do.
REPEATED = 10


class Chatbot(TrainedModel):
    """P(answer | the last turns): learns from dialogues, answers in them, ranks given answers.

    Of what it reads case, punctuation and English articles are dropped; the last `history` turns stand one after the
    other, separated by the token that ends a text. In training each context comes a second time with noise — some words
    gone or unknown — so that a question need not be typed as in the training data. Nothing is looked up: an answer is
    always written word by word.

    Args:
        source_vocabulary: of contexts, as `models.chatbot.contexts.normalize` writes them.
        target_vocabulary: of answers; None: the same.
        history: how many turns are read, at least 1; the person's last one is among them.
        canned: what is said where the own answer's confidence is below `threshold`.
        threshold: 0..1, see `Reply.confidence`; 0: the own answer always.
        max_length: the most tokens of an answer.
        sizes: the other arguments of `Seq2Seq`.

    Attributes:
        seq2seq: the encoder–decoder, from contexts to answers.
        history, canned, threshold, max_length: as given; all but the first may be set at any time.
        parameters, gradients: of the network.

    Raises:
        ValueError, TypeError: for settings out of their range.
    """

    KIND: ClassVar[str] = "chatbot"
    TRAINING: ClassVar[type[TrainingSettings]] = ChatbotTraining
    #: The levels of the vocabulary, and the options that differ from those of its `build`.
    LEVELS: ClassVar[dict[str, dict[str, Any]]] = {"word": {"min_count": 1}, "char": {}}
    #: The defaults that differ from `Seq2Seq`'s.
    DEFAULTS: ClassVar[dict[str, Any]] = {"embedding_size": 128, "hidden_size": 256, "dropout": 0.1}

    def __init__(
        self,
        source_vocabulary: Vocabulary,
        target_vocabulary: Vocabulary | None = None,
        *,
        history: int = 3,
        canned: Sequence[str] = CANNED,
        threshold: float = 0.0,
        max_length: int = LONGEST,
        **sizes: Any,
    ) -> None:
        op = type(self).__name__
        self.max_length = check_size(op, "max_length", max_length)
        self.history = check_size(op, "history", history)
        if isinstance(canned, str) or not all(isinstance(text, str) for text in canned):
            raise TypeError(f"{op}: canned: expected several strings, got {canned!r}")
        self.canned = list(canned)
        if not 0 <= threshold <= 1:
            raise ValueError(f"{op}: threshold: expected 0 to 1, got {threshold}")
        self.threshold = float(threshold)
        self.seq2seq = Seq2Seq(source_vocabulary, target_vocabulary, **(self.DEFAULTS | sizes))
        self.parameters, self.gradients = self.seq2seq.parameters, self.seq2seq.gradients
        self.sizes = self.seq2seq.sizes

    @classmethod
    def from_dialogues(
        cls,
        dialogues: Sequence[Dialogue],
        *,
        history: int = 3,
        level: str = "word",
        vocabulary: dict[str, Any] | None = None,
        **sizes: Any,
    ) -> Chatbot:
        """A chatbot that knows the words of some dialogues; not trained yet. Its answers are no longer than theirs.

        Args:
            dialogues: lists of turns, the first of each the person's, the second the assistant's, and so on.
            history: how many turns are read.
            level: "word" or "char".
            vocabulary: options of the vocabularies: `min_count` (1 by default), `max_size`, `lowercase`; see
                `text.build_vocabulary`. With `lowercase`, answers are learned in lower case, too, and their sentences
                are written with capital first letters; with `copy`, the person's names and words can then be copied.
            sizes: the arguments of the class.

        Raises:
            ValueError, TypeError: for dialogues that are not lists of turns, an unknown level or option, or one out of
                its range.
        """
        op = f"{cls.__name__}.from_dialogues"
        check_size(op, "history", history)
        check_level(op, level, cls.LEVELS)
        pairs = answered_contexts(check_dialogues(op, dialogues), history)
        options = cls.LEVELS[level] | (vocabulary or {})
        # Contexts are in lower case already.
        reading = {name: value for name, value in options.items() if name != "lowercase"}
        sources = build_vocabulary(level, [context for context, _ in pairs], reading, op=op)
        targets = build_vocabulary(level, [answer for _, answer in pairs], options, op=op)
        longest = max(len(targets.pieces(answer)) for _, answer in pairs)
        return cls(sources, targets, history=history, **({"max_length": min(longest, LONGEST)} | sizes))

    @property
    def source_vocabulary(self) -> Vocabulary:
        """Of contexts."""
        return self.seq2seq.source_vocabulary

    @property
    def target_vocabulary(self) -> Vocabulary:
        """Of answers."""
        return self.seq2seq.target_vocabulary

    @property
    def stochastic(self) -> bool:
        """Whether `loss` takes noise, that is, whether there is any dropout."""
        return self.seq2seq.stochastic

    def loss(
        self, batch: PairBatch, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, None]:
        """See `Seq2Seq.loss`."""
        return self.seq2seq.loss(batch, state, gradient=gradient, noise=noise)

    def fit(
        self,
        dialogues: Sequence[Dialogue],
        validation: Sequence[Dialogue] | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        **training: Unpack[ChatbotTrainingOptions],
    ) -> History:
        """Trains on the assistant's answers; with validation, ends with the parameters of the lowest validation loss.

        Args:
            dialogues: lists of turns; the first of each is the person's, the second the assistant's, and so on.
            validation: held-out dialogues, to which no noise is added, or the share of the dialogues to hold out,
                drawn by the seed.
            callbacks: see `rnnrs.train`.
            checkpoint, checkpoint_every, resume, progress: see `Seq2Seq.fit`.
            training: see below.

        Returns:
            The history of the losses.

        Raises:
            ValueError, TypeError: for dialogues that are not lists of turns, an unknown option or one out of its range.
            FormatError, NonFiniteError, KeyboardInterrupt: see `Seq2Seq.fit`.
        """
        op = f"{type(self).__name__}.fit"
        settings: ChatbotTraining = self.settings_of(training)
        share = held_out_share(op, validation)
        if share is not None:
            checked = check_dialogues(op, dialogues)
            kept, out = divided(op, len(checked), share, settings.seed, "dialogues")
            dialogues, validation = chosen(checked, kept), chosen(checked, out) or None
        pairs = training_pairs(self.pairs(dialogues), settings.noise, settings.forget, settings.seed)
        held_out = self.pairs(validation) if isinstance(validation, Sequence) else None
        batches = self.seq2seq.encoding.batches
        size, seed = settings.batch_size, settings.seed
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
        )

    def _examples(self, held_out: list[tuple[str, str]], count: int) -> list[str]:
        lines = []
        for place in spread(len(held_out), count):
            context, wanted = held_out[place]
            steps, ((best, *_),) = self.search([context], beam=1)
            lines += [f"  {context}", f"    wanted  {wanted}", f"    got     {steps.text(best.tokens, 0)}"]
        return lines

    def pairs(self, dialogues: Sequence[Dialogue]) -> list[tuple[str, str]]:
        """(context, answer) of every answer of the assistant's, as the network reads and writes them.

        Raises:
            ValueError, TypeError: for what are no dialogues.
        """
        return answered_contexts(check_dialogues(type(self).__name__, dialogues), self.history)

    def evaluate(self, dialogues: Sequence[Dialogue]) -> PairEvaluation:
        """How well the assistant's turns are predicted.

        Raises:
            ValueError, TypeError: for what are no dialogues.
        """
        return self.seq2seq.evaluate(self.pairs(dialogues))

    def reply(self, conversation: str | Sequence[str], *, canned: bool = True) -> Reply:
        """The answer to a text, or to a conversation whose last turn is the person's.

        Args:
            conversation: a text, or the turns.
            canned: whether a canned answer replaces the model's own where its confidence is below `threshold`.

        Raises:
            TypeError: for a conversation that is not a string or a list of strings.
            ValueError: for a conversation without turns.
        """
        return self.reply_all([conversation], canned=canned)[0]

    def reply_all(
        self,
        conversations: Sequence[str | Sequence[str]],
        *,
        canned: bool = True,
        decoder: Decoder | None = None,
    ) -> list[Reply]:
        """`reply` for several conversations, side by side. The answer to one does not depend on the others.

        Args:
            conversations: texts or conversations.
            canned: see `reply`.
            decoder: from `decoder()`, to save packing the weights again.

        Raises:
            TypeError, ValueError: see `reply`.
        """
        checked = [self._turns(i, conversation) for i, conversation in enumerate(conversations)]
        decoder = decoder or self.decoder()
        found: list[Reply] = []
        for first in range(0, len(checked), BATCH):
            batch = checked[first : first + BATCH]
            steps, hypotheses = self.search([context_text(t, self.history) for t in batch], decoder=decoder)
            for b, (turns, best) in enumerate(zip(batch, hypotheses, strict=True)):
                texts = [self._readable(steps.text(one.tokens, b)) for one in best]
                place = without_repetition(texts, own_turns(turns))
                found.append(Reply(texts[place], confidence(best[place])))
        if not canned:
            return found
        return [self._or_canned(turns, reply) for turns, reply in zip(checked, found, strict=True)]

    def decoder(self) -> Decoder:
        """The decoder's weights, packed once, for several calls one after the other."""
        return self.seq2seq.decoder()

    def search(
        self,
        sources: Sequence[str],
        *,
        beam: int = BEAM,
        n_best: int | None = None,
        decoder: Decoder | None = None,
    ) -> tuple[Seq2SeqSteps, list[list[Hypothesis]]]:
        """Beam search for the answers to contexts, as `contexts.context_text` writes them; the best first."""
        steps = self.seq2seq.step_model(sources, decoder=decoder)
        constraints = Constraints(
            max_length=self.max_length,
            no_repeat_ngram=REPEATED,
            forbidden=[self.target_vocabulary.unknown_id],
        )
        start = np.full(len(sources), steps.end_id)
        n_best = beam if n_best is None else n_best
        return steps, beam_search(
            steps, start, steps.end_id, beam=beam, n_best=n_best, constraints=constraints
        )

    def _readable(self, text: str) -> str:
        return capitalize(text) if getattr(self.target_vocabulary, "lowercase", False) else text

    def _turns(self, place: int, conversation: str | Sequence[str]) -> list[str]:
        turns = [conversation] if isinstance(conversation, str) else conversation
        if not isinstance(turns, Sequence) or not all(isinstance(turn, str) for turn in turns):
            raise TypeError(
                f"Chatbot.reply: conversation[{place}]: expected a text or turns, got {conversation!r}"
            )
        if not turns:
            raise ValueError(f"Chatbot.reply: conversation[{place}]: expected at least one turn, got none")
        return list(turns)

    def _or_canned(self, turns: Sequence[str], reply: Reply) -> Reply:
        """The reply, or a canned answer where it is too unlikely."""
        if not self.canned or reply.confidence >= self.threshold:
            return reply
        return replace(reply, text=choose_canned(self.canned, own_turns(turns)), canned=True)

    def conversation(self) -> Conversation:
        """A conversation, nothing said yet."""
        return Conversation(self)

    def rank(
        self, conversation: str | Sequence[str], candidates: Sequence[str], *, prior: float = 1.0
    ) -> list[Ranked]:
        """Given answers, the best first.

        score = (ln P(answer | context) − λ ln P(answer)) / tokens, with P(answer) that after an empty context: with
        λ > 0 an answer does not win by being common (Li et al. 2016, "A Diversity-Promoting Objective Function for
        Neural Conversation Models").

        Args:
            conversation: a text, or a conversation whose last turn is the person's.
            candidates: the answers.
            prior: λ, 0..1. A model that was trained without `forget` has never seen an empty context: 0 then.

        Raises:
            ValueError, TypeError: without candidates, for what is no text, or a λ outside its range.
        """
        if not 0 <= prior <= 1:
            raise ValueError(f"Chatbot.rank: prior: expected 0 to 1, got {prior}")
        if isinstance(candidates, str) or not all(isinstance(answer, str) for answer in candidates):
            raise TypeError(f"Chatbot.rank: candidates: expected several strings, got {candidates!r}")
        context = context_text(self._turns(0, conversation), self.history)
        pairs = [(context, " ".join(answer.split())) for answer in candidates]
        log_probs = self.seq2seq.log_probs(pairs)
        alone = (
            self.seq2seq.log_probs([("", answer) for _, answer in pairs]) if prior else np.zeros(len(pairs))
        )
        tokens = np.array([len(self.target_vocabulary.encode(answer)) + 1 for _, answer in pairs])
        scores = (log_probs - prior * alone) / tokens
        order = np.argsort(-scores, kind="stable").tolist()
        return [Ranked(candidates[i], float(scores[i]), float(log_probs[i]), i) for i in order]

    def log_prob(self, conversation: str | Sequence[str], answer: str) -> float:
        """ln P of an answer to a text, or to a conversation whose last turn is the person's.

        Raises:
            TypeError, ValueError: see `reply`.
        """
        return float(self.log_probs([(conversation, answer)])[0])

    def log_probs(self, answered: Sequence[tuple[str | Sequence[str], str]]) -> Floats:
        """`log_prob` of several (conversation, answer) (N,).

        Raises:
            TypeError, ValueError: see `reply`.
        """
        pairs = [
            (context_text(self._turns(i, conversation), self.history), " ".join(answer.split()))
            for i, (conversation, answer) in enumerate(answered)
        ]
        return self.seq2seq.log_probs(pairs)

    def speak(self, act: str | DialogueAct, *, beam: int = BEAM_OF_ACTS) -> Utterance:
        """A sentence that says a dialogue act, by a model that was trained on such.

        Args:
            act: a `DialogueAct`, or its text.
            beam: K of beam search; of what it finds the sentence with the fewest slot errors is taken.

        Raises:
            FormatError: for what is no act.
            TypeError, ValueError: for what is no text; a beam that is none.
        """
        return self.speak_all([act], beam=beam)[0]

    def speak_all(self, acts: Sequence[str | DialogueAct], *, beam: int = BEAM_OF_ACTS) -> list[Utterance]:
        """`speak` for several acts."""
        parsed = [act if isinstance(act, DialogueAct) else DialogueAct.parse(act) for act in acts]
        found: list[Utterance] = []
        decoder = self.decoder()
        for first in range(0, len(parsed), ACTS):
            batch = parsed[first : first + ACTS]
            sources = [context_text([act.source], self.history) for act in batch]
            steps, hypotheses = self.search(sources, beam=beam, decoder=decoder)
            for b, (act, own) in enumerate(zip(batch, hypotheses, strict=True)):
                tokens = self.target_vocabulary.tokens + steps.lacking[b]
                templates = [tuple(tokens[i] for i in one.tokens) for one in own]
                found.append(best_sentence(act, templates, [one.log_prob for one in own]))
        return found

    def tune_threshold(self, dialogues: Sequence[Dialogue], unanswerable: Iterable[str] = ()) -> Threshold:
        """Sets `threshold` by dialogues that the model was not trained on.

        It is the confidence for which most decisions are right: right answers given, wrong ones not.

        Args:
            dialogues: lists of turns.
            unanswerable: texts to which every own answer is wrong.

        Raises:
            ValueError, TypeError: for what are no dialogues.
        """
        confidences, right = self._judged(f"{type(self).__name__}.tune_threshold", dialogues)
        confidences += [reply.confidence for reply in self.reply_all(list(unanswerable), canned=False)]
        right += [False] * (len(confidences) - len(right))
        found = best_threshold(confidences, right)
        self.threshold = found.threshold
        return found

    def right_replies(self, dialogues: Sequence[Dialogue]) -> tuple[int, int]:
        """(in how many contexts the own answer has the words of a recorded one, how many contexts there are).

        By and large: from an F1 of words of 0.5 on, see `models.chatbot.threshold`.

        Raises:
            ValueError, TypeError: for what are no dialogues.
        """
        _, right = self._judged(f"{type(self).__name__}.right_replies", dialogues)
        return sum(right), len(right)

    def _judged(self, op: str, dialogues: Sequence[Dialogue]) -> tuple[list[float], list[bool]]:
        """The confidence of the model's own answer in each context of dialogues, and whether it is right."""
        conversations, recorded = recorded_answers(check_dialogues(op, dialogues), self.history)
        replies = self.reply_all(conversations, canned=False)
        right = right_answers([reply.text for reply in replies], recorded)
        return [reply.confidence for reply in replies], right

    def _contents(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("history", "canned", "threshold", "max_length")}
        return self.seq2seq._contents() | own

    @classmethod
    def _restored(cls, config: dict[str, Any], file: ModelFile, **given: Any) -> Chatbot:
        own = {name: config.pop(name) for name in ("history", "canned", "threshold", "max_length")}
        seq2seq = Seq2Seq._restored(config, file)
        target = None if seq2seq.shared else seq2seq.target_vocabulary
        return cls(seq2seq.source_vocabulary, target, **own, **config)


Chatbot.__signature__ = with_sizes(Chatbot, Seq2Seq, Chatbot.DEFAULTS)  # type: ignore[attr-defined]
