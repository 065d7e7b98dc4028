"""Data: batches for a `Trainer`; sequences, series, texts, dialogues and pictures from files."""

from .annotated_dialogues import AnnotatedTurn, read_annotated_dialogues
from .batch import Batch, Data
from .batches import ArrayBatches, SentenceBatches, StreamBatches
from .camrest import CamRest, camrest
from .captions import (
    Captions,
    DescribedPictures,
    described_arrays,
    read_captions,
    read_described_pictures,
    read_descriptions,
)
from .corpus import Corpus, CorpusSentences, CorpusStream
from .corpus_preparation import prepare_corpus
from .dialogue_acts import DialogueAct, act_dialogues, read_dialogue_acts
from .dialogues import read_dialogues
from .emoji import Emoji, noto_emoji
from .pair_batches import PairBatch, PairBatches
from .pairs import PairReport, clean_pairs, clean_text, read_json_pairs, read_parallel_pairs, read_tsv_pairs
from .pictures import Pictures, find_pictures, read_array, read_picture, read_pictures
from .placement import Placement, placement
from .records import Records, as_records, read_records
from .region_files import read_regions
from .region_pictures import RegionPictures, read_region_pictures
from .regions import Region, RegionExample
from .scenes import compose_scenes
from .sequence_batches import SequenceBatches
from .sequences import LabeledSequences, Series
from .series import read_csv_series
from .tables import read_csv_sequences, read_csv_texts
from .truncated import TruncatedBPTT
from .ts import read_ts
from .windows import WindowBatches

__all__ = [
    "AnnotatedTurn",
    "ArrayBatches",
    "Batch",
    "CamRest",
    "Captions",
    "Corpus",
    "CorpusSentences",
    "CorpusStream",
    "Data",
    "DescribedPictures",
    "DialogueAct",
    "Emoji",
    "LabeledSequences",
    "PairBatch",
    "PairBatches",
    "PairReport",
    "Pictures",
    "Placement",
    "Records",
    "Region",
    "RegionExample",
    "RegionPictures",
    "SentenceBatches",
    "SequenceBatches",
    "Series",
    "StreamBatches",
    "TruncatedBPTT",
    "WindowBatches",
    "act_dialogues",
    "as_records",
    "camrest",
    "clean_pairs",
    "clean_text",
    "compose_scenes",
    "described_arrays",
    "find_pictures",
    "noto_emoji",
    "placement",
    "prepare_corpus",
    "read_annotated_dialogues",
    "read_array",
    "read_captions",
    "read_csv_sequences",
    "read_csv_series",
    "read_csv_texts",
    "read_described_pictures",
    "read_descriptions",
    "read_dialogue_acts",
    "read_dialogues",
    "read_json_pairs",
    "read_parallel_pairs",
    "read_picture",
    "read_pictures",
    "read_records",
    "read_region_pictures",
    "read_regions",
    "read_ts",
    "read_tsv_pairs",
]
