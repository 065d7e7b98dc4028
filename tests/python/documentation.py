"""The pages of the documentation, and the blocks of code on them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]
SERVING = ROOT / "docs" / "serving.md"
FENCE = re.compile(r"^```(\S*) ?(\S*)\n(.*?)^```$", re.M | re.S)

#: The words after a block's language of those that do not run by themselves: never, or only beside a server.
NOT_ALONE = ("norun", "served")


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """(the word after the language, the code) of a page's blocks."""
    return [(word, code) for found, word, code in FENCE.findall(page.read_text("utf-8")) if found == language]
