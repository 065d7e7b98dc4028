"""Batches: what a `Trainer` goes through, epoch after epoch."""

from .batch import Batch, Data
from .batches import ArrayBatches, SentenceBatches, StreamBatches

__all__ = ["ArrayBatches", "Batch", "Data", "SentenceBatches", "StreamBatches"]
