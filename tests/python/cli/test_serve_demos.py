"""`rnnrs serve --demo`: which demos are served, and when."""

import pytest

from rnnrs.cli import main
from rnnrs.cli.demo import serving
from rnnrs.cli.demo.cached import FILES, Progress
from rnnrs.cli.demo.serving import ALL, add_demos, open_page
from rnnrs.models import LanguageModel
from rnnrs.serve.hosting import Host


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    path = tmp_path_factory.mktemp("letters") / "letters.rnn"
    model = LanguageModel.from_text("abc " * 20, hidden_size=4, embedding_size=4)
    model.fit("abc " * 20, epochs=1, progress=False)
    model.save(path)
    return path


def test_models_in_the_folder_are_served_at_once(letters, tmp_path):
    (tmp_path / "chat.rnn").write_bytes(letters.read_bytes())
    (tmp_path / "caption.rnn").write_bytes(letters.read_bytes())  # without the one of regions
    host = Host({"own": letters})
    add_demos(host, ALL, tmp_path)
    states = {one.name: one.status for one in host}
    assert list(states) == ["own", *(name for names in FILES.values() for name in names)]
    assert {name for name, status in states.items() if status == "ready"} == {"own", "chat"}
    assert set(states.values()) == {"ready", "waiting"}
    assert host.find("chat", "suggest").name == "chat"


def test_models_are_served_once_they_are_trained(letters, tmp_path, capsys):
    host = Host({})
    cached = add_demos(host, "caption", tmp_path)
    cached._report(Progress("caption", 0.25, {}))
    assert host.served["caption-regions"].facts() == {"status": "training", "progress": 0.25}
    cached._report(Progress("caption", 1.0, {"caption": letters, "caption-regions": letters}))
    assert [one.facts() for one in host] == [{"status": "ready"}] * 2
    assert "rnnrs: caption is trained: suggest, score, completions" in capsys.readouterr().err
    letters_again = host.served["caption"].loaded
    assert host.reload() == (["caption", "caption-regions"], {})
    assert host.served["caption"].loaded is not letters_again


def test_failures_are_shown(tmp_path, capsys):
    (tmp_path / "chat.rnn").write_bytes(b"not a model")
    host = Host({})
    cached = add_demos(host, ALL, tmp_path)
    assert host.served["chat"].status == "failed"
    assert "chat.rnn" in host.served["chat"].message
    cached._report(Progress("extract", 0.0, {}, "no room"))
    assert host.served["extract"].facts() == {"status": "failed", "message": "no room"}
    assert "rnnrs: extract: no room" in capsys.readouterr().err


def test_page_is_opened_on_a_desktop_only(monkeypatch):
    opened = []
    monkeypatch.setattr(serving.webbrowser, "open", opened.append)
    monkeypatch.setattr(serving.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    open_page("http://127.0.0.1:8080/")
    assert opened == []
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    open_page("http://127.0.0.1:8080/")
    assert opened == ["http://127.0.0.1:8080/"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "MODEL: expected at least one, or --demo"),
        (["--demo", "--workers", "2"], "--workers: expected 1 with --demo, got 2"),
    ],
)
def test_wrong_usage(words, expected, capsys):
    assert main(["serve", *words]) == 1
    assert capsys.readouterr().err == f"rnnrs: {expected}\n"
