"""Chromium on the page of a real server with small models, some of them trained so that they answer sensibly."""

import contextlib
import os
import re
import shutil
from pathlib import Path

import pytest
import running_server
import served_models
import small_applications as small
import small_regions
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from rnnrs import models
from rnnrs.serve import create_app

#: Where each view's screenshots go: to be looked at.
SCREENSHOTS = Path(__file__).parents[2] / "target" / "screenshots"

#: Wide and narrow.
WIDTHS = (1100, 360)

SIZES = {"embedding_size": 16, "hidden_size": 32, "seed": 1}
FIT = {"learning_rate": 0.02, "progress": False}


def _words(level="word", epochs=40):
    options = {"level": level, "vocabulary": {"min_count": 1} if level == "word" else {}}
    made = models.LanguageModel.from_text(small.TEXT, **options, **SIZES)
    made.fit(small.TEXT * 4, epochs=epochs, **FIT)
    return made


def _of_pairs(kind):
    made = kind.from_pairs(small.PAIRS, dropout=0.0, **SIZES)
    made.fit(small.PAIRS * 4, epochs=60, **FIT)
    return made


def _chatbot():
    made = models.Chatbot.from_dialogues(small.DIALOGUES, dropout=0.0, **SIZES)
    made.fit(small.DIALOGUES * 4, epochs=60, **FIT)
    return made


def _captioner():
    scenes = small_regions.scenes(100, 0)
    made = small_regions.small(*scenes)
    made.fit(*scenes, epochs=10, progress=False)
    made.parameters["localization.finder.c"][:13] += 2.0  # it sees more than after so short a training
    return made


TRAINED = {
    "words": _words,
    "characters": lambda: _words("char", 60),
    "translator": lambda: _of_pairs(models.Translator),
    "summarizer": lambda: _of_pairs(models.Summarizer),
    "chatbot": _chatbot,
    "pictures": _captioner,
}
UNTRAINED = (
    "extractive",
    "assistant",
    "captioner",
    "classifier",
    "texts",
    "tagger",
    "tagged_texts",
    "forecaster",
)


@pytest.fixture(scope="session")
def served():
    """The models by name."""
    return {name: make() for name, make in TRAINED.items()} | served_models.models(*UNTRAINED)


@pytest.fixture(scope="session")
def address(served):
    """The address of the page."""
    with running_server.running(create_app(served)) as server:
        yield f"http://127.0.0.1:{server.port}/"


@pytest.fixture(scope="session")
def chromium():
    found = [path for name in ("chromium", "google-chrome") if (path := shutil.which(name))]
    assert found, "needs Chromium: apt-get install chromium"
    # Its sandbox refuses to work for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found[0], args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium):
    """A tab of its own; the test fails at any error in its console that was not expected."""
    context = chromium.new_context(locale="en-US", viewport={"width": WIDTHS[0], "height": 800})
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.expected, errors = [], []
    page.on("console", lambda message: message.type in ("error", "warning") and errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert [text for text in errors if not any(re.search(known, text) for known in page.expected)] == []


@pytest.fixture
def visit(tab, address):
    """Opens the view of a model."""

    def opened(name, at=address):
        tab.goto(f"{at}#{name}")
        tab.locator("h1", has_text=re.compile(f"^{name}$")).wait_for()
        return tab

    return opened


@pytest.fixture
def serving(tab):
    """Serves another application for a while; yields its address. The tab leaves the page before, or stays."""

    @contextlib.contextmanager
    def served(app, settings=None, stays=False):
        with running_server.running(app, settings) as server:
            yield f"http://127.0.0.1:{server.port}/"
            if not stays:  # what the page still fetches would be refused: an error in its console
                tab.goto("about:blank")

    return served


@pytest.fixture
def look_at():
    """Checks a view for accessibility, and that nothing is cut off, in light and dark, wide and narrow."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return _look_at


def _look_at(page, name):
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=SCREENSHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
            for violation in Axe().run(page).response["violations"]:
                places = [node["html"] for node in violation["nodes"]]
                found.append((width, scheme, violation["id"], places))
        if (needed := page.evaluate("document.documentElement.scrollWidth")) > width:
            found.append((width, "needs", needed))
    page.set_viewport_size({"width": WIDTHS[0], "height": 800})
    assert found == []
