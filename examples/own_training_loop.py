"""A training loop without `Trainer`: layers, backward passes, clipping and Adam.

The network reads a sequence of bits and predicts, at each step, the parity of all bits so far. One bit of
memory is enough, but it must be kept forever. A feed-forward network on a window cannot do this.
"""

import numpy as np

from rnnrs import losses, nn, optim

T, B = 12, 64
rng = np.random.default_rng(0)

rnn = nn.RNN(1, 24, recurrent_initializer="orthogonal", seed=1)
output = nn.Linear(24, 2, seed=2)
parameters, gradients = nn.join(rnn=rnn, output=output)
cross_entropy = losses.SoftmaxCrossEntropy()
adam = optim.Adam(3e-3)

for step in range(1, 1201):
    bits = rng.integers(0, 2, (T, B))
    parity = bits.cumsum(axis=0) % 2

    gradients.fill(0.0)
    h, rnn_cache = rnn.forward(2.0 * bits[..., None] - 1.0)  # forward pass
    o, output_cache = output.forward(h)
    L, do = cross_entropy(o, parity)
    dh = output.backward(output_cache, do)  # backward pass
    rnn.backward(rnn_cache, dh)
    optim.clip_norm(gradients, 1.0)
    adam.step(parameters, gradients)

    if step % 300 == 0:
        print(f"step {step}: loss {L:.4f}, right {np.mean(o.argmax(-1) == parity):.1%}")

assert np.mean(o.argmax(-1) == parity) > 0.95
