"""The package as a whole: what an import brings, and what it needs."""

import subprocess
import sys
from importlib import metadata

import rnnrs


def test_every_public_name_is_there():
    for name in rnnrs.__all__:
        assert getattr(rnnrs, name) is not None
        assert name in dir(rnnrs)
    assert rnnrs.__version__ == metadata.version("rnnrs")


def test_importing_brings_no_optional_package_and_no_application():
    code = (
        "import sys, rnnrs; "
        "print([m for m in ('tqdm', 'matplotlib', 'tokenizers', 'rnnrs.models', 'rnnrs.train', 'argparse') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_numpy_is_the_only_thing_needed():
    needed = [r for r in metadata.requires("rnnrs") or [] if "extra ==" not in r]
    assert [r.split(">")[0] for r in needed] == ["numpy"]


def test_a_wrong_environment_is_an_error_that_says_so():
    for variable, value in (("RNNRS_ISA", "mmx"), ("RNNRS_NUM_THREADS", "many"), ("RNNRS_NUM_THREADS", "0")):
        done = subprocess.run(
            [sys.executable, "-c", "import rnnrs"],
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin", variable: value},
        )
        assert done.returncode == 1
        assert f"{variable}: expected" in done.stderr
        assert f'"{value}"' in done.stderr


def test_every_instruction_set_of_this_machine_gives_the_same_network():
    code = """
import numpy as np
from rnnrs import instruction_set, nn
rnn = nn.RNN(5, 37, seed=1)
h, cache = rnn.forward(np.random.default_rng(0).standard_normal((9, 11, 5)))
rnn.backward(cache, h)
print(instruction_set(), h.sum(dtype=float), np.abs(rnn.gradients.flat).sum(dtype=float))
"""
    results = {}
    for isa in ("scalar", "neon", "avx2", "avx512"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin", "RNNRS_ISA": isa},
        )
        if done.returncode:
            assert "expected an instruction set of this machine" in done.stderr
            continue
        name, *numbers = done.stdout.split()
        assert name == isa
        results[isa] = [float(n) for n in numbers]
    assert "scalar" in results
    for numbers in results.values():
        for got, expected in zip(numbers, results["scalar"], strict=True):
            assert abs(got - expected) <= 1e-4 * abs(expected)
