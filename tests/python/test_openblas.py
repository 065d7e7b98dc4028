"""OpenBLAS's threads sleep soon after a product, and products are as before."""

import os
import subprocess
import sys
import textwrap

import pytest

PRODUCTS = """
    import ctypes, os, sys, threading, time
    import numpy as np

    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((600, 400)), rng.standard_normal((400, 500))
    before = a @ b
"""


def run(program, **environment):
    kept = {
        k: v for k, v in os.environ.items() if k not in ("OPENBLAS_THREAD_TIMEOUT", "OPENBLAS_NUM_THREADS")
    }
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PRODUCTS) + textwrap.dedent(program)],
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.split()


@pytest.fixture(scope="module")
def library():
    """The expression of NumPy's OpenBLAS; a NumPy with another library has nothing to test."""
    expression = "ctypes.CDLL(sys.modules['numpy._core._multiarray_umath'].__file__)"
    found = run(f"print(hasattr({expression}, 'openblas_thread_timeout'))")
    if found != ["True"]:
        pytest.skip("this NumPy is built without OpenBLAS")
    return expression


def test_products_after_the_import_are_the_same_and_the_threads_are_back(library):
    program = f"""
        import rnnrs
        assert {library}.openblas_thread_timeout() == 17
        for _ in range(3):
            assert np.array_equal(a @ b, before)
        print(len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 0)
    """
    threads = run("print(len(os.listdir('/proc/self/task')) if sys.platform == 'linux' else 0)")
    assert int(run(program)[0]) >= int(threads[0])


def test_a_child_process_and_other_threads_compute_the_same(library):
    program = """
        import multiprocessing, warnings
        import rnnrs

        def product(_=None):
            return np.linalg.solve(a[:400] + 50 * np.eye(400), b)

        warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads, from Python 3.12 on
        expected = product()
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert all(np.allclose(found, expected) for found in pool.map(product, range(4)))
        right = []
        threads = [threading.Thread(target=lambda: right.append(np.allclose(product(), expected))) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(right.count(True))
    """
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    assert run(program) == ["8"]


def test_the_users_own_setting_stays(library):
    program = f"""
        import rnnrs
        print(os.environ["OPENBLAS_THREAD_TIMEOUT"], {library}.openblas_thread_timeout())
    """
    assert run(program, OPENBLAS_THREAD_TIMEOUT="25") == ["25", "25"]


def test_threads_are_not_ended_beside_a_thread_that_may_compute(library):
    program = f"""
        done = False

        def compute():
            while not done:
                a @ b

        thread = threading.Thread(target=compute)
        thread.start()
        import rnnrs
        print({library}.openblas_thread_timeout())
        done = True
        thread.join()
        waiting = threading.Thread(target=threading.Event().wait, daemon=True)
        waiting.start()
        time.sleep(0.05)
        from rnnrs import openblas
        print(openblas._is_quiet())
    """
    timeout, quiet = run(program)
    assert timeout != "17" and quiet == "True"


def test_a_numpy_that_is_imported_later_reads_the_setting(library):
    program = f"""
        import subprocess
        code = "import rnnrs, ctypes, sys; rnnrs.nn; print({library}.openblas_thread_timeout())"
        print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
    """
    assert run(program) == ["17"]
