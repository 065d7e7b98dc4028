"""A language model as the decoder sees it, and the likeliest continuations of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..decoding import Constraints, Hypothesis, beam_search
from .generation import Pieces

if TYPE_CHECKING:
    from .language_model import LanguageModel

Array = NDArray[Any]


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
    """A `rnnrs.decoding.StepModel`: the model has read some prompts and writes on after each.

    The weights are packed once, and again only where the hypotheses have become fewer than half, or more.

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
        self._model = model
        self.contexts = [model.context(prompt) for prompt in prompts]
        self.start = np.array([context[-1] for context in self.contexts], np.int64)
        self.end_id = model.vocabulary.end_id if model.by_sentence else None
        self._stepper = model.stepper()
        nothing = self._stepper.state[:0]
        self._state = np.concatenate([nothing, *(self._read(context[:-1]) for context in self.contexts)])

    def step(self, tokens: Array, rows: Array) -> Array:
        """See `rnnrs.decoding.StepModel.step`."""
        count = len(rows)
        if not count <= self._stepper.batch < 2 * count:
            self._stepper = self._model.stepper(count)
        fill = np.zeros(self._stepper.batch - count, np.int64)  # places that nobody needs any more
        self._stepper.state = self._state[np.concatenate([rows, fill])]
        scores = self._stepper.step(np.concatenate([tokens, fill]))
        self._state = self._stepper.state[:count]
        return scores[:count]

    def _read(self, ids: Array) -> Array:
        """The state (1, S) after a text."""
        self._stepper.reset()
        if len(ids):
            self._stepper.read(ids)
        return self._stepper.state


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
