"""Programs on two "hosts" on one machine: `python benches/ranks/hosts.py [--rate 1gbit] PROGRAM [OPTION …]`.

The hosts are network namespaces with a cable between them (a pair of virtual devices), whose rate a token
bucket limits (`tc … tbf`). MPICH starts one rank in each by a program that takes the place of ssh. Needs root,
iproute2 and MPICH; PROGRAM is one of this folder, such as sums.py.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
HOSTS = {"rnnrs-a": "10.77.31.1", "rnnrs-b": "10.77.31.2"}

#: MPICH's module that uses the cable: others find shared memory on this machine, or the loopback device.
NETWORK = {"MPIR_CVAR_CH4_NETMOD": "ofi", "FI_PROVIDER": "tcp", "FI_TCP_IFACE": "cable"}

#: Called as ssh is: options, host, command.
SHELL = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
case $1 in %s) name=rnnrs-a;; *) name=rnnrs-b;; esac
shift
exec ip netns exec $name /bin/sh -c "$*"
"""


def call(command: str) -> None:
    subprocess.run(command.split(), check=True)


def shown(command: str) -> str:
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def hosts(rate: str | None) -> Iterator[None]:
    """Returns a context with the two hosts."""
    remove_hosts()  # those of a run that was killed
    try:
        for name in HOSTS:
            call(f"ip netns add {name}")
        call("ip link add cable netns rnnrs-a type veth peer name cable netns rnnrs-b")
        for name, address in HOSTS.items():
            call(f"ip -n {name} address add {address}/24 dev cable")
            for device in ("lo", "cable"):
                call(f"ip -n {name} link set {device} up")
            if rate:
                limit = f"tbf rate {rate} burst 1mb latency 50ms"
                call(f"ip netns exec {name} tc qdisc add dev cable root {limit}")
        while any("state UP" not in shown(f"ip -n {name} link show cable") for name in HOSTS):
            time.sleep(0.01)
        yield
    finally:
        remove_hosts()


def remove_hosts() -> None:
    for name in HOSTS:
        subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", help="of the cable, as tc reads it; unlimited by default")
    parser.add_argument("program")
    options, rest = parser.parse_known_args()
    mpiexec = Path(sys.executable).with_name("mpiexec")
    with tempfile.TemporaryDirectory() as folder, hosts(options.rate):
        shell = Path(folder) / "shell"
        shell.write_text(SHELL % HOSTS["rnnrs-a"])
        shell.chmod(0o755)
        command = f"ip netns exec rnnrs-a {mpiexec} -launcher ssh -launcher-exec {shell}".split()
        command += [
            "-hosts",
            ",".join(HOSTS.values()),
            "-n",
            "2",
            sys.executable,
            str(HERE / options.program),
        ]
        subprocess.run([*command, *rest], check=True, env=os.environ | NETWORK)


if __name__ == "__main__":
    main()
