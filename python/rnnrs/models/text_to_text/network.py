"""The encoder–decoder: one recurrent network reads a sequence, another attends to it and writes one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ...checks import check_size
from ...data import PairBatch
from ...nn import Embedding, join
from ...nn.build import build_recurrent
from ...nn.guarded import reading
from ...nn.noise import part_noise
from ...nn.stack import learn
from ...types import Array
from ..writer.bridge import state_sizes
from ..writer.building import enlarge
from ..writer.network import DecoderNetwork, Encoded


class EncoderDecoder(DecoderNetwork):
    """P(y_1 … y_T | x_1 … x_S), by two recurrent networks.

    The encoder is bidirectional: m_s = [→h_s; ←h_s], and z = [→h_S; ←h_1] for every layer. For the decoder,
    see `DecoderNetwork`.

    Args:
        source_tokens, target_tokens: the numbers of token ids that can be read and written.
        op: the caller's name, for error messages.
        shared: whether source and target share one embedding.
        unknown_id: the decoder's input after a copied word that its vocabulary lacks.
        cell, embedding_size, hidden_size, encoder_size, layers, attention, copy, dropout, recurrent_dropout,
            label_smoothing, tied, seed, dtype: see `Seq2Seq`.

    Attributes:
        parameters, gradients: those of all layers, one flat vector each.

    Raises:
        ValueError, TypeError: for options out of range, or that exclude each other.
    """

    def __init__(
        self,
        source_tokens: int,
        target_tokens: int,
        *,
        op: str = "EncoderDecoder",
        shared: bool,
        unknown_id: int,
        cell: str,
        embedding_size: int,
        hidden_size: int,
        encoder_size: int,
        layers: int,
        attention: str | None,
        copy: bool,
        dropout: float,
        recurrent_dropout: float,
        label_smoothing: float,
        tied: bool,
        seed: int,
        dtype: DTypeLike,
    ) -> None:
        I, seed = check_size(op, "embedding_size", embedding_size), check_size(op, "seed", seed, least=0)
        check_size(op, "encoder_size", encoder_size)
        both: dict[str, Any] = {"layers": layers, "dropout": dropout, "recurrent_dropout": recurrent_dropout}
        options = both | {"bidirectional": True, "recurrent_initializer": "orthogonal", "seed": seed + 2}
        self.encoder = build_recurrent(op, cell, I, encoder_size, dtype=dtype, **options)
        super().__init__(
            op,
            target_tokens,
            state_sizes(self.encoder),
            self.encoder.hidden_size,
            unknown_id=unknown_id,
            cell=cell,
            embedding_size=I,
            hidden_size=hidden_size,
            attention=attention,
            copy=copy,
            label_smoothing=label_smoothing,
            tied=tied,
            seed=seed,
            dtype=dtype,
            **both,
        )
        own = {"target_embedding": self.target_embedding, "encoder": self.encoder}
        self.source_embedding = self.target_embedding
        if not shared:
            self.source_embedding = Embedding(source_tokens, I, seed=seed + 1, dtype=dtype)
            own = {"source_embedding": self.source_embedding, **own}
        elif tied:
            enlarge(self.encoder, I)
        # The order of the layers is that of the parameters in files.
        self.parameters, self.gradients = join(**own | self.writing_layers())

    @property
    def stochastic(self) -> bool:
        """Whether `loss` uses noise, that is, whether there is dropout."""
        return super().stochastic or self.encoder.stochastic

    @reading
    def encode(
        self,
        source: ArrayLike,
        lengths: ArrayLike | None = None,
        *,
        gradient: bool = False,
        noise: int | None = None,
        keys: ArrayLike | None = None,
    ) -> Encoded:
        """Encodes token ids (S, B).

        Args:
            source: the ids (S, B).
            lengths: the number of tokens of each source (B,); None for S.
            gradient: whether the backward pass follows, so that caches are kept.
            noise: the number that dropout masks are derived from, see `rnnrs.nn.noise`; None: no dropout.
            keys: the number of each source (B,), for its dropout masks; by default its place in the batch.

        Raises:
            IndexError, DTypeError, ShapeError: for invalid ids or lengths.
        """
        own = part_noise(noise, 0)
        options: dict[str, Any] = {"lengths": lengths, "gradient": gradient, "noise": own, "keys": keys}
        memory, rnn = self.encoder.forward_tokens(self.source_embedding, source, **options)
        state, bridge = self.bridge.forward(rnn.state)
        return Encoded(memory, None if lengths is None else np.asarray(lengths), state, rnn, bridge)

    def read(self, batch: PairBatch, *, gradient: bool = False, noise: int | None = None) -> Encoded:
        """Encodes a batch's sources."""
        keys = batch.keys
        return self.encode(batch.source, batch.source_lengths, gradient=gradient, noise=noise, keys=keys)

    @property
    def reader_is_trained(self) -> bool:
        """Whether encoder or source embedding are not frozen."""
        return any(layer.parameters.are_trained for layer in (self.encoder, self.source_embedding))

    def read_backward(self, encoded: Encoded, dmemory: Array | None, dz: Array) -> None:
        """Backward pass of `read`: BPTT through both directions of the encoder."""
        learn(self.encoder, self.source_embedding, encoded.reader, dmemory, dz)
