"""The model of an assistant: its networks, vocabularies, training and file."""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from ... import modelfile
from ...checks import check_size
from ...data import PairBatches
from ...data.annotated_dialogues import AnnotatedDialogue, AnnotatedTurn
from ...data.records import Records, as_records
from ...modelfile import ModelFile
from ...text import TokenVocabulary, Vocabulary, WordVocabulary, vocabulary_from_config
from ...text.words import capitalize
from ...train import Callback, Communicator, History
from ..base.saved import constructed, sizes_of
from ..base.training import TrainedModel, TrainingOptions, TrainingSettings, train
from ..base.validation import chosen, divided, held_out_share
from ..text_to_text.pairs import PairEncoding
from .batches import AssistantBatches
from .checking import learned_denials
from .domain import Domain, aligned
from .fitting import AssistantTraining, answer_pairs, turn_examples
from .network import AssistantBatch, AssistantNetwork
from .phrases import check_phrases
from .replaying import replayed
from .replies import Rule, check_rules
from .responses import ACT, placeholder
from .sentences import Sentences
from .simulation import generated_dialogues
from .synonyms import learned_synonyms
from .tracking import BORDER, Tracking

if TYPE_CHECKING:
    from typing_extensions import Unpack

M = TypeVar("M", bound="AssistantModel")

Dialogues = Sequence[list[AnnotatedTurn]]

#: ε of the writer's loss, see `losses.SoftmaxCrossEntropy`.
LABEL_SMOOTHING = 0.1

#: The seed of the generated dialogues.
SEED = 1


#: The arguments that are not sizes of the networks.
_NOT_SIZES = ("table", "domain", "vocabularies", "synonyms", "denials", "sentences", "phrases", "rules")


class AssistantModel(TrainedModel):
    """The networks of an assistant and what it was built from. `Assistant` documents the arguments."""

    TRAINING: ClassVar[type[TrainingSettings]] = AssistantTraining
    #: The level of the vocabularies, with the options that differ from the defaults of its `build`.
    LEVELS: ClassVar[dict[str, dict[str, Any]]] = {"word": {"min_count": 2, "lowercase": True}}

    def __init__(
        self,
        table: Any,
        domain: Domain,
        vocabularies: tuple[Vocabulary, Vocabulary, Vocabulary],
        *,
        synonyms: Sequence[tuple[str, str, str]] = (),
        denials: Sequence[str] = (),
        sentences: Mapping[str, Any] | None = None,
        phrases: Mapping[str, Sequence[str]] | None = None,
        rules: Sequence[Rule] = (),
        generated: int = 400,
        embedding_size: int = 64,
        hidden_size: int = 128,
        tracker_embedding: int = 64,
        tracker_size: int = 96,
        dropout: float = 0.3,
        seed: int = 0,
        dtype: DTypeLike = "float32",
    ) -> None:
        self.sizes = sizes_of(locals(), *_NOT_SIZES)
        op = type(self).__name__
        self.table, self.domain = as_records(op, table), domain
        self.sentences = Sentences.of(op, sentences)
        self.rules: list[Rule] = check_rules(op, rules)
        self.phrases = None if phrases is None else dict(phrases)
        self.synonyms, self.denials = (
            [(words, slot, value) for words, slot, value in synonyms],
            list(denials or self.sentences.denials),
        )
        self.tracking = Tracking(self.table, domain, self.synonyms)
        self.turn_vocabulary, self.source_vocabulary, self.target_vocabulary = vocabularies
        self.encoding = PairEncoding(self.source_vocabulary, self.target_vocabulary, False)
        self.generated = check_size(op, "generated", generated, least=0)
        hidden = check_size(op, "hidden_size", hidden_size)
        self.network = AssistantNetwork(
            len(self.source_vocabulary),
            len(self.target_vocabulary),
            op=op,
            turn_tokens=len(self.turn_vocabulary),
            border=int(self.turn_vocabulary.ids_of([BORDER])[0]),
            tags=len(domain.slots) + 1,
            questions=len(self.tracking.questions),
            shared=False,
            unknown_id=self.target_vocabulary.unknown_id,
            cell="gru",
            encoder_size=max(1, hidden // 2),
            layers=1,
            attention="general",
            copy=False,
            recurrent_dropout=0.0,
            label_smoothing=LABEL_SMOOTHING,
            tied=False,
            **{name: size for name, size in self.sizes.items() if name != "generated"},
        )
        self.parameters, self.gradients = self.network.parameters, self.network.gradients

    @classmethod
    def from_dialogues(
        cls: type[M],
        table: Any,
        dialogues: Sequence[AnnotatedDialogue] | None = None,
        *,
        domain: Mapping[str, Any] | None = None,
        sentences: Mapping[str, Any] | None = None,
        phrases: Mapping[str, Sequence[str]] | None = None,
        vocabulary: Mapping[str, Any] | None = None,
        generated: int = 400,
        **sizes: Any,
    ) -> M:
        """Returns an untrained assistant for a table, with the vocabularies of dialogues.

        Args:
            table: the rows, see `data.as_records`: a list of dictionaries, a data frame, or a file of CSV,
                JSON or SQLite.
            dialogues: annotated dialogues, see `data.read_annotated_dialogues`; None: the assistant will
                learn from dialogues with simulated people.
            domain: the attributes of `Domain` that do not follow from table and dialogues.
            sentences: those of `Sentences` that differ from English ones.
            phrases: how simulated people say things, see `simulation.PHRASES`.
            vocabulary: options of the vocabularies: `min_count`, the least number of a word's occurrences.
            generated: the number of dialogues with simulated people, in English unless `phrases` are given,
                that the tracker learns from besides the given ones; without given ones, the writer, too.
            sizes: the other keyword arguments of the class, such as `rules`.

        Raises:
            TypeError, ValueError: for an invalid table, dialogue, attribute or size.
            OSError, FormatError: for a table's file that cannot be read.
        """
        op = f"{cls.__name__}.from_dialogues"
        if unknown := set(vocabulary or {}) - {"min_count"}:
            raise TypeError(f"{op}: vocabulary: expected min_count, got {sorted(unknown)[0]!r}")
        count = check_size(op, "min_count", (vocabulary or {}).get("min_count", 2))
        check_size(op, "generated", generated, 0 if dialogues is not None else 1)
        records = as_records(op, table)
        check_rules(op, sizes.get("rules", ()), records.columns)
        given = [] if dialogues is None else aligned(op, dialogues, records)
        check_phrases(op, phrases or {})
        known = Domain.of(op, records, domain, given)
        _check_different(op, known)
        said = Sentences.of(op, sentences)
        synonyms = learned_synonyms(given, known, Tracking(records, known).lexicon)
        tracking = Tracking(records, known, synonyms)
        made = generated_dialogues(records, known, said, generated, SEED, phrases)
        answered = given or made
        templates = [
            (step.answer, len(step.situation.matches))
            for d in answered
            for step in replayed(d, tracking, said)
        ]
        turns = [" ".join(e.words) for e in turn_examples([*given, *made], tracking, said)]
        pairs = answer_pairs(answered, tracking, said, act_words(known))
        acts = " ".join(act_words(known).values())
        vocabularies = (
            TokenVocabulary.build(turns, min_count=count),
            TokenVocabulary.build([source for source, _ in pairs], min_count=count),
            WordVocabulary.build(
                [target for _, target in pairs] + [acts] * count, min_count=count, lowercase=True
            ),
        )
        denials = learned_denials(templates, said.denials)
        own: dict[str, Any] = {
            "synonyms": synonyms,
            "denials": denials,
            "sentences": sentences,
            "phrases": phrases,
        }
        return cls(records, known, vocabularies, generated=generated, **own, **sizes)

    @property
    def stochastic(self) -> bool:
        """Whether `loss` uses noise, that is, whether there is dropout."""
        return self.network.stochastic

    #: See `AssistantNetwork.accepts_whole`.
    accepts_whole = True

    def loss(
        self,
        batch: AssistantBatch,
        state: Any = None,
        *,
        gradient: bool = True,
        noise: int | None = None,
        whole: AssistantBatch | None = None,
    ) -> tuple[float, None]:
        """Returns the loss of a batch, see `AssistantNetwork.loss`."""
        return self.network.loss(batch, state, gradient=gradient, noise=noise, whole=whole)

    def fit(
        self,
        dialogues: Sequence[AnnotatedDialogue] | None = None,
        validation: Sequence[AnnotatedDialogue] | float | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | str | None = "5m",
        resume: str | os.PathLike[str] | None = None,
        progress: bool = True,
        communicator: Communicator | None = None,
        **training: Unpack[TrainingOptions],
    ) -> History:
        """Trains tracker and writer together.

        With validation, training ends with the parameters of the lowest validation loss, the sum of the mean
        losses of words, tags and questions.

        Args:
            dialogues: annotated dialogues; None: generated ones.
            validation: held-out dialogues, or the share of the dialogues to hold out, sampled by the seed.
            callbacks: see `rnnrs.train`.
            checkpoint, checkpoint_every, resume, progress, communicator: see `Seq2Seq.fit`.
            training: see below.

        Returns:
            The history of the losses.

        Raises:
            ValueError, TypeError: for dialogues that are not annotated, and for an option that is unknown or
                out of range.
            FormatError, NonFiniteError, KeyboardInterrupt: see `Seq2Seq.fit`.
        """
        op = f"{type(self).__name__}.fit"
        settings: AssistantTraining = self.settings_of(training)
        generated = self._generated()
        if dialogues is None and not generated:
            raise ValueError(f"{op}: dialogues: expected some without generated ones, got none")
        given = generated if dialogues is None else aligned(op, dialogues, self.table)
        held_out: Dialogues | None = None
        share = held_out_share(op, validation)
        if share is not None:
            kept, out = divided(op, len(given), share, settings.seed, "dialogues")
            given, held_out = chosen(given, kept), chosen(given, out) or None
        elif validation is not None:
            held_out = aligned(f"{op}: validation", validation, self.table)
        return train(
            self,
            self._batches(
                given, [*given, *(generated if dialogues is not None else [])], settings, noisy=True
            ),
            None if held_out is None else self._batches(held_out, held_out, settings, noisy=False),
            settings,
            examples=lambda: self._examples(held_out or [], settings.examples),
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            progress=progress,
            communicator=communicator,
        )

    def _generated(self) -> list[list[AnnotatedTurn]]:
        return generated_dialogues(
            self.table, self.domain, self.sentences, self.generated, SEED, self.phrases
        )

    @abstractmethod
    def _examples(self, held_out: Dialogues, count: int) -> list[str]:
        """Returns lines with recorded and own answers to some held-out turns."""

    def _batches(
        self, answered: Dialogues, tracked: Dialogues, settings: AssistantTraining, *, noisy: bool
    ) -> AssistantBatches:
        """Returns answers and turns of dialogues in batches."""
        seed = settings.seed
        pairs = answer_pairs(answered, self.tracking, self.sentences, act_words(self.domain))
        sources, targets, _ = self.encoding.pairs(f"{type(self).__name__}.fit", pairs)
        end = self.target_vocabulary.end_id
        examples = turn_examples(tracked, self.tracking, self.sentences, seed if noisy else None)
        return AssistantBatches(
            PairBatches(sources, targets, settings.batch_size, end, seed=seed),
            [self.turn_vocabulary.ids_of(example.words) for example in examples],
            [example.tags for example in examples],
            np.stack([example.answers for example in examples]),
            seed,
        )

    def _contents(self) -> dict[str, Any]:
        return {
            "table": {
                "columns": list(self.table.columns),
                "rows": [list(row.values()) for row in self.table.rows],
            },
            "domain": self.domain.to_config(),
            "turn_vocabulary": self.turn_vocabulary.to_config(),
            "source_vocabulary": self.source_vocabulary.to_config(),
            "target_vocabulary": self.target_vocabulary.to_config(),
            "synonyms": [list(entry) for entry in self.synonyms],
            "denials": self.denials,
            "sentences": self.sentences.to_config(),
            "phrases": self.phrases,
            "rules": [list(rule) for rule in self.rules if not callable(rule)],
        }

    @classmethod
    def _restored(cls: type[M], config: dict[str, Any], file: ModelFile, **given: Any) -> M:
        table, domain = config.pop("table"), Domain.from_config(config.pop("domain"))
        rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
        vocabularies = [config.pop(f"{kind}_vocabulary") for kind in ("turn", "source", "target")]
        turn, source, target = map(vocabulary_from_config, vocabularies)
        E, H = config["tracker_embedding"], config["tracker_size"]
        modelfile.check_size(len(turn) * E + 2 * H * (E + H) + len(source) * config["embedding_size"], file)
        config["synonyms"] = [tuple(entry) for entry in config["synonyms"]]
        return constructed(cls, config, Records(rows), domain, (turn, source, target))


def _check_different(op: str, domain: Domain) -> None:
    """Checks that the columns differ in more than signs: their names stand for values in answers."""
    found: dict[str, str] = {}
    for column in domain.columns:
        other = found.setdefault(placeholder(column), column)
        if other != column:
            raise ValueError(
                f"{op}: domain: expected columns that differ in letters or digits, got {other!r} and {column!r}"
            )


def act_words(domain: Domain) -> dict[str, str]:
    """Returns the word at the beginning of a written answer for each act."""
    acts = ["offer", "inform", "deny", "other", *(f"ask_{slot}" for slot in domain.slots)]
    return {act: ACT + re.sub(r"\W+", "_", act.lower()) for act in acts}


def readable(text: str) -> str:
    """Returns an answer in its final form."""
    return capitalize(re.sub(r"\bi\b(?![.])", "I", text))
