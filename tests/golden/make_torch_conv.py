"""Makes torch_conv.npz: PyTorch's results for convolution, pooling and batch normalization, as a reference.

    python tests/golden/make_torch_conv.py        (needs torch and numpy; writes into its own folder)

All arrays are float64. Keys are `<conv|max|mean>/<case>/<quantity>`, where a case is its index in `CASES` or
`POOLS`. As in this package, channels are the last axis and kernels are (kernel height, kernel width, I, O).
`sizes` contains kernel, stride and padding, each along Y and X. The mean is PyTorch's with
`count_include_pad=False`. The loss is Σ dy ⊙ y for a fixed dy. `norm/0` is a batch normalization in training
mode, with its moving averages after the batch; `norm/1` is the same layer afterwards, in inference mode.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

TARGET = Path(__file__).with_name("torch_conv.npz")

#: (B, Y, X, I, O), kernel, stride, padding
CASES = [
    ((2, 6, 5, 3, 4), (3, 3), (1, 1), (1, 1)),
    ((1, 7, 8, 2, 17), (3, 2), (2, 3), (1, 0)),
    ((3, 1, 1, 4, 2), (3, 3), (1, 1), (1, 1)),
    ((1, 2, 3, 2, 3), (5, 4), (1, 2), (3, 2)),
    ((2, 9, 7, 1, 5), (2, 1), (3, 4), (0, 0)),
]

#: (B, Y, X, C), kernel, stride, padding
POOLS = [
    ((2, 6, 4, 3), (2, 2), (2, 2), (0, 0)),
    ((1, 7, 6, 2), (3, 2), (2, 1), (1, 1)),
    ((2, 5, 5, 1), (2, 2), (3, 3), (1, 0)),
    ((1, 3, 4, 5), (3, 4), (1, 1), (0, 0)),
]


def first(x: Tensor) -> Tensor:
    """Moves the channels from the last axis to the one after the batch."""
    return x.permute(0, 3, 1, 2)


def last(x: Tensor) -> np.ndarray:
    """Moves the channels to the last axis and converts to NumPy."""
    return np.ascontiguousarray(x.detach().permute(0, 2, 3, 1).numpy())


def convolution(case: int) -> dict[str, np.ndarray]:
    """Returns the arrays of a layer with tanh: forward and backward pass."""
    (B, Y, X, I, O), kernel, stride, padding = CASES[case]
    draw = torch.Generator().manual_seed(case)
    x, K, b = (
        torch.randn(size, generator=draw, dtype=torch.float64).requires_grad_()
        for size in [(B, Y, X, I), (*kernel, I, O), (O,)]
    )
    y = torch.tanh(F.conv2d(first(x), K.permute(3, 2, 0, 1), b, stride, padding))
    dy = torch.randn(y.shape, generator=draw, dtype=torch.float64)
    (dy * y).sum().backward()
    arrays = {"x": x, "K": K, "b": b, "dx": x.grad, "dK": K.grad, "db": b.grad}
    return {
        **{name: array.detach().numpy() for name, array in arrays.items()},
        **{"y": last(y), "dy": last(dy), "sizes": np.array([kernel, stride, padding])},
    }


def pooling(kind: str, case: int) -> dict[str, np.ndarray]:
    """Returns the arrays of a max or mean pooling: forward and backward pass.

    The inputs take few distinct values, so that ties occur.
    """
    size, kernel, stride, padding = POOLS[case]
    draw = torch.Generator().manual_seed(case)
    x = torch.randint(-2, 3, size, generator=draw).double().requires_grad_()
    if kind == "max":
        y = F.max_pool2d(first(x), kernel, stride, padding)
    else:
        y = F.avg_pool2d(first(x), kernel, stride, padding, count_include_pad=False)
    dy = torch.randn(y.shape, generator=draw, dtype=torch.float64)
    (dy * y).sum().backward()
    return {
        **{"x": x.detach().numpy(), "y": last(y), "dy": last(dy), "dx": x.grad.numpy()},
        "sizes": np.array([kernel, stride, padding]),
    }


def normalization() -> dict[str, np.ndarray]:
    """Returns the arrays of a batch normalization: a batch in training mode, then one in inference mode."""
    draw = torch.Generator().manual_seed(9)
    layer = torch.nn.BatchNorm2d(4, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(4, generator=draw))
        layer.bias.copy_(torch.randn(4, generator=draw))
    arrays = {
        "norm/gamma": layer.weight.detach().numpy().copy(),
        "norm/beta": layer.bias.detach().numpy().copy(),
    }
    for case in range(2):
        layer.train(case == 0).zero_grad()
        x = (3 * torch.randn((3, 4, 2, 4), generator=draw, dtype=torch.float64) + 1).requires_grad_()
        y = layer(first(x))
        dy = torch.randn(y.shape, generator=draw, dtype=torch.float64)
        (dy * y).sum().backward()
        tensors = {"x": x, "dx": x.grad, "dgamma": layer.weight.grad, "dbeta": layer.bias.grad}
        tensors |= {"mean": layer.running_mean, "variance": layer.running_var}
        arrays |= {f"norm/{case}/{name}": tensor.detach().numpy().copy() for name, tensor in tensors.items()}
        arrays |= {f"norm/{case}/y": last(y), f"norm/{case}/dy": last(dy)}
    return arrays


def main() -> None:
    """Writes the file."""
    groups = {f"conv/{case}": convolution(case) for case in range(len(CASES))}
    for kind in ("max", "mean"):
        groups.update({f"{kind}/{case}": pooling(kind, case) for case in range(len(POOLS))})
    arrays = {f"{name}/{key}": array for name, group in groups.items() for key, array in group.items()}
    arrays |= normalization()
    np.savez_compressed(TARGET, **arrays)
    print(f"{TARGET.name}: {len(arrays)} arrays, {TARGET.stat().st_size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()
