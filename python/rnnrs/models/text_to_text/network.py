"""The encoder–decoder: one recurrent network reads a sequence, another one, attending to it, writes a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ...checks import check_size
from ...data import PairBatch
from ...nn import Embedding, join
from ...nn.build import build_recurrent
from ...nn.noise import part_noise
from ...types import Array
from ..writer.bridge import state_sizes
from ..writer.network import DecoderNetwork, Encoded, enlarge


class EncoderDecoder(DecoderNetwork):
    """P(y_1 … y_T | x_1 … x_S), by two recurrent networks.

    Encoder: m_s = [→h_s; ←h_s], from both ends; z = [→h_S; ←h_1], layer by layer. Decoder: see `DecoderNetwork`.

    Args:
        source_tokens, target_tokens: how many ids there are to read and to write.
        op: the caller's name, for error messages.
        shared: whether there is one embedding for both.
        unknown_id: what the decoder reads for a word that it has copied and its vocabulary lacks.
        cell, embedding_size, hidden_size, encoder_size, layers, attention, copy, dropout, recurrent_dropout,
            label_smoothing, tied, seed, dtype: see `Seq2Seq`.

    Attributes:
        parameters, gradients: of all layers, one flat vector each.
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
        I, _ = check_size(op, "embedding_size", embedding_size), check_size(op, "hidden_size", hidden_size)
        check_size(op, "encoder_size", encoder_size)
        self.encoder = build_recurrent(
            op,
            cell,
            I,
            encoder_size,
            bidirectional=True,
            seed=seed + 2,
            layers=layers,
            dropout=dropout,
            recurrent_initializer="orthogonal",
            recurrent_dropout=recurrent_dropout,
            dtype=dtype,
        )
        super().__init__(
            op,
            target_tokens,
            state_sizes(self.encoder),
            self.encoder.hidden_size,
            unknown_id=unknown_id,
            cell=cell,
            embedding_size=embedding_size,
            hidden_size=hidden_size,
            layers=layers,
            attention=attention,
            copy=copy,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            label_smoothing=label_smoothing,
            tied=tied,
            seed=seed,
            dtype=dtype,
        )
        self.source_embedding = (
            self.target_embedding if shared else Embedding(source_tokens, I, seed=seed + 1, dtype=dtype)
        )
        own = {} if shared else {"source_embedding": self.source_embedding}
        if shared and tied:
            enlarge(self.encoder, I)
        # In the order in which they always stood in one vector.
        own |= {"target_embedding": self.target_embedding}
        self.parameters, self.gradients = join(**(own | {"encoder": self.encoder} | self.writing_layers()))

    @property
    def stochastic(self) -> bool:
        """Whether `loss` takes noise: whether there is dropout."""
        return super().stochastic or self.encoder.stochastic

    def encode(
        self,
        source: ArrayLike,
        lengths: ArrayLike | None = None,
        *,
        gradient: bool = False,
        noise: int | None = None,
        keys: ArrayLike | None = None,
    ) -> Encoded:
        """Reads token ids (S, B)."""
        own = part_noise(noise, 0)
        options: dict[str, Any] = {"lengths": lengths, "gradient": gradient, "noise": own, "keys": keys}
        memory, rnn = self.encoder.forward_tokens(self.source_embedding, source, **options)
        state, bridge = self.bridge.forward(rnn.state)
        return Encoded(memory, None if lengths is None else np.asarray(lengths), state, rnn, bridge)

    def read(self, batch: PairBatch, *, gradient: bool = False, noise: int | None = None) -> Encoded:
        """Reads a batch's sources."""
        keys = batch.keys
        return self.encode(batch.source, batch.source_lengths, gradient=gradient, noise=noise, keys=keys)

    def read_backward(self, encoded: Encoded, dmemory: Array | None, dz: Array) -> None:
        """Through both ends of the encoder."""
        self.encoder.backward_tokens(self.source_embedding, encoded.reader, dmemory, dz)
