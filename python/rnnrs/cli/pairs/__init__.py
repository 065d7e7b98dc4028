"""`rnnrs translate` and `rnnrs summarize`: texts for texts, learned from pairs."""
