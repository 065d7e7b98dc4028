"""Metrics of generated texts: ROUGE; BLEU and chrF (extra "metrics"); caption scores; slot errors."""

from .captions import CaptionScores, caption_scores
from .rouge import Rouge, RougeScore, rouge
from .slots import SlotError, slot_error
from .translation import CorpusScore, bleu, chrf

__all__ = [
    "CaptionScores",
    "CorpusScore",
    "Rouge",
    "RougeScore",
    "SlotError",
    "bleu",
    "caption_scores",
    "chrf",
    "rouge",
    "slot_error",
]
