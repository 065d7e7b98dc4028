"""Demos in a cache folder: trained by processes of their own, kept, and found again."""

import threading

import rnnrs
from rnnrs.cli.demo import DEMOS, cached
from rnnrs.cli.demo.cached import CachedDemos, Progress, cache_folder


class Reports(list):
    """Collects reports, and knows when a demo is over."""

    def __init__(self):
        super().__init__()
        self.over = threading.Event()

    def __call__(self, progress: Progress):
        self.append(progress)
        if progress.paths or progress.error:
            self.over.set()


def test_every_demo_has_files():
    assert set(cached.FILES) == set(DEMOS)
    assert 480 <= sum(demo.seconds for demo in DEMOS.values()) * cached.SHARE <= 600


def test_cache_folder_is_of_this_version(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "rnnrs" / f"demos-{rnnrs.__version__}"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "rnnrs" / f"demos-{rnnrs.__version__}"


def test_demo_is_trained_once_and_found_again(tmp_path):
    reports = Reports()
    demos = CachedDemos(["shakespeare"], tmp_path / "cache", reports, seconds=0.2)
    assert demos.found("shakespeare") == {}
    demos.start()
    assert reports.over.wait(60)
    demos.close()
    assert reports[-1] == Progress("shakespeare", 1.0, demos.found("shakespeare"))
    assert all(0 <= one.share < 1 and not one.paths for one in reports[:-1])
    path = demos.found("shakespeare")["shakespeare"]
    assert rnnrs.load(path).suggest("I will go to the k", k=1)
    assert [one.name for one in path.parent.iterdir()] == ["shakespeare.rnn"]  # nothing else is left

    again = Reports()
    second = CachedDemos(["shakespeare"], tmp_path / "cache", again, seconds=1e6)
    second.start()
    assert again.over.wait(10)
    second.close()
    assert again == [reports[-1]]


def test_closing_ends_the_training_and_leaves_nothing(tmp_path):
    reports = Reports()
    demos = CachedDemos(["shakespeare", "chat"], tmp_path, reports, seconds=1e6)
    demos.start()
    while not reports:
        threading.Event().wait(0.05)
    demos.close()
    assert {one.demo for one in reports} == {"shakespeare"}
    assert list(tmp_path.iterdir()) == []


def test_failure_is_reported_and_the_next_demo_follows(tmp_path, monkeypatch):
    monkeypatch.setitem(cached.FILES, "unheard-of", ("unheard-of",))
    monkeypatch.setitem(DEMOS, "unheard-of", DEMOS["chat"])
    (tmp_path / "extract.rnn").write_bytes(b"a model")
    reports = []
    demos = CachedDemos(["unheard-of", "extract"], tmp_path, reports.append)
    demos.start()
    demos._thread.join(60)
    failed, found = [one for one in reports if one.error or one.paths]
    assert "invalid choice: 'unheard-of'" in failed.error
    assert found.paths == {"extract": tmp_path / "extract.rnn"}
