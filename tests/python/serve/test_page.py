"""The page's files: small, complete, without anything from elsewhere."""

import json
import re
from pathlib import Path

import pytest

import rnnrs.serve
from rnnrs.serve.static import MEDIA_TYPES

FOLDER = Path(rnnrs.serve.__file__).with_name("page")
FILES = {file.name: file.read_text("utf-8") for file in sorted(FOLDER.iterdir())}
SCRIPTS = {name: text for name, text in FILES.items() if name.endswith(".js")}
STRINGS = json.loads(FILES["strings.json"])


def test_the_files_are_small_and_served():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 60_000
    assert {Path(name).suffix for name in FILES} <= set(MEDIA_TYPES)


@pytest.mark.parametrize("name", FILES)
def test_nothing_comes_from_elsewhere(name):
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[\w./]*", FILES[name]))
    # Names of XML, which nobody fetches.
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}
    assert not re.search(r"""(?:src|href)="/|@import|url\(""", FILES[name])
    if name in SCRIPTS:
        assert not re.search(r"""(?:\bfrom |import |import\()["'`](?!\./)""", FILES[name])


def test_nothing_is_inline():
    page = FILES["index.html"]
    assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", page)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == [""]
    for name, text in SCRIPTS.items():
        assert not re.search(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write\b", text), (
            name
        )


def test_every_referenced_file_exists():
    named = set(re.findall(r'(?:href|src)="page/([^"]+)"', FILES["index.html"]))
    for text in SCRIPTS.values():
        named |= set(re.findall(r'(?:from "\./|new URL\(")([\w.]+)"', text))
    views = set(re.findall(r"[a-z]+", "keyboard translate summarize describe chat classify tag forecast"))
    assert "import(`./${" in FILES["main.js"]
    assert named | {f"{view}.js" for view in views} | {"index.html"} == set(FILES)
    for view in views:
        assert re.search(r"export (const|function) view\b", FILES[f"{view}.js"]), view


def test_both_languages_have_all_texts():
    languages = STRINGS["languages"]
    assert languages == ["en", "de"]
    for key, texts in STRINGS.items():
        assert len(texts) == len(languages) and all(texts), key
        assert len({tuple(sorted(re.findall(r"{\w+}", text))) for text in texts}) == 1, key


def test_every_text_is_there_and_used():
    everything = "".join(text for name, text in FILES.items() if name != "strings.json")
    # Names that are put together: of a verb, of a number of words, of a unit, of a state.
    verbs = ("suggest", "translate", "summarize", "describe", "chat", "classify", "tag", "forecast")
    together = {f"{verb}{end}" for verb in verbs for end in ("", "About", "Answer")}
    together |= {f"words{n}" for n in (1, 2, 3)} | {f"{unit}Unit" for unit in ("sentences", "words", "share")}
    states = {"waiting", "training", "failed"}  # those of hosting.Served besides "ready"
    together |= states | {"languages", "user", "bot"}
    assert states <= set(STRINGS)
    for key in STRINGS:
        assert key in together or f'"{key}"' in everything, key
    named = re.findall(r'(?<![-\w])t(?:-label|-hint)?"?[:(] ?"(\w+)"', everything)
    named += re.findall(r'data-t(?:-label|-hint)?="(\w+)"', FILES["index.html"])
    named += re.findall(r'(?:labeled|action|form|toolbar)\("(\w+)"', everything)
    assert set(named) <= set(STRINGS) and len(named) > 50


def test_nothing_moves():
    # What does not move need not be stopped for those who prefer reduced motion.
    assert not re.search(r"transition|animation|@keyframes|scroll-behavior", FILES["style.css"])
    for name, text in SCRIPTS.items():
        assert not re.search(r"\.animate\(|smooth", text), name
