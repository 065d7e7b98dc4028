"""Metrics: ROUGE; BLEU and chrF (extra "metrics"); captions; regions of pictures; slot errors."""

from .captions import CaptionScores, caption_scores
from .regions import DensePrecision, box_iou, dense_average_precision
from .rouge import Rouge, RougeScore, rouge
from .slots import SlotError, slot_error
from .translation import CorpusScore, bleu, chrf

__all__ = [
    "CaptionScores",
    "CorpusScore",
    "DensePrecision",
    "Rouge",
    "RougeScore",
    "SlotError",
    "bleu",
    "box_iou",
    "caption_scores",
    "chrf",
    "dense_average_precision",
    "rouge",
    "slot_error",
]
