"""Reports measurements as a table for readers and a CSV for later comparison."""

from __future__ import annotations

import csv
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from measure import Measurement, Row, disturbed

#: The library that the others are compared with.
OURS = "rnnrs"

TITLES = {
    "forward": "Recurrence, forward: milliseconds",
    "train": "Recurrence, forward and backward with dU, dW, db: milliseconds",
    "lstm forward": "LSTM, forward: milliseconds",
    "lstm train": "LSTM, forward and backward with dU, dW, db: milliseconds",
    "gru forward": "GRU, forward: milliseconds",
    "gru train": "GRU, forward and backward with dU, dW, db, db_h: milliseconds",
    "step": "Language model, a training step (clipping and Adam included): milliseconds",
    "next": "Language model, next token at batch 1, called from Python: microseconds",
}
UNITS = {"next": 1e6}
MILLI = 1e3


@dataclass(frozen=True)
class Machine:
    """The machine and the versions that were measured."""

    date: str
    cpu: str
    cores: int
    threads: int
    commit: str
    versions: Mapping[str, str]

    @classmethod
    def here(cls, threads: int, versions: Mapping[str, str]) -> Machine:
        """Returns a description of this machine at the present time."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        date = datetime.now().astimezone().isoformat(timespec="seconds")
        return cls(date, _cpu(), cores, threads, _commit(), versions)

    def __str__(self) -> str:
        commit = f", commit {self.commit}" if self.commit else ""
        return f"{self.date}: {self.cpu}, {self.cores} cores, {self.threads} threads used{commit}"


def _cpu() -> str:
    """Returns the processor's name, as far as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    """Returns the commit, followed by + if files differ from it; empty outside a repository."""
    found = [
        subprocess.run(
            ["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
        for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain"))
    ]
    if any(result.returncode for result in found):
        return ""
    return found[0].stdout.strip() + ("+" if found[1].stdout.strip() else "")


def fastest_peer(row: Row) -> Measurement | None:
    """Returns the fastest measurement of another library, or None."""
    peers = [m for library, m in row.items() if library != OURS]
    return min(peers, key=lambda m: m.seconds, default=None)


def speedups(row: Row) -> tuple[float, float]:
    """Returns this package's speedups over the fastest peer and over PyTorch; NaN if one is missing."""
    ours, peer, torch = row.get(OURS), fastest_peer(row), row.get("torch")
    over = [other.seconds / ours.seconds if ours and other else math.nan for other in (peer, torch)]
    return over[0], over[1]


def table(kind: str, rows: Sequence[Row], libraries: Sequence[str], sgemm: Measurement) -> str:
    """Returns a table of the measurements of one kind.

    Args:
        kind: the kind of all tasks in `rows`.
        rows: one per task.
        libraries: the columns.
        sgemm: the machine's rate.
    """
    measured = [name for name in libraries if any(name in row for row in rows)]
    subject = OURS if OURS in measured else "fastest"
    head = ["", *measured, f"{subject} GFLOP/s", "of sgemm", "× fastest peer", "× torch"]
    lines = [head]
    for row in rows:
        times = [_number(row[n].seconds * UNITS.get(kind, MILLI)) if n in row else "–" for n in measured]
        chosen = row.get(OURS) or min(row.values(), key=lambda m: m.seconds)
        rate = [f"{chosen.gflops:.1f}", f"{chosen.gflops / sgemm.gflops:.0%}"]
        lines.append(
            [chosen.task.label + (" !" if disturbed(row) else ""), *times, *rate, *map(_ratio, speedups(row))]
        )
    means = [_geometric_mean([speedups(row)[i] for row in rows]) for i in range(2)]
    if not all(map(math.isnan, means)):
        lines.append(["geometric mean", *[""] * (len(measured) + 2), *map(_ratio, means)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = [
        "  ".join(
            cell.rjust(w) if i else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join([TITLES[kind], *(line.rstrip() for line in text)])


def _number(value: float) -> str:
    """Formats a value with three significant digits."""
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{digits}f}"


def _ratio(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def _geometric_mean(values: Sequence[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return math.exp(sum(map(math.log, known)) / len(known)) if known else math.nan


def write_csv(folder: Path, machine: Machine, rows: Sequence[Row], sgemm: Measurement) -> Path:
    """Writes one line per task and library, each with the machine's description; returns the new file's path.

    Columns that need an explanation: `difference` is the relative difference from the reference; `others` is
    the number of cores that other programs used meanwhile; `ours_over` is this package's speedup over the
    line's library.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = machine.date[:19].replace(":", "").replace("T", "-")
    path = folder / f"{stamp}-peers.csv"
    fixed = {"date": machine.date, "cpu": machine.cpu, "cores": machine.cores, "threads": machine.threads}
    fixed |= {"commit": machine.commit, "sgemm_gflops": f"{sgemm.gflops:.2f}"}
    lines = []
    for row in [{sgemm.library: sgemm}, *rows]:
        ours = row.get(OURS)
        for library, m in row.items():
            own: dict[str, object] = {"kind": m.task.kind, "task": m.task.label, "library": library}
            own |= {"version": machine.versions[library], "variant": m.variant, "seconds": f"{m.seconds:.4e}"}
            own |= {"gflops": f"{m.gflops:.3f}", "of_sgemm": f"{m.gflops / sgemm.gflops:.4f}"}
            own |= {"difference": f"{m.difference:.1e}"}
            own |= {"others": "" if m.others is None else f"{m.others:.2f}"}
            own |= {"ours_over": f"{m.seconds / ours.seconds:.3f}" if ours else ""}
            lines.append(fixed | own)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return path
