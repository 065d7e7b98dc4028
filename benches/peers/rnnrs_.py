"""This package, through its public interface."""

from __future__ import annotations

import numpy as np
from library import Variant
from numpy_ import WEIGHTS, changes
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
    Task,
)

import rnnrs
from rnnrs.data import Batch
from rnnrs.models import LanguageModel
from rnnrs.nn import GRU, LSTM, RNN, Recurrent
from rnnrs.optim import Adam, clip_factor

#: Short names → the model's parameter names.
NAMES = dict(zip(WEIGHTS, ("embedding.E", "rnn.U", "rnn.W", "rnn.b", "output.V", "output.c"), strict=True))


def version() -> str:
    return f"rnnrs {rnnrs.__version__} ({rnnrs.instruction_set()})"


def variants(task: Task, threads: int) -> dict[str, Variant]:
    rnnrs.set_num_threads(threads)
    match task:
        case Recurrence(mode="forward"):
            return {"layer": _forward(task)}
        case Recurrence():
            return {"layer": _train(task)}
        case LanguageModelStep():
            trainer = Trainer(task)
            return {"model": Variant(trainer.step, trainer.check, trainer.reset)}
        case NextToken():
            return {"stepper": _next_tokens(task)}
        case _:
            return {}


def _layer(task: Recurrence, inputs: Arrays) -> Recurrent:
    rnn = {"rnn": RNN, "lstm": LSTM, "gru": GRU}[task.cell](task.I, task.H)
    rnn.parameters.copy_from({name: inputs[name] for name in rnn.parameters})
    return rnn


def _forward(task: Recurrence) -> Variant:
    inputs = task.inputs()
    rnn, x, state = _layer(task, inputs), inputs["x"], _state(task, inputs)

    def run() -> Array:
        return rnn.forward(x, state, gradient=False)[0]

    return Variant(run, lambda: {"h": run()})


def _state(task: Recurrence, inputs: Arrays) -> Array:
    """Returns the initial state (B, S): h0, for an LSTM followed by c = 0."""
    h0 = inputs["h0"]
    return np.concatenate([h0, np.zeros_like(h0)], axis=1) if task.cell == "lstm" else h0


def _train(task: Recurrence) -> Variant:
    inputs = task.inputs()
    rnn, x, dh, state = _layer(task, inputs), inputs["x"], inputs["dh"], _state(task, inputs)

    def run() -> Arrays:
        rnn.zero_gradients()
        _, cache = rnn.forward(x, state)
        rnn.backward(cache, dh, need_dx=False)
        return {f"d{name}": g for name, g in rnn.gradients.items()}

    return Variant(run, lambda: {name: g.copy() for name, g in run().items()})


def _model(weights: Arrays) -> LanguageModel:
    """Returns a language model of these sizes; only its vocabulary's length matters here."""
    (V, E), H = weights["E"].shape, len(weights["b"])
    return LanguageModel(range(V), embedding_size=E, hidden_size=H)  # type: ignore[arg-type]


class Trainer:
    """Training steps, as `rnnrs.Trainer` performs them."""

    def __init__(self, task: LanguageModelStep) -> None:
        inputs = task.inputs()
        self.first = {name: inputs[name] for name in WEIGHTS}
        self.batch = Batch(inputs["ids"], inputs["y"])
        self.model = _model(self.first)

    def reset(self) -> None:
        self.model.parameters.copy_from({NAMES[name]: w for name, w in self.first.items()})
        self.optimizer = Adam(LEARNING_RATE, betas=(BETA1, BETA2), epsilon=EPSILON)
        self.state: Array | None = None

    def step(self) -> float:
        model = self.model
        model.gradients.fill(0.0)
        L, self.state = model.loss(self.batch, self.state)
        factor, _ = clip_factor(model.gradients, MAX_NORM)
        self.optimizer.step(model.parameters, model.gradients, scale=factor)
        return L

    def check(self) -> Arrays:
        losses = np.array([self.step() for _ in range(CHECKED_STEPS)])
        after = {name: self.model.parameters[full] for name, full in NAMES.items()}
        return {"losses": losses} | changes(after, self.first)


def _next_tokens(task: NextToken) -> Variant:
    inputs = task.inputs()
    model = _model(inputs)
    model.parameters.copy_from({full: inputs[name] for name, full in NAMES.items()})
    stepper = model.stepper()
    tokens = inputs["ids"].tolist()

    def run() -> Array:
        stepper.reset()
        scores = inputs["c"]
        for token in tokens:
            scores = stepper.step(token)
        return scores

    return Variant(run, lambda: {"scores": run()})
