"""PyTorch: `nn.RNN` in eager mode, with one thread and all, with and without oneDNN; the fastest counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import torch
from library import Variant
from numpy_ import changes
from tasks import (
    BETA1,
    BETA2,
    CHECKED_STEPS,
    EPSILON,
    LEARNING_RATE,
    MAX_NORM,
    Arrays,
    LanguageModelStep,
    NextToken,
    Recurrence,
    Sgemm,
    Task,
)
from torch import Tensor, nn
from torch.nn import functional as F

Tensors = dict[str, Tensor]


def version() -> str:
    return f"torch {torch.__version__}"


def variants(task: Task, threads: int) -> dict[str, Variant]:
    inputs = {name: torch.from_numpy(a) for name, a in task.inputs().items()}
    match task:
        case Recurrence(mode="forward"):
            return _settings(threads, partial(_forward, inputs, task.cell), onednn=(True, False))
        case Recurrence():
            return _settings(threads, partial(_train, inputs, task.cell), onednn=(True, False))
        case LanguageModelStep():
            by_adam = {}
            for adam in ("foreach", "fused"):
                for name, variant in _settings(threads, partial(_step, task, inputs, adam)).items():
                    by_adam[f"{adam} Adam, {name}"] = variant
            return by_adam
        case NextToken():
            return _settings(threads, partial(_next_tokens, inputs, _rnn_stepper)) | {
                f"RNNCell, {name}": variant
                for name, variant in _settings(threads, partial(_next_tokens, inputs, _cell_stepper)).items()
            }
        case Sgemm():
            A, B = inputs["A"], inputs["B"]
            return _settings(threads, lambda: Variant(lambda: A @ B, lambda: {"C": (A @ B).numpy()}))


def _settings(
    threads: int, make: Callable[[], Variant], onednn: tuple[bool, ...] = (True,)
) -> dict[str, Variant]:
    """Returns the same computation under every combination of settings."""
    found = {}
    for n, enabled in product(sorted({1, threads}), onednn):
        variant = make()

        def prepare(n: int = n, enabled: bool = enabled, variant: Variant = variant) -> None:
            torch.set_num_threads(n)
            torch.backends.mkldnn.set_flags(enabled)
            variant.prepare()

        name = f"{n} thread{'s' * (n > 1)}" + ("" if enabled else ", no oneDNN")
        found[name] = Variant(variant.run, variant.check, prepare)
    return found


def _rnn(weights: Tensors, cell: str = "rnn") -> nn.RNNBase:
    """Returns `nn.RNN`, `nn.LSTM` or `nn.GRU` with these weights.

    The second bias is zero and frozen, since the sum of the two is our b. A GRU's contains b_h and is
    trained.
    """
    H, I = weights["W"].shape[1], weights["U"].shape[1]
    rnn = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell](I, H)
    second = torch.zeros_like(weights["b"])
    if cell == "gru":
        second[2 * H :] = weights["b_h"]
    named = {"weight_ih_l0": weights["U"], "weight_hh_l0": weights["W"], "bias_ih_l0": weights["b"]}
    rnn.load_state_dict(named | {"bias_hh_l0": second})
    rnn.bias_hh_l0.requires_grad_(cell == "gru")
    return rnn


def _first(inputs: Tensors, cell: str) -> Tensor | tuple[Tensor, Tensor]:
    """Returns the initial state in the layer's form."""
    h0 = inputs["h0"][None]
    return (h0, torch.zeros_like(h0)) if cell == "lstm" else h0


def _forward(inputs: Tensors, cell: str) -> Variant:
    rnn, x, h0 = _rnn(inputs, cell), inputs["x"], _first(inputs, cell)

    def run() -> Tensor:
        with torch.inference_mode():
            h: Tensor = rnn(x, h0)[0]
        return h

    return Variant(run, lambda: {"h": run().numpy()})


def _train(inputs: Tensors, cell: str) -> Variant:
    rnn, x, h0, dh = _rnn(inputs, cell), inputs["x"], _first(inputs, cell), inputs["dh"]
    wanted = {"dU": rnn.weight_ih_l0, "dW": rnn.weight_hh_l0, "db": rnn.bias_ih_l0}
    if cell == "gru":
        wanted["db_h"] = rnn.bias_hh_l0
    weights = tuple(wanted.values())

    def run() -> tuple[Tensor, ...]:
        return torch.autograd.grad(rnn(x, h0)[0], weights, dh)

    def check() -> Arrays:
        found = {name: g.numpy() for name, g in zip(wanted, run(), strict=True)}
        if cell == "gru":
            found["db_h"] = found["db_h"][-rnn.hidden_size :]
        return found

    return Variant(run, check)


class LanguageModel(nn.Module):
    """Embedding, recurrence, output layer."""

    def __init__(self, weights: Tensors) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(weights["E"].clone(), freeze=False)
        self.rnn = _rnn(weights)
        V, H = weights["V"].shape
        self.output = nn.Linear(H, V)
        self.output.load_state_dict({"weight": weights["V"], "bias": weights["c"]})

    def forward(self, ids: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Returns scores (T, B, V) and the last state (1, B, H)."""
        states, h = self.rnn(self.embedding(ids), h)
        return self.output(states), h

    def named(self) -> Tensors:
        """Returns the weights by this package's names."""
        rnn = self.rnn
        by_name = {"E": self.embedding.weight, "U": rnn.weight_ih_l0, "W": rnn.weight_hh_l0}
        return by_name | {"b": rnn.bias_ih_l0, "V": self.output.weight, "c": self.output.bias}


class Trainer:
    """Training steps; `reset` restores the initial weights."""

    def __init__(self, task: LanguageModelStep, inputs: Tensors, adam: str) -> None:
        self.inputs, self.adam = inputs, adam
        self.rest = torch.zeros(1, task.B, task.H)

    def reset(self) -> None:
        self.model = LanguageModel(self.inputs)
        self.weights = list(self.model.named().values())
        self.optimizer = torch.optim.Adam(
            self.weights, lr=LEARNING_RATE, betas=(BETA1, BETA2), eps=EPSILON, **{self.adam: True}
        )
        self.state = self.rest

    def step(self) -> float:
        self.optimizer.zero_grad()
        o, h = self.model(self.inputs["ids"], self.state)
        L = F.cross_entropy(o.flatten(0, 1), self.inputs["y"].flatten())
        L.backward()
        nn.utils.clip_grad_norm_(self.weights, MAX_NORM, foreach=True)
        self.optimizer.step()
        self.state = h.detach()
        return L.item()

    def check(self) -> Arrays:
        losses = torch.tensor([self.step() for _ in range(CHECKED_STEPS)]).numpy()
        after: dict[str, Any] = {name: w.detach().numpy() for name, w in self.model.named().items()}
        return {"losses": losses} | changes(after, {name: self.inputs[name].numpy() for name in after})


def _step(task: LanguageModelStep, inputs: Tensors, adam: str) -> Variant:
    trainer = Trainer(task, inputs, adam)
    return Variant(trainer.step, trainer.check, trainer.reset)


Stepper = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def _rnn_stepper(inputs: Tensors) -> tuple[Stepper, Tensor, tuple[int, ...]]:
    """The model over a sequence of one token: its step, the initial state, the shape of its ids."""
    model = LanguageModel(inputs)
    return model, torch.zeros(1, 1, len(inputs["b"])), (1, 1)


def _cell_stepper(inputs: Tensors) -> tuple[Stepper, Tensor, tuple[int, ...]]:
    """`nn.RNNCell` between the same embedding and output layer; returns the same triple."""
    model = LanguageModel(inputs)
    H, I = inputs["U"].shape
    cell = nn.RNNCell(I, H)
    cell.load_state_dict({name.removesuffix("_l0"): w for name, w in model.rnn.state_dict().items()})

    def step(token: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = cell(model.embedding(token), h)
        return model.output(h), h

    return step, torch.zeros(1, H), (1,)


def _next_tokens(
    inputs: Tensors, make: Callable[[Tensors], tuple[Stepper, Tensor, tuple[int, ...]]]
) -> Variant:
    step, rest, shape = make(inputs)
    tokens = [token.reshape(shape) for token in inputs["ids"]]

    def run() -> Tensor:
        with torch.inference_mode():
            h = scores = rest
            for token in tokens:
                scores, h = step(token, h)
        return scores.reshape(-1)

    return Variant(run, lambda: {"scores": run().numpy()})
