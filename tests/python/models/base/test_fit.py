"""`fit` of every application: one table of options, one training call, validation as data or as a share."""

import inspect
import typing

import numpy as np
import pytest
from small_applications import APPLICATIONS

from rnnrs import models
from rnnrs.models.base.options import defaults, metadata
from rnnrs.models.base.training import TrainedModel, TrainingOptions, TrainingSettings
from rnnrs.models.base.validation import divided, held_out_share
from rnnrs.models.captions.fitting import CaptionTrainingOptions
from rnnrs.models.chatbot.fitting import ChatbotTrainingOptions
from rnnrs.models.language.fitting import LanguageTrainingOptions, hold_out
from rnnrs.models.sequences.forecaster import ForecastTrainingOptions
from rnnrs.optim import OPTIMIZERS, SCHEDULES

CLASSES = [c for c in vars(models).values() if inspect.isclass(c) and issubclass(c, TrainedModel)]
QUICK = {"epochs": 1, "progress": False}
application = pytest.mark.parametrize("application", APPLICATIONS, ids=lambda a: a.__name__)


def test_every_application_is_tested():
    assert {type(make()[0]) for make in APPLICATIONS} == {c for c in CLASSES if "KIND" in vars(c)}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_signature_and_help_show_the_applications_own_defaults(cls):
    shown = {p.name: p.default for p in inspect.signature(cls.fit).parameters.values()}
    table = defaults(cls.TRAINING)
    assert table.items() <= shown.items()
    options = inspect.getdoc(cls.fit).partition("Training options:")[2]
    words = " ".join(options.split())
    for name, default in table.items():
        assert f"{name}: " in words and f"{default!r} by default." in words
        assert metadata(cls.TRAINING, name, "doc")
    assert not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(cls.fit).parameters.values())


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (models.LanguageModel, LanguageTrainingOptions),
        (models.Seq2Seq, TrainingOptions),
        (models.Chatbot, ChatbotTrainingOptions),
        (models.Assistant, TrainingOptions),
        (models.Captioner, CaptionTrainingOptions),
        (models.SequenceClassifier, TrainingOptions),
        (models.Forecaster, ForecastTrainingOptions),
    ],
)
def test_the_typed_names_are_those_of_the_table(cls, options):
    names = {name for base in typing.get_type_hints(options) for name in [base]}
    assert names == set(defaults(cls.TRAINING))


@application
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_works_in_every_application(application, name):
    model, data, _ = application()
    before = model.parameters.flat.copy()
    history = model.fit(*data, optimizer=name, schedule=list(SCHEDULES)[len(name) % 5], **QUICK)
    assert np.isfinite(history.losses).all() and not np.array_equal(before, model.parameters.flat)
    assert model.settings.optimizer == name


@application
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_works_in_every_application(application, name):
    model, data, _ = application()
    history = model.fit(*data, schedule=name, learning_rate=1e-2, batch_size=2, **QUICK | {"epochs": 2})
    rates = history.learning_rates
    assert rates[0] == pytest.approx(1e-2)
    assert (rates == rates[0]).all() if name == "constant" else rates[-1] < rates[0]


@application
def test_it_ends_with_the_best_parameters(application):
    model, data, held_out = application()
    history = model.fit(*data, *held_out, learning_rate=0.5, **QUICK | {"epochs": 4}, schedule="constant")
    losses = [loss for _, loss in history.validation]
    again, data, held_out = application()
    best = int(np.argmin(losses)) + 1
    again.fit(*data, learning_rate=0.5, **QUICK | {"epochs": best}, schedule="constant")
    np.testing.assert_array_equal(model.parameters.flat, again.parameters.flat)


@application
def test_patience_ends_the_run(application):
    model, data, held_out = application()
    options = {"learning_rate": 1e-12, "optimizer": "sgd", "patience": 2}
    history = model.fit(*data, *held_out, **options, **QUICK | {"epochs": 50})
    assert len(history.validation) <= 8


@application
def test_examples_are_printed(application, capsys):
    model, data, held_out = application()
    model.fit(*data, *held_out, examples=2, **QUICK)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("epoch 1, held out ")
    assert sum(line.startswith("    wanted ") for line in lines) >= 1
    assert sum(line.startswith("    got ") for line in lines) >= 1


@application
def test_a_share_is_held_out(application):
    model, data, _ = application()
    history = model.fit(*data, 0.25, **QUICK)
    assert len(history.validation) == 1
    other, data, _ = application()
    whole = other.fit(*data, 0.0, **QUICK)
    assert not whole.validation


@application
@pytest.mark.parametrize("share", [1.0, -0.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(application, share):
    model, data, _ = application()
    with pytest.raises(
        ValueError, match=rf"^{type(model).__name__}.fit: validation: expected data, or a share"
    ):
        model.fit(*data, share, **QUICK)


@application
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"speed": 3}, TypeError, "unexpected option 'speed'; expected epochs, time_limit, batch_size"),
        ({"epochs": 1.5}, TypeError, "epochs: expected a whole number, got 1.5"),
        ({"epochs": 0}, ValueError, "epochs: expected a whole number from 1, got 0"),
        ({"learning_rate": -1}, ValueError, "learning_rate: expected a finite number above 0, got -1"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate: expected a number, got 'fast'"),
        ({"time_limit": float("inf")}, ValueError, "time_limit: expected a finite number above 0, got inf"),
        ({"clip_norm": 0}, ValueError, "clip_norm: expected a finite number above 0, got 0"),
        (
            {"optimizer": "newton"},
            ValueError,
            "optimizer: expected one of adam, adamw, rmsprop, adagrad, sgd",
        ),
        (
            {"schedule": None},
            ValueError,
            "schedule: expected one of constant, linear, cosine, step, exponential",
        ),
        ({"seed": -1}, ValueError, "seed: expected a whole number from 0, got -1"),
        ({"patience": 2}, ValueError, "patience: expected None without validation data, got 2"),
        ({"examples": 2}, ValueError, "examples: expected 0 without validation data, got 2"),
        ({"batch_size": True}, TypeError, "batch_size: expected a whole number, got True"),
    ],
)
def test_invalid_options_are_refused_by_the_name_of_the_class(application, options, error, message):
    model, data, _ = application()
    with pytest.raises(error, match=rf"^{type(model).__name__}\.fit: {message}"):
        model.fit(*data, **{"progress": False} | options)


@application
def test_options_that_are_numpy_numbers_are_saved(application, tmp_path):
    model, data, _ = application()
    options = {"epochs": np.int64(1), "learning_rate": np.float32(0.01), "seed": np.uint8(2)}
    model.fit(*data, progress=False, checkpoint=tmp_path / "model", **options)
    loaded = type(model).load(tmp_path / "model")
    assert loaded.settings == model.settings and loaded.settings.seed == 2


@application
def test_a_resumed_run_with_validation_is_the_run_without_a_break(application, tmp_path):
    model, data, held_out = application()
    how = {"schedule": "constant", "batch_size": 2, "seed": 5, "progress": False}
    history = model.fit(*data, *held_out, epochs=3, **how)
    broken, data, held_out = application()
    broken.fit(*data, *held_out, epochs=1, checkpoint=tmp_path / "c", **how)
    resumed, data, held_out = application()
    again = resumed.fit(*data, *held_out, epochs=3, resume=tmp_path / "c", **how)
    np.testing.assert_array_equal(again.losses, history.losses)


def test_epochs_are_unlimited_under_a_time_limit_alone():
    make = TrainingSettings.make
    assert (make("f", {}).epochs, make("f", {"epochs": None}).epochs) == (10, 10)
    assert make("f", {"time_limit": 3}).epochs is None
    assert make("f", {"time_limit": 3, "epochs": 2}).bounds == {"epochs": 2, "time_limit": 3.0}
    assert models.Forecaster.TRAINING.make("f", {}).epochs == 100


def test_what_is_held_out_is_drawn_by_the_seed():
    kept, out = divided("f", 20, 0.25, 7, "pairs")
    assert len(out) == 5 and sorted(kept + out) == list(range(20)) and out == sorted(out)
    assert divided("f", 20, 0.25, 7, "pairs") == (kept, out) != divided("f", 20, 0.25, 8, "pairs")
    assert divided("f", 20, 0.01, 0, "pairs")[1] != []
    with pytest.raises(ValueError, match="f: validation: expected at least two pairs to hold out a share"):
        divided("f", 1, 0.5, 0, "pairs")
    assert held_out_share("f", [0.5]) is None and held_out_share("f", None) is None
    assert held_out_share("f", np.float32(0.5)) == 0.5


def test_a_stream_holds_out_its_last_part_and_sentences_some_of_their_lines():
    text = "".join(f"line {i}\n" for i in range(40))
    training, held_out = hold_out("f", text, 0.1, False, 3)
    assert training + held_out == text and held_out.startswith("line ") and len(held_out) >= 0.1 * len(text)
    training, held_out = hold_out("f", text, 0.1, True, 3)
    lines = held_out.split("\n")
    assert len(lines) == 4 and sorted(training.split("\n") + lines) == sorted(text.split("\n")[:-1])
    assert hold_out("f", text, 0.0, True, 3) == (text, None)
