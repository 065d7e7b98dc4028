"""docs/serving.md: requests are answered as it shows, its programs run, its tables are those of the server."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import served_models
from documentation import SERVING, blocks
from running_server import running
from starlette.testclient import TestClient

from rnnrs.cli import parser
from rnnrs.cli.serve import LIMITS
from rnnrs.serve import Limits, create_app
from rnnrs.serve.app import ENDPOINTS
from rnnrs.serve.openapi import document

#: The page's models → the small ones that stand for them. The page shows answers of the demos.
MODELS = {
    "shakespeare": "letters",
    "chat": "chatbot",
    "translate": "translator",
    "summarize": "summarizer",
    "extract": "extractive",
    "caption": "captioner",
    "caption-regions": "regions",
    "assistant": "assistant",
    "mood": "texts",
    "tags": "tagged_texts",
    "air": "forecaster",
}

#: The address of the page's server.
ADDRESS = "127.0.0.1:8080"

#: Members of answers that do not depend on what a model has learned.
EXACT = (
    "openapi",
    "status",
    "title",
    "type",
    "detail",
    "expected",
    "got",
    "field",
    "object",
    "model",
    "kind",
    "param",
)

#: What the page leaves out of an answer.
MORE = "…"

PAGE = SERVING.read_text("utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Returns a folder with the page's files: models and pictures."""
    from PIL import Image

    made = tmp_path_factory.mktemp("page")
    for name, model in served_models.models(*MODELS.values()).items():
        for shown in (shown for shown, one in MODELS.items() if one == name):
            model.save(made / f"{shown}.rnn")
    for name in ("biker.png", "scene.png"):
        Image.fromarray(np.full((30, 40, 3), 200, np.uint8)).save(made / name)
    return made


@pytest.fixture(scope="module")
def server(folder):
    """Returns the address of a server with the page's models."""
    with running(create_app({name: folder / f"{name}.rnn" for name in MODELS})) as server:
        yield f"127.0.0.1:{server.port}"


def exchanges():
    """The commands of the page that are sent to the server, and the answers that it shows."""
    for word, code in blocks(SERVING, "console"):
        if word == "served":
            for part in re.split(r"^\$ ", code, flags=re.M)[1:]:
                command, answer = re.fullmatch(r"((?:.*\\\n)*.*\n)([^$]*)", part).groups()
                yield command.replace("\\\n", ""), answer.strip()


def run(command, folder, server):
    """Runs a command of the page in the folder of its files, and returns what it prints."""
    script = "set -euo pipefail\n" + command.replace(ADDRESS, server)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("number", range(len(list(exchanges()))))
def test_requests_are_answered_as_the_page_shows(number, folder, server):
    command, shown = list(exchanges())[number]
    assert shutil.which("curl"), "needs curl: apt-get install curl"
    compare(shown, run(command, folder, server).replace(server, ADDRESS))


def compare(shown, answer):
    """Compares an answer that the page shows with a real one: head, events, numbers of Prometheus, or JSON."""
    if shown.startswith("HTTP/"):
        shown_head, _, shown = shown.partition("\n\n")
        head, _, answer = answer.replace("\r\n", "\n").partition("\n\n")
        lines = head.lower().split("\n")
        assert all(line.lower() in lines for line in shown_head.split("\n") if line != MORE), head
    if shown.startswith("data: "):
        compare_events(shown, answer)
    elif shown.startswith("#"):
        known = {line.rpartition(" ")[0] for line in answer.split("\n")}
        wanted = {line.rpartition(" ")[0] for line in shown.split("\n") if line != MORE}
        assert wanted <= known, wanted - known
    else:
        compare_json(parsed(shown), json.loads(answer))


def compare_events(shown, answer):
    """Compares server-sent events: those before what is left out, and those after it."""
    wanted, events = (text.strip().split("\n\n") for text in (shown, answer))
    gap = wanted.index(MORE)
    assert len(events) > len(wanted)
    for place, event in enumerate(wanted):
        got = events[place if place < gap else place - len(wanted)]
        if event == "data: [DONE]":
            assert got == event
        elif event != MORE:
            compare_json(parsed(event.removeprefix("data: ")), json.loads(got.removeprefix("data: ")))


def parsed(shown):
    """JSON of the page; where it leaves something out, "…" is an item, or a member."""
    return json.loads(
        re.sub(f"{MORE}(?=\\s*}})", f'"{MORE}": null', shown).replace(f", {MORE}]", f', "{MORE}"]')
    )


def compare_json(shown, answer, exact=EXACT, place="answer"):
    """Compares JSON: the same members of the same types; those of the names `exact` have the same values."""
    if isinstance(shown, dict):
        assert isinstance(answer, dict), place
        wanted = set(shown) - {MORE}
        assert wanted <= set(answer) and (MORE in shown or wanted == set(answer)), (place, sorted(answer))
        for name in wanted:
            compare_json(shown[name], answer[name], exact, f"{place}.{name}")
    elif isinstance(shown, list):
        assert isinstance(answer, list) and bool(answer) == bool(shown), place
        items = [one for one in shown if one != MORE]
        for i, one in enumerate(answer):  # their number depends on the model
            known = i < len(items)
            compare_json(items[i if known else 0], one, exact if known else (), f"{place}[{i}]")
    elif place.rpartition(".")[2] in exact:
        assert shown == answer, place
    else:
        kinds = [float if type(one) is int else type(one) for one in (shown, answer)]
        assert kinds[0] == kinds[1], (place, shown, answer)


def programs():
    """The page's Python programs for its server, besides those for OpenAI's client, which tests/attacks runs."""
    return [code for word, code in blocks(SERVING, "python") if word == "served" and "openai" not in code]


@pytest.mark.parametrize("code", programs(), ids=lambda code: code.split("\n")[0])
def test_programs_run(code, folder, server, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    names = {}
    exec(compile(code.replace(ADDRESS, server), str(SERVING), "exec"), names)
    if "app" not in names:
        assert capsys.readouterr().out.strip(), "a program prints what it got"
        return
    with TestClient(names["app"], base_url="http://localhost") as client:
        below = names.get("BELOW", "")
        assert client.get(f"{below}/health").json() == {"status": "ok"}
        assert client.get(f"{below}/suggest", params={"text": "The c"}).json()["model"] == "shakespeare"


def test_every_command_that_starts_a_server_is_one():
    found = re.findall(r"(?:^\$ |ExecStart=\S*/|^)rnnrs (serve (?:.*\\\n)*.*)", PAGE, re.M)
    assert len(found) == 5
    for command in found:
        words = shlex.split(command.replace("\\\n", ""), comments=True)
        assert parser().parse_args(words).run, command


def test_the_table_of_limits_is_that_of_the_command():
    units = {"KiB": 1 << 10, "MiB": 1 << 20}
    found = {}
    for name, value, unit in re.findall(r"^\| `--([a-z-]+)` \| ([\d,.]+) ?(\w*)", PAGE, re.M):
        found[name.replace("-", "_")] = float(value.replace(",", "")) * units.get(unit, 1)
    assert found == vars(Limits())
    assert found.keys() == LIMITS.keys()


def test_the_tables_of_paths_and_problems_are_complete():
    assert {one.path for one in ENDPOINTS} <= set(re.findall(r"`(?:GET |POST )?(/[^` ]*)`", PAGE))
    described = document(ENDPOINTS, Limits())["components"]["responses"]
    assert described.keys() <= set(re.findall(r"^\| (\d{3}) \|", PAGE, re.M))


def test_all_numbers_for_prometheus_are_named(server):
    with urllib.request.urlopen(f"http://{server}/metrics") as answer:
        names = re.findall(r"^# TYPE (\S+)", answer.read().decode(), re.M)
    assert [name for name in names if f"`{name}`" not in PAGE and f"# TYPE {name} " not in PAGE] == []
