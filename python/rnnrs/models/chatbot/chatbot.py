"""A chatbot: an encoder–decoder that reads the last turns of a conversation and writes the next."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..._rnnrs import Decoder
from ...checks import check_size
from ...data.dialogue_acts import DialogueAct
from ...data.dialogues import Dialogue, check_dialogues
from ...decoding import Constraints, Hypothesis, beam_search
from ...modelfile import ModelFile
from ...text import Vocabulary, WordVocabulary, capitalize
from ...train import BestParameters, Callback
from ..text_to_text.seq2seq import PairEvaluation, Seq2Seq
from ..text_to_text.steps import Seq2SeqSteps
from .acts import BEAM as BEAM_OF_ACTS
from .acts import Utterance, speak
from .contexts import answered_contexts, context_text, training_pairs
from .replies import Conversation, Ranked, Reply, choose_canned, confidence, own_turns, without_repetition
from .threshold import Threshold, find_threshold, judged_replies

if TYPE_CHECKING:
    from ...train import History

#: What is said where the model's own answer is too unlikely.
CANNED = (
    "Sorry, I did not understand that.",
    "Could you say that in other words?",
    "I am not sure what to say to that.",
)

#: Contexts that are answered side by side; K of beam search; the longest answer in tokens.
BATCH, BEAM, LONGEST = 64, 4, 300

#: No so many tokens in a row twice in an answer: it cannot go round in circles, and people hardly ever do so.
REPEATED = 10


class Chatbot(Seq2Seq):
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
        options: see `Seq2Seq`.

    Attributes:
        history, canned, threshold, max_length: as given; all but the first may be set at any time.

    Raises:
        ValueError, TypeError: for settings out of their range.
    """

    KIND: ClassVar[str] = "chatbot"

    def __init__(
        self,
        source_vocabulary: Vocabulary,
        target_vocabulary: Vocabulary | None = None,
        *,
        history: int = 3,
        canned: Sequence[str] = CANNED,
        threshold: float = 0.0,
        max_length: int = LONGEST,
        **options: Any,
    ) -> None:
        self.max_length = check_size("Chatbot", "max_length", max_length)
        self.history = check_size("Chatbot", "history", history)
        if isinstance(canned, str) or not all(isinstance(text, str) for text in canned):
            raise TypeError(f"Chatbot: canned: expected several strings, got {canned!r}")
        self.canned = list(canned)
        if not 0 <= threshold <= 1:
            raise ValueError(f"Chatbot: threshold: expected 0 to 1, got {threshold}")
        self.threshold = float(threshold)
        super().__init__(source_vocabulary, target_vocabulary, **options)

    @classmethod
    def from_dialogues(
        cls,
        dialogues: Sequence[Dialogue],
        *,
        history: int = 3,
        min_count: int = 1,
        lowercase: bool = False,
        **options: Any,
    ) -> Chatbot:
        """A chatbot that knows the words of some dialogues; not trained yet. Its answers are no longer than theirs.

        Args:
            dialogues: lists of turns, the first of each the person's, the second the assistant's, and so on.
            history: how many turns are read.
            min_count: rarer words are unknown.
            lowercase: whether answers, too, are learned in lower case; their sentences are written with capitals where
                they begin. With `copy` names and words that the person used can then be taken over.
            options: see the class.

        Raises:
            ValueError, TypeError: for what are no dialogues, or options out of their range.
        """
        check_size("Chatbot", "history", history)
        pairs = answered_contexts(check_dialogues("Chatbot", dialogues), history)
        sources = WordVocabulary.build([context for context, _ in pairs], min_count=min_count)
        targets = WordVocabulary.build(
            [answer for _, answer in pairs], min_count=min_count, lowercase=lowercase
        )
        longest = max(len(targets.pieces(answer)) for _, answer in pairs)
        return cls(sources, targets, history=history, **({"max_length": min(longest, LONGEST)} | options))

    def fit(  # type: ignore[override]
        self,
        dialogues: Sequence[Dialogue],
        validation: Sequence[Dialogue] | None = None,
        *,
        noise: float = 0.1,
        forget: float = 0.1,
        seed: int = 0,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        **settings: Any,
    ) -> History:
        """Trains on every answer of the assistant's in dialogues; with `validation` ends with the best by it.

        Args:
            dialogues: lists of turns, the first of each the person's, the second the assistant's, and so on.
            validation: to measure the loss on after every epoch, without noise.
            noise: in a second copy of each context, the share of words that are missing or unknown (half of each). 0
                with `forget` 0: no second copy.
            forget: the share of these copies whose context is empty, from which `rank` learns how likely answers are by
                themselves.
            seed: of noise and shuffling.
            callbacks: see `Seq2Seq.fit`.
            checkpoint: see `TextToText.fit`.
            settings: the others of `Seq2Seq.fit`.

        Raises:
            ValueError, TypeError: for what are no dialogues, or settings out of their range.
            NonFiniteError, KeyboardInterrupt: see `Seq2Seq.fit`.
        """
        for name, share in (("noise", noise), ("forget", forget)):
            if not 0 <= share < 1:
                raise ValueError(f"fit: {name}: expected a share from 0, below 1, got {share}")
        pairs = training_pairs(self.pairs(dialogues), noise, forget, seed)
        held_out = None if validation is None else self.pairs(validation)
        best = BestParameters(None if checkpoint is None else f"{os.fspath(checkpoint)}.best")
        watching: list[Callback] = [best, *callbacks]
        history = super().fit(
            pairs, held_out, seed=seed, callbacks=watching, checkpoint=checkpoint, **settings
        )
        best.restore(self)
        return history

    def pairs(self, dialogues: Sequence[Dialogue]) -> list[tuple[str, str]]:
        """(context, answer) of every answer of the assistant's, as the network reads and writes them.

        Raises:
            ValueError, TypeError: for what are no dialogues.
        """
        return answered_contexts(check_dialogues("Chatbot", dialogues), self.history)

    def evaluate(self, dialogues: Sequence[Dialogue]) -> PairEvaluation:
        """How well the assistant's turns are predicted.

        Raises:
            ValueError, TypeError: for what are no dialogues.
        """
        return super().evaluate(self.pairs(dialogues))

    def reply(self, history: str | Sequence[str]) -> Reply:
        """The answer to a text, or to a conversation whose last turn is the person's.

        Raises:
            TypeError: for what is neither.
            ValueError: for a conversation without turns.
        """
        return self.replies([history])[0]

    def replies(
        self, histories: Sequence[str | Sequence[str]], *, decoder: Decoder | None = None
    ) -> list[Reply]:
        """The same of many conversations side by side. What one gets does not depend on the others.

        Args:
            histories: texts or conversations.
            decoder: from `decoder()`, to save packing the weights again.

        Raises:
            TypeError, ValueError: see `reply`.
        """
        own = self.own_replies(histories, decoder=decoder)
        return [self._or_canned(history, reply) for history, reply in zip(histories, own, strict=True)]

    def own_replies(
        self, histories: Sequence[str | Sequence[str]], *, decoder: Decoder | None = None
    ) -> list[Reply]:
        """The model's own answers, whatever their confidence; see `replies`."""
        checked = [self._turns(i, history) for i, history in enumerate(histories)]
        decoder = decoder or self.decoder()
        found: list[Reply] = []
        for first in range(0, len(checked), BATCH):
            batch = checked[first : first + BATCH]
            steps, hypotheses = self.search([context_text(t, self.history) for t in batch], decoder=decoder)
            for b, (turns, best) in enumerate(zip(batch, hypotheses, strict=True)):
                texts = [self._readable(steps.text(one.tokens, b)) for one in best]
                place = without_repetition(texts, own_turns(turns))
                found.append(Reply(texts[place], confidence(best[place])))
        return found

    def search(
        self,
        sources: Sequence[str],
        *,
        beam: int = BEAM,
        n_best: int | None = None,
        decoder: Decoder | None = None,
    ) -> tuple[Seq2SeqSteps, list[list[Hypothesis]]]:
        """What may follow on contexts as the network reads them, by beam search; the best first."""
        steps = self.step_model(sources, decoder=decoder)
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

    def _turns(self, place: int, history: str | Sequence[str]) -> list[str]:
        turns = [history] if isinstance(history, str) else history
        if not isinstance(turns, Sequence) or not all(isinstance(turn, str) for turn in turns):
            raise TypeError(f"Chatbot.reply: history[{place}]: expected a text or turns, got {history!r}")
        if not turns:
            raise ValueError(f"Chatbot.reply: history[{place}]: expected at least one turn, got none")
        return list(turns)

    def _or_canned(self, history: str | Sequence[str], reply: Reply) -> Reply:
        """The reply, or a canned answer where it is too unlikely."""
        if not self.canned or reply.confidence >= self.threshold:
            return reply
        said = [] if isinstance(history, str) else own_turns(history)
        return replace(reply, text=choose_canned(self.canned, said), canned=True)

    def conversation(self) -> Conversation:
        """A conversation, nothing said yet."""
        return Conversation(self)

    def rank(
        self, history: str | Sequence[str], candidates: Sequence[str], *, prior: float = 1.0
    ) -> list[Ranked]:
        """Given answers, the best first.

        score = (ln P(answer | context) − λ ln P(answer)) / tokens, with P(answer) that after an empty context: with
        λ > 0 an answer does not win by being common (Li et al. 2016, "A Diversity-Promoting Objective Function for
        Neural Conversation Models").

        Args:
            history: a text, or a conversation whose last turn is the person's.
            candidates: the answers.
            prior: λ, 0..1. A model that was trained without `forget` has never seen an empty context: 0 then.

        Raises:
            ValueError, TypeError: without candidates, for what is no text, or a λ outside its range.
        """
        if not 0 <= prior <= 1:
            raise ValueError(f"Chatbot.rank: prior: expected 0 to 1, got {prior}")
        if isinstance(candidates, str) or not all(isinstance(answer, str) for answer in candidates):
            raise TypeError(f"Chatbot.rank: candidates: expected several strings, got {candidates!r}")
        context = context_text(self._turns(0, history), self.history)
        pairs = [(context, " ".join(answer.split())) for answer in candidates]
        log_probs = self.log_probs(pairs)
        alone = self.log_probs([("", answer) for _, answer in pairs]) if prior else np.zeros(len(pairs))
        tokens = np.array([len(self.target_vocabulary.encode(answer)) + 1 for _, answer in pairs])
        scores = (log_probs - prior * alone) / tokens
        order = np.argsort(-scores, kind="stable").tolist()
        return [Ranked(candidates[i], float(scores[i]), float(log_probs[i]), i) for i in order]

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
        """The same of many acts."""
        return speak(self, acts, beam)

    def tune_threshold(self, dialogues: Sequence[Dialogue], unanswerable: Iterable[str] = ()) -> Threshold:
        """Sets `threshold` by dialogues that the model was not trained on.

        See `models.chatbot.threshold.find_threshold`.

        Args:
            dialogues: lists of turns.
            unanswerable: texts to which every own answer is wrong.

        Raises:
            ValueError, TypeError: for what are no dialogues.
        """
        found = find_threshold(self, check_dialogues("tune_threshold", dialogues), list(unanswerable))
        self.threshold = found.threshold
        return found

    def right_replies(self, dialogues: Sequence[Dialogue]) -> tuple[int, int]:
        """(in how many contexts the own answer has the words of a recorded one, how many contexts there are).

        By and large: from an F1 of words of 0.5 on, see `models.chatbot.threshold`.

        Raises:
            ValueError, TypeError: for what are no dialogues.
        """
        _, right = judged_replies(self, check_dialogues("right_replies", dialogues))
        return sum(right), len(right)

    def checkpoint_contents(self) -> ModelFile:
        """The model as a file holds it; an encoder–decoder's, and the chatbot's settings."""
        file = super().checkpoint_contents()
        own = {name: getattr(self, name) for name in ("history", "canned", "threshold", "max_length")}
        return replace(file, config=file.config | own)
