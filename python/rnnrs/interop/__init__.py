"""Weights from other libraries and for them. None of these needs to be installed."""
