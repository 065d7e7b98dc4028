"""Requests made from the OpenAPI document, valid and not: no error of the server, and answers as documented."""

import re
import subprocess
import sys
from pathlib import Path

#: Requests of each operation that is drawn at random; those of the boundaries of each field come on top.
EXAMPLES = 350


def test_generated_requests(server, tmp_path):
    config = Path(__file__).with_name("schemathesis.toml")
    command = [str(Path(sys.executable).with_name("st")), "--config-file", str(config), "run"]
    command += [f"{server}/openapi.json", "--max-examples", str(EXAMPLES), "--phases", "coverage,fuzzing"]
    command += ["--seed", "1", "--continue-on-failure", "--no-shrink", "--generation-database", "none"]
    command += ["--request-timeout", "60"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=800)
    lines = [line[:500] for line in (found.stdout + found.stderr).splitlines()]
    assert found.returncode == 0, "\n".join(lines[-200:])
    (count,) = re.findall(r"(\d[\d,]*) generated", found.stdout)
    assert int(count.replace(",", "")) >= 5_000
