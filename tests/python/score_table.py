"""A model for tests of decoding whose scores stand in a table."""

import numpy as np

END = 0


class Table:
    """A model whose scores are drawn once for each state; a state is a number made of all tokens so far."""

    STATES = 997

    def __init__(self, sources, V=4, seed=0, S=None, dtype=np.float64):
        draw = np.random.default_rng(seed)
        self.scores = (2 * draw.standard_normal((self.STATES, V))).astype(dtype)
        self.looks = None if S is None else draw.dirichlet(np.ones(S), self.STATES)
        self.states = self.first(np.asarray(sources))
        self.attention = None
        self.sizes = []

    def first(self, sources):
        return sources * 131 % self.STATES

    def after(self, states, tokens):
        return (states * 31 + tokens * 7 + 1) % self.STATES

    def step(self, tokens, rows):
        self.sizes.append(len(tokens))
        self.states = self.after(self.states[rows], tokens)
        if self.looks is not None:
            self.attention = self.looks[self.states]
        return self.scores[self.states]

    def walk(self, source, start, tokens):
        """ln P of each token, and the attention when each was said."""
        state, log_p, looked = self.after(self.first(np.int64(source)), start), [], []
        for token in tokens:
            row = self.scores[state].astype(np.float64)
            log_p.append(row[token] - row.max() - np.log(np.exp(row - row.max()).sum()))
            looked.append(None if self.looks is None else self.looks[state])
            state = self.after(state, token)
        return np.array(log_p), looked
