"""The comparison with other libraries works: tiny tasks, NumPy and this package, no assertion on times."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
PEERS = ROOT / "benches" / "peers"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="workers are stopped by signals")

WRONG = """
import numpy as np
from library import Variant

def version():
    return "wrong 1"

def variants(task, threads):
    x = task.inputs()["x"]
    return {"only": Variant(lambda: x, lambda: {"h": np.zeros((task.T, task.B, task.H), np.float32)})}
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        str(PEERS / "run.py"),
        "--quick",
        *("--attempts", "1"),  # however busy the machine is
        "--sgemm",
        "64",
        "--csv",
        str(folder / "csv"),
    ]
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run([*command, *words], env=environment, capture_output=True, text=True, timeout=100)


def lines(folder: Path) -> list[dict[str, str]]:
    (file,) = (folder / "csv").iterdir()
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_every_kind_is_compared_and_recorded(tmp_path: Path) -> None:
    sizes = ["--rows", "8,2,5", "16,3,4", "--steps", "11,4,8,3,6", "--next", "11,4,8"]
    done = run(tmp_path, "--libraries", "numpy", "rnnrs", "--threads", "1", *sizes)
    assert done.returncode == 0, done.stderr
    assert "geometric mean" in done.stdout
    rows = lines(tmp_path)
    found = {(row["kind"], row["library"]) for row in rows}
    kinds = {"forward", "train", "step", "next"}
    assert found == {(kind, library) for kind in kinds for library in ("numpy", "rnnrs")} | {
        ("sgemm", "numpy")
    }
    assert len(rows) == 1 + 2 * (2 + 2 + 1 + 1)
    for row in rows:
        assert float(row["seconds"]) > 0
        assert float(row["gflops"]) > 0
        assert float(row["difference"]) <= 1e-4
        assert row["date"] and row["cpu"] and row["cores"] and row["threads"] == "1"
        assert row["version"].startswith(row["library"])


def test_a_missing_library_is_named_and_left_out(tmp_path: Path) -> None:
    done = run(tmp_path, "--libraries", "nonesuch", "--rows", "4,1,2", "--modes", "forward")
    assert done.returncode == 0, done.stderr
    assert "without nonesuch" in done.stdout
    assert {row["library"] for row in lines(tmp_path)} == {"numpy"}


def test_a_wrong_result_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "wrong_.py").write_text(WRONG, encoding="utf-8")
    done = run(tmp_path, "--libraries", "wrong", "--rows", "4,1,2", "--modes", "forward")
    assert done.returncode == 1
    assert "Disagreement: wrong (only), forward, I=4 H=4 B=1 T=2" in done.stderr
    assert not (tmp_path / "csv").exists()


def test_a_worker_that_fails_ends_the_run(tmp_path: Path) -> None:
    broken = "def version():\n    return 'broken 1'\n"
    broken += "def variants(task, threads):\n    raise RuntimeError('no idea')\n"
    (tmp_path / "broken_.py").write_text(broken, encoding="utf-8")
    done = run(tmp_path, "--libraries", "broken", "--rows", "4,1,2")
    assert done.returncode == 1
    assert "RuntimeError: no idea" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the workers end only with an orderly driver")
def test_no_worker_outlives_a_driver_that_is_killed(tmp_path: Path) -> None:
    words = ["--libraries", "numpy", "--rows", "4,1,2", "--sgemm", "64", "--csv", str(tmp_path)]  # long turns
    with subprocess.Popen(
        [sys.executable, str(PEERS / "run.py"), *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as driver:
        assert driver.stderr is not None
        driver.stderr.readline()  # the first task has begun: there is a worker
        children = Path(f"/proc/{driver.pid}/task/{driver.pid}/children")
        (worker,) = map(int, children.read_text().split())
        driver.kill()
        driver.wait()
    for _ in range(100):
        try:
            state = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":  # ended; nobody has asked for its status yet
            return
        time.sleep(0.05)
    pytest.fail(f"worker {worker} is still there")


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The bench's modules can be imported, and are forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(PEERS))
    yield
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(PEERS)):
            del sys.modules[name]


@pytest.mark.usefixtures("peers")
def test_differences_are_relative_to_the_largest_number() -> None:
    import agreement

    expected = {"h": np.array([[100.0, 0.0]])}
    assert agreement.check("ours", {"h": np.array([[100.0, 0.009]])}, expected) == pytest.approx(9e-5)
    for wrong in ([[100.0, 0.011]], [[100.0, np.nan]], [[np.inf, 0.0]], [[100.0], [0.0]], [[100.0]]):
        with pytest.raises(agreement.Disagreement, match=r"ours: differs .* h by"):
            agreement.check("ours", {"h": np.array(wrong)}, expected)
    with pytest.raises(agreement.Disagreement, match="expected h; got dW"):
        agreement.check("ours", {"dW": expected["h"]}, expected)


@pytest.mark.usefixtures("peers")
def test_operations_are_counted_as_the_equations_say() -> None:
    from tasks import LanguageModelStep, Recurrence

    # Per step and sequence: U x and W h forward; Wᵀ da, da hᵀ and da xᵀ back; each 2·H·(I or H).
    assert Recurrence(3, 5, 2, 7, "forward").flops == 7 * 2 * 2 * (5 * 3 + 5 * 5)
    assert Recurrence(3, 5, 2, 7, "train").flops == 7 * 2 * 2 * (2 * 5 * 3 + 3 * 5 * 5)
    # Embedding and softmax's layer: every product has two more on the way back.
    assert LanguageModelStep(11, 3, 5, 2, 7).flops == 3 * 7 * 2 * 2 * (5 * 3 + 5 * 5 + 5 * 11)


@pytest.mark.usefixtures("peers")
def test_the_reference_is_the_gradient() -> None:
    import numpy_
    from tasks import Recurrence

    task = Recurrence(3, 4, 2, 5, "train")
    inputs = {name: a.astype(np.float64) for name, a in task.inputs().items()}
    dh = inputs.pop("dh")
    gradients = numpy_.reference(task)
    for name in ("U", "W", "b"):
        for index in np.ndindex(inputs[name].shape):
            around = []
            for step in (1e-6, -1e-6):
                moved = inputs[name].copy()
                moved[index] += step
                around.append(float((dh * numpy_.forward(**(inputs | {name: moved}))).sum()))
            assert gradients[f"d{name}"][index] == pytest.approx(
                (around[0] - around[1]) / 2e-6, rel=1e-6, abs=1e-7
            )


@pytest.mark.usefixtures("peers")
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_other_programs_are_noticed() -> None:
    from quiet import TOLERATED, Others

    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            others, all_of_them = Others([]), Others([busy.pid])
            time.sleep(0.5)
            seen, rest = others.cores(), all_of_them.cores()
        finally:
            busy.kill()
    assert seen is not None and rest is not None
    assert seen > TOLERATED
    assert rest < seen
