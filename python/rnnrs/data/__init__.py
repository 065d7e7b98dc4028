"""Batches: what a `Trainer` goes through, epoch after epoch; sequences and series from files."""

from .batch import Batch, Data
from .batches import ArrayBatches, SentenceBatches, StreamBatches
from .dialogue_acts import DialogueAct, act_dialogues, read_dialogue_acts
from .dialogues import read_dialogues
from .pair_batches import PairBatch, PairBatches
from .pairs import PairReport, clean_pairs, clean_text, read_json_pairs, read_parallel_pairs, read_tsv_pairs
from .sequence_batches import SequenceBatches
from .sequences import LabelledSequences
from .tables import Series, read_csv_sequences, read_csv_series, read_csv_texts
from .truncated import TruncatedBPTT
from .ts import read_ts
from .windows import WindowBatches

__all__ = [
    "ArrayBatches",
    "Batch",
    "Data",
    "DialogueAct",
    "LabelledSequences",
    "PairBatch",
    "PairBatches",
    "PairReport",
    "SentenceBatches",
    "SequenceBatches",
    "Series",
    "StreamBatches",
    "TruncatedBPTT",
    "WindowBatches",
    "act_dialogues",
    "clean_pairs",
    "clean_text",
    "read_csv_sequences",
    "read_csv_series",
    "read_csv_texts",
    "read_dialogue_acts",
    "read_dialogues",
    "read_json_pairs",
    "read_parallel_pairs",
    "read_ts",
    "read_tsv_pairs",
]
