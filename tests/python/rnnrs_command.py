"""The command `rnnrs` in a process of its own, and how it fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(sys.executable).with_name("rnnrs")
COMMAND = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "rnnrs.cli"]


def run(*arguments, stdin=b"", environment=None):
    """Runs the command: (exit code, standard output, standard error)."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=100,
        env={**os.environ, "PYTHONUTF8": "1", **(environment or {})},
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def fails(code, message, *arguments, **more):
    """Checks that the command fails with one line that says why."""
    got, out, error = run(*arguments, **more)
    assert got == code, error
    assert out == ""
    assert re.fullmatch(f"rnnrs: .*{message}.*\n", error), error
