"""Checks the size of every wheel in a folder, and prints it: `python .ci/check_wheel.py dist`."""

from __future__ import annotations

import sys
from pathlib import Path

LIMIT_KIB = 5_120


def main(folder: str) -> int:
    """Prints the sizes; returns 1 if a wheel is too large or there is none, else 0."""
    wheels = sorted(Path(folder).glob("*.whl"))
    if not wheels:
        print(f"{folder}: expected wheels, got none")
        return 1
    sizes = [-(-wheel.stat().st_size // 1024) for wheel in wheels]
    for wheel, size in zip(wheels, sizes, strict=True):
        print(f"{wheel}: {size:,} KiB, limit {LIMIT_KIB:,} KiB")
    return 1 if max(sizes) > LIMIT_KIB else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
