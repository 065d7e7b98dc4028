"""Summaries that choose sentences of the text."""
