"""What the documentation shows runs, and what it quotes stands in the sources."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from documentation import FENCE, NOT_ALONE, PAGES, ROOT, blocks

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ARGUMENTS = {  # of examples that take minutes without
    "digit_scenes.py": ["--quick"],
    "why_share_weights.py": ["--quick", "--seeds", "1"],
}
pytestmark = pytest.mark.timeout(300)  # some pages train models


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, tmp_path):
    """Python blocks, quoted files included, share one interpreter; `console` blocks run between them."""
    pieces: list[str] = []
    for language, word, code in FENCE.findall(page.read_text("utf-8")):
        if language == "python" and word not in NOT_ALONE:
            pieces.append(code)
        if language == "console" and word not in NOT_ALONE:
            lines = code.replace("\\\n", "").splitlines()  # a backslash continues a command
            commands = [line[2:] for line in lines if line.startswith("$ ")]
            assert commands, f"a console block without a command in {page.name}"
            script = "\n".join(["set -euo pipefail", *commands])
            pieces.append(f"import subprocess\nsubprocess.run(['bash', '-c', {script!r}], check=True)")
    if not pieces:
        assert page.name != "README.md", "README shows no code"
        return
    program = tmp_path / "page.py"
    program.write_text("\n".join(pieces), "utf-8")
    bash_path = Path(sys.executable).parent
    command = ["env", f"PATH={bash_path}:/usr/bin:/bin", sys.executable, str(program)]
    run(command, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_quoted_lines_stand_in_the_sources(page):
    for path, code in blocks(page, "rust"):
        source = (ROOT / path).read_text("utf-8")
        squeeze = lambda text: re.sub(r"\s+", " ", text).strip()  # noqa: E731
        assert squeeze(code) in squeeze(source), (
            f"{page.name} quotes lines that {path} no longer has:\n{code}"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_quoted_programs_are_the_files(page):
    """A Python block that names a file is that file, to the last character."""
    for path, code in blocks(page, "python"):
        if path not in ("", *NOT_ALONE):
            assert code == (ROOT / path).read_text("utf-8"), f"{page.name}: the block is not {path}"


def test_the_mathematics_begin_with_the_shortest_program():
    first = FENCE.search((ROOT / "docs" / "mathematics.md").read_text("utf-8"))
    assert first and first[2] == "examples/bptt.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples_run(example, tmp_path):
    command = [sys.executable, str(example), *ARGUMENTS.get(example.name, [])]
    assert run(command, tmp_path).strip(), "an example prints what it found"
