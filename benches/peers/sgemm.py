"""The machine's rate of float32 matrix products: the better of NumPy's and PyTorch's.

It is measured at the beginning and the end of a run. The higher rate counts, so that a clock that rises or
falls in between favors nobody.
"""

from __future__ import annotations

from collections.abc import Mapping

from measure import Effort, Measurement, compare_in_peace
from tasks import Sgemm
from workers import Worker

#: Rows and columns.
SIZE = 2048

#: The libraries that are measured.
LIBRARIES = ("numpy", "torch")


def best(workers: Mapping[str, Worker], size: int, effort: Effort) -> Measurement:
    """Returns the measurement of the faster library, or of NumPy if PyTorch is missing.

    Raises:
        Disagreement: if their products differ.
    """
    able = {name: worker for name, worker in workers.items() if name in LIBRARIES}
    return max(
        compare_in_peace(Sgemm(size), able, effort).values(), key=lambda measurement: measurement.gflops
    )
