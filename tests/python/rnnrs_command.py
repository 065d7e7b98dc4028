"""The command `rnnrs`, in a process of its own and in this one, and how it fails."""

from __future__ import annotations

import contextlib
import io
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


def call(*arguments, stdin=b""):
    """Runs the command in this process, which is faster: (exit code, standard output, standard error)."""
    from rnnrs.cli import main

    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            code = main([*map(str, arguments)])
    except SystemExit as error:
        code = error.code
    finally:
        sys.stdin = before
    out, error = (stream.buffer.getvalue().decode() for stream in streams)
    return code, out, error


def refused(message, *arguments, code=1, **more):
    """Checks that the command, in this process, fails with one line that says why."""
    got, out, error = call(*arguments, **more)
    assert (got, out) == (code, ""), error
    assert re.fullmatch(f"rnnrs: .*{message}.*\n", error), error
