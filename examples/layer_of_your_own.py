"""A NumPy layer of your own between two of the library's, checked by finite differences.

The layer multiplies each state by a learned gain: y = s ⊙ h.
"""

import numpy as np

import rnnrs
from rnnrs import losses, nn
from rnnrs.data import Batch


class Gain(nn.Layer):
    """y = s ⊙ h, with s (H,)."""

    def __init__(self, size: int) -> None:
        super().__init__({"s": (size,)}, np.float64)
        self.parameters["s"] = np.ones(size)

    def forward(self, h):
        return self.parameters["s"] * h, h

    def backward(self, h, dy):
        self.gradients["s"] += (dy * h).sum(axis=(0, 1))
        return dy * self.parameters["s"]


class Network:
    """RNN, gain, output layer. `gradient_check` and `Trainer` require parameters, gradients and loss."""

    def __init__(self) -> None:
        self.rnn, self.gain = nn.RNN(3, 8, dtype="float64"), Gain(8)
        self.output = nn.Linear(8, 4, dtype="float64")
        self.cross_entropy = losses.SoftmaxCrossEntropy()
        self.parameters, self.gradients = nn.join(rnn=self.rnn, gain=self.gain, output=self.output)

    def loss(self, batch, state=None, *, gradient=True):
        h, rnn_cache = self.rnn.forward(batch.inputs, state)
        y, gain_cache = self.gain.forward(h)
        L, _, dy = self.cross_entropy.through(self.output, y, batch.targets, gradient=gradient)
        if gradient:
            self.rnn.backward(rnn_cache, self.gain.backward(gain_cache, dy))
        return L, h[-1]


rng = np.random.default_rng(0)
batch = Batch(rng.standard_normal((6, 5, 3)), rng.integers(0, 4, (6, 5)))
check = rnnrs.gradient_check(Network(), batch)
for name, error in check.relative_error.items():
    print(f"{name:10} relative error {error:.1e}")
assert check.worst < 1e-6
