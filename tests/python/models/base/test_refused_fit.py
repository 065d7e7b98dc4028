"""A refused `fit` leaves nothing behind: the next one is that of a new model."""

import itertools
import pickle

import numpy as np
import pytest
import small_applications as small

from rnnrs import modelfile
from rnnrs.train import Callback

NAN = np.array([[np.nan, 0.0]])


class Failing(Callback):
    """Fails before the first step."""

    def on_start(self, run):
        run.model.parameters.freeze("*")
        raise OSError("no room")


class Endless:
    """An iterator that says when it is read."""

    def __iter__(self):
        return self

    def __next__(self):
        raise AssertionError("an iterator was read")


#: Arguments that every `fit` refuses, by name.
OPTIONS = {
    "epochs": {"epochs": 1.5},
    "learning_rate": {"learning_rate": -1.0},
    "optimizer": {"optimizer": "newton"},
    "schedule": {"schedule": "up"},
    "unknown": {"unknown": 1},
    "patience without validation": {"patience": 2},
    "a checkpoint in no folder": {"checkpoint": "/no/folder/x.rnn"},
    "no checkpoint": {"resume": "/no/checkpoint.rnn"},
    "a callback": {"callbacks": [Failing()]},
    "an interval": {"checkpoint_every": 0},
}


def refused_data(build):
    """Yields (name, arguments) of data that `fit` refuses."""
    data = build()[1]
    for place in range(len(data)):
        for name, bad in (("none", []), ("an iterator", Endless()), ("a number", 5)):
            yield f"{name} as argument {place}", (*data[:place], bad, *data[place + 1 :])
    for name, bad in (("an iterator", Endless()), ("a share", 1.5), ("None", [None])):
        yield f"{name} as validation", (*data, bad)
    if build is small.classifier:
        xs, labels = data
        wide = [100.0 * x for x in xs]
        yield "nan", ([*wide[:-1], NAN], labels)
        yield "an unknown label", (wide, [*labels[:-1], "neither"])
        yield "too few labels", (wide, labels[:-1])
        yield "held-out data that are too wide", (wide, labels, ([np.zeros((3, 5))], ["odd"]))
        yield "a held-out label that is unknown", (wide, labels, (xs, ["neither"] * len(xs)))
    if build is small.tagger:
        xs, tags = data
        wide = [100.0 * x for x in xs]
        yield "an unknown tag", (wide, [["neither"] * len(x) for x in xs])
        yield "held-out tags that are too few", (wide, tags, (xs, [t[:-1] for t in tags]))
    if build is small.forecaster:
        yield "held-out nan", (100.0 * data[0], np.full(20, np.nan))
        yield "a held-out series that is too short", (100.0 * data[0], data[0][:1])
    if build in (small.translator, small.summarizer, small.seq2seq, small.chatbot):
        yield "a held-out example of another form", (*data, [("one",)])
    if build is small.assistant:
        yield "a held-out dialogue without annotations", (*data, [["one", "two"]])
    if build is small.captioner:
        yield "other pictures", (np.zeros((8, 5, 4, 3)), data[1])
        yield "held-out pictures of another size", (*data, (np.zeros((1, 5, 4, 3)), ["a dog"]))


def state(model):
    """Returns everything that a model's file and its training depend on."""
    file = model.checkpoint_contents()
    tensors = {name: array.tobytes() for name, array in file.tensors.items()}
    return file.config, tensors, model.gradients.flat.tobytes(), model.parameters.frozen, vars(model).keys()


@pytest.mark.parametrize("build", small.APPLICATIONS)
def test_a_refused_fit_leaves_nothing_behind(build):
    (model, data, _), (fresh, _, _) = build(), build()
    before = state(fresh)
    refused = [(name, (data, options)) for name, options in OPTIONS.items()]
    refused += [(name, (arguments, {})) for name, arguments in refused_data(build)]
    for name, (arguments, options) in refused:
        with pytest.raises((ValueError, TypeError, OSError)):
            model.fit(*arguments, **({"epochs": 1, "progress": False} | options))
            pytest.fail(f"taken: {name}")
        assert state(model) == before, name
        assert not model.parameters.have_changed, name
    for each in (model, fresh):
        each.fit(*data, epochs=2, progress=False)
    assert state(model) == state(fresh)


def test_what_a_former_fit_learnt_stays():
    model, (xs, labels), _ = small.classifier()
    model.fit(xs, labels, epochs=1, progress=False)
    config, tensors, *_ = state(model)
    with pytest.raises(ValueError, match="neither"):
        model.fit([5 + 3 * x for x in xs], ["neither"] * len(xs), epochs=1, progress=False)
    assert state(model)[:2] == (config, tensors)


def test_the_parameters_of_a_checkpoint_do_not_stay_if_its_run_is_refused(tmp_path):
    path = tmp_path / "run.rnn"
    model, data, _ = small.classifier()
    model.fit(*data, epochs=2, checkpoint=path, progress=False)
    fresh, _, _ = small.classifier()
    before = state(fresh)
    for options in ({"callbacks": [Failing()]}, {"learning_rate": 0.5}, {"seed": 5}, {"epochs": 1}):
        with pytest.raises((OSError, ValueError)):
            fresh.fit(*data, **({"epochs": 4, "resume": path, "progress": False} | options))
        assert state(fresh) == before
    for each, options in ((fresh, {"resume": path}), (model, {})):
        if options:
            each.fit(*data, epochs=4, progress=False, **options)
    assert fresh.parameters.have_changed


def test_a_run_that_took_steps_keeps_what_it_learnt():
    model, data, _ = small.classifier()

    class Stopping(Callback):
        def on_step(self, run, record):
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        model.fit(*data, epochs=2, progress=False, callbacks=[Stopping()])
    assert model._inputs.mean is not None and model.settings is not None
    assert len(model.predict(data[0])) == len(data[0])


@pytest.mark.parametrize(
    ("build", "arguments"),
    [(build, place) for build in small.APPLICATIONS for place in range(len(build()[1]) + 1)],
)
def test_iterators_are_refused_by_name_and_not_read(build, arguments):
    model, data, held_out = build()
    given = [*data, held_out[0]]
    given[arguments] = endless = itertools.count()
    with pytest.raises(TypeError, match=rf"{type(model).__name__}.fit: .*got .*(count|object)"):
        model.fit(*given, epochs=1, progress=False)
    assert next(endless) == 0


def test_a_file_without_a_step_is_that_of_a_new_model(tmp_path):
    model, data, _ = small.classifier()
    with pytest.raises(TypeError):
        model.fit(*data, epochs=True, progress=False)
    model.save(tmp_path / "a.rnn")
    assert modelfile.load(tmp_path / "a.rnn", model.KIND).config["settings"] is None
    assert pickle.loads(pickle.dumps(model)).settings is None
