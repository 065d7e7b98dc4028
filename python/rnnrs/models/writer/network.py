"""The decoder: a recurrent network that writes word by word and attends to an encoded input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

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
    TiedLinear,
)
from ...nn.build import build_recurrent
from ...nn.guarded import adding, adding_with_gradients, reading
from ...nn.layer import Layer
from ...nn.noise import check_rate, part_noise
from ...nn.stack import learn
from ...shown import short_repr
from ...types import Array
from .bridge import Bridge, BridgeCache, state_sizes
from .building import check_attention, enlarge
from .copying import attended, attended_backward, check_copies
from .decoded import Decoded, TargetBatch


class Encoded(NamedTuple):
    """An encoded input.

    Attributes:
        memory: the states m (S, B, K) that the decoder attends to; None if nothing attends to them.
        lengths: the number of steps of each sequence in memory (B,); None for S.
        state: the decoder's initial state s_0 (B, ·).
        reader: the encoder's cache for the backward pass.
        bridge: the bridge's cache.
    """

    memory: Array | None
    lengths: Array | None
    state: Array
    reader: Any
    bridge: BridgeCache

    def __repr__(self) -> str:
        return short_repr(self)


class DecoderNetwork:
    """P(y_1 … y_T | x) = Π_t P(y_t | y_1 … y_{t−1}, x), for an x of any kind: subclasses define the input.

    A subclass encodes x as a vector z and a memory m_1 … m_S. Then

    s_0 = tanh(c + V z), the bridge; h_t = cell(h_{t−1}, E[y_{t−1}]), h_0 = s_0;
    context_t = Σ_s α_ts m_s (`nn.Attention`); ĥ_t = tanh(c + W [h_t; context_t]); o_t = c + V ĥ_t.

    (Bahdanau, Cho and Bengio 2015; Luong, Pham and Manning 2015, equations 5 to 8, without input feeding. So
    the decoder's recurrence depends on its own state alone, and attention, ĥ and o are products over all T·B
    rows.)

    With `copy`, g_t = σ(c + w · [h_t; context_t; E[y_{t−1}]]) and P = g P_V + (1 − g) α
    (`losses.CopyCrossEntropy`).

    Args:
        op: the caller's name, for error messages.
        tokens: the number of token ids that can be written.
        read_sizes: the size of z: one part per layer of the decoder, or one part for all layers.
        memory_size: K.
        unknown_id: the decoder's input after a copied word that its vocabulary lacks.
        cell, embedding_size, hidden_size, layers, attention, copy, dropout, recurrent_dropout,
            label_smoothing, tied, seed, dtype: see `Seq2Seq`.

    Attributes:
        parameters, gradients: those of all layers, one flat vector each.

    Raises:
        ValueError, TypeError: for options out of range, or that exclude each other.
    """

    parameters: Parameters
    gradients: Parameters

    __repr__ = short_repr

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
        I, H = check_size(op, "embedding_size", embedding_size), check_size(op, "hidden_size", hidden_size)
        K, seed = memory_size, check_size(op, "seed", seed, least=0)
        check_attention(op, attention, H, K)
        check_rate(op, "label_smoothing", label_smoothing)
        self._op, self.unknown_id, self.copy = op, unknown_id, copy
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
        assert not isinstance(decoder, Bidirectional)  # it writes from the first word to the last
        self.decoder = decoder
        states = state_sizes(decoder) if len(read_sizes) > 1 else [decoder.state_size]
        self.bridge = Bridge(list(zip(read_sizes, states, strict=True)), seed=seed + 4, dtype=dtype)
        self.attention = None if attention is None else Attention(H, K, attention, seed=seed + 5, dtype=dtype)
        # With tied weights, ĥ has the embedding's size. Without attention, it may be h itself.
        width, joined = I if tied else H, H if attention is None else H + K
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
        """Returns the layers that have parameters, by the prefix of the parameters' names."""
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
        """Encodes the B inputs of a batch; subclasses implement it."""
        raise NotImplementedError

    def read_backward(self, encoded: Encoded, dmemory: Array | None, dz: Array) -> None:
        """Backward pass of `read`, from dm (S, B, K), or None without attention, and dz (B, ·)."""
        raise NotImplementedError

    @property
    def reader_is_trained(self) -> bool:
        """Whether a layer that encodes the input is not frozen; subclasses implement it."""
        raise NotImplementedError

    @property
    def stochastic(self) -> bool:
        """Whether `loss` uses noise, that is, whether there is dropout."""
        return bool(self.output_dropout.rate) or self.decoder.stochastic

    @reading
    def decode(
        self,
        encoded: Encoded,
        batch: TargetBatch,
        *,
        gradient: bool = False,
        noise: int | None = None,
    ) -> Decoded:
        """Computes all steps of the targets at once, each from the previous words (teacher forcing)."""
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

    @adding_with_gradients
    def loss(
        self, batch: Any, state: Any = None, *, gradient: bool = True, noise: int | None = None
    ) -> tuple[float, None]:
        """Returns the mean of −ln P over the scored words, in nats; adds its gradient to `gradients`.

        0 for a batch without a scored word.

        Label smoothing applies only with `gradient`.

        Raises:
            IndexError: for an id out of range.
            ShapeError: if the shapes do not match.
        """
        return self._words_loss(batch, gradient, noise), None

    def _words_loss(self, batch: Any, gradient: bool, noise: int | None, words: int | None = None) -> float:
        """Returns `loss`; with `words`, the sum over the scored words, divided by this number."""
        if not batch.positions:
            return 0.0
        encoded = self.read(batch, gradient=gradient, noise=noise)
        decoded = self.decode(encoded, batch, gradient=gradient, noise=noise)
        if self.copy:
            L, _, dh_hat, dgate, dcopied = self._through_copies(decoded, batch, gradient, words)
        else:
            L, dh_hat = self._through_output(decoded, batch, gradient, words)
            dgate = dcopied = None
        if gradient:
            assert dh_hat is not None
            self.backward(encoded, decoded, batch, dh_hat, dgate, dcopied)
        return L

    def _through_output(
        self, decoded: Decoded, batch: TargetBatch, gradient: bool, words: int | None
    ) -> tuple[float, Array | None]:
        """Returns the words' loss, see `_words_loss`, and dĥ."""
        criterion = self.objective if gradient else self.cross_entropy
        weights = None
        if words is not None:
            criterion = SoftmaxCrossEntropy("sum", label_smoothing=criterion.label_smoothing)
            weights = np.full(batch.targets.shape, 1 / words)
        h_hat, targets = decoded.h_hat, batch.targets
        L, _, dh_hat = criterion.through(self.output, h_hat, targets, weights, gradient=gradient)
        return L, dh_hat

    @adding
    def backward(
        self,
        encoded: Encoded,
        decoded: Decoded,
        batch: Any,
        dh_hat: Array,
        dgate: Array | None = None,
        dcopied: Array | None = None,
    ) -> None:
        """Backward pass from dĥ, dg and dp (of copying) through attention, decoder, bridge and encoder.

        Nothing is computed that only frozen parameters need.
        """
        reads = self.bridge.parameters.are_trained or self.reader_is_trained
        decodes = any(layer.parameters.are_trained for layer in (self.decoder, self.target_embedding))
        combines = [self.combination, self.gate, self.attention]
        if not (
            reads or decodes or any(layer is not None and layer.parameters.are_trained for layer in combines)
        ):
            return
        d, dmemory = self._above_decoder(decoded, batch, dh_hat, dgate, dcopied)
        if not reads:
            learn(self.decoder, self.target_embedding, decoded.rnn, d)
            return
        dstate = self.decoder.backward_tokens(self.target_embedding, decoded.rnn, d)
        dz = self.bridge.backward(encoded.bridge, dstate)
        if self.reader_is_trained:
            self.read_backward(encoded, dmemory, dz)

    def _above_decoder(
        self, decoded: Decoded, batch: Any, dh_hat: Array, dgate: Array | None, dcopied: Array | None
    ) -> tuple[Array, Array | None]:
        """Backward pass through output dropout, combination, gate and attention: dh, and dm (S, B, K)."""
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
        if self.attention is None or decoded.attention is None:
            return d, None
        dalpha = None if dcopied is None else attended_backward(decoded.attention, batch, dcopied)
        d, dcontext = _rnnrs.split_last(d, self.decoder.hidden_size)
        dq, dmemory = self.attention.backward(decoded.attention, dcontext, dalpha)
        d += dq
        return d, dmemory

    @reading
    def losses(self, batch: Any) -> Array:
        """Returns −ln P of every word (T, B); 0 at positions that are not scored."""
        return self.losses_of(self.read(batch), batch)

    @reading
    def losses_of(self, encoded: Encoded, batch: Any) -> Array:
        """`losses`, for an input that is already encoded."""
        decoded = self.decode(encoded, batch)
        if self.copy:
            return self._through_copies(decoded, batch, False).positions
        return self.cross_entropy.through(self.output, decoded.h_hat, batch.targets, gradient=False).positions

    def _through_copies(
        self, decoded: Decoded, batch: PairBatch, gradient: bool, words: int | None = None
    ) -> CopyEvaluation:
        assert decoded.attention is not None and decoded.gate is not None
        check_copies(f"{self._op}.loss", batch)
        copied = attended(decoded.attention, batch)
        criterion, weights = self.copy_cross_entropy, None
        if words is not None:
            criterion, weights = CopyCrossEntropy("sum"), np.full(batch.targets.shape, 1 / words)
        given: dict[str, Any] = {"weights": weights, "gradient": gradient}
        return criterion.through(self.output, decoded.h_hat, batch.targets, decoded.gate, copied, **given)

    def known(self, ids: Array) -> Array:
        """Returns ids with `unknown_id` in place of copied words that the vocabulary lacks."""
        if not self.copy:
            return ids
        return np.where(np.asarray(ids) < self.target_embedding.vocabulary_size, ids, self.unknown_id)

    @reading
    def packed_decoder(self) -> _rnnrs.Decoder:
        """Packs the decoder's weights, for one step at a time."""
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


def _affine(layer: Linear | None) -> tuple[Array, Array] | None:
    return None if layer is None else (layer.parameters["V"], layer.parameters["c"])


def _given(gradient: Array | None) -> Array:
    assert gradient is not None  # dx is computed by default
    return gradient
