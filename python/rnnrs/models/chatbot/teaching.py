"""A chatbot that can be taught: answers from memory at once, learned by the network later."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ...checks import check_text
from ...data.dialogues import Dialogue, check_dialogues
from ...modelfile import ModelFile
from ...train import Callback, History
from ..base.options import documented
from ..base.training import train
from ..text_to_text.pairs import check_texts
from .contexts import normalize, training_pairs
from .dialogue_model import LONGEST, DialogueModel
from .memory import OWNER, TEACH, WRONG, Entry, Memory, beside, dialogues_of
from .recalling import Recalled, Recollection
from .rehearsal import LearningOptions, LearningSettings, Variants, enlarged, extended

if TYPE_CHECKING:
    from typing_extensions import Unpack

M = TypeVar("M", bound="TeachableModel")

#: In `teachers`: everyone.
ANYONE = "*"


class TeachableModel(DialogueModel):
    """A chatbot with a memory. `Chatbot` documents the arguments.

    Attributes:
        memory: the log of what was taught, and what of it is in force. `load` and `save` bind it to the file
            beside the model's.
        teachers: the names of the users who are believed; "*" for everyone.
    """

    memory: Memory
    teachers: tuple[str, ...]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.memory, self.teachers = Memory(), ()
        self._recollection: Recollection | None = None

    def teach(
        self,
        turn: str,
        answer: str,
        *,
        who: str = OWNER,
        source: str = OWNER,
        context: Sequence[str] = (),
        session: str | None = None,
    ) -> Entry:
        """Teaches an answer to a turn: from now on, this and similar turns are answered from memory.

        What the owner says is accepted. What a user says is noted, and waits until it is accepted, unless
        the user is one of `teachers`. A later answer to the same turn replaces an earlier one.

        Args:
            turn: the person's turn.
            answer: the bot's answer.
            who: the name of the person who says so, for the log.
            source: "owner" or "user".
            context: the turns before, for the log and for `learn`.
            session: identifies the conversation, for the log.

        Returns:
            The entry of the log.

        Raises:
            TypeError: for a turn, answer, name or context that is not a string.
            ValueError: for an empty text, one of more than 1,000 characters or with control characters; if
                10,000 answers are taught, or 1,000 wait to be accepted.
            OSError: if the memory's file cannot be written, or is being written for more than 10 seconds.

        Example:
            >>> entry = bot.teach("When do you open?", "We open at nine.")  # doctest: +SKIP
            >>> print(bot.reply("What time do you open?"))  # doctest: +SKIP
            We open at nine.
        """
        op = f"{type(self).__name__}.teach"
        return self._say(op, TEACH, (turn, answer, context), who, source, session)

    def teach_all(self, dialogues: Sequence[Dialogue], *, who: str = OWNER) -> list[Entry]:
        """Teaches the last answer of each dialogue, as the owner; all of them or, if one is invalid, none.

        Args:
            dialogues: lists of turns; those before the last two are the context.
            who: the name of the person who says so, for the log.

        Raises:
            ValueError, TypeError: for dialogues that are not lists of turns, or have an odd number of them;
                see `teach` for the rest.
            OSError: see `teach`.
        """
        op = f"{type(self).__name__}.teach_all"
        checked = check_dialogues(op, dialogues)
        if odd := [i for i, turns in enumerate(checked) if len(turns) % 2]:
            raise ValueError(
                f"{op}: dialogues[{odd[0]}]: expected an answer at its end, got an odd number of turns"
            )
        return self.memory.add(op, TEACH, [(turns[-2], turns[-1], turns[:-2]) for turns in checked], who=who)

    def wrong(
        self,
        turn: str,
        answer: str,
        *,
        who: str = OWNER,
        source: str = OWNER,
        context: Sequence[str] = (),
        session: str | None = None,
    ) -> Entry:
        """Marks an answer as wrong: it is not given to this turn any more, and not rehearsed by `learn`.

        The arguments, the result and the errors are those of `teach`.
        """
        op = f"{type(self).__name__}.wrong"
        return self._say(op, WRONG, (turn, answer, context), who, source, session)

    def _say(
        self, op: str, what: str, said: tuple[Any, Any, Any], who: Any, source: Any, session: str | None
    ) -> Entry:
        """Adds an entry to the log; what a user says is accepted if the user is one of `teachers`."""
        accepted = source == OWNER or who in self.teachers or ANYONE in self.teachers
        person = {"who": who, "source": source, "session": session, "accepted": accepted}
        return self.memory.add(op, what, [said], **person)[0]

    def accept(self, id: str, *, who: str = OWNER) -> Entry:
        """Accepts what a user said, and returns its entry.

        Args:
            id: the `id` of an entry of `memory.waiting`.
            who: the name of the person who accepts it, for the log.

        Raises:
            ValueError: if no entry of this `id` waits.
            TypeError, OSError: see `teach`.
        """
        return self.memory.accept(f"{type(self).__name__}.accept", id, who)

    def undo(self, id: str | None = None, *, who: str = OWNER, source: str = OWNER) -> Entry:
        """Undoes what was taught or marked as wrong, and returns its entry; the log keeps both.

        An answer that the network has learned already is not given any more, either, unless without memory.

        Args:
            id: the `id` of an entry; None: the last one that is not undone.
            who: the name of the person who undoes it, for the log.
            source: "owner" or "user", for the log.

        Raises:
            ValueError: if there is no such entry.
            TypeError, OSError: see `teach`.
        """
        return self.memory.undo(f"{type(self).__name__}.undo", id, who, source)

    def unteach(self, turn: str, *, who: str = OWNER) -> list[Entry]:
        """Undoes all answers that were taught to a turn, and returns their entries.

        Raises:
            ValueError: if none was taught.
            TypeError, OSError: see `teach`.
        """
        op = f"{type(self).__name__}.unteach"
        read = normalize(check_text(op, "turn", turn))
        found = [entry for entry in self.memory.taught if normalize(entry.turn) == read]
        if not found:
            raise ValueError(f"{op}: turn: expected one to which an answer was taught, got {turn!r:.80}")
        return [self.memory.undo(op, entry.id, who) for entry in found]

    def recall(self, turn: str) -> Recalled | None:
        """Returns the answer from memory to a turn; None if no taught turn is similar enough.

        See `similarity.Similarity` for the similarity and its threshold. A turn that is nearer to one of
        `kept` is left to the network.

        Raises:
            TypeError: for a turn that is not a string.
        """
        return self._recollected().recall(check_text(f"{type(self).__name__}.recall", "turn", turn))

    def _recollected(self) -> Recollection:
        """Returns the memory as it is now, indexed."""
        self.memory.refresh()
        found = self._recollection
        if found is None or found.entries is not self.memory.entries or found.kept is not self.kept:
            found = self._recollection = Recollection(self.memory, self.kept)
        return found

    def learn(
        self,
        dialogues: Sequence[Dialogue] | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        progress: bool = True,
        **training: Unpack[LearningOptions],
    ) -> History:
        """Learns what was taught by the network, and rehearses dialogues so that it forgets nothing.

        The words that the vocabularies lack are added to them. The network that learns is a copy. Until it
        has finished, the bot answers as before, and an interrupted or failed call changes nothing. The memory
        stays as it is, and watches over what was learned: the network may give such an answer only where it
        is that of the nearest taught turn, and not after it was undone.

        Args:
            dialogues: the dialogues to rehearse, those that the bot was trained on; by default `kept`. What
                is not rehearsed may be forgotten.
            callbacks: see `rnnrs.train`.
            progress: whether to show progress on standard error.
            training: see below.

        Returns:
            The history of the losses.

        Raises:
            ValueError, TypeError: if nothing was taught; without dialogues, or for some that are not lists of
                turns; for an option that is unknown or out of range.
            RuntimeError: if another thread trains the bot.
            NonFiniteError: if the loss or a gradient is NaN or infinite.

        Example:
            >>> history = bot.learn()  # doctest: +SKIP
            >>> print(bot.reply("What time do you open?", memory=False))  # doctest: +SKIP
            We open at nine.
        """
        op = f"{type(self).__name__}.learn"
        settings = LearningSettings.make(op, training)
        taught = dialogues_of(self.memory.taught)
        if not taught:
            raise ValueError(f"{op}: memory: expected something taught, got nothing")
        if dialogues is None and not self.kept:
            raise ValueError(
                f"{op}: dialogues: expected those that the bot was trained on, since its file keeps none"
            )
        known = self._still_known(check_dialogues(op, self.kept if dialogues is None else dialogues))
        with self.gradients.training(op, None):
            learner, lessons = self._enlarged(taught), self._lessons(op, taught, known, settings)
            batches = learner.seq2seq.encoding.batches(op, lessons, settings.batch_size, settings.seed)
            history = train(
                learner,
                batches,
                None,
                settings.for_steps(len(batches)),
                perplexity=True,
                callbacks=callbacks,
                checkpoint=None,
                checkpoint_every=None,
                resume=None,
                progress=progress,
            )
            self._become(learner, [*known, *taught])
        return history

    def _still_known(self, dialogues: list[list[str]]) -> list[list[str]]:
        """Returns dialogues without what was ever taught, and each up to its first wrong answer."""
        recollection, found = self._recollected(), []
        for turns in dialogues:
            places = range(1, len(turns), 2)
            wrong = [i for i in places if recollection.is_wrong(turns[i - 1], turns[i])]
            right = turns[: wrong[0] - 1] if wrong else turns
            if len(right) > 1 and tuple(turns) not in recollection.ever_taught:
                found.append(right)
        return found

    def _enlarged(self: M, taught: list[list[str]]) -> M:
        """Returns a copy of the bot whose vocabularies have the words of what was taught."""
        contexts, answers = zip(*self._pairs("", taught), strict=True)
        source, target = self.source_vocabulary, self.target_vocabulary
        if self.seq2seq.shared:
            vocabularies: tuple[Any, ...] = (enlarged(source, [*contexts, *answers]), None)
        else:
            vocabularies = enlarged(source, contexts), enlarged(target, answers)
        longest = max(len(target.pieces(answer)) for answer in answers)
        length = max(self.max_length, min(longest, LONGEST))
        learner = type(self)(*vocabularies, history=self.history, max_length=length, **self.sizes)
        learner.parameters.copy_from(extended(learner.parameters, self.parameters))
        return learner

    def _lessons(
        self, op: str, taught: list[list[str]], known: list[list[str]], settings: LearningSettings
    ) -> list[tuple[str, str]]:
        """Returns contexts and answers: known ones, as `fit` reads them, and variants of taught ones."""
        rehearsed = list(dict.fromkeys(self._pairs(op, known)))
        if len(rehearsed) > settings.rehearsed:
            draw = np.random.default_rng([settings.seed, len(rehearsed)])
            places = np.sort(draw.choice(len(rehearsed), settings.rehearsed, replace=False))
            rehearsed = [rehearsed[i] for i in places]
        noise, forget = getattr(self.settings, "noise", 0.0), getattr(self.settings, "forget", 0.0)
        pairs = training_pairs(rehearsed, noise, forget, settings.seed)
        variants = Variants(taught, known, self.history, tokens=self._reads_tokens)
        return pairs + variants.pairs(settings.variants, settings.seed)

    def _become(self, learner: TeachableModel, kept: list[list[str]]) -> None:
        """Takes over the network of a copy."""
        with self.parameters.changing:  # no other thread answers
            self.seq2seq, self.sizes = learner.seq2seq, learner.sizes
            self.parameters, self.gradients = learner.parameters, learner.gradients
            self.max_length, self.kept = learner.max_length, kept
            self._recollection = None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model to one file, and what was taught to the file beside it, see `SavedModel.save`.

        From then on, what is taught goes to that file.
        """
        super().save(path)
        self.memory.bind(beside(path))

    @classmethod
    def load(cls: type[M], path: str | os.PathLike[str], *, teachers: Sequence[str] = ()) -> M:
        """Loads a model that `save` wrote, or the model of a training checkpoint, with its memory.

        Args:
            path: the file.
            teachers: the names of the users who are believed when they teach; "*" for everyone.

        Raises:
            OSError: if the file cannot be read.
            FormatError: if it is damaged, of a newer version, or of another kind of model.
        """
        model = super().load(path)
        model.teachers = tuple(check_texts(f"{cls.__name__}.load", "teachers", teachers))
        return model

    @classmethod
    def from_file(cls: type[M], file: ModelFile, path: str | os.PathLike[str], **given: Any) -> M:
        """Returns the model of a file that has been read, with its memory, see `SavedModel.from_file`."""
        model = super().from_file(file, path, **given)
        model.memory = Memory(beside(path))
        return model


documented(TeachableModel.learn, LearningSettings)
