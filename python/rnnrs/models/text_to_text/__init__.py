"""From texts to texts: the encoder–decoder, and the applications over it, translation and summarization."""
