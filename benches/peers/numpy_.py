"""NumPy: a loop over the steps, with all other work in one product. In float64 it is everyone's reference."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from gated import GATED
from library import Variant
from numpy.typing import DTypeLike
from tasks import (
    BETA1,
    BETA2,
    CHECKED_STEPS,
    EPSILON,
    LEARNING_RATE,
    MAX_NORM,
    Array,
    Arrays,
    LanguageModelStep,
    NextToken,
    Recurrence,
    Sgemm,
    Task,
)

WEIGHTS = ("E", "U", "W", "b", "V", "c")


def version() -> str:
    return f"numpy {np.__version__}"


def variants(task: Task, threads: int) -> dict[str, Variant]:
    return {"loop": _variant(task, np.float32)}


def reference(task: Task) -> Arrays:
    """Returns the results in float64, from the same float32 inputs."""
    variant = _variant(task, np.float64)
    variant.prepare()
    return variant.check()


def _variant(task: Task, dtype: DTypeLike) -> Variant:
    inputs = {k: a.astype(dtype) if a.dtype.kind == "f" else a for k, a in task.inputs().items()}
    match task:
        case Recurrence(cell="lstm" | "gru" as cell, mode=mode):
            run = partial(GATED[cell], **inputs, backward=mode == "train")
            return Variant(run, run)
        case Recurrence(mode="forward"):
            return Variant(
                lambda: forward(**_without_dh(inputs)), lambda: {"h": forward(**_without_dh(inputs))}
            )
        case Recurrence():
            return Variant(lambda: train(**inputs), lambda: train(**inputs))
        case LanguageModelStep():
            trainer = Trainer(inputs)
            return Variant(trainer.step, trainer.check, trainer.reset)
        case NextToken():
            return Variant(lambda: next_tokens(**inputs), lambda: {"scores": next_tokens(**inputs)})
        case Sgemm():
            A, B = inputs["A"], inputs["B"]
            return Variant(lambda: A @ B, lambda: {"C": A @ B})


def _without_dh(inputs: Arrays) -> Arrays:
    return {name: a for name, a in inputs.items() if name != "dh"}


def forward(x: Array, h0: Array, U: Array, W: Array, b: Array) -> Array:
    """Returns h (T, B, H)."""
    T, B, I = x.shape
    h = (x.reshape(T * B, I) @ U.T + b).reshape(T, B, -1)
    before = h0
    for t in range(T):
        h[t] += before @ W.T
        before = np.tanh(h[t], out=h[t])
    return h


def through_time(dh: Array, h: Array, W: Array) -> Array:
    """Returns da (T, B, H)."""
    da = 1 - h * h
    after = np.zeros_like(h[0])
    for t in reversed(range(len(h))):
        da[t] *= dh[t] + after @ W
        after = da[t]
    return da


def weight_gradients(da: Array, x: Array, h0: Array, h: Array) -> Arrays:
    """Returns dU, dW, db: each one product over all T·B rows."""
    rows = da.reshape(-1, da.shape[-1])
    before = np.concatenate([h0[None], h[:-1]]).reshape(rows.shape)
    return {"dU": rows.T @ x.reshape(len(rows), -1), "dW": rows.T @ before, "db": rows.sum(axis=0)}


def train(x: Array, h0: Array, dh: Array, U: Array, W: Array, b: Array) -> Arrays:
    """Returns dU, dW, db."""
    h = forward(x, h0, U, W, b)
    return weight_gradients(through_time(dh, h, W), x, h0, h)


def cross_entropy(o: Array, y: Array) -> tuple[float, Array]:
    """Returns (L, do): L is the mean over the rows of o (rows, V); o is overwritten."""
    rows = np.arange(len(o))
    o -= o.max(axis=1, keepdims=True)
    at_y = o[rows, y]
    np.exp(o, out=o)
    sums = o.sum(axis=1, keepdims=True)
    L = float(np.mean(np.log(sums[:, 0]) - at_y))
    o /= sums * len(o)
    o[rows, y] -= 1 / len(o)
    return L, o


class Trainer:
    """Training steps of a language model: gradients by BPTT, clipping, Adam."""

    def __init__(self, inputs: Arrays) -> None:
        self.first = {name: inputs[name] for name in WEIGHTS}
        self.ids, self.y = inputs["ids"], inputs["y"]
        self.weights: Arrays = {}

    def reset(self) -> None:
        """Restores the initial weights."""
        self.weights = {name: w.copy() for name, w in self.first.items()}
        self.moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in self.first.items()}
        self.steps = 0
        self.state = np.zeros((self.ids.shape[1], len(self.first["b"])), self.first["b"].dtype)

    def gradients(self) -> tuple[float, Arrays]:
        """Returns L and the gradient of every weight; carries the state over."""
        p = self.weights
        x = p["E"][self.ids]
        h = forward(x, self.state, p["U"], p["W"], p["b"])
        rows = h.reshape(-1, h.shape[-1])
        L, do = cross_entropy(rows @ p["V"].T + p["c"], self.y.reshape(-1))
        da = through_time((do @ p["V"]).reshape(h.shape), h, p["W"])
        d = weight_gradients(da, x, self.state, h)
        dE = np.zeros_like(p["E"])
        np.add.at(dE, self.ids, da @ p["U"])
        self.state = h[-1].copy()
        by_name = {"E": dE, "U": d["dU"], "W": d["dW"], "b": d["db"], "V": do.T @ rows, "c": do.sum(axis=0)}
        return L, by_name

    def step(self) -> float:
        """Takes one training step; returns L before it."""
        L, gradients = self.gradients()
        norm = float(np.sqrt(sum(np.vdot(g, g) for g in gradients.values())))
        self.steps += 1
        scale = min(1.0, MAX_NORM / norm)
        rate = LEARNING_RATE / (1 - BETA1**self.steps)
        root = (1 - BETA2**self.steps) ** 0.5
        for name, g in gradients.items():
            g *= scale
            m, v = self.moments[name]
            m *= BETA1
            m += (1 - BETA1) * g
            v *= BETA2
            v += (1 - BETA2) * g * g
            self.weights[name] -= rate * m / (np.sqrt(v) / root + EPSILON)
        return L

    def check(self) -> Arrays:
        losses = np.array([self.step() for _ in range(CHECKED_STEPS)])
        return {"losses": losses} | changes(self.weights, self.first)


def changes(after: dict[str, Any], before: Arrays) -> Arrays:
    """Returns the norm of every weight's change."""
    return {
        f"change.{name}": np.asarray(np.linalg.norm(np.asarray(after[name], np.float64) - w))
        for name, w in before.items()
    }


def next_tokens(ids: Array, E: Array, U: Array, W: Array, b: Array, V: Array, c: Array) -> Array:
    """Returns the scores (V,) after the last token; computes those of every token."""
    h = np.zeros(len(W), W.dtype)
    scores = c
    for token in ids.tolist():
        h = np.tanh(U @ E[token] + W @ h + b)
        scores = V @ h + c
    return scores
