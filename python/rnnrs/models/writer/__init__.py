"""The decoder of all applications that write texts: network, steps, beam search and evaluation."""
