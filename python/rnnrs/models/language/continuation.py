"""A language model as a step model for `rnnrs.decoding`, and the likeliest continuations of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..._rnnrs import Decoder
from ...data.sequence_batches import fill
from ...decoding import Constraints, Hypothesis, beam_search
from ...nn import AdaptiveSoftmax
from ...shown import short_repr
from ...types import Array
from ..base.groups import groups_of_similar_length
from .adaptive_stepper import PackedAdaptive
from .network import LanguageNetwork
from .pieces import Pieces
from .scoring import POSITIONS


@dataclass(frozen=True, eq=False)
class Continuation:
    """A continuation of a text.

    Attributes:
        text: the continuation, without the text before it.
        hypothesis: its tokens, score and ln P.
    """

    text: str
    hypothesis: Hypothesis

    __repr__ = short_repr


class LanguageModelSteps:
    """A `rnnrs.decoding.StepModel` that continues prompts. The weights are packed once.

    Args:
        network: the model's network; its weights are copied.
        prompts: B texts.

    Attributes:
        contexts: the ids of each prompt, see `LanguageModel.context`.
        start: the last id of each prompt (B,), which the first step reads.
        end_id: the token that ends a text; None for a model of a stream.
        attention: None.
    """

    attention = None

    __repr__ = short_repr

    def __init__(self, network: LanguageNetwork, prompts: Sequence[str]) -> None:
        self.contexts = [network.context(prompt) for prompt in prompts]
        self.start = np.array([context[-1] for context in self.contexts], np.int64)
        self.end_id = network.vocabulary.end_id if network.by_sentence else None
        output = network.output
        self._adaptive = PackedAdaptive(output) if isinstance(output, AdaptiveSoftmax) else None
        packed = (
            output.parameters if self._adaptive is None else {"V": self._adaptive.V, "c": self._adaptive.c}
        )
        E, layers = network.embedding.parameters["E"], network.rnn.engine_weights()
        self._decoder = Decoder(E, layers, packed["V"], packed["c"])
        self._decoder.begin(self._read(network))

    def step(self, tokens: Array, rows: Array) -> Array:
        """See `rnnrs.decoding.StepModel.step`."""
        o, _, _ = self._decoder.step(tokens, rows)
        return o if self._adaptive is None else self._adaptive.log_p(o)

    def _read(self, network: LanguageNetwork) -> Array:
        """Returns the states (B, S) before the last token of each context."""
        lengths = np.array([len(context) - 1 for context in self.contexts])
        if not lengths.any():
            return np.zeros((len(lengths), network.rnn.state_size), network.parameters.dtype)
        states = np.zeros((len(lengths), network.rnn.state_size), network.parameters.dtype)
        for group in groups_of_similar_length(lengths.tolist(), len(lengths), POSITIONS):
            ids = fill([self.contexts[b][:-1] for b in group], 0)
            if len(ids):
                _, cache = network.rnn.forward_tokens(
                    network.embedding, ids, None, lengths=lengths[group], gradient=False
                )
                states[group] = cache.state
        return states


def search(
    op: str, network: LanguageNetwork, prompts: Sequence[str], constraints: Constraints, **options: Any
) -> list[list[Continuation]]:
    """Returns the likeliest continuations of each prompt, the best first, without the unknown token.

    Args:
        op: the caller's name, for error messages.
        network: the model's network.
        prompts: B texts.
        constraints: on the tokens of the continuations.
        options: options of `rnnrs.decoding.beam_search`.
    """
    unknown = network.vocabulary.unknown_id
    forbidden = [] if constraints.forbidden is None else np.asarray(constraints.forbidden).tolist()
    constraints = replace(constraints, forbidden=[*forbidden, *([] if unknown is None else [unknown])])
    steps = LanguageModelSteps(network, prompts)
    found = beam_search(steps, steps.start, steps.end_id, constraints=constraints, op=op, **options)
    return [
        [Continuation(_text(network, prompt, context, h), h) for h in hypotheses]
        for prompt, context, hypotheses in zip(prompts, steps.contexts, found, strict=True)
    ]


def _text(network: LanguageNetwork, prompt: str, context: Array, hypothesis: Hypothesis) -> str:
    """Returns a hypothesis as text, spaced as after the prompt."""
    pieces = Pieces(network.vocabulary, context[1:].tolist(), prompt)
    return "".join(map(pieces.push, hypothesis.tokens.tolist()))
