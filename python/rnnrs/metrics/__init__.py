"""Metrics of written texts: ROUGE; BLEU and chrF by sacrebleu (extra "metrics"); slot errors of dialogue acts."""

from .rouge import Rouge, RougeScore, rouge
from .slots import SlotError, slot_error
from .translation import CorpusScore, bleu, chrf

__all__ = ["CorpusScore", "Rouge", "RougeScore", "SlotError", "bleu", "chrf", "rouge", "slot_error"]
