"""The assistant: finds out what a person wants, looks it up, and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from ..._rnnrs import log_softmax
from ...data import Batch, frames
from ...data.annotated_dialogues import AnnotatedDialogue, AnnotatedTurn
from ...data.records import Records, as_records
from ...data.sequence_batches import fill
from ...decoding import Constraints, beam_search
from ...nn.guarded import reading
from ...types import Array
from ..base.answers import answers
from ..base.groups import groups_of_similar_length
from ..base.validation import spread
from ..text_to_text.steps import Seq2SeqSteps
from ..writer.examples import example_lines
from .assistant_model import AssistantModel, act_words, readable
from .checking import by_consensus, is_wanted, spoken
from .evaluation import AssistantEvaluation, evaluation, heard_by
from .policy import Situation, sentence
from .refusing import after_refusal, refused_places, refused_values
from .replaying import named_row, replayed
from .replies import AssistantReply, AssistantSession, by_rule
from .responses import Template, source_of
from .state import DialogueState, matching
from .tracking import Tracking, TurnTokens

#: K and α of the beam search, and the most tokens of an answer.
BEAM, LENGTH_PENALTY, LONGEST = 16, 0.9, 60

#: The most turns that are read, and answers that are written, side by side, and the most positions.
SIDE_BY_SIDE, POSITIONS = 128, 1 << 15


class Assistant(AssistantModel):
    """Finds out what a person wants, looks it up in a table, and says what the table holds.

    A recurrent tracker reads each turn and finds the values that slots get in it (also values that it has
    never seen), the slots for which anything will do, and the columns that are asked for. The rows with these
    values are looked up. An encoder–decoder writes answers without values, the act first; the best one by
    beam search is said that does what the situation requires and whose words the table confirms. If there is
    none, the answer is made of templates. So a wrong fact is never said, whatever was learned.

    Args:
        table: the rows, see `data.as_records`.
        domain: the use of the columns.
        vocabularies: those of turns, of what answers depend on, and of answers; `from_dialogues` builds them.
        synonyms: (words, slot, value): other words for values.
        denials: words that say that no row fits.
        sentences, phrases: see `from_dialogues`.
        rules: rules of one's own, which come first: (regular expression, answer), or functions of the turn,
            the state before it and the row that is talked about, which return an answer or None. Fields such
            as {phone} in an answer stand for cells of the row. A file holds the patterns, not the functions.
        generated: the number of generated dialogues that `fit` learns from, see `from_dialogues`.
        embedding_size, hidden_size: I and H of the writer.
        tracker_embedding, tracker_size: I, and H of each direction, of the tracker.
        dropout: the dropout rate of both.
        seed: the seed of the initial weights.
        dtype: float32 or float64.

    Attributes:
        table: the rows; `replace_table` replaces them.
        domain, sentences, phrases, rules: as given.
        network: the `AssistantNetwork`.
        parameters, gradients: those of the network.
        settings: the settings of the last `fit`, which the model's file holds; None before the first.

    Raises:
        ValueError, TypeError: for arguments out of range.

    Example:
        >>> from rnnrs.models import Assistant
        >>> table = [{"name": "Alma", "food": "thai", "area": "north", "phone": "1234"},
        ...          {"name": "Bor", "food": "greek", "area": "north", "phone": "5678"},
        ...          {"name": "Cira", "food": "thai", "area": "south", "phone": ""}]
        >>> bot = Assistant.from_dialogues(table, generated=40, hidden_size=32, tracker_size=32)
        >>> history = bot.fit(epochs=2, learning_rate=0.01, progress=False)
        >>> bot.reply("What is the phone of Cira?").row["name"]
        'Cira'
    """

    KIND: ClassVar[str] = "assistant"

    def session(self) -> AssistantSession:
        """Returns a new conversation, without turns."""
        return AssistantSession(self)

    def conversation(self) -> AssistantSession:
        """Returns a new conversation, as `Chatbot.conversation` does."""
        return self.session()

    @answers
    def reply(self, conversation: str | Sequence[str]) -> AssistantReply:
        """Returns the answer to a text, or to a conversation whose last turn is the person's.

        The state of the dialogue is found by reading the conversation turn by turn; a `session` remembers it.

        Args:
            conversation: a text, or the turns, of which every second one is the assistant's.

        Raises:
            TypeError: for a conversation that is not a string or a list of strings.
            ValueError: for a conversation without turns, or that does not end with the person's.
        """
        op = f"{type(self).__name__}.reply"
        return self._replies([_check_turns(op, "conversation", conversation)])[0]

    @answers
    def reply_all(self, conversations: Sequence[str | Sequence[str]]) -> list[AssistantReply]:
        """Returns the answers to several conversations. The answer to one does not depend on the others.

        Args:
            conversations: texts or conversations, see `reply`.

        Raises:
            TypeError, ValueError: see `reply`; names the conversation.
        """
        op = f"{type(self).__name__}.reply_all"
        each = frames.listed(op, "conversations", conversations)
        return self._replies([_check_turns(op, f"conversations[{i}]", one) for i, one in enumerate(each)])

    def _replies(self, conversations: Sequence[Sequence[str]]) -> list[AssistantReply]:
        """Returns the answers to checked conversations, which are read side by side, turn by turn."""
        known = [("", DialogueState())] * len(conversations)
        for place in range(1, max(map(len, conversations), default=0), 2):
            members = [i for i, turns in enumerate(conversations) if place < len(turns)]
            heard = self.understood([(conversations[i][place - 1], *known[i]) for i in members])
            for i, situation in zip(members, heard, strict=True):
                said = conversations[i][place]
                known[i] = said, heard_by(self, situation, said)
        return self._answers([(turns[-1], *own) for turns, own in zip(conversations, known, strict=True)])

    @answers
    def answer_turn(self, text: str, system: str, state: DialogueState) -> AssistantReply:
        """Returns the answer to a turn.

        Args:
            text: the person's turn.
            system: the assistant's turn before it; empty at the beginning.
            state: what is known before it.
        """
        return self._answers([(text, system, state)])[0]

    def _answers(self, turns: Sequence[tuple[str, str, DialogueState]]) -> list[AssistantReply]:
        """Returns the answers to turns of people, by rule or written; see `understood`."""
        found = [self._by_rule(text, state) for text, _, state in turns]
        others = [turn for turn, reply in zip(turns, found, strict=True) if reply is None]
        written = iter(self.answered(self.understood(others), [text for text, _, _ in others]))
        return [next(written) if reply is None else reply for reply in found]

    def _by_rule(self, text: str, state: DialogueState) -> AssistantReply | None:
        row = {} if state.row is None else self.table.rows[state.row]
        said = by_rule(self.rules, text, state, row)
        if said is None:
            return None
        fits = matching(self.table, self.domain, state.values, state.refused)
        return AssistantReply(said, "rule", state, row or None, len(fits), False)

    def understood(self, turns: Sequence[tuple[str, str, DialogueState]]) -> list[Situation]:
        """Returns what is known after turns of people.

        Args:
            turns: (the turn, the assistant's turn before it, the state before it) each.
        """
        reads = [self.tracking.read(user, system, state.values, state.act) for user, system, state in turns]
        found: list[Situation | None] = [None] * len(turns)
        for members in groups_of_similar_length([len(r.words) for r in reads], SIDE_BY_SIDE, POSITIONS):
            tags, yes = self._tracked([reads[i] for i in members])
            for b, i in enumerate(members):
                user, _, state = turns[i]
                length = len(reads[i].words)
                found[i] = self._situation(user, state, reads[i], tags[:length, b], yes[b])
        return [situation for situation in found if situation is not None]

    def _tracked(self, reads: Sequence[TurnTokens]) -> tuple[Array, Array]:
        """Returns P of each tag at each place (T, B, ·), and P of yes to each question (B, Q)."""
        ids = [self.turn_vocabulary.ids_of(read.words) for read in reads]
        batch = Batch(fill(ids, 0), np.zeros(1), lengths=np.array([len(one) for one in ids]))
        tags, yes, _ = self.network.track(batch)
        return np.exp(log_softmax(tags)), 0.5 * (1 + np.tanh(yes / 2))

    def _situation(
        self, user: str, state: DialogueState, read: TurnTokens, tags: Array, yes: Array
    ) -> Situation:
        places = refused_places(read, self.sentences.refusals)
        values, requests, another = self.tracking.decoded(read, state.values, tags, yes, places)
        unwanted = refused_values(read, tags, places, self.domain)
        values, refused = after_refusal(values, state.refused, unwanted)
        changed = values != dict(state.values) or refused != state.refused
        named = named_row(user, state, values, self.tracking)
        if any(column == self.domain.key for place in places for column, _ in read.meant(place)):
            named = None
        another = another and state.row is not None and not changed
        now = replace(
            state, values=values, requests=requests, another=another, changed=changed, refused=refused
        )
        return Situation.of(now, self.table, self.domain, named)

    def answered(
        self, situations: Sequence[Situation], turns: Sequence[str], *, beam: int = BEAM
    ) -> list[AssistantReply]:
        """Returns the answers in situations after turns of people."""
        sources = [source_of(s, user, self.tracking) for s, user in zip(situations, turns, strict=True)]
        found: list[AssistantReply | None] = [None] * len(situations)
        for members in groups_of_similar_length([len(s) for s in sources], SIDE_BY_SIDE, POSITIONS):
            written = self._templates([" ".join(sources[i]) for i in members], beam)
            for i, templates in zip(members, written, strict=True):
                found[i] = self._said(situations[i], templates)
        return [reply for reply in found if reply is not None]

    def _templates(self, sources: Sequence[str], beam: int) -> list[list[Template]]:
        """Returns written answers without values, the best first."""
        acts = {word: act for act, word in act_words(self.domain).items()}
        steps = Seq2SeqSteps(self.network, self.encoding, sources, self.network.packed_decoder())
        constraints = Constraints(
            max_length=LONGEST, min_length=2, forbidden=[self.target_vocabulary.unknown_id]
        )
        start = np.full(len(sources), steps.end_id)
        found = beam_search(
            steps,
            start,
            steps.end_id,
            beam=beam,
            n_best=beam,
            length_penalty=LENGTH_PENALTY,
            constraints=constraints,
        )
        result = []
        for b, hypotheses in enumerate(found):
            parts = [steps.text(one.tokens, b).partition(" ") for one in hypotheses]
            order = by_consensus([text for _, _, text in parts], [one.score for one in hypotheses])
            known = [parts[i] for i in order if parts[i][0] in acts and parts[i][2]]
            result.append([Template(acts[act], text) for act, _, text in known])
        return result

    def _said(self, situation: Situation, templates: Sequence[Template]) -> AssistantReply:
        """Returns the first written answer that is wanted and true; otherwise one by rule."""
        act, text = situation.act(), None
        for template in templates:
            if is_wanted(template, situation):
                text = spoken(template, situation, self.tracking, self.sentences, self.denials)
            if text is not None:
                act = template.act
                break
        said = readable(text) if text is not None else sentence(situation, act, self.sentences)
        row = situation.row if act in ("offer", "inform") else None
        cells = None if row is None else self.table.rows[row]
        state = situation.state.answered(act, row)
        return AssistantReply(said, act, state, cells, len(situation.matches), text is not None)

    def _examples(self, held_out: Sequence[list[AnnotatedTurn]], count: int) -> list[str]:
        steps = [step for turns in held_out for step in replayed(turns, self.tracking, self.sentences)]
        chosen = [steps[place] for place in spread(len(steps), count)]
        replies = self.answered([step.situation for step in chosen], [step.turn.user for step in chosen])
        lines = []
        for step, reply in zip(chosen, replies, strict=True):
            lines += example_lines(step.turn.user, step.turn.system, reply.text)
        return lines

    def replace_table(self, table: Any) -> None:
        """Replaces the rows, by rows with the same columns; nothing is learned anew.

        Raises:
            ValueError: for a table without one of the domain's columns.
            TypeError, OSError, FormatError: see `data.as_records`.
        """
        op = f"{type(self).__name__}.replace_table"
        records: Records = as_records(op, table)
        if lacking := [column for column in self.domain.columns if column not in records.columns]:
            raise ValueError(
                f"{op}: table: expected the column {lacking[0]!r}, got {', '.join(records.columns)}"
            )
        self.table, self.tracking = records, Tracking(records, self.domain, self.synonyms)

    @reading
    def evaluate(self, dialogues: Sequence[AnnotatedDialogue]) -> AssistantEvaluation:
        """Compares the states and answers with those of annotated dialogues.

        The person's turns, and the assistant's turns before them, are the recorded ones; the state is the
        assistant's own.

        Raises:
            ValueError, TypeError: for dialogues that are not annotated.
        """
        return evaluation(self, f"{type(self).__name__}.evaluate", dialogues)


def _check_turns(op: str, name: str, conversation: Any) -> list[str]:
    """Returns the turns of a text or a conversation, of which the last one is the person's.

    Raises:
        TypeError: for a conversation that is not a string or a list of strings.
        ValueError: for a conversation without turns, or that does not end with the person's.
    """
    turns = [conversation] if isinstance(conversation, str) else conversation
    if not isinstance(turns, Sequence) or not all(isinstance(turn, str) for turn in turns):
        raise TypeError(f"{op}: {name}: expected a text or turns, got {conversation!r:.80}")
    if len(turns) % 2 == 0:
        raise ValueError(f"{op}: {name}: expected an odd number of turns, got {len(turns)}")
    return list(turns)
