"""Numbers for Prometheus."""

import os
import re
import types

import pytest
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

from rnnrs.serve import create_app
from rnnrs.serve.metrics import BUCKETS, Metrics
from rnnrs.serve.watch import paths_of

LINE = re.compile(r'([a-z_]+)(\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)+\})? (\S+)')


def numbers_of(text):
    """name and labels → number, of a text in Prometheus' format; every metric has its type and its help."""
    found, types_of = {}, {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            types_of[name] = kind
        elif not line.startswith("# HELP "):
            name, labels, number = LINE.fullmatch(line).groups()
            assert (name in types_of) or re.sub("_(bucket|sum|count)$", "", name) in types_of
            assert (name, labels) not in found
            found[name, labels] = float(number)
    assert text.count("# HELP") == len(types_of)
    return {f"{name}{labels or ''}": number for (name, labels), number in found.items()}


def host(**numbers):
    worker = types.SimpleNamespace(**({"waiting": 0, "batches": 0, "computed": 0, "tokens": 0} | numbers))
    return [types.SimpleNamespace(name="a", worker=worker)]


def test_requests_by_path_method_and_status():
    made = Metrics(["a"], ["/suggest", "/score"])
    for seconds in (0.0005, 0.001, 0.3, 100.0):
        made.observe("/suggest", "GET", 200, seconds)
    made.observe("/score", "POST", 429, 0.1)
    made.observe("/x\n{evil}", "BREW", 418, 0.1)
    made.observe("/suggest", "WEBSOCKET", 101, 1000.0)
    found = numbers_of(made.text())
    requests = {name: number for name, number in found.items() if name.startswith("rnnrs_requests_total")}
    assert requests == {
        'rnnrs_requests_total{path="/suggest",method="GET",status="200"}': 4,
        'rnnrs_requests_total{path="/suggest",method="WEBSOCKET",status="101"}': 1,
        'rnnrs_requests_total{path="/score",method="POST",status="429"}': 1,
        'rnnrs_requests_total{path="other",method="other",status="other"}': 1,
    }
    counts = [
        found[f'rnnrs_request_seconds_bucket{{path="/suggest",le="{bound}"}}'] for bound in (*BUCKETS, "+Inf")
    ]
    assert counts[0] == 2 and counts == sorted(counts) and counts[-2:] == [3, 4]
    assert next(bound for bound, count in zip(BUCKETS, counts, strict=False) if count == 3) == 0.5
    assert found['rnnrs_request_seconds_count{path="/suggest"}'] == 4
    assert found['rnnrs_request_seconds_sum{path="/suggest"}'] == pytest.approx(100.3015)


def test_models_and_processes():
    made = Metrics(["a", 'b"\\\n'], [])
    made.publish(host(waiting=3, batches=2, computed=7, tokens=50))
    made.opened(1)
    made.opened(1)
    made.opened(-1)
    made.publish(host(waiting=1, batches=4, computed=9, tokens=60))
    found = numbers_of(made.text())
    assert found['rnnrs_waiting_requests{model="a"}'] == 1 and found['rnnrs_batches_total{model="a"}'] == 4
    assert (
        found['rnnrs_computed_total{model="a"}'] == 9
        and found['rnnrs_generated_tokens_total{model="a"}'] == 60
    )
    assert found[r'rnnrs_waiting_requests{model="b\"\\\n"}'] == 0
    assert found["rnnrs_websockets"] == 1 and found["process_cpu_seconds_total"] >= 0
    if os.path.exists("/proc/self/statm"):
        assert 1e7 < found["process_resident_memory_bytes"] < 1e11


def test_workers_add_up_and_one_that_starts_again_goes_on():
    made = Metrics(["a"], ["/score"], workers=2)
    made.become(1)
    made.observe("/score", "POST", 200, 0.1)
    made.opened(1)
    made.publish(host(computed=5, waiting=2))
    made.become(0)
    made.observe("/score", "POST", 200, 0.1)
    made.publish(host(computed=1, waiting=1))
    found = numbers_of(made.text())
    assert found['rnnrs_requests_total{path="/score",method="POST",status="200"}'] == 2
    assert found['rnnrs_computed_total{model="a"}'] == 6 and found['rnnrs_waiting_requests{model="a"}'] == 3
    assert found["rnnrs_websockets"] == 1
    made.become(1)  # what it held is gone, what it did is not
    made.publish(host(computed=2))
    found = numbers_of(made.text())
    assert found['rnnrs_computed_total{model="a"}'] == 8 and found['rnnrs_waiting_requests{model="a"}'] == 1
    assert found["rnnrs_websockets"] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # by Python ≥ 3.12; it only counts
def test_a_fork_writes_into_the_same_memory():
    made = Metrics([], ["/score"], workers=2)
    pid = os.fork()
    if pid == 0:
        made.become(1)
        made.observe("/score", "POST", 200, 0.1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert 'path="/score",method="POST",status="200"} 1\n' in made.text()


def test_the_paths_of_routes_are_the_labels():
    async def endpoint(request):
        raise AssertionError

    routes = [Route("/a", endpoint), Route("/a/{name}", endpoint), WebSocketRoute("/b", endpoint)]
    assert list(paths_of(routes)) == ["/a", "/a/{name}", "/b"]


def test_over_http():
    with TestClient(create_app({}), base_url="http://localhost") as client:
        for path in ("/health", "/v1/models/x", "/v1/models/y", "/page/x.js", "/nothing", "/nothing/else"):
            client.get(path)
        client.post("/health")
        answer = client.get("/metrics")
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        found = numbers_of(answer.text)
    assert {name: number for name, number in found.items() if name.startswith("rnnrs_requests_total")} == {
        'rnnrs_requests_total{path="/health",method="GET",status="200"}': 1,
        'rnnrs_requests_total{path="/health",method="POST",status="405"}': 1,
        'rnnrs_requests_total{path="/v1/models/{name}",method="GET",status="404"}': 2,
        'rnnrs_requests_total{path="/page/{file:path}",method="GET",status="404"}': 1,
        'rnnrs_requests_total{path="other",method="GET",status="404"}': 2,
    }
    assert next(name for name in found if name.startswith("rnnrs_build_info")).startswith(
        'rnnrs_build_info{version="'
    )
