"""Jordan's network as a model: gradients, scheduled sampling, exposure gap, files."""

import math

import numpy as np
import pytest

import rnnrs
from rnnrs import losses, modelfile, nn, optim
from rnnrs.data import Batch, StreamBatches
from rnnrs.models import ExposureGap, JordanNetwork
from rnnrs.train import (
    ConstantForcing,
    ExponentialForcing,
    InverseSigmoidForcing,
    LinearForcing,
    ScheduledSampling,
)

T, B, I, H, O = 6, 3, 4, 5, 7
rng = np.random.default_rng(2)
X, IDS = rng.standard_normal((T, B, I)), rng.integers(0, O, (T, B))


def network(feedback="softmax", dtype="float64", embedding=None, loss=None, **options):
    jordan = nn.JordanRNN(
        I, H, O, feedback=feedback, embedding_size=3 if embedding == "both" else None, seed=1, dtype=dtype
    )
    table = nn.Embedding(O, I, seed=2, dtype=dtype) if embedding else None
    return JordanNetwork(jordan, loss, embedding=table, **options)


@pytest.mark.parametrize("forcing", [1.0, 0.5, 0.0])
@pytest.mark.parametrize(
    ("feedback", "loss", "targets"),
    [
        ("output", None, "values"),
        ("output", losses.SoftmaxCrossEntropy("sum"), "ids"),
        ("softmax", None, "ids"),
        ("softmax", losses.SoftmaxCrossEntropy(label_smoothing=0.1), "ignored"),
        ("sample", None, "ids"),
        ("argmax", lambda o, y: ((o**2).sum(), 2 * o), "ids"),
    ],
)
def test_gradients(feedback, loss, targets, forcing):
    model = network(feedback, loss=loss, teacher_forcing=forcing, seed=3)
    y = {
        "ids": IDS,
        "ignored": np.where(rng.random(IDS.shape) < 0.3, -1, IDS),
        "values": rng.random((T, B, O)),
    }
    state = np.zeros(B, int) if model.jordan.feeds_tokens else rng.random((B, O))
    assert rnnrs.gradient_check(model, Batch(X, y[targets]), state).worst <= 1e-6


@pytest.mark.parametrize("forcing", [1.0, 0.5])
def test_gradients_of_embeddings(forcing):
    model = network("sample", embedding="both", teacher_forcing=forcing)
    check = rnnrs.gradient_check(model, Batch(IDS, IDS[::-1]))
    assert check.worst <= 1e-6
    assert set(check.relative_error) == {"embedding.E", *(f"jordan.{n}" for n in "UWbVcE")}
    with pytest.raises(ValueError, match="embedding: expected a size of 4"):
        JordanNetwork(model.jordan, embedding=nn.Embedding(3, 5))
    with pytest.raises(ValueError, match="teacher_forcing"):
        network(teacher_forcing=2.0)
    with pytest.raises(ValueError, match="seed"):
        network(seed=-1)


def parity(T=12, B=64, seed=0):
    """y_t = y_{t−1} xor x_t: the previous output is all that the network needs to know of the past."""
    bits = np.random.default_rng(seed).integers(0, 2, (T, B))
    return Batch(np.float32(bits)[..., None], np.cumsum(bits, axis=0) % 2)


def test_it_learns_a_task_whose_state_is_its_output_and_then_runs_free():
    model = JordanNetwork(nn.JordanRNN(1, 16, 2, feedback="argmax", seed=1))
    before = model.exposure_gap([parity(seed=9)])
    history = rnnrs.Trainer(model, optim.Adam(2e-2)).fit([parity(seed=s) for s in range(8)], epochs=40)
    assert history.losses[-1] < 0.05
    gap = model.exposure_gap([parity(seed=9)])
    assert gap.teacher_forced < 0.05 and abs(gap.gap) < 0.05 < before.teacher_forced
    assert gap.positions == 12 * 64
    o, _ = model.forward(parity(T=200, seed=4).inputs)
    assert (o.argmax(-1) == parity(T=200, seed=4).targets).all()


def test_the_exposure_gap_is_the_difference_of_the_two_losses():
    model, batches = network(teacher_forcing=0.5), [Batch(X, IDS), Batch(X[:3], IDS[:3])]
    gap = model.exposure_gap(batches)
    forced, free = (
        [model.loss_function(model.forward(b.inputs, b.targets, None, f)[0], b.targets)[0] for b in batches]
        for f in (1.0, 0.0)
    )
    weigh = lambda two: (two[0] * T * B + two[1] * 3 * B) / (T * B + 3 * B)  # noqa: E731
    assert gap == ExposureGap(pytest.approx(weigh(forced)), pytest.approx(weigh(free)), T * B + 3 * B)
    assert gap.gap == gap.free_running - gap.teacher_forced != 0
    with pytest.raises(
        ValueError, match=r"^JordanNetwork\.exposure_gap: data: expected at least one scored position"
    ):
        model.exposure_gap([Batch(X, np.full((T, B), -1))])
    with pytest.raises(ValueError, match="exposure_gap: data"):
        model.exposure_gap([])


def test_a_stream_carries_the_fed_back_output_to_the_next_window():
    ids = np.arange(200) % O
    data = StreamBatches(ids, 2, 5)
    model = network("argmax", embedding="one", dtype="float32")
    rnnrs.Trainer(model, optim.Adam(1e-2)).fit(data, epochs=30)
    assert model.exposure_gap(data).free_running < 0.2
    _, state = model.loss(data.epoch(0)[0], gradient=False)
    np.testing.assert_array_equal(state, data.epoch(0)[0].targets[-1])


@pytest.mark.parametrize("feedback", nn.FEEDBACKS)
def test_a_resumed_run_samples_the_same_as_an_uninterrupted_run(feedback, tmp_path):
    def trainer():
        model = network(feedback, "float32", "one", losses.SoftmaxCrossEntropy(), seed=4)
        sampling = ScheduledSampling(LinearForcing(20, 1.0, 0.25))
        return rnnrs.Trainer(model, optim.Adam(1e-2), callbacks=[sampling])

    data = StreamBatches(rng.integers(0, O, 300), 3, 5)
    whole = trainer()
    whole.fit(data, max_steps=30)
    first = trainer()
    first.fit(data, max_steps=13)
    first.save(tmp_path / "half.rnn")
    second = trainer()
    second.resume(tmp_path / "half.rnn")
    second.fit(data, max_steps=30)
    np.testing.assert_array_equal(second.model.parameters.flat, whole.model.parameters.flat)
    np.testing.assert_array_equal(second.history.losses, whole.history.losses)
    assert second.model.teacher_forcing == 0.25 and second.model.step == 30
    loaded = JordanNetwork.load(tmp_path / "half.rnn")
    np.testing.assert_array_equal(loaded.parameters.flat, first.model.parameters.flat)


@pytest.mark.parametrize(
    ("feedback", "embedding"), [("output", None), ("softmax", "one"), ("sample", "both")]
)
def test_a_saved_model_is_loaded_unchanged(feedback, embedding, tmp_path):
    model, path = network(feedback, embedding=embedding, teacher_forcing=0.25, seed=8), tmp_path / "model.rnn"
    model.save(path)
    loaded = JordanNetwork.load(path, losses.SoftmaxCrossEntropy("sum"))
    assert loaded.checkpoint_contents().config == model.checkpoint_contents().config
    inputs = IDS if embedding else X
    np.testing.assert_array_equal(loaded.forward(inputs)[0], model.forward(inputs)[0])
    assert loaded.loss_function.reduction == "sum"


def test_files_of_other_models_are_refused(tmp_path):
    model, path = network(), tmp_path / "model.rnn"
    contents = model.checkpoint_contents()
    for config, tensors, message in [
        ({"hidden_size": 9}, {}, "sizes: expected a model of at most 102 numbers"),
        ({"hidden_size": 2}, {}, "tensor jordan.U: expected"),
        ({"hidden_size": "many"}, {}, "model.rnn: "),
        ({"feedback": "state"}, {}, "feedback"),
        ({"unknown": 1}, {}, "unknown"),
        ({}, {"jordan.Z": np.zeros(2)}, "jordan.Z: unknown"),
    ]:
        file = modelfile.ModelFile(
            contents.kind, {**contents.config, **config}, {**contents.tensors, **tensors}
        )
        modelfile.save(path, file)
        with pytest.raises(rnnrs.FormatError, match=message):
            JordanNetwork.load(path)
    config = {k: v for k, v in contents.config.items() if k != "seed"}
    modelfile.save(path, modelfile.ModelFile(contents.kind, config, contents.tensors))
    with pytest.raises(rnnrs.FormatError, match="seed"):
        JordanNetwork.load(path)
    modelfile.save(path, modelfile.ModelFile("network", {}, {}))
    with pytest.raises(rnnrs.FormatError, match="expected an output-to-hidden network"):
        JordanNetwork.load(path)


def test_schedules():
    assert ConstantForcing(0.3)(0) == ConstantForcing(0.3)(10**9) == 0.3
    linear = LinearForcing(10, 0.9, 0.1)
    assert [linear(i) for i in (0, 5, 10, 99)] == pytest.approx([0.9, 0.5, 0.1, 0.1])
    assert [ExponentialForcing(0.5)(i) for i in (0, 1, 3)] == [1.0, 0.5, 0.125]
    inverse = InverseSigmoidForcing(20.0)
    assert [inverse(i) for i in (0, 60)] == pytest.approx([20 / 21, 20 / (20 + math.exp(3))])
    assert inverse(10**7) == 0.0
    for schedule in (linear, ExponentialForcing(0.99), inverse):
        values = [schedule(i) for i in range(0, 200, 7)]
        assert values == sorted(values, reverse=True) and 0 <= min(values) <= max(values) <= 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConstantForcing(1.1),
        lambda: ConstantForcing(float("nan")),
        lambda: LinearForcing(0),
        lambda: LinearForcing(5, 1.5),
        lambda: LinearForcing(5, 0.2, 0.5),
        lambda: ExponentialForcing(1.0),
        lambda: ExponentialForcing(0.0),
        lambda: InverseSigmoidForcing(0.5),
        lambda: InverseSigmoidForcing(float("inf")),
    ],
)
def test_schedules_with_invalid_settings_are_refused(make):
    with pytest.raises(ValueError, match=r"^\w+Forcing: \w+: expected a number"):
        make()


def test_scheduled_sampling_needs_a_model_with_teacher_forcing():
    from rnnrs.models import RecurrentNetwork

    model = RecurrentNetwork(nn.RNN(I, H), nn.Linear(H, O), losses.SoftmaxCrossEntropy())
    trainer = rnnrs.Trainer(model, optim.SGD(0.1), callbacks=[ScheduledSampling(ConstantForcing(0.5))])
    with pytest.raises(
        TypeError, match="expected a model with teacher_forcing and step, got RecurrentNetwork"
    ):
        trainer.fit([Batch(X, IDS)], epochs=1)
