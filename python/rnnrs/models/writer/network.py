"""What writes: a recurrent network that goes on word by word from what another network has read, attending to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike

from ... import _rnnrs
from ...checks import check_size
from ...data import PairBatch
from ...losses import CopyCrossEntropy, CopyEvaluation, SoftmaxCrossEntropy
from ...nn import (
    Attention,
    Bidirectional,
    Dropout,
    Embedding,
    Linear,
    Parameters,
    Recurrent,
    Stack,
    TiedLinear,
)
from ...nn.attention import AttentionCache
from ...nn.build import build_recurrent
from ...nn.embedding import EmbeddingCache
from ...nn.layer import Layer
from ...nn.linear import LinearCache
from ...nn.noise import DropoutCache, part_noise
from ...types import Array
from .bridge import Bridge, BridgeCache, state_sizes
from .copying import attended, attended_backward


class TargetBatch(Protocol):
    """What is to be written, of any batch: see `data.PairBatch`."""

    @property
    def inputs(self) -> Array: ...
    @property
    def targets(self) -> Array: ...
    @property
    def lengths(self) -> Array: ...
    @property
    def keys(self) -> Array: ...


class Encoded(NamedTuple):
    """What has been read: the states m (S, B, K), the decoder's first state (B, ·), and what BPTT needs.

    `memory` is None where nothing attends to it; `lengths` (B,) are its steps, None for S.
    """

    memory: Array | None
    lengths: Array | None
    state: Array
    reader: Any
    bridge: BridgeCache


class Decoded(NamedTuple):
    """What the decoder came to: ĥ (T, B, ·), the state of which the output layer makes scores, and what BPTT needs.

    `gate` (T, B) is g, how likely a word is chosen from the vocabulary instead of copied; None without copying.
    """

    h_hat: Array
    gate: Array | None
    rnn: Any
    attention: AttentionCache | None
    combined: tuple[Array, LinearCache] | None
    gating: tuple[LinearCache, EmbeddingCache] | None
    dropout: DropoutCache


class DecoderNetwork:
    """P(y_1 … y_T | x) = Π_t P(y_t | y_1 … y_{t−1}, x), for an x of any kind: a subclass says how it is read.

    Reading gives a vector z and the memory m_1 … m_S. s_0 = tanh(c + V z), the bridge; h_t = cell(h_{t−1},
    E[y_{t−1}]), h_0 = s_0; context_t = Σ_s α_ts m_s (`nn.Attention`); ĥ_t = tanh(c + W [h_t; context_t]);
    o_t = c + V ĥ_t. (Bahdanau, Cho and Bengio 2015; Luong, Pham and Manning 2015, equations 5 to 8, without input
    feeding: so the decoder's steps wait for nothing but its own state, and attention, ĥ and o are products over all
    T·B rows.)

    With `copy`, g_t = σ(w · [h_t; context_t; E[y_{t−1}]]) and P = g P_V + (1 − g) α (`losses.CopyCrossEntropy`).

    Args:
        op: who asks, for messages.
        tokens: how many ids there are to write.
        read_sizes: the numbers of z, in as many parts as the decoder has layers; or all for all layers in one part.
        memory_size: K.
        unknown_id: what the decoder reads for a word that it has copied and its vocabulary lacks.
        cell, embedding_size, hidden_size, layers, attention, copy, dropout, recurrent_dropout, label_smoothing, tied,
            seed, dtype: see `Seq2Seq`.

    Attributes:
        parameters, gradients: of all layers, one flat vector each.
    """

    parameters: Parameters
    gradients: Parameters

    def __init__(
        self,
        op: str,
        tokens: int,
        read_sizes: Sequence[int],
        memory_size: int,
        *,
        unknown_id: int,
        cell: str,
        embedding_size: int,
        hidden_size: int,
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
        I, H, K = check_size(op, "embedding_size", embedding_size), hidden_size, memory_size
        self.unknown_id, self.copy = unknown_id, copy
        self.target_embedding = Embedding(tokens, I, seed=seed, dtype=dtype)
        decoder = build_recurrent(
            op,
            cell,
            I,
            H,
            seed=seed + 3,
            layers=layers,
            dropout=dropout,
            recurrent_initializer="orthogonal",
            recurrent_dropout=recurrent_dropout,
            dtype=dtype,
        )
        assert not isinstance(decoder, Bidirectional)  # it writes forwards
        self.decoder = decoder
        states = state_sizes(decoder) if len(read_sizes) > 1 else [decoder.state_size]
        self.bridge = Bridge(list(zip(read_sizes, states, strict=True)), seed=seed + 4, dtype=dtype)
        self.attention = None if attention is None else Attention(H, K, attention, seed=seed + 5, dtype=dtype)
        # ĥ is as wide as the embedding where that is the output layer; without attention it may be h itself.
        width, joined = I if tied else H, H + (0 if attention is None else K)
        plain = attention is None and width == H
        self.combination = None if plain else Linear(joined, width, seed=seed + 6, dtype=dtype)
        self.gate = Linear(joined + I, 1, seed=seed + 7, dtype=dtype) if copy else None
        self.output_dropout = Dropout(dropout)
        self.output: Linear
        if tied:
            self.output = TiedLinear(self.target_embedding)
            self.target_embedding.initialize("E", "normal", I**-0.5, seed)
            enlarge(decoder, I)
        else:
            self.output = Linear(width, tokens, seed=seed + 8, dtype=dtype)
        self.cross_entropy = SoftmaxCrossEntropy()
        self.objective = SoftmaxCrossEntropy(label_smoothing=label_smoothing)
        self.copy_cross_entropy = CopyCrossEntropy()

    def writing_layers(self) -> dict[str, Layer]:
        """The layers that have parameters, by the names that these begin with."""
        layers: dict[str, Layer | None] = {
            "target_embedding": self.target_embedding,
            "bridge": self.bridge,
            "decoder": self.decoder,
            "attention": self.attention,
            "combination": self.combination,
            "gate": self.gate,
            "output": self.output,
        }
        return {name: layer for name, layer in layers.items() if layer is not None and layer.parameters.size}

    def read(self, batch: Any, *, gradient: bool = False, noise: int | None = None) -> Encoded:
        """What there is to write about, of a batch's B sources."""
        raise NotImplementedError

    def read_backward(self, encoded: Encoded, dmemory: Array | None, dz: Array) -> None:
        """Back from the memory (S, B, K), where it was attended to, and from z (B, ·)."""
        raise NotImplementedError

    @property
    def stochastic(self) -> bool:
        """Whether `loss` takes noise: whether there is dropout."""
        return bool(self.output_dropout.rate) or self.decoder.stochastic

    def decode(
        self,
        encoded: Encoded,
        batch: TargetBatch,
        *,
        gradient: bool = False,
        noise: int | None = None,
    ) -> Decoded:
        """All steps of the targets at once, each from the words before it (teacher forcing)."""
        inputs, lengths = self.known(batch.inputs), batch.lengths
        own = part_noise(noise, 1)
        options: dict[str, Any] = {"lengths": lengths, "gradient": gradient, "noise": own, "keys": batch.keys}
        h, rnn = self.decoder.forward_tokens(self.target_embedding, inputs, encoded.state, **options)
        joined, attention, combined, gating, gate = h, None, None, None, None
        if self.attention is not None:
            assert encoded.memory is not None
            context, attention = self.attention.forward(h, encoded.memory, encoded.lengths, lengths)
            joined = _rnnrs.join_last(h, context)
        if self.gate is not None:
            x, cache_x = self.target_embedding.forward(inputs)
            gate, cache_g = self.gate.forward(_rnnrs.join_last(joined, x))
            _rnnrs.activate("sigmoid", gate)
            gate, gating = gate[..., 0], (cache_g, cache_x)
        h_hat = joined
        if self.combination is not None:
            h_hat, cache_c = self.combination.forward(joined)
            _rnnrs.activate("tanh", h_hat)
            combined = h_hat, cache_c
        h_hat, dropout = self.output_dropout.forward(h_hat, part_noise(noise, 2), batch.keys)
        return Decoded(h_hat, gate, rnn, attention, combined, gating, dropout)

    def loss(
        self, batch: Any, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, None]:
        """The mean of −ln P over the scored words; adds its gradient to the gradients.

        Where gradients are wanted, labels are smoothed; else not.
        """
        encoded = self.read(batch, gradient=gradient, noise=noise)
        decoded = self.decode(encoded, batch, gradient=gradient, noise=noise)
        if self.copy:
            L, _, dh_hat, dgate, dcopied = self._through_copies(decoded, batch, gradient)
        else:
            criterion = self.objective if gradient else self.cross_entropy
            L, _, dh_hat = criterion.through(self.output, decoded.h_hat, batch.targets, gradient=gradient)
            dgate = dcopied = None
        if gradient:
            assert dh_hat is not None  # wanted
            self.backward(encoded, decoded, batch, dh_hat, dgate, dcopied)
        return L, None

    def backward(
        self,
        encoded: Encoded,
        decoded: Decoded,
        batch: Any,
        dh_hat: Array,
        dgate: Array | None = None,
        dcopied: Array | None = None,
    ) -> None:
        """Back from ĥ, the gate and what was copied: through attention and decoder into what was read."""
        d = self.output_dropout.backward(decoded.dropout, dh_hat)
        if self.combination is not None and decoded.combined is not None:
            h_hat, cache = decoded.combined
            d = np.array(d)
            _rnnrs.differentiate("tanh", h_hat, d)
            d = _given(self.combination.backward(cache, d))
        if self.gate is not None and decoded.gate is not None and decoded.gating is not None:
            assert dgate is not None
            cache_g, cache_x = decoded.gating
            da = (dgate * decoded.gate * (1.0 - decoded.gate))[..., None]
            dall = _given(self.gate.backward(cache_g, da))
            own, dx = _rnnrs.split_last(dall, d.shape[2])
            d = d + own
            self.target_embedding.backward(cache_x, dx)
        dmemory: Array | None = None
        if self.attention is not None and decoded.attention is not None:
            dalpha = None if dcopied is None else attended_backward(decoded.attention, batch, dcopied)
            d, dcontext = _rnnrs.split_last(d, self.decoder.hidden_size)
            dq, dmemory = self.attention.backward(decoded.attention, dcontext, dalpha)
            d += dq
        dstate = self.decoder.backward_tokens(self.target_embedding, decoded.rnn, d)
        dz = self.bridge.backward(encoded.bridge, dstate)
        self.read_backward(encoded, dmemory, dz)

    def losses(self, batch: Any) -> Array:
        """−ln P of every word (T, B); 0 where none is scored."""
        return self.losses_of(self.read(batch), batch)

    def losses_of(self, encoded: Encoded, batch: Any) -> Array:
        """The same of what was read before."""
        decoded = self.decode(encoded, batch)
        if self.copy:
            return self._through_copies(decoded, batch, False).positions
        return self.cross_entropy.through(self.output, decoded.h_hat, batch.targets, gradient=False).positions

    def _through_copies(self, decoded: Decoded, batch: PairBatch, gradient: bool) -> CopyEvaluation:
        assert decoded.attention is not None and decoded.gate is not None
        copied = attended(decoded.attention, batch)
        return self.copy_cross_entropy.through(
            self.output, decoded.h_hat, batch.targets, decoded.gate, copied, gradient=gradient
        )

    def known(self, ids: Array) -> Array:
        """Ids with `unknown_id` in the place of words that were copied and are in no vocabulary."""
        if not self.copy:
            return ids
        return np.where(np.asarray(ids) < self.target_embedding.vocabulary_size, ids, self.unknown_id)

    def packed_decoder(self) -> _rnnrs.Decoder:
        """The decoder with its weights packed once, for one step at a time."""
        output, attention = self.output.parameters, self.attention
        return _rnnrs.Decoder(
            self.target_embedding.parameters["E"],
            self.decoder.engine_weights(),
            output["V"],
            output["c"],
            0 if attention is None else attention.memory_size,
            None if attention is None else attention.query_weights(),
            attention.parameters["v"] if attention is not None and attention.kind == "additive" else None,
            _affine(self.combination),
            _affine(self.gate),
        )


def enlarge(rnn: Recurrent | Bidirectional | Stack, size: int) -> None:
    """What reads an embedding of so many numbers that begins as small as an output layer is the larger for it."""
    lowest = rnn.layers[0].parameters if isinstance(rnn, Stack) else rnn.parameters
    for name in lowest:
        if name.rpartition(".")[2] == "U":
            lowest[name][...] *= size**0.5


def _affine(layer: Linear | None) -> tuple[Array, Array] | None:
    return None if layer is None else (layer.parameters["V"], layer.parameters["c"])


def _given(gradient: Array | None) -> Array:
    assert gradient is not None  # wanted by default
    return gradient
