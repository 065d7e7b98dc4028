"""Jordan's layer: rejected arrays, settings and gradients; an interrupt during a free run."""

import numpy as np
import pytest
from interrupts import seconds_to_stop

import rnnrs
from rnnrs import nn

T, B, I, H, O = 9, 4, 3, 6, 5
rng = np.random.default_rng(8)
X = rng.standard_normal((T, B, I))
IDS = rng.integers(0, O, (T, B))
VALUES = rng.standard_normal((T, B, O))
DO = rng.standard_normal((T, B, O))


def layer(feedback="output", dtype="float64", **options):
    made = nn.JordanRNN(I, H, O, feedback=feedback, seed=3, dtype=dtype, **options)
    made.parameters.flat[...] *= 2.0  # large enough for the feedback to matter
    return made


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"x": X[0]}, rnnrs.ShapeError, r"x: expected \(T, B, I=3\), got \(4, 3\)"),
        ({"x": X[..., :2]}, rnnrs.ShapeError, r"x: expected \(T, B, I=3\), got \(9, 4, 2\)"),
        ({"x": X.astype(complex)}, rnnrs.DTypeError, "x: expected"),
        ({"targets": IDS[0]}, rnnrs.ShapeError, r"targets: expected ids \(T, B\) or values \(T, B, O=5\)"),
        ({"targets": IDS[:3]}, rnnrs.ShapeError, "targets"),
        ({"targets": VALUES[:3]}, rnnrs.ShapeError, r"targets: expected \(T=9, B=4, O=5\)"),
        ({"targets": IDS[:3], "teacher_forcing": 0.5}, rnnrs.ShapeError, r"targets: expected \(T=9, B=4\)"),
        ({"targets": VALUES[..., :2]}, rnnrs.ShapeError, "targets: expected values"),
        ({"targets": IDS.astype(float)}, rnnrs.DTypeError, "targets: expected whole numbers"),
        ({"targets": VALUES.astype(object)}, rnnrs.DTypeError, "targets"),
        ({"targets": IDS + 1}, IndexError, r"targets: expected ids from 0 to 4, or -1 for nothing, got 5"),
        ({"targets": IDS - 2}, IndexError, "got -2"),
        ({"teacher_forcing": 1.5}, ValueError, "teacher_forcing: expected a number from 0 to 1, got 1.5"),
        ({"teacher_forcing": float("nan")}, ValueError, "teacher_forcing"),
        ({"previous": np.zeros(3, int)}, rnnrs.ShapeError, "previous"),
        ({"previous": np.zeros((4, 2))}, rnnrs.ShapeError, "previous: expected values"),
        ({"previous": np.zeros((3, 5))}, rnnrs.ShapeError, r"previous: expected \(B=4, O=5\)"),
        ({"previous": np.full(4, 5)}, IndexError, "previous"),
        ({"previous": np.zeros(4)}, rnnrs.DTypeError, "previous: expected whole numbers"),
        ({"previous": 3}, rnnrs.ShapeError, "previous"),
        ({"lengths": [1, 2]}, rnnrs.ShapeError, r"lengths: expected \(B=4,\), got \(2,\)"),
        ({"lengths": [1, 2, 3, 10]}, ValueError, "lengths: expected whole numbers from 0 to T=9, got 10"),
        ({"lengths": [1, 2, 3, -1]}, ValueError, "got -1"),
        ({"lengths": [1.0, 2, 3, 4]}, rnnrs.DTypeError, "lengths: expected whole numbers"),
        ({"seed": -1}, ValueError, "seed: expected a whole number from 0"),
        ({"seed": 1 << 64}, ValueError, "seed: expected a whole number below"),
        ({"seed": 0.5}, TypeError, "seed"),
        ({"step": -1}, ValueError, "step: expected a whole number from 0"),
        ({"keys": [1, 2]}, rnnrs.ShapeError, r"keys: expected \(B=4\), got \(2,\)"),
        ({"keys": [0.5] * 4}, rnnrs.DTypeError, "keys"),
    ],
)
@pytest.mark.parametrize("feedback", ["output", "softmax"])
def test_bad_inputs_are_rejected_by_name(feedback, options, error, message):
    with pytest.raises(error, match=f"^JordanRNN.forward: .*{message}"):
        layer(feedback).forward(**{"x": X} | options)


@pytest.mark.parametrize("feedback", ["sample", "argmax"])
def test_tokens_cannot_be_numbers(feedback):
    with pytest.raises(rnnrs.ShapeError, match="targets: expected ids for token feedback"):
        layer(feedback).forward(X, VALUES)
    with pytest.raises(rnnrs.ShapeError, match="previous: expected ids"):
        layer(feedback).forward(X, previous=np.zeros((B, O)))
    for forcing in (1.0, 0.5):
        with pytest.raises(rnnrs.ShapeError, match="previous"):
            layer(feedback).forward(X, IDS, teacher_forcing=forcing, previous=np.zeros(3, int))


def test_a_gradient_of_another_shape_is_rejected_and_nothing_is_added():
    for targets, forcing in (("ids", 1.0), (None, 0.0)):
        jordan = layer()
        _, cache = jordan.forward(X, IDS if targets else None, teacher_forcing=forcing)
        with pytest.raises(
            rnnrs.ShapeError, match=r"JordanRNN.backward: do: expected \(T, B, O\) = \(9, 4, 5\)"
        ):
            jordan.backward(cache, DO[:, :2])
        with pytest.raises(rnnrs.DTypeError, match="do"):
            jordan.backward(cache, DO.astype(str))
        assert not jordan.gradients.flat.any()
        assert jordan.backward(cache, DO, need_dx=False) == (None, None)


@pytest.mark.parametrize(
    ("sizes", "options", "error", "message"),
    [
        ((-1, 2, 3), {}, ValueError, "input_size"),
        ((1, 0, 3), {}, ValueError, "hidden_size"),
        ((1, 2, 0), {}, ValueError, "output_size"),
        ((1, 2, 3.0), {}, TypeError, "output_size: expected a whole number"),
        ((1, 2, 3), {"feedback": "state"}, ValueError, "feedback: expected one of output, softmax, sample"),
        ((1, 2, 3), {"activation": "softmax"}, ValueError, "activation: expected one of tanh"),
        ((1, 2, 3), {"embedding_size": 4}, ValueError, "embedding_size: expected None for feedback 'output'"),
        ((1, 2, 3), {"embedding_size": 0, "feedback": "sample"}, ValueError, "embedding_size"),
        ((1, 2, 3), {"temperature": 0.0}, ValueError, "temperature: expected a finite number above 0"),
        ((1, 2, 3), {"temperature": float("nan")}, ValueError, "temperature"),
        ((1, 2, 3), {"seed": -1}, ValueError, "seed"),
        ((1, 2, 3), {"dtype": "int8"}, rnnrs.DTypeError, "float32 or float64"),
        ((2**40, 2**40, 1), {}, MemoryError, "more than can be addressed"),
    ],
)
def test_invalid_settings(sizes, options, error, message):
    with pytest.raises(error, match=message):
        nn.JordanRNN(*sizes, **options)


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_interrupts_a_free_run(threads):
    program = """
        import os, signal, sys, threading, time
        import numpy as np
        import rnnrs
        from rnnrs import nn

        rnnrs.set_num_threads(int(sys.argv[1]))
        jordan = nn.JordanRNN(1, 512, 64, feedback="softmax")
        long = np.zeros((40_000, 8, 1), np.float32)  # seconds of work
        sent = []

        def interrupt():
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        threading.Timer(0.1, interrupt).start()
        try:
            jordan.forward(long)
        except KeyboardInterrupt:
            print(time.monotonic() - sent[0])
    """
    assert seconds_to_stop(program, threads, within=1.0) < 1.0
