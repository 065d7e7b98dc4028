"""docs/api.txt lists every public name with its signature, as they are now."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_list_of_public_names_is_up_to_date():
    found = subprocess.run(
        [sys.executable, ROOT / ".ci" / "list_api.py"], capture_output=True, encoding="utf-8", check=True
    )
    kept = (ROOT / "docs" / "api.txt").read_text(encoding="utf-8")
    assert kept.splitlines() == found.stdout.splitlines(), "run: python .ci/list_api.py > docs/api.txt"


def test_every_public_name_is_listed():
    import rnnrs

    listed = (ROOT / "docs" / "api.txt").read_text(encoding="utf-8")
    for name in rnnrs.models.__all__:
        assert f" {name}" in listed
