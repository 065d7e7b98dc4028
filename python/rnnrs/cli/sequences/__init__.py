"""`rnnrs classify` and `rnnrs forecast`: labels of sequences, and the continuation of series."""
