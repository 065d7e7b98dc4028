"""Makes torch_recurrent.npz: results of PyTorch's recurrent layers, as a reference for `rnnrs.interop.torch`.

    python tests/golden/make_torch_recurrent.py        (needs torch and numpy; writes into its own folder)

The layers are `nn.RNN` (tanh and relu), `nn.LSTM` and `nn.GRU`, with 1 to 3 layers, unidirectional and
bidirectional, without lengths and with lengths (packed), in float32. `numbers` contains all arrays
concatenated, in the order of `index`, which is JSON: case → quantity → shape. The quantities are the state
dict's names, x and the initial states; h and the last states; and, for L = Σ dh ⊙ h + Σ dlast ⊙ last, the
gradients of every weight (`grad.<name>`), of x and of the initial states.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

T, B, I, H = 5, 3, 3, 4
LENGTHS = torch.tensor([3, 5, 1])
TARGET = Path(__file__).with_name("torch_recurrent.npz")
KINDS = {
    "tanh": (nn.RNN, {"nonlinearity": "tanh"}),
    "relu": (nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (nn.LSTM, {}),
    "gru": (nn.GRU, {}),
}


def case(kind: str, layers: int, both: bool, lengths: bool) -> dict[str, np.ndarray]:
    """Returns all arrays of one layer."""
    torch.manual_seed(len(kind) + 10 * layers + 100 * both + 1000 * lengths)
    make, options = KINDS[kind]
    net = make(I, H, num_layers=layers, bidirectional=both, **options)
    x = torch.randn(T, B, I, requires_grad=True)
    first = [
        torch.randn(layers * (1 + both), B, H, requires_grad=True) for _ in range(2 if kind == "lstm" else 1)
    ]
    state = tuple(first) if kind == "lstm" else first[0]
    if lengths:
        packed = pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
        out, last = net(packed, state)
        h = pad_packed_sequence(out, total_length=T)[0]
    else:
        h, last = net(x, state)
    ends: list[Tensor] = list(last) if kind == "lstm" else [last]
    dh, dends = torch.randn_like(h), [torch.randn_like(end) for end in ends]
    loss = (h * dh).sum() + sum((end * d).sum() for end, d in zip(ends, dends, strict=True))
    loss.backward()
    found = {"x": x, "h": h, "dh": dh, "dx": x.grad} | dict(net.state_dict())
    for i, name in enumerate("hc"[: len(first)]):
        found |= {f"first.{name}": first[i], f"last.{name}": ends[i], f"dlast.{name}": dends[i]}
        found[f"dfirst.{name}"] = first[i].grad
    found |= {f"grad.{name}": weight.grad for name, weight in net.named_parameters()}
    return {name: value.detach().numpy() for name, value in found.items()}


def main() -> None:
    """Writes the file."""
    index, numbers = {}, []
    for kind, layers, both, lengths in product(KINDS, (1, 2, 3), (False, True), (False, True)):
        name = f"{kind}-{layers}-{'both' if both else 'one'}-{'lengths' if lengths else 'whole'}"
        arrays = case(kind, layers, both, lengths)
        index[name] = {key: value.shape for key, value in arrays.items()}
        numbers += [value.ravel() for value in arrays.values()]
    np.savez_compressed(
        TARGET,
        lengths=LENGTHS.numpy(),
        torch=np.array(torch.__version__),
        index=np.frombuffer(json.dumps(index, separators=(",", ":")).encode(), np.uint8),
        numbers=np.concatenate(numbers).astype(np.float32),
    )
    print(f"{TARGET.name}: {len(index)} cases, {TARGET.stat().st_size:,} bytes, PyTorch {torch.__version__}")


if __name__ == "__main__":
    main()
