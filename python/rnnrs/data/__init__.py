"""Batches: what a `Trainer` goes through, epoch after epoch."""

from .batches import ArrayBatches, Batch, Data, SentenceBatches, StreamBatches

__all__ = ["ArrayBatches", "Batch", "Data", "SentenceBatches", "StreamBatches"]
