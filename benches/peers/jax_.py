"""JAX: `jit` of a `lax.scan`, with gradients by JAX's reverse mode.

Three variants: U x_t inside the loop; U x hoisted out of it, as one product over all steps; the latter with
the loop unrolled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from library import Variant
from numpy_ import WEIGHTS, changes
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
    Task,
)

Tree = dict[str, Any]
States = Callable[[Tree, Any, Any], Any]  # (weights, x (T, B, I), h0 (B, H)) → h (T, B, H)


def version() -> str:
    return f"jax {jax.__version__}"


def variants(task: Task, threads: int) -> dict[str, Variant]:
    step = STEPS[task.cell if isinstance(task, Recurrence) else "rnn"]
    ways: dict[str, States] = {
        "scan": partial(_plain, step),
        "hoisted scan": partial(_hoisted, step, unroll=1),
    }
    ways["hoisted scan, unroll 4"] = partial(_hoisted, step, unroll=4)
    inputs = task.inputs()
    match task:
        case Recurrence(mode="forward"):
            return {name: _forward(inputs, states) for name, states in ways.items()}
        case Recurrence():
            return {name: _train(inputs, states) for name, states in ways.items()}
        case LanguageModelStep():
            return {name: _step(inputs, states) for name, states in ways.items()}
        case NextToken():
            return {"jit": _next_tokens(inputs)}
        case _:
            return {}


def _rnn_step(p: Tree, state: tuple[Any, ...], a: Any) -> tuple[Any, ...]:
    """Returns the state after a step, h first, from a = U x_t + b."""
    return (jnp.tanh(a + state[0] @ p["W"].T),)


def _lstm_step(p: Tree, state: tuple[Any, ...], a: Any) -> tuple[Any, ...]:
    h, c = state
    i, f, g, o = jnp.split(a + h @ p["W"].T, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def _gru_step(p: Tree, state: tuple[Any, ...], a: Any) -> tuple[Any, ...]:
    (h,) = state
    a_r, a_z, a_n = jnp.split(a, 3, axis=-1)
    w_r, w_z, w_n = jnp.split(h @ p["W"].T, 3, axis=-1)
    z = jax.nn.sigmoid(a_z + w_z)
    n = jnp.tanh(a_n + jax.nn.sigmoid(a_r + w_r) * (w_n + p["b_h"]))
    return ((1 - z) * n + z * h,)


Step = Callable[[Tree, tuple[Any, ...], Any], tuple[Any, ...]]
STEPS: dict[str, Step] = {"rnn": _rnn_step, "lstm": _lstm_step, "gru": _gru_step}


def _begin(step: Step, h0: Any) -> tuple[Any, ...]:
    return (h0, jnp.zeros_like(h0)) if step is _lstm_step else (h0,)


def _plain(step: Step, p: Tree, x: Any, h0: Any) -> Any:
    def body(state: tuple[Any, ...], x_t: Any) -> tuple[Any, Any]:
        state = step(p, state, x_t @ p["U"].T + p["b"])
        return state, state[0]

    return lax.scan(body, _begin(step, h0), x)[1]


def _hoisted(step: Step, p: Tree, x: Any, h0: Any, *, unroll: int) -> Any:
    def body(state: tuple[Any, ...], a: Any) -> tuple[Any, Any]:
        state = step(p, state, a)
        return state, state[0]

    return lax.scan(body, _begin(step, h0), x @ p["U"].T + p["b"], unroll=unroll)[1]


def _forward(inputs: Arrays, states: States) -> Variant:
    p = {name: jnp.asarray(inputs[name]) for name in ("U", "W", "b", "b_h") if name in inputs}
    x, h0 = jnp.asarray(inputs["x"]), jnp.asarray(inputs["h0"])
    compiled = jax.jit(states)

    def run() -> Any:
        return compiled(p, x, h0).block_until_ready()

    return Variant(run, lambda: {"h": np.asarray(run())})


def _train(inputs: Arrays, states: States) -> Variant:
    p = {name: jnp.asarray(inputs[name]) for name in ("U", "W", "b", "b_h") if name in inputs}
    x, h0, dh = (jnp.asarray(inputs[name]) for name in ("x", "h0", "dh"))

    @jax.jit
    def gradients(p: Tree, x: Any, h0: Any, dh: Any) -> Tree:
        _, back = jax.vjp(lambda p: states(p, x, h0), p)
        return back(dh)[0]

    def run() -> Tree:
        return jax.block_until_ready(gradients(p, x, h0, dh))

    return Variant(run, lambda: {f"d{name}": np.asarray(g) for name, g in run().items()})


def _adam(p: Tree, m: Tree, v: Tree, g: Tree, step: Any) -> tuple[Tree, Tree, Tree]:
    """Returns weights and moments after clipping by the norm and a step of Adam."""
    norm = jnp.sqrt(sum(jnp.vdot(a, a) for a in g.values()))
    scale = jnp.minimum(1.0, MAX_NORM / norm)
    g = {name: a * scale for name, a in g.items()}
    m = {name: BETA1 * m[name] + (1 - BETA1) * a for name, a in g.items()}
    v = {name: BETA2 * v[name] + (1 - BETA2) * a * a for name, a in g.items()}
    rate = LEARNING_RATE / (1 - BETA1**step)
    root = jnp.sqrt(1 - BETA2**step)
    p = {name: p[name] - rate * m[name] / (jnp.sqrt(v[name]) / root + EPSILON) for name in g}
    return p, m, v


class Trainer:
    """Training steps. A step is one compiled function that overwrites its weights and moments."""

    def __init__(self, inputs: Arrays, states: States) -> None:
        self.first = {name: inputs[name] for name in WEIGHTS}
        self.batch = (jnp.asarray(inputs["ids"], jnp.int32), jnp.asarray(inputs["y"], jnp.int32))

        def loss(p: Tree, h0: Any, ids: Any, y: Any) -> tuple[Any, Any]:
            h = states(p, p["E"][ids], h0)
            log_p = jax.nn.log_softmax(h @ p["V"].T + p["c"])
            return -jnp.take_along_axis(log_p, y[..., None], axis=-1).mean(), h[-1]

        def step(p: Tree, m: Tree, v: Tree, count: Any, h0: Any, ids: Any, y: Any) -> tuple[Any, ...]:
            (L, h), g = jax.value_and_grad(loss, has_aux=True)(p, h0, ids, y)
            return L, h, count + 1, *_adam(p, m, v, g, count + 1)

        self.compiled = jax.jit(step, donate_argnums=(0, 1, 2))

    def reset(self) -> None:
        self.p = {name: jnp.array(w) for name, w in self.first.items()}
        self.m, self.v = ({name: jnp.zeros_like(w) for name, w in self.p.items()} for _ in range(2))
        self.count = jnp.float32(0)
        self.state = jnp.zeros((self.batch[0].shape[1], len(self.first["b"])))

    def step(self) -> float:
        result = self.compiled(self.p, self.m, self.v, self.count, self.state, *self.batch)
        L, self.state, self.count, self.p, self.m, self.v = jax.block_until_ready(result)
        return float(L)

    def check(self) -> Arrays:
        losses = np.array([self.step() for _ in range(CHECKED_STEPS)])
        return {"losses": losses} | changes(self.p, self.first)


def _step(inputs: Arrays, states: States) -> Variant:
    trainer = Trainer(inputs, states)
    return Variant(trainer.step, trainer.check, trainer.reset)


def _next_tokens(inputs: Arrays) -> Variant:
    p = {name: jnp.asarray(inputs[name]) for name in WEIGHTS}
    tokens = [jnp.int32(token) for token in inputs["ids"]]
    rest = jnp.zeros(len(inputs["b"]))

    @jax.jit
    def step(p: Tree, h: Any, token: Any) -> tuple[Any, Any]:
        h = jnp.tanh(p["U"] @ p["E"][token] + p["W"] @ h + p["b"])
        return p["V"] @ h + p["c"], h

    def run() -> Any:
        h = scores = rest
        for token in tokens:  # picking the next token requires these scores
            scores, h = step(p, h, token)
            scores.block_until_ready()
        return scores

    return Variant(run, lambda: {"scores": np.asarray(run())})
