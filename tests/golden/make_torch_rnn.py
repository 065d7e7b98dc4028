"""Makes torch_rnn.npz: PyTorch's results for the network of the equations, as a reference for this package.

    python tests/golden/make_torch_rnn.py        (needs torch and numpy; writes into its own folder)

Embedding → `nn.RNN` → `nn.Linear` → cross-entropy, at T=7, B=3, V=11, E=5, H=8; tanh and relu; float32 and
float64 from the same initial weights, which float32 represents exactly. Keys are `<dtype>/<case>/<quantity>`:

- `tanh`, `relu`: ids, y, h0, the parameters, h, logits, loss, every gradient, dx (embedded inputs), dh0.
- `tanh/sgd`, `tanh/adam`, …: ten steps on that batch with the gradient norm clipped: losses and norms before
  each step's update, and the parameters after the last one.
- `loss/…`: losses alone, of scores o against targets y: L and do, as mean and as sum over positions.

Three choices reconcile PyTorch's definitions with ours:

- `nn.RNN` has two biases; their sum is our b. The second stays frozen at zero, so that training changes one
  bias, as here.
- Clipping multiplies by exactly max_norm / norm; `clip_grad_norm_` would add 1e-6 to the norm.
- Class weights together with label smoothing weight a position as a whole, by its correct class.
  `nn.CrossEntropyLoss(weight=…, label_smoothing=…)` would weight each class's share of the smoothed target
  separately, so that case is built from unweighted losses. With only one of the two settings, the loss is
  PyTorch's own.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

T, B, V, E, H = 7, 3, 11, 5, 8
STEPS = 10
MAX_NORM = 0.33
SMOOTHING = 0.1
IGNORED = -1
TARGET = Path(__file__).with_name("torch_rnn.npz")
Arrays = dict[str, np.ndarray]
Loss = Callable[[Tensor, Tensor], Tensor]


class Network(nn.Module):
    """Embedding, recurrence, output layer."""

    def __init__(self, nonlinearity: str, dtype: torch.dtype) -> None:
        super().__init__()
        torch.manual_seed(0)  # the weights are sampled in float32, then converted
        self.embedding = nn.Embedding(V, E)
        self.rnn = nn.RNN(E, H, nonlinearity=nonlinearity)
        self.output = nn.Linear(H, V)
        self.rnn.bias_hh_l0.data.zero_()
        self.rnn.bias_hh_l0.requires_grad_(False)
        self.to(dtype)

    def named(self) -> dict[str, nn.Parameter]:
        """Returns the parameters by this package's names."""
        return {
            "embedding.E": self.embedding.weight,
            "rnn.U": self.rnn.weight_ih_l0,
            "rnn.W": self.rnn.weight_hh_l0,
            "rnn.b": self.rnn.bias_ih_l0,
            "output.V": self.output.weight,
            "output.c": self.output.bias,
        }

    def forward(self, ids: Tensor, h0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns x (T, B, E), h (T, B, H), o (T, B, V) for ids (T, B) and h0 (B, H)."""
        x = self.embedding(ids)
        h, _ = self.rnn(x, h0[None])
        return x, h, self.output(h)


def array(tensor: Tensor) -> np.ndarray:
    """Returns a copy as a NumPy array."""
    return tensor.detach().numpy().copy()


def batch(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Returns ids (T, B), y (T, B), h0 (B, H)."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(V, (T, B), generator=generator)
    y = torch.randint(V, (T, B), generator=generator)
    h0 = torch.rand(B, H, generator=generator) - 0.5
    return ids, y, h0.to(dtype)


def cross_entropy(o: Tensor, y: Tensor) -> Tensor:
    """Returns the mean over all positions."""
    return F.cross_entropy(o.reshape(-1, V), y.reshape(-1))


def one_pass(nonlinearity: str, dtype: torch.dtype) -> Arrays:
    """Returns every quantity of one forward and backward pass."""
    network = Network(nonlinearity, dtype)
    ids, y, h0 = batch(dtype)
    h0.requires_grad_()
    x, h, o = network(ids, h0)
    x.retain_grad()
    loss = cross_entropy(o, y)
    loss.backward()
    assert x.grad is not None and h0.grad is not None
    arrays = {"ids": array(ids), "y": array(y), "h0": array(h0), "h": array(h), "logits": array(o)}
    arrays |= {"loss": array(loss), "dx": array(x.grad), "dh0": array(h0.grad)}
    for name, parameter in network.named().items():
        assert parameter.grad is not None
        arrays[f"parameters/{name}"] = array(parameter)
        arrays[f"gradients/{name}"] = array(parameter.grad)
    return arrays


def optimizer(name: str, network: Network) -> torch.optim.Optimizer:
    """Returns an optimizer with the settings that the test uses, too."""
    parameters = network.named().values()
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=0.5, momentum=0.9)
    return torch.optim.Adam(parameters, lr=0.01)


def clip(network: Network) -> Tensor:
    """Scales the gradients to a global norm of at most MAX_NORM; returns the norm before scaling."""
    gradients = [p.grad for p in network.named().values() if p.grad is not None]
    norm = torch.sqrt(sum(((g**2).sum() for g in gradients), start=gradients[0].new_zeros(())))
    if norm > MAX_NORM:
        for g in gradients:
            g.mul_(MAX_NORM / norm)
    return norm


def training(nonlinearity: str, dtype: torch.dtype, name: str) -> Arrays:
    """Returns losses, norms and parameters of ten steps on one batch."""
    network = Network(nonlinearity, dtype)
    ids, y, h0 = batch(dtype)
    rule = optimizer(name, network)
    losses, norms = [], []
    for _ in range(STEPS):
        rule.zero_grad()
        loss = cross_entropy(network(ids, h0)[2], y)
        loss.backward()
        norms.append(clip(network))
        losses.append(loss)
        rule.step()
    assert not network.rnn.bias_hh_l0.any(), "the second bias has changed"
    after = {f"parameters/{n}": array(p) for n, p in network.named().items()}
    return {"losses": array(torch.stack(losses)), "norms": array(torch.stack(norms)), **after}


def softmax_loss(smoothing: float, weights: Tensor | None, reduction: str) -> Loss:
    """Returns cross-entropy with ignored positions and optional label smoothing and class weights."""

    def loss(o: Tensor, y: Tensor) -> Tensor:
        rows, answers = o.reshape(-1, V), y.reshape(-1)
        if not (smoothing and weights is not None):
            return F.cross_entropy(
                rows, answers, weights, ignore_index=IGNORED, reduction=reduction, label_smoothing=smoothing
            )
        scored = answers != IGNORED
        each = F.cross_entropy(rows[scored], answers[scored], reduction="none", label_smoothing=smoothing)
        own = weights[answers[scored]]
        total = (own * each).sum()
        return total / own.sum() if reduction == "mean" else total

    return loss


def by_position(term: Loss, reduction: str) -> Loss:
    """Returns a loss that sums the terms of each position, then takes the mean or sum over positions."""

    def loss(o: Tensor, y: Tensor) -> Tensor:
        positions = term(o, y).sum(dim=-1)
        return positions.mean() if reduction == "mean" else positions.sum()

    return loss


def losses(dtype: torch.dtype) -> dict[str, Arrays]:
    """Returns each loss alone, all computed from the same scores."""
    generator = torch.Generator().manual_seed(2)
    scores = (3.0 * torch.randn(T, B, V, generator=generator)).to(dtype)
    y = torch.randint(V, (T, B), generator=generator)
    y[0, 0] = y[2, 1] = y[T - 1, B - 1] = IGNORED
    labels = (torch.rand(T, B, V, generator=generator) < 0.3).to(dtype)
    values = torch.randn(T, B, V, generator=generator).to(dtype)
    weights = (0.5 + torch.rand(V, generator=generator)).to(dtype)
    result: dict[str, Arrays] = {"inputs": {"o": array(scores), "class_weights": array(weights)}}

    def add(name: str, loss: Loss, target: Tensor) -> None:
        o = scores.clone().requires_grad_()
        L = loss(o, target)
        L.backward()
        assert o.grad is not None
        result[name] = {"y": array(target), "L": array(L), "do": array(o.grad)}

    for reduction in ("mean", "sum"):
        for name, smoothing, given in (
            ("ignored", 0.0, None),
            ("smoothed", SMOOTHING, None),
            ("weighted", 0.0, weights),
            ("smoothed_weighted", SMOOTHING, weights),
        ):
            add(f"softmax/{name}/{reduction}", softmax_loss(smoothing, given, reduction), y)
        bce = by_position(lambda o, t: F.binary_cross_entropy_with_logits(o, t, reduction="none"), reduction)
        add(f"sigmoid/{reduction}", bce, labels)
        add(f"squared/{reduction}", by_position(lambda o, t: (o - t) ** 2, reduction), values)
    return result


def everything(dtype: torch.dtype) -> Arrays:
    """Returns all cases at one precision, by `<case>/<quantity>`."""
    cases = {f"loss/{name}": arrays for name, arrays in losses(dtype).items()}
    for nonlinearity in ("tanh", "relu"):
        cases[nonlinearity] = one_pass(nonlinearity, dtype)
        for name in ("sgd", "adam"):
            cases[f"{nonlinearity}/{name}"] = training(nonlinearity, dtype, name)
    return {f"{case}/{name}": a for case, arrays in cases.items() for name, a in arrays.items()}


def main() -> None:
    """Computes all cases, checks the two precisions against each other, writes the file."""
    torch.set_num_threads(1)
    single, double = everything(torch.float32), everything(torch.float64)
    worst = max(float(np.max(np.abs(single[k] - double[k]) / (1 + np.abs(double[k])))) for k in single)
    assert worst < 2e-6, f"float32 is {worst:.1e} from float64: too ill-conditioned to test against"
    for nonlinearity in ("tanh", "relu"):
        norms = double[f"{nonlinearity}/sgd/norms"]
        assert norms.min() < MAX_NORM < norms.max(), f"clipping should act on some steps only: {norms}"
    versions = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
    made_with = [f"{name} {version}" for name, version in versions.items()]
    arrays = {f"float32/{k}": a for k, a in single.items()} | {f"float64/{k}": a for k, a in double.items()}
    np.savez_compressed(TARGET, made_with=np.array(made_with), **arrays)  # type: ignore[arg-type]
    print(", ".join(made_with))
    size = TARGET.stat().st_size / 1024
    print(f"{TARGET.name}: {len(arrays)} arrays, {size:.0f} KiB; float32 within {worst:.1e} of float64")


if __name__ == "__main__":
    main()
