"""Metrics of written texts against references: ROUGE; BLEU and chrF by sacrebleu (extra "metrics")."""

from .rouge import Rouge, RougeScore, rouge
from .translation import CorpusScore, bleu, chrf

__all__ = ["CorpusScore", "Rouge", "RougeScore", "bleu", "chrf", "rouge"]
