"""How much a server can take: `python benches/serving/load.py [--seconds 60] [--workers 2] [WHAT …]`.

Starts `rnnrs serve` on loopback and puts it under load: suggestions of words by HTTP (`http`) and while words or
letters are typed over WebSockets (`words`, `letters`), translations in batches and one at a time (`translate`,
`translate-alone`). Each is measured twice: in a closed loop (the capacity), and at half that rate,
where the latencies count from the time at which a request was due. Prints a Markdown table; everything but
answers of status 200 is counted, and the server's memory at the beginning and the end.

Needs `oha` (`cargo install oha --locked`), and builds the client for WebSockets (`client/`). Clients and server
share the machine's cores. The models are made once, in --folder: their speed depends on their sizes, not on how
long they were trained.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rnnrs import text
from rnnrs.models import LanguageModel, Translator

HERE = Path(__file__).parent

#: The seconds of each training.
TRAINING = 40

#: The connections of a closed loop, and those over which half of its rate is spread.
CLOSED, OPEN = 16, 32

#: The requests whose answers are thrown away before a measurement, in seconds.
WARM = 2

WHAT = ("http", "words", "letters", "translate", "translate-alone")


class Load(NamedTuple):
    """What was measured.

    Attributes:
        rate: the answers of status 200 per second.
        p50, p99: the latencies, in ms.
        others: the number of other outcomes, by what they are.
    """

    rate: float
    p50: float
    p99: float
    others: dict[str, int]


class Server:
    """A running server.

    Attributes:
        url: its address.
    """

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.url, self._pid = url, process.pid

    def rss(self) -> int:
        """Returns the resident memory of all its processes, in KiB. Pages that they share count twice."""
        parents, sizes = {}, {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)], sizes[int(folder.name)] = int(stat[1]), int(stat[21]) * 4
        own = {self._pid}
        while more := {pid for pid, parent in parents.items() if parent in own} - own:
            own |= more
        return sum(sizes.get(pid, 0) for pid in own)


def made(folder: Path) -> None:
    """Makes the models and the texts of requests that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [line for line in text.tiny_shakespeare().split("\n") if len(line.split()) > 4]
    pairs = text.tatoeba_pairs()
    if not (folder / "words.rnn").exists():
        print("training a language model of words …", file=sys.stderr)
        model = LanguageModel.from_text(text.tiny_shakespeare(), level="word", hidden_size=256)
        model.fit(text.tiny_shakespeare(), time_limit=TRAINING, progress=False)
        model.save(folder / "words.rnn")
    if not (folder / "translator.rnn").exists():
        print("training a translator …", file=sys.stderr)
        translator = Translator.from_pairs(pairs[:-500], embedding_size=128, hidden_size=256)
        translator.fit(pairs[:-500], batch_size=32, learning_rate=3e-3, time_limit=TRAINING, progress=False)
        translator.save(folder / "translator.rnn")
    typed = [line[: 5 + 7 * i % len(line)] for i, line in enumerate(lines[:2_000])]
    (folder / "suggest.json").write_text("".join(json.dumps({"text": one}) + "\n" for one in typed))
    sources = [source for source, _ in pairs[-500:]]
    (folder / "translate.json").write_text("".join(json.dumps({"text": one}) + "\n" for one in sources))
    (folder / "typed.txt").write_text("\n".join(lines))


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """Runs a server."""
    files = [str(folder / f"{name}.rnn") for name in ("words", "translator")]
    command = [sys.executable, "-m", "rnnrs.cli", "serve", *files, "--port", "0", *options]
    log = folder / "server.log"
    with open(log, "wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            while not (found := re.search(r"http://[\d.]+:\d+", log.read_text())):
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            yield Server(process, found[0])
        finally:
            process.send_signal(signal.SIGTERM)


def http(url: str, bodies: Path, seconds: float, rate: float | None = None) -> Load:
    """Posts the lines of a file in a random order, in a closed loop or at a rate."""
    command = [oha(), "--no-tui", "--output-format", "json", "-z", f"{seconds:g}s", "-m", "POST"]
    command += ["-T", "application/json", "-Z", str(bodies)]
    if rate is None:
        command += ["-c", str(CLOSED), url]
    else:
        command += ["-c", str(OPEN), "-q", f"{rate:.0f}", "--latency-correction", url]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    statuses = {f"status {code}": count for code, count in found["statusCodeDistribution"].items()}
    right = statuses.pop("status 200", 0)
    # Requests under way at the end are cut off by oha itself.
    errors = {why: n for why, n in found["errorDistribution"].items() if "deadline" not in why}
    p = found["latencyPercentiles"]
    return Load(right / found["summary"]["total"], p["p50"] * 1e3, p["p99"] * 1e3, statuses | errors)


def websocket(url: str, typed: Path, unit: str, seconds: float, rate: float | None = None) -> Load:
    """Types a file by words or letters, in a closed loop or at a rate."""
    command = [client(), url.replace("http", "ws"), str(typed), unit, str(CLOSED if rate is None else OPEN)]
    command += [f"{seconds:g}", *([] if rate is None else [f"{rate:.0f}"])]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    others = {name: found[name] for name in ("problems", "failures") if found[name]}
    return Load(found["per_second"], found["p50_ms"], found["p99_ms"], others)


def oha() -> str:
    """Returns the command that puts load on HTTP.

    Raises:
        SystemExit: if it is not installed.
    """
    found = shutil.which("oha")
    if found is None:
        raise SystemExit("load.py: expected the command oha: cargo install oha --locked")
    return found


def client() -> str:
    """Returns the command that types over WebSockets; builds it first."""
    command = ["cargo", "build", "--release", "--quiet", "--message-format", "json"]
    built = subprocess.run(command, cwd=HERE / "client", check=True, capture_output=True, text=True).stdout
    messages = [json.loads(line) for line in built.splitlines()]
    return next(one["executable"] for one in messages if one.get("executable"))


def measured(what: str, server: Server, folder: Path, seconds: float) -> tuple[Load, Load]:
    """Returns the load in a closed loop, and at half its rate."""
    run: Callable[..., Load]
    if what in ("words", "letters"):
        run = partial(websocket, f"{server.url}/suggest?model=words", folder / "typed.txt", what)
    else:
        verb = "suggest" if what == "http" else "translate"
        run = partial(http, f"{server.url}/{verb}", folder / f"{verb}.json")
    run(WARM)
    closed = run(seconds)
    return closed, run(seconds, closed.rate / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"any of {', '.join(WHAT)} (all)")
    parser.add_argument("--seconds", type=float, default=60, help="time of each measurement (%(default)g)")
    parser.add_argument("--workers", type=int, default=2, help="processes of the server (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "rnnrs-serving")
    arguments = parser.parse_args()
    if set(arguments.what or WHAT) - {"words", "letters"}:
        oha()
    made(arguments.folder)
    print("| load | capacity/s | p50 ms | p99 ms | half of it/s | p50 ms | p99 ms | others | MiB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for what in arguments.what or WHAT:
        options = [
            "--workers",
            str(arguments.workers),
            *(["--batch", "1"] if what == "translate-alone" else []),
        ]
        with serving(arguments.folder, *options) as server:
            before = server.rss()
            closed, half = measured(what, server, arguments.folder, arguments.seconds)
            after = server.rss()
        others = "; ".join(f"{n} × {why}" for one in (closed, half) for why, n in one.others.items())
        figures = [f"{value:,.1f}" for one in (closed, half) for value in one[:3]]
        print(
            f"| {what} | {' | '.join(figures)} | {others or 'none'} | {before >> 10} → {after >> 10} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
