"""Runs the steps of docker/Dockerfile without Docker: `python .ci/run_dockerfile.py dist`.

An empty folder stands for the image's root, and an environment in it for its Python. COPY, RUN, USER, ENTRYPOINT and
HEALTHCHECK are taken from the Dockerfile; the server has to answer, as that user, and to end in order.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DOCKERFILE = Path(__file__).parents[1] / "docker" / "Dockerfile"

MODEL = "from rnnrs.models import LanguageModel as L; L.from_text('Dear reader', hidden_size=8).save('letters.rnn')"


def instructions() -> list[tuple[str, str]]:
    """Returns the Dockerfile's instructions with their arguments."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines if line.strip()]


class Image:
    """The folder that stands for an image.

    Args:
        root: the folder, empty.
        context: the folder of the build's context.
    """

    def __init__(self, root: Path, context: Path) -> None:
        self.root, self.context, self.place = root, context, root
        self.user: int | None = None
        self.environment = {
            "PATH": f"{root / 'python' / 'bin'}:/usr/bin:/bin",
            "HOME": "/",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.entrypoint: list[str] = []
        self.check: list[str] = []

    def run(self, name: str, rest: str) -> None:
        """Runs an instruction.

        Raises:
            SystemExit: for one that this script does not know.
        """
        step = getattr(self, f"_{name.lower()}", None)
        if step is None:
            sys.exit(f"{DOCKERFILE.name}: {name}: expected an instruction that {Path(__file__).name} knows")
        print(f"{name} {rest}", flush=True)
        step(rest)

    def _from(self, rest: str) -> None:
        if not re.fullmatch(r"python:3\.\d+-slim", rest):
            sys.exit(f"{DOCKERFILE.name}: FROM: expected python:3.N-slim, got {rest}")
        python = base_python()
        subprocess.run([python, "-m", "venv", "--without-pip", self.root / "python"], check=True)
        pip = self.root / "python" / "bin" / "pip"
        own = self.root / "python" / "bin" / "python"
        pip.write_text(f'#!/bin/sh\nexec {sys.executable} -m pip --quiet --python {own} "$@"\n')
        pip.chmod(0o755)

    def _workdir(self, rest: str) -> None:
        self.place = self.root / rest.lstrip("/")
        self.place.mkdir(parents=True)

    def _copy(self, rest: str) -> None:
        pattern, target = rest.split()
        files = sorted(self.context.glob(pattern))
        if not files:
            sys.exit(
                f"{DOCKERFILE.name}: COPY: expected {pattern} in {self.context}, got nothing (make wheel)"
            )
        for file in files:
            shutil.copy(file, self.place / target)

    def _run(self, rest: str) -> None:
        subprocess.run(["/bin/sh", "-c", rest], cwd=self.place, env=self.environment, check=True)

    def _user(self, rest: str) -> None:
        user = int(rest.partition(":")[0])
        if user == 0:
            sys.exit(f"{DOCKERFILE.name}: USER: expected one without rights, got {rest}")
        self.user = user if os.geteuid() == 0 else None
        if self.user is None:
            print("  (only root can become another user: the server runs as this one)")

    def _expose(self, rest: str) -> None:
        self.port = rest

    def _healthcheck(self, rest: str) -> None:
        self.check = json.loads(rest.partition("CMD ")[2])

    def _entrypoint(self, rest: str) -> None:
        self.entrypoint = json.loads(rest)

    def _cmd(self, rest: str) -> None:
        if code := self.start(*json.loads(rest)).wait(60):
            sys.exit(f"{DOCKERFILE.name}: CMD: expected exit code 0, got {code}")

    def start(self, *arguments: str, command: list[str] | None = None) -> subprocess.Popen[bytes]:
        """Starts the entry point, or another command, with arguments, as the container's user."""
        ids = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        words = [*(self.entrypoint if command is None else command), *arguments]
        # With "env", the command is looked for in the image's PATH.
        errors = subprocess.DEVNULL if command else None  # a check fails until the server listens
        return subprocess.Popen(
            ["/usr/bin/env", *words], cwd=self.place, env=self.environment, stderr=errors, **ids
        )


def base_python() -> str:
    """Returns a Python that every user of this system can start."""
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        folders = Path(python).parents
        if os.path.exists(python) and all(folder.stat().st_mode & 0o001 for folder in folders):
            return python
    sys.exit("FROM: expected a Python that other users can start, such as /usr/bin/python3, got none")


def main(context: str) -> int:
    """Runs all steps; returns 0 if the server answers and ends in order."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        image = Image(Path(folder), Path(context))
        for name, rest in instructions():
            image.run(name, rest)
        subprocess.run(
            [image.root / "python" / "bin" / "python", "-c", MODEL],
            cwd=image.place,
            env=image.environment,
            check=True,
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        check = [word.replace(image.port, port) for word in image.check]
        print(f"HEALTHCHECK {check}", flush=True)
        server = image.start("letters.rnn", "--port", port)
        try:
            for _ in range(60):
                time.sleep(0.5)
                if server.poll() is not None:
                    sys.exit(f"the server ended with {server.returncode}")
                if image.start(command=check).wait(30) == 0:
                    break
            else:
                sys.exit("the server does not answer")
            server.send_signal(signal.SIGTERM)
            if server.wait(60) != 0:
                sys.exit(f"SIGTERM: expected exit code 0, got {server.returncode}")
        finally:
            server.kill()
    print("the container's steps work")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
