"""The tokens of a text as a model reads them before it goes on, each with its probability."""

from __future__ import annotations

import numpy as np

from ..._rnnrs import log_softmax, top_k
from ...checks import check_size, check_text
from ...decoding import check_stopped
from .network import LanguageNetwork
from .pieces import GeneratedToken

#: The most scores that are computed at a time: a bound of the memory.
_SCORES = 1 << 22


def prompt_tokens(op: str, network: LanguageNetwork, prompt: str, likeliest: int) -> list[GeneratedToken]:
    """Returns the tokens of a prompt; see `LanguageModel.prompt_tokens`."""
    check_text(op, "prompt", prompt)
    check_size(op, "likeliest", likeliest, least=0)
    vocabulary, ids, found, state = network.vocabulary, network.context(prompt), list[GeneratedToken](), None
    window = max(1, min(1024, _SCORES // len(vocabulary)))
    for start in range(0, len(ids) - 1, window):
        check_stopped()
        inputs, targets = ids[start : start + window], ids[start + 1 : start + 1 + window]
        inputs = inputs[: len(targets)]
        h, cache = network.rnn.forward_tokens(network.embedding, inputs[:, None], state, gradient=False)
        state = cache.state
        log_p = log_softmax(network.output.forward(h[:, 0])[0])
        own = log_p[np.arange(len(targets)), targets].tolist()
        if vocabulary.unknown_id is not None:
            log_p[:, vocabulary.unknown_id] = -np.inf
        for row, token, p in zip(log_p, targets.tolist(), own, strict=True):
            best = zip(*top_k(row, min(likeliest, len(row))), strict=True) if likeliest else ()
            others = tuple((vocabulary.surface(vocabulary.tokens[int(i)]), float(q)) for i, q in best)
            found.append(GeneratedToken(vocabulary.surface(vocabulary.tokens[token]), p, others))
    return found
