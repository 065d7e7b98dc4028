"""Language models: training, scoring, caches, generated text, beam search, suggestions."""
