"""The embedding job beside creates: how much it slows them, what waits then, how fast it drains."""

import time
from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.driver import closed_loop
from benchmarks.figures import Figure, figure_of

_BURST = 20_000
_WATCHED_SECONDS = 20


def measure_embedding(bench: Bench) -> Iterator[Figure]:
    work = bench.requests.creates(bench.talk, bench.count(_BURST), bench.sessions)
    timed = closed_loop(bench.served.endpoint, [work], 256)
    yield figure_of("create, 256 in flight, embedder on", timed, in_flight=256)
    waiting = _waiting(bench)
    yield Figure("embedding, waiting after the burst", "memories", value=waiting)
    start = time.perf_counter()
    left = waiting
    while left and time.perf_counter() - start < _WATCHED_SECONDS:
        time.sleep(0.2)
        left = _waiting(bench)
    seconds = time.perf_counter() - start
    yield Figure("embedding, drained a second", "memories", value=(waiting - left) / seconds)
    bench.rows("DELETE FROM embedding_tasks")  # else the next round would start with a backlog


def _waiting(bench: Bench) -> int:
    [(count,)] = bench.rows("SELECT count(*) FROM embedding_tasks")
    return int(count)
