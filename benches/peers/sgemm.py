"""The machine's rate of multiplying float32 matrices, the best of NumPy's and PyTorch's.

Taken at the beginning of a run and at its end: the higher one counts, so that a clock that rises or falls in
between flatters nobody.
"""

from __future__ import annotations

from collections.abc import Mapping

from measure import Effort, Measurement, compare_in_peace
from tasks import Sgemm
from workers import Worker

#: Rows and columns.
SIZE = 2048

#: Whose products count.
LIBRARIES = ("numpy", "torch")


def best(workers: Mapping[str, Worker], size: int, effort: Effort) -> Measurement:
    """The faster of the two libraries, or NumPy alone.

    Raises:
        Disagreement: if their products differ.
    """
    able = {name: worker for name, worker in workers.items() if name in LIBRARIES}
    return max(
        compare_in_peace(Sgemm(size), able, effort).values(), key=lambda measurement: measurement.gflops
    )
