"""Foundations shared by the models: saving and loading, training and its options, held-out data."""
