"""Helpers of the constructors of networks that write."""

from __future__ import annotations

from ...nn import Bidirectional, Recurrent, Stack
from ...nn.attention import ATTENTIONS


def check_attention(op: str, attention: str | None, hidden_size: int, memory_size: int) -> None:
    """Checks the kind of attention.

    Raises:
        ValueError: if it is unknown, or the sizes do not match.
    """
    if attention is not None and attention not in ATTENTIONS:
        raise ValueError(
            f"{op}: attention: expected None or one of {', '.join(ATTENTIONS)}, got {attention!r}"
        )
    if attention == "dot" and hidden_size != memory_size:
        raise ValueError(
            f"{op}: hidden_size: expected {memory_size}, the size of the memory's states, "
            f"with attention 'dot', got {hidden_size}"
        )


def enlarge(rnn: Recurrent | Bidirectional | Stack, size: int) -> None:
    """Scales the input weights of the lowest layer by √size.

    A tied embedding of this size is initialized as small as an output layer; the factor keeps U x at its
    usual scale.
    """
    lowest = rnn.layers[0].parameters if isinstance(rnn, Stack) else rnn.parameters
    for name in lowest:
        if name.rpartition(".")[2] == "U":
            lowest[name][...] *= size**0.5
