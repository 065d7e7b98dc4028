"""Eight clients at once, on a real server: each gets the model's own answers, byte for byte."""

import json
import random
from concurrent.futures import ThreadPoolExecutor

import httpx
from served_cases import CASES, expected

import rnnrs

#: Requests of each client.
REQUESTS = 150


def test_eight_clients_get_the_models_own_answers(server, models):
    loaded = {path.stem: rnnrs.load(path) for path in models.glob("*.rnn")}
    wanted = [
        json.dumps(
            expected(loaded, name, request, direct), ensure_ascii=False, separators=(",", ":")
        ).encode()
        for name, _, request, direct in CASES
    ]

    def client(seed):
        draw = random.Random(seed)
        with httpx.Client(base_url=server, timeout=60) as session:
            for _ in range(REQUESTS):
                i = draw.randrange(len(CASES))
                name, verb, request, _ = CASES[i]
                answer = session.post(f"/{verb}", json={"model": name, **request})
                assert (answer.status_code, answer.content) == (200, wanted[i]), (verb, request)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(client, range(8))) == [None] * 8
