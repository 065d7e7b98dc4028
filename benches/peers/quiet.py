"""Detects other programs that run during a measurement."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

#: Average number of cores that other programs may use before a measurement counts as disturbed.
TOLERATED = 0.1


class Others:
    """Measures the cores used by all processes except the given ones, from its creation on; Linux only.

    Args:
        pids: the measuring processes; the current one is added.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = [os.getpid(), *pids]
        self._before = self._clocks()

    def cores(self) -> float | None:
        """Returns the average number of cores since creation; None if the system does not report it."""
        now = self._clocks()
        if now is None or self._before is None:
            return None
        wall, busy, own = (after - before for after, before in zip(now, self._before, strict=True))
        return max(0.0, (busy - own) / wall) if wall > 0 else 0.0

    def _clocks(self) -> tuple[float, float, float] | None:
        """Returns seconds of wall clock, of all cores' busy time, and of our processes' run time."""
        try:
            ticks = os.sysconf("SC_CLK_TCK")
            # user, nice, system, idle, iowait, irq, softirq, steal (proc(5))
            fields = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
            own = sum(self._seconds(pid) for pid in self._pids)
        except (OSError, ValueError, AttributeError):
            return None
        return time.monotonic(), (sum(fields) - fields[3] - fields[4]) / ticks, own

    def _seconds(self, pid: int) -> float:
        """Returns user plus system time of a process. Its name, in parentheses, may contain spaces."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
