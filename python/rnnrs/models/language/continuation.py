"""A language model as the decoder sees it, and the likeliest continuations of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._rnnrs import Decoder
from ...data.sequence_batches import fill
from ...decoding import Constraints, Hypothesis, beam_search
from ...nn import AdaptiveSoftmax
from ...types import Array
from .adaptive_stepper import PackedAdaptive
from .generation import Pieces

if TYPE_CHECKING:
    from .language_model import LanguageModel


@dataclass(frozen=True, eq=False)
class Continuation:
    """What may follow a text.

    Attributes:
        text: it.
        hypothesis: its tokens, its score and ln P.
    """

    text: str
    hypothesis: Hypothesis


class LanguageModelSteps:
    """A `rnnrs.decoding.StepModel`: the model has read prompts and writes on after each; its weights are packed once.

    Args:
        model: whose weights are packed.
        prompts: B texts.

    Attributes:
        contexts: the ids that each of them stands for.
        start: what the first step reads (B,): the last of these.
        end_id: the token that ends a text, of a model of sentences; of one of a stream None.
        attention: None.
    """

    attention = None

    def __init__(self, model: LanguageModel, prompts: Sequence[str]) -> None:
        self.contexts = [model.context(prompt) for prompt in prompts]
        self.start = np.array([context[-1] for context in self.contexts], np.int64)
        self.end_id = model.vocabulary.end_id if model.by_sentence else None
        output = model.output
        self._adaptive = PackedAdaptive(output) if isinstance(output, AdaptiveSoftmax) else None
        packed = (
            output.parameters if self._adaptive is None else {"V": self._adaptive.V, "c": self._adaptive.c}
        )
        E, layers = model.embedding.parameters["E"], model.rnn.engine_weights()
        self._decoder = Decoder(E, layers, packed["V"], packed["c"])
        self._decoder.begin(self._read(model))

    def step(self, tokens: Array, rows: Array) -> Array:
        """See `rnnrs.decoding.StepModel.step`."""
        o, _, _ = self._decoder.step(tokens, rows)
        return o if self._adaptive is None else self._adaptive.log_p(o)

    def _read(self, model: LanguageModel) -> Array:
        """The states (B, S) before the last token of each context."""
        lengths = np.array([len(context) - 1 for context in self.contexts])
        if not lengths.any():
            return np.zeros((len(lengths), model.rnn.state_size), model.parameters.dtype)
        ids = fill([context[:-1] for context in self.contexts], 0)
        _, cache = model.rnn.forward_tokens(model.embedding, ids, None, lengths=lengths, gradient=False)
        return np.asarray(cache.state)


def search(
    model: LanguageModel, prompts: Sequence[str], constraints: Constraints, **options: Any
) -> list[list[Continuation]]:
    """The likeliest continuations of each prompt, best first; the unknown token is not among them."""
    unknown = model.vocabulary.unknown_id
    forbidden = [] if constraints.forbidden is None else np.asarray(constraints.forbidden).tolist()
    constraints = replace(constraints, forbidden=[*forbidden, *([] if unknown is None else [unknown])])
    steps = LanguageModelSteps(model, prompts)
    found = beam_search(steps, steps.start, steps.end_id, constraints=constraints, **options)
    return [
        [Continuation(_text(model, prompt, context, h), h) for h in hypotheses]
        for prompt, context, hypotheses in zip(prompts, steps.contexts, found, strict=True)
    ]


def _text(model: LanguageModel, prompt: str, context: Array, hypothesis: Hypothesis) -> str:
    """A hypothesis as text, with the spaces that it has after the prompt."""
    pieces = Pieces(model.vocabulary, context[1:].tolist(), prompt)
    return "".join(map(pieces.push, hypothesis.tokens.tolist()))
