"""A chatbot: answers in conversations, ranks given answers, and puts dialogue acts into sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ..._rnnrs import Decoder
from ...checks import check_number, check_repeatable
from ...data import DialogueAct
from ...data.dialogues import Dialogue, check_dialogues
from ...decoding import Hypothesis
from ...errors import FormatError
from ...modelfile import ModelFile
from ...nn.guarded import reading
from ...text import Vocabulary, capitalize
from ..base.answers import answers
from ..base.options import with_sizes
from ..base.saved import constructed
from ..text_to_text.pairs import check_texts
from ..text_to_text.seq2seq import Seq2Seq, restored_vocabularies
from .acts import BEAM as BEAM_OF_ACTS
from .acts import Utterance, best_sentence
from .contexts import answer_text, check_turns
from .dialogue_model import LONGEST
from .memory import USER
from .replies import (
    Conversation,
    Ranked,
    Reply,
    choose_canned,
    confidence,
    own_turns,
    without_repetition,
)
from .teaching import TeachableModel
from .threshold import Threshold, best_threshold, recorded_answers, right_answers

#: The answers that replace the model's own if its confidence is too low.
CANNED = (
    "Sorry, I did not understand that.",
    "Could you say that in other words?",
    "I am not sure what to say to that.",
)

#: The numbers of contexts and of acts that are decoded together.
BATCH, ACTS = 64, 32


class Chatbot(TeachableModel):
    """P(answer | the last turns): learns from dialogues, answers in conversations, and ranks given answers.

    A context consists of the last `history` turns, separated by the token that ends a text, without case,
    punctuation and English articles. In training, each context occurs a second time with noise (some words
    are missing or unknown), so a question need not be typed as in the training data. Answers are written word
    by word, except those that were taught (`teach`): they come from memory until `learn`, and after it.

    Args:
        source_vocabulary: the vocabulary of the contexts, in the form that `contexts.normalize` returns.
        target_vocabulary: the vocabulary of the answers; None: the same.
        history: the number of turns that are read, at least 1; the person's last turn is one of them.
        canned: the answers that replace the model's own if its confidence is below `threshold`.
        threshold: 0..1, see `Reply.confidence`; 0: always the model's own answer.
        max_length: the maximum number of tokens of an answer.
        sizes: the other arguments of `Seq2Seq`.

    Attributes:
        seq2seq: the encoder–decoder, from contexts to answers.
        history, canned, threshold, max_length: as given; all but the first may be set at any time.
        memory: the log of what was taught, and what of it is in force. `load` and `save` bind it to the file
            beside the model's.
        teachers: the names of the users who are believed when they teach; "*" for everyone.
        kept: dialogues of the last `fit`, which the model's file holds: `learn` rehearses them, and a
            question that is nearer to one of them is not answered from memory.
        parameters, gradients: those of the network.
        settings: the settings of the last `fit`, which the model's file holds; None before the first.

    Raises:
        ValueError, TypeError: for arguments out of range.

    Example:
        >>> from rnnrs.models import Chatbot
        >>> dialogues = [["Are you a robot?", "Yes, I am."], ["Do you like tea?", "I cannot drink."]]
        >>> bot = Chatbot.from_dialogues(dialogues, embedding_size=8, hidden_size=16)
        >>> history = bot.fit(dialogues, epochs=60, learning_rate=0.03, progress=False)
        >>> print(bot.reply("are you robot"))
        Yes, I am.
        >>> bot.rank("Do you like tea?", ["Yes, I am.", "I cannot drink."])[0].text
        'I cannot drink.'
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
        **sizes: Any,
    ) -> None:
        op = type(self).__name__
        self.canned = check_texts(op, "canned", canned)
        self.threshold = _check_share(op, "threshold", threshold)
        super().__init__(
            source_vocabulary, target_vocabulary, history=history, max_length=max_length, **sizes
        )

    @answers
    def reply(self, conversation: str | Sequence[str], *, canned: bool = True, memory: bool = True) -> Reply:
        """Returns the answer to a text, or to a conversation whose last turn is the person's.

        Args:
            conversation: a text, or the turns.
            canned: whether a canned answer replaces the model's own if its confidence is below `threshold`.
            memory: whether an answer that was taught to the last turn, or to a similar one, is given.

        Raises:
            TypeError: for a conversation that is not a string or a list of strings.
            ValueError: for a conversation without turns.

        Example:
            >>> reply = bot.reply(["Hello", "Hi! Who are you?", "I am Ann."])  # doctest: +SKIP
            >>> reply.text, reply.canned  # doctest: +SKIP
            ('Nice to meet you.', False)
        """
        turns = check_turns(f"{type(self).__name__}.reply", "conversation", conversation)
        return self._replies([turns], canned, memory)[0]

    @answers
    def reply_all(
        self,
        conversations: Sequence[str | Sequence[str]],
        *,
        canned: bool = True,
        memory: bool = True,
        decoder: Decoder | None = None,
    ) -> list[Reply]:
        """Returns the answers to several conversations. The answer to one does not depend on the others.

        Args:
            conversations: texts or conversations.
            canned, memory: see `reply`.
            decoder: a result of `decoder()`, to save packing the weights again.

        Raises:
            TypeError, ValueError: see `reply`.
        """
        op = f"{type(self).__name__}.reply_all"
        return self._replies(_check_all(op, "conversations", conversations), canned, memory, decoder)

    def _replies(
        self, conversations: Sequence[list[str]], canned: bool, memory: bool, decoder: Decoder | None = None
    ) -> list[Reply]:
        """Returns the answers to checked conversations."""
        recollection = self._recollected()
        found: dict[int, Reply] = {}
        for i, turns in enumerate(conversations if memory else ()):
            if recalled := recollection.recall(turns[-1]):
                found[i] = Reply(recalled.entry.answer, recalled.similarity, taught=recalled.entry.id)
        own = [i for i in range(len(conversations)) if i not in found]
        decoder = decoder or (self.decoder() if own else None)
        for first in range(0, len(own), BATCH):
            batch = own[first : first + BATCH]
            contexts = [self._context(conversations[i]) for i in batch]
            steps, hypotheses = self.search(contexts, decoder=decoder)
            for b, (i, best) in enumerate(zip(batch, hypotheses, strict=True)):
                texts = [self._readable(steps.text(one.tokens, b)) for one in best]
                allows = partial(recollection.allows, conversations[i][-1], learned=not memory)
                allowed = [k for k, text in enumerate(texts) if allows(text)]
                found[i] = self._chosen(conversations[i], texts, best, allowed, canned)
        return [found[i] for i in range(len(conversations))]

    def _chosen(
        self, turns: list[str], texts: list[str], best: Sequence[Hypothesis], allowed: list[int], canned: bool
    ) -> Reply:
        """Returns the first answer of a beam that may be given, or a canned one."""
        said = own_turns(turns)
        if not allowed and canned and self.canned:
            return Reply(choose_canned(self.canned, said), confidence(best[0]), canned=True)
        allowed = allowed or list(range(len(texts)))
        place = allowed[without_repetition([texts[i] for i in allowed], said)]
        reply = Reply(texts[place], confidence(best[place]))
        return self._or_canned(turns, reply) if canned else reply

    def _readable(self, text: str) -> str:
        """Returns a written answer in its final form."""
        return capitalize(text) if getattr(self.target_vocabulary, "lowercase", False) else text

    def _or_canned(self, turns: Sequence[str], reply: Reply) -> Reply:
        """Returns the reply, or a canned answer if its confidence is too low."""
        if not self.canned or reply.confidence >= self.threshold:
            return reply
        return replace(reply, text=choose_canned(self.canned, own_turns(turns)), canned=True)

    def conversation(self, who: str = USER) -> Conversation:
        """Returns a new conversation, without turns.

        Args:
            who: the name of the user, for the log of what the bot is taught.
        """
        return Conversation(self, who)

    @answers
    def rank(
        self, conversation: str | Sequence[str], candidates: Sequence[str], *, prior: float = 1.0
    ) -> list[Ranked]:
        """Ranks given answers, the best first.

        score = (ln P(answer | context) − λ ln P(answer)) / tokens. P(answer) is the probability after an
        empty context: with λ > 0, an answer does not win merely because it is common (Li et al. 2016, "A
        Diversity-Promoting Objective Function for Neural Conversation Models").

        Args:
            conversation: a text, or a conversation whose last turn is the person's.
            candidates: the answers.
            prior: λ, 0..1. Use 0 for a model trained without `forget`, which has never seen an empty context.

        Raises:
            ValueError, TypeError: without candidates, for an invalid conversation or candidate, or a λ out of
                range.

        Example:
            >>> bot.rank("Are you a robot?", ["Yes, I am.", "Paris."])[0].text  # doctest: +SKIP
            'Yes, I am.'
        """
        op = f"{type(self).__name__}.rank"
        turns = check_turns(op, "conversation", conversation)
        candidates = check_texts(op, "candidates", candidates)
        if not candidates:
            raise ValueError(f"{op}: candidates: expected at least one, got none")
        _check_share(op, "prior", prior)
        context, answers = self._context(turns), list(map(answer_text, candidates))
        scores = log_probs = self.seq2seq.log_probs([(context, answer) for answer in answers])
        if prior:
            scores = log_probs - prior * self.seq2seq.log_probs([("", answer) for answer in answers])
        scores = scores / [len(self.target_vocabulary.encode(answer)) + 1 for answer in answers]
        order = np.argsort(-scores, kind="stable").tolist()
        return [Ranked(candidates[i], float(scores[i]), float(log_probs[i]), i) for i in order]

    @answers
    def speak(self, act: str | DialogueAct, *, beam: int = BEAM_OF_ACTS) -> Utterance:
        """Returns a sentence for a dialogue act, by a model that was trained on acts (`data.act_dialogues`).

        Args:
            act: a `DialogueAct`, or its text.
            beam: K of the beam search. Among its results, the sentence with the fewest slot errors is taken.

        Raises:
            FormatError: for a text that is not an act.
            TypeError, ValueError: for an act that is neither of these; for a beam out of range.

        Example:
            >>> print(bot.speak("inform(name='the ritz';area='north beach')"))  # doctest: +SKIP
            the ritz is in north beach
        """
        op = f"{type(self).__name__}.speak"
        return self._speak(op, [_parsed(op, "act", act)], beam)[0]

    @answers
    def speak_all(self, acts: Sequence[str | DialogueAct], *, beam: int = BEAM_OF_ACTS) -> list[Utterance]:
        """Returns a sentence for each of several acts.

        Args:
            acts: `DialogueAct`s, or their texts.
            beam: see `speak`.

        Raises:
            FormatError, TypeError, ValueError: see `speak`.
        """
        op = f"{type(self).__name__}.speak_all"
        return self._speak(op, [_parsed(op, f"acts[{i}]", act) for i, act in enumerate(acts)], beam)

    def _speak(self, op: str, acts: Sequence[DialogueAct], beam: int) -> list[Utterance]:
        found: list[Utterance] = []
        decoder = self.decoder()
        for first in range(0, len(acts), ACTS):
            batch = acts[first : first + ACTS]
            contexts = [self._context([act.source]) for act in batch]
            steps, hypotheses = self._search(op, contexts, beam, None, decoder)
            for b, (act, own) in enumerate(zip(batch, hypotheses, strict=True)):
                pieces = [steps.surfaces(one.tokens, b) for one in own]
                templates = [tuple(filter(None, words)) for words in pieces]
                found.append(best_sentence(act, templates, [one.log_prob for one in own]))
        return found

    @reading
    def tune_threshold(self, dialogues: Sequence[Dialogue], unanswerable: Iterable[str] = ()) -> Threshold:
        """Sets `threshold` to the value with the most correct decisions on held-out dialogues.

        A decision is correct if a right answer is given, or a wrong one is not.

        Args:
            dialogues: lists of turns that the model was not trained on.
            unanswerable: texts to which all of the model's own answers are wrong.

        Raises:
            ValueError, TypeError: for dialogues that are not lists of turns, or texts that are not strings.

        Example:
            >>> print(bot.tune_threshold(held_out, unanswerable=["purple mountains sing"]))  # doctest: +SKIP
        """
        op = f"{type(self).__name__}.tune_threshold"
        confidences, right = self._judged(op, dialogues)
        replies = self._replies(_check_all(op, "unanswerable", unanswerable), False, False)
        confidences += [reply.confidence for reply in replies]
        right += [False] * len(replies)
        found = best_threshold(confidences, right)
        self.threshold = found.threshold
        return found

    @reading
    def right_replies(self, dialogues: Sequence[Dialogue]) -> tuple[int, int]:
        """Returns the number of contexts in which the model's own answer is right, and that of all contexts.

        An answer is right if it has the words of a recorded one: an F1 of words of at least 0.5.

        Raises:
            ValueError, TypeError: for dialogues that are not lists of turns.
        """
        _, right = self._judged(f"{type(self).__name__}.right_replies", dialogues)
        return sum(right), len(right)

    def _judged(self, op: str, dialogues: Sequence[Dialogue]) -> tuple[list[float], list[bool]]:
        """Returns the confidence of the model's own answer in each context, and whether it is right."""
        conversations, recorded = recorded_answers(check_dialogues(op, dialogues), self.history)
        replies = self._replies(conversations, False, False)
        right = right_answers([reply.text for reply in replies], recorded)
        return [reply.confidence for reply in replies], right

    def _contents(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("history", "canned", "threshold", "max_length")}
        return self.seq2seq._contents() | own | ({"kept": self.kept} if self.kept else {})

    @classmethod
    def _restored(cls, config: dict[str, Any], file: ModelFile, **given: Any) -> Chatbot:
        kept = config.pop("kept", None)
        model = constructed(cls, config, *restored_vocabularies(config, file))
        model.kept = [] if kept is None else check_dialogues("kept", kept)
        return model


Chatbot.__signature__ = with_sizes(Chatbot, Seq2Seq, Chatbot.DEFAULTS)  # type: ignore[attr-defined]


def _check_all(op: str, name: str, conversations: Any) -> list[list[str]]:
    """Returns the turns of several texts or conversations.

    Raises:
        TypeError, ValueError: see `check_turns`.
    """
    check_repeatable(op, name, conversations)
    if isinstance(conversations, (str, bytes)) or not isinstance(conversations, Iterable):
        raise TypeError(f"{op}: {name}: expected several texts or conversations, got {conversations!r}")
    return [check_turns(op, f"{name}[{i}]", conversation) for i, conversation in enumerate(conversations)]


def _check_share(op: str, name: str, value: Any) -> float:
    """Returns a number from 0 to 1.

    Raises:
        TypeError: if it is not a number.
        ValueError: if it is out of range.
    """
    return check_number(op, name, value, "0 to 1", lambda x: 0 <= x <= 1)


def _parsed(op: str, name: str, act: Any) -> DialogueAct:
    """Returns a dialogue act, or that of a text.

    Raises:
        FormatError: for a text that is not an act.
        TypeError: if `act` is neither an act nor a text.
    """
    if isinstance(act, DialogueAct):
        return act
    if not isinstance(act, str):
        raise TypeError(f"{op}: {name}: expected a DialogueAct or its text, got {act!r}")
    try:
        return DialogueAct.parse(act)
    except FormatError:
        expected = "an act such as inform(name='x';area='y')"
        raise FormatError(f"{op}: {name}: expected {expected}, got {act!r}") from None
